//! One array in a zarr v2 folder: `.zarray` and its chunks. It knows no network.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use serde::Deserialize;

use super::source::Source;
use crate::checkpoint::CheckpointError;

/// The largest `.zarray` that is read, bytes.
const HEADER_BYTES: u64 = 1 << 16;
/// The most values of one array. The largest of the published models has 2^23.
const MAX_VALUES: usize = 1 << 28;

/// `.zarray`
#[derive(Debug, Deserialize)]
struct Header {
    zarr_format: u32,
    shape: Vec<usize>,
    chunks: Vec<usize>,
    dtype: String,
    compressor: Option<Compressor>,
    order: String,
    #[serde(default)]
    fill_value: Option<FillValue>,
    #[serde(default)]
    filters: Option<serde_json::Value>,
    #[serde(default)]
    dimension_separator: Option<String>,
}

/// The value for missing chunks: a number, or the name of one that JSON cannot write (`NaN`,
/// `Infinity`).
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum FillValue {
    Number(f32),
    Name(#[allow(dead_code, reason = "such a value is no weight")] String),
}

#[derive(Debug, Deserialize)]
struct Compressor {
    id: String,
}

impl Header {
    /// The first problem with the header, if there is one.
    fn problem(&self) -> Option<String> {
        let compressor = self.compressor.as_ref().map_or("gzip", |c| c.id.as_str());
        let (form, dtype) = (self.zarr_format, self.dtype.as_str());
        if (form, dtype, self.order.as_str(), compressor) != (2, "<f4", "C", "gzip")
            || self.filters.is_some()
        {
            let order = &self.order;
            return Some(format!(
                "zarr {form}, dtype {dtype}, order {order}, compressor {compressor}; wanted zarr \
                 2, <f4, C, gzip or none, no filters"
            ));
        }
        let values = self.shape.iter().try_fold(1usize, |all, size| all.checked_mul(*size));
        let padded = self.shape.iter().zip(&self.chunks).try_fold(1usize, |all, (size, chunk)| {
            all.checked_mul(size.checked_next_multiple_of(*chunk)?)
        });
        let is_plain = (1..=2).contains(&self.shape.len()) && self.shape.len() == self.chunks.len();
        let is_sized =
            [values, padded].iter().all(|n| n.is_some_and(|n| (1..=MAX_VALUES).contains(&n)));
        if !is_plain || !is_sized {
            return Some(format!(
                "shape {:?} in chunks of {:?}; wanted one or two dimensions and 1 to {MAX_VALUES} \
                 values",
                self.shape, self.chunks
            ));
        }
        None
    }
}

/// Reads the header of the array in `folder`, and checks that [`read`] supports it.
fn header(source: &mut Source, folder: &str) -> Result<Header, CheckpointError> {
    let name = format!("{folder}/.zarray");
    let at = source.name_of(&name);
    let bytes = source.read(&name, HEADER_BYTES)?;
    let header: Header = serde_json::from_slice(&bytes)
        .map_err(|e| CheckpointError::broken(&at, format!("no description of an array ({e})")))?;
    match header.problem() {
        Some(problem) => Err(CheckpointError::broken(&at, problem)),
        None => Ok(header),
    }
}

/// The shape of the array in `folder`.
pub(super) fn shape(source: &mut Source, folder: &str) -> Result<Vec<usize>, CheckpointError> {
    Ok(header(source, folder)?.shape)
}

/// The shape and the row-major values of the array in `folder`.
pub(super) fn read(
    source: &mut Source,
    folder: &str,
) -> Result<(Vec<usize>, Vec<f32>), CheckpointError> {
    let header = header(source, folder)?;
    // An array of one dimension is read as one row.
    let pair = |sizes: &[usize]| match sizes {
        [columns] => (1, *columns),
        [rows, columns, ..] => (*rows, *columns),
        [] => (0, 0),
    };
    let ((rows, columns), (high, wide)) = (pair(&header.shape), pair(&header.chunks));
    let separator = header.dimension_separator.as_deref().unwrap_or(".");
    let mut values = vec![0.0; rows * columns];
    for (down, top) in (0..rows).step_by(high).enumerate() {
        for (right, left) in (0..columns).step_by(wide).enumerate() {
            let name = match header.shape.len() {
                1 => format!("{folder}/{right}"),
                _ => format!("{folder}/{down}{separator}{right}"),
            };
            let chunk = chunk(source, &header, &name, high * wide)?;
            // At the lower and right border a chunk is larger than the rest of the array.
            let width = wide.min(columns - left);
            let target = values.chunks_exact_mut(columns).skip(top);
            for (row, part) in target.zip(chunk.chunks_exact(wide)) {
                if let (Some(row), Some(part)) =
                    (row.get_mut(left..left + width), part.get(..width))
                {
                    row.copy_from_slice(part);
                }
            }
        }
    }
    Ok((header.shape, values))
}

/// The values of one chunk, which must be exactly `count`.
fn chunk(
    source: &mut Source,
    header: &Header,
    name: &str,
    count: usize,
) -> Result<Vec<f32>, CheckpointError> {
    let at = source.name_of(name);
    let size = 4 * count as u64;
    // Compressed data are never much larger than uncompressed ones.
    let Some(packed) = source.find(name, size + size / 8 + HEADER_BYTES)? else {
        return match &header.fill_value {
            Some(FillValue::Number(value)) => Ok(vec![*value; count]),
            Some(FillValue::Name(_)) | None => Err(CheckpointError::broken(
                &at,
                "the chunk is missing, and there is no number to fill it with",
            )),
        };
    };
    let bytes = match header.compressor {
        None => packed,
        Some(_) => {
            let mut bytes = Vec::with_capacity(size as usize);
            let unpacked =
                MultiGzDecoder::new(packed.as_slice()).take(size + 1).read_to_end(&mut bytes);
            unpacked.map_err(|e| {
                CheckpointError::broken(&at, format!("it cannot be unpacked ({e})"))
            })?;
            bytes
        }
    };
    if bytes.len() as u64 != size {
        let found = if bytes.len() as u64 > size { "more than" } else { "only" };
        let length = (bytes.len() as u64).min(size);
        return Err(CheckpointError::broken(&at, format!("{found} {length} bytes; wanted {size}")));
    }
    Ok(bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}
