//! Cuts of the timeline as token ids. Knows vocabulary and limits; no network, no time but 10 ms
//! steps.

mod encode;
pub mod merge;
mod options;
mod song;
mod vocabulary;

#[cfg(test)]
mod tests;

pub use encode::{EncodeReport, age_token, encode_segment};
pub use options::{HeldStyle, OptionsError, ProgramMap, Rounding, SLAKH_PROGRAMS, TokenOptions};
pub use song::{Segment, song_segments};
pub use vocabulary::Vocabulary;
