//! The list of notes that sound. The note prior, the excitation and the dynamics all read this one
//! list. It knows no sound.

use crate::event::{Event, Glide, NoteId, Part, Strike, What};
use crate::notes::{NoteEvent, Voice};
use crate::units::{SAMPLE_RATE_HZ, SamplePos};

/// The most notes that sound or ring out together. If there are more, one is ended (see
/// [`Ledger::strike`]).
pub const NOTES: usize = 256;

/// A note, from its press until it cannot be heard any more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sounding {
    /// The index of the note in lists that others keep for all notes, 0..[`NOTES`].
    pub slot: usize,
    /// Distinguishes it from earlier notes with the same slot.
    pub serial: u64,
    /// The identity of the note.
    pub id: NoteId,
    /// The part that plays it.
    pub part: Part,
    /// The instrument and the key in the vocabulary of the model.
    pub voice: Voice,
    /// The velocity, 1..=127.
    pub velocity: u8,
    /// When it was pressed, seconds.
    pub start_s: f64,
    /// The first sample of the note.
    pub first: SamplePos,
    /// When it was released, seconds; none before that. Drums are never released.
    pub end_s: Option<f64>,
    /// When its key was struck again while it rang out, seconds.
    pub again: Option<SamplePos>,
    /// When it was silenced, seconds.
    pub cut_s: Option<f64>,
    /// Semitones beside equal temperament, and key pressure, 0..=1, at the start of the hop.
    held: Touch,
    /// The glide to its pitch, if there is one.
    pub glide: Option<Glide>,
    /// Whether its attack is left out.
    pub is_legato: bool,
    /// The mean power of its last frame, by which the note to end is chosen.
    pub power: f32,
}

impl Sounding {
    /// The samples from the press to the release; none before that, and 0 for drums.
    pub fn down(&self) -> Option<u64> {
        if self.voice.is_drum {
            return Some(0);
        }
        self.end_s.map(|end_s| sample_at(end_s).0.saturating_sub(self.first.0))
    }
}

/// The expression of a single note by its finger.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Touch {
    /// Semitones beside equal temperament.
    pub tuning: f32,
    /// Key pressure, 0..=1.
    pub pressure: f32,
}

/// The notes that sound or ring out, in the order of their presses.
#[derive(Debug, Default)]
pub struct Ledger {
    notes: Vec<Sounding>,
    /// The touches of this hop: the note, the time in seconds, and the expression from then on.
    touches: Vec<(u64, f64, Touch)>,
    free: Vec<usize>,
    serial: u64,
    stolen: u64,
}

impl Ledger {
    /// An empty list.
    pub fn new() -> Self {
        let free = (0..NOTES).rev().collect();
        let notes = Vec::with_capacity(NOTES);
        Self { notes, touches: vec![], free, serial: 0, stolen: 0 }
    }

    /// The notes, oldest first.
    pub fn notes(&self) -> &[Sounding] {
        &self.notes
    }

    /// The notes, oldest first, to be changed.
    pub fn notes_mut(&mut self) -> &mut [Sounding] {
        &mut self.notes
    }

    /// How many notes were ended early to make room for newer ones.
    pub fn stolen(&self) -> u64 {
        self.stolen
    }

    /// Begins a note at `at_s` seconds. If another note still has its id, that one ends. If its key
    /// still sounds on the same part, the older note remembers that its key was struck again. If
    /// there is no room, the quietest of the released notes is ended, or the oldest note if all are
    /// held.
    pub fn strike(&mut self, at_s: f64, part: Part, strike: &Strike) -> Sounding {
        self.release(at_s, strike.note);
        let first = sample_at(at_s);
        let voice = strike.voice;
        let is_same = |n: &&mut Sounding| {
            n.voice == voice && n.part == part && n.again.is_none() && !voice.is_drum
        };
        for note in self.notes.iter_mut().filter(is_same).filter(|n| n.end_s.is_some()) {
            note.again = Some(first);
        }
        let slot = self.free.pop().unwrap_or_else(|| self.steal());
        self.serial += 1;
        let note = Sounding {
            slot,
            serial: self.serial,
            id: strike.note,
            part,
            voice,
            velocity: strike.velocity,
            start_s: at_s,
            first,
            end_s: None,
            again: None,
            cut_s: None,
            held: Touch { tuning: strike.tuning, pressure: 0.0 },
            glide: strike.glide,
            is_legato: strike.is_legato,
            power: f32::INFINITY,
        };
        self.notes.push(note);
        note
    }

    /// Takes a note event without a part. Returns the note, if one begins.
    pub fn note_event(&mut self, event: &NoteEvent) -> Option<Sounding> {
        let Event { at_s, part, what } = Event::of(event);
        match what {
            What::On(strike) => Some(self.strike(at_s, part, &strike)),
            What::Off(note) => {
                self.release(at_s, note);
                None
            }
            _ => None,
        }
    }

    /// Releases the note with this id, if it is held.
    pub fn release(&mut self, at_s: f64, id: NoteId) {
        if let Some(note) = self.held(id) {
            note.end_s = Some(at_s);
        }
    }

    /// Ends all notes of a part at once, also those that ring out.
    pub fn silence(&mut self, at_s: f64, part: Part) {
        for note in self.notes.iter_mut().filter(|note| note.part == part) {
            note.end_s.get_or_insert(at_s);
            note.again.get_or_insert(sample_at(at_s));
            note.cut_s.get_or_insert(at_s);
        }
    }

    /// Changes the expression of a note from `at_s` seconds on, if it is held.
    pub fn touch(&mut self, at_s: f64, id: NoteId, change: impl FnOnce(&mut Touch)) {
        let Some((serial, mut touch)) = self.held(id).map(|note| (note.serial, note.held)) else {
            return;
        };
        if let Some((.., last)) = self.touches.iter().rev().find(|(of, ..)| *of == serial) {
            touch = *last;
        }
        change(&mut touch);
        self.touches.push((serial, at_s, touch));
    }

    /// The expression of a note before a time, seconds. Changes at that very time do not count yet.
    pub fn touch_at(&self, note: &Sounding, at_s: f64) -> Touch {
        let is_it = |(of, since_s, _): &&(u64, f64, Touch)| *of == note.serial && *since_s < at_s;
        self.touches.iter().rev().find(is_it).map_or(note.held, |(.., touch)| *touch)
    }

    /// Ends a hop. The last expression of each note stays.
    pub fn next_hop(&mut self) {
        for (serial, _, touch) in self.touches.drain(..) {
            if let Some(note) = self.notes.iter_mut().find(|note| note.serial == serial) {
                note.held = touch;
            }
        }
    }

    /// The note with this id, if it is held.
    pub fn held(&mut self, id: NoteId) -> Option<&mut Sounding> {
        let is_it = |n: &&mut Sounding| n.id == id && n.end_s.is_none() && !n.voice.is_drum;
        self.notes.iter_mut().rev().find(is_it)
    }

    /// Removes the notes that are over.
    pub fn forget(&mut self, mut is_over: impl FnMut(&Sounding) -> bool) {
        let free = &mut self.free;
        self.notes.retain(|note| {
            let stays = !is_over(note);
            if !stays {
                free.push(note.slot);
            }
            stays
        });
    }

    /// Removes all notes.
    pub fn clear(&mut self) {
        self.forget(|_| true);
    }

    /// The slot of the note to end.
    fn steal(&mut self) -> usize {
        let rings = |n: &Sounding| n.end_s.is_some() || n.voice.is_drum;
        let faintest = self.notes.iter().enumerate().filter(|(_, note)| rings(note));
        let at = faintest.min_by(|(_, a), (_, b)| a.power.total_cmp(&b.power)).map_or(0, |f| f.0);
        self.stolen += 1;
        if at < self.notes.len() { self.notes.remove(at).slot } else { 0 }
    }
}

/// The sample at a time, seconds.
pub fn sample_at(at_s: f64) -> SamplePos {
    SamplePos((at_s * f64::from(SAMPLE_RATE_HZ)).round_ties_even() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strike(note: u64, key: u8) -> Strike {
        let voice = Voice { is_drum: false, program: 0, key };
        Strike {
            note: NoteId(note),
            voice,
            velocity: 90,
            tuning: 0.0,
            glide: None,
            is_legato: false,
        }
    }

    #[test]
    fn two_presses_of_one_key_on_two_parts_are_two_notes() {
        let mut ledger = Ledger::new();
        ledger.strike(0.0, Part(0), &strike(1, 60));
        ledger.strike(0.1, Part(1), &strike(2, 60));
        ledger.release(0.2, NoteId(1));
        let ends: Vec<_> = ledger.notes().iter().map(|n| (n.end_s, n.again)).collect();
        assert_eq!(ends, [(Some(0.2), None), (None, None)]);
        ledger.strike(0.5, Part(0), &strike(3, 60));
        assert_eq!(ledger.notes()[0].again, Some(SamplePos(8_000)));
    }

    #[test]
    fn the_faintest_released_note_gives_way_and_never_the_newest() {
        let mut ledger = Ledger::new();
        for n in 0..NOTES as u64 {
            ledger.strike(n as f64, Part(0), &strike(n, (n % 128) as u8));
        }
        for (id, power) in [(3, 1.0), (7, 0.1), (9, 0.5)] {
            ledger.release(300.0, NoteId(id));
            ledger.notes_mut()[id as usize].power = power;
        }
        ledger.strike(301.0, Part(0), &strike(1000, 60));
        assert!(!ledger.notes().iter().any(|n| n.id == NoteId(7)));
        assert_eq!((ledger.stolen(), ledger.notes().len()), (1, NOTES));
        ledger.strike(302.0, Part(0), &strike(1001, 60));
        ledger.strike(303.0, Part(0), &strike(1002, 60));
        // All notes are held, so the oldest is ended.
        ledger.strike(304.0, Part(0), &strike(1003, 60));
        assert!(!ledger.notes().iter().any(|n| n.id == NoteId(0)));
        assert_eq!(ledger.notes().last().map(|n| n.id), Some(NoteId(1003)));
        let mut slots: Vec<_> = ledger.notes().iter().map(|n| n.slot).collect();
        slots.sort_unstable();
        slots.dedup();
        assert_eq!(slots.len(), NOTES);
    }
}
