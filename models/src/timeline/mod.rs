//! Note events in the order of time, cut into what is held and what happens in one model call. It
//! knows no tokens and no clock.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use crate::notes::{NoteEvent, Voice};
use crate::tokens::TokenOptions;
use crate::units::STEPS_PER_SECOND;

/// A voice that is held at the start of a cut.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Held {
    /// The instrument and the key; never a drum.
    pub voice: Voice,
    /// The velocity of its last strike, 1..=127.
    pub velocity: u8,
    /// The 10 ms token step of that strike.
    pub onset_step: u64,
    /// The time of that strike, seconds.
    pub onset_s: f64,
}

/// The notes of one model call, for the steps `start_step..end_step`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cut<'a> {
    /// The first 10 ms token step.
    pub start_step: u64,
    /// The voices that are held just before the first event, sorted by voice.
    pub held: &'a [Held],
    /// The events with their absolute steps (`start_step` or later), in order.
    pub events: &'a [(u64, NoteEvent)],
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    /// The original time of the event, which decides the order even if the event was moved.
    sort_s: f64,
    step: u64,
    event: NoteEvent,
}

/// Collects events in any order and gives them out in consecutive cuts, each event exactly once.
///
/// Events are sorted by their exact time. At equal times releases come before strikes, then they
/// are sorted by [`Voice`], and then by the order in which they were added. One release ends a key,
/// however often it was struck; drums are never held. Programs are mapped as the options say, so
/// that everything after the timeline sees the programs of the model.
///
/// # Real time
/// Events are removed once they are cut. The memory is that of the largest number of events that
/// ever waited, so after a while nothing allocates.
#[derive(Debug, Clone)]
pub struct Timeline {
    options: TokenOptions,
    pending: VecDeque<Pending>,
    /// Sorted by voice, at the start of the last cut.
    held: Vec<Held>,
    /// The events of the last cut, which are not in `held` yet.
    cut: Vec<(u64, NoteEvent)>,
    position_step: u64,
    late_events: u64,
}

impl Timeline {
    /// An empty timeline at step 0. It uses the rounding and the program map of the options.
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

    /// The start of the next cut, in 10 ms token steps.
    pub fn position_step(&self) -> u64 {
        self.position_step
    }

    /// The number of events whose time was already cut (or skipped), so that they were moved to the
    /// next cut.
    pub fn late_events(&self) -> u64 {
        self.late_events
    }

    /// Adds an event. If it is earlier than [`Timeline::position_step`], it is moved there (with
    /// its `time_s`, but in the old order) and counted as late. A time that is NaN counts as 0.
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

    /// Adds an event whose program is mapped already, behind all others of the same time.
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

    /// The events of `start_step..end_step`, and the voices held before them.
    ///
    /// Cuts follow one another: `start_step` should be the `end_step` of the last cut. If it is
    /// later, the events in between are moved to `start_step` and counted as late. If it is
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

    /// Removes all events and all held voices. The position and the count of late events stay.
    pub fn clear(&mut self) {
        self.pending.clear();
        self.held.clear();
        self.cut.clear();
    }
}

fn seconds(step: u64) -> f64 {
    step as f64 / STEPS_PER_SECOND
}

/// Updates the held voices by an event.
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
