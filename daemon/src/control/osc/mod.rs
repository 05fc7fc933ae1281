//! The edges that speak OSC: datagrams, and connections over TCP. Know sockets and no meaning of a
//! packet.

mod framing;
pub mod tcp;
pub mod udp;
