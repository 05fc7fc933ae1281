//! OSC over UDP: reads datagrams and gives them to the service. Runs in the thread `timbred-udp`.

use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::channel::Sender;
use timbre_control::packet::LARGEST;

use crate::bus::priority::give_way_to_sound;
use crate::control::service::Input;
use crate::control::service::clients::ClientId;

/// How often it looks whether it is to end.
const LOOK: Duration = Duration::from_millis(20);

/// Starts reading; ends when the service has ended.
///
/// # Errors
/// The system refuses the thread.
pub fn start(
    socket: UdpSocket,
    inputs: Sender<Input>,
    is_over: Arc<AtomicBool>,
) -> io::Result<JoinHandle<()>> {
    socket.set_read_timeout(Some(LOOK))?;
    let read = move || {
        give_way_to_sound();
        let mut buffer = vec![0; LARGEST];
        while !is_over.load(Ordering::Acquire) {
            match socket.recv_from(&mut buffer) {
                Ok((length, from)) => {
                    let bytes = buffer.get(..length).unwrap_or_default().to_vec();
                    // A full queue is waited for: the system keeps what it has room for, and drops
                    // the rest.
                    let input = Input::Packet { from: ClientId::Datagram(from), bytes };
                    if inputs.send(input).is_err() {
                        return;
                    }
                }
                Err(e) => match e.kind() {
                    io::ErrorKind::WouldBlock
                    | io::ErrorKind::TimedOut
                    | io::ErrorKind::Interrupted => {}
                    // Such as the news that a subscriber is gone: nothing to do, but not in a
                    // circle.
                    _ => std::thread::sleep(Duration::from_millis(1)),
                },
            }
        }
    };
    std::thread::Builder::new().name("timbred-udp".to_owned()).spawn(read)
}
