//! The state that is saved from one run to the next, as a TOML file that is written whole or not at
//! all. It knows no setting.
//!
//! The thread of the supervisor calls it; both functions wait for the disk.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The comment at the top of every state file.
const HEADER: &str = "# Written by timbred; what is changed here while it runs is lost.\n\n";

/// The saved state: everything that was set by hand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State<S> {
    /// General MIDI program of each channel, 0 to 127.
    #[serde(default)]
    pub programs: [u8; 16],
    /// The settings that control publishes.
    pub settings: S,
}

/// Why the state was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file exists but cannot be read.
    #[error("{path}: cannot be read: {reason}; give it to the user timbred runs as")]
    Read {
        /// Which file.
        path: PathBuf,
        /// The error of the system.
        reason: std::io::Error,
    },
    /// The file cannot be written.
    #[error("{path}: cannot be written: {reason}; choose another file with state.path")]
    Write {
        /// Which file.
        path: PathBuf,
        /// The error of the system.
        reason: std::io::Error,
    },
    /// The value has no form in TOML.
    #[error("{path}: state cannot be written as TOML: {reason}")]
    Form {
        /// Which file.
        path: PathBuf,
        /// What the writer says.
        reason: toml::ser::Error,
    },
}

/// Reads the state; none if there is no file, or if it is damaged. A damaged file is logged and
/// renamed to `NAME.broken`, so that saving does not overwrite it.
///
/// # Errors
/// The file exists but cannot be read.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StateError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(reason) => return Err(StateError::Read { path: path.to_owned(), reason }),
    };
    match toml::from_slice(&bytes) {
        Ok(state) => Ok(Some(state)),
        Err(e) => {
            set_aside(path, e.message());
            Ok(None)
        }
    }
}

fn set_aside(path: &Path, reason: &str) {
    let mut broken = path.as_os_str().to_owned();
    broken.push(".broken");
    let reason = reason.lines().next().unwrap_or_default();
    let (path, broken) = (path.display(), PathBuf::from(broken));
    match std::fs::rename(path.to_string(), &broken) {
        Ok(()) => {
            let broken = broken.display();
            tracing::warn!("{path}: {reason}; set aside as {broken}, defaults are used");
        }
        Err(e) => tracing::warn!("{path}: {reason}; defaults are used, and it stays: {e}"),
    }
}

/// Saves a value. After a crash or a power cut the file has the whole old value or the whole new
/// one.
///
/// # Errors
/// The error of the system.
pub fn save<T: Serialize>(path: &Path, state: &T) -> Result<(), StateError> {
    save_under(path, HEADER, state)
}

/// The same for a file with another comment at the top.
///
/// # Errors
/// The error of the system.
pub fn save_under<T: Serialize>(path: &Path, header: &str, value: &T) -> Result<(), StateError> {
    let text = toml::to_string(value)
        .map_err(|reason| StateError::Form { path: path.to_owned(), reason })?;
    write(path, header, &text).map_err(|reason| StateError::Write { path: path.to_owned(), reason })
}

fn write(path: &Path, header: &str, text: &str) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".state-").suffix(".part");
    let mut temp = builder.tempfile_in(folder)?;
    temp.write_all(header.as_bytes())?;
    temp.write_all(text.as_bytes())?;
    temp.as_file().sync_all()?;
    temp.persist(path).map_err(|e| e.error)?;
    // The new name is on the disk only when the folder is.
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        channels: Vec<Channel>,
        master_gain_db: f64,
    }

    #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
    struct Channel {
        program: u8,
        name: Option<String>,
    }

    fn state(program: u8) -> State<Settings> {
        let channels = vec![Channel { program, name: None }, Channel::default()];
        State { programs: [program; 16], settings: Settings { channels, master_gain_db: -7.25 } }
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_saved_is_loaded_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/folder/state.toml");
        assert_eq!(load::<State<Settings>>(&path).unwrap(), None);
        for program in [1, 2] {
            save(&path, &state(program)).unwrap();
            assert_eq!(load(&path).unwrap(), Some(state(program)));
        }
        assert_eq!(names(path.parent().unwrap()), ["state.toml"]);
    }

    #[test]
    fn a_broken_file_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.toml");
        save(&path, &state(3)).unwrap();
        let good = std::fs::read(&path).unwrap();
        let unknown = b"settings = { channels = [], master_gain_db = 0.0, x = 1 }";
        for broken in [&good[..good.len() / 2], b"\xff\xfe", b"[settings", unknown] {
            std::fs::write(&path, broken).unwrap();
            assert_eq!(load::<State<Settings>>(&path).unwrap(), None);
            assert_eq!(names(folder.path()), ["state.toml.broken"]);
            assert_eq!(std::fs::read(folder.path().join("state.toml.broken")).unwrap(), broken);
        }
        save(&path, &state(4)).unwrap();
        assert_eq!(load(&path).unwrap(), Some(state(4)));
    }

    #[test]
    fn a_file_that_cannot_be_read_or_written_is_an_error_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let error = load::<State<Settings>>(folder.path()).unwrap_err().to_string();
        assert!(error.starts_with(&folder.path().display().to_string()), "{error}");
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = save(&file.join("state.toml"), &state(1)).unwrap_err().to_string();
        assert!(error.contains("state.path"), "{error}");
    }
}
