//! How loud the parts of a frame are together, and their noise in each bus. Knows no sound.
//!
//! Mel and network hear each note as loud as its part is beside the loudest part that is held (the
//! reference), so that a fader does not change what a note sounds like; tones get their level
//! themselves, noise that of the reference. A frame may be heard again as more becomes known of it.

use crate::event::Part;
use crate::ledger::{Ledger, Sounding};
use crate::parts::{At, Bus, Buses, of_note};
use crate::prior::NotePower;
use crate::units::FrameIdx;

/// The reference falls by no more in a frame, and not below `LEAST`.
const FALL: f32 = 0.8;
const LEAST: f32 = 1e-3;
/// A drum counts for so long, seconds.
const DRUM_S: f64 = 0.25;
/// Noise of less power says nothing about where it is.
const UNHEARD: f32 = 1e-16;

/// The mix of a frame.
#[derive(Debug, Default)]
pub struct Mix {
    buses: Vec<Bus>,
    /// The reference at the end of the frame before, once a note was held, and of this one.
    levels: [Option<f32>; 2],
    /// The noise in each bus there; empty before the first frame.
    noise: [Vec<f32>; 2],
}

impl Mix {
    /// Before a stream with these buses.
    pub fn new(buses: Buses) -> Self {
        Self { buses: buses.list(), ..Self::default() }
    }

    /// The level that loudness is beside, at the end of the frame before and of this one.
    pub fn reference(&self) -> [f32; 2] {
        self.levels.map(|level| level.unwrap_or(1.0))
    }

    /// How loud the noise is in each bus at the end of this frame.
    pub fn noise(&self) -> &[f32] {
        &self.noise[1]
    }

    /// The same at the end of the frame before.
    pub fn noise_before(&self) -> &[f32] {
        &self.noise[0]
    }

    /// Finds the reference of a frame, at whose end parts are `at`.
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

    /// Finds how loud the noise is in each bus, from its power in each note of the ledger.
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

    /// The frame is over.
    pub fn next_frame(&mut self) {
        self.levels[0] = self.levels[1];
        let [before, now] = &mut self.noise;
        before.clone_from(now);
    }
}
