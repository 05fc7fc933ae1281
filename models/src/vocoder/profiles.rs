//! The mel of steady tones whose partials are not multiples of the frequency of their key, like
//! those of stiff strings. It knows no stream.
//!
//! A partial that lies between two harmonics is in a band in which the harmonic tone has nearly
//! nothing. So the gains of the bands must be computed with the tone as it really is. Otherwise
//! they would raise such a partial to a hundred times its level.

use super::lanes::{Row, read, shift};
use super::life::{Life, UPPER};
use super::tables::Tables;
use crate::mel::MelFrontEnd;
use crate::units::{FRAME_SAMPLES, MEL_BINS};
use crate::wide::wide;
use pulp::{Simd, WithSimd};

/// The number of places where profiles are kept, and of profiles at each. What shares a place with
/// others is computed again in every frame if there are more of them.
const PLACES: usize = 256;
const KEPT: usize = 4;

/// A profile that is kept.
#[derive(Debug, Clone)]
struct Kept {
    /// The key and the zone that it belongs to.
    of: (u8, usize),
    profile: [f32; MEL_BINS],
}

/// Computes profiles, which takes some tens of microseconds each, and keeps the last ones.
#[derive(Debug)]
pub struct Profiles {
    front_end: MelFrontEnd,
    /// [PLACES][KEPT]
    kept: Vec<[Option<Kept>; KEPT]>,
    /// The index in its place that is overwritten next.
    next: usize,
    /// Room for the arithmetic, [FRAME_SAMPLES].
    turns: Vec<f64>,
    rows: Vec<Row>,
    tone: Vec<f32>,
}

impl Profiles {
    /// The state without any profile.
    pub fn new() -> Self {
        Self {
            front_end: MelFrontEnd::new(),
            kept: vec![[const { None }; KEPT]; PLACES],
            next: 0,
            turns: vec![0.0; FRAME_SAMPLES],
            rows: vec![Row::default(); FRAME_SAMPLES],
            tone: vec![0.0; FRAME_SAMPLES],
        }
    }

    /// The mel magnitude \[128\] of the steady full-level tone of a key, 0..=127, whose groups of
    /// partials are shifted as a life says.
    ///
    /// # Real time
    /// It allocates nothing.
    pub fn of<'a>(&'a mut self, tables: &'a Tables, key: u8, life: &Life<'_>) -> &'a [f32] {
        let harmonic = tables.profile(key);
        if !life.is_shifted() {
            return harmonic;
        }
        let Self { front_end, kept, next, turns, rows, tone } = self;
        let of = (key, life.zone());
        // Neighbouring keys of one zone, and the same key of neighbouring zones, have places of
        // their own.
        let place = (life.zone() * 37 + usize::from(key)) % PLACES;
        let Some(kept) = kept.get_mut(place) else { return harmonic };
        let known = kept.iter().position(|kept| kept.as_ref().is_some_and(|kept| kept.of == of));
        let index = known.unwrap_or_else(|| {
            let step = Tables::turns_per_sample(key);
            (0..).zip(&mut *turns).for_each(|(n, turns)| *turns = f64::from(n) * step);
            wide(Shifted { tables, key, life, turns, rows, tone });
            let mut profile = [0.0; MEL_BINS];
            front_end.frame_into(tone, &mut profile);
            profile.iter_mut().for_each(|p| *p = p.exp());
            *next = (*next + 1) % KEPT;
            kept[*next] = Some(Kept { of, profile });
            *next
        });
        kept[index].as_ref().map_or(harmonic, |kept| &kept.profile)
    }
}

/// Makes one frame of a shifted tone.
struct Shifted<'a> {
    tables: &'a Tables,
    key: u8,
    life: &'a Life<'a>,
    turns: &'a [f64],
    rows: &'a mut [Row],
    tone: &'a mut [f32],
}

impl WithSimd for Shifted<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { tables, key, life, turns, rows, tone } = self;
        read(simd, tables.period(key), turns, rows);
        shift(simd, life.shifts(), turns, rows);
        for (tone, row) in tone.iter_mut().zip(rows) {
            *tone = row.re.iter().take(UPPER).sum();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::LIFE_GROUPS;
    use crate::notes::Voice;
    use crate::vocoder::life::LifeTable;

    #[test]
    fn a_shifted_partial_is_heard_in_its_own_band() {
        let tables = Tables::new();
        let mut shifts = [0.0; LIFE_GROUPS];
        // The eighth partial of C5 is half a harmonic higher.
        shifts[7] = 0.5;
        let lives = LifeTable::shifted(shifts);
        let voice = Voice { program: 0, key: 72, is_drum: false };
        let Some(life) = lives.life(voice) else { panic!("no life") };
        let mut profiles = Profiles::new();
        let found = profiles.of(&tables, 72, &life).to_vec();
        let loudest = |octave: f32, profile: &[f32]| {
            let near = tables.octaves.iter().zip(profile);
            near.filter(|(band, _)| (*band - octave).abs() < 0.05).fold(0f32, |m, (_, p)| m.max(*p))
        };
        let octave = |harmonic: f32| tables.octave_of(72) + harmonic.log2();
        let harmonic = tables.profile(72);
        assert!(loudest(octave(8.5), &found) > 100.0 * loudest(octave(8.5), harmonic));
        assert!(loudest(octave(8.0), &found) < 0.01 * loudest(octave(8.0), harmonic));
        let by = loudest(octave(7.0), &found) / loudest(octave(7.0), harmonic);
        assert!((by - 1.0).abs() < 1e-3, "{by}");
        assert_eq!(profiles.of(&tables, 72, &life), found);
    }

    #[test]
    fn a_tone_without_shifts_is_that_of_its_key() {
        let (tables, lives) = (Tables::new(), LifeTable::still());
        let voice = Voice { program: 48, key: 60, is_drum: false };
        let Some(life) = lives.life(voice) else { panic!("no life") };
        assert_eq!(Profiles::new().of(&tables, 60, &life), tables.profile(60));
    }
}
