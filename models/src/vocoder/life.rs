//! The life of a held note: how vibrato, beating strings and ensembles change the partials of every
//! key over time, in the middle, (L + R) / 2, and at the side, (L - R) / 2. It knows no stream.
//!
//! A key lives in the same way each time it sounds, like the recording that the model was trained
//! on. Keys that share a recording share a zone. Time in a zone runs as fast as the recording is
//! played, which is faster for a key above the zone's own key. Partials are grouped by their
//! number, and all partials of a group have the same complex envelope. Python twin:
//! `models/training/timbre_training/life.py`; `measure_life.py` beside it measures the table.

use std::f64::consts::LN_2;

use super::lanes::{Envelope, Row};
use crate::denoise::DenoiseError;
use crate::engine::decode;
use crate::graph::{LIFE_FACTS, LIFE_GROUPS, LIFE_ROWS, LOWEST_KEY, LifeParts, NOISE_BANDS};
use crate::graph::{TABLE_KEYS, read_life};
use crate::notes::Voice;
use crate::units::{MEL_BINS, SAMPLE_RATE_HZ, TICK_SAMPLES};
use realfft::num_complex::Complex;

/// The number of the first partial in each group. One more group has what lies from 8 to 16 kHz.
pub const GROUP_FIRST: [u32; LIFE_GROUPS - 1] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 14, 18, 24, 34, 49];
/// The group of the partials from 8 to 16 kHz.
pub const UPPER: usize = LIFE_GROUPS - 1;
/// The samples between computed values of an envelope, which is linear in between.
pub const GRID: u64 = 32;
/// The number of computed values around a tick.
pub const AROUND: usize = TICK_SAMPLES.div_ceil(GRID as usize) + 2;
/// The indices of the facts of a zone: its own key; its points per second, and their number; the
/// index of its first value; the largest value of the sway, cycles; for each group the cycles by
/// which it advances in a period of the tone, and the largest values of its middle and of its side;
/// for each group of four mel bands the logarithm of the share of noise.
///
/// A zone has curves one after the other: the sway, and then for each group the middle and the
/// side, which are complex. A curve is left out if its largest value is 0. A group without a middle
/// curve is constant, and one without a side curve has no side.
const OWN_KEY: usize = 0;
const POINT_HZ: usize = 1;
const POINTS: usize = 2;
const FIRST: usize = 3;
const SWAY: usize = 4;
const SHIFT: usize = 5;
const MIDDLE: usize = SHIFT + LIFE_GROUPS;
const SIDE: usize = MIDDLE + LIFE_GROUPS;
const NOISE: usize = SIDE + LIFE_GROUPS;
/// The largest quantised value of a zone.
const LARGEST: f64 = 127.0;
/// The share of noise if the table does not know it, of drums with a tone, and of other drums.
const UNKNOWN_NOISE: f32 = 0.05;
const TONAL_DRUM_NOISE: f32 = 0.5;
const DRUM_NOISE: f32 = 1.0;

/// The lives of all notes of a model.
#[derive(Debug)]
pub struct LifeTable {
    parts: LifeParts,
    /// The shares of noise, [zones, [`NOISE_BANDS`]].
    noise: Vec<f32>,
}

impl LifeTable {
    /// Loads the table from ONNX bytes.
    ///
    /// # Errors
    /// As [`crate::denoise::network::Network::load`], for the graph `life`.
    pub fn load(bytes: &[u8]) -> Result<Self, DenoiseError> {
        Ok(Self::of(read_life(&decode("life", bytes)?)?))
    }

    /// A table for models without one: notes do not change over time, and they have no side.
    pub fn still() -> Self {
        let mut facts = [0.0; LIFE_FACTS];
        (facts[OWN_KEY], facts[POINT_HZ], facts[POINTS]) = (60.0, 25.0, 75.0);
        facts[NOISE..].fill(UNKNOWN_NOISE.ln());
        Self::of(LifeParts { zone: vec![0; LIFE_ROWS], facts: facts.to_vec(), values: vec![] })
    }

    fn of(parts: LifeParts) -> Self {
        let zones = parts.facts.chunks_exact(LIFE_FACTS);
        let noise = zones.flat_map(|facts| facts.iter().skip(NOISE)).map(|ln| ln.exp()).collect();
        Self { parts, noise }
    }

    /// The life of a voice that is not a drum. Keys beyond those of a piano use its first and last
    /// key.
    pub fn life(&self, voice: Voice) -> Life<'_> {
        let LifeParts { facts, values, .. } = &self.parts;
        let zone = self.zone(voice);
        let facts = facts.get(zone * LIFE_FACTS..(zone + 1) * LIFE_FACTS).unwrap_or_default();
        let fact = |at: usize| facts.get(at).map_or(0.0, |fact| f64::from(*fact));
        let octaves = (f64::from(voice.key) - fact(OWN_KEY)) / 12.0;
        let pace = fact(POINT_HZ) / f64::from(SAMPLE_RATE_HZ) * (octaves * LN_2).exp();
        let points = (fact(POINTS) as usize).max(2);
        let mut at = fact(FIRST) as usize;
        let mut curve = |size: usize, width: usize| {
            let first = at;
            at += if fact(size) > 0.0 { points * width } else { 0 };
            first
        };
        let sway = curve(SWAY, 1);
        let parts = std::array::from_fn(|group| [MIDDLE, SIDE].map(|side| curve(side + group, 2)));
        Life { facts, values, pace, points, sway, parts }
    }

    /// The share of noise in the power of a band, for each group of four mel bands. For drums,
    /// `rings` says whether they have a tone.
    pub fn noise(&self, voice: Voice, rings: bool) -> [f32; NOISE_BANDS] {
        match (voice.is_drum, rings) {
            (true, true) => [TONAL_DRUM_NOISE; NOISE_BANDS],
            (true, false) => [DRUM_NOISE; NOISE_BANDS],
            (false, _) => {
                let first = self.zone(voice) * NOISE_BANDS;
                let found = self.noise.get(first..first + NOISE_BANDS).unwrap_or_default();
                std::array::from_fn(|band| found.get(band).copied().unwrap_or(UNKNOWN_NOISE))
            }
        }
    }

    fn zone(&self, voice: Voice) -> usize {
        let key = usize::from(voice.key.saturating_sub(LOWEST_KEY)).min(TABLE_KEYS - 1);
        let row = usize::from(voice.program) * TABLE_KEYS + key;
        self.parts.zone.get(row).copied().unwrap_or_default()
    }
}

/// The logarithm of the share of noise if nothing is known about the notes, \[128\].
pub fn unknown_noise() -> [f32; MEL_BINS] {
    [UNKNOWN_NOISE.ln(); MEL_BINS]
}

/// The life of one key.
#[derive(Debug, Clone, Copy)]
pub struct Life<'a> {
    facts: &'a [f32],
    values: &'a [i8],
    /// Points per sample, and their number.
    pace: f64,
    points: usize,
    /// The index of the first value of the sway, and of the middle and the side of each group.
    sway: usize,
    parts: [[usize; 2]; LIFE_GROUPS],
}

impl Life<'_> {
    /// The life in a tick that begins `n` samples after the key press.
    pub fn span(&self, n: u64) -> Span<'_> {
        let first = n / GRID;
        let place = |i: usize| self.place((first + i as u64) as f64 * GRID as f64 * self.pace);
        Span { life: self, offset: (n % GRID) as usize, places: std::array::from_fn(place) }
    }

    /// The cycles by which each group advances beyond its partials in a period of the tone.
    pub fn shifts(&self) -> [f64; LIFE_GROUPS] {
        std::array::from_fn(|group| self.fact(SHIFT + group))
    }

    /// Whether the note has a side.
    pub fn has_side(&self) -> bool {
        (SIDE..SIDE + LIFE_GROUPS).any(|fact| self.fact(fact) > 0.0)
    }

    fn fact(&self, at: usize) -> f64 {
        self.facts.get(at).map_or(0.0, |fact| f64::from(*fact))
    }

    /// The value of a curve at a place. The curve begins at the index `first`, its points are
    /// `apart`, and its largest value is `largest`.
    fn curve(&self, first: usize, apart: usize, place: &Place, largest: f64) -> f64 {
        let value = |(k, weight): (usize, &f64)| {
            let point = (place.point + k).saturating_sub(1).min(self.points - 1);
            self.values.get(first + point * apart).map_or(0.0, |v| weight * f64::from(*v))
        };
        place.weights.iter().enumerate().map(value).sum::<f64>() * (largest / LARGEST)
    }

    /// The place of a time, counted in points, between two points. At the end, envelopes run back
    /// to a third of their length and then forward again.
    fn place(&self, points: f64) -> Place {
        let (last, from) = ((self.points - 1) as f64, (self.points / 3) as f64);
        let points = if points < last {
            points
        } else {
            let round = 2.0 * (last - from);
            let beyond = (points - from) % round;
            from + beyond.min(round - beyond)
        };
        let point = (points as usize).min(self.points - 2);
        let t = points - point as f64;
        // The cubic spline of Catmull and Rom.
        let weights = [
            0.5 * t * (t * (2.0 - t) - 1.0),
            1.0 + 0.5 * t * t * (3.0 * t - 5.0),
            0.5 * t * (1.0 + t * (4.0 - 3.0 * t)),
            0.5 * t * t * (t - 1.0),
        ];
        Place { point, weights }
    }
}

/// A place between two points.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// The point before it.
    point: usize,
    /// The weights of the point before that, of this point, and of the next two.
    weights: [f64; 4],
}

/// One tick of a life.
#[derive(Debug, Clone, Copy)]
pub struct Span<'a> {
    life: &'a Life<'a>,
    /// The samples from the first computed value to the first sample of the tick.
    offset: usize,
    places: [Place; AROUND],
}

impl Span<'_> {
    /// The cycles by which sample `i` of the tick is ahead. `known` is the result of
    /// [`Self::sways`].
    pub fn sway(&self, known: &[f64; AROUND], i: usize) -> f64 {
        let (at, share) = self.between(i);
        known[at] + f64::from(share) * (known[at + 1] - known[at])
    }

    /// The sway at the computed values.
    pub fn sways(&self) -> [f64; AROUND] {
        let largest = self.life.fact(SWAY);
        if largest == 0.0 {
            return [0.0; AROUND];
        }
        self.places.map(|place| self.life.curve(self.life.sway, 1, &place, largest))
    }

    /// The envelopes of all groups at the computed values.
    pub fn envelopes(&self) -> [Envelope; AROUND] {
        let still = [Complex::new(1.0, 0.0), Complex::ZERO];
        let mut envelopes = [[Row::default(); 2]; AROUND];
        for (group, first) in self.life.parts.iter().enumerate() {
            for (side, fact) in [MIDDLE, SIDE].into_iter().enumerate() {
                let largest = self.life.fact(fact + group);
                for (envelope, place) in envelopes.iter_mut().zip(&self.places) {
                    let part =
                        |of: usize| self.life.curve(first[side] + of, 2, place, largest) as f32;
                    let moves = largest != 0.0;
                    let value = if moves { Complex::new(part(0), part(1)) } else { still[side] };
                    envelope[side].set(group, value);
                }
            }
        }
        envelopes
    }

    /// The samples from the first computed value to the first sample of the tick.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The computed value before sample `i`, and the place of the sample between it and the next,
    /// 0..=1.
    fn between(&self, i: usize) -> (usize, f32) {
        let n = self.offset + i;
        (n / GRID as usize, (n % GRID as usize) as f32 / GRID as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table of one zone whose own key is 60. The sway and the middle of the first group rise by
    /// one with each point, and the side of the first group is half as large.
    fn table() -> LifeTable {
        let mut parts = LifeTable::still().parts;
        (parts.facts[SWAY], parts.facts[MIDDLE], parts.facts[SIDE]) = (1.0, 1.0, 0.5);
        parts.values.extend(0..75);
        for _ in [MIDDLE, SIDE] {
            parts.values.extend((0..75).flat_map(|point| [point, 0]));
        }
        LifeTable::of(parts)
    }

    fn voice(key: u8) -> Voice {
        Voice { is_drum: false, program: 48, key }
    }

    #[test]
    fn time_runs_as_a_recording_is_played() {
        let table = table();
        for (key, by) in [(60, 1.0), (72, 2.0), (48, 0.5)] {
            let life = table.life(voice(key));
            let span = life.span(16_000);
            let sway = span.sway(&span.sways(), 0);
            assert!((sway - 25.0 * by / LARGEST).abs() < 1e-9, "key {key}: {sway}");
            let [middle, side] = span.envelopes()[0].map(|row| Complex::new(row.re[0], row.im[0]));
            assert!((f64::from(middle.re) - sway).abs() < 1e-6, "{middle}");
            assert!((side - middle * 0.5).norm() < 1e-6, "{side}");
        }
    }

    #[test]
    fn it_goes_on_alike_from_wherever_it_is_read_and_never_jumps() {
        let table = table();
        let life = table.life(voice(67));
        let value = |n: u64, i: usize| {
            let span = life.span(n);
            span.sway(&span.sways(), i)
        };
        for n in [1u64, 31, 32, 333, 47_990, 90_001] {
            let apart = value(n, 17) - value(n + 17, 0);
            assert!(apart.abs() < 1e-12, "from {n}: {apart}");
        }
        let steps = (0..100_000).step_by(TICK_SAMPLES).map(|n| value(n + 40, 0) - value(n, 0));
        let most = steps.fold(0.0, |most: f64, step| most.max(step.abs()));
        assert!(most < 0.001, "{most}");
    }

    #[test]
    fn still_notes_do_not_move() {
        let table = LifeTable::still();
        let life = table.life(voice(30));
        let span = life.span(12_345);
        assert_eq!(span.sways(), [0.0; AROUND]);
        for [middle, side] in span.envelopes() {
            assert_eq!([middle.re, side.re], [[1.0; LIFE_GROUPS], [0.0; LIFE_GROUPS]]);
            assert_eq!([middle.im, side.im], [[0.0; LIFE_GROUPS]; 2]);
        }
    }

    #[test]
    fn drums_are_noise() {
        let drum = Voice { is_drum: true, program: 0, key: 38 };
        assert_eq!(LifeTable::still().noise(drum, false), [1.0; NOISE_BANDS]);
        let known = LifeTable::still().noise(voice(60), false);
        assert!(known.iter().all(|share| (share - UNKNOWN_NOISE).abs() < 1e-6));
    }
}
