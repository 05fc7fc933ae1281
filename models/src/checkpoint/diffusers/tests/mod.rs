//! Tests of pipelines that are good, odd, contradictory and hostile. `tests/tests/diffusers.rs`
//! tests that a whole pipeline gives the same results as in diffusers.

mod folders;
mod hostile;
mod written;

use std::fs::File;
use std::io::Write;

use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::tensor::{Kind, Tensor};
use super::*;
use written::{Pickle, torch_zip};

/// The tensors of a file, by the reader for its ending.
fn tensors(name: &str, bytes: &[u8]) -> Result<(TempDir, File, BTreeMap<String, Tensor>), String> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let file = File::open(&path).unwrap();
    let found = match name.ends_with(".bin") {
        true => bin::tensors(&file, bytes.len() as u64),
        false => safe::tensors(&file, bytes.len() as u64),
    };
    found.map(|tensors| (folder, file, tensors))
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn halves(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| half::f16::from_f32(*v).to_le_bytes()).collect()
}

#[test]
fn every_parameter_has_one_name_and_its_shape_in_both_worlds() {
    let config = NetworkConfig {
        vocab_size: 1536,
        emb: 16,
        heads: 3,
        head_dim: 4,
        mlp: 24,
        token_layers: 1,
        context_layers: 2,
        decoder_layers: 3,
        max_tokens: 96,
        context_frames: 40,
        target_frames: 48,
        mel_bins: 128,
        has_context: true,
        prior: false,
        max_noise_time: 20_000.0,
    };
    let table = names::table(&config);
    let ours: BTreeMap<_, _> = table.iter().map(|n| (n.ours.clone(), n.our_shape())).collect();
    assert_eq!(ours, config.parameters().into_iter().collect());
    let theirs: BTreeSet<_> = table.iter().map(|n| (n.part, n.theirs.clone())).collect();
    assert_eq!((theirs.len(), ours.len()), (table.len(), table.len()));
}

#[test]
fn what_torch_saves_is_read_in_any_of_its_types_and_layouts() {
    let values = [1.0, -2.0, 0.5, 4.0, 5.5, -6.0];
    let bf16: Vec<u8> =
        values.iter().flat_map(|v| half::bf16::from_f32(*v).to_le_bytes()).collect();
    let mut pickle = Pickle::new();
    pickle.tensor("rows", "FloatStorage", "0", 6, 0, (&[2, 3], &[3, 1]));
    pickle.tensor("columns", "HalfStorage", "1", 6, 0, (&[3, 2], &[1, 3]));
    pickle.tensor("small", "BFloat16Storage", "2", 6, 0, (&[6], &[1]));
    // Two parts of one storage, and a row whose stride does not matter.
    pickle.tensor("first", "FloatStorage", "3", 6, 0, (&[1, 2], &[77, 1]));
    pickle.tensor("last", "FloatStorage", "3", 6, 2, (&[2, 2], &[2, 1]));
    let data = [floats(&values), halves(&values), bf16, floats(&values)];
    let (_folder, file, found) = tensors("x.bin", &torch_zip(&pickle.end(), &data)).unwrap();
    let read = |name: &str, turned| found.get(name).unwrap().read(&file, turned).unwrap();
    assert_eq!(read("rows", false), values);
    assert_eq!(read("rows", true), [1.0, 4.0, -2.0, 5.5, 0.5, -6.0]);
    assert_eq!(read("columns", true), values);
    assert_eq!(read("columns", false), [1.0, 4.0, -2.0, 5.5, 0.5, -6.0]);
    assert_eq!(read("small", false), values);
    assert_eq!(read("first", false), values[..2]);
    assert_eq!(read("last", true), [0.5, 5.5, 4.0, -6.0]);
    assert_eq!(found.get("rows").map(|t| (t.kind, t.shape.clone())), Some((Kind::F32, vec![2, 3])));
}

/// A safetensors file with this header and these bytes after it.
fn safetensors(header: &str, bytes: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), bytes].concat()
}

#[test]
fn safetensors_are_read_and_broken_ones_refused() {
    let good = concat!(
        r#"{"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"#,
        r#""b":{"dtype":"F16","shape":[1],"data_offsets":[8,10]}}"#
    );
    let bytes = [floats(&[1.0, 2.0]), halves(&[3.0])].concat();
    let (_folder, file, found) = tensors("x.safetensors", &safetensors(good, &bytes)).unwrap();
    assert_eq!(found.get("a").unwrap().read(&file, true).unwrap(), [1.0, 2.0]);
    assert_eq!(found.get("b").unwrap().read(&file, false).unwrap(), [3.0]);
    let refused = |bytes: &[u8]| tensors("x.safetensors", bytes).map(|_| ()).unwrap_err();
    assert!(refused(&safetensors(good, &bytes[..9])).contains("wanted"));
    assert!(refused(&safetensors(good, &[0; 11])).contains("wanted"));
    assert!(refused(b"PK").contains("only 2 bytes"));
    assert!(refused(&u64::MAX.to_le_bytes()).contains("a header of 18446744073709551615 bytes"));
    assert!(refused(&safetensors("{nothing", &[])).contains("no safetensors"));
    for (from, to) in [
        ("[8,10]", "[6,8]"),
        ("[8,10]", "[10,12]"),
        ("[1,2]", "[9,9]"),
        ("[1,2]", "[18446744073709551615,3]"),
        ("F16", "F17"),
        ("F16", "I16"),
    ] {
        let error = refused(&safetensors(&good.replace(from, to), &bytes));
        assert!(!error.is_empty(), "{to}");
    }
    assert!(refused(&safetensors(&good.replace("F16", "I16"), &bytes)).contains("`b` is of I16"));
}
