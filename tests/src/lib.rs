//! What the golden and end-to-end tests share.

pub mod bundle;
pub mod garbage;
pub mod jack;
pub mod live;
pub mod mel_decoder;
pub mod onsets;
pub mod program;

use std::path::PathBuf;

pub mod npz;

/// Where the golden vectors lie: `$GOLDEN`, or `tests/golden` of this repository.
pub fn golden_dir() -> PathBuf {
    std::env::var_os("GOLDEN").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/golden")),
        PathBuf::from,
    )
}
