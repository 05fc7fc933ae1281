//! Encodes cuts of the timeline as token ids. It knows the vocabulary and its limits, but no
//! network, and time only in steps of 10 ms.

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
