//! The manifest of an imported model: the settings that all published models share, with the sizes
//! of this one.

use timbre_models::bundle::manifest::{FORMAT, LiveMode, Manifest, MelSettings, Mode, Sampling};
use timbre_models::checkpoint::{Checkpoint, Origin};
use timbre_models::denoise::sampler::SamplerKind;
use timbre_models::denoise::schedule::Spacing;
use timbre_models::graph::{MelDecoderConfig, VocoderConfig};
use timbre_models::notes::Kits;
use timbre_models::tokens::{HeldStyle, ProgramMap, Rounding, TokenOptions};

/// Denoising steps for each segment. The published sampler takes 1000, which is too slow on a CPU.
const STEPS: usize = 25;
/// Denoising steps for each live hop, if the machine is fast enough. The published network predicts
/// the noise and not the sound, so fewer steps give a poor result.
const LIVE_STEPS: usize = 4;
/// The shortest hop for which a full target is worth computing, 160 ms. The longest hop is half a
/// target, because at least the other half is held.
const LIVE_HOP_FRAMES: usize = 8;
/// Guidance weight of the published demo.
const GUIDANCE: f64 = 2.0;

/// The description of what turns the mel into sound: the bundled vocoder, or a mel decoder.
pub(super) type Vocoder = (Option<VocoderConfig>, Option<MelDecoderConfig>);

/// The manifest of a checkpoint, without its list of files.
pub(super) fn manifest(
    name: &str,
    checkpoint: &Checkpoint,
    (vocoder, mel_decoder): Vocoder,
) -> Manifest {
    let network = checkpoint.network.clone();
    let longest = network.target_frames.div_ceil(2);
    let (version, layout) = match &checkpoint.origin {
        Origin::Diffusers { version } => (format!("diffusers-{version}"), "diffusers pipeline"),
        Origin::T5x { step } => (step.to_string(), "T5X checkpoint"),
    };
    Manifest {
        format: FORMAT,
        name: name.to_owned(),
        version,
        description: format!(
            "Imported from a {layout} of Multi-instrument Music Synthesis with Spectrogram \
             Diffusion"
        ),
        license: "Apache-2.0".to_owned(),
        mel: MelSettings::default(),
        tokens: TokenOptions {
            velocity_bins: checkpoint.velocity_bins,
            max_tokens: network.max_tokens - 1,
            rounding: Rounding::Nearest,
            held: HeldStyle::Key,
            program_map: ProgramMap::Slakh,
        },
        sampling: Sampling {
            prediction: checkpoint.prediction,
            sampler: SamplerKind::Ddim,
            // The published weights were trained with this schedule. This also holds for those that
            // diffusers saved.
            spacing: Spacing::Trailing,
            guidance: GUIDANCE,
            clip_x0: checkpoint.clip_x0,
        },
        song: Mode { hop_frames: network.target_frames, steps: STEPS, context_frames: None },
        network,
        live: Some(LiveMode {
            hop_frames: LIVE_HOP_FRAMES.min(longest),
            steps: LIVE_STEPS,
            context_frames: None,
            min_hop_frames: LIVE_HOP_FRAMES.min(longest),
            max_hop_frames: longest,
            window: true,
        }),
        prior: None,
        vocoder,
        mel_decoder,
        kits: Kits::default(),
        instruments: None,
        files: std::collections::BTreeMap::new(),
    }
}
