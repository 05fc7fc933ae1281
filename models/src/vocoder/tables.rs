//! Tables the vocoder is made of: wavetables, what the front end measures of them, filters of bands. Knows no stream.

use crate::mel::{MelFrontEnd, mel_matrix};
use crate::units::{FRAME_SAMPLES, MEL_BINS, SAMPLE_RATE_HZ};
use realfft::RealFftPlanner;
use std::f64::consts::PI;

/// Samples of one period in a wavetable; one more repeats the first, for interpolation.
pub const TABLE: usize = 4096;
/// FFT length of the block filters; impulse responses up to `FFT - BLOCK` samples come out whole.
pub const FFT: usize = 1024;
/// Bins of the block filters.
pub const BINS: usize = FFT / 2 + 1;
/// Amplitude of every harmonic of a full-level tone.
pub const HARMONIC_AMPLITUDE: f64 = 0.05;
/// No harmonic lies above this.
const HIGHEST_HZ: f64 = 7600.0;
/// Harmonic h starts at phase h² times this (of a turn): spread out, the same on every machine.
const GOLDEN: f64 = 0.618_033_988_749_894_9;

/// Everything that depends on no note and no model; made once, shared.
#[derive(Debug)]
pub struct Tables {
    /// [128 keys, TABLE + 1]
    waves: Vec<f32>,
    /// [128 keys, 128 bands]: mel magnitude of the steady full-level tone.
    profiles: Vec<f32>,
    /// [128 bands]: ln of the expected mel magnitude of white noise of variance 1.
    pub noise_log_level: Vec<f32>,
    /// [128 bands, 2, BINS]: log gains of bands -> log magnitude and minimum phase of bins.
    pub filters: Vec<f32>,
}

impl Tables {
    /// Computes all tables (some tens of milliseconds).
    pub fn new() -> Self {
        let mut front_end = MelFrontEnd::new();
        let mut waves = Vec::with_capacity(128 * (TABLE + 1));
        let mut profiles = vec![0.0; 128 * MEL_BINS];
        let mut tone = vec![0.0; FRAME_SAMPLES];
        let inverse = RealFftPlanner::<f64>::new().plan_fft_inverse(TABLE);
        let (mut spectrum, mut wave) = (inverse.make_input_vec(), inverse.make_output_vec());
        for (key, profile) in (0..128).zip(profiles.chunks_exact_mut(MEL_BINS)) {
            let highest = HIGHEST_HZ / f64::from(SAMPLE_RATE_HZ);
            let count = (highest / Self::turns_per_sample(key)) as u32;
            for (h, value) in (0..).zip(spectrum.iter_mut()) {
                let turn = (f64::from(h) * f64::from(h) * GOLDEN).fract();
                let amplitude =
                    if (1..=count).contains(&h) { HARMONIC_AMPLITUDE / 2.0 } else { 0.0 };
                (value.re, value.im) =
                    (amplitude * (2.0 * PI * turn).cos(), amplitude * (2.0 * PI * turn).sin());
            }
            // The buffers come from the plan, so their lengths fit and the transform cannot fail.
            let _ = inverse.process(&mut spectrum, &mut wave);
            let first = waves.len();
            waves.extend(wave.iter().map(|&v| v as f32));
            waves.push(wave.first().map_or(0.0, |&v| v as f32));
            let wave = waves.get(first..).unwrap_or_default();
            let step = Self::turns_per_sample(key);
            tone.iter_mut()
                .enumerate()
                .for_each(|(n, t)| *t = Self::read(wave, n as f64 * step) as f32);
            front_end.frame_into(&tone, profile);
            profile.iter_mut().for_each(|p| *p = p.exp());
        }
        Self { waves, profiles, noise_log_level: noise_log_level(), filters: band_filters() }
    }

    /// Periods of a key's tone in one sample: equal temperament, A4 = 440 Hz.
    pub fn turns_per_sample(key: u8) -> f64 {
        440.0 * ((f64::from(key) - 69.0) / 12.0).exp2() / f64::from(SAMPLE_RATE_HZ)
    }

    /// A wave [TABLE + 1] at a phase counted in turns (0 and up), linearly interpolated.
    pub fn read(wave: &[f32], turns: f64) -> f64 {
        let place = turns.fract() * TABLE as f64;
        let i = place as usize;
        match wave.get(i..i + 2) {
            Some(&[a, b]) => f64::from(a) + (place - i as f64) * (f64::from(b) - f64::from(a)),
            _ => 0.0,
        }
    }

    /// Wavetable and mel profile of a key 0..=127.
    pub fn key(&self, key: u8) -> Option<(&[f32], &[f32])> {
        let key = usize::from(key);
        let wave = self.waves.get(key * (TABLE + 1)..(key + 1) * (TABLE + 1))?;
        Some((wave, self.profiles.get(key * MEL_BINS..(key + 1) * MEL_BINS)?))
    }
}

impl Default for Tables {
    fn default() -> Self {
        Self::new()
    }
}

/// [128]: the mean magnitude of a bin of white noise (Rayleigh: sqrt(pi/4 * window power), 3/8 of the frame for a
/// Hann window), summed over each band, as ln.
fn noise_log_level() -> Vec<f32> {
    let bin = (PI / 4.0 * 0.375 * FRAME_SAMPLES as f64).sqrt();
    let mut sums = vec![0.0f64; MEL_BINS];
    for row in mel_matrix().chunks_exact(MEL_BINS) {
        sums.iter_mut().zip(row).for_each(|(s, w)| *s += f64::from(*w));
    }
    sums.into_iter().map(|sum| (bin * sum + 1e-5).ln() as f32).collect()
}

/// [128, 2, BINS]: bands interpolated to bins linearly in HTK mel; the phase is the Hilbert transform of the log magnitude,
/// through the folded cepstrum (minimum phase; Oppenheim & Schafer, Discrete-Time Signal Processing, ch. 13).
fn band_filters() -> Vec<f32> {
    let to_mel = |hz: f64| 1127.0 * (hz / 700.0).ln_1p();
    let top = to_mel(f64::from(SAMPLE_RATE_HZ) / 2.0);
    let spacing = top / (MEL_BINS + 1) as f64;
    let mut planner = RealFftPlanner::<f64>::new();
    let (forward, inverse) = (planner.plan_fft_forward(FFT), planner.plan_fft_inverse(FFT));
    let mut out = Vec::with_capacity(MEL_BINS * 2 * BINS);
    let (mut spectrum, mut cepstrum) = (forward.make_output_vec(), inverse.make_output_vec());
    for band in 0..MEL_BINS {
        for (bin, value) in spectrum.iter_mut().enumerate() {
            let place = to_mel(bin as f64 * f64::from(SAMPLE_RATE_HZ) / FFT as f64) / spacing - 1.0;
            let place = place.clamp(0.0, (MEL_BINS - 1) as f64);
            value.re = (1.0 - (place - band as f64).abs()).max(0.0);
            value.im = 0.0;
        }
        // The buffers come from the plans, so their lengths fit and the transforms cannot fail.
        let _ = inverse.process(&mut spectrum, &mut cepstrum);
        for (n, value) in cepstrum.iter_mut().enumerate() {
            let fold = match n {
                0 => 1.0,
                n if n < FFT / 2 => 2.0,
                n if n == FFT / 2 => 1.0,
                _ => 0.0,
            };
            *value *= fold / FFT as f64;
        }
        let _ = forward.process(&mut cepstrum, &mut spectrum);
        out.extend(spectrum.iter().map(|v| v.re as f32));
        out.extend(spectrum.iter().map(|v| v.im as f32));
    }
    out
}
