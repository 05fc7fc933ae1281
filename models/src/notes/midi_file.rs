//! Standard MIDI files to songs. Knows the file's structure and tempo; what the keys mean is the keyboard's.

use std::path::{Path, PathBuf};

use midly::{EventIter, MetaMessage, MidiMessage, TrackEventKind};

use super::{Keyboard, MIN_NOTE_S, Note, NoteEvent, Song, Voice};

/// Longer songs are refused (seconds): a broken delta time, not music.
pub const MAX_SONG_S: f64 = 24.0 * 3600.0;
/// Larger files are refused (bytes).
pub const MAX_FILE_BYTES: u64 = 64 << 20;
/// The tempo until the file sets one (microseconds a quarter note): 120 a minute.
const DEFAULT_TEMPO_US: u32 = 500_000;
/// Notes shorter than this (seconds) have no length: the keyboard's smallest distance of two events.
const NO_LENGTH_S: f64 = 1e-6;

/// Why a file is no song. Tracks count from 1, offsets are bytes from the start of the file.
#[derive(Debug, thiserror::Error)]
pub enum MidiFileError {
    /// The file could not be read.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is larger than [`MAX_FILE_BYTES`].
    #[error(
        "the file has {bytes} bytes, more than the {MAX_FILE_BYTES} that are read; is it a MIDI file?"
    )]
    TooLarge {
        /// Its size.
        bytes: u64,
    },
    /// The file does not start with a MIDI header.
    #[error(
        "the file starts with {found:02x?}, not with \"MThd\"; give a standard MIDI file (.mid)"
    )]
    NotMidi {
        /// The first bytes, at most four.
        found: Vec<u8>,
    },
    /// The header is shorter than six bytes.
    #[error(
        "the MIDI header is {found} bytes long, wanted 6; the file is damaged, export it again"
    )]
    BadHeader {
        /// Its length.
        found: u32,
    },
    /// Format 2 (or an unknown one): independent patterns, not one song.
    #[error("MIDI format {found}, wanted 0 or 1; export the piece as format 1 from your sequencer")]
    Format {
        /// The format field.
        found: u16,
    },
    /// The header's division is no usable time base.
    #[error(
        "time division {found:#06x}, wanted ticks a quarter note of 1..=32767, or SMPTE with 24, 25, 29 or 30 \
         frames a second and at least one tick a frame; export the file again"
    )]
    Division {
        /// The division field.
        found: u16,
    },
    /// A chunk is longer than what is left of the file.
    #[error(
        "the file ends early: the chunk at byte {offset} announces {announced} bytes, {left} are left; \
         copy or export the file again"
    )]
    Truncated {
        /// Where the chunk starts.
        offset: usize,
        /// The length it gives.
        announced: u32,
        /// The bytes that are there.
        left: usize,
    },
    /// Fewer tracks than the header says, or none at all.
    #[error(
        "the file has {found} tracks, its header says {declared}; copy or export the file again"
    )]
    MissingTracks {
        /// Tracks found.
        found: usize,
        /// Tracks in the header.
        declared: u16,
    },
    /// Bytes that are no MIDI event.
    #[error(
        "track {track}: no MIDI event at byte {offset} (every track must start with a status byte and every event \
         must be complete); export the file again"
    )]
    BadEvent {
        /// The track.
        track: usize,
        /// Where the event starts.
        offset: usize,
    },
    /// A tempo of 0 microseconds a quarter note: infinitely fast.
    #[error(
        "track {track}: tempo 0 at tick {tick}, wanted 1 or more microseconds a quarter note; correct the tempo"
    )]
    ZeroTempo {
        /// The track.
        track: usize,
        /// Ticks from the start.
        tick: u64,
    },
    /// Longer than [`MAX_SONG_S`].
    #[error(
        "an event lies at {seconds:.0} s, at most {MAX_SONG_S} s (24 h) are read; look for a broken delta time"
    )]
    TooLong {
        /// Where it lies.
        seconds: f64,
    },
    /// No note in the whole file.
    #[error("the file has no notes; nothing to play")]
    Empty,
}

/// Reads a MIDI file; see [`read_song`].
///
/// # Errors
/// Those of [`read_song`], and `Io` and `TooLarge`.
pub fn read_song_file(path: impl AsRef<Path>) -> Result<Song, MidiFileError> {
    let path = path.as_ref();
    let io = |source| MidiFileError::Io { path: path.to_owned(), source };
    let bytes = std::fs::metadata(path).map_err(io)?.len();
    if bytes > MAX_FILE_BYTES {
        return Err(MidiFileError::TooLarge { bytes });
    }
    read_song(&std::fs::read(path).map_err(io)?)
}

/// Reads formats 0 and 1: tracks are merged by time (at equal ticks in file order), with one tempo map, and
/// played through one [`Keyboard`], so that pedals and repeated keys mean what they mean live.
///
/// SMPTE time is read as frames * ticks (29 as 30000/1001). Unknown chunks and tracks beyond those declared
/// are tolerated, a missing end-of-track too. Notes without length become [`MIN_NOTE_S`] long, or end where
/// their key is struck again; drums are given that length. Notes never released end with the last event of
/// the file. `total_time_s` is the time of the last channel message or note end, whichever is later.
/// Memory is proportional to the length of `bytes`.
///
/// # Errors
/// Every variant of [`MidiFileError`] but `Io` and `TooLarge`.
pub fn read_song(bytes: &[u8]) -> Result<Song, MidiFileError> {
    let file = chunks(bytes)?;
    let mut merged = Vec::new();
    let mut end_tick = 0;
    for (index, track) in file.tracks.iter().enumerate() {
        end_tick = end_tick.max(read_track(index + 1, track, &mut merged)?);
    }
    merged.sort_by_key(|at| at.tick);
    let mut clock = file.clock;
    let mut keyboard = Keyboard::new();
    let mut events = Vec::new();
    let mut total_time_s = 0.0f64;
    for at in &merged {
        let time_s = clock.advance(at.tick)?;
        match at.what {
            What::Tempo(tempo_us) => clock.set_tempo(tempo_us),
            What::Message(channel, message) => {
                total_time_s = time_s;
                keyboard.feed(time_s, channel, message, &mut |event| events.push(event));
            }
        }
    }
    let end_s = clock.advance(end_tick)?;
    keyboard.release_all(end_s, &mut |event| events.push(event));
    let notes = pair(&events);
    if notes.is_empty() {
        return Err(MidiFileError::Empty);
    }
    total_time_s = notes.iter().fold(total_time_s, |end_s, note| end_s.max(note.end_s));
    Ok(Song { notes, total_time_s })
}

/// Seconds at a tick, going forward only.
struct Clock {
    tick: u64,
    time_s: f64,
    tick_s: f64,
    /// Ticks a quarter note; `None` for SMPTE time, which has no tempo.
    per_quarter: Option<f64>,
}

impl Clock {
    fn new(division: u16) -> Result<Self, MidiFileError> {
        let bad = MidiFileError::Division { found: division };
        let [high, low] = division.to_be_bytes();
        let (tick_s, per_quarter) = if division & 0x8000 == 0 {
            let per_quarter = f64::from(division);
            (f64::from(DEFAULT_TEMPO_US) * 1e-6 / per_quarter, Some(per_quarter))
        } else {
            let frames_per_s = match high.wrapping_neg() {
                29 => 30_000.0 / 1001.0,
                fps @ (24 | 25 | 30) => f64::from(fps),
                _ => return Err(bad),
            };
            (1.0 / (frames_per_s * f64::from(low)), None)
        };
        if !tick_s.is_finite() {
            return Err(bad);
        }
        Ok(Self { tick: 0, time_s: 0.0, tick_s, per_quarter })
    }

    fn advance(&mut self, tick: u64) -> Result<f64, MidiFileError> {
        self.time_s += tick.saturating_sub(self.tick) as f64 * self.tick_s;
        self.tick = self.tick.max(tick);
        if self.time_s > MAX_SONG_S {
            return Err(MidiFileError::TooLong { seconds: self.time_s });
        }
        Ok(self.time_s)
    }

    fn set_tempo(&mut self, tempo_us: u32) {
        if let Some(per_quarter) = self.per_quarter {
            self.tick_s = f64::from(tempo_us) * 1e-6 / per_quarter;
        }
    }
}

/// The bytes of one track and where they lie in the file.
struct TrackBytes<'a> {
    offset: usize,
    bytes: &'a [u8],
}

struct Chunks<'a> {
    clock: Clock,
    tracks: Vec<TrackBytes<'a>>,
}

/// Finds header and tracks. `midly` takes what it can get of a damaged file; here that is an error.
fn chunks(bytes: &[u8]) -> Result<Chunks<'_>, MidiFileError> {
    if !bytes.starts_with(b"MThd") {
        return Err(MidiFileError::NotMidi { found: bytes.iter().take(4).copied().collect() });
    }
    let (header, mut offset) = chunk_at(bytes, 0)?;
    let &[f0, f1, n0, n1, d0, d1, ..] = header else {
        return Err(MidiFileError::BadHeader { found: header.len() as u32 });
    };
    let format = u16::from_be_bytes([f0, f1]);
    if format > 1 {
        return Err(MidiFileError::Format { found: format });
    }
    let clock = Clock::new(u16::from_be_bytes([d0, d1]))?;
    let declared = u16::from_be_bytes([n0, n1]);
    let mut tracks = Vec::new();
    while bytes.len() > offset {
        // What follows the last declared track may be anything.
        let enough = tracks.len() >= usize::from(declared);
        let (body, next) = match chunk_at(bytes, offset) {
            Err(_) if enough => break,
            chunk => chunk?,
        };
        if bytes.get(offset..).is_some_and(|rest| rest.starts_with(b"MTrk")) {
            tracks.push(TrackBytes { offset: next - body.len(), bytes: body });
        }
        offset = next;
    }
    if tracks.is_empty() || tracks.len() < usize::from(declared) {
        return Err(MidiFileError::MissingTracks { found: tracks.len(), declared });
    }
    Ok(Chunks { clock, tracks })
}

/// The body of the chunk at `offset` and the offset behind it.
fn chunk_at(bytes: &[u8], offset: usize) -> Result<(&[u8], usize), MidiFileError> {
    let rest = bytes.get(offset..).unwrap_or_default();
    let (announced, body) = match rest {
        &[_, _, _, _, a, b, c, d, ref body @ ..] => (u32::from_be_bytes([a, b, c, d]), body),
        _ => return Err(MidiFileError::Truncated { offset, announced: 8, left: rest.len() }),
    };
    match body.get(..announced as usize) {
        Some(body) => Ok((body, offset + 8 + body.len())),
        None => Err(MidiFileError::Truncated { offset, announced, left: body.len() }),
    }
}

enum What {
    Tempo(u32),
    Message(u8, MidiMessage),
}

struct At {
    tick: u64,
    what: What,
}

/// Appends what matters of a track to `merged`; returns the tick of its end.
fn read_track(
    track: usize,
    bytes: &TrackBytes,
    merged: &mut Vec<At>,
) -> Result<u64, MidiFileError> {
    let mut tick = 0u64;
    let mut events = EventIter::new(bytes.bytes);
    while !events.unread().is_empty() {
        let before = events.unread();
        let bad = MidiFileError::BadEvent {
            track,
            offset: bytes.offset + bytes.bytes.len() - before.len(),
        };
        // On a malformed event the iterator ends silently and drops the rest.
        let Some(Ok(event)) = events.next() else { return Err(bad) };
        tick += u64::from(event.delta.as_int());
        let used = before.get(..before.len() - events.unread().len()).unwrap_or_default();
        if !is_whole(used, &event.kind) {
            return Err(bad);
        }
        match event.kind {
            TrackEventKind::Midi { channel, message } => {
                merged.push(At { tick, what: What::Message(channel.as_int(), message) });
            }
            TrackEventKind::Meta(MetaMessage::Tempo(tempo)) => match tempo.as_int() {
                0 => return Err(MidiFileError::ZeroTempo { track, tick }),
                tempo_us => merged.push(At { tick, what: What::Tempo(tempo_us) }),
            },
            TrackEventKind::Meta(MetaMessage::EndOfTrack) => break,
            TrackEventKind::Meta(_) | TrackEventKind::SysEx(_) | TrackEventKind::Escape(_) => {}
        }
    }
    Ok(tick)
}

/// Whether an event's bytes are what they should be. `midly` strips the top bit of data bytes and shortens
/// what is announced longer than the track.
fn is_whole(used: &[u8], kind: &TrackEventKind) -> bool {
    let body = match kind {
        TrackEventKind::Midi { message, .. } => {
            let data_bytes = match message {
                MidiMessage::ProgramChange { .. } | MidiMessage::ChannelAftertouch { .. } => 1,
                _ => 2,
            };
            return used.iter().rev().take(data_bytes).all(|&byte| byte < 0x80);
        }
        // Behind the delta time: 0xFF and the type, or the status alone.
        TrackEventKind::Meta(_) => variable_length(used).and_then(|(_, rest)| rest.get(2..)),
        _ => variable_length(used).and_then(|(_, rest)| rest.get(1..)),
    };
    body.and_then(variable_length).is_some_and(|(announced, rest)| rest.len() == announced)
}

/// A number of up to four times seven bits, and what follows it.
fn variable_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let last = bytes.iter().take(4).position(|&byte| byte < 0x80)?;
    let (number, rest) = bytes.split_at_checked(last + 1)?;
    let value = number.iter().fold(0, |value, &byte| value << 7 | usize::from(byte & 0x7F));
    Some((value, rest))
}

/// Strikes and releases, in the order the keyboard gave them, to notes in the order of their strikes.
fn pair(events: &[NoteEvent]) -> Vec<Note> {
    let mut notes: Vec<Note> = Vec::new();
    let mut open = std::collections::HashMap::<Voice, usize>::new();
    for event in events {
        let &NoteEvent { time_s, voice, velocity } = event;
        if velocity == 0 {
            if let Some(note) = open.remove(&voice).and_then(|index| notes.get_mut(index)) {
                note.end_s = time_s;
            }
            continue;
        }
        if !voice.is_drum {
            open.insert(voice, notes.len());
        }
        notes.push(Note { voice, velocity, start_s: time_s, end_s: time_s });
    }
    lengthen(&mut notes);
    notes
}

/// Gives notes without length [`MIN_NOTE_S`], or less if the same voice starts again before that. Drums, which
/// nothing ends, always get it.
fn lengthen(notes: &mut Vec<Note>) {
    let mut next_start_s = std::collections::HashMap::<Voice, f64>::new();
    for note in notes.iter_mut().rev() {
        let next_s = next_start_s.insert(note.voice, note.start_s).unwrap_or(f64::INFINITY);
        if note.voice.is_drum {
            note.end_s = note.start_s + MIN_NOTE_S;
        } else if note.end_s - note.start_s < NO_LENGTH_S {
            note.end_s = (note.start_s + MIN_NOTE_S).min(next_s);
        }
    }
    // Struck again at the very same time: only the last strike is a note.
    notes.retain(|note| note.voice.is_drum || note.end_s - note.start_s >= NO_LENGTH_S);
}
