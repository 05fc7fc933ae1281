//! The file `checkpoint`: the arrays and their places. It knows no files.
//!
//! It is msgpack of `flax.serialization`. A leaf is an array itself (extension type 1) or a
//! tensorstore spec of a zarr folder.

use std::collections::BTreeMap;

use rmpv::Value;

/// The deepest nesting, which no real checkpoint reaches.
const DEPTH: usize = 64;
/// The extension type of an array in flax.
const NDARRAY: i8 = 1;

/// The place of the values of an array.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Stored {
    /// In the index itself.
    Inline {
        /// The sizes, outermost first.
        shape: Vec<usize>,
        /// The values, row-major.
        values: Vec<f32>,
    },
    /// In a zarr folder beside the index.
    Zarr {
        /// The name of the folder.
        folder: String,
        /// The shape in the index, if there is one.
        shape: Option<Vec<usize>>,
    },
}

/// The arrays of the weights by dotted name, such as `decoder.layers_0.mlp.wo.kernel`. An error
/// says what was found and what was wanted.
pub(super) fn parse(mut bytes: &[u8]) -> Result<BTreeMap<String, Stored>, String> {
    let root = rmpv::decode::read_value_with_max_depth(&mut bytes, DEPTH)
        .map_err(|e| format!("no msgpack ({e})"))?;
    let target = get(&root, "optimizer").and_then(|optimizer| get(optimizer, "target"));
    let Some(target) = target.or_else(|| get(&root, "target")) else {
        return Err("no optimizer/target in it: wanted the index of a T5X checkpoint".to_owned());
    };
    let mut arrays = BTreeMap::new();
    collect(target, String::new(), &mut arrays)?;
    match arrays.is_empty() {
        true => Err("no weights in it".to_owned()),
        false => Ok(arrays),
    }
}

fn collect(
    value: &Value,
    name: String,
    arrays: &mut BTreeMap<String, Stored>,
) -> Result<(), String> {
    let stored = match value {
        Value::Ext(NDARRAY, bytes) => inline(bytes).map_err(|e| format!("`{name}`: {e}"))?,
        Value::Map(_) if get(value, "driver").is_some() => {
            zarr(value).map_err(|e| format!("`{name}`: {e}"))?
        }
        Value::Map(entries) => {
            for (key, value) in entries {
                let Some(key) = key.as_str() else {
                    return Err(format!("below `{name}`: a key that is no text"));
                };
                let inner = if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
                collect(value, inner, arrays)?;
            }
            return Ok(());
        }
        _ => return Err(format!("`{name}` is neither an array nor where one is")),
    };
    arrays.insert(name, stored);
    Ok(())
}

/// (shape, dtype, bytes), as msgpack inside msgpack.
fn inline(mut bytes: &[u8]) -> Result<Stored, String> {
    let value =
        rmpv::decode::read_value_with_max_depth(&mut bytes, DEPTH).map_err(|e| e.to_string())?;
    let parts = value.as_array().map(Vec::as_slice);
    let Some([shape, dtype, data]) = parts else {
        return Err("an array without shape, type and bytes".to_owned());
    };
    let (Some(shape), Some("float32"), Some(data)) =
        (sizes(shape), dtype.as_str(), data.as_slice())
    else {
        return Err(format!("an array of type {dtype}; wanted float32"));
    };
    let wanted = shape.iter().try_fold(4usize, |product, size| product.checked_mul(*size));
    if wanted != Some(data.len()) {
        return Err(format!("{} bytes for shape {shape:?} of float32", data.len()));
    }
    let values = data.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
    Ok(Stored::Inline { shape, values: values.collect() })
}

/// `{driver, kvstore: {driver, path}, metadata: {shape, ..}}`; the oldest have `path` beside
/// `kvstore`. Wherever the array was stored at first, its folder now lies beside the index.
fn zarr(spec: &Value) -> Result<Stored, String> {
    let driver = get(spec, "driver").and_then(Value::as_str).unwrap_or_default();
    if driver != "zarr" {
        return Err(format!("stored by the driver `{driver}`; wanted zarr"));
    }
    let inside = get(spec, "kvstore").and_then(|store| get(store, "path"));
    let path = inside.or_else(|| get(spec, "path")).and_then(Value::as_str).unwrap_or_default();
    let folder = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    if folder.is_empty() || folder == ".." || folder.contains('\\') {
        return Err(format!("stored in {path:?}; wanted the name of a folder"));
    }
    let shape = get(spec, "metadata").and_then(|metadata| get(metadata, "shape")).and_then(sizes);
    Ok(Stored::Zarr { folder: folder.to_owned(), shape })
}

fn sizes(value: &Value) -> Option<Vec<usize>> {
    value.as_array()?.iter().map(|size| usize::try_from(size.as_u64()?).ok()).collect()
}

fn get<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    let entries = value.as_map()?;
    entries.iter().find(|(k, _)| k.as_str() == Some(key)).map(|(_, value)| value)
}
