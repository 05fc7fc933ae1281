//! Keeps tones in tune. A filter that keeps changing its shape keeps rotating the phase of its
//! output, which changes the pitch: by 10 cents at 55 Hz if the spectrum of a note opens slowly. So
//! tones are rotated back by the same angle. It knows no notes.
//!
//! Python twin: `turned_back` in `models/training/timbre_training/vocoder.py`.

use super::bands::BINS;
use super::excitation::LEVEL_FLOOR;
use crate::mel::mel_matrix;
use crate::units::MEL_BINS;
use realfft::num_complex::Complex;
use std::f32::consts::TAU;

/// The angle by which the filter of the tones has rotated them since the first block. It is a mean
/// over the bands, weighted by their output power and by the square of their period, because the
/// same rotation is more cents for a lower tone.
#[derive(Debug)]
pub struct Turn {
    /// The bin with the largest weight in each band.
    centres: Vec<usize>,
    /// Radians at the end of the last block.
    turned: f32,
    /// Radians in this block.
    step: f32,
}

impl Turn {
    /// The state before any rotation.
    pub fn new() -> Self {
        let matrix = mel_matrix();
        let weight = |bin: usize, band: usize| matrix.get(bin * MEL_BINS + band).copied();
        let most = |band| {
            let rising = |a: &usize, b: &usize| {
                weight(*a, band).partial_cmp(&weight(*b, band)).unwrap_or(std::cmp::Ordering::Equal)
            };
            (0..BINS).max_by(rising).unwrap_or_default()
        };
        Self { centres: (0..MEL_BINS).map(most).collect(), turned: 0.0, step: 0.0 }
    }

    /// Begins a change of the filter, when the share `reached` of the last change is done. `change`
    /// gives the response of the filter in a bin now and after the change; `log_levels` [128] are
    /// those of the tones in nats.
    pub fn aim(
        &mut self,
        reached: f32,
        change: impl Fn(usize) -> [Complex<f32>; 2],
        log_levels: &[f32],
    ) {
        self.turned = (self.turned + reached * self.step) % TAU;
        let absent = 2.0 * LEVEL_FLOOR * LEVEL_FLOOR;
        let mut sum = Complex::new(0.0, 0.0);
        for (centre, log_level) in self.centres.iter().zip(log_levels) {
            let power = (2.0 * log_level).exp();
            if power > absent {
                let [before, now] = change(*centre);
                sum += now * before.conj() * (power / (centre * centre) as f32);
            }
        }
        self.step = sum.arg();
    }

    /// The factor that rotates a sample of a tone back, when the `share` of the change is done. The
    /// real part of the product is the sample.
    pub fn back(&self, share: f32) -> Complex<f32> {
        Complex::cis(-(self.turned + share * self.step))
    }

    /// Removes the past.
    pub fn reset(&mut self) {
        (self.turned, self.step) = (0.0, 0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{SAMPLE_RATE_HZ, TICK_SAMPLES};
    use crate::vocoder::bands::BandFilters;
    use crate::vocoder::excitation::BLOCK;
    use crate::vocoder::filter::{BlockFilter, Ramp};
    use std::sync::Arc;

    const HZ: f32 = 55.0;

    /// The band of 55 Hz.
    const BAND: usize = 3;

    /// The radians by which a tone advances in half a second while a filter opens from 55 Hz up, if
    /// its level in its band is given as `log_level`.
    fn ahead(log_level: f32) -> f32 {
        let mut levels = [LEVEL_FLOOR.ln(); MEL_BINS];
        levels[BAND] = log_level;
        let mut filter = BlockFilter::new(Arc::new(BandFilters::lower()), 1);
        let (mut turn, ramp) = (Turn::new(), Ramp::over(BLOCK));
        let angle = |n: usize| TAU * HZ * n as f32 / SAMPLE_RATE_HZ as f32;
        let tone: Vec<_> = (0..100 * BLOCK).map(|n| Complex::cis(angle(n))).collect();
        let mut out = vec![0.0; tone.len()];
        let blocks = tone.chunks_exact(BLOCK).zip(out.chunks_exact_mut(BLOCK));
        for (block, (tone, out)) in blocks.enumerate() {
            let tilt = |band: usize| -0.002 * (100 - block) as f32 * band.min(20) as f32;
            let gains: Vec<_> = (0..MEL_BINS).map(tilt).chain([-20.0; MEL_BINS]).collect();
            filter.aim(&gains, ramp);
            turn.aim(1.0, |bin| filter.change(0, bin), &levels);
            let turned: Vec<_> =
                (0..).zip(tone).map(|(n, t)| (turn.back(ramp.at(n)) * t).re).collect();
            let ticks = turned.chunks_exact(TICK_SAMPLES).zip(out.chunks_exact_mut(TICK_SAMPLES));
            for (tick, (turned, out)) in ticks.enumerate() {
                filter.tick(0, tick * TICK_SAMPLES, [turned, &[0.0; TICK_SAMPLES]], out);
            }
            filter.next_block();
        }
        let phase = |from: usize| {
            let part = out.iter().enumerate().skip(from).take(20 * BLOCK);
            part.map(|(n, sample)| Complex::cis(-angle(n)) * sample).sum::<Complex<f32>>()
        };
        (phase(75 * BLOCK) * phase(25 * BLOCK).conj()).arg()
    }

    #[test]
    fn a_note_stays_in_tune_while_its_spectrum_opens() {
        let (untreated, treated) = (ahead(LEVEL_FLOOR.ln()), ahead(0.0));
        assert!(untreated.abs() > 0.3, "the test has nothing to mend: {untreated}");
        assert!(treated.abs() < 0.2 * untreated.abs(), "{treated} of {untreated}");
    }
}
