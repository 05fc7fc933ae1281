//! Recording: the sound as a WAV file, and beside it the notes that made it as a MIDI file. It
//! knows no OSC and no device.
//!
//! | file | its part |
//! | --- | --- |
//! | `tap` | the end in the inference thread: puts sound and notes into bounded queues and never waits |
//! | `recorder` | the thread `timbred-recorder`, the only one that waits for the disk |
//! | `session` | one recording: puts sound and notes in their places, and begins the next file when one is full |
//! | `wav`, `midi` | the two files, which are valid at every moment |
//! | `names` | the folder and the names of recordings |
//!
//! The sound is recorded behind the limiter and before master volume and mute, as one hears it at a
//! master volume of 0 dB. So a take does not depend on how loud one listens, and it has no gaps
//! even if the machine was late. It has 24 bits, two channels and the rate of the device. The notes
//! are those that the model heard, after transposition, velocity curve and gain. Each begins where
//! its sound begins in the WAV file.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod midi;
mod names;
mod recorder;
mod session;
mod tap;
mod wav;

use std::fmt;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use timbre_control::status::Recording;

pub(crate) use names::{folder, is_name};
pub use recorder::{Recorder, RecorderThread, start};
pub use tap::Tap;

/// A file that a recording is written to.
pub(crate) trait Disk: Write + Seek + Send {
    /// Waits until everything that was written is on the disk itself.
    fn sync(&self) -> io::Result<()>;
}

impl Disk for File {
    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Makes a new file. It is an error if the file exists already.
pub(crate) type Create = Box<dyn Fn(&Path) -> io::Result<Box<dyn Disk>> + Send>;

/// The state of the recording.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Phase {
    /// There is none.
    #[default]
    Off,
    /// It is running.
    On,
    /// It ended by an error, which this text names.
    Failed(String),
}

/// The progress of the recording, which is published as a whole.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RecordState {
    /// Its state.
    pub phase: Phase,
    /// The WAV file that is being written, or the last one.
    pub file: PathBuf,
    /// The length of all its files so far, seconds.
    pub seconds: f64,
    /// How many samples found their queue full and were replaced by silence.
    pub lost_samples: u64,
    /// How many notes found their queue full and are missing in the MIDI file.
    pub lost_notes: u64,
}

impl RecordState {
    /// The same in the form of the answer to `/status`.
    pub fn status(&self) -> Recording {
        let (state, error) = match &self.phase {
            Phase::Off => ("off", ""),
            Phase::On => ("on", ""),
            Phase::Failed(why) => ("failed", why.as_str()),
        };
        Recording {
            state: state.to_owned(),
            file: self.file.display().to_string(),
            seconds: self.seconds,
            lost_samples: self.lost_samples,
            lost_notes: self.lost_notes,
            error: error.to_owned(),
        }
    }
}

/// The value of `/record`: `off`, `on FILE` or `failed WHY`.
impl fmt::Display for RecordState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.phase {
            Phase::Off => f.write_str("off"),
            Phase::On => write!(f, "on {}", self.file.display()),
            Phase::Failed(why) => write!(f, "failed {why}"),
        }
    }
}
