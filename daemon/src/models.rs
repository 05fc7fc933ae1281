//! Finds the model for a command: the one inside the program, one in the folders of installed
//! models, or one in a folder that `--model` names.

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

/// The files of the model inside the program, which therefore needs no other files.
const FILES: CarriedFiles = carried!(
    "manifest.toml" "note_encoder.onnx" "context_encoder.onnx" "memory.onnx" "film.onnx"
    "step.onnx" "prior.onnx" "vocoder.onnx" "attacks.onnx" "life.onnx"
);

/// The model inside the program.
///
/// # Errors
/// None, unless the program was built wrongly.
pub fn bundled() -> Result<Bundle, BundleError> {
    Bundle::carried(FILES)
}

/// The model with a name or in a folder; without a name the model inside the program.
///
/// # Errors
/// [`Error::Model`]. If no model has that name, the error lists those that exist.
pub fn find(name: Option<&str>) -> Result<Bundle, Error> {
    Ok(find_in(name.unwrap_or(BUNDLED), &folders())?)
}

/// Finds a model by its name or path: a folder with a manifest, a folder of that name in one of
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

/// The folders in which models are searched by name: that of the user, then those of the system.
pub fn folders() -> Vec<PathBuf> {
    data_folders("models")
}

/// The folders for one kind of data of this program: that of the user, then those of the system.
pub fn data_folders(of: &str) -> Vec<PathBuf> {
    let home = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|h| Path::new(&h).join(".local/share")));
    let system = [Path::new("/usr/local/share"), Path::new("/usr/share")].map(Path::to_owned);
    home.into_iter().chain(system).map(|p| p.join("timbred").join(of)).collect()
}

/// How well a model plays each program.
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
