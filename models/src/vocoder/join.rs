//! Joins two bands of 8 kHz, each sampled at 16 kHz, to a signal at 48 kHz. It knows no vocoder.
//!
//! With zeros between its samples, the spectrum of a band is repeated, every second time mirrored;
//! a filter keeps the repetition that is wanted. It has minimum phase, so that sound is delayed by
//! a tenth of a millisecond and not by half of the length of the filter.

use super::bands::MinimumPhase;
use crate::units::{SAMPLE_RATE_HZ, TICK_SAMPLES};
use crate::wide::{add_scaled, wide};
use pulp::{Simd, WithSimd};
use realfft::RealFftPlanner;
use realfft::num_complex::Complex;
use std::f64::consts::PI;

/// Output samples for each input sample.
pub const FACTOR: usize = 3;
/// The input samples that an output sample depends on. The bands cross over from 7.55 kHz to 8.45
/// kHz.
const TAPS: usize = 64;
/// The shape of the Kaiser window, for 60 dB.
const BETA: f64 = 5.65;
/// The FFT length for the computation of the filters.
const FFT: usize = 1 << 14;
/// The lowest magnitude of a filter, -120 dB, because filters of minimum phase have no zeros.
const FLOOR: f64 = 1e-6;

/// The two filters, and the last samples of both bands.
#[derive(Debug)]
pub struct Join {
    /// For each phase of the output: the weights of the input samples, oldest first.
    lower: [Vec<f32>; FACTOR],
    upper: [Vec<f32>; FACTOR],
    /// The last input samples and those of the tick.
    inputs: [Inputs; 2],
}

type Inputs = [f32; TAPS - 1 + TICK_SAMPLES];

impl Join {
    /// The state before any sound.
    pub fn new() -> Self {
        // In cycles per output sample.
        let edge = 0.5 / FACTOR as f64;
        let band = |cycles: f64| {
            move |n: f64| {
                if n == 0.0 { 2.0 * cycles } else { (2.0 * PI * cycles * n).sin() / (PI * n) }
            }
        };
        let (low, both) = (band(edge), band(2.0 * edge));
        Self {
            lower: minimum_phase(low),
            upper: minimum_phase(|n| both(n) - low(n)),
            inputs: [[0.0; TAPS - 1 + TICK_SAMPLES]; 2],
        }
    }

    /// Takes the next samples of the lower band and, if there is one, as many of the upper band.
    /// Adds three times as many samples to `out`.
    pub fn push(&mut self, lower: &[f32], upper: Option<&[f32]>, out: &mut Vec<f32>) {
        for (tick, lower) in lower.chunks(TICK_SAMPLES).enumerate() {
            let upper = upper.map(|upper| &upper[tick * TICK_SAMPLES..][..lower.len()]);
            let bands = [Some(lower), upper];
            let [first, second] = &mut self.inputs;
            let mut sums = [[0.0; TICK_SAMPLES]; FACTOR];
            let filters = [&self.lower, &self.upper];
            for ((band, input), filter) in bands.into_iter().zip([first, second]).zip(filters) {
                let Some(band) = band else { continue };
                input[TAPS - 1..][..band.len()].copy_from_slice(band);
                for (sums, filter) in sums.iter_mut().zip(filter) {
                    wide(Taps { input, filter, sums });
                }
                input.copy_within(band.len()..band.len() + TAPS - 1, 0);
            }
            let samples = 0..lower.len();
            out.extend(samples.flat_map(|n| sums.each_ref().map(|phase| phase[n])));
        }
    }
}

/// Adds a filtered tick to the sums, tap by tap: the compiler can vectorise this, but must not
/// reorder a sum over neighbours.
struct Taps<'a> {
    input: &'a Inputs,
    filter: &'a [f32],
    sums: &'a mut [f32; TICK_SAMPLES],
}

impl WithSimd for Taps<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        // In a variable of its own, so that it stays in registers.
        let mut added = *self.sums;
        for (n, by) in self.filter.iter().enumerate() {
            if let Some(samples) = self.input.get(n..).and_then(|input| input.first_chunk()) {
                add_scaled(&mut added, *by, samples);
            }
        }
        *self.sums = added;
    }
}

/// Makes a filter from the ideal impulse response around 0, with the length and the magnitudes of
/// the windowed one, but minimum phase. It is FACTOR times as loud, because of the zeros between
/// the samples. Returns the weights for each phase of the output, oldest first.
fn minimum_phase(response: impl Fn(f64) -> f64) -> [Vec<f32>; FACTOR] {
    let mut planner = RealFftPlanner::<f64>::new();
    let (forward, inverse) = (planner.plan_fft_forward(FFT), planner.plan_fft_inverse(FFT));
    let (mut wave, mut spectrum) = (forward.make_input_vec(), forward.make_output_vec());
    let length = FACTOR * TAPS;
    let middle = (length - 1) as f64 / 2.0;
    for (n, value) in wave.iter_mut().take(length).enumerate() {
        let off = n as f64 - middle;
        let window = bessel_i0(BETA * (1.0 - (off / middle).powi(2)).max(0.0).sqrt());
        *value = FACTOR as f64 * response(off) * window / bessel_i0(BETA);
    }
    // The buffers come from the plans, so their lengths fit and the transforms cannot fail.
    let _ = forward.process(&mut wave, &mut spectrum);
    let magnitudes = spectrum.iter().map(|v| v.norm().max(FLOOR).ln());
    let mut causal: Vec<_> = MinimumPhase::new(FFT)
        .of(magnitudes)
        .iter()
        .map(|log| Complex::from_polar(log.re.exp(), log.im))
        .collect();
    if let [first, .., last] = causal.as_mut_slice() {
        (first.im, last.im) = (0.0, 0.0);
    }
    let _ = inverse.process(&mut causal, &mut wave);
    std::array::from_fn(|phase| {
        let taps = wave.iter().take(length).skip(phase).step_by(FACTOR);
        let mut taps: Vec<f32> = taps.map(|v| (v / FFT as f64) as f32).collect();
        taps.reverse();
        taps
    })
}

/// The modified Bessel function of order 0, by its series.
fn bessel_i0(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..32 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
    }
    sum
}

/// The sample rate of the output, Hz.
pub const RATE_HZ: u32 = FACTOR as u32 * SAMPLE_RATE_HZ;

#[cfg(test)]
mod tests {
    use super::*;

    /// The level in dB of the output at `found_hz`, if the input of a band at 16 kHz is a sine of
    /// amplitude 1 at `hz`.
    fn level(band: usize, hz: f64, found_hz: f64) -> f64 {
        let wave: Vec<f32> =
            (0..16_000).map(|n| (2.0 * PI * hz * f64::from(n) / 16e3).sin() as f32).collect();
        let silence = vec![0.0; wave.len()];
        let bands = if band == 0 { [&wave, &silence] } else { [&silence, &wave] };
        let mut out = vec![];
        Join::new().push(bands[0], Some(bands[1]), &mut out);
        let settled = out.get(12_000..36_000).unwrap_or_default();
        let turn = |n: usize| Complex::cis(-2.0 * PI * found_hz * n as f64 / 48e3);
        let sum: Complex<f64> =
            settled.iter().enumerate().map(|(n, x)| turn(n) * f64::from(*x)).sum();
        20.0 * (2.0 * sum.norm() / settled.len() as f64).max(1e-9).log10()
    }

    #[test]
    fn each_band_comes_out_where_it_belongs_and_nowhere_else() {
        // 100 Hz of the upper band are left out, because they lie at its edge, 16 kHz.
        for (band, hz) in
            [(0, 100.0), (0, 1e3), (0, 4e3), (0, 7.5e3), (1, 5e2), (1, 4e3), (1, 7.5e3)]
        {
            let places = [hz, 16e3 - hz, 16e3 + hz];
            for (place, found_hz) in places.into_iter().enumerate() {
                let found = level(band, hz, found_hz);
                let is_right = if place == band { found.abs() < 0.1 } else { found < -55.0 };
                assert!(is_right, "{hz} Hz of band {band}: {found} dB at {found_hz} Hz");
            }
        }
    }

    #[test]
    fn pieces_are_the_whole_and_hardly_late() {
        let mut wave = vec![0.0f32; 960];
        wave[320] = 1.0;
        let (mut whole, mut pieces) = (vec![], vec![]);
        Join::new().push(&wave, Some(&wave), &mut whole);
        let mut join = Join::new();
        for piece in wave.chunks(160) {
            join.push(piece, Some(piece), &mut pieces);
        }
        assert_eq!(pieces, whole);
        let loudest = (0..whole.len()).max_by(|a, b| whole[*a].abs().total_cmp(&whole[*b].abs()));
        let late = loudest.unwrap_or_default() - FACTOR * 320;
        assert!(late <= 15, "{late} samples at 48 kHz");
        assert!(whole[..FACTOR * 320].iter().all(|x| *x == 0.0), "nothing comes before");
    }
}
