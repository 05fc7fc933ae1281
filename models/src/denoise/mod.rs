//! Makes mel frames from note tokens and past mel frames: schedule, sampler, noise and network. It
//! knows no notes, no audio and no clock; one call makes one target of L frames.

#[cfg(feature = "engine")]
mod decoder;
mod error;
pub mod held;
#[cfg(feature = "engine")]
pub mod network;
pub mod noise;
pub mod sampler;
pub mod schedule;
pub mod step;
#[cfg(feature = "engine")]
mod step_engine;
#[cfg(feature = "engine")]
pub mod step_trial;

#[cfg(feature = "engine")]
pub use decoder::Arithmetic;
pub use error::DenoiseError;
