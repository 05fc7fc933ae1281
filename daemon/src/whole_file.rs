//! Files that appear whole or not at all: they are written under another name beside their place,
//! and renamed at the end. A pipe, a device or standard output is written to directly. It knows no
//! format.

use std::fs::File;
use std::io::Seek;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::Error;

/// The name that means standard input or standard output.
pub const STANDARD: &str = "-";
/// The mode of a new file before the umask of the user is applied.
const NEW_MODE: u32 = 0o666;

/// A file that is being written. If it is dropped before [`Self::keep`], nothing is left behind.
#[derive(Debug)]
pub struct WholeFile {
    /// The path as the user gave it.
    path: PathBuf,
    out: Out,
}

#[derive(Debug)]
enum Out {
    /// A file that is renamed at the end.
    Beside(NamedTempFile, PathBuf),
    /// A pipe or device, which cannot be replaced.
    Straight(File),
}

impl WholeFile {
    /// Begins the file that will be `path`, whose folder must exist. `-` is standard output. If the
    /// path is a link to a file, that file is replaced, and the link stays. A pipe or a device is
    /// written to.
    ///
    /// # Errors
    /// The folder is missing or cannot be written to.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let owned = path.to_owned();
        if path == Path::new(STANDARD) {
            let out = std::io::stdout().as_fd().try_clone_to_owned();
            let out = out.map_err(|e| Error::output(Path::new("standard output"), e))?;
            return Ok(Self { path: "standard output".into(), out: Out::Straight(out.into()) });
        }
        let there = std::fs::metadata(path).ok();
        if there.as_ref().is_some_and(std::fs::Metadata::is_dir) {
            return Err(Error::output(path, "is a folder; name a file in it"));
        }
        if there.as_ref().is_some_and(|there| !there.is_file()) {
            let out = File::options().write(true).open(path).map_err(|e| Error::output(path, e))?;
            return Ok(Self { path: owned, out: Out::Straight(out) });
        }
        let place = behind_links(path);
        let folder = match place.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let mode = there.map_or(NEW_MODE, |there| there.permissions().mode());
        let mut builder = tempfile::Builder::new();
        builder.prefix(".timbred-").suffix(".part");
        builder.permissions(std::fs::Permissions::from_mode(mode));
        let temp = builder.tempfile_in(folder).map_err(|e| {
            let reason = e.kind();
            let folder = folder.display();
            Error::output(
                path,
                format!("cannot write into {folder}: {reason}; choose another folder"),
            )
        })?;
        Ok(Self { path: owned, out: Out::Beside(temp, place) })
    }

    /// The path of the finished file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The writer.
    pub fn file(&mut self) -> &mut File {
        match &mut self.out {
            Out::Beside(temp, _) => temp.as_file_mut(),
            Out::Straight(file) => file,
        }
    }

    /// Whether written parts can be overwritten, which is not so for a pipe.
    pub fn is_seekable(&mut self) -> bool {
        self.file().stream_position().is_ok()
    }

    /// The error of a failed write to it.
    pub fn failed(&self, reason: impl std::fmt::Display) -> Error {
        Error::output(&self.path, reason)
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// The error of the system.
    pub fn keep(self) -> Result<(), Error> {
        match self.out {
            Out::Beside(temp, place) => {
                temp.persist(place).map_err(|e| Error::output(&self.path, e.error))?;
                Ok(())
            }
            Out::Straight(_) => Ok(()),
        }
    }
}

/// The place that a path means when all links are followed, even if there is no file yet.
fn behind_links(path: &Path) -> PathBuf {
    if let Ok(place) = path.canonicalize() {
        return place;
    }
    match (std::fs::read_link(path), path.parent()) {
        (Ok(to), Some(folder)) => folder.join(to),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write;

    use super::*;

    fn write(path: &Path, text: &str) {
        let mut file = WholeFile::create(path).unwrap();
        file.file().write_all(text.as_bytes()).unwrap();
        file.keep().unwrap();
    }

    #[test]
    fn a_link_stays_and_its_file_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        std::os::unix::fs::symlink("real", &link).unwrap();
        for text in ["first", "second"] {
            write(&link, text);
            assert_eq!(std::fs::read_to_string(&real).unwrap(), text);
            assert!(link.is_symlink());
        }
    }

    #[test]
    fn a_replaced_file_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        write(&path, "new");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_pipe_is_written_to_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let reader = {
            let path = path.clone();
            std::thread::spawn(move || std::fs::read_to_string(path).unwrap())
        };
        let mut file = WholeFile::create(&path).unwrap();
        assert!(!file.is_seekable());
        file.file().write_all(b"through").unwrap();
        file.keep().unwrap();
        assert_eq!(reader.join().unwrap(), "through");
        assert!(!std::fs::metadata(&path).unwrap().is_file());
    }

    #[test]
    fn what_is_not_kept_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        drop(WholeFile::create(&folder.path().join("a")).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
