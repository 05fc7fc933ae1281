//! Reads published T5X checkpoints: the sizes and weights of a network. It knows no graph, no
//! bundle and no inference engine.
//!
//! A checkpoint is a zip file or a folder with `NAME/config.gin` and `NAME/checkpoint_STEP/`. In
//! the latter, the file `checkpoint` (msgpack) names every array, and a zarr folder holds each.
//! Only the weights are read, not the state of the optimizer. Format: the checkpointer of T5X from
//! 2022 (`t5x/checkpoints.py`), `flax.serialization`, and the zarr v2 driver of tensorstore.

mod gin;
mod index;
mod sizes;
mod source;
mod zarr;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use super::{Checkpoint, CheckpointError, MAX_VALUES, Origin};
use crate::denoise::step::Prediction;
use crate::graph::{NetworkConfig, Param, ParamError, Weights, check_shapes};
use gin::Gin;
use index::Stored;
use source::Source;

/// The largest index that is read, bytes. It also has the moments of the optimizer.
const INDEX_BYTES: u64 = 1 << 28;
/// The largest config.gin that is read, bytes.
const GIN_BYTES: u64 = 1 << 22;

/// The arrays of a checkpoint. Those in folders are read when they are needed.
#[derive(Debug)]
struct Arrays {
    source: RefCell<Source>,
    stored: BTreeMap<String, Stored>,
    shapes: BTreeMap<String, Vec<usize>>,
}

/// Opens a checkpoint in a zip file or a folder, which may be that of the model or of the
/// checkpoint itself.
pub(super) fn open(path: &Path) -> Result<Checkpoint, CheckpointError> {
    let mut source = Source::open(path)?;
    let bytes = source.read("checkpoint", INDEX_BYTES)?;
    let at = source.name_of("checkpoint");
    let stored = index::parse(&bytes).map_err(|reason| CheckpointError::broken(&at, reason))?;
    drop(bytes);
    let gin = source.read_beside("config.gin", GIN_BYTES)?;
    let gin = Gin::parse(&String::from_utf8_lossy(&gin.unwrap_or_default()));
    let shapes = shapes(&mut source, &stored, &at)?;
    let gin_at = source.beside_name("config.gin");
    let sizes = |reason: String| CheckpointError::Sizes { path: gin_at.clone(), reason };
    let network = sizes::network(&shapes, &gin).map_err(sizes)?;
    let velocity_bins = sizes::velocity_bins(&network, &gin).map_err(sizes)?;
    check_shapes(&shapes, &network)?;
    Ok(Checkpoint {
        network,
        velocity_bins,
        prediction: Prediction::Eps,
        clip_x0: true,
        origin: Origin::T5x { step: source.step() },
        mel_decoder: None,
        weights: Box::new(Arrays { source: RefCell::new(source), stored, shapes }),
    })
}

/// The shape of each array. It is an error if all arrays together are too large.
fn shapes(
    source: &mut Source,
    stored: &BTreeMap<String, Stored>,
    at: &str,
) -> Result<BTreeMap<String, Vec<usize>>, CheckpointError> {
    let mut shapes = BTreeMap::new();
    let mut all = 0usize;
    for (name, stored) in stored {
        let shape = match stored {
            Stored::Inline { shape, .. } => shape.clone(),
            Stored::Zarr { folder, shape } => {
                let found = zarr::shape(source, folder)?;
                if shape.as_ref().is_some_and(|shape| *shape != found) {
                    let reason = format!("`{name}` has another shape here than in its folder");
                    return Err(CheckpointError::broken(at, reason));
                }
                found
            }
        };
        all = all.saturating_add(shape.iter().product());
        shapes.insert(name.clone(), shape);
    }
    if all > MAX_VALUES {
        let reason = format!("more than {MAX_VALUES} values in all arrays together");
        return Err(CheckpointError::broken(at, reason));
    }
    Ok(shapes)
}

impl Weights for Arrays {
    fn param(&self, name: &str) -> Result<Cow<'_, Param>, ParamError> {
        let param = match self.stored.get(name) {
            None => return Err(ParamError::Missing { name: name.to_owned(), wanted: vec![] }),
            Some(Stored::Inline { shape, values }) => {
                Param { shape: shape.clone(), values: values.clone() }
            }
            Some(Stored::Zarr { folder, .. }) => {
                let read = zarr::read(&mut self.source.borrow_mut(), folder);
                let (shape, values) = read.map_err(|e| ParamError::Unreadable {
                    name: name.to_owned(),
                    reason: e.to_string(),
                })?;
                Param { shape, values }
            }
        };
        param.check_finite(name)?;
        Ok(Cow::Owned(param))
    }

    fn check(&self, config: &NetworkConfig) -> Result<(), ParamError> {
        check_shapes(&self.shapes, config)
    }
}
