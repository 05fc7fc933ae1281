//! Merges the notes of all parts into events of the vocabulary of the models, which has no parts.
//! Only here do notes with the same program and key become one voice. It knows no tokens.

use std::collections::HashMap;

use crate::event::{Event, NoteId, What};
use crate::notes::{NoteEvent, Voice};

/// A voice and the number of notes that hold it.
#[derive(Debug, Clone, Copy)]
struct Held {
    holders: u32,
    /// The time of its last event, seconds.
    last_s: f64,
}

/// Merges the notes of all parts.
///
/// * A voice that several notes hold is released with the last of them. A strike of a voice that
///   sounds releases it first, at the same time.
/// * A release never has the time of its strike, but that of the next representable number.
///   Otherwise it would be sorted before the strike, and the voice would hang. The events of a
///   voice never run backwards in time.
#[derive(Debug, Default)]
pub struct Merge {
    voices: HashMap<Voice, Held>,
    notes: HashMap<NoteId, Voice>,
}

impl Merge {
    /// Takes an event, and gives the resulting events of voices to `out`.
    pub fn event(&mut self, event: &Event, out: &mut impl FnMut(NoteEvent)) {
        match event.what {
            What::On(strike) if strike.voice.is_drum => {
                let velocity = strike.velocity;
                out(NoteEvent { time_s: event.at_s, voice: strike.voice, velocity });
            }
            What::On(strike) => {
                self.release(event.at_s, strike.note, out);
                self.notes.insert(strike.note, strike.voice);
                let rest = Held { holders: 0, last_s: f64::NEG_INFINITY };
                let held = self.voices.entry(strike.voice).or_insert(rest);
                if held.holders > 0 {
                    out(held.event(event.at_s, strike.voice, 0));
                }
                held.holders += 1;
                out(held.event(event.at_s, strike.voice, strike.velocity));
            }
            What::Off(note) => self.release(event.at_s, note, out),
            What::Silence | What::KeyPressure(..) | What::Retune(..) | What::Control(..) => {}
        }
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        self.voices.clear();
        self.notes.clear();
    }

    /// The number of voices that are held.
    pub fn held(&self) -> usize {
        self.voices.values().filter(|held| held.holders > 0).count()
    }

    fn release(&mut self, at_s: f64, note: NoteId, out: &mut impl FnMut(NoteEvent)) {
        let Some(voice) = self.notes.remove(&note) else { return };
        let Some(held) = self.voices.get_mut(&voice) else { return };
        held.holders = held.holders.saturating_sub(1);
        if held.holders == 0 {
            out(held.event(at_s, voice, 0));
        }
    }
}

impl Held {
    /// An event of this voice, not before its last one: a release strictly after it, a strike at
    /// the same time or later.
    fn event(&mut self, time_s: f64, voice: Voice, velocity: u8) -> NoteEvent {
        let earliest_s = if velocity == 0 { self.last_s.next_up() } else { self.last_s };
        self.last_s = if time_s >= earliest_s { time_s } else { earliest_s };
        NoteEvent { time_s: self.last_s, voice, velocity }
    }
}
