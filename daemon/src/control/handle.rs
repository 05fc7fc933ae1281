//! The handle by which the rest of the program knows the service: where it listens, whether it
//! lives, and how to end it. It knows no packets.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crossbeam::channel::Sender;

use super::ControlHandles;
use super::osc::udp;
use super::service::{self, Input, Start};
use super::token::Token;

/// The running service with its UDP server. Dropping it ends and joins both threads.
#[derive(Debug)]
pub struct OscServer {
    address: SocketAddr,
    connections: Sender<Input>,
    stop: Arc<AtomicBool>,
    is_over: Arc<AtomicBool>,
    service: Option<JoinHandle<()>>,
    datagrams: Option<JoinHandle<()>>,
}

/// Starts the service on a bound socket. Every change is also sent to the fixed targets. If a token
/// is wanted, clients of the network must give it first.
///
/// # Errors
/// The system refuses the socket or a thread.
pub fn spawn(
    socket: UdpSocket,
    targets: Vec<SocketAddr>,
    token: Token,
    handles: ControlHandles,
) -> io::Result<OscServer> {
    let address = socket.local_addr()?;
    let stop = Arc::new(AtomicBool::new(false));
    let start =
        Start { socket: socket.try_clone()?, own: address, targets, token, stop: stop.clone() };
    let running = service::start(start, handles)?;
    let is_over = Arc::new(AtomicBool::new(false));
    let mut server = OscServer {
        address,
        connections: running.connections,
        stop,
        is_over: is_over.clone(),
        service: Some(running.thread),
        datagrams: None,
    };
    server.datagrams = Some(udp::start(socket, running.datagrams, is_over)?);
    Ok(server)
}

impl OscServer {
    /// The address on which it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The queue for packets of connections.
    pub fn connections(&self) -> Sender<Input> {
        self.connections.clone()
    }

    /// Whether one of its threads is gone although nobody ended it.
    pub fn is_dead(&self) -> bool {
        let is_gone =
            |thread: &Option<JoinHandle<()>>| thread.as_ref().is_none_or(JoinHandle::is_finished);
        is_gone(&self.service) || is_gone(&self.datagrams)
    }
}

impl Drop for OscServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.service.take() {
            let _ = thread.join();
        }
        // The UDP thread reads until the service has ended.
        self.is_over.store(true, Ordering::Release);
        if let Some(thread) = self.datagrams.take() {
            let _ = thread.join();
        }
    }
}
