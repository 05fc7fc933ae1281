//! The files of a checkpoint by name, in a zip file or in a folder. It knows no file format.
//!
//! Nothing is unpacked, so a name in an archive never becomes a path. Names that lead outside are
//! refused anyway.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use crate::checkpoint::CheckpointError;

/// The name of the index.
const INDEX: &str = "checkpoint";
/// How deep a folder is searched for it.
const DEPTH: usize = 3;

/// Where the files are.
#[derive(Debug)]
enum Place {
    /// The archive, and the index of each name in it. Names have slashes, even if Windows wrote
    /// them.
    Zip(ZipArchive<File>, HashMap<String, usize>),
    Folder(PathBuf),
}

/// The files of one checkpoint.
#[derive(Debug)]
pub(super) struct Source {
    path: PathBuf,
    place: Place,
    /// The folder of the index inside the place, with a slash at its end; empty if it is the place
    /// itself.
    root: String,
}

impl Source {
    /// Finds the checkpoint in a zip file or a folder. If there are several, it takes the one with
    /// the most steps.
    pub(super) fn open(path: &Path) -> Result<Self, CheckpointError> {
        let (place, names) = if path.is_dir() {
            let mut names = vec![];
            find_indices(path, "", DEPTH, &mut names).map_err(CheckpointError::io(path))?;
            (Place::Folder(path.to_owned()), names)
        } else {
            let file = File::open(path).map_err(CheckpointError::io(path))?;
            let archive = ZipArchive::new(file).map_err(|e| CheckpointError::NotOne {
                path: path.to_owned(),
                found: format!("no zip file that can be read ({e})"),
            })?;
            let places: HashMap<String, usize> = (0..archive.len())
                .filter_map(|n| Some((archive.name_for_index(n)?.replace('\\', "/"), n)))
                .collect();
            let names: Vec<String> = places.keys().cloned().collect();
            if let Some(name) = names.iter().find(|name| leads_outside(name)) {
                let at = format!("{}:{name}", path.display());
                return Err(CheckpointError::broken(&at, "a name that leads out of the archive"));
            }
            (Place::Zip(archive, places), names)
        };
        let roots = names.iter().filter_map(|name| name.strip_suffix(INDEX));
        let roots = roots.filter(|root| root.is_empty() || root.ends_with('/'));
        let Some(root) = roots.max_by_key(|root| (step_of(root), root.len())) else {
            let found = format!("no {INDEX}_STEP/{INDEX} among its {} files", names.len());
            return Err(CheckpointError::NotOne { path: path.to_owned(), found });
        };
        Ok(Self { path: path.to_owned(), root: root.to_owned(), place })
    }

    /// The training steps, from the name of the folder; 0 if it has no number.
    pub(super) fn step(&self) -> u64 {
        let own = self.path.file_name().map(|name| name.to_string_lossy().into_owned());
        step_of(&self.root).max(step_of(&own.unwrap_or_default()))
    }

    /// The name of a file in the folder of the checkpoint, in words.
    pub(super) fn name_of(&self, name: &str) -> String {
        format!("{}:{}{name}", self.path.display(), self.root)
    }

    /// The name of a file beside the folder of the checkpoint, in words.
    pub(super) fn beside_name(&self, name: &str) -> String {
        format!("{}:{}{name}", self.path.display(), parent(&self.root))
    }

    /// Reads a file in the folder of the checkpoint. A file with more than `limit` bytes is an
    /// error.
    pub(super) fn read(&mut self, name: &str, limit: u64) -> Result<Vec<u8>, CheckpointError> {
        match self.find(name, limit)? {
            Some(bytes) => Ok(bytes),
            None => Err(CheckpointError::broken(&self.name_of(name), "the file is missing")),
        }
    }

    /// Reads a file in the folder of the checkpoint, if it exists.
    pub(super) fn find(
        &mut self,
        name: &str,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, CheckpointError> {
        let wanted = format!("{}{name}", self.root);
        self.bytes(&wanted, limit)
    }

    /// Reads a file beside the folder of the checkpoint or in it, if it exists.
    pub(super) fn read_beside(
        &mut self,
        name: &str,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, CheckpointError> {
        let beside = format!("{}{name}", parent(&self.root));
        if let (Place::Folder(folder), true) = (&self.place, self.root.is_empty()) {
            // The folder of the checkpoint itself was given, so its parent lies outside.
            let file =
                folder.parent().map(|parent| parent.join(name)).filter(|file| file.is_file());
            return file.map(|file| read_file(&file, limit)).transpose();
        }
        match self.bytes(&beside, limit)? {
            Some(bytes) => Ok(Some(bytes)),
            None => self.find(name, limit),
        }
    }

    fn bytes(&mut self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, CheckpointError> {
        let at = format!("{}:{name}", self.path.display());
        match &mut self.place {
            Place::Folder(folder) => {
                let file = folder.join(name);
                file.is_file().then(|| read_file(&file, limit)).transpose()
            }
            Place::Zip(archive, places) => {
                let Some(place) = places.get(name) else { return Ok(None) };
                let entry = archive.by_index(*place);
                let entry = entry.map_err(|e| CheckpointError::broken(&at, e.to_string()))?;
                limited(entry, limit, &at).map(Some)
            }
        }
    }
}

fn read_file(file: &Path, limit: u64) -> Result<Vec<u8>, CheckpointError> {
    let open = File::open(file).map_err(CheckpointError::io(file))?;
    limited(open, limit, &file.display().to_string())
}

/// Everything from a reader. More than `limit` bytes are an error.
fn limited(reader: impl Read, limit: u64, at: &str) -> Result<Vec<u8>, CheckpointError> {
    let mut bytes = vec![];
    let read = reader.take(limit + 1).read_to_end(&mut bytes);
    read.map_err(|e| CheckpointError::broken(at, format!("it cannot be unpacked ({e})")))?;
    match bytes.len() as u64 > limit {
        true => Err(CheckpointError::broken(at, format!("more than {limit} bytes"))),
        false => Ok(bytes),
    }
}

/// The folder above another one, for names that end with a slash.
fn parent(root: &str) -> &str {
    let inner = root.strip_suffix('/').unwrap_or(root);
    inner.rfind('/').map_or("", |at| &inner[..=at])
}

/// The number at the end of `.../checkpoint_500000/`, or 0.
fn step_of(root: &str) -> u64 {
    let digits = root.trim_end_matches('/').rsplit('_').next().unwrap_or_default();
    digits.parse().unwrap_or(0)
}

fn leads_outside(name: &str) -> bool {
    name.starts_with('/') || name.contains(':') || name.split('/').any(|part| part == "..")
}

/// Finds the names of all index files below a folder.
fn find_indices(
    folder: &Path,
    prefix: &str,
    depth: usize,
    found: &mut Vec<String>,
) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            if depth > 1 {
                find_indices(&entry.path(), &format!("{prefix}{name}/"), depth - 1, found)?;
            }
        } else if name == INDEX {
            found.push(format!("{prefix}{name}"));
        }
    }
    Ok(())
}
