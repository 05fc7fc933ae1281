//! Note events by time, cut into what is held and what happens in one model call. Knows no tokens
//! and no clock.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use crate::notes::{NoteEvent, Voice};
use crate::tokens::TokenOptions;
use crate::units::STEPS_PER_SECOND;

/// A voice that sounds at the start of a cut.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Held {
    /// What sounds; never a drum.
    pub voice: Voice,
    /// How it was last struck, 1..=127.
    pub velocity: u8,
    /// The 10 ms step of that strike.
    pub onset_step: u64,
    /// The time of that strike, seconds.
    pub onset_s: f64,
}

/// What one model call hears: steps `start_step..end_step`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cut<'a> {
    /// First 10 ms step.
    pub start_step: u64,
    /// What sounds just before the first event, sorted by voice.
    pub held: &'a [Held],
    /// The events with their absolute steps (`start_step` or later), in order.
    pub events: &'a [(u64, NoteEvent)],
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    /// The time the event came with: the order, even after it was moved.
    sort_s: f64,
    step: u64,
    event: NoteEvent,
}

/// Collects events in any order and gives them out in consecutive cuts, each event exactly once.
///
/// Order: exact time; at equal times releases before strikes, then [`Voice`]; else as pushed. One
/// release ends a key, however often it was struck; drums are never held. Programs are mapped as
/// the options say, so that everything behind the timeline sees the programs of the model.
///
/// # Real time
/// Events are forgotten once cut: memory is the largest number of events ever waiting, and after a
/// while nothing allocates.
#[derive(Debug, Clone)]
pub struct Timeline {
    options: TokenOptions,
    pending: VecDeque<Pending>,
    /// Sorted by voice, as of the start of the last cut.
    held: Vec<Held>,
    /// The last cut; not yet in `held`.
    cut: Vec<(u64, NoteEvent)>,
    position_step: u64,
    late_events: u64,
}

impl Timeline {
    /// An empty timeline at step 0. Of the options it uses the rounding and the program map.
    pub fn new(options: &TokenOptions) -> Self {
        Self {
            options: options.clone(),
            pending: VecDeque::new(),
            held: Vec::new(),
            cut: Vec::new(),
            position_step: 0,
            late_events: 0,
        }
    }

    /// Where the next cut starts, in 10 ms steps.
    pub fn position_step(&self) -> u64 {
        self.position_step
    }

    /// How many events came for a time that was already cut (or skipped) and were moved to the next
    /// cut.
    pub fn late_events(&self) -> u64 {
        self.late_events
    }

    /// Adds an event. One that is earlier than [`Timeline::position_step`] is moved there (`time_s`
    /// too; its order among the others stays) and counted. A time that is no number counts as 0.
    pub fn push(&mut self, mut event: NoteEvent) {
        event.voice = self.options.map_voice(event.voice);
        let key = |sort_s: f64, event: &NoteEvent| (sort_s, event.velocity > 0, event.voice);
        let new = self.stamp(event);
        let (new_s, new_strike, new_voice) = key(new.sort_s, &new.event);
        let at = self.pending.partition_point(|old| {
            let (old_s, old_strike, old_voice) = key(old.sort_s, &old.event);
            old_s
                .total_cmp(&new_s)
                .then_with(|| (old_strike, old_voice).cmp(&(new_strike, new_voice)))
                .is_le()
        });
        self.pending.insert(at, new);
    }

    /// Adds an event that is already in the wanted order among those of the same time, program
    /// mapped.
    pub(crate) fn push_ordered(&mut self, event: NoteEvent) {
        let new = self.stamp(event);
        let at = self.pending.partition_point(|old| old.sort_s.total_cmp(&new.sort_s).is_le());
        self.pending.insert(at, new);
    }

    /// The step of the last event that waits.
    pub(crate) fn last_step(&self) -> Option<u64> {
        self.pending.back().map(|last| last.step)
    }

    fn stamp(&mut self, mut event: NoteEvent) -> Pending {
        if event.time_s.is_nan() {
            event.time_s = 0.0;
        }
        let sort_s = event.time_s;
        let mut step = self.options.step(sort_s);
        if step < self.position_step {
            step = self.position_step;
            event.time_s = seconds(step);
            self.late_events += 1;
        }
        Pending { sort_s, step, event }
    }

    /// The events of `start_step..end_step` and what is held before them.
    ///
    /// Cuts follow one another: `start_step` is the `end_step` of the cut before. If it is later,
    /// the events in between are not lost but moved to `start_step` and counted as late; if it is
    /// earlier, the cut starts where the last one ended.
    pub fn cut(&mut self, start_step: u64, end_step: u64) -> Cut<'_> {
        let start_step = start_step.max(self.position_step);
        for (step, event) in self.cut.drain(..) {
            hold(&mut self.held, step, event);
        }
        while self.pending.front().is_some_and(|next| next.step < end_step)
            && let Some(mut next) = self.pending.pop_front()
        {
            if next.step < start_step {
                next.step = start_step;
                next.event.time_s = seconds(start_step);
                self.late_events += 1;
            }
            self.cut.push((next.step, next.event));
        }
        self.position_step = end_step.max(start_step);
        Cut { start_step, held: &self.held, events: &self.cut }
    }

    /// Forgets all events and all held voices; the position and the count stay.
    pub fn clear(&mut self) {
        self.pending.clear();
        self.held.clear();
        self.cut.clear();
    }
}

fn seconds(step: u64) -> f64 {
    step as f64 / STEPS_PER_SECOND
}

/// What is held after an event.
fn hold(held: &mut Vec<Held>, step: u64, event: NoteEvent) {
    let NoteEvent { time_s, voice, velocity } = event;
    if voice.is_drum {
        return;
    }
    let struck = Held { voice, velocity, onset_step: step, onset_s: time_s };
    match held.binary_search_by_key(&voice, |one| one.voice) {
        Ok(at) if velocity == 0 => {
            held.remove(at);
        }
        Ok(at) => {
            if let Some(old) = held.get_mut(at) {
                *old = struck;
            }
        }
        Err(at) if velocity > 0 => held.insert(at, struck),
        Err(_) => {}
    }
}
