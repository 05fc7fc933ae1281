//! Writes a bundle: builds graphs out of weights, checksums them, and puts all in place at once. Knows no training.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use prost::Message;

use super::load::sha256;
use super::manifest::{ATTACKS, FileEntry, LIFE, Manifest};
use crate::graph::{
    GraphKind, NetworkConfig, ParamError, Params, PriorConfig, VocoderConfig, WeightFormat, build,
    build_attacks, build_life, build_prior, build_vocoder,
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

/// The graphs of a denoiser.
///
/// # Errors
/// Weights that do not fit the sizes.
pub fn denoiser_graphs(
    config: &NetworkConfig,
    params: &Params,
    format: WeightFormat,
) -> Result<Graphs, ParamError> {
    let kinds = GraphKind::ALL.into_iter();
    kinds
        .filter(|kind| *kind != GraphKind::ContextEncoder || config.has_context)
        .map(|kind| Ok((kind.name(), build(kind, config, params, format)?.encode_to_vec())))
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

/// Writes the bundle to `folder`, whose manifest is written last: a folder with a manifest is whole. The manifest's `files` are
/// filled in; returns the bytes written.
///
/// # Errors
/// [`WriteError`]; the folder then has no manifest unless it had one before.
pub fn write(folder: &Path, mut manifest: Manifest, graphs: &Graphs) -> Result<u64, WriteError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| WriteError { path, source }
    };
    std::fs::create_dir_all(folder).map_err(at(folder))?;
    let mut total = 0;
    let mut files = BTreeMap::new();
    for (role, bytes) in graphs {
        let file = format!("{role}.onnx");
        let path = folder.join(&file);
        std::fs::write(&path, bytes).map_err(at(&path))?;
        total += bytes.len() as u64;
        files.insert((*role).to_owned(), FileEntry { file, sha256: sha256(bytes) });
    }
    manifest.files = files;
    let path = folder.join("manifest.toml");
    let part = folder.join("manifest.toml.part");
    std::fs::write(&part, manifest.to_toml()).map_err(at(&part))?;
    std::fs::rename(&part, &path).map_err(at(&path))?;
    Ok(total)
}
