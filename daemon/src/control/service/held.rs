//! The keys that connections hold down, which are released when the connection closes. It knows no
//! transport.

use std::collections::{BTreeSet, HashMap};

use super::clients::ClientId;

/// Status bytes without their channel.
const NOTE_OFF: u8 = 0x80;
const NOTE_ON: u8 = 0x90;

/// The keys that each connection holds down. Those of senders of datagrams are not listed, because
/// nobody knows when such a sender is gone.
#[derive(Debug, Default)]
pub struct Held(HashMap<u64, BTreeSet<(u8, u8)>>);

impl Held {
    /// Takes a message that a client plays.
    pub fn played(&mut self, client: ClientId, [status, key, velocity]: [u8; 3]) {
        let ClientId::Connection(number) = client else { return };
        let at = (status & 0x0F, key);
        match status & 0xF0 {
            NOTE_ON if velocity > 0 => drop(self.0.entry(number).or_default().insert(at)),
            NOTE_ON | NOTE_OFF => {
                self.0.get_mut(&number).map(|keys| keys.remove(&at));
            }
            _ => {}
        }
    }

    /// A connection was closed: returns the messages that release the keys which it alone held.
    pub fn release(&mut self, number: u64) -> Vec<[u8; 3]> {
        let keys = self.0.remove(&number).unwrap_or_default();
        let is_free = |at: &(u8, u8)| !self.0.values().any(|held| held.contains(at));
        keys.into_iter().filter(is_free).map(|(n, key)| [NOTE_OFF | n, key, 0]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_connection_held_alone_is_released_with_it() {
        let mut held = Held::default();
        let [a, b] = [1, 2].map(ClientId::Connection);
        for (client, message) in [
            (a, [0x90, 60, 100]),
            (a, [0x91, 62, 1]),
            (a, [0x90, 64, 100]),
            (a, [0x90, 64, 0]),
            (b, [0x91, 62, 9]),
            (a, [0xB0, 64, 127]),
            (ClientId::Datagram(([127, 0, 0, 1], 1).into()), [0x90, 70, 1]),
        ] {
            held.played(client, message);
        }
        assert_eq!(held.release(1), [[0x80, 60, 0]]);
        assert_eq!(held.release(1), [[0; 3]; 0]);
        held.played(b, [0x81, 62, 0]);
        assert_eq!(held.release(2), [[0; 3]; 0]);
    }
}
