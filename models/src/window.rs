//! Hops out of a network that only knows full targets: the target slides over the stream as a
//! window. Knows no network.
//!
//! ```text
//! ... context ...|<-- played, held -->|<- hop ->|<- not yet: held keys go on ->|
//!                |<------------------ the network's target ------------------->|
//! ```
//!
//! The window holds as many played frames as fit before the hop; so once the stream is as long as a
//! target, the hop is the window's end, every note in it is known, and the network sees what it was
//! trained on: a segment that has just become full.

use crate::notes::NoteEvent;
use crate::timeline::{Cut, Timeline};
use crate::tokens::TokenOptions;
use crate::units::{FrameIdx, MEL_BINS};

/// What has been played, as far back as the window and its context reach.
#[derive(Debug)]
pub(crate) struct Window {
    /// Frames of the network's target.
    target_frames: usize,
    /// Frames that are kept: a target and its context.
    most_frames: usize,
    /// The last frames in network scale, oldest first.
    past: Vec<f32>,
    /// The events from the window's start on, and what is held before it.
    notes: Timeline,
    /// A copy of it, cut to the end.
    heard: Timeline,
}

impl Window {
    /// Before the stream.
    pub fn new(tokens: &TokenOptions, target_frames: usize, context_frames: usize) -> Self {
        Self {
            target_frames,
            most_frames: target_frames + context_frames,
            past: vec![],
            notes: Timeline::new(tokens),
            heard: Timeline::new(tokens),
        }
    }

    /// The window's notes once the `events` of the hop have happened, which begins at `hop_start`
    /// and has `hop_frames`.
    pub fn hear(
        &mut self,
        events: &[(u64, NoteEvent)],
        hop_start: FrameIdx,
        hop_frames: usize,
    ) -> Cut<'_> {
        events.iter().for_each(|(_, event)| self.notes.push_ordered(*event));
        let held = self.held(hop_frames).len() / MEL_BINS;
        let start = FrameIdx(hop_start.0.saturating_sub(held as u64));
        self.notes.cut(self.notes.position_step(), start.step());
        self.heard.clone_from(&self.notes);
        let end = FrameIdx(start.0 + self.target_frames as u64);
        self.heard.cut(start.step(), end.step())
    }

    /// The played frames in the window, in network scale, at most a target less the hop.
    pub fn held(&self, hop_frames: usize) -> &[f32] {
        let most = self.target_frames.saturating_sub(hop_frames) * MEL_BINS;
        self.past.get(self.past.len().saturating_sub(most)..).unwrap_or_default()
    }

    /// The frames before those, at most `frames`.
    pub fn context(&self, hop_frames: usize, frames: usize) -> &[f32] {
        let end = self.past.len() - self.held(hop_frames).len();
        self.past.get(end.saturating_sub(frames * MEL_BINS)..end).unwrap_or_default()
    }

    /// Takes the frames that were made, which are played from now on.
    pub fn play(&mut self, frames: &[f32]) {
        self.past.extend_from_slice(frames);
        let excess = self.past.len().saturating_sub(self.most_frames * MEL_BINS);
        self.past.drain(..excess);
    }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
