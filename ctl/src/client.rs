//! Talks to a daemon over UDP: sends requests, and waits for all answers. It knows no command line.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::{Duration, Instant};

use rosc::{OscMessage, OscType};

use crate::osc::{ERROR, NAME, PING, message};
use crate::packet::{LARGEST, decode, encode};

/// Why there is no answer, or an error instead.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The host has no address.
    #[error(
        "the host {host} has no address; give a name or an IP address with --host; `timbrectl \
         find` lists who is there"
    )]
    NoHost {
        /// The host as it was given.
        host: String,
    },
    /// The network refused.
    #[error("cannot talk to {target}: {source}")]
    Io {
        /// The address of the daemon.
        target: SocketAddr,
        /// The error of the system.
        source: io::Error,
    },
    /// No answer arrived in time.
    #[error(
        "no answer from {target} within {} ms; is timbred running, and does it listen there \
         (--host, --port)?", timeout.as_millis()
    )]
    NoAnswer {
        /// The address of the daemon.
        target: SocketAddr,
        /// How long the client waited.
        timeout: Duration,
    },
    /// The daemon answered with an error.
    #[error("{text} (error {code})")]
    Refused {
        /// The address of the request.
        address: String,
        /// See [`crate::error::Code`].
        code: i32,
        /// What is wrong.
        text: String,
    },
}

/// A connection to one daemon.
#[derive(Debug)]
pub struct Client {
    socket: UdpSocket,
    target: SocketAddr,
    timeout: Duration,
    token: i32,
    buffer: Vec<u8>,
}

impl Client {
    /// A client for the daemon at a host and port.
    ///
    /// # Errors
    /// The host has no address, or the system refuses a socket.
    pub fn new(host: &str, port: u16, timeout: Duration) -> Result<Self, ClientError> {
        let target = (host, port)
            .to_socket_addrs()
            .ok()
            .and_then(|all| {
                let all: Vec<SocketAddr> = all.collect();
                // A daemon at `localhost` listens at 127.0.0.1 rather than at ::1.
                all.iter().find(|a| a.is_ipv4()).or(all.first()).copied()
            })
            .ok_or_else(|| ClientError::NoHost { host: host.to_owned() })?;
        let own: SocketAddr = match target {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let failed = |source| ClientError::Io { target, source };
        let socket = UdpSocket::bind(own).map_err(failed)?;
        socket.connect(target).map_err(failed)?;
        Ok(Self { socket, target, timeout, token: 0, buffer: vec![0; LARGEST] })
    }

    /// Sends messages, waits until the daemon has answered all of them, and returns the answers.
    ///
    /// # Errors
    /// The first error among the answers, or no answer in time.
    pub fn ask(&mut self, messages: Vec<OscMessage>) -> Result<Vec<OscMessage>, ClientError> {
        // The daemon answers in order. When it has answered the ping, it has answered everything.
        self.token = self.token.wrapping_add(1);
        let token = OscType::Int(self.token);
        for message in messages.into_iter().chain([message(PING, vec![token.clone()])]) {
            self.send(message)?;
        }
        let until = Instant::now() + self.timeout;
        let mut answers = Vec::new();
        let mut refused = None;
        loop {
            for answer in self.receive(until)?.ok_or_else(|| self.no_answer())? {
                match (answer.addr.as_str(), answer.args.as_slice()) {
                    (PING, [one, OscType::String(name)]) if *one == token && name == NAME => {
                        return refused.map_or(Ok(answers), Err);
                    }
                    (PING, _) => {}
                    (
                        ERROR,
                        [OscType::String(address), OscType::Int(code), OscType::String(text)],
                    ) => {
                        let (address, text) = (address.clone(), text.clone());
                        // No answer follows: without the token not even a ping is answered.
                        let is_over = address == PING;
                        let error = ClientError::Refused { address, code: *code, text };
                        let first = refused.take().unwrap_or(error);
                        if is_over {
                            return Err(first);
                        }
                        refused = Some(first);
                    }
                    _ => answers.push(answer),
                }
            }
        }
    }

    /// Sends a message and does not wait for an answer.
    ///
    /// # Errors
    /// The network refused.
    pub fn send(&self, message: OscMessage) -> Result<(), ClientError> {
        match self.socket.send(&encode(message)) {
            // This error says that nobody listened when the message before was sent.
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => Err(self.no_answer()),
            Err(source) => Err(ClientError::Io { target: self.target, source }),
            Ok(_) => Ok(()),
        }
    }

    /// The messages of the next packet; none if none arrives before `until`.
    ///
    /// # Errors
    /// Nobody listens there, or the network refused.
    pub fn receive(&mut self, until: Instant) -> Result<Option<Vec<OscMessage>>, ClientError> {
        let failed = |source| ClientError::Io { target: self.target, source };
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.socket
                .set_read_timeout(Some(left.max(Duration::from_millis(1))))
                .map_err(failed)?;
            match self.socket.recv(&mut self.buffer) {
                Ok(length) => {
                    if let Ok(parts) = decode(self.buffer.get(..length).unwrap_or_default()) {
                        return Ok(Some(parts.into_iter().flat_map(|p| p.messages).collect()));
                    }
                }
                Err(e) => match e.kind() {
                    io::ErrorKind::WouldBlock
                    | io::ErrorKind::TimedOut
                    | io::ErrorKind::Interrupted => {}
                    io::ErrorKind::ConnectionRefused => return Err(self.no_answer()),
                    _ => return Err(failed(e)),
                },
            }
        }
    }

    fn no_answer(&self) -> ClientError {
        ClientError::NoAnswer { target: self.target, timeout: self.timeout }
    }
}
