//! Arithmetic on the groups of partials of a tone side by side, which processors can do for several
//! groups at once. It knows no note.

use super::life::{GRID, UPPER};
use super::tables::place_of;
use crate::graph::LIFE_GROUPS;
use realfft::num_complex::Complex;

/// One value for every group; see [`super::life`].
pub type Lanes = [f32; LIFE_GROUPS];

/// The weight 1 for all groups.
pub const EVEN: Lanes = [1.0; LIFE_GROUPS];
/// The share of the way to their target that weights move in a tick.
const COMES: f32 = 0.5;

/// The weights one tick later, on the way to their target `aim`.
pub fn nearer(weights: &Lanes, aim: &Lanes) -> Lanes {
    std::array::from_fn(|l| weights[l] + COMES * (aim[l] - weights[l]))
}

/// One complex value for every group.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
pub struct Row {
    /// The real parts.
    pub re: Lanes,
    /// The imaginary parts.
    pub im: Lanes,
}

impl Row {
    /// Sets the value of a group.
    pub fn set(&mut self, group: usize, value: Complex<f32>) {
        (self.re[group], self.im[group]) = (value.re, value.im);
    }

    /// Multiplies each group by a number.
    pub fn weigh(&mut self, by: &Lanes) {
        for part in [&mut self.re, &mut self.im] {
            part.iter_mut().zip(by).for_each(|(part, by)| *part *= by);
        }
    }

    /// The product of each group.
    #[inline(always)]
    fn times(&self, by: &Self) -> Self {
        let mut out = Self::default();
        for l in 0..LIFE_GROUPS {
            out.re[l] = self.re[l] * by.re[l] - self.im[l] * by.im[l];
            out.im[l] = self.re[l] * by.im[l] + self.im[l] * by.re[l];
        }
        out
    }

    /// Interpolates linearly: `share` of the way from these values to `to`.
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

/// The envelope of a tone at one time: the factors of its groups in the middle and at the side.
pub type Envelope = [Row; 2];

/// Reads a period [length + 1] at phases counted in cycles, and adds it, times `weight`, to the
/// rows.
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

/// Rotates rows: the first is multiplied by `from`, and each later one by `step` once more.
pub fn turn(sound: &mut [Row], mut from: Row, step: &Row) {
    for sound in sound {
        *sound = sound.times(&from);
        from = from.times(step);
    }
}

/// Multiplies rows by an envelope, which moves from one value to the next, and by levels. The first
/// value of the envelope lies `offset` samples before the first row. Adds the sum of all groups but
/// the upper one to `tone`, and the real part of the upper one to `upper`.
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

/// The sum of all groups, computed by halves.
#[inline(always)]
fn sum(mut lanes: Lanes) -> f32 {
    for half in [8, 4, 2, 1] {
        for l in 0..half {
            lanes[l] += lanes[l + half];
        }
    }
    lanes[0]
}
