//! Tables the vocoder is made of: wavetables, what the front end measures of them, filters of bands. Knows no stream.

use super::tone::{PARTIALS, Sound, SteadyTone, tone_key};
use crate::mel::{MelFrontEnd, mel_matrix};
use crate::units::{FRAME_SAMPLES, MEL_BINS, SAMPLE_RATE_HZ};
use realfft::RealFftPlanner;
use realfft::num_complex::Complex;
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
/// Partial h, from 1, starts at phase h² times this (of a turn): spread out, the same on every machine.
const GOLDEN: f64 = 0.618_033_988_749_894_9;

/// Everything that depends on no note and no model; made once, shared.
#[derive(Debug)]
pub struct Tables {
    /// [128 keys, TABLE + 1]; the imaginary part is a quarter turn behind the real one, so that a tone's phase can be turned.
    waves: Vec<Complex<f32>>,
    /// [128 keys, 128 bands]: mel magnitude of the steady full-level tone.
    profiles: Vec<f32>,
    /// [TABLE + 1]: one period of a cosine, the imaginary part a sine.
    cosine: Vec<Complex<f32>>,
    inharmonic: Vec<Inharmonic>,
    /// [128 bands]: ln of the expected mel magnitude of white noise of variance 1.
    pub noise_log_level: Vec<f32>,
    /// [128 bands, 2, BINS]: log gains of bands -> log magnitude and minimum phase of bins.
    pub filters: Vec<f32>,
}

/// An instrument whose partials are no harmonics.
#[derive(Debug)]
struct Inharmonic {
    program: u8,
    /// Multiple of the key's frequency and starting phase in turns, from low to high.
    partials: Vec<(f64, f64)>,
    /// [128 keys, 128 bands]: mel magnitude of the steady full-level tone.
    profiles: Vec<f32>,
}

impl Inharmonic {
    fn new(program: u8, multiples: &[f64], cosine: &[Complex<f32>]) -> Self {
        let partials = multiples.iter().zip(1..).map(|(by, i)| (*by, start_turn(i))).collect();
        let mut own = Self { program, partials, profiles: vec![] };
        own.profiles = profiles(|key| own.sound(key, cosine));
        own
    }

    /// The sound of a key, without the partials that are too high.
    fn sound<'a>(&'a self, key: u8, cosine: &'a [Complex<f32>]) -> Sound<'a> {
        let highest = HIGHEST_HZ / f64::from(SAMPLE_RATE_HZ) / Tables::turns_per_sample(key);
        let count = self.partials.partition_point(|(by, _)| *by <= highest);
        Sound::partials(key, cosine, self.partials.get(..count).unwrap_or_default())
    }
}

impl Tables {
    /// Computes all tables (some tens of milliseconds).
    pub fn new() -> Self {
        let mut waves = Vec::with_capacity(128 * (TABLE + 1));
        let inverse = RealFftPlanner::<f64>::new().plan_fft_inverse(TABLE);
        let (mut spectrum, mut wave) = (inverse.make_input_vec(), inverse.make_output_vec());
        for key in 0..128 {
            let highest = HIGHEST_HZ / f64::from(SAMPLE_RATE_HZ);
            let count = (highest / Self::turns_per_sample(key)) as u32;
            let mut period = |ahead: f64| {
                for (h, value) in (0..).zip(spectrum.iter_mut()) {
                    let amplitude =
                        if (1..=count).contains(&h) { HARMONIC_AMPLITUDE / 2.0 } else { 0.0 };
                    *value = Complex::from_polar(amplitude, 2.0 * PI * (start_turn(h) + ahead));
                }
                // The buffers come from the plan, so their lengths fit and the transform cannot fail.
                let _ = inverse.process(&mut spectrum, &mut wave);
                wave.clone()
            };
            let (tone, behind) = (period(0.0), period(-0.25));
            let wave = tone.iter().zip(&behind).map(|(&re, &im)| single(Complex::new(re, im)));
            waves.extend(wave.clone().chain(wave.take(1)));
        }
        let cosine = |i| Complex::cis(2.0 * PI * f64::from(i) / TABLE as f64);
        let cosine: Vec<_> = (0..=TABLE as u32).map(|i| single(cosine(i))).collect();
        let inharmonic = |(program, by): &(u8, &[f64])| Inharmonic::new(*program, by, &cosine);
        Self {
            profiles: profiles(|key| Sound::harmonics(key, row(&waves, key, TABLE + 1))),
            inharmonic: PARTIALS.iter().map(inharmonic).collect(),
            waves,
            cosine,
            noise_log_level: noise_log_level(),
            filters: band_filters(),
        }
    }

    /// Periods of a key's tone in one sample: equal temperament, A4 = 440 Hz.
    pub fn turns_per_sample(key: u8) -> f64 {
        440.0 * ((f64::from(key) - 69.0) / 12.0).exp2() / f64::from(SAMPLE_RATE_HZ)
    }

    /// A wave [TABLE + 1] at a phase counted in turns (0 and up), linearly interpolated.
    #[inline]
    pub fn read(wave: &[Complex<f32>], turns: f64) -> Complex<f64> {
        let place = turns.fract() * TABLE as f64;
        let i = place as usize;
        match wave.get(i..i + 2) {
            Some(&[a, b]) => {
                let share = place - i as f64;
                let between = |a: f32, b: f32| f64::from(a) + share * (f64::from(b) - f64::from(a));
                Complex::new(between(a.re, b.re), between(a.im, b.im))
            }
            _ => Complex::ZERO,
        }
    }

    /// The tone that a key 0..=127 of a program has.
    pub fn steady(&self, program: u8, key: u8) -> SteadyTone<'_> {
        if let Some(own) = self.inharmonic.iter().find(|own| own.program == program) {
            let profile = row(&own.profiles, key, MEL_BINS);
            return SteadyTone { sound: own.sound(key, &self.cosine), profile };
        }
        let key = tone_key(program, key);
        let sound = Sound::harmonics(key, row(&self.waves, key, TABLE + 1));
        SteadyTone { sound, profile: self.profile(key) }
    }

    /// Mel magnitude [128 bands] of the steady tone of harmonics of a key 0..=127.
    pub fn profile(&self, key: u8) -> &[f32] {
        row(&self.profiles, key, MEL_BINS)
    }
}

/// A row of a table [128 keys, width].
fn row<T>(table: &[T], key: u8, width: usize) -> &[T] {
    let first = usize::from(key) * width;
    table.get(first..first + width).unwrap_or_default()
}

/// In single precision.
pub fn single(value: Complex<f64>) -> Complex<f32> {
    Complex::new(value.re as f32, value.im as f32)
}

/// The phase, in turns, at which the `i`-th partial, from 1, begins.
fn start_turn(i: u32) -> f64 {
    (f64::from(i) * f64::from(i) * GOLDEN).fract()
}

/// What the front end measures of every key's tone: [128 keys, 128 bands] magnitudes.
fn profiles<'a>(sound: impl Fn(u8) -> Sound<'a>) -> Vec<f32> {
    let mut front_end = MelFrontEnd::new();
    let (mut frame, mut profiles) = (vec![0.0; FRAME_SAMPLES], vec![0.0; 128 * MEL_BINS]);
    for (key, profile) in (0..).zip(profiles.chunks_exact_mut(MEL_BINS)) {
        let sound = sound(key);
        (0..).zip(&mut frame).for_each(|(n, sample)| *sample = sound.at(n).re as f32);
        front_end.frame_into(&frame, profile);
        profile.iter_mut().for_each(|p| *p = p.exp());
    }
    profiles
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
