//! The files in the folder of a pipeline; files outside it are refused. It knows no file format.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::checkpoint::CheckpointError;

/// The largest configuration or index that is read, bytes.
const JSON_BYTES: u64 = 1 << 24;
/// The beginning of a pointer to a file that is stored elsewhere.
const POINTER: &[u8] = b"version https://git-lfs";

/// A folder.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// The path without links.
    real: PathBuf,
}

impl Folder {
    pub(super) fn open(path: &Path) -> Result<Self, CheckpointError> {
        let real = path.canonicalize().map_err(CheckpointError::io(path))?;
        Ok(Self { path: path.to_owned(), real })
    }

    /// The path of a file of the folder, in words.
    pub(super) fn name_of(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }

    /// The real path of a file of the folder, if it exists. It must be a regular file, and no link
    /// may lead out of the folder.
    pub(super) fn find(&self, name: &str) -> Result<Option<PathBuf>, CheckpointError> {
        let path = self.path.join(name);
        if path.symlink_metadata().is_err() {
            return Ok(None);
        }
        let refused = |reason: String| Err(CheckpointError::refused(&self.name_of(name), reason));
        let Ok(real) = path.canonicalize() else {
            return refused("a link that leads nowhere".to_owned());
        };
        if !real.starts_with(&self.real) {
            return refused(format!(
                "a link that leads out of the folder, to {}; copy the folder so that files are \
                 copied for links (cp -rL), and import the copy",
                real.display()
            ));
        }
        match real.is_file() {
            true => Ok(Some(real)),
            false => refused("no ordinary file".to_owned()),
        }
    }

    /// Opens a file of the folder, if it exists, and returns it with its length in bytes.
    pub(super) fn file(&self, name: &str) -> Result<Option<(File, u64)>, CheckpointError> {
        let Some(path) = self.find(name)? else { return Ok(None) };
        let io = || CheckpointError::io(&path);
        let mut file = File::open(&path).map_err(io())?;
        let length = file.metadata().map_err(io())?.len();
        let mut head = vec![];
        (&mut file).take(POINTER.len() as u64).read_to_end(&mut head).map_err(io())?;
        if head == POINTER {
            let reason = "a pointer of Git LFS and not the file itself; `git lfs pull` fetches it";
            return Err(CheckpointError::refused(&self.name_of(name), reason));
        }
        file.rewind().map_err(io())?;
        Ok(Some((file, length)))
    }

    /// Reads a JSON file of the folder.
    pub(super) fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T, CheckpointError> {
        let at = self.name_of(name);
        let Some((file, _)) = self.file(name)? else {
            return Err(CheckpointError::broken(&at, "the file is missing"));
        };
        let mut bytes = vec![];
        file.take(JSON_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(CheckpointError::io(Path::new(&at)))?;
        if bytes.len() as u64 > JSON_BYTES {
            return Err(CheckpointError::broken(&at, format!("more than {JSON_BYTES} bytes")));
        }
        serde_json::from_slice(&bytes).map_err(|e| CheckpointError::broken(&at, e.to_string()))
    }
}
