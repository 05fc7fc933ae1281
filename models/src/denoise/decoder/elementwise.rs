//! Norm, softmax and gated GELU over slices, each compiled for the vectors of the machine. They
//! know no network and no shapes: rows come one at a time.

use super::kernels::word;

/// Defines a function whose body is compiled once for any machine and again for wider vectors; the
/// version is chosen at run time. In the body, `FUSED` says whether [`fused`] is one instruction.
macro_rules! vectorised {
    ($(#[$doc:meta])* fn $name:ident($($arg:ident: $ty:ty),*) $(-> $ret:ty)? $body:block) => {
        $(#[$doc])*
        pub(super) fn $name($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            #[allow(
                clippy::extra_unused_type_parameters,
                reason = "not every function has sums of products"
            )]
            fn body<const FUSED: bool>($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f")]
                fn avx512($($arg: $ty),*) $(-> $ret)? {
                    body::<true>($($arg),*)
                }
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $ty),*) $(-> $ret)? {
                    body::<true>($($arg),*)
                }
                if is_x86_feature_detected!("avx512f") {
                    // SAFETY: the code is safe, and its only condition is the feature that was just
                    // found.
                    #[allow(unsafe_code)]
                    return unsafe { avx512($($arg),*) };
                }
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    // SAFETY: as above.
                    #[allow(unsafe_code)]
                    return unsafe { avx2($($arg),*) };
                }
            }
            body::<{ cfg!(target_arch = "aarch64") }>($($arg),*)
        }
    };
}

/// a * b + c. With `FUSED` it is rounded once, which some machines cannot do without a function
/// call.
#[inline(always)]
fn fused<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// The lanes of sums: as many as the widest vectors have, and the same on every machine.
const LANES: usize = 16;

/// log2(e).
const LOG2_E: f32 = std::f32::consts::LOG2_E;
/// ln(2) in two parts. The product of the first with any exponent is exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;
/// 1.5 * 2^23. Adding it rounds to an integer, which is then in the low bits; subtracting it again
/// leaves that integer.
const ROUND: f32 = 12_582_912.0;
/// The range in which e^x is a normal number.
const LEAST: f32 = -87.0;
const MOST: f32 = 88.0;

/// e^x with a relative error of 2e-7, for x clamped to [-87, 88]: 2^n e^r with the Taylor series of
/// e^r, |r| <= ln(2) / 2.
#[inline(always)]
fn exp<const FUSED: bool>(x: f32) -> f32 {
    let x = x.clamp(LEAST, MOST);
    let rounded = fused::<FUSED>(x, LOG2_E, ROUND);
    let n = rounded - ROUND;
    let r = fused::<FUSED>(n, -LN_2_LOW, fused::<FUSED>(n, -LN_2_HIGH, x));
    let mut y = 1.0 / 5040.0;
    for c in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        y = fused::<FUSED>(y, r, c);
    }
    y * f32::from_bits(rounded.to_bits().wrapping_add(127) << 23)
}

#[inline(always)]
fn sum_of(lanes: [f32; LANES]) -> f32 {
    let mut sum = 0.0;
    for lane in lanes {
        sum += lane;
    }
    sum
}

vectorised! {
    /// The RMS norm of a row with its gain and shift: out = x / sqrt(mean(x^2) + eps) * gain +
    /// shift. All slices have one length.
    fn norm(x: &[f32], eps: f32, gain: &[f32], shift: &[f32], out: &mut [f32]) {
        let (rows, rest) = x.as_chunks::<LANES>();
        let mut lanes = [0.0; LANES];
        for row in rows {
            for (lane, x) in lanes.iter_mut().zip(row) {
                *lane = fused::<FUSED>(*x, *x, *lane);
            }
        }
        let sum = sum_of(lanes) + rest.iter().map(|x| x * x).sum::<f32>();
        let factor = 1.0 / (sum / x.len() as f32 + eps).sqrt();
        for (((y, x), gain), shift) in out.iter_mut().zip(x).zip(gain).zip(shift) {
            *y = fused::<FUSED>(x * factor, *gain, *shift);
        }
    }
}

vectorised! {
    /// Replaces logits by e^(x - max), where max is the largest of them and of `most`. Returns max
    /// and the sum.
    fn exponentials(row: &mut [f32], most: f32) -> (f32, f32) {
        let (chunks, rest) = row.as_chunks_mut::<LANES>();
        let mut lanes = [f32::MIN; LANES];
        for chunk in &*chunks {
            for (lane, x) in lanes.iter_mut().zip(chunk) {
                *lane = if *x > *lane { *x } else { *lane };
            }
        }
        let mut most = most;
        for x in lanes.iter().chain(&*rest) {
            most = if *x > most { *x } else { most };
        }
        let mut lanes = [0.0; LANES];
        for chunk in chunks {
            for (lane, x) in lanes.iter_mut().zip(chunk) {
                *x = exp::<FUSED>(*x - most);
                *lane += *x;
            }
        }
        let mut sum = sum_of(lanes);
        for x in rest {
            *x = exp::<FUSED>(*x - most);
            sum += *x;
        }
        (most, sum)
    }
}

vectorised! {
    /// For the columns of `logits` [len, width of `most`], where the width is a multiple of
    /// [`LANES`]: replaces logits by e^(x - max), where max is the largest of the column and its
    /// `most`. Sets `most` to max and `factors` to e^(old most - max), scales `totals` by these
    /// factors, and adds the sums of the columns.
    fn column_exponentials(
        logits: &mut [f32],
        most: &mut [f32],
        totals: &mut [f32],
        factors: &mut [f32]
    ) {
        let width = most.len();
        for at in (0..width).step_by(LANES) {
            let here = |all: &[f32]| {
                all.get(at..).and_then(|all| all.first_chunk::<LANES>().copied())
            };
            let (Some(before), Some(mut sums)) = (here(most), here(totals)) else { return };
            let mut greatest = before;
            for row in logits.chunks_exact(width) {
                let Some(row) = here(row) else { return };
                for (most, x) in greatest.iter_mut().zip(row) {
                    *most = if x > *most { x } else { *most };
                }
            }
            for lane in 0..LANES {
                factors[at + lane] = exp::<FUSED>(before[lane] - greatest[lane]);
                sums[lane] *= factors[at + lane];
            }
            for row in logits.chunks_exact_mut(width) {
                let Some(row) = row[at..].first_chunk_mut::<LANES>() else { return };
                for ((x, most), sum) in row.iter_mut().zip(greatest).zip(&mut sums) {
                    *x = exp::<FUSED>(*x - most);
                    *sum += *x;
                }
            }
            most[at..at + LANES].copy_from_slice(&greatest);
            totals[at..at + LANES].copy_from_slice(&sums);
        }
    }
}

vectorised! {
    /// out = gelu(gate) * linear, in the tanh form: x / (1 + e^(-2 u)), u = sqrt(2 / pi) (x +
    /// 0.044715 x^3). All slices have one length.
    fn gated_gelu(gate: &[f32], linear: &[f32], out: &mut [f32]) {
        const FACTOR: f32 = -2.0 * 0.797_884_6;
        for ((y, x), linear) in out.iter_mut().zip(gate).zip(linear) {
            let u = x * fused::<FUSED>(0.044_715 * FACTOR * x, *x, FACTOR);
            *y = x / (1.0 + exp::<FUSED>(u)) * linear;
        }
    }
}

vectorised! {
    /// Multiplies int8 rows by the scales of their columns. `out` has the length of `values`, which
    /// is a multiple of that of `scales`.
    fn expand(values: &[i8], scales: &[f32], out: &mut [f32]) {
        let width = scales.len().max(1);
        for (out, values) in out.chunks_exact_mut(width).zip(values.chunks_exact(width)) {
            for ((out, value), scale) in out.iter_mut().zip(values).zip(scales) {
                *out = f32::from(*value) * scale;
            }
        }
    }
}

vectorised! {
    /// Packs pairs of values as bf16 into words. A last value without a partner is paired with
    /// zero.
    fn pair(values: &[f32], words: &mut [f32]) {
        let (pairs, rest) = values.as_chunks::<2>();
        words.iter_mut().zip(pairs).for_each(|(to, [a, b])| *to = word(*a, *b));
        if let ([last], Some(to)) = (rest, words.get_mut(pairs.len())) {
            *to = word(*last, 0.0);
        }
    }
}

vectorised! {
    /// Multiplies every row of `x` by the factors of its columns. The length of `x` is a multiple
    /// of theirs.
    fn scale_columns(x: &mut [f32], factors: &[f32]) {
        for row in x.chunks_exact_mut(factors.len().max(1)) {
            row.iter_mut().zip(factors).for_each(|(x, factor)| *x *= factor);
        }
    }
}

vectorised! {
    /// x *= factor.
    fn scale(x: &mut [f32], factor: f32) {
        x.iter_mut().for_each(|x| *x *= factor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(n: usize, wide: f32) -> Vec<f32> {
        (0..n).map(|i| (i as f32 * 0.37).sin() * wide).collect()
    }

    #[test]
    fn exponentials_are_those_of_the_library() {
        for n in [1, 15, 16, 77, 2304] {
            let x = wave(n, 30.0);
            let most = x.iter().copied().fold(f32::MIN, f32::max);
            let mut found = x.clone();
            let (greatest, sum) = exponentials(&mut found, f32::MIN);
            assert_eq!(greatest, most);
            let mut wanted_sum = 0.0;
            for (found, x) in found.iter().zip(&x) {
                let wanted = f64::from(x - most).exp();
                wanted_sum += wanted;
                assert!((f64::from(*found) - wanted).abs() <= 3e-7 * wanted, "{found} {wanted}");
            }
            assert!((f64::from(sum) / wanted_sum - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn exponentials_far_apart_stay_finite() {
        let mut row = [-1e30, 0.0, 3e38, -3e38];
        let (most, sum) = exponentials(&mut row, 0.0);
        assert!(row[2] == 1.0 && (sum - 1.0).abs() < 1e-6, "{row:?} {sum}");
        assert_eq!(most, 3e38);
        // A greater one in an earlier part counts.
        let mut row = [1.0, 2.0];
        let (most, sum) = exponentials(&mut row, 3.0);
        assert!(most == 3.0 && (sum - (-2.0f32).exp() - (-1.0f32).exp()).abs() < 1e-6);
    }

    #[test]
    fn down_columns_and_in_two_parts_they_are_the_same() {
        let (len, width) = (50, 2 * LANES);
        let mut logits = wave(len * width, 30.0);
        let column =
            |at: usize| -> Vec<f32> { logits.iter().skip(at).step_by(width).copied().collect() };
        let columns: Vec<_> = (0..width).map(column).collect();
        let (mut most, mut totals) = (vec![f32::MIN; width], vec![0.0; width]);
        let mut factors = vec![0.0; width];
        let (first, second) = logits.split_at_mut(20 * width);
        column_exponentials(first, &mut most, &mut totals, &mut factors);
        assert!(factors.iter().all(|factor| *factor < 1e-30));
        column_exponentials(second, &mut most, &mut totals, &mut factors);
        for (at, mut column) in columns.into_iter().enumerate() {
            let (greatest, sum) = exponentials(&mut column, f32::MIN);
            assert_eq!(most[at], greatest);
            assert!((totals[at] / sum - 1.0).abs() < 1e-6, "{} {sum}", totals[at]);
            for (i, wanted) in column.iter().enumerate() {
                let factor = if i < 20 { factors[at] } else { 1.0 };
                assert!((factor * logits[i * width + at] - wanted).abs() <= 1e-5 * wanted);
            }
        }
    }

    #[test]
    fn gelu_is_the_tanh_form() {
        for x in [-40.0, -5.0, -1.0, -1e-3, 0.0, 0.3, 2.0, 9.0, 80.0] {
            let mut out = [0.0];
            gated_gelu(&[x], &[3.0], &mut out);
            let x = f64::from(x);
            let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
            let wanted = 0.5 * x * (1.0 + u.tanh()) * 3.0;
            assert!((f64::from(out[0]) - wanted).abs() <= 1e-6 + 1e-6 * wanted.abs(), "{x}");
        }
    }

    #[test]
    fn norm_is_the_root_of_the_mean_square() {
        for n in [4, 16, 50, 512] {
            let (x, gain, shift) = (wave(n, 3.0), wave(n, 1.5), wave(n, 0.1));
            let mut out = vec![0.0; n];
            norm(&x, 1e-6, &gain, &shift, &mut out);
            let power: f64 = x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / n as f64;
            for i in 0..n {
                let [x, gain, shift] = [x[i], gain[i], shift[i]].map(f64::from);
                let wanted = x / (power + 1e-6).sqrt() * gain + shift;
                assert!((f64::from(out[i]) - wanted).abs() < 1e-5);
            }
        }
    }
}
