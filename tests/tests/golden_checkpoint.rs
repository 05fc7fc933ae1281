//! The golden checkpoints are read bit for bit, and the network imported from one gives the same
//! output as the original.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;

use timbre_models::checkpoint::{self, Origin};
use timbred_tests::golden::{golden, golden_files};
use timbred_tests::npz::Npz;

#[test]
fn golden_checkpoints_are_read_bit_for_bit() {
    let Some(params) = golden("network/params.npz") else { return };
    for path in golden_files("checkpoint", "", ".zip") {
        let found = checkpoint::open(&path).unwrap_or_else(|e| panic!("{e}"));
        let mut npz = Npz::open(&params);
        let names = npz.names();
        assert_eq!(found.network.parameters().len(), names.len(), "{}", path.display());
        for name in names {
            let (wanted, param) = (npz.f32(&name), found.weights().param(&name).unwrap());
            assert_eq!(param.shape, wanted.shape(), "{name}");
            let same = param.values.iter().zip(&wanted).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{name} in {}", path.display());
        }
        let origin = Origin::T5x { step: named_step(&path) };
        assert_eq!((found.velocity_bins, found.origin), (1, origin));
    }
}

/// The step in the name of the folder with the index of the checkpoint.
fn named_step(zip: &Path) -> u64 {
    let archive = zip::ZipArchive::new(std::fs::File::open(zip).unwrap()).unwrap();
    let index = archive.file_names().find(|name| name.ends_with("/checkpoint")).unwrap();
    let folder = index.strip_suffix("/checkpoint").unwrap();
    folder.rsplit('_').next().unwrap().parse().unwrap()
}

#[test]
fn an_unpacked_checkpoint_is_the_same_from_any_of_its_folders() {
    let Some(zip) = golden("checkpoint/tiny_target_only.zip") else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut archive = zip::ZipArchive::new(std::fs::File::open(&zip).unwrap()).unwrap();
    archive.extract(folder.path()).unwrap();
    let packed = checkpoint::open(&zip).unwrap();
    let step = named_step(&zip);
    let inner = format!("tiny_target_only/checkpoint_{step}");
    for inner in ["", "tiny_target_only", &inner] {
        let path = folder.path().join(inner);
        let found = checkpoint::open(&path).unwrap_or_else(|e| panic!("{e}"));
        let same = found.params().unwrap() == packed.params().unwrap();
        assert!(same && found.network == packed.network, "{inner}");
        assert_eq!(found.origin, Origin::T5x { step });
    }
    let gin = folder.path().join("tiny_target_only/config.gin");
    let text = std::fs::read_to_string(&gin).unwrap();
    std::fs::write(&gin, text.replace("emb_dim = 16", "emb_dim = 32")).unwrap();
    let error = checkpoint::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("config.gin") && error.contains("emb_dim = 32"), "{error}");
}
