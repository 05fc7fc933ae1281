//! Reads the golden `.npz` and `.npy` files. This file knows their format, but not their contents.
//! A file that does not match its README causes a panic that names it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use ndarray::{ArrayD, IxDyn, OwnedRepr};
use ndarray_npy::{ReadNpyExt, ReadableElement};
use zip::ZipArchive;

/// An opened `.npz` file: named arrays.
pub struct Npz {
    path: PathBuf,
    archive: ZipArchive<File>,
}

impl Npz {
    /// Opens the archive.
    ///
    /// # Panics
    /// The file does not exist.
    pub fn open(path: &Path) -> Self {
        let file = File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let archive = ZipArchive::new(file).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Self { path: path.to_owned(), archive }
    }

    /// The names of all arrays.
    pub fn names(&self) -> Vec<String> {
        self.archive.file_names().map(|n| n.trim_end_matches(".npy").to_owned()).collect()
    }

    /// Whether there is an array of this name.
    pub fn has(&self, name: &str) -> bool {
        self.archive.index_for_name(&format!("{name}.npy")).is_some()
    }

    /// The prefixes of the arrays `NN_suffix`, sorted.
    pub fn cases(&self, suffix: &str) -> Vec<String> {
        let mut cases: Vec<String> = self
            .names()
            .iter()
            .filter_map(|name| name.strip_suffix(&format!("_{suffix}")))
            .filter(|case| case.chars().all(|c| c.is_ascii_digit()))
            .map(str::to_owned)
            .collect();
        cases.sort();
        cases
    }

    fn bytes(&mut self, name: &str) -> Vec<u8> {
        let mut bytes = vec![];
        self.archive
            .by_name(&format!("{name}.npy"))
            .unwrap_or_else(|e| panic!("{}: `{name}`: {e}", self.path.display()))
            .read_to_end(&mut bytes)
            .unwrap_or_else(|e| panic!("{}: `{name}`: {e}", self.path.display()));
        bytes
    }

    /// A float32 array.
    pub fn f32(&mut self, name: &str) -> ArrayD<f32> {
        self.array(name)
    }

    /// An array that must have this element type.
    ///
    /// # Panics
    /// It has another type.
    pub fn array<T: ReadableElement>(&mut self, name: &str) -> ArrayD<T> {
        let bytes = self.bytes(name);
        read(&bytes).unwrap_or_else(|e| panic!("{}: `{name}`: {e}", self.path.display()))
    }

    /// A number or an array of numbers of any type, as float64.
    pub fn numbers(&mut self, name: &str) -> ArrayD<f64> {
        let bytes = self.bytes(name);
        let as_f64 = read::<f64>(&bytes)
            .or_else(|_| read::<f32>(&bytes).map(|a| a.mapv(f64::from)))
            .or_else(|_| read::<i64>(&bytes).map(|a| a.mapv(|v| v as f64)))
            .or_else(|_| read::<i32>(&bytes).map(|a| a.mapv(f64::from)))
            .or_else(|_| read::<bool>(&bytes).map(|a| a.mapv(|v| f64::from(u8::from(v)))));
        as_f64.unwrap_or_else(|e| panic!("{}: `{name}`: {e}", self.path.display()))
    }

    /// A single number of any type.
    pub fn number(&mut self, name: &str) -> f64 {
        let numbers = self.numbers(name);
        assert_eq!(numbers.len(), 1, "{}: `{name}` is not one number", self.path.display());
        numbers.iter().copied().sum()
    }

    /// A numpy string (`<U`), which ndarray-npy does not read.
    pub fn string(&mut self, name: &str) -> String {
        let bytes = self.bytes(name);
        let header = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        let text = &bytes[10 + header..];
        let letters = text.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        letters.take_while(|c| *c != 0).filter_map(char::from_u32).collect()
    }
}

fn read<T: ReadableElement>(bytes: &[u8]) -> Result<ArrayD<T>, ndarray_npy::ReadNpyError> {
    ndarray::ArrayBase::<OwnedRepr<T>, IxDyn>::read_npy(Cursor::new(bytes))
}

/// A `.npy` file of float32 or float64, as float64.
pub fn npy(path: &Path) -> ArrayD<f64> {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    read::<f64>(&bytes)
        .or_else(|_| read::<f32>(&bytes).map(|a| a.mapv(f64::from)))
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The largest difference between two slices, which must have the same length and no NaN.
pub fn worst(found: &[f32], wanted: &[f32]) -> f64 {
    assert_eq!(found.len(), wanted.len());
    found.iter().zip(wanted).fold(0.0, |worst, (f, w)| {
        let apart = (f64::from(*f) - f64::from(*w)).abs();
        assert!(!apart.is_nan(), "{f} instead of {w}");
        worst.max(apart)
    })
}
