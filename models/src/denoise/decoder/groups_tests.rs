//! Tests of products of every shape against sums computed one by one.

use super::*;

fn wave(n: usize, step: f32) -> Vec<f32> {
    (0..n).map(|i| (i as f32 * step).sin()).collect()
}

/// x [n, k] times w [k, m], with k in pieces.
fn check(n: usize, k: usize, m: usize, threads: &Threads, numbers: Numbers, error: f32) {
    let kernel = Kernel::native();
    let (x, w) = (wave(n * k, 0.7), wave(k * m, 0.31));
    let pieces: Vec<Panels> = (0..k)
        .step_by(64)
        .map(|from| {
            let mut panels = Panels::new(kernel, numbers).unwrap();
            let count = 64.min(k - from);
            panels.pack(Rows { values: &w[from * m..], count, len: m, stride: m }).unwrap();
            panels
        })
        .collect();
    let mut groups = Groups::new(kernel).unwrap();
    let row = |i: usize, out: &mut [f32]| out.copy_from_slice(&x[i * k..(i + 1) * k]);
    groups.make(threads, (n, k), numbers, row).unwrap();
    let stride = m + 5;
    let mut out = vec![1.0; n * stride];
    groups.multiply(threads, &pieces, (&mut out, stride, true)).unwrap();
    for (row, x) in out.chunks_exact(stride).zip(x.chunks_exact(k)) {
        for (column, found) in row[..m].iter().enumerate() {
            let wanted: f32 = 1.0 + (0..k).map(|i| x[i] * w[i * m + column]).sum::<f32>();
            assert!((found - wanted).abs() < error, "{n} {k} {m} {numbers:?}: {found} {wanted}");
        }
        assert_eq!(row[m..], [1.0; 5], "written behind the columns");
    }
}

#[test]
fn products_of_any_shape() {
    for threads in [Threads::new(1), Threads::new(3)] {
        for n in [1, 2, 5, 12, 13, 40, 100] {
            for (k, m) in [(1, 1), (20, 33), (64, 64), (131, 70), (150, 300)] {
                check(n, k, m, &threads, Numbers::F32, 1e-4);
                check(n, k, m, &threads, Numbers::Bf16, 0.02 * (k as f32).sqrt());
            }
        }
    }
}

#[test]
fn transposed_panels_are_those_of_the_transposed_matrix() {
    let kernel = Kernel::native();
    for (rows, len) in [(1, 1), (31, 20), (32, 64), (77, 19)] {
        let matrix = wave(rows * len, 0.7);
        let other: Vec<f32> = (0..rows * len).map(|i| matrix[i % rows * len + i / rows]).collect();
        let [mut a, mut b] = [(); 2].map(|()| Panels::new(kernel, Numbers::F32).unwrap());
        a.pack_transposed(Rows { values: &matrix, count: rows, len, stride: len }).unwrap();
        b.pack(Rows { values: &other, count: len, len: rows, stride: rows }).unwrap();
        assert_eq!((a.words(), a.columns()), (b.words(), b.columns()));
        for i in 0..a.columns().div_ceil(kernel.width) {
            let [Values::F32(a), Values::F32(b)] = [a.panel(i), b.panel(i)] else {
                panic!("panels of another kind");
            };
            assert_eq!(a, b);
        }
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let kernel = Kernel::native();
    let threads = Threads::default();
    let mut panels = Panels::new(kernel, Numbers::F32).unwrap();
    let values = wave(12, 1.0);
    let rows = |count, len| Rows { values: &values, count, len, stride: len };
    assert!(panels.pack(rows(4, 4)).is_err());
    panels.pack(rows(4, 3)).unwrap();
    let mut groups = Groups::new(kernel).unwrap();
    let mut run = |rows, numbers, places| {
        let row = |_: usize, out: &mut [f32]| out.fill(1.0);
        groups.make(&threads, rows, numbers, row).unwrap();
        let mut out = vec![0.0; places];
        groups.multiply(&threads, std::slice::from_ref(&panels), (&mut out, 3, false)).is_ok()
    };
    assert!(run((3, 4), Numbers::F32, 9));
    assert!(!run((3, 4), Numbers::F32, 8), "too few places");
    assert!(!run((4, 3), Numbers::F32, 12), "another k");
    assert!(!run((3, 4), Numbers::Bf16, 9), "other numbers");
}
