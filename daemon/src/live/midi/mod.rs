//! MIDI sources: the system's ports (`ports`, and in `heard` which of them are listened to) and JACK (`jack_port`, and in
//! `jack_patch` its cables). Each gives stamped messages to the queue.

pub mod heard;
mod jack_patch;
pub mod jack_port;
pub mod ports;
