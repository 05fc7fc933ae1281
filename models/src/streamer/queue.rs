//! Events that wait for their hop. They may be added in any order. It knows no notes.

use std::collections::VecDeque;

use crate::event::Event;
use crate::ledger::sample_at;
use crate::notes::NoteEvent;
use crate::tokens::TokenOptions;
use crate::units::SamplePos;

/// An event that waits.
#[derive(Debug, Clone, Copy)]
pub enum Item {
    /// An event of a part.
    Event(Event),
    /// A note event that belongs to no part.
    Note(NoteEvent),
}

/// Events that wait, sorted by time. Events of the same time stay in the order in which they were
/// added.
#[derive(Debug, Default)]
pub struct Queue(VecDeque<(f64, u64, Item)>);

impl Queue {
    /// Adds an event at a time in seconds; NaN counts as 0.
    pub fn push(&mut self, tokens: &TokenOptions, at_s: f64, item: Item) {
        let at_s = if at_s.is_nan() { 0.0 } else { at_s };
        let place = self.0.partition_point(|(other, ..)| other.total_cmp(&at_s).is_le());
        self.0.insert(place, (at_s, tokens.step(at_s), item));
    }

    /// Removes the next event, if it is before the 10 ms token step `end`.
    pub fn next(&mut self, end: u64) -> Option<Item> {
        match self.0.front() {
            Some((_, step, _)) if *step < end => self.0.pop_front().map(|(.., item)| item),
            _ => None,
        }
    }

    /// Removes the next event, if it is before the sample `end`.
    pub fn next_before(&mut self, end: SamplePos) -> Option<Item> {
        match self.0.front() {
            Some((at_s, ..)) if sample_at(*at_s) < end => self.0.pop_front().map(|(.., item)| item),
            _ => None,
        }
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
