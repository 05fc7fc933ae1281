//! MIDI sources: the system's ports (`ports`) and JACK (`jack_port`). Each gives stamped messages to the queue.

pub mod jack_port;
pub mod ports;
