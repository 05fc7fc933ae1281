//! Tests of checkpoints that are good, old, split in chunks, and hostile. The golden ones are read
//! in `tests/tests/golden_checkpoint.rs`.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::gin::Gin;
use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(vec![], Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// Reads a zarr folder `a` beside an index, with a header and chunks by name.
fn array(header: &str, chunks: &[(&str, Vec<u8>)]) -> Result<(Vec<usize>, Vec<f32>), String> {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("checkpoint"), b"").unwrap();
    std::fs::create_dir(folder.path().join("a")).unwrap();
    std::fs::write(folder.path().join("a/.zarray"), header).unwrap();
    for (name, bytes) in chunks {
        std::fs::write(folder.path().join("a").join(name), bytes).unwrap();
    }
    let mut source = Source::open(folder.path()).unwrap();
    zarr::read(&mut source, "a").map_err(|e| e.to_string())
}

fn header(shape: &str, chunks: &str, rest: &str) -> String {
    format!(
        r#"{{"zarr_format":2,"shape":{shape},"chunks":{chunks},"dtype":"<f4","order":"C",
            "compressor":{{"id":"gzip","level":1}},"fill_value":null,"filters":null{rest}}}"#
    )
}

#[test]
fn chunks_make_the_array_also_where_they_reach_over_its_border() {
    let parts = [
        ("0.0", gzip(&floats(&[0.0, 1.0, 3.0, 4.0]))),
        ("0.1", gzip(&floats(&[2.0, 9.0, 5.0, 9.0]))),
        ("1.0", gzip(&floats(&[6.0, 7.0, 9.0, 9.0]))),
        ("1.1", gzip(&floats(&[8.0, 9.0, 9.0, 9.0]))),
    ];
    let found = array(&header("[3,3]", "[2,2]", r#","dimension_separator":".""#), &parts).unwrap();
    assert_eq!(found, (vec![3, 3], (0..9u8).map(f32::from).collect()));
    let row = array(
        &header("[3]", "[2]", ""),
        &[("0", gzip(&floats(&[1.0, 2.0]))), ("1", gzip(&floats(&[3.0, 9.0])))],
    );
    assert_eq!(row.unwrap(), (vec![3], vec![1.0, 2.0, 3.0]));
}

#[test]
fn hostile_arrays_are_refused_with_their_file() {
    let one = |bytes: Vec<u8>| array(&header("[2]", "[2]", ""), &[("0", bytes)]).unwrap_err();
    let bomb = one(gzip(&vec![0; 1 << 20]));
    assert!(bomb.contains("a/0") && bomb.contains("wanted 8"), "{bomb}");
    let mut cut = gzip(&floats(&[1.0, 2.0]));
    cut.truncate(cut.len() - 9);
    assert!(one(cut).contains("a/0"));
    assert!(one(gzip(&floats(&[1.0]))).contains("only 4 bytes"));
    for (shape, chunks) in [
        ("[0]", "[1]"),
        ("[2]", "[0]"),
        ("[99999999999,99999999999]", "[1,1]"),
        ("[2,2,2]", "[2,2,2]"),
        ("[2]", "[2,2]"),
    ] {
        let found = array(&header(shape, chunks, ""), &[]);
        assert!(found.as_ref().is_err_and(|e| e.contains(".zarray")), "{shape}: {found:?}");
    }
    let missing = array(&header("[2]", "[2]", ""), &[]).unwrap_err();
    assert!(missing.contains("missing"), "{missing}");
    let other = array(&header("[2]", "[2]", "").replace("<f4", "<f8"), &[]).unwrap_err();
    assert!(other.contains("<f8") && other.contains("wanted"), "{other}");
}

fn zipped(files: &[(&str, &[u8])]) -> (TempDir, std::path::PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("model.zip");
    let mut writer = ZipWriter::new(std::fs::File::create(&path).unwrap());
    for (name, bytes) in files {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap();
    (folder, path)
}

#[test]
fn archives_that_are_no_checkpoint_say_so() {
    let read = |path: &Path| open(path).map(|_| ()).unwrap_err().to_string();
    let (_folder, path) = zipped(&[("../../evil", b"x"), ("m/checkpoint_1/checkpoint", b"x")]);
    assert!(read(&path).contains("leads out"), "{}", read(&path));
    let (_folder, path) = zipped(&[("readme.txt", b"x")]);
    assert!(read(&path).contains("checkpoint_STEP"), "{}", read(&path));
    let (_folder, path) = zipped(&[("m/checkpoint_7/checkpoint", b"\x93\x01\x02")]);
    assert!(read(&path).contains("msgpack"), "{}", read(&path));
    let (_folder, path) = zipped(&[("m/checkpoint_7/checkpoint", b"\x81\xa1a\x01")]);
    assert!(read(&path).contains("optimizer/target"), "{}", read(&path));
    // An array that claims to be 4 GB long, in three bytes.
    let (_folder, path) =
        zipped(&[("m/checkpoint_7/checkpoint", b"\x81\xa6target\xdd\xff\xff\xff\xff")]);
    assert!(!read(&path).is_empty());
    std::fs::write(&path, b"PK, but not really").unwrap();
    assert!(read(&path).contains("no zip file"), "{}", read(&path));
    assert!(read(Path::new("/nowhere/at/all.zip")).contains("/nowhere/at/all.zip"));
}

/// A zip file as Python writes it with LZMA, with names as Windows programs write them:
/// `m_1\\checkpoint`, which is empty, and `m_1\\a\\0`, which holds 1.0 and 2.0.
const LZMA_FROM_WINDOWS: &[u8] =
    b"\x50\x4b\x03\x04\x3f\x00\x02\x00\x0e\x00\x00\x00\x21\x00\x00\x00\x00\x00\x13\x00\x00\x00\
        \x00\x00\x00\x00\x0e\x00\x00\x00\x6d\x5f\x31\x5c\x63\x68\x65\x63\x6b\x70\x6f\x69\x6e\x74\
        \x09\x04\x05\x00\x5d\x00\x00\x80\x00\x00\x83\xff\xfb\xff\xff\xc0\x00\x00\x00\x50\x4b\x03\
        \x04\x3f\x00\x02\x00\x0e\x00\x00\x00\x21\x00\x76\xa5\x3f\x2e\x1a\x00\x00\x00\x08\x00\x00\
        \x00\x07\x00\x00\x00\x6d\x5f\x31\x5c\x61\x5c\x30\x09\x04\x05\x00\x5d\x00\x00\x80\x00\x00\
        \x00\x61\xfe\xf5\xfe\xd6\x26\x74\xda\xdf\xff\xff\xdf\x12\x00\x00\x50\x4b\x01\x02\x3f\x03\
        \x3f\x00\x02\x00\x0e\x00\x00\x00\x21\x00\x00\x00\x00\x00\x13\x00\x00\x00\x00\x00\x00\x00\
        \x0e\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01\x00\x00\x00\x00\x6d\x5f\x31\x5c\
        \x63\x68\x65\x63\x6b\x70\x6f\x69\x6e\x74\x50\x4b\x01\x02\x3f\x03\x3f\x00\x02\x00\x0e\x00\
        \x00\x00\x21\x00\x76\xa5\x3f\x2e\x1a\x00\x00\x00\x08\x00\x00\x00\x07\x00\x00\x00\x00\x00\
        \x00\x00\x00\x00\x00\x00\x80\x01\x3f\x00\x00\x00\x6d\x5f\x31\x5c\x61\x5c\x30\x50\x4b\x05\
        \x06\x00\x00\x00\x00\x02\x00\x02\x00\x71\x00\x00\x00\x7e\x00\x00\x00\x00\x00";

#[test]
fn archives_of_any_packer_are_read() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("lzma.zip");
    std::fs::write(&path, LZMA_FROM_WINDOWS).unwrap();
    let mut source = Source::open(&path).unwrap();
    assert_eq!(source.step(), 1);
    assert_eq!(source.read("a/0", 8).unwrap(), floats(&[1.0, 2.0]));
    for method in [CompressionMethod::Bzip2, CompressionMethod::Stored, CompressionMethod::Xz] {
        let mut writer = ZipWriter::new(std::fs::File::create(&path).unwrap());
        let options = SimpleFileOptions::default().compression_method(method);
        for name in ["m_2\\checkpoint", "m_2\\a\\0"] {
            writer.start_file(name, options).unwrap();
            writer.write_all(&floats(&[3.0, 4.0])).unwrap();
        }
        writer.finish().unwrap();
        let mut source = Source::open(&path).unwrap();
        assert_eq!(source.read("a/0", 8).unwrap(), floats(&[3.0, 4.0]), "{method:?}");
    }
    let (_folder, path) = zipped(&[("..\\evil", b"x"), ("m/checkpoint_1/checkpoint", b"x")]);
    let error = Source::open(&path).err().unwrap().to_string();
    assert!(error.contains("leads out"), "{error}");
}

#[test]
fn a_fill_value_may_be_no_number_where_nothing_is_missing() {
    for fill in [r#""NaN""#, r#""Infinity""#, r#""-Infinity""#] {
        let text = header("[2]", "[2]", "")
            .replace(r#""fill_value":null"#, &format!(r#""fill_value":{fill}"#));
        let whole = array(&text, &[("0", gzip(&floats(&[1.0, 2.0])))]);
        assert_eq!(whole.unwrap().1, [1.0, 2.0]);
        let error = array(&text, &[]).unwrap_err();
        assert!(error.contains("the chunk is missing"), "{error}");
    }
}

#[test]
fn gin_is_read_leniently() {
    let gin = Gin::parse(
        "import x.y\nfrom a import b\n# a comment\ntrain/network.T5Config.emb_dim = 512  # wide\n\
         network.T5Config.mlp_activations = ('gelu',\n    'linear')\n\
         network.T5Config.position_encoding = 'a#b'\n\
         TASK_FEATURE_LENGTHS = {'inputs': 2048,\n 'targets': 256}\nNUM = \\\n  3\nnot a binding\n\
         x.T5Config.emb_dim = 768",
    );
    assert_eq!(gin.number("T5Config.emb_dim"), Some(768), "the later one counts");
    assert_eq!(gin.entry("TASK_FEATURE_LENGTHS", "targets"), Some(256));
    assert_eq!(gin.text("T5Config.position_encoding"), Some("a#b"));
    assert_eq!(gin.number("NUM"), Some(3));
    assert!(gin.get("T5Config.mlp_activations").unwrap().contains("linear"));
}
