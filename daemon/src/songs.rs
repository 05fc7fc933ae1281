//! Reads songs from MIDI files, with errors that name the file. It knows no sound.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use timbre_models::event::Event;
use timbre_models::notes::midi_file::MAX_FILE_BYTES;
use timbre_models::notes::{
    FileRead, Mended, MidiFileError, MissingBank, Song, Tuning, read_tuned,
};

use crate::error::Error;
use crate::whole_file::STANDARD;

/// A song as events for a stream, and as notes in the vocabulary of the models.
#[derive(Debug, Clone)]
pub struct Piece {
    /// The notes.
    pub song: Song,
    /// All events, by time.
    pub events: Vec<Event>,
    /// Banks that it asks for and that do not exist.
    pub missing_banks: Vec<MissingBank>,
}

impl From<Song> for Piece {
    fn from(song: Song) -> Self {
        let events = song.events().iter().map(Event::of).collect();
        Self { song, events, missing_banks: vec![] }
    }
}

/// Reads a MIDI file, also from a pipe; `-` is standard input. At most [`MAX_FILE_BYTES`] are read.
/// Keys have the tuning `tuning` until the file changes it. Damage that was repaired is printed, or
/// is an error if `is_strict`.
///
/// # Errors
/// The file cannot be used; the error names it, what was found, and what to do.
pub fn read(
    path: &Path,
    tuning: &Tuning,
    is_strict: bool,
) -> Result<(Piece, Option<Mended>), Error> {
    let unread = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotFound => Error::input(path, "no such file; check the name"),
        _ => Error::input(path, format!("{e}; wanted a readable MIDI file")),
    };
    let bytes = match path == Path::new(STANDARD) {
        true => limited(std::io::stdin().lock()),
        false if path.is_dir() => {
            return Err(Error::input(path, "is a folder; name the MIDI files in it"));
        }
        false => File::open(path).and_then(limited),
    };
    let bytes = bytes.map_err(unread)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(Error::input(path, MidiFileError::TooLarge { bytes: bytes.len() as u64 }));
    }
    let read = read_tuned(&bytes, tuning).and_then(
        |FileRead { song, events, mended, missing_banks, .. }| {
            if is_strict {
                mended.strictly()?;
            }
            Ok((
                Piece { song, events, missing_banks },
                Some(mended).filter(|mended| mended.count > 0),
            ))
        },
    );
    read.map_err(|e| Error::input(path, e))
}

/// Reads everything, or one byte more than the limit.
fn limited(from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![];
    from.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
