//! The excitation of one tick: the sum of the sounds of its notes on each bus. It makes no sound.
//!
//! The groups of partials are only summed once a tick is complete, so that each note adds them side
//! by side.

use super::lanes::{Row, add};
use super::life::UPPER;
use crate::ledger::Sounding;
use crate::parts::{At, Bus, of_note};
use crate::units::TICK_SAMPLES;
use pulp::Simd;
use realfft::num_complex::Complex;
use std::ops::Range;

/// The groups of partials of a tone, for each sample of a tick.
pub type Rows = [Row; TICK_SAMPLES];

/// The excitation of one tick.
#[derive(Debug)]
pub struct Excited {
    /// The tones of each bus.
    pub tones: Vec<[Complex<f32>; TICK_SAMPLES]>,
    /// The upper tones of each bus, mirrored.
    pub upper: Vec<[f32; TICK_SAMPLES]>,
    /// The attack of the noise: its factor in each sample, 0..=1.
    pub begins: [f32; TICK_SAMPLES],
    sums: Vec<Sum>,
    /// The samples in which the current note sounds.
    samples: Range<usize>,
}

/// The sum of the notes on a bus.
#[derive(Debug)]
struct Sum {
    bus: Bus,
    rows: Rows,
    /// Whether nothing was added in this tick.
    is_silent: bool,
    /// The weight of the current note in each sample, if the bus hears it.
    hears: Option<[f32; TICK_SAMPLES]>,
}

impl Default for Excited {
    fn default() -> Self {
        let begins = [1.0; TICK_SAMPLES];
        Self { tones: vec![], upper: vec![], begins, sums: vec![], samples: 0..0 }
    }
}

impl Excited {
    /// Resets it to silence for these buses.
    pub fn clear(&mut self, buses: &[Bus]) {
        self.tones.resize(buses.len(), [Complex::ZERO; TICK_SAMPLES]);
        self.upper.resize(buses.len(), [0.0; TICK_SAMPLES]);
        self.sums.truncate(buses.len());
        let rows = [Row::default(); TICK_SAMPLES];
        let silent = |bus: &Bus| Sum { bus: *bus, rows, is_silent: true, hears: None };
        self.sums.extend(buses.iter().skip(self.sums.len()).map(silent));
        for (sum, bus) in self.sums.iter_mut().zip(buses) {
            sum.bus = *bus;
            if !std::mem::replace(&mut sum.is_silent, true) {
                sum.rows = rows;
            }
        }
    }

    /// Begins a note with its levels in the samples of the tick in which it sounds. Its part moves
    /// from one state to another in the tick.
    pub fn begin(
        &mut self,
        note: &Sounding,
        [from, to]: [&At; 2],
        levels: &[f32; TICK_SAMPLES],
        samples: Range<usize>,
    ) {
        for sum in &mut self.sums {
            let [a, b] = [from, to].map(|at| of_note::weight(note, at, sum.bus));
            sum.hears = (a != 0.0 || b != 0.0).then(|| {
                let step = (b - a) / TICK_SAMPLES as f32;
                let mut weights = [0.0; TICK_SAMPLES];
                for n in 0..TICK_SAMPLES {
                    weights[n] = (a + step * (n + 1) as f32) * levels[n];
                }
                weights
            });
            sum.is_silent &= sum.hears.is_none();
        }
        self.samples = samples;
    }

    /// Adds the middle and the side of the current note, times its weights. Without `has_side` only
    /// the middle is read.
    #[inline(always)]
    pub fn add<S: Simd>(&mut self, simd: S, tone: [&[Row]; 2], has_side: bool) {
        for sum in &mut self.sums {
            let Some(weights) = &sum.hears else { continue };
            let (weights, rows) =
                (&weights[self.samples.clone()], &mut sum.rows[self.samples.clone()]);
            add(simd, tone, sum.bus.side().filter(|_| has_side), weights, rows);
        }
    }

    /// Adds the `i`-th sample of the current note, and of its upper tone, times its weight.
    pub fn add_sample(&mut self, i: usize, tone: Complex<f32>, upper: f32) {
        let at = self.samples.start + i;
        for sum in &mut self.sums {
            let (Some(weights), row) = (&sum.hears, &mut sum.rows[at]) else { continue };
            row.re[0] += weights[at] * tone.re;
            row.im[0] += weights[at] * tone.im;
            row.re[UPPER] += weights[at] * upper;
        }
    }

    /// Sums the groups of each bus.
    pub fn finish(&mut self) {
        let buses = self.tones.iter_mut().zip(&mut self.upper);
        for (sum, (tones, upper)) in self.sums.iter().zip(buses) {
            if sum.is_silent {
                (*tones, *upper) = ([Complex::ZERO; TICK_SAMPLES], [0.0; TICK_SAMPLES]);
                continue;
            }
            for (row, to) in sum.rows.iter().zip(tones.iter_mut().zip(upper)) {
                (*to.0, *to.1) = row.total();
            }
        }
    }
}
