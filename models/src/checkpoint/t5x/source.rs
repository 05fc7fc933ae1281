//! The files of a checkpoint, in a zip file or in a folder, by their names. Knows no format of
//! theirs.
//!
//! Nothing is unpacked, so a name in an archive never becomes a path; one that tries to is still
//! refused.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use crate::checkpoint::CheckpointError;

/// What the index is called.
const INDEX: &str = "checkpoint";
/// How deep a folder is searched for it.
const DEPTH: usize = 3;

/// Where the files are.
#[derive(Debug)]
enum Place {
    /// The archive, and the place of each name in it; names have slashes, also where Windows wrote
    /// them.
    Zip(ZipArchive<File>, HashMap<String, usize>),
    Folder(PathBuf),
}

/// The files of one checkpoint.
#[derive(Debug)]
pub(super) struct Source {
    path: PathBuf,
    place: Place,
    /// Folder of the index inside the place, with a slash at its end unless it is the place itself.
    root: String,
}

impl Source {
    /// Finds the checkpoint in a zip file or a folder; of several the one of the most steps.
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

    /// Training steps, by the folder's name; 0 where it has none.
    pub(super) fn step(&self) -> u64 {
        let own = self.path.file_name().map(|name| name.to_string_lossy().into_owned());
        step_of(&self.root).max(step_of(&own.unwrap_or_default()))
    }

    /// A file of the checkpoint's folder in words.
    pub(super) fn name_of(&self, name: &str) -> String {
        format!("{}:{}{name}", self.path.display(), self.root)
    }

    /// A file beside the checkpoint's folder in words.
    pub(super) fn beside_name(&self, name: &str) -> String {
        format!("{}:{}{name}", self.path.display(), parent(&self.root))
    }

    /// A file of the checkpoint's folder; one of more than `limit` bytes is an error.
    pub(super) fn read(&mut self, name: &str, limit: u64) -> Result<Vec<u8>, CheckpointError> {
        match self.find(name, limit)? {
            Some(bytes) => Ok(bytes),
            None => Err(CheckpointError::broken(&self.name_of(name), "the file is missing")),
        }
    }

    /// A file of the checkpoint's folder, if it is there.
    pub(super) fn find(
        &mut self,
        name: &str,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, CheckpointError> {
        let wanted = format!("{}{name}", self.root);
        self.bytes(&wanted, limit)
    }

    /// A file beside the checkpoint's folder, or in it, if it is there.
    pub(super) fn read_beside(
        &mut self,
        name: &str,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, CheckpointError> {
        let beside = format!("{}{name}", parent(&self.root));
        if let (Place::Folder(folder), true) = (&self.place, self.root.is_empty()) {
            // The checkpoint's own folder was given: its parent lies outside.
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

/// Everything of a reader, but never more than `limit` bytes.
fn limited(reader: impl Read, limit: u64, at: &str) -> Result<Vec<u8>, CheckpointError> {
    let mut bytes = vec![];
    let read = reader.take(limit + 1).read_to_end(&mut bytes);
    read.map_err(|e| CheckpointError::broken(at, format!("it cannot be unpacked ({e})")))?;
    match bytes.len() as u64 > limit {
        true => Err(CheckpointError::broken(at, format!("more than {limit} bytes"))),
        false => Ok(bytes),
    }
}

/// The folder above one, in names that end with a slash.
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

/// The names of all index files below a folder.
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
