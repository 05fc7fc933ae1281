#![cfg_attr(feature = "engine", doc = include_str!("../README.md"))]
#![cfg_attr(not(feature = "engine"), doc = "MIDI files, note tokens and checkpoints of models.")]
//!
//! # For those who work on this crate
//!
//! The modules are listed in the order in which data passes through them. None of them knows a
//! device, a port, a clock or a socket. Threads are started only on request ([`threads`]).

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod bundle;
#[cfg(feature = "checkpoint")]
pub mod checkpoint;
pub mod denoise;
#[cfg(feature = "engine")]
pub mod dynamics;
#[cfg(feature = "engine")]
mod engine;
pub mod event;
pub mod graph;
#[cfg(feature = "engine")]
pub mod ledger;
pub mod mel;
pub mod notes;
#[cfg(feature = "engine")]
pub mod parts;
#[cfg(feature = "engine")]
pub mod prior;
#[cfg(feature = "engine")]
pub mod streamer;
#[cfg(all(test, feature = "engine"))]
mod test_vectors;
#[cfg(feature = "engine")]
pub mod threads;
pub mod timeline;
pub mod tokens;
pub mod units;
#[cfg(feature = "engine")]
pub mod vocoder;
#[cfg(feature = "engine")]
mod wide;
#[cfg(feature = "engine")]
mod window;

#[cfg(feature = "engine")]
pub use bundle::{Bundle, BundleError};
#[cfg(feature = "engine")]
pub use denoise::DenoiseError;
pub use event::{Control, Event, NoteId, Part, Strike, What};
pub use notes::{
    FileRead, MidiFileError, Note, NoteEvent, Song, Voice, read_mended, read_song, read_song_file,
};
#[cfg(feature = "engine")]
pub use parts::Buses;
#[cfg(feature = "engine")]
pub use streamer::{Hop, StreamError, StreamOptions, Streamer};
#[cfg(feature = "engine")]
pub use threads::Threads;
