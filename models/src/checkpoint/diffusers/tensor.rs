//! The place of a tensor in a file, and how its values become float32. It knows no file format.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use flate2::Crc;

/// The type of the values of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// IEEE float32.
    F32,
    /// IEEE float16.
    F16,
    /// The upper half of a float32.
    Bf16,
}

impl Kind {
    /// The size of a value, bytes.
    pub(super) fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    fn floats(self, bytes: &[u8]) -> Vec<f32> {
        let pairs = || bytes.as_chunks::<2>().0.iter();
        match self {
            Self::F32 => {
                bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
            }
            Self::F16 => pairs().map(|bytes| half::f16::from_le_bytes(*bytes).to_f32()).collect(),
            Self::Bf16 => pairs().map(|bytes| half::bf16::from_le_bytes(*bytes).to_f32()).collect(),
        }
    }
}

/// A tensor whose values lie together in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tensor {
    /// The type of its values.
    pub kind: Kind,
    /// The sizes, outermost first.
    pub shape: Vec<usize>,
    /// The offset of its first byte in the file.
    pub offset: u64,
    /// Whether the file stores it by columns instead of by rows.
    pub is_by_columns: bool,
    /// The checksum of its bytes, if the file has one.
    pub crc: Option<u32>,
}

impl Tensor {
    /// The number of its values; none if it does not fit into a usize.
    pub(super) fn count(&self) -> Option<usize> {
        count(&self.shape)
    }

    /// The offset after its last byte; none if it is too large.
    pub(super) fn end(&self) -> Option<u64> {
        let bytes = self.count()?.checked_mul(self.kind.size())?;
        self.offset.checked_add(bytes as u64)
    }

    /// Its values row by row; with `turned` column by column, which is the transpose. The file must
    /// be at least as long as [`Self::end`].
    pub(super) fn read(&self, file: &File, turned: bool) -> Result<Vec<f32>, String> {
        let count = self.count().unwrap_or_default();
        let mut bytes = vec![0; count * self.kind.size()];
        let mut at = file;
        let read = at.seek(SeekFrom::Start(self.offset)).and_then(|_| at.read_exact(&mut bytes));
        read.map_err(|e| e.to_string())?;
        if let Some(wanted) = self.crc {
            let mut crc = Crc::new();
            crc.update(&bytes);
            if crc.sum() != wanted {
                return Err(
                    "its checksum is another: the file is damaged; download it again".to_owned()
                );
            }
        }
        let values = self.kind.floats(&bytes);
        drop(bytes);
        Ok(match (self.shape.as_slice(), turned != self.is_by_columns) {
            ([rows, columns], true) if self.is_by_columns => transposed(&values, *columns, *rows),
            ([rows, columns], true) => transposed(&values, *rows, *columns),
            _ => values,
        })
    }
}

/// The number of values in a shape; none if it does not fit into a usize.
pub(super) fn count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |all, size| all.checked_mul(*size))
}

/// Transposes values [rows, columns] to [columns, rows].
fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut turned = Vec::with_capacity(values.len());
    for column in 0..columns {
        turned.extend((0..rows).filter_map(|row| values.get(row * columns + column)));
    }
    turned
}
