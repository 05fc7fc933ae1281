//! Pickles and zip files, as torch writes them, and as it never would.

use super::*;

/// A pickle under construction: a dictionary of tensors, with the opcodes of `torch.save`.
pub struct Pickle(pub Vec<u8>);

impl Pickle {
    pub fn new() -> Self {
        Self(b"\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01(".to_vec())
    }

    pub fn text(&mut self, text: &str) {
        self.0.push(b'X');
        self.0.extend((text.len() as u32).to_le_bytes());
        self.0.extend(text.as_bytes());
    }

    pub fn number(&mut self, number: i64) {
        self.0.extend([0x8a, 8]);
        self.0.extend(number.to_le_bytes());
    }

    fn sizes(&mut self, sizes: &[i64]) {
        self.0.push(b'(');
        sizes.iter().for_each(|size| self.number(*size));
        self.0.push(b't');
    }

    /// Adds an entry: a storage of `len` values in the file `key`, the tensor from value `offset`
    /// on, its shape and its strides.
    pub fn tensor(
        &mut self,
        name: &str,
        storage: &str,
        key: &str,
        len: i64,
        offset: i64,
        (shape, strides): (&[i64], &[i64]),
    ) {
        self.text(name);
        self.0.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        self.text("storage");
        self.0.extend(format!("ctorch\n{storage}\n").as_bytes());
        self.text(key);
        self.text("cpu");
        self.number(len);
        self.0.extend(b"tQ");
        self.number(offset);
        self.sizes(shape);
        self.sizes(strides);
        self.0.extend(b"\x89h\x00)RtR");
    }

    /// The whole pickle, with the state that modules add.
    pub fn end(mut self) -> Vec<u8> {
        self.0.extend(b"u}");
        self.text("_metadata");
        self.0.extend(b"h\x00)Rsb.");
        self.0
    }
}

/// One tensor [2, 3] of float32 in the file `0`.
pub fn one_tensor() -> Vec<u8> {
    let mut pickle = Pickle::new();
    pickle.tensor("a", "FloatStorage", "0", 6, 0, (&[2, 3], &[3, 1]));
    pickle.end()
}

/// An archive with a pickle and its files of values.
pub fn torch_zip(pickle: &[u8], data: &[Vec<u8>]) -> Vec<u8> {
    packed_zip(pickle, data, CompressionMethod::Stored, b"little")
}

pub fn packed_zip(
    pickle: &[u8],
    data: &[Vec<u8>],
    method: CompressionMethod,
    order: &[u8],
) -> Vec<u8> {
    let mut writer = ZipWriter::new(std::io::Cursor::new(vec![]));
    let options = SimpleFileOptions::default().compression_method(method);
    let mut add = |name: &str, bytes: &[u8]| {
        writer.start_file(format!("model/{name}"), options).unwrap();
        writer.write_all(bytes).unwrap();
    };
    add("data.pkl", pickle);
    add("byteorder", order);
    data.iter().enumerate().for_each(|(key, bytes)| add(&format!("data/{key}"), bytes));
    writer.finish().unwrap().into_inner()
}
