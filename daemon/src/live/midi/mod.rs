//! MIDI sources of the system: its ports (`ports`, and in `heard` which of them are listened to),
//! and which bytes count (`message`). JACK's are in `live::jack`. Each gives stamped messages to
//! the queue.

pub mod heard;
pub mod message;
mod names;
pub mod ports;
mod sequencer;
