//! `timbred import` turns a checkpoint into a model that renders. If it fails it leaves nothing
//! behind.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};

use timbred_tests::golden_dir;
use timbred_tests::program::timbred;

fn run(home: &Path, arguments: &[&str]) -> Output {
    let data = home.join("data");
    Command::new(timbred())
        .args(arguments)
        .current_dir(home)
        .env("HOME", home)
        .env("XDG_DATA_HOME", data)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.clone(), output.stderr.clone()].concat()).into_owned()
}

/// Everything below a folder.
fn all_below(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return vec![] };
    let mut names = vec![];
    for entry in entries {
        let path = entry.unwrap().path();
        names.push(path.display().to_string());
        names.extend(all_below(&path));
    }
    names
}

#[test]
fn an_imported_checkpoint_renders_by_its_name() {
    let home = tempfile::tempdir().unwrap();
    let zip = golden_dir().join("checkpoint/tiny_with_context.zip");
    let zip = zip.to_str().unwrap();
    let imported = run(home.path(), &["import", zip, "--name", "tiny"]);
    assert!(imported.status.success(), "{}", said(&imported));
    assert!(said(&imported).contains("500000 steps"), "{}", said(&imported));
    let song = home.path().join("song.mid");
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("../daemon/assets/demo.mid"), &song)
        .unwrap();
    let rendered = run(
        home.path(),
        &["render", "song.mid", "--model", "tiny", "--to", "1", "--steps", "2", "--quiet"],
    );
    assert!(rendered.status.success(), "{}", said(&rendered));
    assert!(home.path().join("song.wav").metadata().unwrap().len() > 48_000);
    let again = run(home.path(), &["import", zip, "--name", "tiny"]);
    assert_eq!(again.status.code(), Some(5), "{}", said(&again));
    assert!(said(&again).contains("--name"), "{}", said(&again));
}

#[test]
fn a_broken_checkpoint_leaves_nothing_behind() {
    let home = tempfile::tempdir().unwrap();
    let whole = std::fs::read(golden_dir().join("checkpoint/tiny_with_context.zip")).unwrap();
    let zip = home.path().join("cut.zip");
    std::fs::write(&zip, &whole[..whole.len() / 2]).unwrap();
    let before = all_below(home.path());
    let failed = run(home.path(), &["import", "cut.zip"]);
    assert_eq!(failed.status.code(), Some(3), "{}", said(&failed));
    assert!(
        said(&failed).contains("cut.zip") && !said(&failed).contains("panicked"),
        "{}",
        said(&failed)
    );
    assert_eq!(all_below(home.path()), before);
    let nameless = run(home.path(), &["import", "cut.zip", "--name", "a/b"]);
    assert_eq!(nameless.status.code(), Some(2), "{}", said(&nameless));
}
