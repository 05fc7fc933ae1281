//! The weights of one part of a pipeline: one file or several with an index, as safetensors or as
//! torch saves them. It knows no network.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;

use serde::Deserialize;

use super::files::Folder;
use super::tensor::Tensor;
use super::{bin, safe};
use crate::checkpoint::{CheckpointError, MAX_VALUES};

/// The name of the weights of a part in diffusers, without the ending.
const STEM: &str = "diffusion_pytorch_model";
/// The endings. The first one is preferred, because it contains no program.
const ENDINGS: [&str; 2] = ["safetensors", "bin"];
/// The most files of one part.
const MAX_FILES: usize = 1000;

/// An index of several files.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// Tensors by name.
#[derive(Debug)]
pub(super) struct Store {
    /// The files, each with its name in words.
    files: Vec<(String, File)>,
    /// For each tensor, the index of its file and its place there.
    tensors: BTreeMap<String, (usize, Tensor)>,
    /// The name of the file or of the index, in words.
    pub name: String,
}

impl Store {
    /// Opens the weights of `part`, which is a folder in that of the pipeline.
    pub(super) fn open(folder: &Folder, part: &str) -> Result<Self, CheckpointError> {
        for ending in ENDINGS {
            let name = format!("{part}/{STEM}.{ending}");
            if folder.find(&name)?.is_some() {
                let mut store = Self::empty(folder.name_of(&name));
                store.add(folder, &name, None)?;
                return store.of_a_size();
            }
            let name = format!("{part}/{STEM}.{ending}.index.json");
            if folder.find(&name)?.is_some() {
                return Self::of_index(folder, part, &name)?.of_a_size();
            }
        }
        let at = folder.name_of(part);
        let reason =
            format!("no {STEM}.safetensors and no {STEM}.bin in it, nor an index of several");
        Err(CheckpointError::broken(&at, reason))
    }

    fn empty(name: String) -> Self {
        Self { files: vec![], tensors: BTreeMap::new(), name }
    }

    fn of_index(folder: &Folder, part: &str, name: &str) -> Result<Self, CheckpointError> {
        let at = folder.name_of(name);
        let broken = |reason: String| Err(CheckpointError::broken(&at, reason));
        let Index { weight_map } = folder.json(name)?;
        let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (tensor, file) in weight_map {
            wanted.entry(file).or_default().insert(tensor);
        }
        if wanted.len() > MAX_FILES {
            return broken(format!("{} files; wanted at most {MAX_FILES}", wanted.len()));
        }
        let mut store = Self::empty(at.clone());
        for (file, tensors) in wanted {
            let is_plain = file.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
            if !is_plain || file.starts_with('.') {
                return broken(format!("a file called {file:?}; wanted the name of one beside it"));
            }
            store.add(folder, &format!("{part}/{file}"), Some(&tensors))?;
        }
        Ok(store)
    }

    /// Adds the tensors of a file: all of them, or exactly those in `wanted`.
    fn add(
        &mut self,
        folder: &Folder,
        name: &str,
        wanted: Option<&BTreeSet<String>>,
    ) -> Result<(), CheckpointError> {
        let at = folder.name_of(name);
        let Some((file, length)) = folder.file(name)? else {
            return Err(CheckpointError::broken(&at, "the file is missing"));
        };
        let read = match name.ends_with(".safetensors") {
            true => safe::tensors(&file, length),
            false => bin::tensors(&file, length),
        };
        let tensors = read.map_err(|reason| CheckpointError::refused(&at, reason))?;
        let broken = |reason: String| Err(CheckpointError::broken(&at, reason));
        if let Some(wanted) = wanted {
            let found: BTreeSet<String> = tensors.keys().cloned().collect();
            if let Some(name) = wanted.symmetric_difference(&found).next() {
                return broken(format!(
                    "`{name}` is in this file or in its index, but not in both"
                ));
            }
        }
        if let Some((name, _)) =
            tensors.iter().find(|(_, t)| t.end().is_none_or(|end| end > length))
        {
            return broken(format!("`{name}` reaches over the end of the file"));
        }
        let at_file = self.files.len();
        self.files.push((at, file));
        self.tensors.extend(tensors.into_iter().map(|(name, tensor)| (name, (at_file, tensor))));
        Ok(())
    }

    /// Checks that the tensors together are not too large.
    fn of_a_size(self) -> Result<Self, CheckpointError> {
        let mut counts = self.tensors.values().map(|(_, tensor)| tensor.count());
        let all = counts.try_fold(0usize, |all, count| all.checked_add(count?));
        match all.is_some_and(|all| all <= MAX_VALUES) {
            true => Ok(self),
            false => {
                let reason = format!("more than {MAX_VALUES} values in all tensors together");
                Err(CheckpointError::broken(&self.name, reason))
            }
        }
    }

    /// The names and shapes of all tensors.
    pub(super) fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.tensors.iter().map(|(name, (_, tensor))| (name.as_str(), tensor.shape.as_slice()))
    }

    /// The shape of a tensor, and the name of its file in words.
    pub(super) fn shape(&self, name: &str) -> Option<(&[usize], &str)> {
        let (file, tensor) = self.tensors.get(name)?;
        Some((&tensor.shape, &self.files.get(*file)?.0))
    }

    /// The values of a tensor row by row; with `turned`, those of its transpose.
    pub(super) fn read(&self, name: &str, turned: bool) -> Result<Vec<f32>, String> {
        let found = self.tensors.get(name);
        let found = found.and_then(|(file, tensor)| Some((self.files.get(*file)?, tensor)));
        let Some(((at, file), tensor)) = found else {
            return Err(format!("{}: no `{name}`", self.name));
        };
        tensor.read(file, turned).map_err(|e| format!("{at}: `{name}`: {e}"))
    }
}
