//! Files that appear whole or not at all: written beside their place under another name, renamed at the end.
//! Knows no format.

use std::fs::File;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::Error;

/// A file on its way. Dropped before [`Self::keep`], it leaves nothing behind.
#[derive(Debug)]
pub struct WholeFile {
    path: PathBuf,
    temp: NamedTempFile,
}

impl WholeFile {
    /// Begins the file that will be `path`; its folder must be there.
    ///
    /// # Errors
    /// A folder that is missing or cannot be written to.
    pub fn create(path: &Path) -> Result<Self, Error> {
        if path.is_dir() {
            return Err(Error::output(path, "is a folder; name a file in it"));
        }
        let folder = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let mut builder = tempfile::Builder::new();
        builder.prefix(".timbred-").suffix(".part");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let temp = builder.tempfile_in(folder).map_err(|e| {
            let reason = e.kind();
            let folder = folder.display();
            Error::output(
                path,
                format!("cannot write into {folder}: {reason}; choose another folder"),
            )
        })?;
        Ok(Self { path: path.to_owned(), temp })
    }

    /// Its name when it is done.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What to write to.
    pub fn file(&mut self) -> &mut File {
        self.temp.as_file_mut()
    }

    /// The error of a failed write to it.
    pub fn failed(&self, reason: impl std::fmt::Display) -> Error {
        Error::output(&self.path, reason)
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// What the system says.
    pub fn keep(self) -> Result<(), Error> {
        self.temp.persist(&self.path).map_err(|e| Error::output(&self.path, e.error))?;
        Ok(())
    }
}
