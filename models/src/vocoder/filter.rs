//! Filters tones and noise by gains per mel band, block by block, with minimum phase: no look-ahead. Knows no notes.

use super::bands::{BINS, BandFilters, FFT};
use super::excitation::BLOCK;
use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use std::sync::Arc;

/// The two sources a block is made of: tones and noise.
pub const SOURCES: usize = 2;
/// Samples in which the filters of a key press come in.
const ATTACK: usize = 16;

/// How a block's own filters come in.
#[derive(Debug, Clone, Copy)]
pub struct Ramp {
    /// The sample of a key press, if there is one.
    pub press: Option<usize>,
}

impl Ramp {
    /// Their share in sample `n` of the block: evenly more over the block, or after a key press within [`ATTACK`] samples.
    pub fn at(self, n: usize) -> f32 {
        match self.press {
            Some(press) => (n + 1).saturating_sub(press).min(ATTACK) as f32 / ATTACK as f32,
            None => (n + 1) as f32 / BLOCK as f32,
        }
    }
}

/// Cross-fades in each block of [`BLOCK`] samples from the last block's filters to this one's.
pub struct BlockFilter {
    bands: Arc<BandFilters>,
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    /// Filters of the last block and of this one, [SOURCES, BINS] each.
    before: Vec<Complex<f32>>,
    now: Vec<Complex<f32>>,
    /// No block has been filtered yet: the first one fades from its own filter.
    fresh: bool,
    padded: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    sum: Vec<Complex<f32>>,
    logs: Vec<f32>,
    scratch: Vec<Complex<f32>>,
    /// Ringing of earlier blocks that is still to come out of each bus, [FFT].
    tails: Vec<Vec<f32>>,
}

impl BlockFilter {
    /// A filter at rest, for so many buses.
    pub fn new(bands: Arc<BandFilters>, buses: usize) -> Self {
        let mut planner = RealFftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(FFT), planner.plan_fft_inverse(FFT));
        let zero = Complex::new(0.0, 0.0);
        let scratch = forward.get_scratch_len().max(inverse.get_scratch_len());
        Self {
            bands,
            forward,
            inverse,
            before: vec![zero; SOURCES * BINS],
            now: vec![zero; SOURCES * BINS],
            fresh: true,
            padded: vec![0.0; FFT],
            spectrum: vec![zero; BINS],
            sum: vec![zero; BINS],
            logs: vec![0.0; 2 * BINS],
            scratch: vec![zero; scratch],
            tails: vec![vec![0.0; FFT]; buses],
        }
    }

    /// Goes on to the next block, whose `gains` are [SOURCES, bands] in nats.
    ///
    /// # Real time
    /// Allocates nothing.
    pub fn next(&mut self, gains: &[f32]) {
        std::mem::swap(&mut self.before, &mut self.now);
        let of_sources = gains.chunks_exact(gains.len() / SOURCES);
        for (filter, gains) in self.now.chunks_exact_mut(BINS).zip(of_sources) {
            self.bands.sum(gains, &mut self.logs);
            let (magnitude, phase) = self.logs.split_at(BINS);
            for ((f, m), p) in filter.iter_mut().zip(magnitude).zip(phase) {
                *f = Complex::from_polar(m.exp(), *p);
            }
        }
        if std::mem::take(&mut self.fresh) {
            self.before.copy_from_slice(&self.now);
        }
    }

    /// The filters [BINS] of a source in the last block and in this one.
    pub fn change(&self, source: usize) -> [&[Complex<f32>]; 2] {
        [&self.before, &self.now]
            .map(|filters| filters.chunks_exact(BINS).nth(source).unwrap_or_default())
    }

    /// Filters the block of every source of a bus, [BLOCK] each, into `out` [BLOCK].
    ///
    /// # Real time
    /// Allocates nothing.
    pub fn process(&mut self, bus: usize, sources: [&[f32]; SOURCES], ramp: Ramp, out: &mut [f32]) {
        self.sum.fill(Complex::ZERO);
        for (source, samples) in sources.into_iter().enumerate() {
            let filters = source * BINS..(source + 1) * BINS;
            // before * (whole - rising) + now * rising = before * whole + (now - before) * rising
            self.transform(samples, |_| 1.0);
            let before = self.before.get(filters.clone()).unwrap_or_default();
            for ((sum, x), b) in self.sum.iter_mut().zip(&self.spectrum).zip(before) {
                *sum += x * b;
            }
            self.transform(samples, |n| ramp.at(n));
            let before = self.before.get(filters.clone()).unwrap_or_default();
            let now = self.now.get(filters).unwrap_or_default();
            for (((sum, x), b), n) in self.sum.iter_mut().zip(&self.spectrum).zip(before).zip(now) {
                *sum += x * (n - b);
            }
        }
        self.overlap_add(bus, out);
    }

    /// Forgets the past.
    pub fn reset(&mut self) {
        self.fresh = true;
        self.tails.iter_mut().for_each(|tail| tail.fill(0.0));
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

    fn overlap_add(&mut self, bus: usize, out: &mut [f32]) {
        let Some(tail) = self.tails.get_mut(bus) else { return };
        // The ends of a real spectrum are real; realfft reports anything else as an error.
        if let [first, .., last] = self.sum.as_mut_slice() {
            (first.im, last.im) = (0.0, 0.0);
        }
        let _ =
            self.inverse.process_with_scratch(&mut self.sum, &mut self.padded, &mut self.scratch);
        let scale = 1.0 / FFT as f32;
        tail.iter_mut().zip(&self.padded).for_each(|(t, p)| *t += p * scale);
        out.iter_mut().zip(&*tail).for_each(|(o, t)| *o = *t);
        tail.copy_within(BLOCK.., 0);
        if let Some(end) = tail.get_mut(FFT - BLOCK..) {
            end.fill(0.0);
        }
    }
}

impl std::fmt::Debug for BlockFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlockFilter").field("fresh", &self.fresh).finish_non_exhaustive()
    }
}
