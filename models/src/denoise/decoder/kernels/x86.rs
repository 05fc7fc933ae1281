//! Kernels for AVX-512 and AVX2: two vectors of a panel for each row, and as many rows as fit into
//! the registers.

use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

use super::{Ahead, Kernel, Target, Transposed, Values, for_rows, portable};

/// The length of a cache line, bytes.
const LINE: usize = 64;

/// The kernels that this machine can run, the best first.
pub(super) fn kernels() -> [Option<Kernel>; 2] {
    let has_fma = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let narrow = Kernel { width: 16, rows: 6, is_bf16: false, run: run_avx2 };
    let is_bf16 = is_x86_feature_detected!("avx512bf16");
    let run = match is_bf16 {
        true => run_avx512_bf16,
        false => run_avx512,
    };
    let wide = Kernel { width: 32, rows: 12, is_bf16, run };
    [is_x86_feature_detected!("avx512f").then_some(wide), has_fma.then_some(narrow)]
}

/// Needs AVX2 and FMA.
fn run_avx2(values: Values<'_>, rows: Transposed<'_>, target: Target<'_, '_>, ahead: Ahead) {
    match values {
        Values::F32(values) => avx2_f32::run(values, &[], rows, target, ahead),
        Values::Int8(values, scales) => avx2_int8::run(values, scales, rows, target, ahead),
        Values::Bf16(_) => portable::<16>(values, rows, target, ahead),
    }
}

/// Needs AVX-512 F.
fn run_avx512(values: Values<'_>, rows: Transposed<'_>, target: Target<'_, '_>, ahead: Ahead) {
    match values {
        Values::F32(values) => avx512_f32::run(values, &[], rows, target, ahead),
        Values::Int8(values, scales) => avx512_int8::run(values, scales, rows, target, ahead),
        Values::Bf16(_) => portable::<32>(values, rows, target, ahead),
    }
}

/// Needs AVX-512 BF16.
fn run_avx512_bf16(values: Values<'_>, rows: Transposed<'_>, target: Target<'_, '_>, ahead: Ahead) {
    match values {
        Values::Bf16(words) => avx512_bf16::run(words, &[], rows, target, ahead),
        _ => run_avx512(values, rows, target, ahead),
    }
}

/// The operations of kernels on two vectors, with the features they need.
macro_rules! vectors {
    ($name:ident, $features:literal, $lanes:literal, $vector:ident, $zero:ident, $load:ident,
     $store:ident, $add:ident, $mul:ident, $bytes:ident, $widen:ident, $float:ident) => {
        mod $name {
            use std::arch::x86_64::*;

            pub(super) type Vector = $vector;
            pub(super) const LANES: usize = $lanes;

            #[inline]
            #[target_feature(enable = $features)]
            pub(super) fn zero() -> Vector {
                $zero()
            }

            #[inline]
            #[target_feature(enable = $features)]
            pub(super) fn load(values: &[f32; 2 * LANES]) -> [Vector; 2] {
                // SAFETY: both reads are inside the array, and need no alignment.
                #[allow(unsafe_code)]
                unsafe {
                    [$load(values.as_ptr()), $load(values.as_ptr().add(LANES))]
                }
            }

            #[inline]
            #[target_feature(enable = $features)]
            pub(super) fn store(vectors: [Vector; 2], to: &mut [f32; 2 * LANES]) {
                // SAFETY: both writes are inside the array, and need no alignment.
                #[allow(unsafe_code)]
                unsafe {
                    $store(to.as_mut_ptr(), vectors[0]);
                    $store(to.as_mut_ptr().add(LANES), vectors[1]);
                }
            }

            #[inline]
            #[target_feature(enable = $features)]
            pub(super) fn add(a: [Vector; 2], b: [Vector; 2]) -> [Vector; 2] {
                [$add(a[0], b[0]), $add(a[1], b[1])]
            }

            /// Weights of float32 or bf16 as they are.
            #[inline]
            #[target_feature(enable = $features)]
            pub(super) fn plain(values: &[f32; 2 * LANES], _: [Vector; 2]) -> [Vector; 2] {
                load(values)
            }

            /// Int8 weights times their scales.
            #[inline]
            #[target_feature(enable = $features)]
            pub(super) fn scaled(values: &[i8; 2 * LANES], scales: [Vector; 2]) -> [Vector; 2] {
                // SAFETY: both reads are inside the array, and need no alignment.
                #[allow(unsafe_code)]
                let both = unsafe {
                    [$bytes(values.as_ptr().cast()), $bytes(values.as_ptr().add(LANES).cast())]
                };
                [$mul($float($widen(both[0])), scales[0]), $mul($float($widen(both[1])), scales[1])]
            }
        }
    };
}

vectors!(
    avx512,
    "avx512f",
    16,
    __m512,
    _mm512_setzero_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_add_ps,
    _mm512_mul_ps,
    _mm_loadu_si128,
    _mm512_cvtepi8_epi32,
    _mm512_cvtepi32_ps
);
vectors!(
    avx2,
    "avx2,fma",
    8,
    __m256,
    _mm256_setzero_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_add_ps,
    _mm256_mul_ps,
    _mm_loadl_epi64,
    _mm256_cvtepi8_epi32,
    _mm256_cvtepi32_ps
);

/// Prefetches what lies at an address: a cache line, or two if a row of the panel is longer than
/// one.
#[inline(always)]
fn fetch(at: *const i8, step: usize) {
    // SAFETY: it reads nothing, and cannot fail for any address.
    #[allow(unsafe_code)]
    unsafe {
        _mm_prefetch::<_MM_HINT_T0>(at);
        if step > LINE {
            _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(LINE));
        }
    }
}

/// A kernel for values of a type. `$expand` makes vectors of them, and `$multiply` adds their
/// products with one x to the sums.
macro_rules! kernel {
    ($name:ident, $vectors:ident, $features:literal, $value:ty, $expand:ident,
     |$x:ident, $weight:ident, $sum:ident| $multiply:expr) => {
        mod $name {
            use std::arch::x86_64::*;

            use super::$vectors::{$expand, LANES, Vector, add, load, store, zero};
            use super::{Ahead, Target, Transposed, fetch, for_rows};

            #[inline]
            #[target_feature(enable = $features)]
            fn multiply($x: f32, $weight: Vector, $sum: Vector) -> Vector {
                $multiply
            }

            #[target_feature(enable = $features)]
            fn product<const N: usize>(
                values: &[$value],
                scales: &[f32],
                x: &[f32],
                mut target: Target<'_, '_>,
                ahead: Ahead,
            ) {
                let scales = scales.first_chunk().map_or([zero(); 2], |scales| load(scales));
                let mut all = std::array::from_fn::<_, N, _>(|_| [zero(), zero()]);
                let values = values.as_chunks::<{ 2 * LANES }>().0;
                let mut next = ahead.at;
                for (values, x) in values.iter().zip(x.as_chunks::<N>().0) {
                    fetch(next, ahead.step);
                    next = next.wrapping_add(ahead.step);
                    let [first, second] = $expand(values, scales);
                    all = std::array::from_fn(|row| {
                        let [a, b] = all[row];
                        [multiply(x[row], first, a), multiply(x[row], second, b)]
                    });
                }
                let adds = target.adds;
                for (sums, row) in all.into_iter().zip(target.places()) {
                    store(if adds { add(load(row), sums) } else { sums }, row);
                }
            }

            #[target_feature(enable = $features)]
            fn any(
                values: &[$value],
                scales: &[f32],
                rows: Transposed<'_>,
                target: Target<'_, '_>,
                ahead: Ahead,
            ) {
                for_rows!(rows.n, N => product::<N>(values, scales, rows.x, target, ahead));
            }

            /// Only for machines with the features.
            pub(super) fn run(
                values: &[$value],
                scales: &[f32],
                rows: Transposed<'_>,
                target: Target<'_, '_>,
                ahead: Ahead,
            ) {
                // SAFETY: the code is safe, and its only condition are the features; `kernels`
                // gives it only to machines that have them.
                #[allow(unsafe_code)]
                unsafe {
                    any(values, scales, rows, target, ahead)
                }
            }
        }
    };
}

kernel!(avx2_f32, avx2, "avx2,fma", f32, plain, |x, weight, sum| _mm256_fmadd_ps(
    _mm256_set1_ps(x),
    weight,
    sum
));
kernel!(avx2_int8, avx2, "avx2,fma", i8, scaled, |x, weight, sum| _mm256_fmadd_ps(
    _mm256_set1_ps(x),
    weight,
    sum
));
kernel!(avx512_f32, avx512, "avx512f", f32, plain, |x, weight, sum| _mm512_fmadd_ps(
    _mm512_set1_ps(x),
    weight,
    sum
));
kernel!(avx512_int8, avx512, "avx512f", i8, scaled, |x, weight, sum| _mm512_fmadd_ps(
    _mm512_set1_ps(x),
    weight,
    sum
));
kernel!(avx512_bf16, avx512, "avx512f,avx512bf16", f32, plain, |x, weight, sum| {
    // SAFETY: the vectors have the same size, and all bits are allowed in them.
    #[allow(unsafe_code)]
    let [x, weight] =
        unsafe { std::mem::transmute::<[__m512; 2], [__m512bh; 2]>([_mm512_set1_ps(x), weight]) };
    _mm512_dpbf16_ps(sum, x, weight)
});
