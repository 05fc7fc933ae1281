//! A model on disk: a manifest and ONNX files, which are checked before use. It knows no stream.

mod error;
mod instruments;
#[cfg(feature = "engine")]
mod load;
pub mod manifest;
#[cfg(feature = "engine")]
mod write;

pub use error::BundleError;
pub use instruments::{Instruments, PROGRAMS, Rating};
#[cfg(feature = "engine")]
pub use load::{Bundle, CarriedFiles};
pub use manifest::Manifest;
#[cfg(feature = "engine")]
pub use write::{
    Graphs, WriteError, Writer, attack_graphs, denoiser_graph, denoiser_graphs, denoiser_kinds,
    life_graphs, prior_graphs, vocoder_graphs, write,
};
