//! The service: it takes packets of clients, does what they request, and sends answers and changes.
//! It knows clients by their ids only and reads from no socket. The addresses of OSC are in
//! `timbre-control`. It runs in the thread `timbred-osc`, which may allocate and wait.
//!
//! | file | its part |
//! | --- | --- |
//! | `clients` | all clients, how to reach each, and what each is allowed to do |
//! | `held` | keys that connections hold down |
//! | `requests` | what each request does |
//! | `answers` | the answers to requests |
//! | `values` | the current value of every parameter |
//! | `subscribers` | which client gets which changes, and when |
//! | `learned` | which MIDI controllers set what |
//! | `pending` | commands that the supervisor has not answered yet |
//! | `senders` | which senders have a clock whose time tags can be used |
//! | `waiting` | bundles whose time has not come |
//!
//! A packet is applied whole or not at all: if one of its messages is wrong, nothing is applied,
//! and the sender gets an error that names the message. All that a bundle sets is published as one
//! settings value. Memory is bounded whatever clients send: see `waiting`, `subscribers` and
//! `clients`.

mod answers;
#[cfg(test)]
mod bundle_tests;
pub mod clients;
mod held;
mod learned;
pub mod pending;
mod requests;
mod senders;
mod subscribers;
#[cfg(test)]
mod tests;
mod values;
mod waiting;

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};
use timbre_control::action::INSTRUMENTS;
use timbre_control::arguments::{FASTEST_HZ, arguments};
use timbre_control::error::{Code, ControlError};
use timbre_control::osc::{self, EVERYTHING, message};
use timbre_control::packet::{ahead_s, bundles, decode, encode};
use timbre_control::pattern::Pattern;
use timbre_control::status::OscStatus;
use timbre_control::value::Value;
use tokio::sync::{mpsc, oneshot};

use super::ControlHandles;
use super::refusals::Refusals;
use super::token::Token;
use crate::bus::priority::give_way_to_sound;
use crate::bus::queues::Pulses;
use clients::{ClientId, Clients, Outgoing};
use held::Held;
use learned::Learned;
use pending::Pending;
use senders::Senders;
use subscribers::{Subscribers, Wish};
use values::Values;
use waiting::{Bundle, Waiting};

/// Longest wait for a packet while somebody waits for changes.
const TICK: Duration = Duration::from_millis(10);
/// Longest wait for a packet otherwise.
const IDLE: Duration = Duration::from_millis(50);
/// Most requests of one packet, after patterns are resolved.
const MOST_REQUESTS: usize = 4096;
/// Most errors that one packet is answered with.
const MOST_ERRORS: usize = 16;
/// How long a service that ends still takes packets.
const LAST_PACKETS: Duration = Duration::from_millis(50);
/// The actions that change the list of presets, and the path below which it is.
const CHANGES_PRESETS: [&str; 2] = ["/preset/save", "/preset/delete"];
const PRESETS: &str = "/preset";
/// How many packets of UDP, and of all connections together, can wait. When this is full,
/// connections wait, and the system drops datagrams.
const INPUTS: usize = 256;

/// The input of the service from the transports.
#[derive(Debug)]
pub enum Input {
    /// An OSC packet.
    Packet {
        /// The client that sent it.
        from: ClientId,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// A connection was opened. Its number is unique.
    Opened {
        /// The number of the connection.
        number: u64,
        /// The way of packets to it.
        outbox: mpsc::Sender<Outgoing>,
        /// The address of the machine at the other end.
        peer: IpAddr,
        /// Whether it has given the token already.
        is_known: bool,
    },
    /// A connection starts or stops listening to everything below a path.
    Listen {
        /// The number of the connection.
        number: u64,
        /// The path as the client gave it.
        path: String,
        /// Whether it starts listening, or stops.
        wanted: bool,
    },
    /// A connection was closed.
    Closed(u64),
    /// A request for the current value of every parameter, in the order of the table.
    Values(oneshot::Sender<Vec<Value>>),
}

/// The ends of the service that the transports hold.
pub struct Running {
    /// Takes datagrams.
    pub datagrams: Sender<Input>,
    /// Takes everything that arrives by connections.
    pub connections: Sender<Input>,
    /// The thread of the service.
    pub thread: std::thread::JoinHandle<()>,
}

/// The values with which the service starts.
pub struct Start {
    /// The socket that datagrams are sent from.
    pub socket: UdpSocket,
    /// The address to which that socket is bound.
    pub own: SocketAddr,
    /// Addresses that get every change without a subscription.
    pub targets: Vec<SocketAddr>,
    /// The token that clients of the network must give.
    pub token: Token,
    /// Ends the service when it is set.
    pub stop: Arc<AtomicBool>,
}

/// Starts the service.
///
/// # Errors
/// The system refuses the thread.
pub fn start(start: Start, handles: ControlHandles) -> std::io::Result<Running> {
    let Start { socket, own, targets, token, stop } = start;
    let values =
        Values::new(handles.model.clone(), handles.telemetry.clone(), handles.recorder.clone());
    let mut subscribers = Subscribers::new(&values.ids);
    let current = values.all(&handles.settings.load());
    for target in targets {
        let client = ClientId::Datagram(target);
        let pattern = Pattern::new(EVERYTHING).map_err(std::io::Error::other)?;
        let wish = Wish { target: client, owner: client, pattern, hz: FASTEST_HZ };
        subscribers.add_fixed(wish, Instant::now(), &current);
    }
    let model = handles.model.load_full();
    let learned = Learned::load(handles.controllers.clone(), handles.telemetry.clone());
    let (datagrams, of_datagrams) = bounded(INPUTS);
    let (connections, of_connections) = bounded(INPUTS);
    let mut service = Service {
        datagrams: of_datagrams,
        connections: of_connections,
        own,
        clients: Clients::new(socket, own, token),
        held: Held::default(),
        handles,
        values,
        subscribers,
        senders: Senders::default(),
        waiting: Waiting::default(),
        learned,
        pending: Pending::new(),
        traffic: OscStatus::default(),
        refusals: Refusals::default(),
        model,
        published: Instant::now(),
        stop,
    };
    let thread =
        std::thread::Builder::new().name("timbred-osc".to_owned()).spawn(move || service.run())?;
    Ok(Running { datagrams, connections, thread })
}

struct Service {
    datagrams: Receiver<Input>,
    connections: Receiver<Input>,
    /// The address at which datagrams arrive.
    own: SocketAddr,
    clients: Clients,
    held: Held,
    handles: ControlHandles,
    values: Values,
    subscribers: Subscribers,
    senders: Senders,
    waiting: Waiting,
    learned: Learned,
    pending: Pending,
    traffic: OscStatus,
    refusals: Refusals,
    /// The name of the model when last looked at.
    model: Arc<String>,
    /// When changes were last looked for.
    published: Instant,
    stop: Arc<AtomicBool>,
}

impl Service {
    fn run(&mut self) {
        give_way_to_sound();
        while !self.stop.load(Ordering::Acquire) {
            Pulses::beat(&self.handles.telemetry.pulses.osc);
            if let Ok(input) = self.next(self.timeout()) {
                self.take(input);
            }
            let now = Instant::now();
            while let Some(bundle) = self.waiting.due(now) {
                self.apply(&bundle.requests, bundle.from);
            }
            self.follow_controllers();
            self.pass_on_replies();
            self.publish(now);
        }
        // A client whose command ends this service still gets its answer, even if the ping after
        // the command is still in the socket.
        let until = Instant::now() + LAST_PACKETS;
        while let Ok(input) = self.next(until.saturating_duration_since(Instant::now())) {
            self.take(input);
        }
        self.pass_on_replies();
    }

    /// The next input. Datagrams and connections do not keep each other waiting.
    fn next(&self, timeout: Duration) -> Result<Input, RecvTimeoutError> {
        crossbeam::channel::select! {
            recv(self.datagrams) -> input => input.map_err(RecvTimeoutError::from),
            recv(self.connections) -> input => input.map_err(RecvTimeoutError::from),
            default(timeout) => Err(RecvTimeoutError::Timeout),
        }
    }

    fn timeout(&self) -> Duration {
        let is_idle =
            self.subscribers.len() == 0 && self.pending.is_empty() && !self.learned.is_awake();
        let tick = if is_idle { IDLE } else { TICK };
        let due = self.waiting.next().map(|at| at.saturating_duration_since(Instant::now()));
        due.map_or(tick, |due| due.min(tick))
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Packet { from, bytes } => self.packet(&bytes, from),
            Input::Opened { number, outbox, peer, is_known } => {
                self.clients.open(number, outbox, peer, is_known);
            }
            Input::Listen { number, path, wanted } => {
                let client = ClientId::Connection(number);
                if !self.subscribers.listen(client, &path, wanted, FASTEST_HZ) {
                    let error = timbre_control::parameters::unknown(&path);
                    self.refuse(client, &path, &error);
                }
            }
            Input::Closed(number) => {
                self.clients.close(number);
                for release in self.held.release(number) {
                    self.play(release);
                }
                self.subscribers.forget(ClientId::Connection(number));
            }
            Input::Values(wanted) => {
                // If nobody waits for the answer any more, it is not needed.
                let _ = wanted.send(self.values.all(&self.handles.settings.load()));
            }
        }
    }

    /// Sends changes to subscribers, no matter what caused them. Under a flood of packets it does
    /// so too, but not after each packet.
    fn publish(&mut self, now: Instant) {
        if now.duration_since(self.published) < TICK / 2 {
            return;
        }
        self.published = now;
        self.values.tidy(now);
        let model = self.handles.model.load_full();
        if model != self.model {
            self.model = model;
            self.clients.path_changed(INSTRUMENTS);
        }
        if !self.subscribers.any_due(now) {
            return;
        }
        let current = self.values.all(&self.handles.settings.load());
        let mut told: Vec<(ClientId, Vec<usize>)> = Vec::new();
        self.subscribers.publish(now, &current, |to, places| told.push((to, places.to_vec())));
        // Each value is encoded once, however many subscribers get it.
        let mut written: Vec<Option<Bytes>> = vec![None; current.len()];
        for (to, places) in told {
            let mut packets = Vec::with_capacity(places.len());
            for place in places {
                let (Some(slot), Some(value)) = (written.get_mut(place), current.get(place)) else {
                    continue;
                };
                let write = || message(self.subscribers.address(place), arguments(value));
                packets.push(slot.get_or_insert_with(|| encode(write()).into()).clone());
            }
            if let ClientId::Connection(_) = to {
                packets = bundles(packets);
            }
            packets.into_iter().for_each(|packet| self.clients.send(to, packet));
        }
    }

    fn packet(&mut self, bytes: &[u8], from: ClientId) {
        self.traffic.packets += 1;
        let Ok(parts) = decode(bytes) else {
            self.traffic.garbage += 1;
            return;
        };
        let mut bundles = Vec::new();
        let mut count = 0;
        let mut errors: Vec<(String, ControlError)> = Vec::new();
        let rights = self.clients.rights(from);
        for part in parts {
            let mut requests = Vec::new();
            for message in part.messages {
                let read = osc::read(&message);
                match read.and_then(|more| self.permitted(more, from, rights)) {
                    Ok(more) => requests.extend(more),
                    Err(e) => errors.push((message.addr, e)),
                }
                if count + requests.len() > MOST_REQUESTS {
                    let text = format!(
                        "the packet asks for more than {MOST_REQUESTS} things; send several"
                    );
                    return self.refuse(from, "#bundle", &ControlError::new(Code::Full, text));
                }
            }
            count += requests.len();
            bundles.push((part.at, requests));
        }
        if !errors.is_empty() {
            for (address, error) in errors.iter().take(MOST_ERRORS) {
                self.refuse(from, address, error);
            }
            return;
        }
        let (now, wall) = (Instant::now(), SystemTime::now());
        for (at, requests) in bundles {
            let delay = match ahead_s(at, wall) {
                Some(ahead_s) => self.senders.delay(from, ahead_s),
                None => Duration::ZERO,
            };
            if delay.is_zero() {
                self.apply(&requests, from);
            } else if let Err(e) = self.waiting.push(now, delay, Bundle { from, requests }) {
                self.refuse(from, "#bundle", &e);
            }
        }
    }

    /// Passes on the answers of the supervisor, and answers the pings that waited for them.
    fn pass_on_replies(&mut self) {
        while let Some(reply) = self.pending.next_reply() {
            if reply.outcome.is_ok() && CHANGES_PRESETS.contains(&reply.address.as_str()) {
                self.clients.path_changed(PRESETS);
            }
            match reply.outcome {
                Ok(values) if values.is_empty() => {}
                Ok(values) => {
                    let args = values.iter().flat_map(arguments).collect();
                    self.send(reply.from, message(reply.address, args));
                }
                Err(e) => self.refuse(reply.from, &reply.address, &e),
            }
        }
        while let Some((from, token)) = self.pending.next_ping() {
            self.send(from, answers::pong(token.as_ref()));
        }
    }

    fn refuse(&mut self, from: ClientId, address: &str, error: &ControlError) {
        self.traffic.errors += 1;
        self.send(from, osc::error(address, error));
    }

    fn send(&mut self, to: ClientId, message: rosc::OscMessage) {
        self.clients.send(to, encode(message).into());
    }
}
