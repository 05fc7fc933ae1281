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

/// Graphs as ONNX bytes by their role in a manifest.
pub type Graphs = BTreeMap<&'static str, Vec<u8>>;

/// A file of a bundle that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}")]
pub struct WriteError {
    /// Which file.
    pub path: PathBuf,
    /// What the system said.
    pub source: std::io::Error,
}

/// The graphs that a denoiser of these sizes has.
pub fn denoiser_kinds(config: &NetworkConfig) -> impl Iterator<Item = GraphKind> {
    let has_context = config.has_context;
    let kinds = GraphKind::ALL.into_iter();
    kinds.filter(move |kind| *kind != GraphKind::ContextEncoder || has_context)
}

/// One graph of a denoiser, as ONNX bytes. Its weights are asked for one at a time.
///
/// # Errors
/// Weights that do not fit the sizes, or that cannot be read.
pub fn denoiser_graph(
    kind: GraphKind,
    config: &NetworkConfig,
    params: &dyn Weights,
    format: WeightFormat,
) -> Result<Vec<u8>, ParamError> {
    Ok(build(kind, config, params, format)?.encode_to_vec())
}

/// The graphs of a denoiser.
///
/// # Errors
/// Weights that do not fit the sizes.
pub fn denoiser_graphs(
    config: &NetworkConfig,
    params: &Params,
    format: WeightFormat,
) -> Result<Graphs, ParamError> {
    denoiser_kinds(config)
        .map(|kind| Ok((kind.name(), denoiser_graph(kind, config, params, format)?)))
        .collect()
}

/// The graph of a note prior.
///
/// # Errors
/// Weights that do not fit the sizes.
pub fn prior_graphs(
    config: &PriorConfig,
    params: &Params,
    format: WeightFormat,
) -> Result<Graphs, ParamError> {
    Ok(Graphs::from([("prior", build_prior(config, params, format)?.encode_to_vec())]))
}

/// The graph of a vocoder.
///
/// # Errors
/// Weights that do not fit the sizes.
pub fn vocoder_graphs(
    config: &VocoderConfig,
    params: &Params,
    format: WeightFormat,
) -> Result<Graphs, ParamError> {
    Ok(Graphs::from([("vocoder", build_vocoder(config, params, format)?.encode_to_vec())]))
}

/// The graph of an attack table.
///
/// # Errors
/// Weights that are no attack table.
pub fn attack_graphs(params: &Params, format: WeightFormat) -> Result<Graphs, ParamError> {
    Ok(Graphs::from([(ATTACKS, build_attacks(params, format)?.encode_to_vec())]))
}

/// The graph of a table of how notes live.
///
/// # Errors
/// Weights that are no such table.
pub fn life_graphs(params: &Params, format: WeightFormat) -> Result<Graphs, ParamError> {
    Ok(Graphs::from([(LIFE, build_life(params, format)?.encode_to_vec())]))
}

/// Writes the bundle to `folder`, whose manifest is written last: a folder with a manifest is
/// whole. The manifest's `files` are filled in; returns the bytes written.
///
/// # Errors
/// [`WriteError`]; the folder then has no manifest unless it had one before.
pub fn write(folder: &Path, manifest: Manifest, graphs: &Graphs) -> Result<u64, WriteError> {
    let mut writer = Writer::new(folder)?;
    for (role, bytes) in graphs {
        writer.add(role, bytes)?;
    }
    writer.finish(manifest)
}

/// Writes a bundle file by file, so that no more than one graph need be in memory.
#[derive(Debug)]
pub struct Writer {
    folder: PathBuf,
    files: BTreeMap<String, FileEntry>,
    total: u64,
}

impl Writer {
    /// A bundle in `folder`, which is made if it is not there.
    ///
    /// # Errors
    /// A folder that cannot be made.
    pub fn new(folder: &Path) -> Result<Self, WriteError> {
        std::fs::create_dir_all(folder).map_err(at(folder))?;
        Ok(Self { folder: folder.to_owned(), files: BTreeMap::new(), total: 0 })
    }

    /// Writes the file of a role.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn add(&mut self, role: &str, bytes: &[u8]) -> Result<(), WriteError> {
        let file = format!("{role}.onnx");
        let path = self.folder.join(&file);
        std::fs::write(&path, bytes).map_err(at(&path))?;
        self.total += bytes.len() as u64;
        self.files.insert(role.to_owned(), FileEntry { file, sha256: sha256(bytes) });
        Ok(())
    }

    /// Writes the manifest, with the files that were added, which makes the bundle whole. Returns
    /// the bytes of the files.
    ///
    /// # Errors
    /// A file that cannot be written.
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
