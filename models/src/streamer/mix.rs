//! The level of the parts in a frame, and the level of their noise in each bus. It makes no sound.
//!
//! In the mel each note is as loud as its part relative to the loudest part that is held, which is
//! called the reference. So a fader does not change the tone of a note. The vocoder gives tones the
//! level of their own part, and noise the level of the reference. A frame may be computed again
//! when more of its events are known.

use crate::event::Part;
use crate::ledger::{Ledger, Sounding};
use crate::parts::{At, Bus, Buses, of_note};
use crate::prior::NotePower;
use crate::units::FrameIdx;

/// In one frame the reference falls at most to this share of its value, and it never falls below
/// `LEAST`.
const FALL: f32 = 0.8;
const LEAST: f32 = 1e-3;
/// How long a drum counts as held, seconds.
const DRUM_S: f64 = 0.25;
/// Noise with less power than this does not change the levels of the buses.
const UNHEARD: f32 = 1e-16;

/// The mix of one frame.
#[derive(Debug, Default)]
pub struct Mix {
    buses: Vec<Bus>,
    /// The reference at the end of the previous frame and of this one; none before the first note.
    levels: [Option<f32>; 2],
    /// The level of the noise in each bus at the same two times; empty before the first frame.
    noise: [Vec<f32>; 2],
}

impl Mix {
    /// The state before the first frame of a stream with these buses.
    pub fn new(buses: Buses) -> Self {
        Self { buses: buses.list(), ..Self::default() }
    }

    /// The reference at the end of the previous frame and of this one.
    pub fn reference(&self) -> [f32; 2] {
        self.levels.map(|level| level.unwrap_or(1.0))
    }

    /// The level of the noise in each bus at the end of this frame.
    pub fn noise(&self) -> &[f32] {
        &self.noise[1]
    }

    /// The level of the noise in each bus at the end of the previous frame.
    pub fn noise_before(&self) -> &[f32] {
        &self.noise[0]
    }

    /// Computes the reference of a frame. `at` gives the state of each part at the end of the
    /// frame.
    pub fn hear(&mut self, frame: FrameIdx, ledger: &Ledger, at: impl Fn(Part) -> At) {
        let now_s = FrameIdx(frame.0 + 1).start().seconds();
        let counts = |note: &&Sounding| {
            let age_s = now_s - note.start_s;
            let is_held = match note.voice.is_drum {
                true => age_s < DRUM_S,
                false => note.end_s.is_none_or(|end_s| end_s >= now_s),
            };
            age_s > 0.0 && is_held
        };
        let gains = ledger.notes().iter().filter(counts).map(|note| at(note.part).gain);
        let [before, now] = &mut self.levels;
        *now = match gains.reduce(f32::max) {
            Some(loudest) => {
                Some(loudest.max(before.map_or(0.0, |before| before * FALL)).max(LEAST))
            }
            None => *before,
        };
    }

    /// Computes the level of the noise in each bus from the noise power of each note in the ledger.
    pub fn share(&mut self, powers: &[NotePower], ledger: &Ledger, at: impl Fn(Part) -> At) {
        let reference = self.reference()[1];
        let [before, now] = &mut self.noise;
        let all: f32 = powers.iter().map(|note| note.noise).sum();
        if all <= UNHEARD {
            now.clone_from(before);
            now.resize(self.buses.len(), 1.0);
        } else {
            now.clear();
            now.resize(self.buses.len(), 0.0);
            for NotePower { note, noise, .. } in powers {
                let Some(note) = ledger.notes().get(*note) else { continue };
                let at = at(note.part);
                for (sum, bus) in now.iter_mut().zip(&self.buses) {
                    *sum += of_note::share(note, &at, *bus).powi(2) * noise;
                }
            }
            now.iter_mut().for_each(|sum| *sum = reference * (*sum / all).sqrt());
        }
    }

    /// Ends the frame.
    pub fn next_frame(&mut self) {
        self.levels[0] = self.levels[1];
        let [before, now] = &mut self.noise;
        before.clone_from(now);
    }
}
