//! Decides which bytes are a message that a synthesizer obeys. It knows no source.

use timbre_models::notes::sysex;

use crate::bus::queues::Midi;

/// The message that resets everything: notes end, pedals and controllers are as at the start.
pub const RESET: u8 = 0xFF;

/// A channel message or a reset, as three bytes. None for anything else, and for a data byte over
/// 127, which no MIDI cable carries: it would start a note that no other message can end.
pub fn message(bytes: &[u8]) -> Option<[u8; 3]> {
    let message = match *bytes {
        [RESET] => return Some([RESET, 0, 0]),
        [status @ 0x80..=0xEF, data] if matches!(status & 0xF0, 0xC0 | 0xD0) => [status, data, 0],
        [status @ 0x80..=0xEF, first, second] => [status, first, second],
        _ => return None,
    };
    message.iter().skip(1).all(|data| *data < 0x80).then_some(message)
}

/// Reads a system exclusive message. `out` gets its content if it is understood. Returns whether
/// the bytes are a system exclusive message at all.
///
/// # Real time
/// It neither allocates nor waits.
pub fn exclusive(bytes: &[u8], out: &mut impl FnMut(Midi)) -> bool {
    let is_one = bytes.first() == Some(&0xF0);
    if is_one {
        sysex::decode(bytes, &mut |message| out(Midi::Exclusive(message)));
    }
    is_one
}

/// Assembles system exclusive messages that arrive in pieces.
#[derive(Debug, Default)]
pub struct Pieces {
    bytes: Vec<u8>,
}

impl Pieces {
    /// Takes bytes that a port delivered together. Returns whether they belong to a system
    /// exclusive message. `out` gets the content of each whole one.
    pub fn take(&mut self, bytes: &[u8], out: &mut impl FnMut(Midi)) -> bool {
        let begins = bytes.first() == Some(&0xF0);
        if begins {
            self.bytes.clear();
        } else if self.bytes.is_empty() || bytes.first().is_some_and(|b| (0x80..0xF7).contains(b)) {
            // Another message means that the one before was cut off.
            self.bytes.clear();
            return false;
        }
        if self.bytes.len() + bytes.len() > sysex::LONGEST + 2 {
            // It is too long to be one that is understood, so the rest of it is skipped.
            self.bytes.truncate(1);
        } else {
            self.bytes.extend_from_slice(bytes);
        }
        if bytes.contains(&0xF7) {
            exclusive(&self.bytes, out);
            self.bytes.clear();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(pieces: &[&[u8]]) -> (Vec<Midi>, Vec<bool>) {
        let (mut all, mut kept) = (Pieces::default(), vec![]);
        let taken = pieces.iter().map(|p| all.take(p, &mut |midi| kept.push(midi))).collect();
        (kept, taken)
    }

    #[test]
    fn only_what_a_cable_could_carry() {
        assert_eq!(message(&[0x90, 60, 100]), Some([0x90, 60, 100]));
        assert_eq!(message(&[0xC3, 19]), Some([0xC3, 19, 0]));
        assert_eq!(message(&[0xFF]), Some([0xFF, 0, 0]));
        let others: [&[u8]; 11] = [
            &[],
            &[0x90],
            &[0x90, 60],
            &[0x90, 0x80, 90],
            &[0x80, 60, 0x80],
            &[0xB0, 0xFF, 0],
            &[0xC0, 0x80],
            &[0x40, 1, 2],
            &[0xF8],
            &[0xF0, 0x7E, 0xF7],
            &[0x90, 60, 100, 0],
        ];
        for bytes in others {
            assert_eq!(message(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn an_exclusive_message_may_come_in_pieces() {
        let whole: &[u8] = &[0xF0, 0x7E, 0x7F, 9, 1, 0xF7];
        assert_eq!(said(&[whole]).0.len(), 1);
        let (kept, taken) = said(&[&whole[..2], &whole[2..4], &[0xF8], &whole[4..]]);
        assert_eq!((kept.len(), taken), (1, vec![true; 4]));
        let (kept, taken) = said(&[&whole[..3], &[0x90, 60, 100], &whole[3..]]);
        assert_eq!((kept.len(), taken), (0, vec![true, false, false]));
        let long = [&[0xF0][..], &[0x7E; 100_000], &[0xF7]].concat();
        let pieces: Vec<&[u8]> = long.chunks(256).collect();
        assert!(said(&pieces).0.is_empty());
    }
}
