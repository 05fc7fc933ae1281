//! Products with int8 panels, whose weights become float32 in registers on the way. Knows no network.
//!
//! Sums go in the order of tract's kernels, one fused multiply-add after the other over a piece of k, so the results are those of the same
//! weights in float32 to the last bit. Written for AVX-512 and AVX2; [`is_here`] says where there is neither.

use tract_linalg::mmm::MMMInputValue as _;
use tract_onnx::prelude::TractResult;
use tract_onnx::tract_core::internal::TractErrorContext as _;

use super::weights::Int8Panels;
use crate::threads::Threads;

/// Most rows of one product.
const ROWS: usize = 8;
/// Columns that are turned at a time.
const BLOCK: usize = 16;

/// A kernel for up to so many rows and panels of one width.
#[derive(Debug, Clone, Copy)]
struct Kernel {
    width: usize,
    rows: usize,
    run: fn(&Panel<'_>, &mut Target<'_>),
}

/// Values [k, width], scales [width] and n rows [k, n].
struct Panel<'a> {
    values: &'a [i8],
    scales: &'a [f32],
    x: &'a [f32],
    n: usize,
}

/// Where sums [n, width] go: the places from one row to the next, and whether they are added to what is there.
struct Target<'a> {
    out: &'a mut [f32],
    stride: usize,
    adds: bool,
}

/// The kernel of this machine.
#[cfg(target_arch = "x86_64")]
fn kernel() -> Option<Kernel> {
    if is_x86_feature_detected!("avx512f") {
        return Some(Kernel { width: 32, rows: 8, run: avx512::run });
    }
    let has_fma = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    has_fma.then_some(Kernel { width: 16, rows: 6, run: avx2::run })
}

#[cfg(not(target_arch = "x86_64"))]
fn kernel() -> Option<Kernel> {
    None
}

/// Whether this machine has a kernel for panels of `width` columns.
pub(super) fn is_here(width: usize) -> bool {
    kernel().is_some_and(|kernel| kernel.width == width)
}

/// Defines the kernel of vectors of some width: two of them a row.
#[cfg(target_arch = "x86_64")]
macro_rules! kernel {
    ($name:ident, $features:literal, $lanes:literal, $vector:ident, $bytes:ident, $zero:ident, $load:ident, $store:ident,
     $int8:ident, $widen:ident, $float:ident, $mul:ident, $add:ident, $spread:ident, $fma:ident) => {
        mod $name {
            use std::arch::x86_64::*;

            use super::{Panel, Target};

            #[target_feature(enable = $features)]
            fn product<const N: usize>(panel: &Panel<'_>, target: &mut Target<'_>) {
                let Some(scales) = panel.scales.first_chunk() else { return };
                let scales = load(scales);
                let mut all = [[$zero(); 2]; N];
                let (values, x) = (panel.values.as_chunks().0, panel.x.as_chunks::<N>().0);
                for (values, x) in values.iter().zip(x) {
                    let weights = expand(values, scales);
                    for (sums, x) in all.iter_mut().zip(x) {
                        let x = $spread(*x);
                        for (sum, weight) in sums.iter_mut().zip(weights) {
                            *sum = $fma(x, weight, *sum);
                        }
                    }
                }
                for (mut sums, row) in all.into_iter().zip(target.out.chunks_mut(target.stride)) {
                    let Some(row) = row.first_chunk_mut() else { return };
                    if target.adds {
                        let before = load(row);
                        sums = [$add(before[0], sums[0]), $add(before[1], sums[1])];
                    }
                    store(sums, row);
                }
            }

            #[inline]
            #[target_feature(enable = $features)]
            fn load(values: &[f32; 2 * $lanes]) -> [$vector; 2] {
                // SAFETY: both reads are inside the array, and need no alignment.
                #[allow(unsafe_code)]
                unsafe {
                    [$load(values.as_ptr()), $load(values.as_ptr().add($lanes))]
                }
            }

            #[inline]
            #[target_feature(enable = $features)]
            fn store(vectors: [$vector; 2], to: &mut [f32; 2 * $lanes]) {
                // SAFETY: both writes are inside the array, and need no alignment.
                #[allow(unsafe_code)]
                unsafe {
                    $store(to.as_mut_ptr(), vectors[0]);
                    $store(to.as_mut_ptr().add($lanes), vectors[1]);
                }
            }

            #[inline]
            #[target_feature(enable = $features)]
            fn expand(values: &[i8; 2 * $lanes], scales: [$vector; 2]) -> [$vector; 2] {
                // SAFETY: both reads are inside the array, and need no alignment.
                #[allow(unsafe_code)]
                let both: [$bytes; 2] = unsafe {
                    [$int8(values.as_ptr().cast()), $int8(values.as_ptr().add($lanes).cast())]
                };
                [$mul($float($widen(both[0])), scales[0]), $mul($float($widen(both[1])), scales[1])]
            }

            #[target_feature(enable = $features)]
            fn any(panel: &Panel<'_>, target: &mut Target<'_>) {
                match panel.n {
                    1 => product::<1>(panel, target),
                    2 => product::<2>(panel, target),
                    3 => product::<3>(panel, target),
                    4 => product::<4>(panel, target),
                    5 => product::<5>(panel, target),
                    6 => product::<6>(panel, target),
                    7 => product::<7>(panel, target),
                    _ => product::<8>(panel, target),
                }
            }

            /// Only for machines that have the features.
            pub(super) fn run(panel: &Panel<'_>, target: &mut Target<'_>) {
                // SAFETY: safe code, whose only condition are the features; `kernel` gives this function to machines that have them.
                #[allow(unsafe_code)]
                unsafe {
                    any(panel, target)
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
kernel!(
    avx512,
    "avx512f",
    16,
    __m512,
    __m128i,
    _mm512_setzero_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm_loadu_si128,
    _mm512_cvtepi8_epi32,
    _mm512_cvtepi32_ps,
    _mm512_mul_ps,
    _mm512_add_ps,
    _mm512_set1_ps,
    _mm512_fmadd_ps
);

#[cfg(target_arch = "x86_64")]
kernel!(
    avx2,
    "avx2,fma",
    8,
    __m256,
    __m128i,
    _mm256_setzero_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm_loadl_epi64,
    _mm256_cvtepi8_epi32,
    _mm256_cvtepi32_ps,
    _mm256_mul_ps,
    _mm256_add_ps,
    _mm256_set1_ps,
    _mm256_fmadd_ps
);

/// What products work in.
#[derive(Debug, Default)]
pub(super) struct Products {
    /// The rows, a group of the kernel's after the other, as [k, n].
    turned: Vec<f32>,
    /// Of one group, [panels, n, width].
    sums: Vec<f32>,
}

impl Products {
    /// `rows` [n, k] times the pieces of a weight into `out`: its values, the places from one row to the next, whether it is added to.
    ///
    /// # Errors
    /// Slices that are too short, or a machine without a kernel for these panels.
    pub fn run(
        &mut self,
        threads: &Threads,
        pieces: &[Int8Panels],
        rows: &[f32],
        n: usize,
        (out, stride, adds): (&mut [f32], usize, bool),
    ) -> TractResult<()> {
        let kernel = kernel().context("no kernel for int8 weights on this machine")?;
        let k = rows.len() / n.max(1);
        self.turn(rows, n, k, kernel.rows);
        if n <= kernel.rows && threads.count() > 1 {
            return self.shared(kernel, threads, pieces, n, (out, stride, adds));
        }
        let turned = &self.turned;
        let columns = pieces.first().map_or(0, |piece| piece.mn());
        let out = out
            .get_mut(..(n.max(1) - 1) * stride + columns)
            .context("an output that is too short")?;
        // Every group writes rows of its own.
        threads.rows(out, kernel.rows * stride, kernel.rows * k * columns, |i, out| {
            let first = i * kernel.rows;
            let count = kernel.rows.min(n - first);
            let mut x = &turned[first * k..(first + count) * k];
            for (piece, panels) in pieces.iter().enumerate() {
                let (own, rest) = x.split_at(panels.k() * count);
                for panel in 0..panels.panels_count() {
                    let Ok((values, scales)) = panels.panel(panel) else { return };
                    let panel_of = Panel { values, scales, x: own, n: count };
                    let first = panel * kernel.width;
                    let adds = adds || piece > 0;
                    if first + kernel.width <= columns {
                        let out = &mut out[first..];
                        (kernel.run)(&panel_of, &mut Target { out, stride, adds });
                        continue;
                    }
                    let mut sums = [0.0; ROWS * 32];
                    let sums = &mut sums[..count * kernel.width];
                    let target = &mut Target { out: sums, stride: kernel.width, adds: false };
                    (kernel.run)(&panel_of, target);
                    put(sums, kernel.width, panel, columns, (out, stride, adds));
                }
                x = rest;
            }
        });
        Ok(())
    }

    /// Lays groups of at most `group` rows out as [k, rows of the group].
    fn turn(&mut self, rows: &[f32], n: usize, k: usize, group: usize) {
        self.turned.resize(n * k, 0.0);
        let groups = self.turned.chunks_mut((group * k).max(1));
        for (turned, rows) in groups.zip(rows.chunks((group * k).max(1))) {
            let count = rows.len() / k.max(1);
            // Blocks of rows and columns that fit registers.
            for (block, turned) in turned.chunks_mut((BLOCK * count).max(1)).enumerate() {
                let mut own = [[0.0; BLOCK]; ROWS];
                let width = turned.len() / count.max(1);
                for (own, row) in own.iter_mut().zip(rows.chunks_exact(k.max(1))) {
                    own[..width].copy_from_slice(&row[block * BLOCK..block * BLOCK + width]);
                }
                for (i, to) in turned.chunks_exact_mut(count.max(1)).enumerate() {
                    to.iter_mut().zip(&own).for_each(|(x, row)| *x = row[i % BLOCK]);
                }
            }
        }
    }

    /// As many rows as one run of the kernel takes: the panels are what is shared among threads.
    fn shared(
        &mut self,
        kernel: Kernel,
        threads: &Threads,
        pieces: &[Int8Panels],
        n: usize,
        (out, stride, adds): (&mut [f32], usize, bool),
    ) -> TractResult<()> {
        let (width, mut from) = (kernel.width, 0);
        for (piece, panels) in pieces.iter().enumerate() {
            let k = panels.k();
            let x = self.turned.get(from * n..(from + k) * n).context("rows that are too short")?;
            self.sums.resize(panels.panels_count() * width * n, 0.0);
            threads.rows(&mut self.sums, width * n, k * width, |i, sums| {
                if let Ok((values, scales)) = panels.panel(i) {
                    let target = &mut Target { out: sums, stride: width, adds: false };
                    (kernel.run)(&Panel { values, scales, x, n }, target);
                }
            });
            for (panel, sums) in self.sums.chunks_exact(width * n).enumerate() {
                put(sums, width, panel, panels.mn(), (&mut *out, stride, adds || piece > 0));
            }
            from += k;
        }
        Ok(())
    }
}

/// Puts the sums [n, width] of a panel where they belong.
fn put(
    sums: &[f32],
    width: usize,
    panel: usize,
    columns: usize,
    (out, stride, adds): (&mut [f32], usize, bool),
) {
    let first = panel * width;
    let count = width.min(columns.saturating_sub(first));
    for (sums, row) in sums.chunks_exact(width).zip(out.chunks_mut(stride.max(1))) {
        let Some(out) = row.get_mut(first..first + count) else { return };
        match adds {
            true => out.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum),
            false => out.copy_from_slice(&sums[..count]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kernel: Kernel) {
        let (k, width) = (37, kernel.width);
        let values: Vec<i8> = (0..k * width).map(|i| (i * 91 % 255) as u8 as i8).collect();
        let scales: Vec<f32> = (0..width).map(|i| 0.01 + i as f32 * 1e-3).collect();
        for n in 1..=kernel.rows {
            let x: Vec<f32> = (0..k * n).map(|i| (i as f32 * 0.7).sin()).collect();
            let mut sums = vec![0.0; n * width];
            let panel = Panel { values: &values, scales: &scales, x: &x, n };
            for adds in [false, true] {
                (kernel.run)(&panel, &mut Target { out: &mut sums, stride: width, adds });
            }
            for (i, found) in sums.iter().enumerate() {
                let (row, column) = (i / width, i % width);
                let weight = |at: usize| f32::from(values[at * width + column]) * scales[column];
                let wanted =
                    (0..k).fold(0.0f32, |sum, at| x[at * n + row].mul_add(weight(at), sum));
                assert_eq!(*found, 2.0 * wanted, "{n} rows, row {row}, column {column}");
            }
        }
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn sums_are_those_of_fused_multiply_adds_in_order() {
        kernel().into_iter().for_each(check);
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            check(Kernel { width: 16, rows: 6, run: avx2::run });
        }
    }

    #[test]
    fn groups_are_turned_one_by_one() {
        let mut products = Products::default();
        products.turn(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3, 2, 2);
        assert_eq!(products.turned, [1.0, 3.0, 2.0, 4.0, 5.0, 6.0]);
    }
}
