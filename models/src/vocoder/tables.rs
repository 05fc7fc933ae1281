//! The tables of the vocoder: wavetables, their mel as the front end measures it, and the filters
//! of bands. It knows no stream.
//!
//! In a signal at 16 kHz, the band from 8 to 16 kHz, called the upper band, is mirrored: the
//! frequency f appears at 16 kHz minus f. So an upper tone only needs its partials in its
//! wavetable. Read at 16 kHz, they appear at these places by themselves.

use super::bands::BandFilters;
use super::drums::{DRUM_TONES, DrumTone};
use super::lanes::{Row, read};
use super::life::UPPER;
use super::polar::ROUND_64 as ROUND;
use super::tone::{PARTIALS, Sound, SteadyTone, tone_key};
use super::waves::Waves;
use crate::mel::{FFT_SIZE, MelFrontEnd, mel_matrix};
use crate::notes::Voice;
use crate::units::{FRAME_SAMPLES, MEL_BINS, SAMPLE_RATE_HZ};
use realfft::num_complex::Complex;
use std::collections::BTreeMap;
use std::f64::consts::PI;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// The samples in one period of the cosine. One more repeats the first, for interpolation.
const TABLE: usize = 4096;
/// The amplitude of every harmonic of a full-level tone.
pub const HARMONIC_AMPLITUDE: f64 = 0.05;
/// The frequencies of the partials of a tone.
pub const LOWER_HZ: RangeInclusive<f64> = 0.0..=7600.0;
/// The frequencies of the partials of an upper tone.
pub const UPPER_HZ: RangeInclusive<f64> = 8400.0..=15600.0;
/// Partial h (from 1) starts at the phase h² times this, in cycles, so that phases are spread out
/// and the same on every machine.
const GOLDEN: f64 = 0.618_033_988_749_894_9;

/// All tables that depend on no note and no model. They are computed once and shared.
#[derive(Debug)]
pub struct Tables {
    waves: Waves,
    /// The mel magnitude of the steady full-level tone, [128 keys, 128 bands].
    profiles: Vec<f32>,
    /// One period of a cosine, with a sine as the imaginary part, [TABLE + 1].
    cosine: Vec<Complex<f32>>,
    inharmonic: BTreeMap<Owner, Inharmonic>,
    /// The centre of each band in octaves above 1 Hz, [128 bands].
    pub octaves: Vec<f32>,
    /// The natural logarithm of the expected mel magnitude of white noise of variance 1, [128
    /// bands].
    pub noise_log_level: Vec<f32>,
    /// The filters for the gains of the mel bands.
    pub bands: Arc<BandFilters>,
    /// The filters for the gains of the upper bands.
    pub upper_bands: Arc<BandFilters>,
}

/// A program or drum whose partials are not harmonic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Program(u8),
    Drum { kit: u8, key: u8 },
}

/// The partials of a program or drum that are not harmonic.
#[derive(Debug)]
struct Inharmonic {
    /// For each key: the frequency in cycles per sample and the starting phase in cycles of each
    /// partial, from low to high. A drum has one key.
    partials: Vec<Vec<(f64, f64)>>,
    /// The mel magnitude of the steady full-level tone, [keys, 128 bands].
    profiles: Vec<f32>,
}

impl Inharmonic {
    /// `steps` are the frequencies of each key in cycles per sample.
    fn new(steps: Vec<Vec<f64>>, cosine: &[Complex<f32>]) -> Self {
        let started = |steps: Vec<f64>| steps.into_iter().zip((1..).map(start_turn)).collect();
        let partials: Vec<Vec<_>> = steps.into_iter().map(started).collect();
        let mut own = Self { partials, profiles: vec![] };
        own.profiles = profiles(own.partials.len(), |key, n| {
            partials_at(cosine, own.partials(key, LOWER_HZ), n).re
        });
        own
    }

    fn of_program((program, by): &(u8, &[f64]), cosine: &[Complex<f32>]) -> (Owner, Self) {
        let of_key = |key| by.iter().map(|by| by * Tables::turns_per_sample(key)).collect();
        (Owner::Program(*program), Self::new((0..128).map(of_key).collect(), cosine))
    }

    fn of_drum(tone: &DrumTone, cosine: &[Complex<f32>]) -> (Owner, Self) {
        let steps = tone.partials_hz.iter().map(|hz| hz / f64::from(SAMPLE_RATE_HZ)).collect();
        (Owner::Drum { kit: tone.kit, key: tone.key }, Self::new(vec![steps], cosine))
    }

    /// The partials of a key in a frequency range.
    fn partials(&self, key: usize, hz: RangeInclusive<f64>) -> &[(f64, f64)] {
        let partials = self.partials.get(key).map(Vec::as_slice).unwrap_or_default();
        let rate = f64::from(SAMPLE_RATE_HZ);
        let first = partials.partition_point(|(step, _)| step * rate < *hz.start());
        let end = partials.partition_point(|(step, _)| step * rate <= *hz.end());
        partials.get(first..end).unwrap_or_default()
    }
}

impl Tables {
    /// Computes all tables, which takes some tens of milliseconds.
    pub fn new() -> Self {
        let waves = Waves::new();
        let cosine = |i| Complex::cis(2.0 * PI * f64::from(i) / TABLE as f64);
        let cosine: Vec<_> = (0..=TABLE as u32).map(|i| single(cosine(i))).collect();
        let programs = PARTIALS.iter().map(|own| Inharmonic::of_program(own, &cosine));
        let drums = DRUM_TONES.iter().map(|own| Inharmonic::of_drum(own, &cosine));
        let harmonics = |key: usize, n: f64| {
            let mut row = [Row::default()];
            let turns = [n * Self::turns_per_sample(key as u8)];
            read(pulp::Scalar, waves.of(key as u8), &turns, &mut row);
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

    /// The frequency of a key in cycles per sample: equal temperament, A4 = 440 Hz.
    pub fn turns_per_sample(key: u8) -> f64 {
        440.0 * ((f64::from(key) - 69.0) / 12.0).exp2() / f64::from(SAMPLE_RATE_HZ)
    }

    /// The frequency of a key in octaves above 1 Hz.
    pub fn octave_of(&self, key: u8) -> f32 {
        (Self::turns_per_sample(key) * f64::from(SAMPLE_RATE_HZ)).log2() as f32
    }

    /// The profile [128 bands] of a bent key, whose power is interpolated between those of two
    /// keys.
    pub fn bent_profile(&self, key: u8, semitones: f32) -> [f32; MEL_BINS] {
        let (lower, share) = bent_key(key, semitones);
        let rows = [self.profile(lower), self.profile(lower.saturating_add(1).min(127))];
        let mut bent = [0.0; MEL_BINS];
        for (to, (a, b)) in bent.iter_mut().zip(rows[0].iter().zip(rows[1])) {
            *to = (a * a + share * (b * b - a * a)).sqrt();
        }
        bent
    }

    /// Moves the values of the 128 bands up by some semitones, like the spectrum of a recording
    /// that is played faster.
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

    /// One period of the tone of a key, \[samples + 1\]: the last row repeats the first.
    pub fn period(&self, key: u8) -> &[Row] {
        self.waves.of(key)
    }

    /// The sum of partials (cycles per sample, phase in cycles) `n` samples after the key press.
    pub fn partials(&self, partials: &[(f64, f64)], n: f64) -> Complex<f64> {
        partials_at(&self.cosine, partials, n)
    }

    /// The tone of a voice; most drums have none.
    pub fn steady(&self, voice: Voice) -> Option<SteadyTone<'_>> {
        let (owner, key) = match voice.is_drum {
            true => (Owner::Drum { kit: voice.program, key: voice.key }, 0),
            false => (Owner::Program(voice.program), usize::from(voice.key)),
        };
        if let Some(own) = self.inharmonic.get(&owner) {
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

    /// The mel magnitude [128 bands] of the steady harmonic tone of a key 0..=127.
    pub fn profile(&self, key: u8) -> &[f32] {
        row(&self.profiles, usize::from(key), MEL_BINS)
    }
}

/// The number of phases whose places are computed at once.
pub const PLACES: usize = 8;

/// The places of phases in cycles in a period of `length` samples: the sample before each, and the
/// distance to that sample, 0..=1.
#[inline(always)]
pub fn places_of(turns: &[f64; PLACES], length: usize) -> ([u32; PLACES], [f32; PLACES]) {
    let (mut firsts, mut shares) = ([0; PLACES], [0.0; PLACES]);
    for n in 0..PLACES {
        (firsts[n], shares[n]) = place_of(turns[n], length);
    }
    (firsts, shares)
}

/// The place of one phase. It has no branch, and calls no function, so that several are computed
/// side by side.
#[inline(always)]
fn place_of(turns: f64, length: usize) -> (u32, f32) {
    let last = length.saturating_sub(1) as u32;
    // Casts check their range, and `floor` is a function call on many machines.
    let share = turns - ((turns + ROUND) - ROUND);
    let place = if share < 0.0 { share + 1.0 } else { share } * f64::from(last + 1);
    let rounded = place + ROUND;
    let nearest = rounded - ROUND;
    let is_below = place < nearest;
    // The lowest bits of a number of this size are the whole number.
    let first = rounded.to_bits() as u32 - u32::from(is_below);
    let first_place = if is_below { nearest - 1.0 } else { nearest };
    let is_beyond = first > last;
    let first_place = if is_beyond { f64::from(last) } else { first_place };
    (if is_beyond { last } else { first }, (place - first_place) as f32)
}

/// Reads the period of a cosine [TABLE + 1] at a phase in cycles, with linear interpolation.
#[inline]
fn cis(cosine: &[Complex<f32>], turns: f64) -> Complex<f32> {
    let (i, share) = place_of(turns, TABLE);
    let i = i as usize;
    match cosine.get(i..i + 2) {
        Some(&[a, b]) => a + (b - a) * share,
        _ => Complex::ZERO,
    }
}

/// The sum of partials (cycles per sample, phase in cycles) `n` samples after the key press.
fn partials_at(cosine: &[Complex<f32>], partials: &[(f64, f64)], n: f64) -> Complex<f64> {
    let partial = |(step, phase): &(f64, f64)| {
        let found = cis(cosine, n * step + phase);
        Complex::new(f64::from(found.re), f64::from(found.im))
    };
    partials.iter().map(partial).sum::<Complex<f64>>() * HARMONIC_AMPLITUDE
}

/// One row of a table [keys, width].
fn row<T>(table: &[T], key: usize, width: usize) -> &[T] {
    let first = key * width;
    table.get(first..first + width).unwrap_or_default()
}

/// The number in single precision.
pub fn single(value: Complex<f64>) -> Complex<f32> {
    Complex::new(value.re as f32, value.im as f32)
}

/// The key below a bent key, and the distance from there to the bent key, 0..1.
pub fn bent_key(key: u8, semitones: f32) -> (u8, f32) {
    let place = (f32::from(key) + semitones).clamp(0.0, 127.0);
    (place as u8, place.fract())
}

/// The starting phase in cycles of the `i`-th partial (from 1).
pub fn start_turn(i: u32) -> f64 {
    (f64::from(i) * f64::from(i) * GOLDEN).fract()
}

/// The mel magnitudes of the tone of every key, as the front end measures them, [keys, 128 bands].
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

/// The centre of each band by its weights, in octaves above 1 Hz, [128].
fn octaves() -> Vec<f32> {
    let (mut sums, mut weights) = (vec![0.0f64; MEL_BINS], vec![0.0f64; MEL_BINS]);
    let hz = f64::from(SAMPLE_RATE_HZ) / FFT_SIZE as f64;
    for (bin, row) in mel_matrix().chunks_exact(MEL_BINS).enumerate() {
        for ((sum, weight), w) in sums.iter_mut().zip(&mut weights).zip(row) {
            *sum += f64::from(*w) * bin as f64 * hz;
            *weight += f64::from(*w);
        }
    }
    // A band between two bins has no weights. It gets the centre of the band below it.
    let mut last = 20.0f64;
    let middles = sums.iter().zip(&weights).map(|(sum, weight)| {
        last = if *weight > 0.0 { sum / weight } else { last };
        last.log2() as f32
    });
    middles.collect()
}

/// The natural logarithm of the mean mel magnitude of white noise, [128]. The mean magnitude of a
/// bin (Rayleigh: sqrt(pi/4 * window power), where the power of a Hann window is 3/8 of the frame)
/// is summed over each band.
fn noise_log_level() -> Vec<f32> {
    let bin = (PI / 4.0 * 0.375 * FRAME_SAMPLES as f64).sqrt();
    let mut sums = vec![0.0f64; MEL_BINS];
    for row in mel_matrix().chunks_exact(MEL_BINS) {
        sums.iter_mut().zip(row).for_each(|(s, w)| *s += f64::from(*w));
    }
    sums.into_iter().map(|sum| (bin * sum + 1e-5).ln() as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_has_a_place_in_its_period() {
        for length in [16, 4096] {
            for turns in [0.0, 0.1, 0.5, 0.75, 0.999_999, 1.0, 17.3, 1e6 + 0.4, -0.25, -3.0] {
                let (i, share) = place_of(turns, length);
                let whole = turns.rem_euclid(1.0) * length as f64;
                let apart = i as f64 + f64::from(share) - whole;
                let i = i as usize;
                assert!(i < length && (0.0..=1.0).contains(&share), "{turns}: {i} {share}");
                // The end of a period is the beginning of the next.
                let apart = apart - length as f64 * (apart / length as f64).round();
                assert!(apart.abs() < 1e-5, "{turns} of {length}: {i} {share}");
            }
        }
    }
}
