//! The sound of one note in one tick, with its bends, its life and its levels. It knows no stream.

use super::excited::{Excited, Rows};
use super::lanes::{Lanes, Row, read, read_beside, shape, shift};
use super::life::{GRID, LifeTable};
use super::profiles::Profiles;
use super::tables::{Tables, bent_key, single};
use super::tone::{Sound, SteadyTone, tone_key};
use crate::graph::LIFE_GROUPS;
use crate::notes::Voice;
use crate::units::TICK_SAMPLES;
use crate::wide::wide;
use pulp::{Simd, WithSimd};

/// How bending has moved a note in time: it is played `ahead` samples later than its age.
#[derive(Debug, Clone, Copy, Default)]
pub struct Warp {
    ahead: f64,
}

/// A note at one time.
#[derive(Debug, Clone, Copy)]
pub struct Heard {
    /// Its power.
    pub power: f32,
    /// The semitones by which it is bent.
    pub semitones: f32,
    /// The program that it turns into, and how far it does, 0..=1.
    pub morph: Option<(u8, f32)>,
}

/// Room for the arithmetic of a note: its groups of partials, and how they are heard in the middle,
/// (L + R) / 2, and at the side, (L - R) / 2.
#[derive(Debug)]
pub struct Room {
    rows: Rows,
    middle: Rows,
    side: Rows,
}

impl Room {
    /// Empty room.
    pub fn new() -> Self {
        let [rows, middle, side] = [[Row::default(); TICK_SAMPLES]; 3];
        Self { rows, middle, side }
    }
}

/// Makes the sound of a voice.
#[derive(Debug)]
pub struct Voicing<'a> {
    tables: &'a Tables,
    lives: &'a LifeTable,
    voice: Voice,
    steady: Option<SteadyTone<'a>>,
    key: u8,
}

/// The state of a note in a tick.
#[derive(Debug, Clone, Copy)]
pub struct Doing<'a> {
    /// The samples from its press to the tick, or to the part of the tick in which it sounds.
    pub first: u64,
    /// The samples that it sounds in the tick.
    pub count: usize,
    /// The weights of its groups at its first sample and at the end of the tick.
    pub weights: &'a [Lanes; 2],
    /// The semitones by which it is bent at its first sample and at the end of the tick.
    pub bends: [f32; 2],
    /// The program that it turns into, and how far it does, 0..=1.
    pub morph: Option<(u8, f32)>,
    /// Whether its side is needed.
    pub has_sides: bool,
}

impl Doing<'_> {
    /// The weights of the groups at sample `i` of the tick, which may lie a little outside.
    fn weights_at(&self, i: f32) -> Lanes {
        let [from, to] = self.weights;
        let share = i / TICK_SAMPLES as f32;
        std::array::from_fn(|l| (from[l] + share * (to[l] - from[l])).max(0.0))
    }
}

impl<'a> Voicing<'a> {
    /// For one voice.
    pub fn new(tables: &'a Tables, lives: &'a LifeTable, voice: Voice) -> Self {
        let key = if voice.is_drum { voice.key } else { tone_key(voice.program, voice.key) };
        Self { tables, lives, voice, steady: tables.steady(voice), key }
    }

    /// Adds its sound in a tick to the note that was begun there.
    pub fn sound(&self, doing: &Doing<'_>, warp: &mut Warp, room: &mut Room, out: &mut Excited) {
        let Doing { first, count, bends, .. } = *doing;
        let Some(steady) = &self.steady else { return };
        let ratio = |bend: f32| if bend == 0.0 { 1.0 } else { (f64::from(bend) / 12.0).exp2() };
        let ratios = bends.map(ratio);
        let step = (ratios[1] - ratios[0]) / TICK_SAMPLES as f64;
        // Samples since the press, moved by bending.
        let mut at = [first as f64 + warp.ahead; TICK_SAMPLES];
        for (i, at) in (0u16..).zip(&mut at) {
            *at += f64::from(i);
        }
        if ratios != [1.0; 2] {
            let begin = warp.ahead;
            for (i, at) in (0u16..).zip(at.iter_mut().take(count)) {
                *at += warp.ahead - begin;
                warp.ahead += ratios[0] + step * (f64::from(i) + 0.5) - 1.0;
            }
        }
        match steady.sound {
            Sound::Harmonics => {
                for (program, power) in self.programs(doing.morph) {
                    if power > 0.0 {
                        let (weight, at) = (power.sqrt(), &at);
                        let (room, out) = (&mut *room, &mut *out);
                        wide(Harmonics { voicing: self, program, weight, doing, at, room, out });
                    }
                }
            }
            Sound::Partials([lower, upper]) => {
                for (i, at) in at.iter().enumerate().take(count) {
                    let weight = f64::from(doing.weights_at(i as f32)[0]);
                    let [tone, upper] =
                        [lower, upper].map(|all| single(self.tables.partials(all, *at) * weight));
                    out.add_sample(i, tone, upper.re);
                }
            }
        }
    }

    /// Reads the periods of the two keys beside a bent note, at its own pitch.
    #[inline(always)]
    fn periods<S: Simd>(&self, simd: S, semitones: f32, turns: &[f64], rows: &mut Rows) {
        for (n, (key, weight)) in self.keys(semitones).into_iter().enumerate() {
            let key = if self.voice.is_drum { key } else { tone_key(self.voice.program, key) };
            let period = self.tables.period(key);
            if n == 0 {
                read(simd, period, turns, rows);
            } else if weight > 0.0 {
                read_beside(simd, period, turns, weight, rows);
            }
        }
    }

    /// The two keys beside the note, bent by some semitones, and the weight of each.
    fn keys(&self, semitones: f32) -> [(u8, f32); 2] {
        if semitones == 0.0 || self.voice.is_drum {
            return [(self.voice.key, 1.0), (self.voice.key, 0.0)];
        }
        let (lower, share) = bent_key(self.voice.key, semitones);
        [(lower, 1.0 - share), (lower.saturating_add(1).min(127), share)]
    }

    /// The frequency of its first harmonic in octaves above 1 Hz, bent by some semitones; none if
    /// its partials are not harmonic.
    pub fn octave(&self, semitones: f32) -> Option<f32> {
        let is_harmonic = matches!(self.steady.as_ref()?.sound, Sound::Harmonics);
        is_harmonic.then(|| self.tables.octave_of(self.key) + semitones / 12.0)
    }

    /// How much higher than harmonics the partials of each group are, as multiples of the first.
    pub fn shifts(&self) -> [f64; LIFE_GROUPS] {
        self.lives.life(self.voice).map_or([0.0; LIFE_GROUPS], |life| *life.shifts())
    }

    /// Adds the mel power [128] of its tone.
    pub fn add_profile(&self, levels: &mut [f32], heard: &Heard, profiles: &mut Profiles) {
        for (key, weight) in self.keys(heard.semitones) {
            let Some(tone) = self.tables.steady(Voice { key, ..self.voice }) else { return };
            let power = heard.power * weight;
            let mut add = |power: f32, profile: &[f32]| {
                levels.iter_mut().zip(profile).for_each(|(l, p)| *l += power * p * p);
            };
            let Sound::Harmonics = tone.sound else {
                add(power, tone.profile);
                continue;
            };
            for (program, share) in self.programs(heard.morph) {
                let life = self.lives.life(Voice { program, ..self.voice });
                if let (Some(life), true) = (life, power * share > 0.0) {
                    let key = tone_key(self.voice.program, key);
                    add(power * share, profiles.of(self.tables, key, &life));
                }
            }
        }
    }

    /// Its own program and the one that it turns into, with their shares of the power.
    fn programs(&self, morph: Option<(u8, f32)>) -> [(u8, f32); 2] {
        let (program, amount) = morph.unwrap_or((self.voice.program, 0.0));
        [(self.voice.program, 1.0 - amount), (program, amount)]
    }
}

/// Adds the harmonics of a voice with the life of a program, times `weight`.
struct Harmonics<'a> {
    voicing: &'a Voicing<'a>,
    program: u8,
    weight: f32,
    doing: &'a Doing<'a>,
    /// The samples since the press.
    at: &'a [f64; TICK_SAMPLES],
    room: &'a mut Room,
    out: &'a mut Excited,
}

impl WithSimd for Harmonics<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { voicing, program, weight, doing, at, room, out } = self;
        let Room { rows, middle, side } = room;
        let semitones = (doing.bends[0] + doing.bends[1]) / 2.0;
        let step = Tables::turns_per_sample(voicing.key);
        let Some(life) = voicing.lives.life(Voice { program, ..voicing.voice }) else { return };
        let span = life.span(doing.first);
        let count = doing.count;
        let mut turns = *at;
        for turns in &mut turns {
            *turns *= step;
        }
        span.add_sway(&mut turns[..count]);
        voicing.periods(simd, semitones, &turns[..count], rows);
        let (shifts, has_side) = (life.shifts(), doing.has_sides && life.has_side());
        let grid = GRID as usize;
        let mut envelopes = span.envelopes(has_side);
        for (k, envelope) in envelopes.iter_mut().enumerate() {
            let weights = doing.weights_at((k * grid) as f32 - span.offset() as f32);
            let weights = weights.map(|of_group| weight * of_group);
            envelope.iter_mut().for_each(|row| row.weigh(&weights));
        }
        // Phases with a sway only advance evenly between two values of it.
        if !life.has_sway() {
            shift(simd, shifts, &turns[..count], &mut rows[..count]);
        }
        for (k, samples) in span.pieces(count) {
            let rows = &mut rows[samples.clone()];
            if life.has_sway() {
                shift(simd, shifts, &turns[samples.clone()], rows);
            }
            let offset = samples.start + span.offset() - k * grid;
            let ways = envelopes[k].iter().zip(&envelopes[k + 1]);
            let shaped = [&mut middle[samples.clone()], &mut side[samples]];
            for ((from, to), shaped) in ways.zip(shaped).take(if has_side { 2 } else { 1 }) {
                shape(simd, rows, [from, to], offset, shaped);
            }
        }
        out.add(simd, [&middle[..count], &side[..count]], has_side);
    }
}
