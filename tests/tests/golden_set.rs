//! A set of golden vectors may be incomplete, but not empty.

use timbred_tests::golden::{comparable, golden_dir};

#[test]
fn there_is_something_to_compare() {
    let files = comparable();
    println!("{files} files to compare in {}", golden_dir().display());
    assert!(files > 0, "{} holds no golden vector that is known here", golden_dir().display());
}
