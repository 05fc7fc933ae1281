//! Recording: what is played as a WAV file, and beside it the notes that made it as a MIDI file.
//! Knows no OSC and no device.
//!
//! | file | its part |
//! | --- | --- |
//! | `tap` | inference's end: sound and notes into bounded queues, never waiting |
//! | `recorder` | the thread `timbred-recorder`: the only one that waits for the disk |
//! | `session` | one recording: sound and notes in their places, the next file where one is full |
//! | `wav`, `midi` | the two files, whole at every moment |
//! | `names` | where recordings go, and under which name |
//!
//! Recorded is what is heard at a master volume of 0 dB: after the limiter, before master volume
//! and mute, so that the take does not depend on how loud the room wants it, and without the gaps
//! of a machine that was late. 24 bits, two channels, at the rate of the device. The notes are
//! those that the model heard, after transposition, velocity curve and gain; each lies where its
//! sound begins in the WAV file.

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

/// What a recording is written to.
pub(crate) trait Disk: Write + Seek + Send {
    /// Waits until what was written lies on the disk itself.
    fn sync(&self) -> io::Result<()>;
}

impl Disk for File {
    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Makes a new file; one that is there already is an error.
pub(crate) type Create = Box<dyn Fn(&Path) -> io::Result<Box<dyn Disk>> + Send>;

/// What becomes of the recording.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Phase {
    /// Nobody asked for one.
    #[default]
    Off,
    /// It runs.
    On,
    /// It ended by itself: why.
    Failed(String),
}

/// How the recording is; published whole.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RecordState {
    /// What becomes of it.
    pub phase: Phase,
    /// The WAV file that is, or was last, written.
    pub file: PathBuf,
    /// Length so far, seconds, of all its files.
    pub seconds: f64,
    /// Samples that found their queue full; there is silence in their place.
    pub lost_samples: u64,
    /// Notes that found their queue full; they are not in the MIDI file.
    pub lost_notes: u64,
}

impl RecordState {
    /// The same as a part of the answer to `/status`.
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
