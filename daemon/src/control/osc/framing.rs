//! Finds the OSC packets in a stream of bytes, by SLIP (OSC 1.1) or by a length before each packet
//! (OSC 1.0). It knows no socket.
//!
//! The first byte tells which of them a client uses. It is 0 in a length, because no packet is long
//! enough for another value; SLIP begins with END or with the packet itself. SLIP is read with END
//! on both sides of a packet or only behind it, and written with END on both sides.

use timbre_control::packet::LARGEST;

/// The bytes of SLIP (RFC 1055): the end of a packet, the escape, and what follows the escape in
/// place of each of the two.
const END: u8 = 0xC0;
const ESCAPE: u8 = 0xDB;
const ESCAPED_END: u8 = 0xDC;
const ESCAPED_ESCAPE: u8 = 0xDD;
/// The size of a length, bytes.
const LENGTH: usize = 4;

/// How a client separates packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Length,
    Slip,
}

/// Why a stream cannot be read any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The packet is longer than any packet may be.
    #[error("found a packet longer than {LARGEST} bytes, wanted shorter ones")]
    TooLong,
    /// The byte after an escape is not one of the two that SLIP has.
    #[error("found the byte {0:#04x} after SLIP's escape, wanted 0xdc or 0xdd")]
    Escape(u8),
}

/// Finds packets in the bytes that arrive, and frames those that are sent.
#[derive(Debug, Default)]
pub struct Framing {
    form: Option<Form>,
    /// The packet so far, including its length if there is one.
    packet: Vec<u8>,
    is_escaped: bool,
}

impl Framing {
    /// Takes the next bytes, and passes on each packet that they complete, in order.
    ///
    /// # Errors
    /// The stream is broken, and what follows cannot be read.
    pub fn take(&mut self, bytes: &[u8], mut packet: impl FnMut(Vec<u8>)) -> Result<(), Broken> {
        let Some(&first) = bytes.first() else { return Ok(()) };
        let form = *self.form.get_or_insert(if first == 0 { Form::Length } else { Form::Slip });
        match form {
            Form::Length => self.take_lengths(bytes, &mut packet),
            Form::Slip => bytes.iter().try_for_each(|&byte| self.take_slip(byte, &mut packet)),
        }
    }

    /// Whether a packet has begun and not ended.
    pub fn is_inside(&self) -> bool {
        !self.packet.is_empty() || self.is_escaped
    }

    fn take_lengths(
        &mut self,
        mut bytes: &[u8],
        packet: &mut impl FnMut(Vec<u8>),
    ) -> Result<(), Broken> {
        while !bytes.is_empty() {
            let wanted = match self.packet.first_chunk::<LENGTH>() {
                None => LENGTH,
                Some(length) => LENGTH + u32::from_be_bytes(*length) as usize,
            };
            if wanted > LENGTH + LARGEST {
                return Err(Broken::TooLong);
            }
            let missing = wanted.saturating_sub(self.packet.len()).min(bytes.len());
            let (taken, rest) = bytes.split_at(missing);
            self.packet.extend_from_slice(taken);
            bytes = rest;
            let length = self.packet.first_chunk::<LENGTH>().map(|l| u32::from_be_bytes(*l));
            if length.is_some_and(|length| self.packet.len() == LENGTH + length as usize) {
                packet(self.packet.split_off(LENGTH));
                self.packet.clear();
            }
        }
        Ok(())
    }

    fn take_slip(&mut self, byte: u8, packet: &mut impl FnMut(Vec<u8>)) -> Result<(), Broken> {
        let byte = match (std::mem::take(&mut self.is_escaped), byte) {
            (false, END) => {
                // An END behind a packet may be followed by the END before the next one.
                if !self.packet.is_empty() {
                    packet(std::mem::take(&mut self.packet));
                }
                return Ok(());
            }
            (false, ESCAPE) => {
                self.is_escaped = true;
                return Ok(());
            }
            (false, byte) => byte,
            (true, ESCAPED_END) => END,
            (true, ESCAPED_ESCAPE) => ESCAPE,
            (true, byte) => return Err(Broken::Escape(byte)),
        };
        if self.packet.len() >= LARGEST {
            return Err(Broken::TooLong);
        }
        self.packet.push(byte);
        Ok(())
    }

    /// Adds a packet to the output, framed as the client frames its own.
    pub fn give(&self, packet: &[u8], out: &mut Vec<u8>) {
        if self.form == Some(Form::Length) {
            out.extend_from_slice(&u32::try_from(packet.len()).unwrap_or(0).to_be_bytes());
            out.extend_from_slice(packet);
            return;
        }
        out.push(END);
        for &byte in packet {
            match byte {
                END => out.extend_from_slice(&[ESCAPE, ESCAPED_END]),
                ESCAPE => out.extend_from_slice(&[ESCAPE, ESCAPED_ESCAPE]),
                byte => out.push(byte),
            }
        }
        out.push(END);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKETS: [&[u8]; 3] = [b"/a\0\0", &[b'/', END, ESCAPE, 0, 0xDC], b"#bundle\0"];

    fn lengths() -> Vec<u8> {
        let mut bytes = vec![];
        for packet in PACKETS {
            bytes.extend_from_slice(&(packet.len() as u32).to_be_bytes());
            bytes.extend_from_slice(packet);
        }
        bytes
    }

    fn slip(has_first_end: bool) -> Vec<u8> {
        let mut bytes = vec![];
        for packet in PACKETS {
            let begin = bytes.len();
            Framing::default().give(packet, &mut bytes);
            if !has_first_end {
                bytes.remove(begin);
            }
        }
        bytes
    }

    #[test]
    fn all_three_forms_are_read_however_they_are_cut() {
        for bytes in [lengths(), slip(true), slip(false)] {
            for step in 1..=bytes.len() {
                let (mut framing, mut found) = (Framing::default(), vec![]);
                for part in bytes.chunks(step) {
                    framing.take(part, |packet| found.push(packet)).unwrap();
                }
                assert_eq!(found, PACKETS, "{step}: {bytes:?}");
                assert!(!framing.is_inside());
            }
        }
    }

    #[test]
    fn answers_are_marked_as_the_questions_are() {
        for bytes in [lengths(), slip(true)] {
            let mut framing = Framing::default();
            framing.take(&bytes, |_| {}).unwrap();
            let mut out = vec![];
            PACKETS.iter().for_each(|packet| framing.give(packet, &mut out));
            assert_eq!(out, bytes);
        }
    }

    #[test]
    fn what_is_too_long_or_no_slip_ends_the_stream() {
        let take = |bytes: &[u8]| Framing::default().take(bytes, |_| {});
        assert_eq!(take(&[0, 1, 0, 1, 0]), Err(Broken::TooLong));
        assert_eq!(take(&[b'/', ESCAPE, b'x']), Err(Broken::Escape(b'x')));
        assert_eq!(take(&vec![b'/'; LARGEST + 1]), Err(Broken::TooLong));
        assert_eq!(take(&[0, 0, 0, 0]), Ok(()));
        let mut framing = Framing::default();
        framing.take(b"/half", |_| panic!("half a packet")).unwrap();
        assert!(framing.is_inside());
    }
}
