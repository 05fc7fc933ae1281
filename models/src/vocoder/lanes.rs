//! Arithmetic on the groups of partials of a tone side by side, which processors can do for several
//! groups at once. It knows no note.

use super::life::{GRID, UPPER};
use super::tables::place_of;
use crate::graph::LIFE_GROUPS;
use pulp::Simd;
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

    /// Returns the value of a group, which becomes 0.
    fn take(&mut self, group: usize) -> Complex<f32> {
        let value = Complex::new(self.re[group], self.im[group]);
        self.set(group, Complex::ZERO);
        value
    }

    /// Multiplies each group by a number.
    #[inline(always)]
    pub fn weigh(&mut self, by: &Lanes) {
        for part in [&mut self.re, &mut self.im] {
            part.iter_mut().zip(by).for_each(|(part, by)| *part *= by);
        }
    }
}

/// As many groups of a row as the processor computes at once.
#[derive(Clone, Copy)]
struct Groups<S: Simd> {
    re: S::f32s,
    im: S::f32s,
}

impl<S: Simd> Groups<S> {
    /// The groups of a row from the `at`-th vector on.
    #[inline(always)]
    fn of(row: &Row, at: usize) -> Self {
        Self { re: S::as_simd_f32s(&row.re).0[at], im: S::as_simd_f32s(&row.im).0[at] }
    }

    /// Puts them back into a row.
    #[inline(always)]
    fn put(self, row: &mut Row, at: usize) {
        S::as_mut_simd_f32s(&mut row.re).0[at] = self.re;
        S::as_mut_simd_f32s(&mut row.im).0[at] = self.im;
    }

    /// The product of each group.
    #[inline(always)]
    fn times(self, simd: S, by: Self) -> Self {
        let mul = |a, b| simd.mul_f32s(a, b);
        Self {
            re: simd.sub_f32s(mul(self.re, by.re), mul(self.im, by.im)),
            im: simd.add_f32s(mul(self.re, by.im), mul(self.im, by.re)),
        }
    }

    /// Interpolates linearly: `share` of the way from these values to `to`.
    #[inline(always)]
    fn toward(self, simd: S, to: Self, share: S::f32s) -> Self {
        let part = |a, b| simd.add_f32s(a, simd.mul_f32s(share, simd.sub_f32s(b, a)));
        Self { re: part(self.re, to.re), im: part(self.im, to.im) }
    }

    /// Each group, times a number.
    #[inline(always)]
    fn scaled(self, simd: S, by: S::f32s) -> Self {
        Self { re: simd.mul_f32s(self.re, by), im: simd.mul_f32s(self.im, by) }
    }

    /// The sum of each group.
    #[inline(always)]
    fn plus(self, simd: S, by: Self) -> Self {
        Self { re: simd.add_f32s(self.re, by.re), im: simd.add_f32s(self.im, by.im) }
    }
}

/// The envelope of a tone at one time: the factors of its groups in the middle and at the side.
pub type Envelope = [Row; 2];

/// Reads a period [length + 1] at phases counted in cycles, times `weight`, into the rows. If
/// `adds` is set, it is added to them.
#[inline(always)]
pub fn read<S: Simd>(
    simd: S,
    period: &[Row],
    turns: &[f64],
    (weight, adds): (f32, bool),
    rows: &mut [Row],
) {
    let length = period.len().saturating_sub(1);
    let weight = simd.splat_f32s(weight);
    for (row, turns) in rows.iter_mut().zip(turns) {
        let (i, share) = place_of(*turns, length);
        let Some([a, b]) = period.get(i..i + 2) else { return };
        let share = simd.splat_f32s(share);
        for at in 0..LIFE_GROUPS / S::F32_LANES {
            let found = Groups::of(a, at).toward(simd, Groups::of(b, at), share);
            let found = found.scaled(simd, weight);
            let sum = if adds { found.plus(simd, Groups::of(row, at)) } else { found };
            sum.put(row, at);
        }
    }
}

/// Rotates rows: the first is multiplied by `from`, and each later one by `step` once more.
#[inline(always)]
pub fn turn<S: Simd>(simd: S, rows: &mut [Row], from: &Row, step: &Row) {
    for at in 0..LIFE_GROUPS / S::F32_LANES {
        let (mut from, step) = (Groups::<S>::of(from, at), Groups::of(step, at));
        for row in &mut *rows {
            Groups::of(row, at).times(simd, from).put(row, at);
            from = from.times(simd, step);
        }
    }
}

/// Multiplies rows by an envelope, which moves from one value to the next, and by levels. The first
/// value of the envelope lies `offset` samples before the first row. Adds the sum of all groups but
/// the upper one to `tone`, and the real part of the upper one to `upper`.
#[inline(always)]
pub fn mix<S: Simd>(
    simd: S,
    rows: &[Row],
    levels: &[f32],
    [from, to]: [&Row; 2],
    offset: usize,
    (tone, upper): (&mut [Complex<f32>], &mut [f32]),
) {
    let (mut from, mut moves) = (*from, Row::default());
    for l in 0..LIFE_GROUPS {
        (moves.re[l], moves.im[l]) = (to.re[l] - from.re[l], to.im[l] - from.im[l]);
    }
    let (first, step) = (from.take(UPPER), moves.take(UPPER));
    let out = tone.iter_mut().zip(upper);
    for (i, ((row, level), (tone, upper))) in rows.iter().zip(levels).zip(out).enumerate() {
        let share = (offset + i) as f32 / GRID as f32;
        let of_upper = Complex::new(row.re[UPPER], row.im[UPPER]) * (first + step * share);
        *upper += of_upper.re * level;
        let share = simd.splat_f32s(share);
        let mut moved = Row::default();
        for at in 0..LIFE_GROUPS / S::F32_LANES {
            let envelope = Groups::of(&moves, at).scaled(simd, share);
            let envelope = envelope.plus(simd, Groups::of(&from, at));
            Groups::of(row, at).times(simd, envelope).put(&mut moved, at);
        }
        *tone += Complex::new(sum(simd, &moved.re), sum(simd, &moved.im)) * *level;
    }
}

/// The sum of all groups, computed by halves, so that it is the same for vectors of any length.
#[inline(always)]
fn sum<S: Simd>(simd: S, lanes: &Lanes) -> f32 {
    let (vectors, _) = S::as_simd_f32s(lanes);
    let mut sums = [0.0; LIFE_GROUPS / 2];
    let (halves, _) = S::as_mut_simd_f32s(&mut sums);
    let half = vectors.len() / 2;
    for (at, to) in halves.iter_mut().enumerate() {
        *to = simd.add_f32s(vectors[at], vectors[at + half]);
    }
    for half in [4, 2, 1] {
        for l in 0..half {
            sums[l] += sums[l + half];
        }
    }
    sums[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wide::wide;
    use pulp::{Scalar, WithSimd};

    const COUNT: usize = 24;

    /// Reads, turns and mixes a period whose values are `of` their index.
    struct Sound<F>(F);

    impl<F: Fn(usize) -> f32> WithSimd for Sound<F> {
        type Output = ([Complex<f32>; COUNT], [f32; COUNT]);

        fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
            let row = |n: usize| Row {
                re: std::array::from_fn(|l| (self.0)(n + 3 * l)),
                im: std::array::from_fn(|l| (self.0)(n + 5 * l + 1)),
            };
            let period: Vec<Row> = (0..17).map(row).collect();
            let turns: Vec<f64> = (0..COUNT).map(|n| 0.037 * n as f64).collect();
            let mut rows = [Row::default(); COUNT];
            read(simd, &period, &turns, (0.7, false), &mut rows);
            read(simd, &period, &turns, (0.3, true), &mut rows);
            turn(simd, &mut rows, &row(2), &row(4));
            let (mut tone, mut upper) = ([Complex::ZERO; COUNT], [0.0; COUNT]);
            let envelopes = [&row(7), &row(8)];
            mix(simd, &rows, &[0.5; COUNT], envelopes, 3, (&mut tone, &mut upper));
            (tone, upper)
        }
    }

    #[test]
    fn vectors_of_any_length_give_the_same_bits() {
        let of = |n: usize| 0.9 * (n as f32).sin();
        let found = wide(Sound(of));
        assert_eq!(found, Sound(of).with_simd(Scalar));
        assert!(found.1.iter().all(|upper| upper.is_finite() && *upper != 0.0));
    }
}
