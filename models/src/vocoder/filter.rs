//! Filters tones and noise by gains for each mel band. The filters have minimum phase, so there is
//! no look-ahead. It knows no notes.
//!
//! The filters of a block of [`BLOCK`] samples are faded in evenly over the block, or at once at a
//! key press. They can be changed at any tick of it. The response within the block is summed
//! directly, so that each tick is ready at once. The response after the block comes from one
//! transform of the whole block at its end.

use super::bands::{BINS, BandFilters, FFT, MinimumPhase};
use super::excitation::BLOCK;
use super::polar::FromLogs;
use crate::units::TICK_SAMPLES;
use crate::wide::{add_scaled, wide};
use pulp::{Simd, WithSimd};
use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner};
use rustfft::{Fft, FftPlanner};
use std::sync::Arc;

/// The two sources of a block: tones and noise.
pub const SOURCES: usize = 2;
/// The samples of an impulse response that are summed directly, after a tick of silence.
const HEAD: usize = TICK_SAMPLES + BLOCK;
/// The samples in which filters are faded in at a key press.
const ATTACK: usize = 16;
/// The most filters used in a block: that of the last block, and one for each tick.
const STAGES: usize = 1 + BLOCK / TICK_SAMPLES;

/// A fade-in over a range of samples that begins at 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ramp {
    /// The sample at which it begins.
    pub from: usize,
    /// The sample of a key press, which may lie before the range.
    pub press: Option<isize>,
    /// The sample at which it is complete, if there is no key press.
    pub end: usize,
}

impl Ramp {
    /// An even fade-in over the whole range.
    pub fn over(end: usize) -> Self {
        Self { from: 0, press: None, end }
    }

    /// The share that is reached in sample `n`. It grows evenly up to the end, or within [`ATTACK`]
    /// samples after a key press.
    pub fn at(self, n: usize) -> f32 {
        let [n, from, end] = [n + 1, self.from, self.end].map(|n| n as isize);
        let (begin, end) = match self.press {
            Some(press) => (press.max(from), press + ATTACK as isize),
            None => (from, end),
        };
        ((n - begin) as f32 / (end - begin).max(1) as f32).clamp(0.0, 1.0)
    }

    /// The key press, if its fade-in is not complete before sample `n`.
    pub fn press_at(self, n: usize) -> Option<isize> {
        self.press.filter(|press| press + ATTACK as isize > n as isize)
    }
}

/// The filters of all sources, and their weight in each sample of the block.
#[derive(Debug, Clone)]
struct Stage {
    /// [SOURCES, BINS]
    spectrum: Vec<Complex<f32>>,
    /// The first samples of their impulse responses, [SOURCES, HEAD].
    head: Vec<f32>,
    weights: [f32; BLOCK],
}

/// The signals of one bus.
#[derive(Debug, Clone)]
struct Channel {
    /// The inputs of the block so far, [SOURCES, BLOCK].
    inputs: Vec<f32>,
    /// The response of earlier blocks that is still to be played, [FFT].
    tail: Vec<f32>,
}

/// Filters signals block by block, and fades from the filters of one block to those of the next.
pub struct BlockFilter {
    bands: Arc<BandFilters>,
    minimum_phase: MinimumPhase<f32>,
    response: Arc<dyn ComplexToReal<f32>>,
    forward: Arc<dyn Fft<f32>>,
    inverse: Arc<dyn Fft<f32>>,
    /// The filter of the last block, and then those of this block in the order of their fade-ins.
    stages: Vec<Stage>,
    count: usize,
    /// Whether nothing has been filtered yet. Then the first block begins with its own filter.
    is_fresh: bool,
    channels: Vec<Channel>,
    /// Room for an impulse response [FFT], its spectrum [BINS], and the two of a pair of buses
    /// [FFT].
    padded: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    pair: Vec<Complex<f32>>,
    sum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
}

impl BlockFilter {
    /// A filter without signal, for a number of buses.
    pub fn new(bands: Arc<BandFilters>, buses: usize) -> Self {
        let response = RealFftPlanner::new().plan_fft_inverse(FFT);
        let mut planner = FftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(FFT), planner.plan_fft_inverse(FFT));
        let zero = Complex::new(0.0, 0.0);
        let scratch = forward.get_inplace_scratch_len().max(inverse.get_inplace_scratch_len());
        let scratch = scratch.max(response.get_scratch_len());
        let stage = Stage {
            spectrum: vec![zero; SOURCES * BINS],
            head: vec![0.0; SOURCES * HEAD],
            weights: [0.0; BLOCK],
        };
        let channel = Channel { inputs: vec![0.0; SOURCES * BLOCK], tail: vec![0.0; FFT] };
        Self {
            bands,
            minimum_phase: MinimumPhase::new(FFT),
            response,
            forward,
            inverse,
            stages: vec![stage; STAGES],
            count: 1,
            is_fresh: true,
            channels: vec![channel; buses],
            padded: vec![0.0; FFT],
            spectrum: vec![zero; BINS],
            pair: vec![zero; FFT],
            sum: vec![zero; FFT],
            scratch: vec![zero; scratch],
        }
    }

    /// Begins to fade to filters with these `gains` [SOURCES, bands] in nats at `ramp.from`, which
    /// must be the start of a tick.
    ///
    /// # Real time
    /// It allocates nothing.
    pub fn aim(&mut self, gains: &[f32], ramp: Ramp) {
        let Ramp { from, .. } = ramp;
        let count = self.count.min(STAGES - 1);
        let of_sources = gains.chunks_exact(gains.len() / SOURCES);
        let Some(stage) = self.stages.get_mut(count) else { return };
        let spectra = stage.spectrum.chunks_exact_mut(BINS);
        let heads = stage.head.chunks_exact_mut(HEAD);
        for ((spectrum, head), gains) in spectra.zip(heads).zip(of_sources) {
            let logs = self.minimum_phase.of(self.bands.log_magnitudes(gains));
            wide(FromLogs { logs, out: spectrum });
            // The first and the last bin of a real spectrum are real; realfft reports anything else
            // as an error.
            self.spectrum.copy_from_slice(spectrum);
            if let [first, .., last] = self.spectrum.as_mut_slice() {
                (first.im, last.im) = (0.0, 0.0);
            }
            let Self { spectrum, padded, scratch, .. } = self;
            let scratch = &mut scratch[..self.response.get_scratch_len()];
            // All buffers come from the plan, so their lengths fit and the transform cannot fail.
            let _ = self.response.process_with_scratch(spectrum, padded, scratch);
            let head = head.iter_mut().skip(TICK_SAMPLES);
            head.zip(padded).for_each(|(h, p)| *h = *p / FFT as f32);
        }
        let (before, now) = self.stages.split_at_mut(count);
        if let (true, [first, ..], Some(now)) =
            (std::mem::take(&mut self.is_fresh), &mut *before, now.first())
        {
            first.spectrum.copy_from_slice(&now.spectrum);
            first.head.copy_from_slice(&now.head);
        }
        for (i, stage) in before.iter_mut().enumerate() {
            let frozen = match from.checked_sub(1) {
                Some(last) => stage.weights[last],
                None => f32::from(u8::from(i == 0)),
            };
            for (n, weight) in stage.weights.iter_mut().enumerate().skip(from) {
                *weight = frozen * (1.0 - ramp.at(n));
            }
        }
        if let Some(now) = now.first_mut() {
            now.weights = std::array::from_fn(|n| ramp.at(n));
        }
        self.count = count + 1;
    }

    /// The response of the filters for a source in a bin: where the last fade-in began, and when it
    /// is complete.
    pub fn change(&self, source: usize, bin: usize) -> [Complex<f32>; 2] {
        let at = source * BINS + bin;
        let value = |stage: &Stage| stage.spectrum.get(at).copied().unwrap_or(Complex::ZERO);
        let Some((now, before)) = self.stages.get(..self.count).and_then(<[Stage]>::split_last)
        else {
            return [Complex::ZERO; 2];
        };
        let from = now.weights.iter().position(|w| *w > 0.0).unwrap_or(0);
        let mixed = match from.checked_sub(1) {
            Some(last) => before.iter().map(|stage| value(stage) * stage.weights[last]).sum(),
            None => before.first().map_or(Complex::ZERO, value),
        };
        [mixed, value(now)]
    }

    /// Filters the tick from the sample `at` of the block. `sources` are those of a bus,
    /// [TICK_SAMPLES] each, and `out` is [TICK_SAMPLES].
    ///
    /// # Real time
    /// It allocates nothing.
    pub fn tick(&mut self, bus: usize, at: usize, sources: [&[f32]; SOURCES], out: &mut [f32]) {
        let Some(Channel { inputs, tail }) = self.channels.get_mut(bus) else { return };
        let end = at + TICK_SAMPLES;
        let mut sums = [0.0f32; TICK_SAMPLES];
        sums.iter_mut().zip(tail.iter().skip(at)).for_each(|(sum, tail)| *sum = *tail);
        for (source, samples) in sources.into_iter().enumerate() {
            let inputs = &mut inputs[source * BLOCK..(source + 1) * BLOCK];
            inputs[at..end].copy_from_slice(samples);
            if inputs[..end].iter().all(|x| *x == 0.0) {
                continue;
            }
            let inputs = &inputs[..end];
            for stage in &self.stages[..self.count] {
                let head = &stage.head[source * HEAD..(source + 1) * HEAD];
                wide(Heads { inputs, weights: &stage.weights, head, sums: &mut sums });
            }
        }
        out.iter_mut().zip(&sums).for_each(|(out, sum)| *out = *sum);
    }

    /// Ends the block.
    ///
    /// # Real time
    /// It allocates nothing.
    pub fn next_block(&mut self) {
        for pair in 0..self.channels.len().div_ceil(2) {
            self.ring_on(pair);
        }
        let last = self.count - 1;
        let (first, others) = self.stages.split_at_mut(1);
        let (Some(first), Some(now)) = (first.first_mut(), others.get_mut(last.wrapping_sub(1)))
        else {
            return;
        };
        if now.weights[BLOCK - 1] == 1.0 {
            std::mem::swap(first, now);
        } else {
            // The fade-in of a key press is not complete, so the mix of filters goes on.
            let by = first.weights[BLOCK - 1];
            first.spectrum.iter_mut().for_each(|bin| *bin *= by);
            first.head.iter_mut().for_each(|sample| *sample *= by);
            for stage in &others[..last] {
                let by = stage.weights[BLOCK - 1];
                let bins = first.spectrum.iter_mut().zip(&stage.spectrum);
                bins.for_each(|(sum, bin)| *sum += bin * by);
                let heads = first.head.iter_mut().zip(&stage.head);
                heads.for_each(|(sum, sample)| *sum += sample * by);
            }
        }
        self.count = 1;
    }

    /// Adds the response after the block to the tails of a pair of buses. All filters are real, so
    /// one complex transform filters both: one bus is its real part, the other its imaginary part.
    fn ring_on(&mut self, pair: usize) {
        let Self { channels, stages, sum, scratch, .. } = self;
        let Some(buses) = channels.chunks_mut(2).nth(pair) else { return };
        for Channel { tail, .. } in &mut *buses {
            tail.copy_within(BLOCK.., 0);
            tail[FFT - BLOCK..].fill(0.0);
        }
        let has_sound = |bus: &Channel| bus.inputs.iter().any(|x| *x != 0.0);
        let sounding = [0, 1].map(|n| buses.get(n).is_some_and(has_sound));
        if sounding == [false; 2] {
            return;
        }
        sum.fill(Complex::ZERO);
        for source in 0..SOURCES {
            let range = source * BLOCK..(source + 1) * BLOCK;
            let of = |n: usize| buses.get(n).map(|bus| &bus.inputs[range.clone()]);
            let is_silent = |n| of(n).is_none_or(|inputs| inputs.iter().all(|x| *x == 0.0));
            if is_silent(0) && is_silent(1) {
                continue;
            }
            for stage in &stages[..self.count] {
                self.pair.fill(Complex::ZERO);
                let weighted = |n| of(n).into_iter().flatten().zip(&stage.weights);
                for (pair, (x, weight)) in self.pair.iter_mut().zip(weighted(0)) {
                    pair.re = x * weight;
                }
                for (pair, (x, weight)) in self.pair.iter_mut().zip(weighted(1)) {
                    pair.im = x * weight;
                }
                self.forward.process_with_scratch(&mut self.pair, scratch);
                let filter = &stage.spectrum[source * BINS..(source + 1) * BINS];
                wide(Filtered { spectrum: &self.pair, filter, sum });
            }
        }
        self.inverse.process_with_scratch(sum, scratch);
        for (n, Channel { inputs, tail }) in buses.iter_mut().enumerate() {
            if sounding[n] {
                let ringing =
                    sum[BLOCK..].iter().map(|value| if n == 0 { value.re } else { value.im });
                tail.iter_mut().zip(ringing).for_each(|(t, p)| *t += p / FFT as f32);
                inputs.fill(0.0);
            }
        }
    }
}

/// Adds the response to a block's inputs, the last of which are those of the tick, to the sums of
/// the tick. `head` is a tick of silence and the impulse response of a filter that has `weights`.
struct Heads<'a> {
    inputs: &'a [f32],
    weights: &'a [f32; BLOCK],
    head: &'a [f32],
    sums: &'a mut [f32; TICK_SAMPLES],
}

impl WithSimd for Heads<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { inputs, weights, head, sums } = self;
        // In a variable of its own, so that it stays in registers.
        let mut added = *sums;
        let windows = head[1..inputs.len() + TICK_SAMPLES].windows(TICK_SAMPLES).rev();
        for ((x, weight), window) in inputs.iter().zip(weights).zip(windows) {
            if let Some(window) = window.first_chunk() {
                add_scaled(&mut added, x * weight, window);
            }
        }
        *sums = added;
    }
}

/// Adds the product of a spectrum [FFT] with that of a real filter [BINS] to the sum [FFT].
struct Filtered<'a> {
    spectrum: &'a [Complex<f32>],
    filter: &'a [Complex<f32>],
    sum: &'a mut [Complex<f32>],
}

impl WithSimd for Filtered<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { spectrum, filter, sum } = self;
        for ((sum, x), by) in sum.iter_mut().zip(spectrum).zip(filter) {
            *sum += x * by;
        }
        // The filter of a negative frequency is the conjugate of that of the positive one.
        let mirrored = filter[1..BINS - 1].iter().rev();
        for ((sum, x), by) in sum[BINS..].iter_mut().zip(&spectrum[BINS..]).zip(mirrored) {
            *sum += x * by.conj();
        }
    }
}

impl std::fmt::Debug for BlockFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlockFilter").field("is_fresh", &self.is_fresh).finish_non_exhaustive()
    }
}
