//! Packets and bundles: decodes bytes into messages with their time, as a whole or not at all. It
//! knows no address.
//!
//! Bundles are decoded here, and only messages are given to `rosc`. In `rosc` a bundle with a
//! broken element loses what follows it, and deep nesting of bundles or arrays exhausts the stack.

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use rosc::{OscBundle, OscMessage, OscPacket, OscTime, decoder, encoder};

/// The largest packet in bytes, which UDP limits.
pub const LARGEST: usize = 65_536;
/// The most messages in a packet.
const MOST_MESSAGES: usize = 1024;
/// The deepest nesting of bundles.
const DEEPEST: usize = 8;
/// The beginning of a bundle.
const BUNDLE: &[u8] = b"#bundle\0";
/// The time tag that means "now".
pub const IMMEDIATELY: OscTime = OscTime { seconds: 0, fractional: 1 };
/// Seconds from 1900, where OSC time begins, to 1970.
const UNIX_OFFSET_S: u64 = 2_208_988_800;

/// Messages that are applied together.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The time; one in the past means now.
    pub at: OscTime,
    /// The messages, in order.
    pub messages: Vec<OscMessage>,
}

/// The error for bytes that are not an OSC packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an OSC packet: {0}")]
pub struct Garbage(&'static str);

/// The messages of a packet. An inner bundle belongs to the outer one unless its time is later.
///
/// # Errors
/// Anything in the packet is broken.
pub fn decode(packet: &[u8]) -> Result<Vec<Part>, Garbage> {
    let mut parts = vec![Part { at: IMMEDIATELY, messages: Vec::new() }];
    let mut left = MOST_MESSAGES;
    element(packet, 0, &mut parts, 0, &mut left)?;
    parts.retain(|part| !part.messages.is_empty());
    Ok(parts)
}

fn element(
    bytes: &[u8],
    depth: usize,
    parts: &mut Vec<Part>,
    outer: usize,
    left: &mut usize,
) -> Result<(), Garbage> {
    let Some(bundle) = bytes.strip_prefix(BUNDLE) else {
        *left = left.checked_sub(1).ok_or(Garbage("more than 1024 messages"))?;
        let message = message(bytes)?;
        if let Some(part) = parts.get_mut(outer) {
            part.messages.push(message);
        }
        return Ok(());
    };
    if depth >= DEEPEST {
        return Err(Garbage("bundles nested deeper than 8"));
    }
    let broken = Garbage("a bundle that ends early");
    let (seconds, rest) = split_u32(bundle).ok_or(broken)?;
    let (fractional, mut rest) = split_u32(rest).ok_or(broken)?;
    let at = OscTime { seconds, fractional };
    let later = parts.get(outer).is_some_and(|part| ticks(at) > ticks(part.at));
    let own = if later {
        parts.push(Part { at, messages: Vec::new() });
        parts.len() - 1
    } else {
        outer
    };
    while !rest.is_empty() {
        let (size, after) = split_u32(rest).ok_or(broken)?;
        let size = usize::try_from(size).map_err(|_| broken)?;
        let (inner, after) = after.split_at_checked(size).ok_or(broken)?;
        element(inner, depth + 1, parts, own, left)?;
        rest = after;
    }
    Ok(())
}

/// Decodes one message, which must use all bytes.
fn message(bytes: &[u8]) -> Result<OscMessage, Garbage> {
    let broken = Garbage("a broken message");
    let end = bytes.iter().position(|&b| b == 0).ok_or(broken)?;
    let tags = bytes.get((end / 4 + 1) * 4..).ok_or(broken)?;
    if tags.is_empty() {
        // Senders of OSC 1.0 may leave out the types if there are no arguments.
        let address = bytes.get(..end).filter(|a| a.starts_with(b"/")).ok_or(broken)?;
        let address = String::from_utf8(address.to_vec()).map_err(|_| broken)?;
        return Ok(OscMessage { addr: address, args: Vec::new() });
    }
    if tags.iter().take_while(|&&b| b != 0).any(|&b| b == b'[') {
        return Err(Garbage("an array, which no address takes"));
    }
    match decoder::decode_udp(&without_symbols(bytes, bytes.len() - tags.len())) {
        Ok(([], OscPacket::Message(message))) => Ok(message),
        _ => Err(broken),
    }
}

/// The message with symbols (type `S`), which `rosc` does not know, as strings (type `s`), which
/// are encoded alike. The types begin at `tags`.
fn without_symbols(bytes: &[u8], tags: usize) -> Cow<'_, [u8]> {
    let is_symbol = |bytes: &[u8]| bytes.iter().take_while(|b| **b != 0).any(|b| *b == b'S');
    if !bytes.get(tags..).is_some_and(is_symbol) {
        return Cow::Borrowed(bytes);
    }
    let mut bytes = bytes.to_vec();
    for tag in bytes.iter_mut().skip(tags).take_while(|b| **b != 0) {
        if *tag == b'S' {
            *tag = b's';
        }
    }
    Cow::Owned(bytes)
}

fn split_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    bytes.split_first_chunk().map(|(first, rest)| (u32::from_be_bytes(*first), rest))
}

/// Time in units of 2^-32 s.
fn ticks(time: OscTime) -> u64 {
    (u64::from(time.seconds) << 32) | u64::from(time.fractional)
}

/// Seconds from `now` until a time tag, negative for the past; `None` for the tag that means now.
/// It is also right across the overflow of OSC time in 2036.
pub fn ahead_s(at: OscTime, now: SystemTime) -> Option<f64> {
    // Some senders write 0 for now.
    if at.seconds == 0 && at.fractional <= IMMEDIATELY.fractional {
        return None;
    }
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = (since.as_secs().wrapping_add(UNIX_OFFSET_S) << 32)
        | ((u64::from(since.subsec_nanos()) << 32) / 1_000_000_000);
    let ahead = ticks(at).wrapping_sub(now) as i64;
    // 2^-32 s -> s.
    Some(ahead as f64 / (1u64 << 32) as f64)
}

/// The time tag for a time.
pub fn time_tag(at: SystemTime) -> OscTime {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    OscTime {
        seconds: since.as_secs().wrapping_add(UNIX_OFFSET_S) as u32,
        fractional: ((u64::from(since.subsec_nanos()) << 32) / 1_000_000_000) as u32,
    }
}

/// The bytes of a message.
pub fn encode(message: OscMessage) -> Vec<u8> {
    // Writing to memory does not fail.
    encoder::encode(&OscPacket::Message(message)).unwrap_or_default()
}

/// Messages of one packet: a bundle that is to be done at once.
const TOGETHER: usize = 32;

/// The packets of an answer. Few messages get one packet each. Many are sent in as few packets as
/// possible, so that they fit into the buffer of a socket.
pub fn packets(messages: Vec<OscMessage>) -> Vec<Vec<u8>> {
    if messages.len() <= TOGETHER {
        return messages.into_iter().map(encode).collect();
    }
    let timetag = OscTime { seconds: 0, fractional: 1 };
    let bundle = |part: &[OscMessage]| {
        let content = part.iter().cloned().map(OscPacket::Message).collect();
        // Writing to memory does not fail.
        encoder::encode(&OscPacket::Bundle(OscBundle { timetag, content })).unwrap_or_default()
    };
    messages.chunks(TOGETHER).map(bundle).collect()
}

/// The same for messages that are packets already.
pub fn bundles(packets: Vec<Bytes>) -> Vec<Bytes> {
    if packets.len() <= TOGETHER {
        return packets;
    }
    let bundle = |part: &[Bytes]| {
        let mut bytes = BUNDLE.to_vec();
        bytes.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 1]);
        for packet in part {
            bytes.extend_from_slice(&u32::try_from(packet.len()).unwrap_or(0).to_be_bytes());
            bytes.extend_from_slice(packet);
        }
        Bytes::from(bytes)
    };
    packets.chunks(TOGETHER).map(bundle).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rosc::OscType;

    use super::*;

    fn note(address: &str) -> OscPacket {
        OscPacket::Message(OscMessage { addr: address.to_owned(), args: vec![OscType::Int(1)] })
    }

    fn bundle(seconds: u32, content: Vec<OscPacket>) -> OscPacket {
        OscPacket::Bundle(OscBundle { timetag: OscTime { seconds, fractional: 0 }, content })
    }

    fn addresses(packet: &OscPacket) -> Vec<(u32, Vec<String>)> {
        let parts = decode(&encoder::encode(packet).unwrap()).unwrap();
        parts
            .into_iter()
            .map(|p| (p.at.seconds, p.messages.into_iter().map(|m| m.addr).collect()))
            .collect()
    }

    #[test]
    fn inner_bundles_belong_to_the_outer_unless_they_are_later() {
        assert_eq!(addresses(&note("/a")), [(0, vec!["/a".to_owned()])]);
        let packet = bundle(
            10,
            vec![note("/a"), bundle(5, vec![note("/b")]), bundle(20, vec![note("/c")]), note("/d")],
        );
        let wanted = [
            (10, vec!["/a".to_owned(), "/b".to_owned(), "/d".to_owned()]),
            (20, vec!["/c".to_owned()]),
        ];
        assert_eq!(addresses(&packet), wanted);
    }

    #[test]
    fn many_packets_become_few_and_say_the_same() {
        let messages: Vec<OscMessage> = (0..100)
            .map(|n| OscMessage { addr: format!("/a/{n}"), args: vec![OscType::Int(n)] })
            .collect();
        let written = |count: usize| {
            let encoded = messages.iter().take(count).cloned().map(|m| encode(m).into());
            bundles(encoded.collect())
        };
        assert_eq!(written(TOGETHER).len(), TOGETHER);
        let read = written(100).into_iter().flat_map(|bytes| decode(&bytes).unwrap());
        let read: Vec<OscMessage> = read.flat_map(|part| part.messages).collect();
        assert_eq!(read, messages);
        assert_eq!(written(100), packets(messages.clone()));
    }

    #[test]
    fn a_bundle_with_a_broken_element_is_refused_whole() {
        let bytes = encoder::encode(&bundle(0, vec![note("/a"), note("/b")])).unwrap();
        assert!(decode(&bytes).is_ok());
        for cut in 1..bytes.len() {
            let whole = decode(&bytes[..cut]).is_ok();
            // A bundle that is cut exactly between two elements is a valid shorter bundle.
            assert_eq!(whole, cut == 16 || cut == 32, "{cut}");
        }
        let mut unknown_type = bytes;
        unknown_type[25] = b'?';
        assert!(decode(&unknown_type).is_err());
    }

    #[test]
    fn what_would_exhaust_the_stack_is_refused() {
        let mut bytes = Vec::new();
        for level in (0..3000).rev() {
            bytes.extend_from_slice(b"#bundle\0\0\0\0\0\0\0\0\x01");
            bytes.extend_from_slice(&(12u32 + 20 * level).to_be_bytes());
        }
        bytes.extend_from_slice(b"/a\0\0,i\0\0\0\0\0\x01");
        assert!(decode(&bytes).is_err());
        let mut arrays = b"/a\0\0,".to_vec();
        arrays.extend(std::iter::repeat_n(b'[', 30_000));
        arrays.extend(std::iter::repeat_n(b']', 30_000));
        arrays.extend_from_slice(&[0; 3]);
        assert!(decode(&arrays).is_err());
    }

    #[test]
    fn a_message_without_types_is_a_question() {
        let parts = decode(b"/engine/steps\0\0\0").unwrap();
        assert_eq!(parts[0].messages[0].addr, "/engine/steps");
        for bytes in [&b""[..], b"/", b"/a\0", b"\0\0\0\0", b"a\0\0\0", b"#bundle\0"] {
            assert!(decode(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_symbol_is_a_string() {
        let parts = decode(b"/a\0\0,iSs\0\0\0\0\0\0\0\x01S\0\0\0s\0\0\0").unwrap();
        let texts = ["S", "s"].map(|text| OscType::String(text.to_owned()));
        assert_eq!(parts[0].messages[0].args[1..], texts);
    }

    #[test]
    fn times_to_wait() {
        let now = SystemTime::now();
        let ahead = Duration::from_millis(1500);
        for (at, wanted_s) in [(now + ahead, 1.5), (now, 0.0), (now - ahead, -1.5)] {
            let found_s = ahead_s(time_tag(at), now).unwrap();
            assert!((found_s - wanted_s).abs() < 1e-6, "{found_s}");
        }
        for at in [IMMEDIATELY, OscTime { seconds: 0, fractional: 0 }] {
            assert_eq!(ahead_s(at, now), None);
        }
        // 2036-02-07 06:28:15 and two seconds later; seconds start again at 0 in between.
        let before = UNIX_EPOCH + Duration::from_secs((1 << 32) - 1 - UNIX_OFFSET_S);
        let found_s = ahead_s(OscTime { seconds: 1, fractional: 0 }, before).unwrap();
        assert!((found_s - 2.0).abs() < 1e-6, "{found_s}");
    }

    #[test]
    fn random_bytes_are_garbage_or_messages() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let seeds = [&b"#bundle\0\0\0\0\0\0\0\0\x01\0\0\0\x0c/a\0\0,i\0\0\0\0\0\x01"[..], b""];
        for i in 0..50_000 {
            let mut bytes = seeds[i % 2].to_vec();
            let more = (random() % 40) as usize;
            bytes.extend((0..more).map(|_| random() as u8));
            for _ in 0..random() % 4 {
                let at = random() as usize % bytes.len().max(1);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = random() as u8;
                }
            }
            let _ = decode(&bytes).map(|parts| {
                parts.iter().flat_map(|p| &p.messages).for_each(|m| {
                    let _ = crate::osc::read(m);
                });
            });
        }
    }
}
