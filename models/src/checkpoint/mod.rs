//! A published T5X checkpoint -> the sizes and weights of a network. Knows no graph, no bundle and no engine.
//!
//! A checkpoint is a zip file or a folder: `NAME/config.gin` and `NAME/checkpoint_STEP/`, in which the file `checkpoint` (msgpack)
//! names every array and a zarr folder holds each. Only the weights are read; the optimizer's state is left alone.
//! Format: T5X's checkpointer of 2022 (`t5x/checkpoints.py`), `flax.serialization`, tensorstore's zarr v2 driver.

mod error;
mod gin;
mod index;
mod sizes;
mod source;
mod zarr;

#[cfg(test)]
mod tests;

pub use error::CheckpointError;

use std::path::Path;

use crate::graph::{NetworkConfig, Params};
use gin::Gin;
use index::Stored;
use source::Source;

/// The largest index that is read: optimizer moments lie in it.
const INDEX_BYTES: u64 = 1 << 28;
/// The most values of all arrays together: the largest published model has 2^28.6.
const MAX_VALUES: usize = 1 << 30;
/// The largest config.gin that is read.
const GIN_BYTES: u64 = 1 << 22;

/// What a checkpoint holds.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// Its sizes, from the arrays and `config.gin`.
    pub network: NetworkConfig,
    /// Bins that velocity is heard in: 1 is on and off.
    pub velocity_bins: u16,
    /// Training steps, by the name of its folder.
    pub step: u64,
    /// The weights by their published names, checked against the sizes.
    pub params: Params,
}

/// Reads a checkpoint from a zip file or a folder (the model's or the checkpoint's own). `progress` hears, before each array, how
/// many are done of how many, and says whether to go on.
///
/// # Errors
/// [`CheckpointError`] naming the file, what was found, what was wanted and what to do.
pub fn read(
    path: &Path,
    progress: &mut dyn FnMut(usize, usize) -> bool,
) -> Result<Checkpoint, CheckpointError> {
    let mut source = Source::open(path)?;
    let bytes = source.read("checkpoint", INDEX_BYTES)?;
    let at = source.name_of("checkpoint");
    let arrays = index::parse(&bytes).map_err(|reason| CheckpointError::broken(&at, reason))?;
    let gin = source.read_beside("config.gin", GIN_BYTES)?;
    let gin = Gin::parse(&String::from_utf8_lossy(&gin.unwrap_or_default()));
    let mut params = Params::new();
    let (all, mut values_read) = (arrays.len(), 0usize);
    for (done, (name, stored)) in arrays.into_iter().enumerate() {
        if !progress(done, all) {
            return Err(CheckpointError::Interrupted);
        }
        let (shape, values) = match stored {
            Stored::Inline { shape, values } => (shape, values),
            Stored::Zarr { folder, shape } => {
                let (found, values) = zarr::read(&mut source, &folder)?;
                if shape.is_some_and(|shape| shape != found) {
                    let reason = format!("`{name}` has another shape here than in its folder");
                    return Err(CheckpointError::broken(&at, reason));
                }
                (found, values)
            }
        };
        values_read += values.len();
        if values_read > MAX_VALUES {
            let reason = format!("more than {MAX_VALUES} values in all arrays together");
            return Err(CheckpointError::broken(&at, reason));
        }
        params.insert(name, shape, values);
    }
    let at = source.beside_name("config.gin");
    let sizes = |reason: String| CheckpointError::Sizes { path: at.clone(), reason };
    let network = sizes::network(&params, &gin).map_err(sizes)?;
    let velocity_bins = sizes::velocity_bins(&network, &gin).map_err(sizes)?;
    params.check(&network)?;
    Ok(Checkpoint { network, velocity_bins, step: source.step(), params })
}
