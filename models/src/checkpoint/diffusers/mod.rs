//! Reads the folder of a pipeline as diffusers saves it: the sizes and weights of a network. It
//! knows no graph and no inference engine.
//!
//! `model_index.json` names the pipeline. `notes_encoder`, `continuous_encoder` and `decoder` have
//! a `config.json` and weights each, as safetensors or as torch saves them. `melgan/model.onnx` is
//! the mel decoder.

mod bin;
mod config;
mod files;
mod names;
mod opcodes;
mod pickle;
mod safe;
mod store;
mod tensor;

#[cfg(test)]
mod tests;

pub use pickle::{PickledTensor, pickled_tensors};

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{Checkpoint, CheckpointError, Origin};
use crate::graph::{NetworkConfig, Param, ParamError, Weights, check_shapes};
use config::{ModelIndex, Scheduler};
use files::Folder;
use names::{Named, PARTS, Size};
use store::Store;

/// The path of the mel decoder.
const MEL_DECODER: &str = "melgan/model.onnx";
/// The most characters of a version that are kept.
const VERSION_CHARS: usize = 24;

/// Whether this folder has a pipeline.
pub(super) fn is_pipeline(path: &Path) -> bool {
    path.is_dir() && path.join("model_index.json").symlink_metadata().is_ok()
}

/// Opens the folder of a pipeline.
pub(super) fn open(path: &Path) -> Result<Checkpoint, CheckpointError> {
    let folder = Folder::open(path)?;
    let index = ModelIndex::read(&folder)?;
    let network = config::network(&folder)?;
    let (prediction, clip_x0) = Scheduler::read(&folder)?;
    let mut stores = vec![];
    for part in PARTS {
        stores.push(Store::open(&folder, part)?);
    }
    let table = names::table(&network);
    check(&folder, &table, &stores, &network)?;
    let named = table.into_iter().map(|named| (named.ours.clone(), named)).collect();
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || ".-+".contains(*c);
    let version = index.version.chars().filter(is_plain).take(VERSION_CHARS).collect();
    Ok(Checkpoint {
        network,
        velocity_bins: 1,
        prediction,
        clip_x0,
        origin: Origin::Diffusers { version },
        mel_decoder: mel_decoder(&folder, &index)?,
        weights: Box::new(Tensors { named, stores }),
    })
}

/// The file of the mel decoder, which must exist if the pipeline has one.
fn mel_decoder(folder: &Folder, index: &ModelIndex) -> Result<Option<PathBuf>, CheckpointError> {
    let found = folder.file(MEL_DECODER)?.is_some();
    if index.has_mel_decoder() && !found {
        let reason = "the file is missing, which model_index.json says is there; download it, or \
                      set melgan to [null, null] there for the bundled vocoder";
        return Err(CheckpointError::refused(&folder.name_of(MEL_DECODER), reason));
    }
    if found { folder.find(MEL_DECODER) } else { Ok(None) }
}

/// Checks that the tensors are exactly those of the table, with its shapes.
fn check(
    folder: &Folder,
    table: &[Named],
    stores: &[Store],
    network: &NetworkConfig,
) -> Result<(), CheckpointError> {
    for (place, (part, store)) in PARTS.into_iter().zip(stores).enumerate() {
        let config = folder.name_of(&format!("{part}/config.json"));
        let contradiction =
            |reason: String| Err(CheckpointError::Sizes { path: config.clone(), reason });
        let layers = [network.token_layers, network.context_layers, network.decoder_layers]
            .get(place)
            .copied();
        let layers = layers.unwrap_or_default();
        let mut known = BTreeSet::new();
        for named in table.iter().filter(|named| named.part == place) {
            known.insert(named.theirs.as_str());
            let Some((found, file)) = store.shape(&named.theirs) else {
                return contradiction(format!(
                    "num_layers = {layers}, but there is no `{}` in {}",
                    named.theirs, store.name
                ));
            };
            if found.iter().ne(named.shape.iter().map(|(_, size)| size)) {
                return contradiction(format!(
                    "{}, but `{}` is {} in {file}",
                    said(&named.shape),
                    named.theirs,
                    written(found)
                ));
            }
        }
        if let Some((name, _)) = store.shapes().find(|(name, _)| !known.contains(name)) {
            return contradiction(format!(
                "a {part} of num_layers = {layers} has no `{name}`, but {} has it",
                store.name
            ));
        }
    }
    Ok(())
}

/// A shape in the words of the configuration.
fn said(shape: &[Size]) -> String {
    let words: Vec<String> = shape.iter().map(|(key, size)| format!("{key} = {size}")).collect();
    words.join(" and ")
}

/// A shape in words.
fn written(shape: &[usize]) -> String {
    let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
    format!("[{}]", sizes.join(", "))
}

/// The tensors of the three parts, by the names of this program.
#[derive(Debug)]
struct Tensors {
    named: BTreeMap<String, Named>,
    /// In the order of [`PARTS`].
    stores: Vec<Store>,
}

impl Weights for Tensors {
    fn param(&self, name: &str) -> Result<Cow<'_, Param>, ParamError> {
        let named = self.named.get(name);
        let found = named.and_then(|named| Some((named, self.stores.get(named.part)?)));
        let Some((named, store)) = found else {
            return Err(ParamError::Missing { name: name.to_owned(), wanted: vec![] });
        };
        let unreadable = |reason| ParamError::Unreadable { name: name.to_owned(), reason };
        let values = store.read(&named.theirs, named.is_turned).map_err(unreadable)?;
        let param = Param { shape: named.our_shape(), values };
        param.check_finite(name)?;
        Ok(Cow::Owned(param))
    }

    fn check(&self, config: &NetworkConfig) -> Result<(), ParamError> {
        let shapes = self.named.iter().map(|(name, named)| (name.clone(), named.our_shape()));
        check_shapes(&shapes.collect(), config)
    }
}
