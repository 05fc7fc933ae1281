//! A published checkpoint -> the sizes and weights of a network. Knows no graph, no bundle and no
//! engine.
//!
//! There are two layouts: a T5X checkpoint in a zip file or a folder (`t5x`), and the folder of a
//! pipeline as diffusers saves it (`diffusers`). Either is opened and checked first; the weights
//! are then read one at a time, so that a checkpoint of any size needs little memory.

mod diffusers;
mod error;
mod t5x;

pub use diffusers::{PickledTensor, pickled_tensors};
pub use error::CheckpointError;

use std::path::{Path, PathBuf};

use crate::denoise::step::Prediction;
use crate::graph::{NetworkConfig, ParamError, Params, Weights};

/// The most values of all arrays together: the largest published model has 2^28.6.
const MAX_VALUES: usize = 1 << 30;

/// Who wrote a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// T5X, after so many steps of training by the name of its folder.
    T5x {
        /// The steps.
        step: u64,
    },
    /// A pipeline saved by diffusers.
    Diffusers {
        /// The version that saved it, as its `model_index.json` says.
        version: String,
    },
}

/// What a checkpoint holds.
pub struct Checkpoint {
    /// Its sizes, from the arrays and the configuration beside them.
    pub network: NetworkConfig,
    /// Bins that velocity is heard in: 1 is on and off.
    pub velocity_bins: u16,
    /// What the network says of noisy frames.
    pub prediction: Prediction,
    /// Whether clean frames are held inside [-1, 1].
    pub clip_x0: bool,
    /// Who wrote it.
    pub origin: Origin,
    /// The mel decoder that came with it, an ONNX file.
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
    /// The weights by their published names, read one at a time; their shapes fit
    /// [`Self::network`].
    pub fn weights(&self) -> &dyn Weights {
        self.weights.as_ref()
    }

    /// Values in all weights together.
    pub fn count(&self) -> usize {
        let shapes = self.network.parameters();
        shapes.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }

    /// All weights at once.
    ///
    /// # Errors
    /// The first that cannot be read.
    pub fn params(&self) -> Result<Params, ParamError> {
        let names = self.network.parameters().into_iter().map(|(name, _)| name);
        names.map(|name| Ok((name.clone(), self.weights.param(&name)?.into_owned()))).collect()
    }
}

/// Opens a checkpoint: a T5X zip file or folder, or a folder that diffusers saved. All is checked
/// but the values of the weights.
///
/// # Errors
/// [`CheckpointError`] naming the file, what was found, what was wanted and what to do.
pub fn open(path: &Path) -> Result<Checkpoint, CheckpointError> {
    match diffusers::is_pipeline(path) {
        true => diffusers::open(path),
        false => t5x::open(path),
    }
}
