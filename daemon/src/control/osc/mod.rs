//! The transports of OSC: UDP, and connections over TCP. They know sockets, and not the meaning of
//! a packet.

mod framing;
pub mod tcp;
pub mod udp;
