//! What can be wrong with a model's bundle. Every message names the file, what was found, what was
//! wanted, what to do.

use std::path::PathBuf;

/// A bundle that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// A file that cannot be read.
    #[error(
        "{path}: {source}; wanted a readable model file; install the model again or name another \
         with --model"
    )]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No model of that name anywhere.
    #[error("no model `{name}`: looked for manifest.toml in {searched}; there are: {available}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// Where it was looked for.
        searched: String,
        /// The names there are.
        available: String,
    },
    /// A manifest that is no manifest.
    #[error("{path}: {reason}\nwanted a model manifest; install the model again")]
    Manifest {
        /// Which file.
        path: String,
        /// What is wrong, with the line where there is one.
        reason: String,
    },
    /// A value that does not fit.
    #[error("{path}: {key}: found {found}, wanted {wanted}; {remedy}")]
    Unfit {
        /// Which file.
        path: String,
        /// Which key.
        key: String,
        /// What it says.
        found: String,
        /// What it should say.
        wanted: String,
        /// What to do.
        remedy: String,
    },
    /// A file that is not the one the manifest was written for.
    #[error(
        "{path}: sha256 is {found}, the manifest says {wanted}; the file is damaged or from \
         another version: install the model again"
    )]
    Checksum {
        /// Which file.
        path: String,
        /// Its checksum.
        found: String,
        /// The manifest's.
        wanted: String,
    },
    /// A graph that is not what the manifest describes, or that the engine refuses.
    #[cfg(feature = "engine")]
    #[error("{path}: {source}; the file does not fit its manifest: install the model again")]
    Graph {
        /// Which file.
        path: String,
        /// What is wrong.
        source: crate::denoise::DenoiseError,
    },
}
