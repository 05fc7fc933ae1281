//! Tables the vocoder is made of: wavetables, what the front end measures of them, filters of
//! bands. Knows no stream.
//!
//! A signal at 16 kHz of what lies between 8 and 16 kHz, the upper band, is upside down: what lies
//! at f is found at 16 kHz less f. So an upper tone needs no more than its partials in its table:
//! read at 16 kHz they come to lie there by themselves.

use super::bands::BandFilters;
use super::lanes::{Row, read};
use super::life::UPPER;
use super::tone::{DRUM_TONES, PARTIALS, Sound, SteadyTone, tone_key};
use super::waves::Waves;
use crate::mel::{FFT_SIZE, MelFrontEnd, mel_matrix};
use crate::notes::Voice;
use crate::units::{FRAME_SAMPLES, MEL_BINS, SAMPLE_RATE_HZ};
use realfft::num_complex::Complex;
use std::f64::consts::PI;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Samples of one period of the cosine; one more repeats the first, for interpolation.
const TABLE: usize = 4096;
/// Amplitude of every harmonic of a full-level tone.
pub const HARMONIC_AMPLITUDE: f64 = 0.05;
/// Where the partials of a tone lie.
pub const LOWER_HZ: RangeInclusive<f64> = 0.0..=7600.0;
/// Where those of an upper tone lie.
pub const UPPER_HZ: RangeInclusive<f64> = 8400.0..=15600.0;
/// Partial h, from 1, starts at phase h² times this (of a turn): spread out, the same on every
/// machine.
const GOLDEN: f64 = 0.618_033_988_749_894_9;

/// Everything that depends on no note and no model; made once, shared.
#[derive(Debug)]
pub struct Tables {
    waves: Waves,
    /// [128 keys, 128 bands]: mel magnitude of the steady full-level tone.
    profiles: Vec<f32>,
    /// [TABLE + 1]: one period of a cosine, the imaginary part a sine.
    cosine: Vec<Complex<f32>>,
    inharmonic: Vec<Inharmonic>,
    /// [128 bands]: octaves above 1 Hz of the middle of each band.
    pub octaves: Vec<f32>,
    /// [128 bands]: ln of the expected mel magnitude of white noise of variance 1.
    pub noise_log_level: Vec<f32>,
    /// Filters by the gains of the mel's bands.
    pub bands: Arc<BandFilters>,
    /// Filters by the gains of the upper band's.
    pub upper_bands: Arc<BandFilters>,
}

/// What has partials that are no harmonics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Program(u8),
    Drum(u8),
}

/// The partials of such a one.
#[derive(Debug)]
struct Inharmonic {
    owner: Owner,
    /// [keys]: frequency in turns a sample and starting phase in turns, from low to high; a drum
    /// has one key.
    partials: Vec<Vec<(f64, f64)>>,
    /// [keys, 128 bands]: mel magnitude of the steady full-level tone.
    profiles: Vec<f32>,
}

impl Inharmonic {
    /// Of frequencies in turns a sample, key by key.
    fn new(owner: Owner, steps: Vec<Vec<f64>>, cosine: &[Complex<f32>]) -> Self {
        let started = |steps: Vec<f64>| steps.into_iter().zip((1..).map(start_turn)).collect();
        let partials: Vec<Vec<_>> = steps.into_iter().map(started).collect();
        let mut own = Self { owner, partials, profiles: vec![] };
        own.profiles = profiles(own.partials.len(), |key, n| {
            partials_at(cosine, own.partials(key, LOWER_HZ), n).re
        });
        own
    }

    fn of_program((program, by): &(u8, &[f64]), cosine: &[Complex<f32>]) -> Self {
        let of_key = |key| by.iter().map(|by| by * Tables::turns_per_sample(key)).collect();
        Self::new(Owner::Program(*program), (0..128).map(of_key).collect(), cosine)
    }

    fn of_drum((key, _, hz): &(u8, f64, &[f64]), cosine: &[Complex<f32>]) -> Self {
        let steps = hz.iter().map(|hz| hz / f64::from(SAMPLE_RATE_HZ)).collect();
        Self::new(Owner::Drum(*key), vec![steps], cosine)
    }

    /// The partials of a key in a range.
    fn partials(&self, key: usize, hz: RangeInclusive<f64>) -> &[(f64, f64)] {
        let partials = self.partials.get(key).map(Vec::as_slice).unwrap_or_default();
        let rate = f64::from(SAMPLE_RATE_HZ);
        let first = partials.partition_point(|(step, _)| step * rate < *hz.start());
        let end = partials.partition_point(|(step, _)| step * rate <= *hz.end());
        partials.get(first..end).unwrap_or_default()
    }
}

impl Tables {
    /// Computes all tables (some tens of milliseconds).
    pub fn new() -> Self {
        let waves = Waves::new();
        let cosine = |i| Complex::cis(2.0 * PI * f64::from(i) / TABLE as f64);
        let cosine: Vec<_> = (0..=TABLE as u32).map(|i| single(cosine(i))).collect();
        let programs = PARTIALS.iter().map(|own| Inharmonic::of_program(own, &cosine));
        let drums = DRUM_TONES.iter().map(|own| Inharmonic::of_drum(own, &cosine));
        let harmonics = |key: usize, n: f64| {
            let mut row = [Row::default()];
            read(waves.of(key as u8), &[n * Self::turns_per_sample(key as u8)], 1.0, &mut row);
            row[0].re.iter().take(UPPER).map(|re| f64::from(*re)).sum()
        };
        Self {
            profiles: profiles(128, harmonics),
            inharmonic: programs.chain(drums).collect(),
            waves,
            cosine,
            octaves: octaves(),
            noise_log_level: noise_log_level(),
            bands: Arc::new(BandFilters::lower()),
            upper_bands: Arc::new(BandFilters::upper()),
        }
    }

    /// Periods of a key's tone in one sample: equal temperament, A4 = 440 Hz.
    pub fn turns_per_sample(key: u8) -> f64 {
        440.0 * ((f64::from(key) - 69.0) / 12.0).exp2() / f64::from(SAMPLE_RATE_HZ)
    }

    /// Octaves above 1 Hz of a key's pitch.
    pub fn octave_of(&self, key: u8) -> f32 {
        (Self::turns_per_sample(key) * f64::from(SAMPLE_RATE_HZ)).log2() as f32
    }

    /// The profile [128 bands] of a key that is bent: it lies evenly between those of two keys.
    pub fn bent_profile(&self, key: u8, semitones: f32) -> [f32; MEL_BINS] {
        let (lower, share) = bent_key(key, semitones);
        let rows = [self.profile(lower), self.profile(lower.saturating_add(1).min(127))];
        let mut bent = [0.0; MEL_BINS];
        for (to, (a, b)) in bent.iter_mut().zip(rows[0].iter().zip(rows[1])) {
            *to = (a * a + share * (b * b - a * a)).sqrt();
        }
        bent
    }

    /// Values of the 128 bands moved up by so many semitones, as the spectrum of a recording is
    /// that is played faster: what was said of a partial is said of it where it is now.
    pub fn moved(&self, values: &[f32], semitones: f32) -> [f32; MEL_BINS] {
        let mut moved = [0.0; MEL_BINS];
        let mut below = 0;
        for (to, octave) in moved.iter_mut().zip(&self.octaves) {
            let from = octave - semitones / 12.0;
            while self.octaves.get(below + 1).is_some_and(|next| *next <= from) {
                below += 1;
            }
            let above = (below + 1).min(MEL_BINS - 1);
            let places = [below, above].map(|at| self.octaves.get(at).copied().unwrap_or(0.0));
            let [a, b] = [below, above].map(|at| values.get(at).copied().unwrap_or(0.0));
            let apart = places[1] - places[0];
            let share = if apart > 0.0 { (from - places[0]) / apart } else { 0.0 };
            *to = a + share.clamp(0.0, 1.0) * (b - a);
        }
        moved
    }

    /// One period of a key's tone, as [`Waves::of`].
    pub fn period(&self, key: u8) -> &[Row] {
        self.waves.of(key)
    }

    /// The cosine of a phase counted in turns, and its sine.
    #[inline]
    pub fn cis(&self, turns: f64) -> Complex<f32> {
        cis(&self.cosine, turns)
    }

    /// The sum of partials (turns a sample, phase in turns) `n` samples after the key press.
    pub fn partials(&self, partials: &[(f64, f64)], n: f64) -> Complex<f64> {
        partials_at(&self.cosine, partials, n)
    }

    /// The tone that a voice has; most drums have none.
    pub fn steady(&self, voice: Voice) -> Option<SteadyTone<'_>> {
        let (owner, key) = match voice.is_drum {
            true => (Owner::Drum(voice.key), 0),
            false => (Owner::Program(voice.program), usize::from(voice.key)),
        };
        if let Some(own) = self.inharmonic.iter().find(|own| own.owner == owner) {
            let profile = row(&own.profiles, key, MEL_BINS);
            let sound = Sound::Partials([LOWER_HZ, UPPER_HZ].map(|hz| own.partials(key, hz)));
            return Some(SteadyTone { sound, profile });
        }
        if voice.is_drum {
            return None;
        }
        let key = tone_key(voice.program, voice.key);
        Some(SteadyTone { sound: Sound::Harmonics, profile: self.profile(key) })
    }

    /// Mel magnitude [128 bands] of the steady tone of harmonics of a key 0..=127.
    pub fn profile(&self, key: u8) -> &[f32] {
        row(&self.profiles, usize::from(key), MEL_BINS)
    }
}

/// Where a phase counted in turns is found in a period of so many samples: the value before it, and
/// how far it is from that to the next.
#[inline]
pub fn place_of(turns: f64, length: usize) -> (usize, f32) {
    // Rounded towards zero, which takes one instruction; `floor` is a call on many machines.
    let share = turns - (turns as i64) as f64;
    let place = if share < 0.0 { share + 1.0 } else { share } * length as f64;
    let i = (place as usize).min(length.saturating_sub(1));
    (i, (place - i as f64) as f32)
}

/// The period of a cosine [TABLE + 1] at a phase counted in turns, linearly interpolated.
#[inline]
fn cis(cosine: &[Complex<f32>], turns: f64) -> Complex<f32> {
    let (i, share) = place_of(turns, TABLE);
    match cosine.get(i..i + 2) {
        Some(&[a, b]) => a + (b - a) * share,
        _ => Complex::ZERO,
    }
}

/// The sum of partials (turns a sample, phase in turns) `n` samples after the key press.
fn partials_at(cosine: &[Complex<f32>], partials: &[(f64, f64)], n: f64) -> Complex<f64> {
    let partial = |(step, phase): &(f64, f64)| {
        let found = cis(cosine, n * step + phase);
        Complex::new(f64::from(found.re), f64::from(found.im))
    };
    partials.iter().map(partial).sum::<Complex<f64>>() * HARMONIC_AMPLITUDE
}

/// A row of a table [keys, width].
fn row<T>(table: &[T], key: usize, width: usize) -> &[T] {
    let first = key * width;
    table.get(first..first + width).unwrap_or_default()
}

/// In single precision.
pub fn single(value: Complex<f64>) -> Complex<f32> {
    Complex::new(value.re as f32, value.im as f32)
}

/// The key below a key that is bent by so many semitones, and how far it is from that to the next.
pub fn bent_key(key: u8, semitones: f32) -> (u8, f32) {
    let place = (f32::from(key) + semitones).clamp(0.0, 127.0);
    (place as u8, place.fract())
}

/// The phase, in turns, at which the `i`-th partial, from 1, begins.
pub fn start_turn(i: u32) -> f64 {
    (f64::from(i) * f64::from(i) * GOLDEN).fract()
}

/// What the front end measures of every key's tone: [keys, 128 bands] magnitudes.
fn profiles(keys: usize, sound: impl Fn(usize, f64) -> f64) -> Vec<f32> {
    let mut front_end = MelFrontEnd::new();
    let (mut frame, mut profiles) = (vec![0.0; FRAME_SAMPLES], vec![0.0; keys * MEL_BINS]);
    for (key, profile) in (0..).zip(profiles.chunks_exact_mut(MEL_BINS)) {
        (0..).zip(&mut frame).for_each(|(n, sample)| *sample = sound(key, f64::from(n)) as f32);
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

/// [128]: octaves above 1 Hz of the middle of each band, by its weights.
fn octaves() -> Vec<f32> {
    let (mut sums, mut weights) = (vec![0.0f64; MEL_BINS], vec![0.0f64; MEL_BINS]);
    let hz = f64::from(SAMPLE_RATE_HZ) / FFT_SIZE as f64;
    for (bin, row) in mel_matrix().chunks_exact(MEL_BINS).enumerate() {
        for ((sum, weight), w) in sums.iter_mut().zip(&mut weights).zip(row) {
            *sum += f64::from(*w) * bin as f64 * hz;
            *weight += f64::from(*w);
        }
    }
    // A band between two bins hears none of them: it lies where its neighbour below does.
    let mut last = 20.0f64;
    let middles = sums.iter().zip(&weights).map(|(sum, weight)| {
        last = if *weight > 0.0 { sum / weight } else { last };
        last.log2() as f32
    });
    middles.collect()
}

/// [128]: the mean magnitude of a bin of white noise (Rayleigh: sqrt(pi/4 * window power), 3/8 of
/// the frame for a Hann window), summed over each band, as ln.
fn noise_log_level() -> Vec<f32> {
    let bin = (PI / 4.0 * 0.375 * FRAME_SAMPLES as f64).sqrt();
    let mut sums = vec![0.0f64; MEL_BINS];
    for row in mel_matrix().chunks_exact(MEL_BINS) {
        sums.iter_mut().zip(row).for_each(|(s, w)| *s += f64::from(*w));
    }
    sums.into_iter().map(|sum| (bin * sum + 1e-5).ln() as f32).collect()
}
