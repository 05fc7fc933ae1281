//! The golden checkpoints are read bit for bit, and the network imported from one says what the original says.
#![allow(clippy::unwrap_used, clippy::panic)]

use timbre_models::checkpoint;
use timbred_tests::golden_dir;
use timbred_tests::npz::Npz;

#[test]
fn golden_checkpoints_are_read_bit_for_bit() {
    let dir = golden_dir();
    let mut seen = 0;
    for entry in std::fs::read_dir(dir.join("checkpoint")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "zip") {
            continue;
        }
        let mut told = 0;
        let found = checkpoint::read(&path, &mut |_, all| {
            told = all;
            true
        });
        let found = found.unwrap_or_else(|e| panic!("{e}"));
        let mut npz = Npz::open(&dir.join("network/params.npz"));
        let names = npz.names();
        assert_eq!(names.len(), told, "{}", path.display());
        assert_eq!(found.params.iter().count(), names.len());
        for name in names {
            let (wanted, param) = (npz.f32(&name), found.params.get(&name).unwrap());
            assert_eq!(param.shape, wanted.shape(), "{name}");
            let same = param.values.iter().zip(&wanted).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{name} in {}", path.display());
        }
        assert_eq!((found.velocity_bins, found.step), (1, 500_000));
        seen += 1;
    }
    assert!(seen >= 2, "no checkpoints in {}", dir.display());
}

#[test]
fn an_unpacked_checkpoint_is_the_same_from_any_of_its_folders() {
    let zip = golden_dir().join("checkpoint/tiny_target_only.zip");
    let folder = tempfile::tempdir().unwrap();
    let mut archive = zip::ZipArchive::new(std::fs::File::open(&zip).unwrap()).unwrap();
    archive.extract(folder.path()).unwrap();
    let packed = checkpoint::read(&zip, &mut |_, _| true).unwrap();
    for inner in ["", "tiny_target_only", "tiny_target_only/checkpoint_500000"] {
        let path = folder.path().join(inner);
        let found = checkpoint::read(&path, &mut |_, _| true).unwrap_or_else(|e| panic!("{e}"));
        assert!(found.params == packed.params && found.network == packed.network, "{inner}");
        assert_eq!(found.step, 500_000);
    }
    let gin = folder.path().join("tiny_target_only/config.gin");
    let text = std::fs::read_to_string(&gin).unwrap();
    std::fs::write(&gin, text.replace("emb_dim = 16", "emb_dim = 32")).unwrap();
    let error = checkpoint::read(folder.path(), &mut |_, _| true).unwrap_err().to_string();
    assert!(error.contains("config.gin") && error.contains("emb_dim = 32"), "{error}");
}
