//! Plays the messages of a file through a keyboard, and gathers notes. It knows no bytes.

use std::collections::{BTreeSet, HashMap};

use midly::MidiMessage;
use midly::num::{u4, u7, u14};

use crate::event::{Event, NoteId, What};
use crate::notes::{Keyboard, MIN_NOTE_S, MissingBank, Note, NoteEvent, Tuning, Voice};
use crate::tokens::merge::Merge;

/// Notes shorter than this (seconds) count as notes without length, because the keyboard separates
/// events of the same time by less.
const NO_LENGTH_S: f64 = 1e-6;

/// Plays messages and gathers events and notes.
pub(super) struct Player {
    keyboard: Keyboard,
    events: Vec<Event>,
    last_s: f64,
    strikes: usize,
    missing_banks: BTreeSet<MissingBank>,
}

impl Player {
    /// A keyboard of sixteen channels for each of `ports` ports, with nothing pressed.
    pub(super) fn new(ports: usize, tuning: &Tuning) -> Self {
        let keyboard = Keyboard::with_ports(ports, tuning);
        let missing_banks = BTreeSet::new();
        Self { keyboard, events: Vec::new(), last_s: 0.0, strikes: 0, missing_banks }
    }

    /// The time of the last message, seconds.
    pub(super) fn last_s(&self) -> f64 {
        self.last_s
    }

    /// The banks that were selected so far but do not exist.
    pub(super) fn missing_banks(&self) -> Vec<MissingBank> {
        self.missing_banks.iter().copied().collect()
    }

    /// The number of note-ons so far.
    pub(super) fn strikes(&self) -> usize {
        self.strikes
    }

    /// Takes a channel message, whose data bytes are below 128.
    pub(super) fn message(&mut self, time_s: f64, port: u8, status: u8, data: [u8; 2]) {
        self.last_s = time_s;
        let channel = port << 4 | u4::from_int_lossy(status).as_int();
        let Some(message) = message(status, data) else { return };
        self.strikes += usize::from(matches!(message, MidiMessage::NoteOn { vel, .. } if vel > 0));
        let events = &mut self.events;
        self.keyboard.feed(time_s, channel, message, &mut |event| events.push(event));
        let missing = self.keyboard.channels().missing_bank(usize::from(channel));
        self.missing_banks.extend(missing);
    }

    /// Takes a system exclusive message.
    pub(super) fn exclusive(&mut self, time_s: f64, port: u8, bytes: &[u8]) {
        let events = &mut self.events;
        let port = usize::from(port);
        self.keyboard.feed_exclusive(time_s, port, bytes, &mut |event| events.push(event));
    }

    /// Releases everything.
    pub(super) fn release_all(&mut self, time_s: f64) {
        let events = &mut self.events;
        self.keyboard.release_all(time_s, &mut |event| events.push(event));
    }

    /// The events in the order of time, and the notes in the order of their strikes. Notes that
    /// still sound end at `end_s`.
    pub(super) fn finish(mut self, end_s: f64) -> (Vec<Event>, Vec<Note>) {
        self.release_all(end_s);
        let notes = notes(&self.events);
        lengthen_events(&mut self.events);
        (self.events, notes)
    }
}

/// The notes of events for the models, which know no parts.
fn notes(events: &[Event]) -> Vec<Note> {
    let (mut merge, mut notes, mut open) = (Merge::default(), Vec::new(), HashMap::new());
    for event in events {
        merge.event(event, &mut |event| pair(&mut notes, &mut open, &event));
    }
    lengthen(&mut notes);
    notes
}

/// Moves the ends of notes without length [`MIN_NOTE_S`] later.
fn lengthen_events(events: &mut [Event]) {
    let mut starts_s = HashMap::<NoteId, f64>::new();
    for event in &mut *events {
        match event.what {
            What::On(strike) => {
                starts_s.insert(strike.note, event.at_s);
            }
            What::Off(note) => {
                if let Some(start_s) = starts_s.remove(&note)
                    && event.at_s - start_s < NO_LENGTH_S
                {
                    event.at_s = start_s + MIN_NOTE_S;
                }
            }
            _ => {}
        }
    }
    events.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
}

/// The channel message as a type of midly.
fn message(status: u8, [first, second]: [u8; 2]) -> Option<MidiMessage> {
    let (key, vel) = (u7::from_int_lossy(first), u7::from_int_lossy(second));
    Some(match status & 0xF0 {
        0x80 => MidiMessage::NoteOff { key, vel },
        0x90 => MidiMessage::NoteOn { key, vel },
        0xA0 => MidiMessage::Aftertouch { key, vel },
        0xB0 => MidiMessage::Controller { controller: key, value: vel },
        0xC0 => MidiMessage::ProgramChange { program: key },
        0xD0 => MidiMessage::ChannelAftertouch { vel: key },
        0xE0 => {
            let bend = u16::from(second) << 7 | u16::from(first);
            MidiMessage::PitchBend { bend: midly::PitchBend(u14::from_int_lossy(bend)) }
        }
        _ => return None,
    })
}

/// Begins a note with a strike, and ends it with a release.
fn pair(notes: &mut Vec<Note>, open: &mut HashMap<Voice, usize>, event: &NoteEvent) {
    let &NoteEvent { time_s, voice, velocity } = event;
    if velocity == 0 {
        if let Some(note) = open.remove(&voice).and_then(|index| notes.get_mut(index)) {
            note.end_s = time_s;
        }
        return;
    }
    if !voice.is_drum {
        open.insert(voice, notes.len());
    }
    notes.push(Note { voice, velocity, start_s: time_s, end_s: time_s });
}

/// Gives notes without length [`MIN_NOTE_S`], or less if the same voice starts again before that.
/// Drums, which nothing ends, always get it.
fn lengthen(notes: &mut Vec<Note>) {
    let mut next_start_s = HashMap::<Voice, f64>::new();
    for note in notes.iter_mut().rev() {
        let next_s = next_start_s.insert(note.voice, note.start_s).unwrap_or(f64::INFINITY);
        if note.voice.is_drum {
            note.end_s = note.start_s + MIN_NOTE_S;
        } else if note.end_s - note.start_s < NO_LENGTH_S {
            note.end_s = (note.start_s + MIN_NOTE_S).min(next_s);
        }
    }
    // If a key is struck again at exactly the same time, only the last strike is a note.
    notes.retain(|note| note.voice.is_drum || note.end_s - note.start_s >= NO_LENGTH_S);
}
