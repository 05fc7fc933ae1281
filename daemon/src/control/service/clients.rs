//! The clients of the service by their ids, the way to reach each, and what each is allowed to do.
//! The thread `timbred-osc` uses it.
//!
//! Packets go out without waiting: over UDP into the system's socket, on a connection into an
//! outbox of bounded size. A connection whose outbox is full does not read, and is dropped.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use bytes::Bytes;
use tokio::sync::mpsc::Sender;

use crate::control::token::Token;

/// The most clients of UDP that have given the token and are remembered. The one that gave it
/// longest ago is forgotten first.
const MOST_KNOWN: usize = 64;

/// A client, whatever the transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClientId {
    /// Over UDP a client is its address.
    Datagram(SocketAddr),
    /// A connection, by the number that it got when it was opened.
    Connection(u64),
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Datagram(address) => write!(f, "{address}"),
            Self::Connection(number) => write!(f, "connection {number}"),
        }
    }
}

/// An outgoing message of a connection.
#[derive(Debug, Clone)]
pub enum Outgoing {
    /// An OSC packet.
    Packet(Bytes),
    /// A part of the tree of addresses has changed. This is for clients that have the tree.
    PathChanged(&'static str),
}

/// The rights of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    /// It runs on this machine, so that it may name any file that this program can write.
    pub is_local: bool,
    /// It has given the token, or none is wanted.
    pub is_known: bool,
}

/// Whether an address is that of the loopback, which no other machine can have.
pub fn is_local(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

#[derive(Debug)]
struct Connection {
    outbox: Sender<Outgoing>,
    peer: IpAddr,
    is_known: bool,
}

/// All clients.
#[derive(Debug)]
pub struct Clients {
    socket: UdpSocket,
    own: SocketAddr,
    token: Token,
    connections: HashMap<u64, Connection>,
    /// The clients over UDP that have given the token, the most recent one last.
    known: VecDeque<SocketAddr>,
}

impl Clients {
    /// No clients yet. Datagrams are sent from this socket, which is bound to `own`.
    pub fn new(socket: UdpSocket, own: SocketAddr, token: Token) -> Self {
        Self { socket, own, token, connections: HashMap::new(), known: VecDeque::new() }
    }

    /// The token that is wanted.
    pub const fn token(&self) -> &Token {
        &self.token
    }

    /// Adds a connection from a machine, and whether it has given the token already.
    pub fn open(&mut self, number: u64, outbox: Sender<Outgoing>, peer: IpAddr, is_known: bool) {
        self.connections.insert(number, Connection { outbox, peer, is_known });
    }

    /// Removes a connection.
    pub fn close(&mut self, number: u64) {
        self.connections.remove(&number);
    }

    /// The address of the machine of a client, unless it is gone.
    pub fn peer(&self, client: ClientId) -> Option<IpAddr> {
        match client {
            ClientId::Datagram(address) => Some(address.ip()),
            ClientId::Connection(number) => self.connections.get(&number).map(|c| c.peer),
        }
    }

    /// Whether a client may have changes sent to a host: anyone to their own machine, and those on
    /// this machine to any. Otherwise somebody in the network could have this program send packets
    /// to a machine that never asked for them.
    pub fn may_subscribe(&self, client: ClientId, host: IpAddr) -> bool {
        let own = self.peer(client).map(|ip| ip.to_canonical());
        own.is_some_and(|own| own.is_loopback() || own == host.to_canonical())
    }

    /// The current rights of a client.
    pub fn rights(&self, client: ClientId) -> Rights {
        let is_local = self.peer(client).is_some_and(is_local);
        let has_given = match client {
            ClientId::Datagram(address) => self.known.contains(&address),
            ClientId::Connection(n) => self.connections.get(&n).is_some_and(|c| c.is_known),
        };
        Rights { is_local, is_known: is_local || has_given || !self.token.is_wanted() }
    }

    /// Takes the token that a client gives. Returns whether it is the right one.
    pub fn introduce(&mut self, client: ClientId, token: &str) -> bool {
        if !self.token.is(token) {
            return false;
        }
        match client {
            ClientId::Datagram(address) => {
                self.known.retain(|known| *known != address);
                if self.known.len() >= MOST_KNOWN {
                    self.known.pop_front();
                }
                self.known.push_back(address);
            }
            ClientId::Connection(number) => {
                if let Some(connection) = self.connections.get_mut(&number) {
                    connection.is_known = true;
                }
            }
        }
        true
    }

    /// The client at an address, in the form in which the socket reaches it: a socket on all
    /// addresses of IPv6 reaches IPv4 by mapped addresses.
    pub fn at(&self, target: SocketAddr) -> Option<ClientId> {
        let ip = match (self.own.ip(), target.ip()) {
            (IpAddr::V6(all), IpAddr::V4(ip)) if all.is_unspecified() => ip.to_ipv6_mapped().into(),
            (IpAddr::V4(_), IpAddr::V6(ip)) => ip.to_ipv4_mapped()?.into(),
            (IpAddr::V6(_), IpAddr::V4(_)) => return None,
            (_, ip) => ip,
        };
        Some(ClientId::Datagram(SocketAddr::new(ip, target.port())))
    }

    /// Sends a packet. A client that does not listen any more misses it, and a connection that does
    /// not read is dropped.
    pub fn send(&mut self, to: ClientId, packet: Bytes) {
        match to {
            ClientId::Datagram(address) => drop(self.socket.send_to(&packet, address)),
            ClientId::Connection(number) => self.post(number, Outgoing::Packet(packet)),
        }
    }

    /// Tells all connections that a part of the tree has changed.
    pub fn path_changed(&mut self, path: &'static str) {
        let numbers: Vec<u64> = self.connections.keys().copied().collect();
        for number in numbers {
            self.post(number, Outgoing::PathChanged(path));
        }
    }

    fn post(&mut self, number: u64, outgoing: Outgoing) {
        let full =
            self.connections.get(&number).is_some_and(|c| c.outbox.try_send(outgoing).is_err());
        if full {
            // The server sees the end of the outbox, and closes the connection.
            self.connections.remove(&number);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::channel;

    use super::*;

    fn clients(token: &str) -> Clients {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let own = socket.local_addr().unwrap();
        Clients::new(socket, own, Token::new(token))
    }

    fn far(port: u16) -> ClientId {
        ClientId::Datagram(SocketAddr::from(([192, 168, 1, 20], port)))
    }

    #[test]
    fn a_connection_that_does_not_read_is_dropped_and_no_other() {
        let mut clients = clients("");
        let peer = IpAddr::from([127, 0, 0, 1]);
        let ((slow, mut unread), (quick, mut read)) = (channel(2), channel(2));
        clients.open(1, slow, peer, true);
        clients.open(2, quick, peer, true);
        for _ in 0..3 {
            for number in [1, 2] {
                clients.send(ClientId::Connection(number), Bytes::from_static(b"/a\0\0"));
            }
            assert!(matches!(read.try_recv(), Ok(Outgoing::Packet(_))));
        }
        assert_eq!(clients.connections.len(), 1);
        for _ in 0..2 {
            unread.try_recv().unwrap();
        }
        assert!(unread.try_recv().is_err() && unread.is_closed());
    }

    #[test]
    fn nobody_in_the_network_has_changes_sent_to_a_third_machine() {
        let mut clients = clients("");
        let [near, own, third] =
            [[127, 0, 0, 1], [192, 168, 1, 20], [192, 168, 1, 30]].map(IpAddr::from);
        assert!(clients.may_subscribe(far(1), own) && !clients.may_subscribe(far(1), third));
        assert!(!clients.may_subscribe(far(1), near));
        let mapped = std::net::Ipv4Addr::new(192, 168, 1, 20).to_ipv6_mapped().into();
        clients.open(1, channel(2).0, mapped, true);
        clients.open(2, channel(2).0, near, true);
        let [network, here, gone] = [1, 2, 3].map(ClientId::Connection);
        assert!(clients.may_subscribe(network, own) && !clients.may_subscribe(network, third));
        assert!(clients.may_subscribe(here, third) && !clients.may_subscribe(gone, third));
    }

    #[test]
    fn who_is_far_gives_the_token_once_and_who_is_here_never() {
        let mut clients = clients("a-long-token");
        let here = ClientId::Datagram(SocketAddr::from(([127, 0, 0, 1], 5)));
        assert_eq!(clients.rights(here), Rights { is_local: true, is_known: true });
        assert_eq!(clients.rights(far(1)), Rights { is_local: false, is_known: false });
        assert!(!clients.introduce(far(1), "another") && !clients.introduce(far(1), ""));
        assert!(clients.introduce(far(1), "a-long-token"));
        assert!(clients.rights(far(1)).is_known && !clients.rights(far(2)).is_known);
        for port in 2..200 {
            clients.introduce(far(port), "a-long-token");
        }
        assert_eq!(clients.known.len(), MOST_KNOWN);
        assert!(!clients.rights(far(1)).is_known && clients.rights(far(199)).is_known);
    }
}
