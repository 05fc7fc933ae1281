//! How loud the parts of a hop are together, and their noise in each bus. Knows no sound.
//!
//! Mel and network hear each note as loud as its part is beside the loudest part that is held (the
//! reference), so that a fader does not change what a note sounds like; tones get their level
//! themselves, noise that of the reference.

use crate::ledger::{Ledger, Sounding};
use crate::parts::{Bus, Buses, Parts, of_note};
use crate::prior::NoisePower;
use crate::units::FrameIdx;

/// The reference falls by no more in a frame, and not below `LEAST`.
const FALL: f32 = 0.8;
const LEAST: f32 = 1e-3;
/// A drum counts for so long, seconds.
const DRUM_S: f64 = 0.25;
/// Noise of less power says nothing about where it is.
const UNHEARD: f32 = 1e-16;

/// The mix of a hop.
#[derive(Debug, Default)]
pub struct Mix {
    buses: Vec<Bus>,
    /// The reference of the last frame, once a note was held.
    level: Option<f32>,
    /// [frames + 1]
    reference: Vec<f32>,
    /// [frames + 1, buses]
    noise: Vec<f32>,
    /// [frames, buses + 1]: powers of the noise in each bus, and in all.
    sums: Vec<f32>,
}

impl Mix {
    /// Before a stream with these buses.
    pub fn new(buses: Buses) -> Self {
        Self { buses: buses.list(), ..Self::default() }
    }

    /// The level that loudness is beside, [frames + 1]: at the end of the frame before the hop, and
    /// of each of its frames.
    pub fn reference(&self) -> &[f32] {
        &self.reference
    }

    /// How loud the noise is in each bus, [frames + 1, buses], at the same places.
    pub fn noise(&self) -> &[f32] {
        &self.noise
    }

    /// The last of these, [buses].
    pub fn last(&self) -> &[f32] {
        let start = self.noise.len().saturating_sub(self.buses.len());
        self.noise.get(start..).unwrap_or_default()
    }

    /// Goes on to a hop of `frames` from `start`; the reference is 1 where `has_one` is not.
    pub fn hear(
        &mut self,
        start: FrameIdx,
        frames: usize,
        ledger: &Ledger,
        parts: &Parts,
        has_one: bool,
    ) {
        self.reference.clear();
        self.reference.push(self.level.unwrap_or(1.0));
        for frame in 0..frames {
            let now_s = FrameIdx(start.0 + frame as u64 + 1).start().seconds();
            let counts = |note: &&Sounding| {
                let age_s = now_s - note.start_s;
                let is_held = match note.voice.is_drum {
                    true => age_s < DRUM_S,
                    false => note.end_s.is_none_or(|end_s| end_s >= now_s),
                };
                has_one && age_s > 0.0 && is_held
            };
            let gains = ledger.notes().iter().filter(counts);
            let gains = gains.map(|note| parts.at_frame(note.part, frame).gain);
            if let Some(loudest) = gains.reduce(f32::max) {
                let fallen = self.level.map_or(0.0, |before| before * FALL);
                self.level = Some(loudest.max(fallen).max(LEAST));
            }
            self.reference.push(self.level.unwrap_or(1.0));
        }
    }

    /// Finds how loud the noise is in each bus, from its power in each note.
    pub fn share(&mut self, powers: &[NoisePower], ledger: &Ledger, parts: &Parts) {
        let (frames, buses) = (self.reference.len() - 1, self.buses.len());
        self.sums.clear();
        self.sums.resize(frames * (buses + 1), 0.0);
        for NoisePower { frame, note, power } in powers {
            let Some(note) = ledger.notes().get(*note) else { continue };
            let at = parts.at_frame(note.part, *frame);
            let sums = self.sums.chunks_exact_mut(buses + 1).nth(*frame).unwrap_or_default();
            for (sum, bus) in sums.iter_mut().zip(&self.buses) {
                *sum += of_note::share(note, &at, *bus).powi(2) * power;
            }
            if let Some(all) = sums.last_mut() {
                *all += power;
            }
        }
        let mut now = match self.last() {
            [] => vec![1.0; buses],
            last => last.to_vec(),
        };
        let is_first = self.noise.is_empty();
        self.noise.clear();
        self.noise.extend_from_slice(&now);
        let rows = self.sums.chunks_exact(buses + 1).zip(self.reference.iter().skip(1));
        for (sums, reference) in rows {
            let (all, sums) = sums.split_last().unwrap_or((&0.0, &[]));
            if *all > UNHEARD {
                let level = |sum: &f32| reference * (sum / all).sqrt();
                now.iter_mut().zip(sums).for_each(|(now, sum)| *now = level(sum));
            }
            self.noise.extend_from_slice(&now);
        }
        if is_first {
            self.noise.copy_within(buses..2 * buses, 0);
        }
    }
}
