//! The life of a held note: how vibrato, beating strings and ensembles change the partials of every
//! key over time, in the middle, (L + R) / 2, and at the side, (L - R) / 2. It knows no stream.
//!
//! A key lives in the same way each time it sounds, like the recording that the model was trained
//! on. Keys that share a recording share a zone. Time in a zone runs as fast as the recording is
//! played, which is faster for a key above the zone's own key. Partials are grouped by their
//! number, and all partials of a group have the same complex envelope. Python twin:
//! `models/training/timbre_training/life.py`; `measure_life.py` beside it measures the table.

use std::f64::consts::LN_2;
use std::ops::Range;

use super::drums;
use super::lanes::{Envelope, Lanes, Row};
use crate::denoise::DenoiseError;
use crate::engine::decode;
use crate::graph::{LIFE_FACTS, LIFE_GROUPS, LIFE_ROWS, LOWEST_KEY, LifeParts, NOISE_BANDS};
use crate::graph::{TABLE_KEYS, read_life};
use crate::notes::Voice;
use crate::units::{MEL_BINS, SAMPLE_RATE_HZ, TICK_SAMPLES};

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
/// The share of noise if the table does not know it.
const UNKNOWN_NOISE: f32 = 0.05;

/// The values of all groups at a point: the real parts of the middle, its imaginary parts, and the
/// same of the side.
type Point = [[i8; LIFE_GROUPS]; 4];

/// What keys that share a recording have in common.
#[derive(Debug)]
struct Zone {
    own_key: f64,
    point_hz: f64,
    points: usize,
    /// The cycles by which each group advances beyond its partials in a period of the tone.
    shifts: [f64; LIFE_GROUPS],
    /// The largest value of the sway, and of each group's middle and side.
    sway: f64,
    largest: [Lanes; 2],
    /// The indices of its first points of the sway, and of the groups.
    first_sway: usize,
    first: usize,
}

/// The lives of all notes of a model.
#[derive(Debug)]
pub struct LifeTable {
    /// The zone of each key of each program.
    zone: Vec<usize>,
    zones: Vec<Zone>,
    /// The points of all zones: their sways, and their groups.
    sways: Vec<i8>,
    points: Vec<Point>,
    /// The shares of noise, [zones, [`NOISE_BANDS`]].
    noise: Vec<f32>,
}

impl LifeTable {
    /// Loads the table from ONNX bytes.
    ///
    /// # Errors
    /// As [`crate::denoise::network::Network::load`], for the graph `life`.
    pub fn load(bytes: &[u8]) -> Result<Self, DenoiseError> {
        Ok(Self::of(&read_life(&decode("life", bytes)?)?))
    }

    /// A table for models without one: notes do not change over time, and they have no side.
    pub fn still() -> Self {
        Self::of(&still_parts())
    }

    /// A table of notes that do not change, with shifted groups of partials.
    #[cfg(test)]
    pub fn shifted(shifts: [f64; LIFE_GROUPS]) -> Self {
        let mut table = Self::still();
        table.zones.iter_mut().for_each(|zone| zone.shifts = shifts);
        table
    }

    /// Puts the values of all groups at a point side by side, so that they are read together.
    fn of(parts: &LifeParts) -> Self {
        let LifeParts { zone, facts, values } = parts;
        let (mut zones, mut sways, mut points, mut noise) = (vec![], vec![], vec![], vec![]);
        for facts in facts.chunks_exact(LIFE_FACTS) {
            let fact = |at: usize| facts.get(at).copied().unwrap_or_default();
            let count = (fact(POINTS) as usize).max(2);
            zones.push(Zone {
                own_key: fact(OWN_KEY).into(),
                point_hz: fact(POINT_HZ).into(),
                points: count,
                shifts: std::array::from_fn(|group| fact(SHIFT + group).into()),
                sway: fact(SWAY).into(),
                largest: [MIDDLE, SIDE].map(|side| std::array::from_fn(|g| fact(side + g))),
                first_sway: sways.len(),
                first: points.len(),
            });
            noise.extend(facts.iter().skip(NOISE).map(|ln| ln.exp()));
            // The index of the first value of a curve; none if it is left out.
            let mut at = fact(FIRST) as usize;
            let mut curve = |largest: usize, width: usize| {
                let first = (fact(largest) > 0.0).then_some(at);
                at += first.map_or(0, |_| count * width);
                first
            };
            let value = |first: Option<usize>, at: usize| {
                first.and_then(|first| values.get(first + at)).copied().unwrap_or_default()
            };
            let sway = curve(SWAY, 1);
            sways.extend((0..count).map(|point| value(sway, point)));
            let groups: [[_; 2]; LIFE_GROUPS] =
                std::array::from_fn(|group| [MIDDLE, SIDE].map(|side| curve(side + group, 2)));
            points.extend((0..count).map(|point| -> Point {
                std::array::from_fn(|of| {
                    let (side, part) = (of / 2, of % 2);
                    std::array::from_fn(|group| value(groups[group][side], 2 * point + part))
                })
            }));
        }
        Self { zone: zone.clone(), zones, sways, points, noise }
    }

    /// The life of a voice that is not a drum. Keys beyond those of a piano use its first and last
    /// key.
    pub fn life(&self, voice: Voice) -> Option<Life<'_>> {
        let index = self.zone(voice);
        let zone = self.zones.get(index)?;
        let octaves = (f64::from(voice.key) - zone.own_key) / 12.0;
        let pace = zone.point_hz / f64::from(SAMPLE_RATE_HZ) * (octaves * LN_2).exp();
        let sways = self.sways.get(zone.first_sway..zone.first_sway + zone.points)?;
        let points = self.points.get(zone.first..zone.first + zone.points)?;
        Some(Life { index, zone, sways, points, pace })
    }

    /// The share of noise in the power of a band, for each group of four mel bands.
    pub fn noise(&self, voice: Voice) -> [f32; NOISE_BANDS] {
        if voice.is_drum {
            return drums::noise(voice);
        }
        let first = self.zone(voice) * NOISE_BANDS;
        let found = self.noise.get(first..first + NOISE_BANDS).unwrap_or_default();
        std::array::from_fn(|band| found.get(band).copied().unwrap_or(UNKNOWN_NOISE))
    }

    fn zone(&self, voice: Voice) -> usize {
        let key = usize::from(voice.key.saturating_sub(LOWEST_KEY)).min(TABLE_KEYS - 1);
        let row = usize::from(voice.program) * TABLE_KEYS + key;
        self.zone.get(row).copied().unwrap_or_default()
    }
}

/// A single zone without curves.
fn still_parts() -> LifeParts {
    let mut facts = [0.0; LIFE_FACTS];
    (facts[OWN_KEY], facts[POINT_HZ], facts[POINTS]) = (60.0, 25.0, 75.0);
    facts[NOISE..].fill(UNKNOWN_NOISE.ln());
    LifeParts { zone: vec![0; LIFE_ROWS], facts: facts.to_vec(), values: vec![] }
}

/// The logarithm of the share of noise if nothing is known about the notes, \[128\].
pub fn unknown_noise() -> [f32; MEL_BINS] {
    [UNKNOWN_NOISE.ln(); MEL_BINS]
}

/// The life of one key.
#[derive(Debug, Clone, Copy)]
pub struct Life<'a> {
    index: usize,
    zone: &'a Zone,
    sways: &'a [i8],
    points: &'a [Point],
    /// Points per sample.
    pace: f64,
}

impl Life<'_> {
    /// The life in a tick that begins `n` samples after the key press.
    pub fn span(&self, n: u64) -> Span<'_> {
        let first = n / GRID;
        let place = |i: usize| self.place((first + i as u64) as f64 * GRID as f64 * self.pace);
        Span { life: self, offset: (n % GRID) as usize, places: std::array::from_fn(place) }
    }

    /// The index of its zone.
    pub fn zone(&self) -> usize {
        self.index
    }

    /// Whether its pitch sways.
    pub fn has_sway(&self) -> bool {
        self.zone.sway != 0.0
    }

    /// Whether any of its partials are shifted.
    pub fn is_shifted(&self) -> bool {
        self.zone.shifts.iter().any(|shift| *shift != 0.0)
    }

    /// The cycles by which each group advances beyond its partials in a period of the tone.
    pub fn shifts(&self) -> &[f64; LIFE_GROUPS] {
        &self.zone.shifts
    }

    /// Whether the note has a side.
    pub fn has_side(&self) -> bool {
        self.zone.largest[1].iter().any(|largest| *largest > 0.0)
    }

    /// The sway at a place, cycles.
    fn sway(&self, place: &Place) -> f64 {
        let around = place.around().zip(place.weights);
        let value = |(point, weight): (usize, f64)| {
            self.sways.get(point).map_or(0.0, |v| weight * f64::from(*v))
        };
        around.map(value).sum::<f64>() * (self.zone.sway / LARGEST)
    }

    /// The envelope of all groups at a place: the middle, or the side.
    #[inline(always)]
    fn envelope(&self, side: usize, place: &Place) -> Row {
        let mut sums = [[0.0; LIFE_GROUPS]; 2];
        for (point, weight) in place.around().zip(place.weights) {
            let (weight, Some(point)) = (weight as f32, self.points.get(point)) else { continue };
            for (sums, values) in sums.iter_mut().zip(&point[2 * side..2 * side + 2]) {
                for l in 0..LIFE_GROUPS {
                    sums[l] += weight * f32::from(values[l]);
                }
            }
        }
        let still = if side == 0 { 1.0 } else { 0.0 };
        let [mut re, mut im] = sums;
        for (l, largest) in self.zone.largest[side].iter().enumerate() {
            let by = largest / LARGEST as f32;
            re[l] = if *largest == 0.0 { still } else { by * re[l] };
            im[l] *= by;
        }
        Row { re, im }
    }

    /// The place of a time, counted in points, between two points. At the end, envelopes run back
    /// to a third of their length and then forward again.
    fn place(&self, points: f64) -> Place {
        let last_point = self.points.len() - 1;
        let (last, from) = (last_point as f64, (self.points.len() / 3) as f64);
        let points = if points < last {
            points
        } else {
            let round = 2.0 * (last - from);
            let beyond = (points - from) % round;
            from + beyond.min(round - beyond)
        };
        let point = (points as usize).min(last_point - 1);
        let t = points - point as f64;
        // The cubic spline of Catmull and Rom.
        let weights = [
            0.5 * t * (t * (2.0 - t) - 1.0),
            1.0 + 0.5 * t * t * (3.0 * t - 5.0),
            0.5 * t * (1.0 + t * (4.0 - 3.0 * t)),
            0.5 * t * t * (t - 1.0),
        ];
        Place { point, last: last_point, weights }
    }
}

/// A place between two points.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// The point before it, and the last one.
    point: usize,
    last: usize,
    /// The weights of the point before that, of this point, and of the next two.
    weights: [f64; 4],
}

impl Place {
    /// The four points around it. The first and the last are repeated.
    fn around(&self) -> impl Iterator<Item = usize> {
        (0..4).map(|k| (self.point + k).saturating_sub(1).min(self.last))
    }
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
    /// The samples of a tick of `count` between each two computed values, if there are any, and
    /// the number of the first of the two.
    pub fn pieces(&self, count: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
        let (offset, grid) = (self.offset, GRID as usize);
        let place = move |k: usize| (k * grid).saturating_sub(offset).min(count);
        let pieces = (0..AROUND - 1).map(move |k| (k, place(k)..place(k + 1)));
        pieces.filter(|(_, samples)| !samples.is_empty())
    }

    /// Adds the cycles by which each sample of the tick is ahead.
    #[inline(always)]
    pub fn add_sway(&self, turns: &mut [f64]) {
        if !self.life.has_sway() {
            return;
        }
        let known = self.places.map(|place| self.life.sway(&place));
        for (k, samples) in self.pieces(turns.len()) {
            let before = (samples.start + self.offset - k * GRID as usize) as u32;
            for (i, turns) in (before..).zip(&mut turns[samples]) {
                let share = f64::from(i) / GRID as f64;
                *turns += known[k] + share * (known[k + 1] - known[k]);
            }
        }
    }

    /// The envelopes of all groups at the computed values. The side is only computed if it is
    /// wanted, and silent otherwise.
    #[inline(always)]
    pub fn envelopes(&self, wants_side: bool) -> [Envelope; AROUND] {
        let mut envelopes = [Envelope::default(); AROUND];
        for (envelope, place) in envelopes.iter_mut().zip(&self.places) {
            envelope[0] = self.life.envelope(0, place);
            if wants_side {
                envelope[1] = self.life.envelope(1, place);
            }
        }
        envelopes
    }

    /// The samples from the first computed value to the first sample of the tick.
    pub fn offset(&self) -> usize {
        self.offset
    }
}

#[cfg(test)]
#[path = "life_tests.rs"]
mod tests;
