//! The options of a stream, from flags and the manifest of a model. It knows no files.

use timbre_models::bundle::Bundle;
use timbre_models::streamer::StreamOptions;

use crate::cli::EngineArgs;
use crate::error::Error;

/// The length of a mel frame, ms.
const FRAME_MS: f64 = 20.0;

/// The options of the model with the flags on top.
///
/// # Errors
/// The model has no live mode, or cannot make such a hop.
pub fn stream_options(args: &EngineArgs, bundle: &Bundle) -> Result<StreamOptions, Error> {
    let manifest = bundle.manifest();
    let name = &manifest.name;
    let (mut options, hops) = match (args.live, manifest.live) {
        (false, _) => (StreamOptions::song(bundle), 1..=manifest.network.target_frames),
        (true, Some(mode)) => (
            StreamOptions::live(bundle).unwrap_or_else(|| StreamOptions::song(bundle)),
            mode.min_hop_frames..=mode.max_hop_frames,
        ),
        (true, None) => {
            return Err(Error::Usage(format!(
                "--live: model `{name}` has no live mode; leave --live out or choose another \
                 --model"
            )));
        }
    };
    if let Some(hop_ms) = args.hop_ms {
        options.hop_frames = (hop_ms / FRAME_MS).round().max(1.0) as usize;
        if !hops.contains(&options.hop_frames) {
            let ms = |frames: &usize| *frames as f64 * FRAME_MS;
            let mode = if args.live { "live" } else { "song" };
            return Err(Error::Usage(format!(
                "--hop-ms {hop_ms}: in {mode} mode the model `{name}` makes hops of {} to {} ms",
                ms(hops.start()),
                ms(hops.end())
            )));
        }
    }
    options.steps = args.steps.map_or(options.steps, |steps| steps as usize);
    options.sampler = args.sampler.unwrap_or(options.sampler);
    options.spacing = args.spacing.unwrap_or(options.spacing);
    options.guidance = args.guidance.unwrap_or(options.guidance);
    options.seed = args.seed;
    Ok(options)
}
