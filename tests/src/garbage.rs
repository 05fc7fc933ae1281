//! OSC packets that are broken in all ways: noise, and real messages and bundles with changes. This
//! file knows no daemon.

use rosc::{OscBundle, OscMessage, OscPacket, OscTime, OscType, encoder};
use timbre_control::osc::message;

/// The longest noise, bytes.
const LONGEST: u64 = 1400;

/// Makes packets, which depend only on the seed.
#[derive(Debug)]
pub struct Garbage {
    state: u64,
    good: Vec<Vec<u8>>,
}

impl Garbage {
    /// A source of packets with a seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed | 1, good: good() }
    }

    /// Xorshift.
    fn random(&mut self, below: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        // The high bits are more random.
        ((u128::from(self.state) * below.max(1) as u128) >> 64) as usize
    }

    /// The next packet. A quarter are noise, the others are valid packets with changes.
    pub fn packet(&mut self) -> Vec<u8> {
        if self.random(4) == 0 {
            let length = self.random(LONGEST as usize).min(self.random(LONGEST as usize));
            return (0..length).map(|_| self.random(256) as u8).collect();
        }
        let mut bytes = self.any_good();
        for _ in 0..1 + self.random(3) {
            self.mutate(&mut bytes);
        }
        bytes
    }

    fn any_good(&mut self) -> Vec<u8> {
        let which = self.random(self.good.len());
        self.good.get(which).cloned().unwrap_or_default()
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        let at = self.random(bytes.len());
        match self.random(8) {
            0 => bytes.truncate(at),
            1 => {
                let more = self.any_good();
                bytes.splice(at.., more);
            }
            2 => {
                let to = (at + 1 + self.random(8)).min(bytes.len());
                let copy = bytes.get(at..to).unwrap_or_default().to_vec();
                bytes.splice(at..at, copy);
            }
            3 => {
                // A whole word is changed, where lengths and numbers are.
                let word = [0, 1, 0x7FFF_FFFF, u32::MAX, 0x7FC0_0000, 0xFF80_0000][self.random(6)];
                let at = at / 4 * 4;
                let to = (at + 4).min(bytes.len());
                bytes.splice(at..to, word.to_be_bytes());
            }
            4 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = b"/*?[]{},#\0sifTFb"[self.random(16)];
                }
            }
            _ => {
                let flip = 1 << self.random(8);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= flip;
                }
            }
        }
    }
}

/// Valid packets: settings, questions, notes, patterns, subscriptions, bundles.
fn good() -> Vec<Vec<u8>> {
    use OscType::{Blob, Bool, Double, Float, Int, Long, Nil};
    let text = |text: &str| OscType::String(text.to_owned());
    let messages = [
        message("/ch/3/gain", vec![Float(-3.5)]),
        message("/ch/*/gain", vec![]),
        message("/ch/{1,10}/transpose", vec![Int(7)]),
        message("/ch/1[0-5]/velocity_curve", vec![Double(1.5)]),
        message("/ch/4/program", vec![Int(12)]),
        message("/ch/4/instrument", vec![text("violin")]),
        message("/ch/2/note", vec![Int(60), Float(0.5)]),
        message("/ch/2/note", vec![Int(60), Int(0)]),
        message("/ch/2/cc", vec![Int(64), Int(127)]),
        message("/ch/2/bend", vec![Float(0.25)]),
        message("/ch/7/enable", vec![Bool(true)]),
        message("/master/gain", vec![Int(-12)]),
        message("/engine/seed", vec![Long(1 << 40)]),
        message("/engine/load", vec![Int(1)]),
        message("/engine/guidance", vec![Nil]),
        message("/meter/master", vec![]),
        message("/status", vec![]),
        message("/version", vec![]),
        message("/ping", vec![text("token"), Blob(vec![1, 2, 3])]),
        message("/subscribe", vec![text("/ch/9/*"), Int(5)]),
        message("/unsubscribe", vec![text("/ch/9/*")]),
        message("/allnotesoff", vec![Float(1.0)]),
        message("/preset/next", vec![]),
        message("/no/such/thing", vec![Int(1)]),
    ];
    let packets: Vec<OscPacket> = messages.into_iter().map(OscPacket::Message).collect();
    let now = OscTime { seconds: 0, fractional: 1 };
    let bundle = |timetag, content: &[OscPacket]| {
        OscPacket::Bundle(OscBundle { timetag, content: content.to_vec() })
    };
    let inner = bundle(now, &packets[..3]);
    let past = OscTime { seconds: 3_900_000_000, fractional: 0 };
    let bundles = [
        bundle(now, &packets[..8]),
        bundle(past, &packets[3..6]),
        bundle(now, &[packets[0].clone(), inner.clone(), packets[11].clone()]),
        bundle(now, &[bundle(now, &[bundle(now, &[inner])])]),
        bundle(now, &[]),
    ];
    let all = packets.iter().chain(&bundles);
    all.map(|packet| encoder::encode(packet).unwrap_or_default()).collect()
}

/// A message as bytes.
pub fn bytes(message: OscMessage) -> Vec<u8> {
    encoder::encode(&OscPacket::Message(message)).unwrap_or_default()
}
