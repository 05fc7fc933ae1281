//! Hops from a network that knows only full targets: the target slides over the stream as a window.
//! It knows no network.
//!
//! ```text
//! ... context ...|<-- played, held -->|<- hop ->|<- not yet: held keys go on ->|
//!                |<------------------ the network's target ------------------->|
//! ```
//!
//! Before the hop, the window holds as many played frames as fit. Once the stream is as long as a
//! target, the hop is the end of the window. Then every note in the window is known, and the input
//! of the network is like in training: a segment that has just become full.

use crate::notes::NoteEvent;
use crate::timeline::{Cut, Timeline};
use crate::tokens::TokenOptions;
use crate::units::{FrameIdx, MEL_BINS};

/// The frames and events that were played, as far back as the window and its context reach.
#[derive(Debug)]
pub(crate) struct Window {
    /// Frames in a target of the network.
    target_frames: usize,
    /// The most frames to keep: a target and its context.
    most_frames: usize,
    /// The last frames in network scale, oldest first.
    past: Vec<f32>,
    /// The events from the start of the window on, and the voices held before it.
    notes: Timeline,
    /// A copy of `notes`, which is cut to the end of the window.
    heard: Timeline,
}

impl Window {
    /// The state before the stream.
    pub fn new(tokens: &TokenOptions, target_frames: usize, context_frames: usize) -> Self {
        Self {
            target_frames,
            most_frames: target_frames + context_frames,
            past: vec![],
            notes: Timeline::new(tokens),
            heard: Timeline::new(tokens),
        }
    }

    /// Adds the `events` of the hop that begins at `hop_start` and has `hop_frames`, and returns
    /// the notes of the whole window.
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

    /// The played frames in the window, in network scale: at most a target without the hop.
    pub fn held(&self, hop_frames: usize) -> &[f32] {
        let most = self.target_frames.saturating_sub(hop_frames) * MEL_BINS;
        self.past.get(self.past.len().saturating_sub(most)..).unwrap_or_default()
    }

    /// The frames before those of [`Self::held`], at most `frames`.
    pub fn context(&self, hop_frames: usize, frames: usize) -> &[f32] {
        let end = self.past.len() - self.held(hop_frames).len();
        self.past.get(end.saturating_sub(frames * MEL_BINS)..end).unwrap_or_default()
    }

    /// Adds the frames of a hop, which count as played from now on.
    pub fn play(&mut self, frames: &[f32]) {
        self.past.extend_from_slice(frames);
        let excess = self.past.len().saturating_sub(self.most_frames * MEL_BINS);
        self.past.drain(..excess);
    }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
