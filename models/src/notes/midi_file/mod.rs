//! Reads standard MIDI files as songs. It knows the structure and the tempo of files; the keyboard
//! knows the meaning of keys.
//!
//! A damaged file is read as far as possible, and [`Mended`] says what was wrong. `chunks` finds
//! the tracks, `events` reads one track, and `timing` computes seconds.

mod chunks;
mod events;
mod mended;
mod notes;
mod timing;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use mended::{Damage, Mend, Mended};

use super::sysex::LONGEST;
use super::{EQUAL, MissingBank, Song, Tuning};
use crate::event::Event;
use chunks::{Header, Region};
use events::{Events, What};
use notes::Player;
use timing::{Clock, Tempo};

/// The time in seconds after which events are left out, because they come from a broken delta time.
pub const MAX_SONG_S: f64 = 24.0 * 3600.0;
/// The largest file that is read, bytes.
pub const MAX_FILE_BYTES: u64 = 64 << 20;
/// The longest time that a note without release lasts after the last message, seconds.
const HANGING_S: f64 = 60.0;
/// The most ports that are kept apart. If there are more, they share these.
const MOST_PORTS: usize = 16;
/// Not a status: it marks the end of a pattern in a file of format 2.
const PATTERN_END: u8 = 0;
/// A system exclusive message, which begins at the offset of the event.
const EXCLUSIVE: u8 = 0xF0;

/// Why a file cannot be read as a song.
#[derive(Debug, thiserror::Error)]
pub enum MidiFileError {
    /// The file could not be read.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The file is larger than [`MAX_FILE_BYTES`].
    #[error(
        "the file has {bytes} bytes, more than the {MAX_FILE_BYTES} that are read; is it a MIDI \
         file?"
    )]
    TooLarge {
        /// The size of the file.
        bytes: u64,
    },
    /// The file has neither a MIDI header nor a track.
    #[error(
        "the file starts with {found:02x?} and has neither \"MThd\" nor \"MTrk\" in it; give a \
         standard MIDI file (.mid)"
    )]
    NotMidi {
        /// The first bytes, at most four.
        found: Vec<u8>,
    },
    /// The file has no notes.
    #[error("the file has no notes; nothing to play{}", of_damage(.mended))]
    Empty {
        /// The damage in it.
        mended: Mended,
    },
    /// Something is damaged or unusual, and only undamaged files are wanted.
    #[error(
        "the file is not a whole MIDI file of format 0 or 1: {count} damaged, {first}; export it \
         again, or read it without --strict"
    )]
    Damaged {
        /// The number of places.
        count: usize,
        /// The first of them.
        first: Mend,
    },
}

/// The text about damage that an error adds.
fn of_damage(mended: &Mended) -> String {
    match mended.count {
        0 => String::new(),
        _ => format!(" ({mended})"),
    }
}

/// The content of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct FileRead {
    /// The notes in the vocabulary of the models.
    pub song: Song,
    /// All events in the order of time, which are what is played.
    pub events: Vec<Event>,
    /// The damage in it.
    pub mended: Mended,
    /// The number of note-ons. Several at the same time with the same program and key are one note
    /// of the song.
    pub strikes: usize,
    /// The banks that it selects but that do not exist, each once.
    pub missing_banks: Vec<MissingBank>,
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

/// Reads a MIDI file and mends damage silently; [`read_mended`] reports it.
///
/// # Errors
/// [`MidiFileError::NotMidi`] and [`MidiFileError::Empty`].
pub fn read_song(bytes: &[u8]) -> Result<Song, MidiFileError> {
    Ok(read_mended(bytes)?.song)
}

/// Reads a MIDI file of format 0 or 1, and reports its damage. Its tracks are merged by time (at
/// equal ticks in file order), with one tempo map, and played through one
/// [`Keyboard`](super::Keyboard), so that pedals and repeated keys act as live. The patterns of
/// format 2 are played one after the other. A file inside a RIFF file (.rmi) or after a MacBinary
/// header is found.
///
/// Controllers and system exclusive messages act as live, but the notes of the song do not contain
/// them.
///
/// There are sixteen channels for each port that the tracks name (FF 21), up to 16 ports.
///
/// SMPTE time is read as frames * ticks (29 as 30000/1001). Unknown chunks, tracks beyond the
/// declared number and a missing end-of-track are allowed. Notes without length become
/// [`MIN_NOTE_S`](super::MIN_NOTE_S) long, or end where their key is struck again; drums always get
/// that length. Notes without release end with the last track, or a minute after the last message
/// if that is earlier. `total_time_s` is the latest end of a note.
///
/// Damage costs only the events that it hit, and no earlier strike. Memory is proportional to the
/// length of `bytes` (at most 100 times as much, and 8 MB).
///
/// # Errors
/// [`MidiFileError::NotMidi`] and [`MidiFileError::Empty`].
pub fn read_mended(bytes: &[u8]) -> Result<FileRead, MidiFileError> {
    read_tuned(bytes, &EQUAL)
}

/// As [`read_mended`], with a tuning of the keys until the file changes it.
///
/// # Errors
/// Those of [`read_mended`].
pub fn read_tuned(bytes: &[u8], tuning: &Tuning) -> Result<FileRead, MidiFileError> {
    let mut mended = Mended::default();
    let Some(header) = chunks::header(bytes, &mut mended) else {
        return Err(MidiFileError::NotMidi { found: bytes.iter().take(4).copied().collect() });
    };
    let mut score = Score::default();
    score.read(bytes, &header, &mut mended);
    let mut clock = Clock::new(header.division, &score.tempos, &mut mended);
    let mut player = Player::new(score.ports.len(), tuning);
    for at in &score.events {
        let time_s = clock.advance(at.tick);
        if time_s > MAX_SONG_S {
            mended.add(at.offset as usize, Damage::TooLate);
            break;
        }
        match at.status {
            PATTERN_END => player.release_all(time_s),
            EXCLUSIVE => {
                let start = (at.offset as usize).min(bytes.len());
                let end = bytes.len().min(start + LONGEST + 8);
                player.exclusive(time_s, at.port, exclusive(&bytes[start..end]));
            }
            status => player.message(time_s, at.port, status, at.data),
        }
    }
    let end_s = clock.advance(score.end_tick);
    if end_s > MAX_SONG_S {
        mended.add(bytes.len(), Damage::TooLate);
    }
    let end_s = end_s.min(player.last_s() + HANGING_S);
    let (strikes, missing_banks) = (player.strikes(), player.missing_banks());
    let (events, notes) = player.finish(end_s);
    if notes.is_empty() {
        return Err(MidiFileError::Empty { mended });
    }
    let total_time_s = notes.iter().fold(0.0f64, |end_s, note| end_s.max(note.end_s));
    Ok(FileRead { song: Song { notes, total_time_s }, events, mended, strikes, missing_banks })
}

/// A system exclusive message from the first byte after its length up to its end.
fn exclusive(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|byte| *byte == 0xF7).unwrap_or(0);
    &bytes[..end]
}

/// A message at its tick.
#[derive(Debug, Clone, Copy)]
struct At {
    tick: u64,
    /// Bytes from the start of the file, which is shorter than 4 GB.
    offset: u32,
    /// The index of its port among those that the file names.
    port: u8,
    status: u8,
    data: [u8; 2],
}

/// All tracks together.
#[derive(Debug, Default)]
struct Score {
    /// Sorted by tick; at equal ticks in file order.
    events: Vec<At>,
    tempos: Vec<Tempo>,
    /// The ports, in the order in which they are named. Tracks that name none have the first.
    ports: Vec<u8>,
    end_tick: u64,
}

impl Score {
    fn read(&mut self, bytes: &[u8], header: &Header, mended: &mut Mended) {
        self.ports.push(0);
        let is_patterns = header.format == 2;
        let mut position = header.end;
        let mut tracks = 0;
        let mut start_tick = 0;
        while let Some(region) = chunks::next_track(bytes, position, mended) {
            tracks += 1;
            position = self.track(bytes, region, start_tick, mended);
            if is_patterns {
                let data = [0; 2];
                let offset = region.start as u32;
                self.events.push(At {
                    tick: self.end_tick,
                    offset,
                    port: 0,
                    status: PATTERN_END,
                    data,
                });
                start_tick = self.end_tick;
            }
        }
        if tracks < usize::from(header.declared) {
            let damage = Damage::TrackCount { declared: header.declared, found: tracks };
            mended.add(header.offset, damage);
        }
        self.events.sort_by_key(|at| at.tick);
        self.tempos.sort_by_key(|tempo| tempo.tick);
    }

    /// Reads a track that begins at `tick`. Returns where the next one may begin.
    fn track(&mut self, bytes: &[u8], region: Region, mut tick: u64, mended: &mut Mended) -> usize {
        let mut port = 0;
        let mut events = Events::new(bytes, region.start, region.end);
        let mut end = region.end;
        while let Some(event) = events.next(mended) {
            tick = tick.saturating_add(u64::from(event.delta));
            match event.what {
                What::Channel { status, data } => {
                    let offset = event.offset as u32;
                    self.events.push(At { tick, offset, port, status, data });
                }
                What::Exclusive { at } => {
                    let (offset, data) = (at, [0; 2]);
                    self.events.push(At { tick, offset, port, status: EXCLUSIVE, data });
                }
                What::Tempo(quarter_us) => self.tempos.push(Tempo { tick, quarter_us }),
                What::Port(named) => port = self.port(named),
                What::End => {
                    // A length that is too large may hide the next track.
                    if chunks::is_chunk(bytes, events.position()) {
                        end = events.position();
                    }
                    break;
                }
                What::Nothing => {}
            }
        }
        self.end_tick = self.end_tick.max(tick);
        end
    }

    /// The index of a port among those that the file names.
    fn port(&mut self, named: u8) -> u8 {
        let place = match self.ports.iter().position(|port| *port == named) {
            Some(place) => place,
            None if self.ports.len() < MOST_PORTS => {
                self.ports.push(named);
                self.ports.len() - 1
            }
            None => usize::from(named) % MOST_PORTS,
        };
        place as u8
    }
}
