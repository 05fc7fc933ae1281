//! Silence after the last note: frames fade to the floor once nothing has sounded for a while. Knows no network.
//!
//! A model whose own output is its context never forgets quite all of what it played; without the gate a trace of the last
//! notes can go on for ever.

use serde::{Deserialize, Serialize};

use crate::notes::{NoteEvent, Voice};
use crate::units::{FrameIdx, HOP_SAMPLES, MEL_BINS, SAMPLE_RATE_HZ};

/// `[gate]` of a manifest: when a model's sound is over.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateSettings {
    /// Seconds after the last release (of a drum: the strike) in which frames are left alone, 0 to 60.
    pub hold_s: f64,
    /// Seconds over which they then fall to the floor, linearly in nats, 0 to 60.
    pub fade_s: f64,
}

/// Follows the notes and fades frames.
#[derive(Debug)]
pub struct Gate {
    settings: GateSettings,
    sounding: Vec<Voice>,
    /// When the last of them ended; None before the first note.
    ended_s: Option<f64>,
}

impl Gate {
    /// A gate before the first note: closed.
    pub fn new(settings: GateSettings) -> Self {
        Self { settings, sounding: Vec::with_capacity(256), ended_s: None }
    }

    /// Fades the frames [n, 128] of a hop that starts at `start`, in network scale (floor -1), by the hop's events in order.
    pub fn apply<'a>(
        &mut self,
        start: FrameIdx,
        events: impl IntoIterator<Item = &'a NoteEvent>,
        frames: &mut [f32],
    ) {
        let mut events = events.into_iter().peekable();
        for (index, frame) in (start.0..).zip(frames.chunks_exact_mut(MEL_BINS)) {
            let end_s = FrameIdx(index + 1).start().seconds();
            while let Some(event) = events.next_if(|e| e.time_s < end_s) {
                self.follow(event);
            }
            let fade = self.fade(end_s - HOP_SAMPLES as f64 / f64::from(SAMPLE_RATE_HZ));
            if fade > 0.0 {
                frame.iter_mut().for_each(|v| *v += (-1.0 - *v) * fade);
            }
        }
        events.for_each(|event| self.follow(event));
    }

    fn follow(&mut self, event: &NoteEvent) {
        self.sounding.retain(|voice| *voice != event.voice);
        if event.velocity > 0 && !event.voice.is_drum {
            self.sounding.push(event.voice);
        }
        self.ended_s = Some(event.time_s);
    }

    /// How far frames at `now_s` have fallen: 0 not at all, 1 to the floor.
    fn fade(&self, now_s: f64) -> f32 {
        if !self.sounding.is_empty() {
            return 0.0;
        }
        let Some(ended_s) = self.ended_s else { return 1.0 };
        let over_s = now_s - ended_s - self.settings.hold_s;
        (over_s / self.settings.fade_s.max(1e-3)).clamp(0.0, 1.0) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(time_s: f64, key: u8, velocity: u8) -> NoteEvent {
        NoteEvent { time_s, voice: Voice { is_drum: false, program: 0, key }, velocity }
    }

    /// The first value of each of 200 frames (4 s) of zeros after the gate, in hops of `hop` frames.
    fn gated(events: &[NoteEvent], hop: usize) -> Vec<f32> {
        let mut gate = Gate::new(GateSettings { hold_s: 1.0, fade_s: 0.5 });
        let mut out = vec![];
        for start in (0..200).step_by(hop) {
            let mut frames = vec![0.0; hop.min(200 - start) * MEL_BINS];
            let (from_s, to_s) = (start as f64 * 0.02, (start + hop) as f64 * 0.02);
            let here = events.iter().filter(|e| (from_s..to_s).contains(&e.time_s));
            gate.apply(FrameIdx(start as u64), here, &mut frames);
            out.extend(frames.iter().step_by(MEL_BINS));
        }
        out
    }

    #[test]
    fn nothing_sounds_before_the_first_note_or_long_after_the_last() {
        let events = [event(0.5, 60, 90), event(0.6, 64, 90), event(0.8, 60, 0), event(1.0, 64, 0)];
        let out = gated(&events, 1);
        assert!(out[..25].iter().all(|v| *v == -1.0));
        assert!(out[25..100].iter().all(|v| *v == 0.0));
        assert!((out[112] + 0.48).abs() < 0.03, "half way: {}", out[112]);
        assert!(out[126..].iter().all(|v| *v == -1.0));
        assert_eq!(out, gated(&events, 64));
        assert_eq!(out, gated(&events, 7));
    }

    #[test]
    fn a_held_key_is_never_faded() {
        let out = gated(&[event(0.0, 60, 90)], 2);
        assert!(out.iter().all(|v| *v == 0.0));
    }
}
