//! `timbred pack`: weights from a training run -> a bundle. Knows no training and no graph.

use std::path::Path;

use timbre_models::bundle::{self, Manifest, VocoderWeights, Weights};
use timbre_models::graph::{Params, WeightFormat};

use crate::cli::PackArgs;
use crate::error::Error;

/// Reads `manifest.toml`, `denoiser.npz`, `vocoder.npz` and, for a model that has one, `prior.npz` from the folder that the training's export wrote, and writes
/// the bundle.
///
/// # Errors
/// Names the file that is missing or does not fit.
pub fn run(args: &PackArgs) -> Result<(), Error> {
    let path = args.weights.join("manifest.toml");
    let text = std::fs::read(&path).map_err(|e| Error::input(&path, e))?;
    let manifest = Manifest::draft(&path.display().to_string(), &text)?;
    let read = |name: &str| read_params(&args.weights.join(name));
    let weights = Weights {
        denoiser: read("denoiser.npz")?,
        prior: manifest.prior.map(|_| read("prior.npz")).transpose()?,
        vocoder: VocoderWeights::Own(read("vocoder.npz")?),
    };
    let format = if args.f32 { WeightFormat::F32 } else { WeightFormat::Int8PerChannel };
    let name = manifest.name.clone();
    let bytes = bundle::write(&args.out, manifest, &weights, format)
        .map_err(|e| Error::input(&args.weights, e))?;
    println!(
        "{name}: {} parameters, {:.1} MB in {}",
        weights.count(),
        bytes as f64 / 1e6,
        args.out.display()
    );
    Ok(())
}

/// The arrays of an `.npz` file as weights.
fn read_params(path: &Path) -> Result<Params, Error> {
    let unfit = |e: ndarray_npy::ReadNpzError| Error::input(path, e);
    let file = std::fs::File::open(path).map_err(|e| Error::input(path, e))?;
    let mut npz = ndarray_npy::NpzReader::new(file).map_err(unfit)?;
    let mut params = Params::new();
    for name in npz.names().map_err(unfit)? {
        let array: ndarray::ArrayD<f32> = npz.by_name(&name).map_err(unfit)?;
        let shape = array.shape().to_vec();
        params.insert(name.trim_end_matches(".npy"), shape, array.into_iter().collect());
    }
    Ok(params)
}
