//! Writes a model: builds graphs from weights, computes checksums, and puts everything in place at
//! once. It knows no training.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use prost::Message;

use super::load::sha256;
use super::manifest::{ATTACKS, FileEntry, LIFE, Manifest};
use crate::graph::{
    GraphKind, NetworkConfig, ParamError, Params, PriorConfig, VocoderConfig, WeightFormat,
    Weights, build, build_attacks, build_life, build_prior, build_vocoder,
};
use crate::notes::Kits;

/// The graphs as ONNX bytes, by their role in a manifest.
pub type Graphs = BTreeMap<&'static str, Vec<u8>>;

/// A file of a model cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}")]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// The error of the system.
    pub source: std::io::Error,
}

/// The graphs of a denoiser with these sizes.
pub fn denoiser_kinds(config: &NetworkConfig) -> impl Iterator<Item = GraphKind> {
    let has_context = config.has_context;
    let kinds = GraphKind::ALL.into_iter();
    kinds.filter(move |kind| *kind != GraphKind::ContextEncoder || has_context)
}

/// Builds one graph of a denoiser, as ONNX bytes. It reads the weights one at a time.
///
/// # Errors
/// The weights do not fit the sizes, or cannot be read.
pub fn denoiser_graph(
    kind: GraphKind,
    config: &NetworkConfig,
    params: &dyn Weights,
    format: WeightFormat,
) -> Result<Vec<u8>, ParamError> {
    Ok(build(kind, config, params, format)?.encode_to_vec())
}

/// Builds the graphs of a denoiser.
///
/// # Errors
/// The weights do not fit the sizes.
pub fn denoiser_graphs(
    config: &NetworkConfig,
    params: &Params,
    format: WeightFormat,
) -> Result<Graphs, ParamError> {
    denoiser_kinds(config)
        .map(|kind| Ok((kind.name(), denoiser_graph(kind, config, params, format)?)))
        .collect()
}

/// Builds the graph of a note prior with these kits.
///
/// # Errors
/// The weights do not fit the sizes.
pub fn prior_graphs(
    config: &PriorConfig,
    kits: &Kits,
    params: &Params,
    format: WeightFormat,
) -> Result<Graphs, ParamError> {
    Ok(Graphs::from([(
        "prior",
        build_prior(config, kits.drums(), params, format)?.encode_to_vec(),
    )]))
}

/// Builds the graph of a vocoder.
///
/// # Errors
/// The weights do not fit the sizes.
pub fn vocoder_graphs(
    config: &VocoderConfig,
    params: &Params,
    format: WeightFormat,
) -> Result<Graphs, ParamError> {
    Ok(Graphs::from([("vocoder", build_vocoder(config, params, format)?.encode_to_vec())]))
}

/// Builds the graph of an attack table with these kits.
///
/// # Errors
/// The weights are not such an attack table.
pub fn attack_graphs(
    kits: &Kits,
    params: &Params,
    format: WeightFormat,
) -> Result<Graphs, ParamError> {
    Ok(Graphs::from([(ATTACKS, build_attacks(kits.drums(), params, format)?.encode_to_vec())]))
}

/// Builds the graph of a life table.
///
/// # Errors
/// The weights are not a life table.
pub fn life_graphs(params: &Params, format: WeightFormat) -> Result<Graphs, ParamError> {
    Ok(Graphs::from([(LIFE, build_life(params, format)?.encode_to_vec())]))
}

/// Writes a model to `folder`, with the manifest last, so that a folder with a manifest is
/// complete. It fills in the `files` of the manifest, and returns the number of bytes written.
///
/// # Errors
/// [`WriteError`]. Then the folder has no manifest, unless it had one before.
pub fn write(folder: &Path, manifest: Manifest, graphs: &Graphs) -> Result<u64, WriteError> {
    let mut writer = Writer::new(folder)?;
    for (role, bytes) in graphs {
        writer.add(role, bytes)?;
    }
    writer.finish(manifest)
}

/// Writes a model file by file, so that only one graph has to be in memory.
#[derive(Debug)]
pub struct Writer {
    folder: PathBuf,
    files: BTreeMap<String, FileEntry>,
    total: u64,
}

impl Writer {
    /// Begins a model in `folder`, which is made if it does not exist.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn new(folder: &Path) -> Result<Self, WriteError> {
        std::fs::create_dir_all(folder).map_err(at(folder))?;
        Ok(Self { folder: folder.to_owned(), files: BTreeMap::new(), total: 0 })
    }

    /// Writes the file with a role.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add(&mut self, role: &str, bytes: &[u8]) -> Result<(), WriteError> {
        let file = format!("{role}.onnx");
        let path = self.folder.join(&file);
        std::fs::write(&path, bytes).map_err(at(&path))?;
        self.total += bytes.len() as u64;
        self.files.insert(role.to_owned(), FileEntry { file, sha256: sha256(bytes) });
        Ok(())
    }

    /// Writes the manifest with the files that were added, which completes the model. Returns the
    /// number of bytes in the files.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn finish(self, mut manifest: Manifest) -> Result<u64, WriteError> {
        manifest.files = self.files;
        let path = self.folder.join("manifest.toml");
        let part = self.folder.join("manifest.toml.part");
        std::fs::write(&part, manifest.to_toml()).map_err(at(&part))?;
        std::fs::rename(&part, &path).map_err(at(&path))?;
        Ok(self.total)
    }
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> WriteError {
    let path = path.to_owned();
    move |source| WriteError { path, source }
}
