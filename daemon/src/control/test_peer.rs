//! A server and clients for tests, with real sockets on the loopback device.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use crossbeam::channel::{Receiver, bounded};
use rosc::OscType::Int;
use rosc::{OscBundle, OscMessage, OscPacket, OscTime, OscType, encoder};
use timbre_control::action::Action;
use timbre_control::osc::{ERROR, PING, message};
use timbre_control::packet::{LARGEST, decode, encode};
use timbre_control::settings::Settings;

use super::{Command, ControlHandles, OscServer, Outcome, Token, spawn};
use crate::bus::queues::{Midi, MidiReceiver, SourceId, Telemetry, midi_queue};
use crate::recording;

/// A time longer than any answer takes.
pub const LONG: Duration = Duration::from_secs(10);

/// A server, and the other ends of its queues.
pub struct Daemon {
    pub server: OscServer,
    pub handles: ControlHandles,
    pub midi: MidiReceiver,
    pub commands: Receiver<Command>,
}

pub fn daemon_with(fixed: Vec<SocketAddr>) -> Daemon {
    daemon_on(UdpSocket::bind("127.0.0.1:0").unwrap(), fixed)
}

pub fn daemon_on(socket: UdpSocket, fixed: Vec<SocketAddr>) -> Daemon {
    let (sender, midi) = midi_queue();
    let (commands, receiver) = bounded(4);
    // The thread of the recorder ends with the last handle.
    let (recorder, _) = recording::start().unwrap();
    let handles = ControlHandles {
        settings: Arc::default(),
        midi: sender,
        telemetry: Arc::new(Telemetry::default()),
        commands,
        model: Arc::new(ArcSwap::from_pointee("live".to_owned())),
        recorder: recorder.recorder(),
        panel: Arc::default(),
        controllers: None,
    };
    let server = spawn(socket, fixed, Token::default(), handles.clone()).unwrap();
    Daemon { server, handles, midi, commands: receiver }
}

pub fn daemon() -> Daemon {
    daemon_with(Vec::new())
}

impl Daemon {
    pub fn settings(&self) -> Arc<Settings> {
        self.handles.settings.load_full()
    }

    /// Answers the next commands after a short time, like a supervisor, and returns the commands.
    pub fn supervise(&self, outcomes: Vec<Outcome>) -> std::thread::JoinHandle<Vec<Action>> {
        let commands = self.commands.clone();
        std::thread::spawn(move || {
            let answer = |outcome| {
                let Command { action, asker, .. } = commands.recv_timeout(LONG).unwrap();
                std::thread::sleep(Duration::from_millis(100));
                asker.answer(outcome);
                action
            };
            outcomes.into_iter().map(answer).collect()
        })
    }

    pub fn played(&self) -> Vec<[u8; 3]> {
        std::iter::from_fn(|| self.midi.next())
            .map(|input| match input.midi {
                Midi::Message(bytes) if input.source == SourceId::OSC => bytes,
                other => panic!("{other:?}"),
            })
            .collect()
    }
}

/// A client of the server.
pub struct Peer {
    pub socket: UdpSocket,
    token: i32,
    /// Messages of a bundle that have not been read yet.
    waiting: RefCell<VecDeque<OscMessage>>,
}

impl Peer {
    pub fn new(daemon: &Daemon) -> Self {
        Self::from(UdpSocket::bind("127.0.0.1:0").unwrap(), daemon.server.address())
    }

    pub fn from(socket: UdpSocket, to: SocketAddr) -> Self {
        socket.connect(to).unwrap();
        Self { socket, token: 0, waiting: RefCell::default() }
    }

    pub fn send(&self, address: &str, args: Vec<OscType>) {
        self.socket.send(&encode(message(address, args))).unwrap();
    }

    pub fn bundle(&self, timetag: OscTime, content: Vec<OscMessage>) {
        let content = content.into_iter().map(OscPacket::Message).collect();
        let packet = OscPacket::Bundle(OscBundle { timetag, content });
        self.socket.send(&encoder::encode(&packet).unwrap()).unwrap();
    }

    pub fn receive(&self, wait: Duration) -> Option<OscMessage> {
        if self.waiting.borrow().is_empty() {
            self.socket.set_read_timeout(Some(wait)).unwrap();
            let mut buffer = vec![0; LARGEST];
            let length = self.socket.recv(&mut buffer).ok()?;
            self.waiting.borrow_mut().extend(decode(&buffer[..length]).unwrap().remove(0).messages);
        }
        self.waiting.borrow_mut().pop_front()
    }

    /// Everything that arrives until the server has done all that this client has sent.
    pub fn answers(&mut self) -> Vec<OscMessage> {
        self.token += 1;
        self.send(PING, vec![Int(self.token)]);
        let mut all = Vec::new();
        loop {
            let answer = self.receive(LONG).expect("an answer");
            if answer.addr == PING && answer.args[0] == Int(self.token) {
                return all;
            }
            all.push(answer);
        }
    }

    pub fn ask(&mut self, address: &str, args: Vec<OscType>) -> Vec<OscMessage> {
        self.send(address, args);
        self.answers()
    }

    pub fn one(&mut self, address: &str) -> OscType {
        let mut answers = self.ask(address, vec![]);
        assert_eq!(answers.len(), 1, "{address} {answers:?}");
        assert_eq!(answers[0].addr, address);
        answers[0].args.remove(0)
    }

    pub fn code(&mut self, address: &str, args: Vec<OscType>) -> i32 {
        let answers = self.ask(address, args);
        match answers.as_slice() {
            [one] if one.addr == ERROR => match one.args.as_slice() {
                [OscType::String(_), Int(code), OscType::String(text)] if !text.is_empty() => *code,
                other => panic!("{other:?}"),
            },
            other => panic!("{address} {other:?}"),
        }
    }
}
