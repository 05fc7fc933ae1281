//! Events that wait for their hop, in any order. Knows no notes.

use std::collections::VecDeque;

use crate::event::Event;
use crate::ledger::sample_at;
use crate::notes::NoteEvent;
use crate::tokens::TokenOptions;
use crate::units::SamplePos;

/// What waits.
#[derive(Debug, Clone, Copy)]
pub enum Item {
    /// An event of a part.
    Event(Event),
    /// A note event that belongs to nobody.
    Note(NoteEvent),
}

/// What waits, by time; what comes at one time stays in the order in which it was pushed.
#[derive(Debug, Default)]
pub struct Queue(VecDeque<(f64, u64, Item)>);

impl Queue {
    /// Adds what happens at a time, seconds; a time that is no number counts as 0.
    pub fn push(&mut self, tokens: &TokenOptions, at_s: f64, item: Item) {
        let at_s = if at_s.is_nan() { 0.0 } else { at_s };
        let place = self.0.partition_point(|(other, ..)| other.total_cmp(&at_s).is_le());
        self.0.insert(place, (at_s, tokens.step(at_s), item));
    }

    /// The next one that lies before the 10 ms step `end`.
    pub fn next(&mut self, end: u64) -> Option<Item> {
        match self.0.front() {
            Some((_, step, _)) if *step < end => self.0.pop_front().map(|(.., item)| item),
            _ => None,
        }
    }

    /// The next one that lies before the sample `end`.
    pub fn next_before(&mut self, end: SamplePos) -> Option<Item> {
        match self.0.front() {
            Some((at_s, ..)) if sample_at(*at_s) < end => self.0.pop_front().map(|(.., item)| item),
            _ => None,
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
