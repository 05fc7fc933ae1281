//! Tests of every kernel that this machine can run against sums computed one by one.

use super::*;

fn wave(n: usize, step: f32) -> Vec<f32> {
    (0..n).map(|i| (i as f32 * step).sin()).collect()
}

fn words(n: usize, step: f32) -> Vec<f32> {
    wave(2 * n, step).as_chunks::<2>().0.iter().map(|[a, b]| word(*a, *b)).collect()
}

/// Runs `values` [k words, width] with every number of rows, twice, and compares the results with
/// `wanted` for a row and a column.
fn check(
    kernel: Kernel,
    k: usize,
    values: Values<'_>,
    error: f32,
    wanted: impl Fn(&[f32], usize) -> f32,
) {
    for n in 1..=kernel.rows {
        let x = match values {
            Values::Bf16(_) => words(k * n, 0.7),
            _ => wave(k * n, 0.7),
        };
        let stride = kernel.width + 3;
        let mut out = vec![0.0; n * stride];
        for adds in [false, true] {
            let rows = Transposed { x: &x, n };
            let places = &mut out.chunks_mut(stride).collect::<Vec<_>>();
            kernel.run(values, rows, Target { rows: places, column: 0, adds }, Ahead::nothing());
        }
        for (i, row) in out.chunks_exact(stride).enumerate() {
            let own: Vec<f32> = x.iter().skip(i).step_by(n).copied().collect();
            for (column, found) in row[..kernel.width].iter().enumerate() {
                let wanted = 2.0 * wanted(&own, column);
                assert!((found - wanted).abs() <= error, "{kernel:?} {n} rows: {found} {wanted}");
            }
            assert!(row[kernel.width..].iter().all(|x| *x == 0.0), "written behind the panel");
        }
    }
}

fn widest_error(kernel: Kernel) -> f32 {
    if kernel.run as usize == PORTABLE.run as usize { 1e-5 } else { 0.0 }
}

#[test]
fn float_sums_are_fused_and_in_order() {
    for kernel in Kernel::all() {
        let (k, width) = (37, kernel.width);
        let values = wave(k * width, 0.31);
        let wanted = |x: &[f32], column: usize| {
            (0..k).fold(0.0f32, |sum, at| x[at].mul_add(values[at * width + column], sum))
        };
        check(kernel, k, Values::F32(&values), widest_error(kernel), wanted);
    }
}

#[test]
fn int8_sums_are_those_of_the_same_weights_in_float32() {
    for kernel in Kernel::all() {
        let (k, width) = (37, kernel.width);
        let values: Vec<i8> = (0..k * width).map(|i| (i * 91 % 255) as u8 as i8).collect();
        let scales: Vec<f32> = (0..width).map(|i| 0.01 + i as f32 * 1e-3).collect();
        let wanted = |x: &[f32], column: usize| {
            let weight = |at: usize| f32::from(values[at * width + column]) * scales[column];
            (0..k).fold(0.0f32, |sum, at| x[at].mul_add(weight(at), sum))
        };
        let error = 4.0 * widest_error(kernel);
        check(kernel, k, Values::Int8(&values, &scales), error, wanted);
    }
}

#[test]
fn bf16_sums_are_those_of_rounded_values() {
    for kernel in Kernel::all() {
        let (k, width) = (19, kernel.width);
        let values = words(k * width, 0.31);
        let wanted = |x: &[f32], column: usize| {
            (0..k).fold(0.0f32, |sum, at| {
                let w = values[at * width + column];
                sum + first_of(x[at]) * first_of(w) + second_of(x[at]) * second_of(w)
            })
        };
        check(kernel, k, Values::Bf16(&values), 1e-4, wanted);
    }
}

#[test]
fn words_hold_two_values_rounded_to_even() {
    let bits = |x: f32| first_of(word(x, 0.0)).to_bits();
    assert_eq!(bits(1.0), 1.0f32.to_bits());
    let (half, third) = (f32::from_bits(0x3f80_8000), f32::from_bits(0x3f81_8000));
    assert_eq!(bits(half), 0x3f80_0000, "a half goes to the even one below");
    assert_eq!(bits(third), 0x3f82_0000, "and to the even one above");
    for x in wave(1000, 0.77) {
        let found = word(x, -x);
        assert!((first_of(found) - x).abs() <= x.abs() / 256.0);
        assert_eq!(second_of(found), -first_of(found));
    }
}
