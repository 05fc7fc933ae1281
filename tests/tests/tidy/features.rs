//! Checks that all ways of building choose the same features for the libraries. If they differ,
//! cargo compiles those libraries, and everything that uses them, again.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use super::{nothing, root};

/// The ways in which the Makefile and the tests build: the programs, all crates, and the tests of
/// all crates.
const WAYS: [&[&str]; 3] = [
    &["-p", "timbred", "-p", "timbre-control", "-e", "normal"],
    &["--workspace", "-e", "normal"],
    &["--workspace", "-e", "normal,dev"],
];

/// The features of each library, as one way of building chooses them.
fn chosen(way: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--prefix", "none", "--no-dedupe", "-f", "{p}|{f}"])
        .args(way)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut chosen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let Some((library, features)) = line.split_once('|') else { continue };
        chosen.entry(library.to_owned()).or_default().insert(features.to_owned());
    }
    chosen
}

/// The libraries for which two ways of building choose different features.
fn different(
    one: &BTreeMap<String, BTreeSet<String>>,
    other: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<String> {
    let both = one.iter().filter_map(|(library, features)| {
        let others = other.get(library).filter(|others| *others != features)?;
        Some(format!("{library}: {features:?} here, {others:?} there"))
    });
    both.collect()
}

#[test]
fn every_way_of_building_chooses_the_same_features() {
    let [programs, all, tests] = WAYS.map(chosen);
    let found: Vec<String> =
        different(&programs, &all).into_iter().chain(different(&all, &tests)).collect();
    nothing(&found);
}

#[test]
fn a_library_with_two_sets_of_features_is_found() {
    let of = |features: &[&str]| {
        let features = features.iter().map(|&text| text.to_owned()).collect();
        BTreeMap::from([("serde v1".to_owned(), features)])
    };
    assert_eq!(different(&of(&["std"]), &of(&["std"])), [""; 0]);
    assert_eq!(different(&of(&["std"]), &of(&["default,std"])).len(), 1);
    assert_eq!(different(&of(&["std"]), &BTreeMap::new()), [""; 0]);
}
