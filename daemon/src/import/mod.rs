//! `timbred import` turns a published checkpoint into an installed model. It knows neither the
//! format of a checkpoint nor a graph.

mod manifest;
mod speed;
mod told;

use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use timbre_models::bundle::manifest::ATTACKS;
use timbre_models::bundle::{self, Bundle, Writer};
use timbre_models::checkpoint::{self, Checkpoint, Origin};
use timbre_models::graph::{MelDecoderConfig, ParamError, WeightFormat};

use crate::cli::ImportArgs;
use crate::error::Error;
use crate::inspect::print;
use crate::interrupt::Interrupt;
use crate::models;
use speed::Speed;
use told::Told;

/// The value of `--vocoder` that means the bundled one.
const BUNDLED_VOCODER: &str = "bundled";
/// The template of the progress bar on a terminal, while the checkpoint is read and the graphs are
/// built.
const BAR: &str = "{prefix:24!} [{bar:30}] {percent:>3}%  {msg}, {eta} left";

/// The bytes of a mel decoder, and its sizes as they were measured by running it.
type MelDecoder = (Vec<u8>, MelDecoderConfig);

/// Reads the checkpoint and installs the model, which appears either completely or not at all. Then
/// prints how fast it is on this machine.
///
/// # Errors
/// The file is not a checkpoint of this kind of model, or not a mel decoder; the name is taken or
/// not allowed; or the folder cannot be written.
pub fn run(args: &ImportArgs) -> Result<(), Error> {
    let name = name(args)?;
    let folder = free_folder(args, &name)?;
    let interrupt = Interrupt::install();
    let checkpoint =
        checkpoint::open(&args.checkpoint).map_err(|e| Error::input(&args.checkpoint, e))?;
    let decoder = mel_decoder(args, &checkpoint)?;
    let parent = match folder.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let failed = |e: std::io::Error| Error::output(&folder, e);
    std::fs::create_dir_all(&parent).map_err(failed)?;
    let part =
        tempfile::Builder::new().prefix(".timbred-import-").tempdir_in(&parent).map_err(failed)?;
    // A temporary folder can only be read by its owner, so a service could not read a model that is
    // moved from there. The folder inside it has the usual mode.
    let inside = part.path().join("model");
    let bar = bar(&name, checkpoint.network.parameters().len());
    let told = Told { weights: checkpoint.weights(), bar: &bar, interrupt: &interrupt };
    let bytes = write(&inside, args, &name, &checkpoint, &told, decoder)?;
    bar.set_message("measuring");
    let speed = Speed::measure(&Bundle::open(&inside)?)?;
    interrupt.check()?;
    std::fs::rename(&inside, &folder).map_err(failed)?;
    bar.finish_and_clear();
    let mut lines = installed(args, &name, &folder, &checkpoint, bytes);
    lines.extend(speed.lines());
    let model = if args.out.is_some() { folder.display().to_string() } else { name };
    lines.push(format!("try it: timbred render song.mid --model {model}\n"));
    print(&lines.join("\n"))
}

/// The folder of the new model, where nothing may exist yet.
fn free_folder(args: &ImportArgs, name: &str) -> Result<PathBuf, Error> {
    let folder = match &args.out {
        Some(folder) => folder.clone(),
        None => models::folders().first().map(|models| models.join(name)).ok_or_else(|| {
            Error::Usage("no folder for models, as HOME is not set; name one with --out".to_owned())
        })?,
    };
    match folder.exists() {
        true => {
            let taken = "there is something already; choose another --name or --out, or remove it";
            Err(Error::output(&folder, taken))
        }
        false => Ok(folder),
    }
}

/// Writes the files of the model one graph after the other, so that only one is in memory at a
/// time. Returns the number of bytes written.
fn write(
    folder: &Path,
    args: &ImportArgs,
    name: &str,
    checkpoint: &Checkpoint,
    weights: &Told<'_>,
    decoder: Option<MelDecoder>,
) -> Result<u64, Error> {
    let failed = |e: bundle::WriteError| Error::output(folder, e);
    let mut writer = Writer::new(folder).map_err(failed)?;
    let format = if args.f32 { WeightFormat::F32 } else { WeightFormat::Int8PerChannel };
    for kind in bundle::denoiser_kinds(&checkpoint.network) {
        let graph = bundle::denoiser_graph(kind, &checkpoint.network, weights, format);
        let graph = graph.map_err(|e| match e {
            ParamError::Interrupted => Error::Interrupted,
            e => Error::input(&args.checkpoint, e),
        })?;
        writer.add(kind.name(), &graph).map_err(failed)?;
    }
    let live = models::bundled()?;
    let vocoder = match decoder {
        Some((bytes, config)) => {
            writer.add("vocoder", &bytes).map_err(failed)?;
            (None, Some(config))
        }
        // All vocoders take the same mel, so the bundled one fits.
        None => {
            for role in ["vocoder", ATTACKS] {
                writer.add(role, &live.verified(role)?).map_err(failed)?;
            }
            (live.manifest().vocoder, None)
        }
    };
    writer.finish(manifest::manifest(name, checkpoint, vocoder)).map_err(failed)
}

/// Lines that say what was installed, and where.
fn installed(
    args: &ImportArgs,
    name: &str,
    folder: &Path,
    checkpoint: &Checkpoint,
    bytes: u64,
) -> Vec<String> {
    let origin = match &checkpoint.origin {
        Origin::T5x { step } => format!("after {step} steps of training"),
        Origin::Diffusers { version } => format!("saved by diffusers {version}"),
    };
    let (count, megabytes) = (checkpoint.count(), bytes as f64 / 1e6);
    let place = folder.display();
    let mut lines =
        vec![format!("{name}: {count} parameters {origin}, {megabytes:.1} MB in {place}")];
    if let (Some(own), None) = (&checkpoint.mel_decoder, &args.vocoder) {
        lines.push(format!("its sound is made by its own mel decoder, {}", own.display()));
    }
    lines
}

/// The mel decoder that was asked for, or the one that came with the checkpoint; none if the
/// bundled vocoder is used.
fn mel_decoder(args: &ImportArgs, checkpoint: &Checkpoint) -> Result<Option<MelDecoder>, Error> {
    let (path, remedy) = match (&args.vocoder, &checkpoint.mel_decoder) {
        (Some(asked), _) if asked == Path::new(BUNDLED_VOCODER) => return Ok(None),
        (Some(asked), _) => {
            (asked, "export the decoder again, with a free length, or leave --vocoder out")
        }
        (None, Some(own)) => (own, "download it again, or take --vocoder bundled instead"),
        (None, None) => return Ok(None),
    };
    let bytes = std::fs::read(path).map_err(|e| Error::input(path, e))?;
    let config = MelDecoderConfig::measure(&bytes)
        .map_err(|e| Error::input(path, format!("{e}; {remedy}")))?;
    Ok(Some((bytes, config)))
}

/// The value of `--name`, otherwise the name of the file without its ending. It has only the
/// characters that a manifest allows.
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

fn bar(name: &str, parameters: usize) -> ProgressBar {
    // Without a terminal the bar is not drawn. A test checks the template.
    let style = ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(parameters as u64)
        .with_style(style.progress_chars("=> "))
        .with_prefix(name.to_owned())
        .with_message("reading and building")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_template_is_one() {
        assert!(super::ProgressStyle::with_template(super::BAR).is_ok());
    }
}
