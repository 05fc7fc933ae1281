//! Notes in, samples out: streaming spectrogram diffusion on a CPU.
//!
//! The modules in the order the data takes. Nothing here knows a device, a port, a thread, a clock or
//! a socket; the same events and seed give the same samples.

pub mod units;
