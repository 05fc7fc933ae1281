//! Helpers for the golden and end-to-end tests.

pub mod bundle;
pub mod chords;
pub mod garbage;
pub mod golden;
pub mod heard;
pub mod jack;
pub mod live;
pub mod mel_decoder;
pub mod onsets;
pub mod pitch;
pub mod program;
pub mod segments;

pub mod npz;

pub use golden::golden_dir;

/// The folder of the bundled model.
pub const BUNDLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/bundled/live");

/// The bundled model.
///
/// # Panics
/// It is damaged.
#[allow(clippy::expect_used)]
pub fn bundled() -> timbre_models::bundle::Bundle {
    timbre_models::bundle::Bundle::open(BUNDLED).expect("the bundled model")
}
