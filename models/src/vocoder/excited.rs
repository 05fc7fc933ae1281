//! The excitation of one tick: the sum of the sounds of its notes on each bus. It makes no sound.

use super::voice::TickSound;
use crate::ledger::Sounding;
use crate::parts::{At, Bus, of_note};
use crate::units::TICK_SAMPLES;
use crate::wide::wide;
use pulp::{Simd, WithSimd};
use realfft::num_complex::Complex;
use std::ops::{Add, AddAssign, Mul};

/// The excitation of one tick.
#[derive(Debug)]
pub struct Excited {
    /// The tones of each bus.
    pub tones: Vec<[Complex<f32>; TICK_SAMPLES]>,
    /// The upper tones of each bus, if the model has them and the bus is wide.
    pub upper: Vec<[f32; TICK_SAMPLES]>,
    /// The attack of the noise: its factor in each sample, 0..=1.
    pub begins: [f32; TICK_SAMPLES],
}

impl Default for Excited {
    fn default() -> Self {
        Self { tones: vec![], upper: vec![], begins: [1.0; TICK_SAMPLES] }
    }
}

impl Excited {
    /// Resets it to silence for these buses.
    pub fn clear(&mut self, buses: &[Bus]) {
        self.tones.clear();
        self.tones.resize(buses.len(), [Complex::ZERO; TICK_SAMPLES]);
        self.upper.clear();
        self.upper.resize(buses.len(), [0.0; TICK_SAMPLES]);
    }

    /// Adds the sound of a note to the buses, from the sample `offset` of the tick on.
    pub fn add(
        &mut self,
        sound: &TickSound,
        [from, to]: [&At; 2],
        offset: usize,
        note: &Sounding,
        (buses, is_wide): (&[Bus], bool),
    ) {
        let samples = offset..offset + sound.count;
        for ((bus, tones), upper) in buses.iter().zip(&mut self.tones).zip(&mut self.upper) {
            let [a, b] = [from, to].map(|at| of_note::weight(note, at, *bus));
            if a == 0.0 && b == 0.0 {
                continue;
            }
            let step = (b - a) / TICK_SAMPLES as f32;
            let weights: [f32; TICK_SAMPLES] =
                std::array::from_fn(|i| a + step * (offset + i + 1) as f32);
            // Left is the middle plus the side, and right is the middle minus the side.
            let of_side = match bus.side() {
                Some(0) => 1.0,
                Some(_) => -1.0,
                None => 0.0,
            };
            let (tones, upper) = (&mut tones[samples.clone()], &mut upper[samples.clone()]);
            wide(Sides { sides: &sound.tone, of_side, weights: &weights, out: tones });
            if is_wide && bus.is_wide() {
                wide(Sides { sides: &sound.upper, of_side, weights: &weights, out: upper });
            }
        }
    }
}

/// Adds a middle, and a side times `of_side`, times the weight of each sample.
struct Sides<'a, T> {
    sides: &'a [[T; TICK_SAMPLES]; 2],
    of_side: f32,
    weights: &'a [f32; TICK_SAMPLES],
    out: &'a mut [T],
}

impl<T: Copy + AddAssign + Add<Output = T> + Mul<f32, Output = T>> WithSimd for Sides<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let [middle, side] = self.sides;
        for (i, out) in self.out.iter_mut().enumerate() {
            *out += (middle[i] + side[i] * self.of_side) * self.weights[i];
        }
    }
}
