//! Notes and note events, and the order in which the models get them. It knows no tokens, segments
//! or devices.

pub mod channels;
pub mod keyboard;
pub mod keys;
pub mod kits;
pub mod midi_file;
pub mod midi_write;
pub mod sysex;

#[cfg(test)]
mod channels_tests;
#[cfg(test)]
mod keyboard_tests;

pub use channels::{Channels, EQUAL, MissingBank, Tuning};
pub use keyboard::{BadMessage, Keyboard};
pub use keys::Keys;
pub use kits::{Kit, Kits};
pub use midi_file::{
    FileRead, Mended, MidiFileError, read_mended, read_song, read_song_file, read_tuned,
};
pub use midi_write::{GrowingTrack, write_song, write_song_file};

/// The length of a note that has none, seconds: one token step.
///
/// At equal times a release is sorted before a strike, so a note without length would hang.
pub const MIN_NOTE_S: f64 = 0.01;

/// An instrument and a key. The order is drum, program, key, which is the order of simultaneous
/// events in the published models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Voice {
    /// Whether it is percussion (MIDI channel 10), which is only struck and never released.
    pub is_drum: bool,
    /// The General MIDI program, 0..=127. That of drums chooses their kit.
    pub program: u8,
    /// The MIDI key, 0..=127; 60 is middle C.
    pub key: u8,
}

/// A strike or a release of a voice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoteEvent {
    /// Seconds from the start of the stream, exact (not rounded to a token step).
    pub time_s: f64,
    /// The instrument and the key.
    pub voice: Voice,
    /// The velocity: 1..=127 is a strike, 0 is a release.
    pub velocity: u8,
}

/// A note from its strike to its release.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Note {
    /// The instrument and the key.
    pub voice: Voice,
    /// The velocity, 1..=127. A note of velocity 0 is played as a release at its start.
    pub velocity: u8,
    /// The time of the strike, seconds.
    pub start_s: f64,
    /// The time of the release, seconds. For drums it only matters for the length of the song.
    pub end_s: f64,
}

/// A whole piece.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Song {
    /// The notes, in any order.
    pub notes: Vec<Note>,
    /// The length in seconds; at least the latest end of a note.
    pub total_time_s: f64,
}

impl Song {
    /// The song as events in the order of [`note_events`].
    pub fn events(&self) -> Vec<NoteEvent> {
        note_events(&self.notes)
    }
}

/// Turns notes into events, sorted by exact time. At equal times all releases come before all
/// strikes, each sorted by [`Voice`], and then in the order of `notes`. Drums have no release.
///
/// A note of velocity 0 keeps its place among the strikes, as in the published pipeline
/// (`note_sequences.note_sequence_to_onsets_and_offsets_and_programs`).
pub fn note_events(notes: &[Note]) -> Vec<NoteEvent> {
    let mut sorted: Vec<&Note> = notes.iter().collect();
    sorted.sort_by_key(|note| note.voice);
    let releases = sorted.iter().filter(|note| !note.voice.is_drum).map(|note| NoteEvent {
        time_s: note.end_s,
        voice: note.voice,
        velocity: 0,
    });
    let strikes = sorted.iter().map(|note| NoteEvent {
        time_s: note.start_s,
        voice: note.voice,
        velocity: note.velocity,
    });
    let mut events: Vec<NoteEvent> = releases.chain(strikes).collect();
    events.sort_by(|a, b| a.time_s.total_cmp(&b.time_s));
    events
}
