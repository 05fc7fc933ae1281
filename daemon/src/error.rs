//! All errors with which a command can end, and the exit code of each. This is the only place that
//! knows exit codes.

use std::path::{Path, PathBuf};

use crate::audio::resample::ResampleError;
use crate::problem::Problems;
use timbre_models::bundle::BundleError;
use timbre_models::streamer::StreamError;

/// The reason why a command ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An input file cannot be used. Exit code 3.
    #[error("{path}: {reason}")]
    Input {
        /// The path of the file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The model cannot be used. Exit code 4.
    #[error(transparent)]
    Model(#[from] BundleError),
    /// The stream refused an option, or failed. Exit code 4.
    #[error(transparent)]
    Stream(StreamError),
    /// An output cannot be written. Exit code 5.
    #[error("{path}: {reason}")]
    Output {
        /// The path of the file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// There is no sound device, it cannot be used, or it was removed. Exit code 6.
    #[error("{0}")]
    Device(String),
    /// A sample rate cannot be converted to another. Exit code 6.
    #[error(transparent)]
    Resample(#[from] ResampleError),
    /// The system refuses something that every program may have, such as a thread. Exit code 9.
    #[error("the system refuses {what}: {source}")]
    System {
        /// What the program asked for.
        what: &'static str,
        /// The error of the system.
        source: std::io::Error,
    },
    /// A thread of timbred panicked. The log has the message. Exit code 70.
    #[error(
        "the thread that makes sound ended by a fault in timbred; please report it with the lines \
         before this one"
    )]
    Fault,
    /// Remote control does not work, for example because another program has the port. Exit code 8.
    #[error("{0}")]
    Control(String),
    /// The configuration cannot be used. Exit code 7.
    #[error("{0}")]
    Config(#[from] Problems),
    /// Ctrl-C or SIGTERM. Exit code 130.
    #[error("interrupted; nothing half-written was kept")]
    Interrupted,
    /// The arguments contradict each other. Exit code 2.
    #[error("{0}")]
    Usage(String),
    /// `timbred doctor` found something that keeps timbred from playing. Exit code 1.
    #[error("{found} found that can keep timbred from playing, marked TROUBLE above")]
    Trouble {
        /// The number of such findings.
        found: usize,
    },
    /// Some of several files failed; each of them has been reported. Exit code 1.
    #[error("{failed} of {all} files failed")]
    Some {
        /// The number of files that failed.
        failed: usize,
        /// The number of all files.
        all: usize,
    },
}

impl Error {
    /// The error for an input file.
    pub fn input(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self::Input { path: path.to_owned(), reason: reason.to_string() }
    }

    /// The error for an output file.
    pub fn output(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self::Output { path: path.to_owned(), reason: reason.to_string() }
    }

    /// Makes an error of the system into one that says what was refused.
    pub fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::System { what, source }
    }

    /// The text of the error. It begins with a path if the error itself does not name a file.
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
