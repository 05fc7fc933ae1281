//! What the golden and end-to-end tests share.

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
