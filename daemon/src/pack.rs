//! `timbred pack` turns the weights of a training run into a bundle. It knows no training and no
//! graph.

use std::path::Path;

use timbre_models::bundle::manifest::{ATTACKS, LIFE};
use timbre_models::bundle::{self, Bundle, Graphs, Manifest};
use timbre_models::graph::{ParamError, Params, WeightFormat};

use crate::cli::PackArgs;
use crate::error::Error;

/// Reads `manifest.toml` and, as `.npz` files, the weights of `denoiser`, `prior`, `vocoder`,
/// `attacks` and `life` from the folder that the export of the training wrote, and writes the
/// bundle. If the file of a part is missing, the part is taken from the existing bundle.
///
/// # Errors
/// A file is missing or does not fit; the error names it.
pub fn run(args: &PackArgs) -> Result<(), Error> {
    let path = args.weights.join("manifest.toml");
    let text = std::fs::read(&path).map_err(|e| Error::input(&path, e))?;
    let manifest = Manifest::draft(&path.display().to_string(), &text)?;
    let format = if args.f32 { WeightFormat::F32 } else { WeightFormat::Int8PerChannel };
    let mut graphs = Graphs::new();
    let part = |name: &str, roles: &[&'static str], build: &dyn Fn(&Params) -> Built| {
        let file = args.weights.join(name);
        match file.exists() {
            true => build(&read_params(&file)?).map_err(|e| Error::input(&file, e)),
            false => kept(&args.out, roles, &file),
        }
    };
    let network = &manifest.network;
    let mut roles = vec!["note_encoder", "memory", "film", "step"];
    roles.extend(network.has_context.then_some("context_encoder"));
    let denoiser = |params: &Params| bundle::denoiser_graphs(network, params, format);
    graphs.extend(part("denoiser.npz", &roles, &denoiser)?);
    if let Some(prior) = &manifest.prior {
        let build = |params: &Params| bundle::prior_graphs(prior, &manifest.kits, params, format);
        graphs.extend(part("prior.npz", &["prior"], &build)?);
    }
    match &manifest.vocoder {
        Some(vocoder) => {
            let build = |params: &Params| bundle::vocoder_graphs(vocoder, params, format);
            graphs.extend(part("vocoder.npz", &["vocoder"], &build)?);
            let build = |params: &Params| bundle::attack_graphs(&manifest.kits, params, format);
            graphs.extend(part("attacks.npz", &[ATTACKS], &build)?);
            let build = |params: &Params| bundle::life_graphs(params, format);
            graphs.extend(part("life.npz", &[LIFE], &build)?);
        }
        None => graphs.extend(kept(&args.out, &["vocoder"], &args.weights.join("vocoder.npz"))?),
    }
    let name = manifest.name.clone();
    let bytes =
        bundle::write(&args.out, manifest, &graphs).map_err(|e| Error::output(&args.out, e))?;
    println!("{name}: {:.1} MB in {}", bytes as f64 / 1e6, args.out.display());
    Ok(())
}

type Built = Result<Graphs, ParamError>;

/// The graphs of the existing bundle.
fn kept(folder: &Path, roles: &[&'static str], missing: &Path) -> Result<Graphs, Error> {
    let none = |e| Error::input(missing, format!("not found, and no bundle to keep it from: {e}"));
    let bundle = Bundle::open(folder).map_err(none)?;
    println!("{}: not found; {} kept as it is", missing.display(), roles.join(", "));
    roles.iter().map(|role| Ok((*role, bundle.verified(role)?))).collect()
}

/// Reads the arrays of an `.npz` file as weights.
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
