//! The header and the tracks of a MIDI file, even if lengths are wrong or other data surrounds
//! them. It knows no events.

use super::mended::{Damage, Mended};

const HEADER: &[u8] = b"MThd";
const TRACK: &[u8] = b"MTrk";
/// The identifier and the length of a chunk.
const CHUNK_HEAD: usize = 8;
/// A header with its chunk head.
const HEADER_BYTES: usize = 14;
/// The header that old Macintosh programs put before a file.
const MAC_BINARY_BYTES: usize = 128;
/// The event that ends a track, without the time before it.
const END_OF_TRACK: &[u8] = &[0xFF, 0x2F, 0x00];

/// The fields of the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) format: u16,
    pub(super) declared: u16,
    pub(super) division: u16,
    /// Where the header begins.
    pub(super) offset: usize,
    /// Where the first track may begin.
    pub(super) end: usize,
}

/// Where the events of a track lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Region {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Finds the header. If there is none, but a track, the bytes before the track count as a header.
pub(super) fn header(bytes: &[u8], mended: &mut Mended) -> Option<Header> {
    let offset = match find(bytes, HEADER, 0) {
        Some(offset) => offset,
        None => {
            let track = find(bytes, TRACK, 0)?;
            mended.add(0, Damage::Header);
            return Some(lost_header(bytes, track));
        }
    };
    match offset {
        0 => {}
        MAC_BINARY_BYTES if bytes.first() == Some(&0) => mended.unusual(0, Damage::MacBinary),
        _ if bytes.starts_with(b"RIFF") => mended.unusual(0, Damage::Riff),
        _ => mended.add(0, Damage::Before),
    }
    let Some((length, fields)) = fields(bytes, offset) else {
        mended.add(offset, Damage::Header);
        let track = find(bytes, TRACK, offset).unwrap_or(bytes.len());
        return Some(lost_header(bytes, track));
    };
    let [format, declared, division] = fields;
    let announced = offset.saturating_add(CHUNK_HEAD).saturating_add(length as usize);
    let mut end = announced;
    if length < 6 || (end != bytes.len() && !is_chunk(bytes, end)) {
        end = find(bytes, TRACK, offset + HEADER_BYTES).unwrap_or(bytes.len());
        if end != announced {
            mended.add(offset, Damage::Header);
        }
    }
    match format {
        0 | 1 => {}
        2 => mended.unusual(offset, Damage::Patterns),
        other => mended.add(offset + CHUNK_HEAD, Damage::Format(other)),
    }
    Some(Header { format, declared, division, offset, end })
}

/// The length and the three fields of the header at `offset`.
fn fields(bytes: &[u8], offset: usize) -> Option<(u32, [u16; 3])> {
    match *bytes.get(offset + 4..offset + HEADER_BYTES)? {
        [a, b, c, d, f0, f1, n0, n1, d0, d1] => {
            let fields = [[f0, f1], [n0, n1], [d0, d1]].map(u16::from_be_bytes);
            Some((u32::from_be_bytes([a, b, c, d]), fields))
        }
        _ => None,
    }
}

/// The default for a lost header. The time division may still stand before the first track.
fn lost_header(bytes: &[u8], track: usize) -> Header {
    let before = track.checked_sub(2).and_then(|at| bytes.get(at..track));
    let division = match before {
        Some(&[high, low]) => u16::from_be_bytes([high, low]),
        _ => 0,
    };
    Header { format: 1, declared: 0, division, offset: 0, end: track }
}

/// The next track from `at` on, and where its events lie; `None` after the last one.
pub(super) fn next_track(bytes: &[u8], mut at: usize, mended: &mut Mended) -> Option<Region> {
    loop {
        let rest = bytes.get(at..)?;
        if rest.starts_with(TRACK) {
            let start = at + CHUNK_HEAD;
            let Some(announced) = length_at(bytes, at) else {
                mended.add(at, Damage::CutOff);
                return None;
            };
            let announced_end = start.saturating_add(announced as usize);
            if is_end(bytes, start, announced_end) {
                return Some(Region { start, end: announced_end });
            }
            mended.add(at, Damage::TrackLength { announced });
            let end = find(bytes, TRACK, start).unwrap_or(bytes.len());
            return Some(Region { start, end });
        }
        if is_chunk(bytes, at) {
            at += CHUNK_HEAD + length_at(bytes, at)? as usize;
            continue;
        }
        let next = find(bytes, TRACK, at)?;
        mended.add(at, Damage::Between);
        at = next;
    }
}

/// Whether a track that begins at `start` may end at `end`: the file ends there, another chunk
/// begins, or an end-of-track event lies before it.
fn is_end(bytes: &[u8], start: usize, end: usize) -> bool {
    end == bytes.len()
        || is_chunk(bytes, end)
        || bytes.get(start..end).is_some_and(|track| track.ends_with(END_OF_TRACK))
}

/// Whether a chunk begins at `at`: a track, or another name of letters with a length that fits into
/// the file.
pub(super) fn is_chunk(bytes: &[u8], at: usize) -> bool {
    let Some(rest) = bytes.get(at..) else { return false };
    let is_name = |name: &[u8]| name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b' ');
    let fits = |length: u32| rest.len() - CHUNK_HEAD >= length as usize;
    rest.starts_with(TRACK)
        || (rest.get(..4).is_some_and(is_name) && length_at(bytes, at).is_some_and(fits))
}

/// The length in the head of a chunk.
fn length_at(bytes: &[u8], at: usize) -> Option<u32> {
    let length = bytes.get(at + 4..at + CHUNK_HEAD)?;
    Some(length.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
}

fn find(bytes: &[u8], what: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    rest.windows(what.len()).position(|window| window == what).map(|at| from + at)
}
