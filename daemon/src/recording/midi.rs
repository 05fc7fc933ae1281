//! A MIDI file that is valid after every flush, and also after a write that failed. It knows no
//! queue, and the thread `timbred-recorder` uses it.

use std::fs::OpenOptions;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use timbre_models::notes::GrowingTrack;
use timbre_models::notes::midi_write::{TRACK_AT, track_head};

use super::Disk;
use super::tap::{OfKey, Played};

/// The file.
pub(super) struct MidiFile {
    disk: Box<dyn Disk>,
    path: PathBuf,
    track: GrowingTrack,
    /// Bytes of the file that will not change any more, but are not on the disk yet.
    fixed: Vec<u8>,
    /// Where they begin in the file. Everything before is on the disk.
    at: u64,
    /// The bytes on the disk behind that place, which end the track.
    end: Vec<u8>,
}

impl MidiFile {
    /// Begins a file.
    pub(super) fn new(disk: Box<dyn Disk>, path: &Path) -> io::Result<Self> {
        let mut file = Self {
            disk,
            path: path.to_owned(),
            track: GrowingTrack::new(),
            fixed: vec![],
            at: TRACK_AT as u64,
            end: vec![],
        };
        file.flush(0.0)?;
        Ok(file)
    }

    /// Adds what a part played, whose time is counted from the beginning of the file.
    pub(super) fn played(&mut self, played: &Played) {
        match played {
            Played::Note(part, event) => self.track.push_to(*part, event),
            Played::Control(part, time_s, control, value) => {
                self.track.control(*part, *time_s, *control, *value);
            }
            Played::Key(part, time_s, key, OfKey::Pressure(value)) => {
                self.track.pressure(*part, *time_s, *key, *value);
            }
            Played::Key(_, time_s, key, OfKey::Tuning(semitones)) => {
                self.track.tuning(*time_s, *key, *semitones);
            }
            Played::Key(part, time_s, from, OfKey::GlideFrom(seconds)) => {
                self.track.glide(*part, *time_s, *from, *seconds);
            }
            Played::Key(part, time_s, _, OfKey::Legato) => self.track.legato(*part, *time_s),
        }
    }

    /// Writes all notes to the disk; the file then ends at `end_s`.
    pub(super) fn flush(&mut self, end_s: f64) -> io::Result<()> {
        let (piece, end) = self.track.piece(end_s)?;
        self.fixed.extend(piece);
        write(&mut self.disk, self.at, &self.fixed, &end)?;
        self.disk.sync()?;
        self.at += self.fixed.len() as u64;
        (self.end, self.fixed) = (end, vec![]);
        Ok(())
    }

    /// Ends the file at `end_s`. After a failed write it ends where it was last flushed.
    pub(super) fn finish(mut self, end_s: f64) -> io::Result<()> {
        self.flush(end_s).or_else(|e| {
            let mut file = OpenOptions::new().write(true).open(&self.path)?;
            write(&mut file, self.at, &[], &self.end)?;
            file.set_len(self.at + self.end.len() as u64)?;
            file.sync_data().and(Err(e))
        })
    }
}

/// Writes a piece and the end of the track at `at`, and then the length of the track.
fn write<W: Write + Seek>(to: &mut W, at: u64, piece: &[u8], end: &[u8]) -> io::Result<()> {
    to.seek(SeekFrom::Start(at))?;
    to.write_all(&[piece, end].concat())?;
    let length = usize::try_from(at).unwrap_or(usize::MAX) - TRACK_AT + piece.len() + end.len();
    to.seek(SeekFrom::Start(0))?;
    to.write_all(&track_head(length)?)?;
    to.flush()
}
