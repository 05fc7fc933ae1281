//! MIDI files -> songs, with errors that name the file. Knows no sound.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use timbre_models::notes::midi_file::MAX_FILE_BYTES;
use timbre_models::notes::{MidiFileError, Song, read_song};

use crate::error::Error;

/// Reads a MIDI file, also from a pipe. Never reads more than [`MAX_FILE_BYTES`].
///
/// # Errors
/// Names the file, what was found and what to do.
pub fn read(path: &Path) -> Result<Song, Error> {
    if path.is_dir() {
        return Err(Error::input(path, "is a folder; name the MIDI files in it"));
    }
    let unread = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotFound => Error::input(path, "no such file; check the name"),
        _ => Error::input(path, format!("{e}; wanted a readable MIDI file")),
    };
    let mut bytes = vec![];
    let file = File::open(path).map_err(unread)?;
    let read = file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unread)? as u64;
    if read > MAX_FILE_BYTES {
        return Err(Error::input(path, MidiFileError::TooLarge { bytes: read }));
    }
    read_song(&bytes).map_err(|e| Error::input(path, e))
}
