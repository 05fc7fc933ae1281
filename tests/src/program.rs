//! Runs the real `timbred` in a folder of its own, with the tiny model. This file knows no expected
//! result.
#![allow(clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use timbre_models::notes::{Note, Song, Voice, write_song_file};

use crate::bundle::tiny_bundle;

/// The path of the daemon, which is built beside the tests.
///
/// # Panics
/// It is not there, or older than its sources; the message says how to build it.
pub fn timbred() -> PathBuf {
    up_to_date(built("timbred", "cargo build --workspace"))
}

/// The path of the control program, which is built beside the tests.
///
/// # Panics
/// It is not there, or older than its sources; the message says how to build it.
pub fn timbrectl() -> PathBuf {
    up_to_date(built("timbrectl", "cargo build --workspace"))
}

/// The path of an example of the crates, which is built beside the tests.
///
/// # Panics
/// It is not there; the message says how to build it.
pub fn example(name: &str) -> PathBuf {
    built(&format!("examples/{name}"), "cargo build --workspace --examples")
}

fn built(name: &str, how: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own place");
    let profile = test.parent().and_then(Path::parent).expect("target/<profile>/deps/<test>");
    let program = profile.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(program.is_file(), "{} is missing: run `{how}` first", program.display());
    program
}

/// The program, if it is newer than its sources, which cargo lists beside it. `cargo test` does not
/// build it anew, and a test of an old program tells nothing.
fn up_to_date(program: PathBuf) -> PathBuf {
    let changed = |path: &Path| path.metadata().and_then(|of| of.modified()).ok();
    let listed = std::fs::read_to_string(program.with_extension("d")).expect("its list of sources");
    let (_, sources) = listed.split_once(':').expect("`program: sources`");
    for source in sources.split_whitespace().map(Path::new) {
        assert!(
            changed(source) <= changed(&program),
            "{} is newer than {}: run `cargo build --workspace` first",
            source.display(),
            program.display()
        );
    }
    program
}

/// The result of a run of the program.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl From<Output> for Ran {
    fn from(o: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: o.status.code(), out: text(&o.stdout), err: text(&o.stderr) }
    }
}

impl Ran {
    /// Returns the result if the program succeeded.
    #[track_caller]
    pub fn well(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// Returns the result if the program ended with that code, printed each of these words, and did
    /// not panic.
    #[track_caller]
    pub fn failed(self, code: i32, words: &[&str]) -> Self {
        assert!(!self.err.contains("panicked"), "{self:?}");
        assert_eq!(self.code, Some(code), "{self:?}");
        for word in words {
            assert!(self.err.contains(word), "no `{word}` in {self:?}");
        }
        self
    }
}

/// A folder with the tiny model in `tiny`, in which the program runs.
#[derive(Debug)]
pub struct Folder(TempDir);

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Folder {
    /// A new folder, which is removed when this is dropped.
    pub fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a temporary folder"));
        tiny_bundle(&folder.path("tiny"));
        folder
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file into the folder.
    pub fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).expect("a file in the temporary folder");
    }

    /// Reads a file of the folder.
    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Writes a song of `notes` notes of half a second, one every quarter of a second.
    pub fn song(&self, name: &str, notes: u8) {
        let note = |n: u8| {
            let voice = Voice { is_drum: n % 5 == 4, program: 4 * (n % 3), key: 48 + n % 24 };
            let start_s = f64::from(n) * 0.25;
            Note { voice, velocity: 60 + n % 60, start_s, end_s: start_s + 0.5 }
        };
        let notes: Vec<Note> = (0..notes).map(note).collect();
        let total_time_s = notes.last().map_or(0.0, |n| n.end_s);
        write_song_file(&Song { notes, total_time_s }, self.path(name)).expect("a MIDI file");
    }

    /// The program with arguments, not yet running. It uses the model `tiny` unless `--model` is
    /// among the arguments.
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(timbred());
        command.current_dir(self.0.path()).args(line.split_whitespace()).stdin(Stdio::null());
        command.env("XDG_DATA_HOME", self.path("data")).env_remove("TIMBRED_LOG");
        let takes_model = ["render", "demo", "inspect tokens"].iter().any(|c| line.starts_with(c));
        if takes_model && !line.contains("--model") {
            command.args(["--model", "tiny"]);
        }
        command
    }

    /// Runs the program.
    pub fn run(&self, line: &str) -> Ran {
        self.command(line).output().expect("timbred starts").into()
    }

    /// The sorted names of everything in the folder other than the model and `known`.
    pub fn others(&self, known: &[&str]) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).expect("the temporary folder");
        let names = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> =
            names.filter(|name| name != "tiny" && !known.contains(&name.as_str())).collect();
        names.sort();
        names
    }
}
