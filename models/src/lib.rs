//! Notes in, samples out: streaming spectrogram diffusion on a CPU.
//!
//! The modules in the order the data takes. Nothing here knows a device, a port, a clock or a
//! socket, or starts a thread unless told how many ([`threads`]); the same events and seed give the
//! same samples.

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
mod window;
