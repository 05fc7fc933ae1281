//! Everything a command can end with, and the exit code of each. The only place that knows exit
//! codes.

use std::path::{Path, PathBuf};

use crate::audio::resample::ResampleError;
use crate::problem::Problems;
use timbre_models::bundle::BundleError;
use timbre_models::streamer::StreamError;

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file that was given and cannot be used. Exit code 3.
    #[error("{path}: {reason}")]
    Input {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A model that cannot be used. Exit code 4.
    #[error(transparent)]
    Model(#[from] BundleError),
    /// The stream refused an option or failed. Exit code 4.
    #[error(transparent)]
    Stream(StreamError),
    /// Something that cannot be written. Exit code 5.
    #[error("{path}: {reason}")]
    Output {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// There is no sound device, it refuses, or it went away. Exit code 6.
    #[error("{0}")]
    Device(String),
    /// A sample rate that cannot be converted to another. Exit code 6.
    #[error(transparent)]
    Resample(#[from] ResampleError),
    /// The system refuses something that every program may have, such as a thread. Exit code 9.
    #[error("the system refuses {what}: {source}")]
    System {
        /// What was asked for.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// A thread of timbred ended by a panic, which the log has. Exit code 70.
    #[error(
        "the thread that makes sound ended by a fault in timbred; please report it with the lines \
         before this one"
    )]
    Fault,
    /// Remote control does not work, for example because another program has the port. Exit code 8.
    #[error("{0}")]
    Control(String),
    /// A configuration that cannot be used. Exit code 7.
    #[error("{0}")]
    Config(#[from] Problems),
    /// Ctrl-C or SIGTERM. Exit code 130.
    #[error("interrupted; nothing half-written was kept")]
    Interrupted,
    /// Arguments that contradict each other. Exit code 2.
    #[error("{0}")]
    Usage(String),
    /// `timbred doctor` found what keeps it from playing. Exit code 1.
    #[error("{found} found that can keep timbred from playing, marked TROUBLE above")]
    Trouble {
        /// How many things.
        found: usize,
    },
    /// Several files of which some failed; each has been reported. Exit code 1.
    #[error("{failed} of {all} files failed")]
    Some {
        /// How many failed.
        failed: usize,
        /// Of how many.
        all: usize,
    },
}

impl Error {
    /// An input file and what is wrong with it.
    pub fn input(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self::Input { path: path.to_owned(), reason: reason.to_string() }
    }

    /// An output file and what is wrong with it.
    pub fn output(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self::Output { path: path.to_owned(), reason: reason.to_string() }
    }

    /// What the system refuses, and why.
    pub fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::System { what, source }
    }

    /// In words, with the file it is about where the error itself names none.
    pub fn about(&self, path: &Path) -> String {
        match self {
            Self::Input { .. } | Self::Output { .. } => self.to_string(),
            _ => format!("{}: {self}", path.display()),
        }
    }

    /// The exit code, as `timbred --help` lists it.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Some { .. } | Self::Trouble { .. } => 1,
            Self::Usage(_) => 2,
            Self::Input { .. } => 3,
            Self::Model(_) | Self::Stream(_) => 4,
            Self::Output { .. } => 5,
            Self::Device(_) | Self::Resample(_) => 6,
            Self::Config(_) => 7,
            Self::Control(_) => 8,
            Self::System { .. } => 9,
            Self::Fault => 70,
            Self::Interrupted => 130,
        }
    }
}

impl From<StreamError> for Error {
    fn from(e: StreamError) -> Self {
        match e {
            StreamError::Bundle(e) => Self::Model(e),
            e => Self::Stream(e),
        }
    }
}
