//! Which model a command means: the one inside the program, one in the folders where models are
//! installed, or one in a folder that `--model` names.

use std::path::{Path, PathBuf};

use timbre_models::bundle::{Bundle, BundleError, CarriedFiles, Manifest, PROGRAMS, Rating};

use crate::error::Error;

/// The name of the model inside the program.
const BUNDLED: &str = "live";

macro_rules! carried {
    ($($name:literal)*) => {
        &[$(($name, include_bytes!(concat!("../../models/bundled/live/", $name)))),*]
    };
}

/// Its files, so that the program needs nothing beside it.
const FILES: CarriedFiles = carried!(
    "manifest.toml" "note_encoder.onnx" "context_encoder.onnx" "memory.onnx" "film.onnx"
    "step.onnx" "prior.onnx" "vocoder.onnx" "attacks.onnx" "life.onnx"
);

/// The model inside the program.
///
/// # Errors
/// None with a program that was built whole.
pub fn bundled() -> Result<Bundle, BundleError> {
    Bundle::carried(FILES)
}

/// The model of that name or in that folder; without a name the model inside the program.
///
/// # Errors
/// [`Error::Model`]; where no model has that name, it lists those that there are.
pub fn find(name: Option<&str>) -> Result<Bundle, Error> {
    Ok(find_in(name.unwrap_or(BUNDLED), &folders())?)
}

/// A model by its name or path: a folder with a manifest, a folder of that name in one of
/// `folders`, or the model inside the program.
fn find_in(name: &str, folders: &[PathBuf]) -> Result<Bundle, BundleError> {
    let has_manifest = |folder: &Path| folder.join("manifest.toml").is_file();
    let path = Path::new(name);
    if has_manifest(path) || path.components().count() > 1 {
        return Bundle::open(path);
    }
    if let Some(folder) = folders.iter().map(|f| f.join(name)).find(|f| has_manifest(f)) {
        return Bundle::open(&folder);
    }
    if name == BUNDLED {
        return bundled();
    }
    let installed = folders.iter().filter_map(|f| std::fs::read_dir(f).ok()).flatten().flatten();
    let mut available: Vec<String> = installed
        .filter(|entry| has_manifest(&entry.path()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    available.push(BUNDLED.to_owned());
    available.sort();
    available.dedup();
    let searched = folders.iter().map(|f| f.join(name).display().to_string());
    Err(BundleError::Unknown {
        name: name.to_owned(),
        searched: searched.chain([name.to_owned()]).collect::<Vec<_>>().join(", "),
        available: available.join(", "),
    })
}

/// Where bundles are looked for by name: the user's data folder, then the system's.
pub fn folders() -> Vec<PathBuf> {
    data_folders("models")
}

/// Folders of this program's data of a kind: the user's, then the system's.
pub fn data_folders(of: &str) -> Vec<PathBuf> {
    let home = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|h| Path::new(&h).join(".local/share")));
    let system = [Path::new("/usr/local/share"), Path::new("/usr/share")].map(Path::to_owned);
    home.into_iter().chain(system).map(|p| p.join("timbred").join(of)).collect()
}

/// How a model plays each program.
pub fn ratings(manifest: &Manifest) -> Vec<Rating> {
    (0..PROGRAMS).map(|program| manifest.rating(program)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_model_inside_the_program_is_whole() {
        let bundle = find_in(BUNDLED, &[]).unwrap();
        for role in bundle.manifest().files.keys() {
            bundle.verified(role).unwrap();
        }
        assert_eq!(FILES.len(), bundle.manifest().files.len() + 1, "a file that no role needs");
    }

    #[test]
    fn an_unknown_name_is_answered_with_those_there_are() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("mine")).unwrap();
        std::fs::write(folder.path().join("mine/manifest.toml"), "").unwrap();
        let error = find_in("theirs", &[folder.path().to_owned()]).unwrap_err().to_string();
        assert!(error.contains("`theirs`") && error.ends_with("live, mine"), "{error}");
    }
}
