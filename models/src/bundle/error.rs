//! The errors of models on disk. Every message names the file, what was found, what was wanted, and
//! what to do.

use std::path::PathBuf;

/// Why a model on disk cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// A file cannot be read.
    #[error(
        "{path}: {source}; wanted a readable model file; install the model again or name another \
         with --model"
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// There is no model of that name.
    #[error("no model `{name}`: looked for manifest.toml in {searched}; there are: {available}")]
    Unknown {
        /// The name.
        name: String,
        /// The places where it was looked for.
        searched: String,
        /// The names of the models that there are.
        available: String,
    },
    /// The manifest cannot be read.
    #[error("{path}: {reason}\nwanted a model manifest; install the model again")]
    Manifest {
        /// The file.
        path: String,
        /// What is wrong, with the line if there is one.
        reason: String,
    },
    /// A value of the manifest does not fit.
    #[error("{path}: {key}: found {found}, wanted {wanted}; {remedy}")]
    Unfit {
        /// The file.
        path: String,
        /// The key.
        key: String,
        /// What was found.
        found: String,
        /// What was wanted.
        wanted: String,
        /// What to do.
        remedy: String,
    },
    /// A file is not the one for which the manifest was written.
    #[error(
        "{path}: sha256 is {found}, the manifest says {wanted}; the file is damaged or from \
         another version: install the model again"
    )]
    Checksum {
        /// The file.
        path: String,
        /// Its checksum.
        found: String,
        /// The checksum in the manifest.
        wanted: String,
    },
    /// A graph is not what the manifest describes, or cannot be run.
    #[cfg(feature = "engine")]
    #[error("{path}: {source}; the file does not fit its manifest: install the model again")]
    Graph {
        /// The file.
        path: String,
        /// What is wrong.
        source: crate::denoise::DenoiseError,
    },
}
