//! Arithmetic on the groups of partials of a tone side by side, which processors can do for several
//! groups at once. It knows no note.

use super::life::{GRID, UPPER};
use super::polar::cis;
use super::tables::{PLACES, places_of};
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

    /// The sum of all groups but the upper one, and the real part of the upper one.
    pub fn total(&self) -> (Complex<f32>, f32) {
        let sum = |part: &Lanes| part.iter().take(UPPER).sum();
        (Complex::new(sum(&self.re), sum(&self.im)), self.re[UPPER])
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

    /// The difference of each group.
    #[inline(always)]
    fn minus(self, simd: S, by: Self) -> Self {
        Self { re: simd.sub_f32s(self.re, by.re), im: simd.sub_f32s(self.im, by.im) }
    }
}

/// The envelope of a tone at one time: the factors of its groups in the middle and at the side.
pub type Envelope = [Row; 2];

/// Reads a period [length + 1] at phases counted in cycles into the rows.
#[inline(always)]
pub fn read<S: Simd>(simd: S, period: &[Row], turns: &[f64], rows: &mut [Row]) {
    read_with(simd, period, turns, rows, |found, _| found);
}

/// Reads a period as well, with `weight`, beside what the rows hold: as a sum whose weights are 1
/// together.
#[inline(always)]
pub fn read_beside<S: Simd>(simd: S, period: &[Row], turns: &[f64], weight: f32, rows: &mut [Row]) {
    let share = simd.splat_f32s(weight);
    read_with(simd, period, turns, rows, |found, held| held.toward(simd, found, share));
}

/// Reads a period, and puts into the rows what `of` makes of what it found and what they hold.
#[inline(always)]
fn read_with<S: Simd>(
    simd: S,
    period: &[Row],
    turns: &[f64],
    rows: &mut [Row],
    of: impl Fn(Groups<S>, Groups<S>) -> Groups<S>,
) {
    let length = period.len().saturating_sub(1);
    for (rows, turns) in rows.chunks_mut(PLACES).zip(turns.chunks(PLACES)) {
        let mut all = [0.0; PLACES];
        all[..turns.len()].copy_from_slice(turns);
        let (firsts, shares) = places_of(&all, length);
        let rows = rows.iter_mut().zip(turns);
        for ((row, _), (first, share)) in rows.zip(firsts.iter().zip(shares)) {
            let first = *first as usize;
            let Some([a, b]) = period.get(first..first + 2) else { return };
            let share = simd.splat_f32s(share);
            for at in 0..LIFE_GROUPS / S::F32_LANES {
                let found = Groups::of(a, at).toward(simd, Groups::of(b, at), share);
                of(found, Groups::of(row, at)).put(row, at);
            }
        }
    }
}

/// Rotates each group by its shift (in cycles) for each period of the tone. `turns` are the phases
/// of the tone, which advance evenly.
#[inline(always)]
pub fn shift<S: Simd>(simd: S, shifts: &[f64; LIFE_GROUPS], turns: &[f64], rows: &mut [Row]) {
    let (Some(first), Some(last)) = (turns.first(), turns.last()) else { return };
    if shifts.iter().all(|shift| *shift == 0.0) {
        return;
    }
    let each = (last - first) / (turns.len() - 1).max(1) as f64;
    turn(simd, rows, &rotations(shifts, *first), &rotations(shifts, each));
}

/// The rotation of each group after a number of periods.
#[inline(always)]
fn rotations(shifts: &[f64; LIFE_GROUPS], periods: f64) -> Row {
    let mut row = Row::default();
    for (group, shift) in shifts.iter().enumerate() {
        let [re, im] = cis(shift * periods);
        (row.re[group], row.im[group]) = (re as f32, im as f32);
    }
    row
}

/// Rotates rows: the first is multiplied by `from`, and each later one by `step` once more.
#[inline(always)]
fn turn<S: Simd>(simd: S, rows: &mut [Row], from: &Row, step: &Row) {
    for at in 0..LIFE_GROUPS / S::F32_LANES {
        let (mut from, step) = (Groups::<S>::of(from, at), Groups::of(step, at));
        for row in &mut *rows {
            Groups::of(row, at).times(simd, from).put(row, at);
            from = from.times(simd, step);
        }
    }
}

/// Multiplies rows by an envelope, which moves evenly from one value to the next. The first value
/// of the envelope lies `offset` samples before the first row.
#[inline(always)]
pub fn shape<S: Simd>(
    simd: S,
    rows: &[Row],
    [from, to]: [&Row; 2],
    offset: usize,
    shaped: &mut [Row],
) {
    let (each, before) = (1.0 / GRID as f32, offset as f32 / GRID as f32);
    for at in 0..LIFE_GROUPS / S::F32_LANES {
        let (from, to) = (Groups::<S>::of(from, at), Groups::of(to, at));
        let step = to.minus(simd, from).scaled(simd, simd.splat_f32s(each));
        let mut envelope = from.toward(simd, to, simd.splat_f32s(before));
        for (row, shaped) in rows.iter().zip(&mut *shaped) {
            Groups::of(row, at).times(simd, envelope).put(shaped, at);
            envelope = envelope.plus(simd, step);
        }
    }
}

/// Adds a tone to the sums of a bus, times the weight of each sample. To the middle of the tone the
/// left side, 0, adds its side, and the right side, 1, subtracts it; other buses hear the middle.
#[inline(always)]
pub fn add<S: Simd>(
    simd: S,
    [middle, side]: [&[Row]; 2],
    of_side: Option<usize>,
    weights: &[f32],
    sums: &mut [Row],
) {
    let weighted = sums.iter_mut().zip(weights);
    for ((sum, weight), (middle, side)) in weighted.zip(middle.iter().zip(side)) {
        let weight = simd.splat_f32s(*weight);
        for at in 0..LIFE_GROUPS / S::F32_LANES {
            let (middle, side) = (Groups::of(middle, at), Groups::of(side, at));
            let heard = match of_side {
                Some(0) => middle.plus(simd, side),
                Some(_) => middle.minus(simd, side),
                None => middle,
            };
            let heard = heard.scaled(simd, weight);
            heard.plus(simd, Groups::of(sum, at)).put(sum, at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wide::wide;
    use pulp::{Scalar, WithSimd};

    const COUNT: usize = 24;

    /// Reads, turns, shapes and adds a period whose values are `of` their index.
    struct Sound<F>(F);

    impl<F: Fn(usize) -> f32> WithSimd for Sound<F> {
        type Output = Vec<(Complex<f32>, f32)>;

        fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
            let row = |n: usize| Row {
                re: std::array::from_fn(|l| (self.0)(n + 3 * l)),
                im: std::array::from_fn(|l| (self.0)(n + 5 * l + 1)),
            };
            let period: Vec<Row> = (0..17).map(row).collect();
            let turns: Vec<f64> = (0..COUNT).map(|n| 0.037 * n as f64).collect();
            let mut rows = [Row::default(); COUNT];
            read(simd, &period, &turns, &mut rows);
            read_beside(simd, &period[3..12], &turns, 0.3, &mut rows);
            let shifts = std::array::from_fn(|group| f64::from((self.0)(group)));
            shift(simd, &shifts, &turns, &mut rows);
            let (mut middle, mut side, mut sums) = (rows, rows, rows);
            shape(simd, &rows, [&row(7), &row(8)], 3, &mut middle);
            shape(simd, &rows, [&row(9), &row(1)], 3, &mut side);
            for of_side in [None, Some(0), Some(1)] {
                add(simd, [&middle, &side], of_side, &[0.5; COUNT], &mut sums);
            }
            sums.iter().map(Row::total).collect()
        }
    }

    #[test]
    fn vectors_of_any_length_give_the_same_bits() {
        let of = |n: usize| 0.9 * (n as f32).sin();
        let found = wide(Sound(of));
        assert_eq!(found, Sound(of).with_simd(Scalar));
        assert!(found.iter().all(|(_, upper)| upper.is_finite() && *upper != 0.0));
    }
}
