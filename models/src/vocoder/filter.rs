//! Filters tones and noise by gains per mel band, block by block, with minimum phase: no look-ahead. Knows no notes.

use super::excitation::BLOCK;
use super::tables::{BINS, FFT, Tables};
use super::turn::Turn;
use crate::units::MEL_BINS;
use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use std::sync::Arc;

/// The two sources a block is made of: tones and noise.
pub const SOURCES: usize = 2;
/// Samples in which the filters of a key press come in.
const ATTACK: usize = 16;

/// Cross-fades linearly, over each block of [`BLOCK`] samples, from the last block's filters to this one's; in a block with a
/// key press, within [`ATTACK`] samples of it.
pub struct BlockFilter {
    tables: Arc<Tables>,
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    /// Filters of the last block and of this one, [SOURCES, BINS] each.
    before: Vec<Complex<f32>>,
    now: Vec<Complex<f32>>,
    /// No block has been filtered yet: the first one fades from its own filter.
    fresh: bool,
    turn: Turn,
    /// The tones of a block, turned back.
    tones: Vec<f32>,
    padded: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    sum: Vec<Complex<f32>>,
    logs: Vec<f32>,
    scratch: Vec<Complex<f32>>,
    /// Ringing of earlier blocks that is still to come out, [FFT].
    tail: Vec<f32>,
}

impl BlockFilter {
    /// A filter at rest.
    pub fn new(tables: Arc<Tables>) -> Self {
        let mut planner = RealFftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(FFT), planner.plan_fft_inverse(FFT));
        let zero = Complex::new(0.0, 0.0);
        let scratch = forward.get_scratch_len().max(inverse.get_scratch_len());
        Self {
            tables,
            forward,
            inverse,
            before: vec![zero; SOURCES * BINS],
            now: vec![zero; SOURCES * BINS],
            fresh: true,
            turn: Turn::new(),
            tones: Vec::with_capacity(BLOCK),
            padded: vec![0.0; FFT],
            spectrum: vec![zero; BINS],
            sum: vec![zero; BINS],
            logs: vec![0.0; 2 * BINS],
            scratch: vec![zero; scratch],
            tail: vec![0.0; FFT],
        }
    }

    /// Filters one block: `gains` [2 sources, 128] in nats, `log_levels` [128] of the tones in nats, `tones` and `noise` [BLOCK], `press`
    /// the sample of a key press, if there is one, `out` [BLOCK].
    ///
    /// # Real time
    /// Allocates nothing.
    pub fn process(
        &mut self,
        gains: &[f32],
        log_levels: &[f32],
        tones: &[Complex<f32>],
        noise: &[f32],
        press: Option<usize>,
        out: &mut [f32],
    ) {
        let share = |n: usize| match press {
            Some(press) => (n + 1).saturating_sub(press).min(ATTACK) as f32 / ATTACK as f32,
            None => (n + 1) as f32 / BLOCK as f32,
        };
        std::mem::swap(&mut self.before, &mut self.now);
        for (source, gains) in gains.chunks_exact(MEL_BINS).take(SOURCES).enumerate() {
            self.design(source, gains);
        }
        if std::mem::take(&mut self.fresh) {
            self.before.copy_from_slice(&self.now);
        }
        self.turn.next(&self.before, &self.now, log_levels);
        let mut turned = std::mem::take(&mut self.tones);
        turned.clear();
        turned.extend(tones.iter().enumerate().map(|(n, tone)| self.turn.back(*tone, share(n))));
        self.sum.fill(Complex::ZERO);
        for (source, samples) in [turned.as_slice(), noise].into_iter().enumerate() {
            let filters = source * BINS..(source + 1) * BINS;
            // before * (whole - rising) + now * rising = before * whole + (now - before) * rising
            self.transform(samples, |_| 1.0);
            let before = self.before.get(filters.clone()).unwrap_or_default();
            for ((sum, x), b) in self.sum.iter_mut().zip(&self.spectrum).zip(before) {
                *sum += x * b;
            }
            self.transform(samples, share);
            let before = self.before.get(filters.clone()).unwrap_or_default();
            let now = self.now.get(filters).unwrap_or_default();
            for (((sum, x), b), n) in self.sum.iter_mut().zip(&self.spectrum).zip(before).zip(now) {
                *sum += x * (n - b);
            }
        }
        self.tones = turned;
        self.overlap_add(out);
    }

    /// Forgets the past.
    pub fn reset(&mut self) {
        self.fresh = true;
        self.turn.reset();
        self.tail.fill(0.0);
    }

    /// Band gains [128] in nats -> the complex filter of one source.
    fn design(&mut self, source: usize, gains: &[f32]) {
        self.logs.fill(0.0);
        for (gain, row) in gains.iter().zip(self.tables.filters.chunks_exact(2 * BINS)) {
            self.logs.iter_mut().zip(row).for_each(|(l, r)| *l += gain * r);
        }
        let (magnitude, phase) = self.logs.split_at(BINS);
        let filter = self.now.iter_mut().skip(source * BINS);
        for ((f, m), p) in filter.zip(magnitude).zip(phase) {
            *f = Complex::from_polar(m.exp(), *p);
        }
    }

    fn transform(&mut self, samples: &[f32], weight: impl Fn(usize) -> f32) {
        self.padded.fill(0.0);
        for (n, (p, s)) in self.padded.iter_mut().zip(samples).enumerate() {
            *p = s * weight(n);
        }
        // All buffers were made by the plan: the lengths fit and the transform cannot fail.
        let _ = self.forward.process_with_scratch(
            &mut self.padded,
            &mut self.spectrum,
            &mut self.scratch,
        );
    }

    fn overlap_add(&mut self, out: &mut [f32]) {
        // The ends of a real spectrum are real; realfft reports anything else as an error.
        if let [first, .., last] = self.sum.as_mut_slice() {
            (first.im, last.im) = (0.0, 0.0);
        }
        let _ =
            self.inverse.process_with_scratch(&mut self.sum, &mut self.padded, &mut self.scratch);
        let scale = 1.0 / FFT as f32;
        self.tail.iter_mut().zip(&self.padded).for_each(|(t, p)| *t += p * scale);
        out.iter_mut().zip(&self.tail).for_each(|(o, t)| *o = *t);
        self.tail.copy_within(BLOCK.., 0);
        if let Some(end) = self.tail.get_mut(FFT - BLOCK..) {
            end.fill(0.0);
        }
    }
}

impl std::fmt::Debug for BlockFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlockFilter").field("fresh", &self.fresh).finish_non_exhaustive()
    }
}
