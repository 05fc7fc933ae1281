//! Runs arithmetic with the widest vectors that the processor has. It knows no sound.
//!
//! Programs are built for the oldest processors of an architecture, whose vectors have four
//! numbers (SSE2, NEON). On x86-64 the same code is compiled a second time, for vectors of eight
//! (AVX2), and the program chooses between the two when it runs. Both give the same bits, as the
//! compiler neither reorders sums nor joins a product and a sum of its own accord.

use pulp::WithSimd;

/// Does some arithmetic. Its `with_simd` must be marked `#[inline(always)]`, as must what it calls:
/// only what is compiled into it is compiled for wide vectors.
#[inline]
pub fn wide<A: WithSimd>(arithmetic: A) -> A::Output {
    pulp::Arch::new().dispatch(arithmetic)
}

/// Adds `by` times some samples to as many sums.
#[inline(always)]
pub fn add_scaled<const N: usize>(sums: &mut [f32; N], by: f32, samples: &[f32; N]) {
    for n in 0..N {
        sums[n] += by * samples[n];
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use pulp::{Scalar, Simd};

    struct Sums<'a> {
        of: &'a [f32],
        sums: &'a mut [f32; 16],
    }

    impl WithSimd for Sums<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            for (n, row) in self.of.windows(16).enumerate() {
                add_scaled(self.sums, (n as f32).sqrt(), row.first_chunk().unwrap());
            }
        }
    }

    #[test]
    fn wide_vectors_give_the_same_bits() {
        let of: Vec<f32> = (0..500).map(|n| ((n * n) as f32).sin()).collect();
        let [mut narrow, mut by_processor] = [[0.0; 16]; 2];
        Sums { of: &of, sums: &mut narrow }.with_simd(Scalar);
        wide(Sums { of: &of, sums: &mut by_processor });
        assert_eq!(by_processor, narrow);
    }
}
