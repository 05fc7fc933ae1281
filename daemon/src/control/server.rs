//! The OSC server: packets in, requests done, answers and changes out. Knows no address; they are in `timbre-control`.
//! Runs in the thread `timbred-osc`, which may allocate and wait.
//!
//! A packet is done whole or not at all: if one of its messages is wrong, its sender is told which, and nothing is done. All
//! that a bundle sets is published as one settings value. Memory is bounded whatever comes: see `waiting` and `subscribers`.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use rosc::OscMessage;
use timbre_control::action::Action;
use timbre_control::arguments::{FASTEST_HZ, arguments};
use timbre_control::error::{Code, ControlError};
use timbre_control::learn::LEARN;
use timbre_control::osc::{
    self, EVERYTHING, LEASE_S, RECORD_START, RECORD_STOP, Request, SUBSCRIBE, Subscription, message,
};
use timbre_control::packet::{LARGEST, ahead_s, decode, encode, packets};
use timbre_control::parameters::{Id, Key};
use timbre_control::pattern::Pattern;
use timbre_control::settings::Settings;
use timbre_control::status::OscStatus;
use timbre_control::value::Value;

use super::ControlHandles;
use super::answers::{by_midi, pong, started, status, stopped, version};
use super::handle::OscServer;
use super::learned::{Learned, Moved};
use super::pending::Pending;
use super::senders::Senders;
use super::subscribers::{Subscribers, reachable};
use super::values::Values;
use super::waiting::{Bundle, Waiting};
use crate::live::priority::give_way_to_sound;
use crate::live::queues::Pulses;
use crate::live::queues::{Midi, MidiInput, SourceId};

/// Longest wait for a packet while somebody waits for changes.
const TICK: Duration = Duration::from_millis(10);
/// Longest wait for a packet otherwise.
const IDLE: Duration = Duration::from_millis(50);
/// Most requests of one packet, after patterns are resolved.
const MOST_REQUESTS: usize = 4096;
/// Most errors that one packet is answered with.
const MOST_ERRORS: usize = 16;
/// What a server that ends still reads.
const LAST_PACKETS: Duration = Duration::from_millis(50);

/// Starts the server on a bound socket; every change is also sent to the fixed targets.
///
/// # Errors
/// The socket or the thread cannot be had.
pub fn spawn(
    socket: UdpSocket,
    fixed_targets: Vec<SocketAddr>,
    handles: ControlHandles,
) -> io::Result<OscServer> {
    let address = socket.local_addr()?;
    socket.set_read_timeout(Some(IDLE))?;
    let values =
        Values::new(handles.model.clone(), handles.telemetry.clone(), handles.recorder.clone());
    let mut subscribers = Subscribers::new(&values.ids);
    let current = values.all(&handles.settings.load());
    for target in fixed_targets {
        let everything = Pattern::new(EVERYTHING).map_err(io::Error::other)?;
        subscribers.add_fixed(target, everything, FASTEST_HZ, Instant::now(), &current);
    }
    let learned = Learned::load(handles.controllers.clone(), handles.telemetry.clone());
    let stop = Arc::new(AtomicBool::new(false));
    let mut server = Server {
        socket,
        address,
        handles,
        values,
        subscribers,
        senders: Senders::default(),
        waiting: Waiting::default(),
        learned,
        pending: Pending::new(),
        traffic: OscStatus::default(),
        published: Instant::now(),
        stop: stop.clone(),
    };
    let thread =
        std::thread::Builder::new().name("timbred-osc".to_owned()).spawn(move || server.run())?;
    Ok(OscServer { address, stop, thread: Some(thread) })
}

struct Server {
    socket: UdpSocket,
    address: SocketAddr,
    handles: ControlHandles,
    values: Values,
    subscribers: Subscribers,
    senders: Senders,
    waiting: Waiting,
    learned: Learned,
    pending: Pending,
    traffic: OscStatus,
    /// When changes were last looked for.
    published: Instant,
    stop: Arc<AtomicBool>,
}

impl Server {
    fn run(&mut self) {
        give_way_to_sound();
        let mut buffer = vec![0; LARGEST];
        let mut timeout = IDLE;
        while !self.stop.load(Ordering::Acquire) {
            Pulses::beat(&self.handles.telemetry.pulses.osc);
            let wanted = self.timeout();
            if wanted != timeout && self.socket.set_read_timeout(Some(wanted)).is_ok() {
                timeout = wanted;
            }
            match self.socket.recv_from(&mut buffer) {
                Ok((length, from)) => self.packet(buffer.get(..length).unwrap_or_default(), from),
                Err(e) => match e.kind() {
                    io::ErrorKind::WouldBlock
                    | io::ErrorKind::TimedOut
                    | io::ErrorKind::Interrupted => {}
                    // Such as the news that a subscriber is gone: nothing to do, but not in a circle.
                    _ => std::thread::sleep(Duration::from_millis(1)),
                },
            }
            let now = Instant::now();
            while let Some(bundle) = self.waiting.due(now) {
                self.apply(&bundle.requests, bundle.from);
            }
            self.follow_controllers();
            self.pass_on_replies();
            self.publish(now);
        }
        // Who asked for what ends this server hears of it, also where the ping after it still lies in the socket.
        let until = Instant::now() + LAST_PACKETS;
        let _ = self.socket.set_read_timeout(Some(TICK));
        while Instant::now() < until
            && let Ok((length, from)) = self.socket.recv_from(&mut buffer)
        {
            self.packet(buffer.get(..length).unwrap_or_default(), from);
        }
        self.pass_on_replies();
    }

    fn timeout(&self) -> Duration {
        let is_idle =
            self.subscribers.len() == 0 && self.pending.is_empty() && !self.learned.is_awake();
        let tick = if is_idle { IDLE } else { TICK };
        let due = self.waiting.next().map(|at| at.saturating_duration_since(Instant::now()));
        // A timeout of zero would mean to wait for ever.
        due.map_or(tick, |due| due.clamp(Duration::from_millis(1), tick))
    }

    /// Tells subscribers what changed, whatever changed it; under a flood of packets too, but not after each.
    fn publish(&mut self, now: Instant) {
        if now.duration_since(self.published) < TICK / 2 {
            return;
        }
        self.published = now;
        self.values.tidy(now);
        if self.subscribers.any_due(now) {
            let current = self.values.all(&self.handles.settings.load());
            let socket = &self.socket;
            self.subscribers.publish(now, &current, |to, address, value| {
                send(socket, to, message(address, arguments(value)));
            });
        }
    }

    fn packet(&mut self, bytes: &[u8], from: SocketAddr) {
        self.traffic.packets += 1;
        let Ok(parts) = decode(bytes) else {
            self.traffic.garbage += 1;
            return;
        };
        let mut bundles = Vec::new();
        let mut count = 0;
        let mut errors: Vec<(String, ControlError)> = Vec::new();
        for part in parts {
            let mut requests = Vec::new();
            for message in part.messages {
                match osc::read(&message) {
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

    /// Does what is asked for, in order; settings are published once, before the answers.
    fn apply(&mut self, requests: &[Request], from: SocketAddr) {
        let mut settings = Settings::clone(&self.handles.settings.load());
        let mut changes: Vec<(Id, &Value)> = Vec::new();
        let mut answers = Vec::new();
        for request in requests {
            match request {
                Request::Get(id) => {
                    let value = self.values.get(*id, &settings);
                    answers.push(message(id.address(), arguments(&value)));
                }
                Request::Set { id, value, exact } => {
                    if let Some((what, value)) = by_midi(*id, value) {
                        self.values.sent(what, id.channel, value, Instant::now());
                        self.play(what.message(id.channel, value));
                    } else if let (Key::Model, Value::Text(name)) = (id.parameter.key, value) {
                        let action = Action::UseModel(name.clone());
                        self.command(id.parameter.address, &action, from);
                        // They hear of it when it plays.
                        continue;
                    } else if let Err(e) = settings.set_value(*id, value) {
                        self.refuse(from, &id.address(), &e);
                        continue;
                    } else {
                        changes.push((*id, value));
                    }
                    let place = self.values.ids.iter().position(|other| other == id);
                    if let Some(place) = place.filter(|_| *exact) {
                        self.subscribers.heard(from, place, value);
                    }
                }
                Request::Midi(bytes) => self.play(*bytes),
                Request::Controllers(controllers) => {
                    for (controller, channel) in
                        controllers.iter().flat_map(|&c| (0..16u8).map(move |channel| (c, channel)))
                    {
                        self.play([0xb0 | channel, controller, 0]);
                    }
                }
                Request::Subscribe(wanted) => match self.subscribe(wanted, from, &settings) {
                    Ok(answer) => answers.push(answer),
                    Err(e) => self.refuse(from, SUBSCRIBE, &e),
                },
                Request::Unsubscribe { host, port, pattern } => {
                    let target =
                        SocketAddr::new(host.unwrap_or(from.ip()), port.unwrap_or(from.port()));
                    if let Some(target) = reachable(self.address, target) {
                        self.subscribers.remove(target, pattern.as_ref());
                    }
                }
                Request::Ping(token) => {
                    if !self.pending.hold(from, token.as_ref()) {
                        answers.push(pong(token.as_ref()));
                    }
                }
                Request::Version => answers.push(version()),
                Request::Status => {
                    let osc = OscStatus {
                        subscribers: self.subscribers.len(),
                        waiting_bundles: self.waiting.len(),
                        ..self.traffic.clone()
                    };
                    answers.push(status(&self.values.status(&settings, osc)));
                }
                Request::Do { address, action } => self.command(address, action, from),
                Request::Learn(learn) => {
                    let answer = self.learned.request(*learn, from);
                    answers.extend(answer.map(|args| message(LEARN, args)));
                }
                Request::RecordStart(path) => {
                    match started(&self.handles.recorder, path.as_deref()) {
                        Ok(answer) => answers.push(answer),
                        Err(e) => self.refuse(from, RECORD_START, &e),
                    }
                }
                Request::RecordStop => match stopped(&self.handles.recorder) {
                    Ok(answer) => answers.push(answer),
                    Err(e) => self.refuse(from, RECORD_STOP, &e),
                },
            }
        }
        if !changes.is_empty() {
            // On what is newest: the supervisor may have published in between.
            self.handles.settings.rcu(|newest| {
                let mut next = Settings::clone(newest);
                for (id, value) in &changes {
                    // It was accepted above.
                    let _ = next.set_value(*id, value);
                }
                next
            });
        }
        for packet in packets(answers) {
            // Who is gone cannot be told.
            let _ = self.socket.send_to(&packet, from);
        }
    }

    fn subscribe(
        &mut self,
        wanted: &Subscription,
        from: SocketAddr,
        settings: &Settings,
    ) -> Result<OscMessage, ControlError> {
        let host = wanted.host.unwrap_or(from.ip());
        let port = wanted.port.unwrap_or(from.port());
        let Some(target) = reachable(self.address, SocketAddr::new(host, port)) else {
            let text = format!("{host} cannot be reached from {}", self.address);
            return Err(ControlError::new(Code::BadValue, text));
        };
        let current = self.values.all(settings);
        let (pattern, hz) = (wanted.pattern.clone(), wanted.hz);
        self.subscribers.add(target, from, pattern, hz, Instant::now(), &current)?;
        let pattern = wanted.pattern.as_str().to_owned();
        let args = vec![
            host.to_string().into(),
            i32::from(target.port()).into(),
            pattern.into(),
            (hz as f32).into(),
            LEASE_S.into(),
        ];
        Ok(message(SUBSCRIBE, args))
    }

    /// Sets what controllers set that have moved; who taught one is told.
    fn follow_controllers(&mut self) {
        let mut requests = vec![];
        for moved in self.learned.moved() {
            match moved {
                Moved::Sets(id, value) => requests.push(Request::Set { id, value, exact: false }),
                Moved::Learned(from, args) => send(&self.socket, from, message(LEARN, args)),
            }
        }
        if !requests.is_empty() {
            self.apply(&requests, self.address);
        }
    }

    fn play(&self, bytes: [u8; 3]) {
        let input =
            MidiInput { at: Instant::now(), source: SourceId::OSC, midi: Midi::Message(bytes) };
        self.handles.midi.send(input);
    }

    fn command(&mut self, address: &str, action: &Action, from: SocketAddr) {
        let (commands, programs) = (&self.handles.commands, self.values.programs());
        if let Err(e) = self.pending.ask(commands, action.clone(), programs, from, address) {
            self.refuse(from, address, &e);
        }
    }

    /// What the supervisor has answered, and the pings that waited for it.
    fn pass_on_replies(&mut self) {
        while let Some(reply) = self.pending.next_reply() {
            match reply.outcome {
                Ok(values) if values.is_empty() => {}
                Ok(values) => {
                    let args = values.iter().flat_map(arguments).collect();
                    send(&self.socket, reply.from, message(reply.address, args));
                }
                Err(e) => self.refuse(reply.from, &reply.address, &e),
            }
        }
        while let Some((from, token)) = self.pending.next_ping() {
            send(&self.socket, from, pong(token.as_ref()));
        }
    }

    fn refuse(&mut self, from: SocketAddr, address: &str, error: &ControlError) {
        self.traffic.errors += 1;
        send(&self.socket, from, osc::error(address, error));
    }
}

/// Sends one message; who does not listen any more misses it.
fn send(socket: &UdpSocket, to: SocketAddr, message: OscMessage) {
    let _ = socket.send_to(&encode(message), to);
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
