//! The errors of checkpoints. They know no format.

use std::path::{Path, PathBuf};

use crate::graph::ParamError;

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// A file cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// It is not a checkpoint.
    #[error(
        "{path}: {found}; wanted the .zip of a published checkpoint or its unpacked folder, with \
         checkpoint_STEP/checkpoint inside, or a folder as diffusers saves it, with \
         model_index.json"
    )]
    NotOne {
        /// The file or folder.
        path: PathBuf,
        /// What was found there.
        found: String,
    },
    /// A file of the checkpoint is broken.
    #[error("{path}: {reason}; download the checkpoint again")]
    Broken {
        /// The file, in the archive.
        path: String,
        /// What was found and what was wanted.
        reason: String,
    },
    /// Arrays and configuration contradict each other, or do not make a network of this kind.
    #[error("{path}: {reason}")]
    Sizes {
        /// The configuration.
        path: String,
        /// What was found and what was wanted.
        reason: String,
    },
    /// A file is undamaged, but this program does not support it.
    #[error("{path}: {reason}")]
    Refused {
        /// The file.
        path: String,
        /// What was found, what was wanted, and what to do.
        reason: String,
    },
    /// The arrays do not fit the network.
    #[error("the checkpoint's arrays: {0}")]
    Params(#[from] ParamError),
}

impl CheckpointError {
    pub(super) fn broken(path: &str, reason: impl Into<String>) -> Self {
        Self::Broken { path: path.to_owned(), reason: reason.into() }
    }

    pub(super) fn refused(path: &str, reason: impl Into<String>) -> Self {
        Self::Refused { path: path.to_owned(), reason: reason.into() }
    }

    pub(super) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}
