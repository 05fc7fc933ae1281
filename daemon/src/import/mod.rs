//! `timbred import`: a published checkpoint -> an installed model. Knows no format of a checkpoint
//! and no graph.

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

/// What `--vocoder` says for the bundled one.
const BUNDLED_VOCODER: &str = "bundled";
/// Reading and building, on a terminal.
const BAR: &str = "{prefix:24!} [{bar:30}] {percent:>3}%  {msg}, {eta} left";

/// A mel decoder's file, tried and measured.
type MelDecoder = (Vec<u8>, MelDecoderConfig);

/// Reads the checkpoint and installs the model, which appears whole or not at all; then says what
/// it can do here.
///
/// # Errors
/// A file that is no checkpoint of this kind of model or no mel decoder, a name that is taken or no
/// name, a folder that cannot be written.
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
    // What is written with a mode for one user alone would be unreadable for a service.
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

/// Where the model will be: there is nothing yet.
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

/// Writes the model's files, one graph after the other, so that memory holds one. Returns the bytes
/// written.
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
        // Every vocoder hears the same mel.
        None => {
            for role in ["vocoder", ATTACKS] {
                writer.add(role, &live.verified(role)?).map_err(failed)?;
            }
            (live.manifest().vocoder, None)
        }
    };
    writer.finish(manifest::manifest(name, checkpoint, vocoder)).map_err(failed)
}

/// What was installed, and where, a line each.
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

/// The mel decoder that is asked for, or that came with the checkpoint; none for the bundled
/// vocoder.
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

fn bar(name: &str, parameters: usize) -> ProgressBar {
    // On no terminal it shows nothing. The template is checked by a test.
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
