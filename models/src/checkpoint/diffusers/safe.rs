//! `.safetensors`: a length, a JSON header with the place of each tensor, and the values. It knows
//! no network.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;

use safetensors::Dtype;
use safetensors::tensor::Metadata;

use super::tensor::{Kind, Tensor};

/// The largest header that is read, bytes. That of the published base model has 40 kB.
const HEADER_BYTES: u64 = 1 << 24;

/// The tensors of a file of `length` bytes. All of them lie inside the file and do not overlap.
pub(super) fn tensors(mut file: &File, length: u64) -> Result<BTreeMap<String, Tensor>, String> {
    let mut head = [0; 8];
    file.read_exact(&mut head).map_err(|_| format!("only {length} bytes"))?;
    let size = u64::from_le_bytes(head);
    if size > HEADER_BYTES || size > length.saturating_sub(8) {
        return Err(format!("no safetensors: a header of {size} bytes in a file of {length}"));
    }
    let mut header = vec![];
    let read = file.take(size).read_to_end(&mut header);
    read.map_err(|e| e.to_string())?;
    // The crate checks that the tensors lie one after the other, with the lengths of their shapes.
    let metadata: Metadata = serde_json::from_slice(&header)
        .map_err(|e| format!("no safetensors that can be read ({e})"))?;
    let first = 8 + size;
    let wanted = first.saturating_add(metadata.data_len() as u64);
    if wanted != length {
        return Err(format!("{length} bytes; wanted {wanted} by its header: download it again"));
    }
    let mut tensors = BTreeMap::new();
    for (name, info) in metadata.tensors() {
        let kind = match info.dtype {
            Dtype::F32 => Kind::F32,
            Dtype::F16 => Kind::F16,
            Dtype::BF16 => Kind::Bf16,
            other => return Err(format!("`{name}` is of {other:?}; wanted F32, F16 or BF16")),
        };
        let (offset, shape) = (first + info.data_offsets.0 as u64, info.shape.clone());
        let tensor = Tensor { kind, shape, offset, is_by_columns: false, crc: None };
        tensors.insert(name, tensor);
    }
    Ok(tensors)
}
