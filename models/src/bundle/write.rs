//! Writes a bundle out of weights: builds the graphs, checksums them, and puts all in place at once. Knows no training.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use prost::Message;

use super::load::sha256;
use super::manifest::{FileEntry, Manifest};
use crate::graph::{
    GraphKind, ParamError, Params, WeightFormat, build, build_prior, build_vocoder,
};

/// A bundle that could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// Weights that do not fit the manifest's sizes.
    #[error("weights do not fit the manifest: {0}")]
    Weights(#[from] ParamError),
    /// A file that cannot be written.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Every set of weights of a model.
#[derive(Debug, Clone)]
pub struct Weights {
    /// The denoiser's, by their published names.
    pub denoiser: Params,
    /// The note prior's, where the manifest has one.
    pub prior: Option<Params>,
    /// The vocoder's.
    pub vocoder: VocoderWeights,
}

/// Where a model's vocoder comes from.
#[derive(Debug, Clone)]
pub enum VocoderWeights {
    /// Weights of its own.
    Own(Params),
    /// The graph of another model's, as ONNX bytes: every vocoder hears the same mel.
    Graph(Vec<u8>),
}

impl Weights {
    /// How many parameters all networks have together, a borrowed vocoder apart.
    pub fn count(&self) -> usize {
        let vocoder = match &self.vocoder {
            VocoderWeights::Own(params) => params.count(),
            VocoderWeights::Graph(_) => 0,
        };
        self.denoiser.count() + vocoder + self.prior.as_ref().map_or(0, Params::count)
    }
}

/// Builds every graph of `manifest` from its weights and writes the bundle to `folder`, whose manifest is
/// written last: a folder with a manifest is whole. The manifest's `files` are filled in; returns the bytes written.
///
/// # Errors
/// [`WriteError`]; the folder then has no manifest unless it had one before.
pub fn write(
    folder: &Path,
    mut manifest: Manifest,
    weights: &Weights,
    format: WeightFormat,
) -> Result<u64, WriteError> {
    let mut graphs: Vec<(&str, Vec<u8>)> = vec![];
    for kind in GraphKind::ALL {
        if kind != GraphKind::ContextEncoder || manifest.network.has_context {
            let model = build(kind, &manifest.network, &weights.denoiser, format)?;
            graphs.push((kind.name(), model.encode_to_vec()));
        }
    }
    if let (Some(config), Some(params)) = (&manifest.prior, &weights.prior) {
        graphs.push(("prior", build_prior(config, params, format)?.encode_to_vec()));
    }
    graphs.push((
        "vocoder",
        match &weights.vocoder {
            VocoderWeights::Own(params) => {
                build_vocoder(&manifest.vocoder, params, format)?.encode_to_vec()
            }
            VocoderWeights::Graph(bytes) => bytes.clone(),
        },
    ));
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| WriteError::Io { path, source }
    };
    std::fs::create_dir_all(folder).map_err(at(folder))?;
    let mut total = 0;
    let mut files = BTreeMap::new();
    for (role, bytes) in graphs {
        let file = format!("{role}.onnx");
        let path = folder.join(&file);
        std::fs::write(&path, &bytes).map_err(at(&path))?;
        total += bytes.len() as u64;
        files.insert(role.to_owned(), FileEntry { file, sha256: sha256(&bytes) });
    }
    manifest.files = files;
    let path = folder.join("manifest.toml");
    let part = folder.join("manifest.toml.part");
    std::fs::write(&part, manifest.to_toml()).map_err(at(&part))?;
    std::fs::rename(&part, &path).map_err(at(&path))?;
    Ok(total)
}
