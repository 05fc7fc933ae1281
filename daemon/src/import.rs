//! `timbred import`: a published checkpoint -> an installed model. Knows no format of a checkpoint and no graph.

use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use timbre_models::bundle::manifest::{ATTACKS, FORMAT, LiveMode, MelSettings, Mode, Sampling};
use timbre_models::bundle::{self, Bundle, Manifest};
use timbre_models::checkpoint::{self, Checkpoint, CheckpointError};
use timbre_models::denoise::sampler::SamplerKind;
use timbre_models::denoise::schedule::Spacing;
use timbre_models::denoise::step::Prediction;
use timbre_models::graph::{MelDecoderConfig, WeightFormat};
use timbre_models::tokens::{HeldStyle, ProgramMap, Rounding, TokenOptions};

use crate::cli::ImportArgs;
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::models;

/// Steps of a segment: the published sampler takes 1000, which a CPU has no time for.
const STEPS: usize = 25;
/// Steps of a hop played live, if the machine has time for them: below that the published network, which says the noise and not the sound, has
/// little to say.
const LIVE_STEPS: usize = 4;
/// The shortest hop that is worth a full target, 160 ms. The longest is half a target: the other half at least is held.
const LIVE_HOP_FRAMES: usize = 8;
/// Guidance weight of the published demo.
const GUIDANCE: f64 = 2.0;
/// Reading, then building, on a terminal.
const BAR: &str = "{prefix:24!} [{bar:30}] {percent:>3}%  {msg}, {eta} left";

/// Reads the checkpoint and installs the model, which appears whole or not at all.
///
/// # Errors
/// A file that is no checkpoint of this kind of model or no mel decoder, a name that is taken or no name, a folder that cannot be written.
pub fn run(args: &ImportArgs) -> Result<(), Error> {
    let name = name(args)?;
    let folder = match &args.out {
        Some(folder) => folder.clone(),
        None => models::folders().first().map(|models| models.join(&name)).ok_or_else(|| {
            Error::Usage("no folder for models, as HOME is not set; name one with --out".to_owned())
        })?,
    };
    if folder.exists() {
        let taken = "there is something already; choose another --name or --out, or remove it";
        return Err(Error::output(&folder, taken));
    }
    let decoder = args.vocoder.as_deref().map(mel_decoder).transpose()?;
    let interrupt = Interrupt::install();
    let bar = bar(&name);
    let checkpoint = checkpoint::read(&args.checkpoint, &mut |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
        interrupt.check().is_ok()
    });
    let checkpoint = checkpoint.map_err(|e| match e {
        CheckpointError::Interrupted => Error::Interrupted,
        e => Error::input(&args.checkpoint, e),
    })?;
    bar.set_message("building the graphs");
    let live = Bundle::bundled()?;
    let mut manifest = manifest(&name, &checkpoint, &live);
    if let Some((_, config)) = &decoder {
        (manifest.vocoder, manifest.mel_decoder) = (None, Some(*config));
    }
    let format = if args.f32 { WeightFormat::F32 } else { WeightFormat::Int8PerChannel };
    let graphs = bundle::denoiser_graphs(&checkpoint.network, &checkpoint.params, format);
    let mut graphs = graphs.map_err(|e| Error::input(&args.checkpoint, e))?;
    match decoder {
        Some((bytes, _)) => drop(graphs.insert("vocoder", bytes)),
        // Every vocoder hears the same mel.
        None => {
            for role in ["vocoder", ATTACKS] {
                graphs.insert(role, live.verified(role)?);
            }
        }
    }
    let parent = match folder.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let failed = |e: std::io::Error| Error::output(&folder, e);
    std::fs::create_dir_all(&parent).map_err(failed)?;
    let part =
        tempfile::Builder::new().prefix(".timbred-import-").tempdir_in(&parent).map_err(failed)?;
    // What is written with a mode for one user alone would be unreadable for a service.
    let inside = part.path().join("model");
    let bytes = bundle::write(&inside, manifest, &graphs).map_err(|e| Error::output(&folder, e))?;
    interrupt.check()?;
    std::fs::rename(&inside, &folder).map_err(failed)?;
    bar.finish_and_clear();
    println!(
        "{name}: {} parameters after {} steps of training, {:.1} MB in {}",
        checkpoint.params.count(),
        checkpoint.step,
        bytes as f64 / 1e6,
        folder.display()
    );
    let model = if args.out.is_some() { folder.display().to_string() } else { name };
    println!("try it: timbred render song.mid --model {model}");
    Ok(())
}

/// The bytes of `--vocoder`, tried and measured.
fn mel_decoder(path: &Path) -> Result<(Vec<u8>, MelDecoderConfig), Error> {
    let bytes = std::fs::read(path).map_err(|e| Error::input(path, e))?;
    let config = MelDecoderConfig::measure(&bytes).map_err(|e| {
        let remedy = "export the decoder again, with a free length, or leave --vocoder out";
        Error::input(path, format!("{e}; {remedy}"))
    })?;
    Ok((bytes, config))
}

/// `--name`, or the file's own without its ending; what a manifest takes.
fn name(args: &ImportArgs) -> Result<String, Error> {
    let own = || Some(args.checkpoint.file_stem()?.to_string_lossy().into_owned());
    let name = args.name.clone().or_else(own).unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(is_plain) {
        return Err(Error::Usage(format!(
            "`{name}` is no name for a model: wanted letters, digits, - and _; give one with --name"
        )));
    }
    Ok(name)
}

fn bar(name: &str) -> ProgressBar {
    // On no terminal it shows nothing. The template is checked by a test.
    let style = ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(1)
        .with_style(style.progress_chars("=> "))
        .with_prefix(name.to_owned())
        .with_message("reading")
}

/// What the published models have in common, with the sizes of this one.
fn manifest(name: &str, checkpoint: &Checkpoint, live: &Bundle) -> Manifest {
    let network = checkpoint.network.clone();
    let longest = network.target_frames.div_ceil(2);
    Manifest {
        format: FORMAT,
        name: name.to_owned(),
        version: checkpoint.step.to_string(),
        description: "Imported from a T5X checkpoint of Multi-instrument Music Synthesis with Spectrogram Diffusion".to_owned(),
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
            prediction: Prediction::Eps,
            sampler: SamplerKind::Ddim,
            spacing: Spacing::Trailing,
            guidance: GUIDANCE,
            clip_x0: true,
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
        vocoder: live.manifest().vocoder,
        mel_decoder: None,
        instruments: None,
        files: std::collections::BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_template_is_one() {
        assert!(super::ProgressStyle::with_template(super::BAR).is_ok());
    }
}
