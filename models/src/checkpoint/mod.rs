//! Reads published checkpoints: the sizes and weights of a network. It knows no graph, no bundle
//! and no inference engine.
//!
//! There are two layouts: a T5X checkpoint in a zip file or a folder (`t5x`), and the folder of a
//! pipeline as diffusers saves it (`diffusers`). A checkpoint is opened and checked first. The
//! weights are then read one at a time, so that a checkpoint of any size needs little memory.

mod diffusers;
mod error;
mod t5x;

pub use diffusers::{PickledTensor, pickled_tensors};
pub use error::CheckpointError;

use std::path::{Path, PathBuf};

use crate::denoise::step::Prediction;
use crate::graph::{NetworkConfig, ParamError, Params, Weights};

/// The most values in all arrays together. The largest published model has 2^28.6.
const MAX_VALUES: usize = 1 << 30;

/// The program that wrote a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// T5X.
    T5x {
        /// The number of training steps, from the name of its folder.
        step: u64,
    },
    /// A pipeline saved by diffusers.
    Diffusers {
        /// The version of diffusers that saved it, from its `model_index.json`.
        version: String,
    },
}

/// A checkpoint.
pub struct Checkpoint {
    /// The sizes of its network, from the arrays and the configuration beside them.
    pub network: NetworkConfig,
    /// The number of velocity bins; with 1 there are only on and off.
    pub velocity_bins: u16,
    /// The meaning of the output of the network.
    pub prediction: Prediction,
    /// Whether clean frames are clipped to [-1, 1].
    pub clip_x0: bool,
    /// The program that wrote it.
    pub origin: Origin,
    /// Its mel decoder, an ONNX file, if it has one.
    pub mel_decoder: Option<PathBuf>,
    weights: Box<dyn Weights>,
}

impl std::fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut f = f.debug_struct("Checkpoint");
        f.field("network", &self.network).field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Checkpoint {
    /// The weights by their published names, which are read one at a time. Their shapes fit
    /// [`Self::network`].
    pub fn weights(&self) -> &dyn Weights {
        self.weights.as_ref()
    }

    /// The number of values in all weights together.
    pub fn count(&self) -> usize {
        let shapes = self.network.parameters();
        shapes.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }

    /// All weights at once.
    ///
    /// # Errors
    /// The first one that cannot be read.
    pub fn params(&self) -> Result<Params, ParamError> {
        let names = self.network.parameters().into_iter().map(|(name, _)| name);
        names.map(|name| Ok((name.clone(), self.weights.param(&name)?.into_owned()))).collect()
    }
}

/// Opens a checkpoint: a T5X zip file or folder, or a folder that diffusers saved. Everything is
/// checked except the values of the weights.
///
/// # Errors
/// [`CheckpointError`] naming the file, what was found, what was wanted and what to do.
pub fn open(path: &Path) -> Result<Checkpoint, CheckpointError> {
    match diffusers::is_pipeline(path) {
        true => diffusers::open(path),
        false => t5x::open(path),
    }
}
