//! The MIDI sources of the system: its ports (`ports`), which of them are listened to (`heard`),
//! and which bytes are messages (`message`). Those of JACK are in `live::jack`. Each source puts
//! messages with their times into the queue.

pub mod heard;
pub mod message;
mod names;
pub mod ports;
mod sequencer;
