//! Tests of files of weights that want to run code, or that are inconsistent: each is refused with
//! what was found.

use super::written::{one_tensor, packed_zip};
use super::*;

fn refused(bytes: &[u8]) -> String {
    tensors("x.bin", bytes).map(|_| ()).unwrap_err()
}

/// The error for a pickle with one float32 file of six values.
fn pickle_refused(pickle: &[u8]) -> String {
    refused(&torch_zip(pickle, &[floats(&[1.0; 6])]))
}

#[test]
fn a_pickle_that_calls_anything_is_refused_by_the_name_of_it() {
    // Hostile pickles call something like `os.system("...")`, in several spellings.
    for (pickle, word) in [
        (b"\x80\x02cposix\nsystem\nX\x02\0\0\0ls\x85R.".as_slice(), "`posix.system`"),
        (b"\x80\x02cbuiltins\neval\nX\x01\0\0\x00a\x85R.", "`builtins.eval`"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02ls\x85R.", "`os.system`"),
        (b"(S'ls'\nios\nsystem\n.", "STRING"),
        (b"\x80\x02(X\x02\0\0\0lsios\nsystem\n.", "INST"),
        (b"\x80\x02(ctorch\nFloatStorage\no.", "OBJ"),
        (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)\x81.", "NEWOBJ"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"\x80\x02Pname\n.", "PERSID"),
        (b"\x80\x02\xff.", "unknown (0xff)"),
        (b"\x80\x02ctorch.hub\nload\n.", "`torch.hub.load`"),
        (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nX\x01\0\0\0a\x85R.", "makes no tensor"),
        (b"\x80\x02ccollections\nOrderedDict\n)\x85R.", "made of something"),
        (b"\x80\x02K\x01K\x02Q.", "none of torch's"),
        (b"\x80\x02K\x01)b.", "state"),
        (b"\x80\x09.", "protocol 9"),
        (b"\x80\x02K\x01.", "no dictionary"),
        (b"\x80\x02}X\x01\0\0\0aK\x01s.", "`a` in the pickle is no tensor"),
        (b"\x80\x02}K\x01K\x01s.", "no text"),
        (b"\x80\x02}K\x01a.", "APPEND"),
        (b"\x80\x02}(K\x01u.", "key without a value"),
        (b"\x80\x02(K\x01K\x01u.", "not there"),
        (b"\x80\x02t.", "no mark"),
        (b"\x80\x02(R.", "not there"),
        (b"\x80\x02h\x07.", "did not remember"),
        (b"\x80\x02\x8a\x09.", "9 bytes"),
        (b"\x80\x02X\xff\xff\xff\xff", "in the middle"),
        (b"\x80\x02X\x01\0\0\0\xff.", "UTF-8"),
        (b"\x80\x02cos", "in the middle"),
        (b"", "in the middle"),
    ] {
        let said = pickle_refused(pickle);
        assert!(said.contains(word), "{}: {said}", String::from_utf8_lossy(pickle));
    }
}

#[test]
fn tensors_that_lie_elsewhere_or_over_each_other_are_refused() {
    let of = |len, offset, shape: &[i64], strides: &[i64]| {
        let mut pickle = Pickle::new();
        pickle.tensor("a", "FloatStorage", "0", len, offset, (shape, strides));
        pickle_refused(&pickle.end())
    };
    assert!(of(6, 1, &[2, 3], &[3, 1]).contains("from value 1 on"));
    assert!(of(6, i64::MAX, &[2, 3], &[3, 1]).contains("in a storage of 6 values"));
    assert!(of(7, 0, &[2, 3], &[3, 1]).contains("a storage of 7 values in 24 bytes"));
    assert!(of(1 << 62, 0, &[2, 3], &[3, 1]).contains("24 bytes"));
    assert!(of(6, 0, &[1 << 40, 1 << 40], &[1 << 40, 1]).contains("from value 0 on"));
    assert!(of(-6, 0, &[2, 3], &[3, 1]).contains("-6 values"));
    assert!(of(6, 0, &[2, -3], &[3, 1]).contains("without storage, place, shape"));
    for strides in [[0, 1], [3, 2], [1, 1], [2, 1]] {
        assert!(of(6, 0, &[2, 3], &strides).contains("strides"), "{strides:?}");
    }
    assert!(of(6, 0, &[2, 3], &[1]).contains("strides"));
    let mut pickle = Pickle::new();
    pickle.tensor("a", "FloatStorage", "0", 6, 0, (&[4], &[1]));
    pickle.tensor("b", "FloatStorage", "0", 6, 3, (&[3], &[1]));
    assert!(pickle_refused(&pickle.end()).contains("`a` and `b` lie over each other"));
    let mut pickle = Pickle::new();
    pickle.tensor("a", "FloatStorage", "0", 6, 0, (&[3], &[1]));
    pickle.tensor("a", "FloatStorage", "0", 6, 3, (&[3], &[1]));
    assert!(pickle_refused(&pickle.end()).contains("`a` is twice"));
    for (storage, key, word) in
        [("DoubleStorage", "0", "DoubleStorage"), ("FloatStorage", "../../passwd", "no model/data")]
    {
        let mut pickle = Pickle::new();
        pickle.tensor("a", storage, key, 6, 0, (&[6], &[1]));
        let said = pickle_refused(&pickle.end());
        assert!(said.contains(word), "{said}");
    }
}

/// The central record of file number `n` in an archive.
fn record(zip: &[u8], n: usize) -> usize {
    let records = zip.windows(4).enumerate().filter(|(_, bytes)| bytes == b"PK\x01\x02");
    records.map(|(at, _)| at).nth(n).unwrap()
}

#[test]
fn archives_that_lie_are_refused() {
    let data = [floats(&[1.0; 6]), floats(&[2.0; 6])];
    let mut pickle = Pickle::new();
    pickle.tensor("a", "FloatStorage", "0", 6, 0, (&[6], &[1]));
    pickle.tensor("b", "FloatStorage", "1", 6, 0, (&[6], &[1]));
    let good = torch_zip(&pickle.end(), &data);
    // Two names for one file: the second record points to the first file.
    let (first, second) = (record(&good, 2), record(&good, 3));
    let mut twice = good.clone();
    twice.copy_within(first + 42..first + 46, second + 42);
    assert!(refused(&twice).contains("lie over each other"), "{}", refused(&twice));
    let mut far = good.clone();
    far[first + 20..first + 28].fill(0x7f);
    assert!(!refused(&far).is_empty());
    let packed = packed_zip(&one_tensor(), &data, CompressionMethod::Deflated, b"little");
    assert!(refused(&packed).contains("packed"), "{}", refused(&packed));
    let other = packed_zip(&one_tensor(), &data, CompressionMethod::Stored, b"big");
    assert!(refused(&other).contains("largest byte first"));
    // A pickle that unpacks to a gigabyte is only read up to the limit.
    let bomb = packed_zip(&vec![b'('; 1 << 24], &[], CompressionMethod::Deflated, b"little");
    assert!(bomb.len() < 1 << 17 && refused(&bomb).contains("data.pkl: more than"));
    assert!(refused(b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.").contains("before version 1.6"));
    assert!(refused(b"./data.tar").contains("no zip file"));
    assert!(refused(b"PK, but not really").contains("no zip file"));
    assert!(refused(&good[..good.len() / 2]).contains("no zip file"));
    let empty = ZipWriter::new(std::io::Cursor::new(vec![])).finish().unwrap().into_inner();
    assert!(refused(&empty).contains("no data.pkl"), "{}", refused(&empty));
}

#[test]
fn a_damaged_value_is_found_by_its_checksum() {
    let mut bytes = torch_zip(&one_tensor(), &[floats(&[1.25; 6])]);
    let at = bytes.windows(4).position(|w| w == 1.25f32.to_le_bytes()).unwrap();
    bytes[at] ^= 1;
    let (_folder, file, found) = tensors("x.bin", &bytes).unwrap();
    let error = found.get("a").unwrap().read(&file, false).unwrap_err();
    assert!(error.contains("checksum"), "{error}");
}
