//! `.bin`: a zip file as `torch.save` writes it, with a pickle that names the tensors and a file of
//! values for each. It knows no network.
//!
//! Nothing is unpacked: torch stores values uncompressed, so they are read in place, and compressed
//! files are refused. So no file can use more memory than its own size.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use zip::{CompressionMethod, ZipArchive};

use super::pickle::{PickledTensor, pickled_tensors};
use super::tensor::{Tensor, count};

/// The largest pickle that is read, bytes. That of the published base model has 40 kB.
const PICKLE_BYTES: u64 = 1 << 21;
/// The name of the pickle.
const PICKLE: &str = "data.pkl";

/// A file of values in the archive.
struct Storage {
    /// Its first byte.
    start: u64,
    /// Its length in bytes.
    size: u64,
    crc: u32,
}

/// The tensors of a file of `length` bytes. All of them lie inside the file and do not overlap.
pub(super) fn tensors(file: &File, length: u64) -> Result<BTreeMap<String, Tensor>, String> {
    check_head(file)?;
    let mut archive =
        ZipArchive::new(file).map_err(|e| format!("no zip file that can be read ({e})"))?;
    let pickle = archive.file_names().find(|name| name.rsplit('/').next() == Some(PICKLE));
    let pickle = pickle.ok_or_else(|| format!("no {PICKLE} in it; wanted what torch saves"))?;
    let root = pickle.strip_suffix(PICKLE).unwrap_or_default().to_owned();
    let order = small(&mut archive, &format!("{root}byteorder"), 16)?;
    if order.as_deref().is_some_and(|order| order != b"little") {
        return Err("values with the largest byte first; save it on an ordinary machine".to_owned());
    }
    let bytes = small(&mut archive, &format!("{root}{PICKLE}"), PICKLE_BYTES)?;
    let pickled = pickled_tensors(&bytes.unwrap_or_default())?;
    let mut storages = HashMap::new();
    let mut tensors = BTreeMap::new();
    let mut parts: HashMap<String, Vec<(u64, u64, String)>> = HashMap::new();
    for pickled in pickled {
        let key = pickled.storage.clone();
        if !storages.contains_key(&key) {
            let found = storage(&mut archive, &format!("{root}data/{key}"), length)?;
            storages.insert(key.clone(), found);
        }
        let Some(storage) = storages.get(&key) else { continue };
        let tensor = placed(&pickled, storage)?;
        let end = tensor.end().unwrap_or(u64::MAX);
        parts.entry(key).or_default().push((tensor.offset, end, pickled.name.clone()));
        tensors.insert(pickled.name, tensor);
    }
    let files =
        storages.into_iter().map(|(key, s)| (s.start, s.start + s.size, format!("data/{key}")));
    check_apart(files.collect())?;
    parts.into_values().try_for_each(check_apart)?;
    Ok(tensors)
}

/// Checks that the file begins like the zip files of torch.
fn check_head(mut file: &File) -> Result<(), String> {
    let mut head = [0; 4];
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read(&mut head));
    read.map_err(|e| e.to_string())?;
    match head {
        [b'P', b'K', ..] => Ok(()),
        [0x80, ..] => Err(
            "a pickle without a zip file around it, as torch saved before version 1.6; load it \
             with a newer torch and save it again"
                .to_owned(),
        ),
        _ => Err("no zip file; wanted what torch saves".to_owned()),
    }
}

/// A file of the archive of at most `limit` bytes, if it exists.
fn small(
    archive: &mut ZipArchive<&File>,
    name: &str,
    limit: u64,
) -> Result<Option<Vec<u8>>, String> {
    let Some(place) = archive.index_for_name(name) else { return Ok(None) };
    let entry = archive.by_index(place).map_err(|e| format!("{name}: {e}"))?;
    let mut bytes = vec![];
    let read = entry.take(limit + 1).read_to_end(&mut bytes);
    read.map_err(|e| format!("{name}: it cannot be unpacked ({e})"))?;
    match bytes.len() as u64 > limit {
        true => Err(format!("{name}: more than {limit} bytes")),
        false => Ok(Some(bytes)),
    }
}

/// The place of the values of a storage.
fn storage(archive: &mut ZipArchive<&File>, name: &str, length: u64) -> Result<Storage, String> {
    let place = archive.index_for_name(name).ok_or_else(|| format!("no {name} in it"))?;
    let entry = archive.by_index_raw(place).map_err(|e| format!("{name}: {e}"))?;
    if entry.compression() != CompressionMethod::Stored || entry.encrypted() {
        return Err(format!("{name} is packed or encrypted; torch saves values as they are"));
    }
    let (start, size) = (entry.data_start(), entry.compressed_size());
    match start.checked_add(size).filter(|end| *end <= length && entry.size() == size) {
        Some(_) => Ok(Storage { start, size, crc: entry.crc32() }),
        None => Err(format!("{name} reaches over the end of the file")),
    }
}

/// The place of a tensor of the pickle in the file.
fn placed(pickled: &PickledTensor, storage: &Storage) -> Result<Tensor, String> {
    let PickledTensor { name, kind, storage_len, offset, shape, strides, .. } = pickled;
    let bytes = |values: usize| values.checked_mul(kind.size()).map(|bytes| bytes as u64);
    if bytes(*storage_len) != Some(storage.size) {
        return Err(format!(
            "`{name}`: a storage of {storage_len} values in {} bytes; wanted {} bytes a value",
            storage.size,
            kind.size()
        ));
    }
    let end = count(shape).and_then(|count| count.checked_add(*offset));
    if end.is_none_or(|end| end > *storage_len) {
        return Err(format!(
            "`{name}`: shape {shape:?} from value {offset} on, in a storage of {storage_len} values"
        ));
    }
    let Some(is_by_columns) = layout(shape, strides) else {
        return Err(format!(
            "`{name}`: shape {shape:?} in strides of {strides:?}; wanted rows or columns that lie \
             one after the other"
        ));
    };
    let is_whole = *offset == 0 && end == Some(*storage_len);
    Ok(Tensor {
        kind: *kind,
        shape: shape.clone(),
        offset: storage.start + (offset * kind.size()) as u64,
        is_by_columns,
        crc: is_whole.then_some(storage.crc),
    })
}

/// Whether the values are stored by columns instead of by rows; none if neither is the case.
fn layout(shape: &[usize], strides: &[usize]) -> Option<bool> {
    if shape.len() != strides.len() {
        return None;
    }
    let mut expected = 1usize;
    let is_by_rows = shape.iter().zip(strides).rev().all(|(size, stride)| {
        let fits = *size == 1 || *stride == expected;
        expected = expected.saturating_mul(*size);
        fits
    });
    match (is_by_rows, shape, strides) {
        (true, ..) => Some(false),
        (false, [rows, _], [1, column]) if column == rows => Some(true),
        _ => None,
    }
}

/// Checks that these places, each from one byte to another, do not overlap.
fn check_apart(mut places: Vec<(u64, u64, String)>) -> Result<(), String> {
    places.retain(|(from, to, _)| from < to);
    places.sort();
    for pair in places.windows(2) {
        if let [(_, end, one), (start, _, other)] = pair
            && start < end
        {
            return Err(format!("`{one}` and `{other}` lie over each other"));
        }
    }
    Ok(())
}
