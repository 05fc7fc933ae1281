//! Which model a command means: `--model NAME|FOLDER`, the folders models are installed in, the
//! bundled one.

use std::path::{Path, PathBuf};

use timbre_models::bundle::{BUNDLED, Bundle, Manifest, PROGRAMS, Rating};

use crate::error::Error;

/// The model of that name or folder, the bundled one without.
///
/// # Errors
/// Lists the models there are.
pub fn find(name: Option<&str>) -> Result<Bundle, Error> {
    Ok(Bundle::find(name.unwrap_or(BUNDLED), &folders())?)
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
