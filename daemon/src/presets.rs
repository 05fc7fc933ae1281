//! Presets: a folder with one TOML file for each, which is written whole or not at all. Names
//! cannot lead out of the folder. It knows no setting.
//!
//! The thread of the supervisor calls it; every function waits for the disk.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::state::{self, StateError};

/// The comment at the top of every preset.
const HEADER: &str = "# A preset of timbred, loaded with `timbrectl preset load`.\n\n";
/// The ending of the files of presets.
const ENDING: &str = ".toml";
/// The most presets, so that their names fit into one OSC packet, and nobody can fill the disk.
const MOST: usize = 500;
/// The longest name, bytes.
const LONGEST: usize = 96;
/// The characters that a name may have beside letters and digits.
const SIGNS: &str = " -_.,+()&'#!";

/// Why a preset was not listed, saved, loaded or deleted.
#[derive(Debug, thiserror::Error)]
pub enum PresetError {
    /// This process has no folder for state.
    #[error("there is no folder for presets: set state.path in the configuration")]
    NoFolder,
    /// The name is not allowed.
    #[error(
        "found the name {found:?}, wanted 1 to {LONGEST} bytes of letters, digits, spaces and \
         {SIGNS}, the first and the last no space, the first no dot"
    )]
    Name {
        /// The name as it was given.
        found: String,
    },
    /// There is no preset of that name.
    #[error("there is no preset {name:?}; there are: {there}")]
    Unknown {
        /// The name as it was given.
        name: String,
        /// The names there are.
        there: String,
    },
    /// There are no presets at all.
    #[error("there are no presets yet; `timbrectl preset save NAME` makes one")]
    None,
    /// There are too many presets.
    #[error("there are {MOST} presets already; delete one first")]
    Full,
    /// The file or the folder cannot be read or deleted.
    #[error("{path}: {reason}")]
    File {
        /// The path.
        path: PathBuf,
        /// The error of the system.
        reason: std::io::Error,
    },
    /// The file is not a preset.
    #[error("{path}: {reason}; mend the file or delete the preset")]
    Broken {
        /// Which file.
        path: PathBuf,
        /// What is wrong, with its line.
        reason: String,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] StateError),
}

/// A folder of presets, which need not exist yet.
#[derive(Debug, Clone)]
pub struct Presets {
    folder: PathBuf,
}

impl Presets {
    /// The presets beside a state file.
    ///
    /// # Errors
    /// There is no state file either.
    pub fn beside(state: Option<&Path>) -> Result<Self, PresetError> {
        let folder = state.and_then(Path::parent).ok_or(PresetError::NoFolder)?;
        Ok(Self { folder: folder.join("presets") })
    }

    /// The names of all presets, sorted without regard to case.
    ///
    /// # Errors
    /// The folder exists but cannot be read.
    pub fn names(&self) -> Result<Vec<String>, PresetError> {
        let failed = |reason| PresetError::File { path: self.folder.clone(), reason };
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(failed(e)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let file = entry.map_err(failed)?.file_name();
            // Files with names that are not allowed are no presets.
            let name = file.to_str().and_then(|file| file.strip_suffix(ENDING));
            names.extend(name.filter(|name| is_name(name)).map(str::to_owned));
        }
        names.sort_by_cached_key(|name| (name.to_lowercase(), name.clone()));
        names.truncate(MOST);
        Ok(names)
    }

    /// Saves a value under a name, and replaces the one that was there.
    ///
    /// # Errors
    /// The name is not allowed, there are too many presets, or the system refuses.
    pub fn save<T: Serialize>(&self, name: &str, value: &T) -> Result<(), PresetError> {
        let path = self.path(name)?;
        let names = self.names()?;
        if names.len() >= MOST && !names.iter().any(|there| there == name) {
            return Err(PresetError::Full);
        }
        Ok(state::save_under(&path, HEADER, value)?)
    }

    /// Reads the value that was saved under a name.
    ///
    /// # Errors
    /// There is no preset of that name, or its file is damaged; it is not changed then.
    pub fn load<T: DeserializeOwned>(&self, name: &str) -> Result<T, PresetError> {
        let path = self.path(name)?;
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Err(self.unknown(name)?),
            Err(reason) => return Err(PresetError::File { path, reason }),
        };
        toml::from_str(&text).map_err(|e| {
            let line =
                e.span().map(|at| text[..at.start.min(text.len())].matches('\n').count() + 1);
            let line = line.map_or_else(String::new, |line| format!("line {line}: "));
            PresetError::Broken { path, reason: format!("{line}{}", e.message()) }
        })
    }

    /// Deletes a preset.
    ///
    /// # Errors
    /// There is no preset of that name, or the system refuses.
    pub fn delete(&self, name: &str) -> Result<(), PresetError> {
        let path = self.path(name)?;
        match std::fs::remove_file(&path) {
            Ok(()) => Ok(()),
            Err(e) if e.kind() == ErrorKind::NotFound => Err(self.unknown(name)?),
            Err(reason) => Err(PresetError::File { path, reason }),
        }
    }

    /// The name after or before `from` in the list, whose ends are connected. `from` itself need
    /// not exist any more.
    ///
    /// # Errors
    /// There are no presets.
    pub fn neighbour(&self, from: Option<&str>, forward: bool) -> Result<String, PresetError> {
        let names = self.names()?;
        let key = |name: &str| (name.to_lowercase(), name.to_owned());
        let found = match (from.map(key), forward) {
            (Some(from), true) => names.iter().find(|name| key(name) > from),
            (Some(from), false) => names.iter().rev().find(|name| key(name) < from),
            (None, _) => None,
        };
        let end = if forward { names.first() } else { names.last() };
        found.or(end).cloned().ok_or(PresetError::None)
    }

    fn unknown(&self, name: &str) -> Result<PresetError, PresetError> {
        let names = self.names()?;
        if names.is_empty() {
            return Ok(PresetError::None);
        }
        Ok(PresetError::Unknown { name: name.to_owned(), there: names.join(", ") })
    }

    fn path(&self, name: &str) -> Result<PathBuf, PresetError> {
        if is_name(name) {
            return Ok(self.folder.join(format!("{name}{ENDING}")));
        }
        Err(PresetError::Name { found: name.chars().take(LONGEST).collect() })
    }
}

/// Whether a name is allowed: it cannot lead out of the folder, hide a file or contain a line end.
fn is_name(name: &str) -> bool {
    let fits = !name.is_empty() && name.len() <= LONGEST && name.trim() == name;
    fits && !name.starts_with('.') && name.chars().all(|c| c.is_alphanumeric() || SIGNS.contains(c))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    fn presets(folder: &Path) -> Presets {
        Presets::beside(Some(&folder.join("state/state.toml"))).unwrap()
    }

    #[test]
    fn what_is_saved_is_listed_loaded_and_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let presets = presets(folder.path());
        assert_eq!(presets.names().unwrap(), Vec::<String>::new());
        assert!(matches!(presets.load::<Vec<u8>>("a"), Err(PresetError::None)));
        let value = |n: u8| std::collections::BTreeMap::from([("n".to_owned(), n)]);
        for (n, name) in ["b & c", "Ännchen", "a", "Zürich (2)"].iter().enumerate() {
            presets.save(name, &value(n as u8)).unwrap();
        }
        presets.save("a", &value(9)).unwrap();
        assert_eq!(presets.names().unwrap(), ["a", "b & c", "Zürich (2)", "Ännchen"]);
        assert_eq!(presets.load::<std::collections::BTreeMap<_, _>>("a").unwrap(), value(9));
        presets.delete("a").unwrap();
        let error = presets.delete("a").unwrap_err().to_string();
        assert!(error.contains("\"a\"") && error.contains("b & c, Zürich (2)"), "{error}");
        let folder = folder.path().join("state/presets");
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), 3, "nothing else is left there");
    }

    #[test]
    fn names_lead_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let presets = presets(folder.path());
        let long = "x".repeat(LONGEST + 1);
        for name in [
            "",
            ".",
            "..",
            "../state",
            "/etc/passwd",
            "a/b",
            "a\\b",
            ".hidden",
            " a",
            "a ",
            "a\nb",
            "a\0",
            "a:b",
            "*",
            "~",
            "$x",
            &long,
        ] {
            let refused = |e| matches!(e, PresetError::Name { .. });
            assert!(presets.save(name, &"x").is_err_and(refused), "{name:?}");
            assert!(presets.load::<String>(name).is_err_and(refused), "{name:?}");
            assert!(presets.delete(name).is_err_and(refused), "{name:?}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_broken_file_is_named_with_its_line_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let presets = presets(folder.path());
        presets.save("a", &std::collections::BTreeMap::from([("n", 1)])).unwrap();
        let path = folder.path().join("state/presets/a.toml");
        std::fs::write(&path, "n = 1\nn = 2\n").unwrap();
        let error = presets.load::<toml::Table>("a").unwrap_err().to_string();
        assert!(error.contains("a.toml: line 2: "), "{error}");
        assert!(path.is_file());
    }

    #[test]
    fn neighbours_go_around() {
        let folder = tempfile::tempdir().unwrap();
        let presets = presets(folder.path());
        assert!(matches!(presets.neighbour(None, true), Err(PresetError::None)));
        for name in ["b", "D", "f"] {
            presets.save(name, &toml::Table::new()).unwrap();
        }
        for (from, forward, wanted) in [
            (None, true, "b"),
            (None, false, "f"),
            (Some("b"), true, "D"),
            (Some("f"), true, "b"),
            (Some("b"), false, "f"),
            (Some("e"), true, "f"),
            (Some("e"), false, "D"),
        ] {
            assert_eq!(presets.neighbour(from, forward).unwrap(), wanted, "{from:?} {forward}");
        }
        assert!(matches!(Presets::beside(None), Err(PresetError::NoFolder)));
    }

    #[test]
    fn there_are_no_more_than_fit() {
        let folder = tempfile::tempdir().unwrap();
        let presets = presets(folder.path());
        let place = folder.path().join("state/presets");
        std::fs::create_dir_all(&place).unwrap();
        for n in 0..MOST {
            std::fs::write(place.join(format!("{n}.toml")), "").unwrap();
        }
        assert!(matches!(presets.save("more", &toml::Table::new()), Err(PresetError::Full)));
        presets.save("7", &toml::Table::new()).unwrap();
    }
}
