//! Decides which output belongs to which input. It does not read or write any file.

use std::path::{Path, PathBuf};

use super::output::Kind;
use crate::cli::RenderArgs;
use crate::error::Error;
use crate::whole_file::STANDARD;

/// Sound formats that users may ask for and that this program does not write.
const FOREIGN: [&str; 7] = ["mp3", "ogg", "opus", "m4a", "aac", "aif", "aiff"];

/// One file to render.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The MIDI file.
    pub input: PathBuf,
    /// The file to write.
    pub output: PathBuf,
    /// The contents of the output.
    pub kind: Kind,
}

/// The jobs for the arguments, in their order.
///
/// # Errors
/// The arguments contradict each other, two outputs have the same name, or an output is also an
/// input.
pub fn jobs(args: &RenderArgs) -> Result<Vec<Job>, Error> {
    let jobs = match args.files.as_slice() {
        [input, output] if Kind::of(output).is_some() || is_standard(output) => {
            vec![named(args, input, output)?]
        }
        [_, _, .., last] if Kind::of(last).is_some() => {
            return Err(Error::Usage(format!(
                "{}: an output file can be named for one MIDI file only; for several give a folder \
                 with --out",
                last.display()
            )));
        }
        [_, last] if foreign(last) => {
            return Err(Error::Usage(format!(
                "{}: sound is written as .wav or .flac (and the mel as .npy)",
                last.display()
            )));
        }
        files => files.iter().map(|input| beside(args, input)).collect(),
    };
    let places: Vec<PathBuf> = jobs.iter().map(|job| place(&job.output)).collect();
    for (n, (job, at)) in jobs.iter().zip(&places).enumerate() {
        job.kind.check(args.format, args.rate)?;
        if let Some(other) = places.iter().take(n).position(|earlier| earlier == at) {
            let other = jobs.get(other).map(|j| j.input.display().to_string()).unwrap_or_default();
            return Err(Error::Usage(format!(
                "{other} and {} would both become {}; render them one by one, naming the output",
                job.input.display(),
                job.output.display()
            )));
        }
        let mut inputs = jobs.iter().map(|j| &j.input).filter(|input| !is_standard(input));
        if let Some(input) = inputs.find(|input| place(input) == *at) {
            return Err(Error::Usage(format!(
                "the output {} is the input {}; name another output",
                job.output.display(),
                input.display()
            )));
        }
    }
    Ok(jobs)
}

/// The job of `timbred render IN OUT`.
fn named(args: &RenderArgs, input: &Path, output: &Path) -> Result<Job, Error> {
    // The name of standard output has no ending that shows the kind.
    let kind = Kind::of(output).unwrap_or(kind(args).0);
    if args.out.is_some() {
        return Err(Error::Usage(format!(
            "--out names a folder, but the output file {} is named too; leave one of them out",
            output.display()
        )));
    }
    for (flag, given, wanted) in [("flac", args.flac, Kind::Flac), ("mel", args.mel, Kind::Npy)] {
        if given && kind != wanted {
            return Err(Error::Usage(format!(
                "--{flag}, but the output is called {}; leave --{flag} out or name another file",
                output.display()
            )));
        }
    }
    Ok(Job { input: input.to_owned(), output: output.to_owned(), kind })
}

/// The job whose output has the name of the input with another ending, beside the input or in
/// `--out`.
fn beside(args: &RenderArgs, input: &Path) -> Job {
    let (kind, ending) = kind(args);
    if is_standard(input) {
        let output = args.out.as_ref().map(|out| out.join("standard-input").with_extension(ending));
        return Job { input: input.to_owned(), output: output.unwrap_or(STANDARD.into()), kind };
    }
    let output = input.with_extension(ending);
    let output = match (&args.out, output.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => output,
    };
    Job { input: input.to_owned(), output, kind }
}

/// The kind of an output that is not named, and its ending.
fn kind(args: &RenderArgs) -> (Kind, &'static str) {
    match (args.flac, args.mel) {
        (true, _) => (Kind::Flac, "flac"),
        (_, true) => (Kind::Npy, "npy"),
        _ => (Kind::Wav, "wav"),
    }
}

/// Whether a path means standard input or output.
fn is_standard(path: &Path) -> bool {
    path == Path::new(STANDARD)
}

fn foreign(path: &Path) -> bool {
    let ending = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    ending.is_some_and(|e| FOREIGN.contains(&e.as_str())) && !path.exists()
}

/// The absolute path of a file that may not exist yet.
fn place(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|p| *p != Path::new("")).unwrap_or(Path::new("."));
    path.canonicalize()
        .or_else(|_| folder.canonicalize().map(|f| f.join(path.file_name().unwrap_or_default())))
        .or_else(|_| std::path::absolute(path))
        .unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn outputs(line: &str) -> Result<Vec<String>, String> {
        let cli = Cli::try_parse_from(["timbred", "render"].into_iter().chain(line.split(' ')));
        let Some(Command::Render(args)) = cli.unwrap().command else {
            return Err("render".to_owned());
        };
        let jobs = jobs(&args).map_err(|e| e.to_string())?;
        Ok(jobs.iter().map(|job| job.output.display().to_string()).collect())
    }

    #[test]
    fn names_follow_the_input_or_the_last_argument() {
        assert_eq!(outputs("x/a.mid").unwrap(), ["x/a.wav"]);
        assert_eq!(outputs("a.mid b.mid --flac").unwrap(), ["a.flac", "b.flac"]);
        assert_eq!(outputs("x/a.mid b.mid -o out").unwrap(), ["out/a.wav", "out/b.wav"]);
        assert_eq!(outputs("a.mid b.npy").unwrap(), ["b.npy"]);
        assert_eq!(outputs("a.mid b.mid --mel").unwrap(), ["a.npy", "b.npy"]);
    }

    #[test]
    fn contradictions_are_refused() {
        for line in [
            "a.mid b.mid c.wav",
            "a.mid b.wav -o out",
            "a.mid b.wav --flac",
            "a.mid b.wav --mel",
            "a.mid b.flac --format 32f",
            "a.mid b.mp3",
            "x/a.mid y/a.mid -o out",
            "a.mid ./a.mid",
            "a.wav",
            "a.wav ./a.wav",
        ] {
            assert!(outputs(line).is_err(), "{line}");
        }
    }
}
