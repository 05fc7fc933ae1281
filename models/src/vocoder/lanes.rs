//! Arithmetic with the groups of partials of a tone side by side, which processors do several at a
//! time. Knows no note.

use super::life::{GRID, UPPER};
use super::tables::place_of;
use crate::graph::LIFE_GROUPS;
use realfft::num_complex::Complex;

/// A value of every group: see [`super::life`].
pub type Lanes = [f32; LIFE_GROUPS];

/// All groups alike, as they are.
pub const EVEN: Lanes = [1.0; LIFE_GROUPS];
/// What comes of the way to where the weights of a note's groups go in a tick.
const COMES: f32 = 0.5;

/// A tick nearer to where weights go.
pub fn nearer(weights: &Lanes, aim: &Lanes) -> Lanes {
    std::array::from_fn(|l| weights[l] + COMES * (aim[l] - weights[l]))
}

/// A complex value of every group.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
pub struct Row {
    /// The real parts.
    pub re: Lanes,
    /// The imaginary parts.
    pub im: Lanes,
}

impl Row {
    /// Puts a group's value.
    pub fn set(&mut self, group: usize, value: Complex<f32>) {
        (self.re[group], self.im[group]) = (value.re, value.im);
    }

    /// Each group times a number.
    pub fn weigh(&mut self, by: &Lanes) {
        for part in [&mut self.re, &mut self.im] {
            part.iter_mut().zip(by).for_each(|(part, by)| *part *= by);
        }
    }

    /// Products, group by group.
    #[inline(always)]
    fn times(&self, by: &Self) -> Self {
        let mut out = Self::default();
        for l in 0..LIFE_GROUPS {
            out.re[l] = self.re[l] * by.re[l] - self.im[l] * by.im[l];
            out.im[l] = self.re[l] * by.im[l] + self.im[l] * by.re[l];
        }
        out
    }

    /// A share of the way to other values.
    #[inline(always)]
    fn toward(&self, to: &Self, share: f32) -> Self {
        let mut out = Self::default();
        for l in 0..LIFE_GROUPS {
            out.re[l] = self.re[l] + share * (to.re[l] - self.re[l]);
            out.im[l] = self.im[l] + share * (to.im[l] - self.im[l]);
        }
        out
    }
}

/// What the groups of a tone are multiplied with at one time: in its middle and at its side.
pub type Envelope = [Row; 2];

/// Adds a period [length + 1] at phases counted in turns, times `weight`, to as many rows.
pub fn read(period: &[Row], turns: &[f64], weight: f32, sound: &mut [Row]) {
    let length = period.len().saturating_sub(1);
    for (sound, turns) in sound.iter_mut().zip(turns) {
        let (i, share) = place_of(*turns, length);
        let Some([a, b]) = period.get(i..i + 2) else { return };
        let found = a.toward(b, share);
        for l in 0..LIFE_GROUPS {
            sound.re[l] += weight * found.re[l];
            sound.im[l] += weight * found.im[l];
        }
    }
}

/// Turns rows on: the first is multiplied with `from`, each after it with `step` more.
pub fn turn(sound: &mut [Row], mut from: Row, step: &Row) {
    for sound in sound {
        *sound = sound.times(&from);
        from = from.times(step);
    }
}

/// Moves rows as an envelope goes from one value to the next, of which the first lies `offset`
/// samples before the first of them, times their levels: the sums of all groups but the upper one,
/// and that one's real part.
pub fn mix(
    sound: &[Row],
    levels: &[f32],
    [from, to]: [&Row; 2],
    offset: usize,
    (tone, upper): (&mut [Complex<f32>], &mut [f32]),
) {
    let out = tone.iter_mut().zip(upper);
    for (i, ((sound, level), (tone, upper))) in sound.iter().zip(levels).zip(out).enumerate() {
        let share = (offset + i) as f32 / GRID as f32;
        let mut moved = sound.times(&from.toward(to, share));
        *upper += moved.re[UPPER] * level;
        (moved.re[UPPER], moved.im[UPPER]) = (0.0, 0.0);
        *tone += Complex::new(sum(moved.re), sum(moved.im)) * *level;
    }
}

/// The sum of all groups, halves added to halves.
#[inline(always)]
fn sum(mut lanes: Lanes) -> f32 {
    for half in [8, 4, 2, 1] {
        for l in 0..half {
            lanes[l] += lanes[l + half];
        }
    }
    lanes[0]
}
