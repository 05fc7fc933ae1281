//! Transposes rows to columns, for operands and results of products. It knows no network.

use super::kernels::{MOST_ROWS, for_rows};
use super::panels::Rows;

/// The values of a row to transpose at a time.
const BLOCK: usize = 16;

/// Writes `rows` [n, k] as [k, width] to `out`, as far as it has room. Columns from n to `width`
/// are zeros.
pub(super) fn transpose(rows: Rows<'_>, width: usize, out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if width >= avx512::SET && is_x86_feature_detected!("avx512f") {
        // SAFETY: the code is safe, and its only condition is the feature that was just found.
        #[allow(unsafe_code)]
        return unsafe { avx512::transpose(rows, width, out) };
    }
    portable(rows, width, out);
}

fn portable(rows: Rows<'_>, width: usize, out: &mut [f32]) {
    for first in (0..width).step_by(MOST_ROWS) {
        for_rows!(width - first, N => columns::<N>(rows, first, width, out));
    }
}

/// The N columns from `first` on.
fn columns<const N: usize>(rows: Rows<'_>, first: usize, width: usize, out: &mut [f32]) {
    for (from, to) in (0..).step_by(BLOCK).zip(out.chunks_mut(BLOCK * width)) {
        let mut own = [[0.0; BLOCK]; N];
        for (row, own) in (first..rows.count).zip(&mut own) {
            *own = block(rows, row, from);
        }
        for (at, to) in to.chunks_exact_mut(width).enumerate() {
            if let Some(to) = to[first..].first_chunk_mut() {
                *to = std::array::from_fn::<_, N, _>(|row| own[row][at]);
            }
        }
    }
}

/// The values of a row from `from` on, with zeros after its end.
#[inline(always)]
fn block(rows: Rows<'_>, row: usize, from: usize) -> [f32; BLOCK] {
    let values = rows.row(row).get(from..).unwrap_or_default();
    values.first_chunk().copied().unwrap_or_else(|| {
        let mut all = [0.0; BLOCK];
        all[..values.len()].copy_from_slice(values);
        all
    })
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    use super::{BLOCK, Rows, block};

    /// The rows to transpose at a time.
    pub(super) const SET: usize = 4;

    /// Four rows become columns in each quarter of a vector, and each quarter goes to its place.
    /// The `width` must be at least [`SET`]; if it is not a multiple of it, some rows are
    /// transposed twice.
    #[target_feature(enable = "avx512f")]
    pub(super) fn transpose(rows: Rows<'_>, width: usize, out: &mut [f32]) {
        for first in (0..width).step_by(SET).map(|first| first.min(width - SET)) {
            for (from, to) in (0..).step_by(BLOCK).zip(out.chunks_mut(BLOCK * width)) {
                let [a, b, c, d] = std::array::from_fn(|i| load(rows, first + i, from));
                let even = [_mm512_unpacklo_ps(a, b), _mm512_unpacklo_ps(c, d)];
                let odd = [_mm512_unpackhi_ps(a, b), _mm512_unpackhi_ps(c, d)];
                let columns = [
                    _mm512_shuffle_ps::<0b01_00_01_00>(even[0], even[1]),
                    _mm512_shuffle_ps::<0b11_10_11_10>(even[0], even[1]),
                    _mm512_shuffle_ps::<0b01_00_01_00>(odd[0], odd[1]),
                    _mm512_shuffle_ps::<0b11_10_11_10>(odd[0], odd[1]),
                ];
                for (i, columns) in columns.into_iter().enumerate() {
                    let quarters = [
                        _mm512_extractf32x4_ps::<0>(columns),
                        _mm512_extractf32x4_ps::<1>(columns),
                        _mm512_extractf32x4_ps::<2>(columns),
                        _mm512_extractf32x4_ps::<3>(columns),
                    ];
                    for (at, quarter) in (i..).step_by(SET).zip(quarters) {
                        let places = to.get_mut(at * width + first..);
                        if let Some(places) = places.and_then(|to| to.first_chunk_mut::<SET>()) {
                            // SAFETY: the target has as many places as a quarter has values, and
                            // needs no alignment.
                            #[allow(unsafe_code)]
                            unsafe {
                                _mm_storeu_ps(places.as_mut_ptr(), quarter);
                            }
                        }
                    }
                }
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn load(rows: Rows<'_>, row: usize, from: usize) -> __m512 {
        let values = if row < rows.count { block(rows, row, from) } else { [0.0; BLOCK] };
        // SAFETY: the read is inside the array, and needs no alignment.
        #[allow(unsafe_code)]
        unsafe {
            _mm512_loadu_ps(values.as_ptr())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_any_shape_become_columns() {
        for (n, k, width) in [
            (1, 1, 1),
            (3, 20, 3),
            (5, 17, 5),
            (12, 64, 12),
            (11, 31, 12),
            (20, 40, 32),
            (64, 32, 64),
        ] {
            let values: Vec<f32> = (0..n * (k + 3)).map(|i| i as f32 + 1.0).collect();
            let rows = Rows { values: &values, count: n, len: k, stride: k + 3 };
            for transpose in [transpose, portable] {
                let mut out = vec![-1.0; k * width];
                transpose(rows, width, &mut out);
                for (i, found) in out.iter().enumerate() {
                    let (row, at) = (i % width, i / width);
                    let wanted = if row < n { values[row * (k + 3) + at] } else { 0.0 };
                    assert_eq!(*found, wanted, "{n} rows of {k} in {width}: {row}, {at}");
                }
            }
        }
    }
}
