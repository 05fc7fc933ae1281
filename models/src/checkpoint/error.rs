//! Why a checkpoint cannot be read. Knows no format.

use std::path::{Path, PathBuf};

use crate::graph::ParamError;

/// A checkpoint that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// A file that cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something that is no checkpoint.
    #[error(
        "{path}: {found}; wanted the .zip of a published checkpoint or its unpacked folder, with \
         checkpoint_STEP/checkpoint inside, or a folder as diffusers saves it, with \
         model_index.json"
    )]
    NotOne {
        /// Which file or folder.
        path: PathBuf,
        /// What there is.
        found: String,
    },
    /// A checkpoint with a broken file.
    #[error("{path}: {reason}; download the checkpoint again")]
    Broken {
        /// Which file, in the archive.
        path: String,
        /// What was found and what was wanted.
        reason: String,
    },
    /// Arrays and configuration that contradict each other, or that make no network of this kind.
    #[error("{path}: {reason}")]
    Sizes {
        /// The configuration.
        path: String,
        /// What was found and what was wanted.
        reason: String,
    },
    /// A file that is whole, and that this program does not take.
    #[error("{path}: {reason}")]
    Refused {
        /// Which file.
        path: String,
        /// What was found, what was wanted, and what to do.
        reason: String,
    },
    /// Arrays that do not fit the network.
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
