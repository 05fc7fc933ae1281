//! What all servers with connections have in common: the way of packets to the service and back,
//! the pace of a connection, and when it is dropped. It knows no protocol, and the thread
//! `timbred-remote` uses it.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam::channel::{Sender, TrySendError};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;

use super::service::Input;
use super::service::clients::{ClientId, Outgoing};

/// The most connections that speak OSC, over TCP and WebSocket together.
const MOST: usize = 64;
/// The most packets that wait for one of them.
const OUTBOX: usize = 256;
/// The most packets a second that are taken from one connection. Faster ones wait at the sender.
const PACKETS_HZ: f64 = 4000.0;
/// The most packets that may arrive at once.
const AT_ONCE: f64 = 1000.0;
/// A connection that takes nothing for this time is dropped.
pub const STALLED: Duration = Duration::from_secs(3);
/// How much the system buffers for a connection, bytes.
const KEPT: usize = 128 * 1024;
/// The wait between two attempts to put something into a full queue of the service.
const LOOK: Duration = Duration::from_millis(1);

/// All connections, and their way to the service.
#[derive(Debug, Clone)]
pub struct Links {
    service: Sender<Input>,
    number: Arc<AtomicU64>,
    places: Arc<Semaphore>,
}

/// One connection, which is removed when this is dropped.
#[derive(Debug)]
pub struct Link {
    links: Links,
    number: u64,
    /// The packets to send. When this channel ends, the service has dropped the connection.
    pub outbox: mpsc::Receiver<Outgoing>,
    /// How many packets may arrive now.
    budget: f64,
    filled: Instant,
    _place: OwnedSemaphorePermit,
}

impl Links {
    /// No connections yet.
    pub fn new(service: Sender<Input>) -> Self {
        Self { service, number: Arc::default(), places: Arc::new(Semaphore::new(MOST)) }
    }

    /// Adds a connection from a machine; none if there are too many, or the service has ended.
    pub async fn open(&self, peer: IpAddr, is_known: bool) -> Option<Link> {
        let place = self.places.clone().try_acquire_owned().ok()?;
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let (sender, outbox) = mpsc::channel(OUTBOX);
        let opened = Input::Opened { number, outbox: sender, peer, is_known };
        self.give(opened).await.then(|| Link {
            links: self.clone(),
            number,
            outbox,
            budget: AT_ONCE,
            filled: Instant::now(),
            _place: place,
        })
    }

    /// Passes something to the service, and waits while its queue is full. Returns false if it has
    /// ended.
    pub async fn give(&self, mut input: Input) -> bool {
        loop {
            input = match self.service.try_send(input) {
                Ok(()) => return true,
                Err(TrySendError::Full(back)) => back,
                Err(TrySendError::Disconnected(_)) => return false,
            };
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl Link {
    /// Passes a packet of this connection to the service. Returns false if the service has ended.
    pub async fn packet(&mut self, bytes: Vec<u8>) -> bool {
        self.budget -= 1.0;
        self.links.give(Input::Packet { from: ClientId::Connection(self.number), bytes }).await
    }

    /// Starts or stops listening to everything below a path.
    pub async fn listen(&mut self, path: String, wanted: bool) -> bool {
        self.budget -= 1.0;
        self.links.give(Input::Listen { number: self.number, path, wanted }).await
    }

    /// When the next packet may be taken; none if it may be taken now.
    pub fn pause(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let more = now.duration_since(self.filled).as_secs_f64() * PACKETS_HZ;
        (self.budget, self.filled) = ((self.budget + more).min(AT_ONCE), now);
        (self.budget < 1.0).then(|| now + Duration::from_secs_f64((1.0 - self.budget) / PACKETS_HZ))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let closed = Input::Closed(self.number);
        // When the runtime ends, nothing waits: the service ends, too, or sees that the outbox is
        // gone.
        if let Err(TrySendError::Full(closed)) = self.links.service.try_send(closed)
            && let Ok(runtime) = Handle::try_current()
        {
            let links = self.links.clone();
            runtime.spawn(async move { links.give(closed).await });
        }
    }
}

/// Sets the options of a connection: small packets are sent at once, little is buffered, and the
/// connection ends if its machine is gone.
pub fn tune(stream: &TcpStream) {
    let socket = socket2::SockRef::from(stream);
    let alive = socket2::TcpKeepalive::new()
        .with_time(Duration::from_secs(10))
        .with_interval(Duration::from_secs(5))
        .with_retries(3);
    let tuned = stream
        .set_nodelay(true)
        .and_then(|()| socket.set_send_buffer_size(KEPT))
        .and_then(|()| socket.set_tcp_keepalive(&alive));
    if let Err(e) = tuned {
        tracing::debug!("a connection stays as the system made it: {e}");
    }
}

#[cfg(test)]
mod tests {
    use crossbeam::channel::bounded;

    use super::*;

    #[test]
    fn there_are_no_more_than_fit_and_who_is_fast_waits() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (service, inputs) = bounded(10_000);
            let links = Links::new(service);
            let peer = IpAddr::from([127, 0, 0, 1]);
            let mut all = vec![];
            for _ in 0..MOST {
                all.push(links.open(peer, true).await.unwrap());
            }
            assert!(links.open(peer, true).await.is_none());
            let fast = all.first_mut().unwrap();
            let begun = Instant::now();
            let mut sent = 0.0;
            while fast.pause().is_none() {
                assert!(fast.packet(vec![]).await);
                sent += 1.0;
            }
            let most = AT_ONCE + begun.elapsed().as_secs_f64() * PACKETS_HZ;
            assert!((AT_ONCE - 1.0..=most).contains(&sent), "{sent} of {most}");
            let until = fast.pause().unwrap();
            assert!(until <= Instant::now() + Duration::from_millis(1));
            all.truncate(MOST - 1);
            assert!(links.open(peer, true).await.is_some());
            let closed = inputs.try_iter().filter(|input| matches!(input, Input::Closed(_)));
            assert_eq!(closed.count(), 2);
        });
    }
}
