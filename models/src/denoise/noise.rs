//! The noise of a denoising run. It knows no sampler; the same seed and hop give the same noise on
//! every machine, independent of earlier draws.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Standard normal noise for one denoising run.
pub trait NoiseSource {
    /// Fills `out` [L * 128] with the noise from which the run starts.
    fn start(&mut self, out: &mut [f32]);

    /// Fills `out` [L * 128] with the noise that the step `step` (0 is the noisiest) adds. Only
    /// samplers that use it call this, and never for the last step.
    fn fill(&mut self, step: usize, out: &mut [f32]);
}

/// ChaCha8, keyed by (seed, hop). Each step has its own part of the stream, so neither the sampler
/// nor the number of steps changes the noise of another step.
#[derive(Debug, Clone)]
pub struct SeededNoise {
    rng: ChaCha8Rng,
}

impl SeededNoise {
    /// The noise of hop `hop` of the stream with `seed`.
    pub fn new(seed: u64, hop: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(hop);
        Self { rng }
    }

    /// `part` 0 is the start, and 1 + step is a step. The 2^32 words of a part are far more than it
    /// can use.
    fn draw(&mut self, part: u128, out: &mut [f32]) {
        self.rng.set_word_pos(part << 32);
        for v in out {
            *v = StandardNormal.sample(&mut self.rng);
        }
    }
}

impl NoiseSource for SeededNoise {
    fn start(&mut self, out: &mut [f32]) {
        self.draw(0, out);
    }

    fn fill(&mut self, step: usize, out: &mut [f32]) {
        self.draw(1 + step as u128, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64, hop: u64, step: Option<usize>) -> Vec<f32> {
        let mut out = vec![0.0; 4096];
        let mut noise = SeededNoise::new(seed, hop);
        match step {
            None => noise.start(&mut out),
            Some(step) => noise.fill(step, &mut out),
        }
        out
    }

    #[test]
    fn the_same_key_gives_the_same_noise_and_another_key_another() {
        assert_eq!(drawn(7, 3, None), drawn(7, 3, None));
        assert_eq!(drawn(7, 3, Some(999)), drawn(7, 3, Some(999)));
        let all = [
            drawn(7, 3, None),
            drawn(8, 3, None),
            drawn(7, 4, None),
            drawn(7, 3, Some(0)),
            drawn(7, 3, Some(1)),
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|b| a != b));
        }
    }

    #[test]
    fn what_was_drawn_before_does_not_matter() {
        let mut noise = SeededNoise::new(1, 1);
        let mut out = vec![0.0; 77];
        noise.start(&mut out);
        noise.fill(2, &mut out);
        assert_eq!(out, drawn(1, 1, Some(2))[..77]);
    }

    #[test]
    fn it_is_standard_normal() {
        let x = drawn(5, 5, None);
        let n = x.len() as f32;
        let mean = x.iter().sum::<f32>() / n;
        let variance = x.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / n;
        assert!(mean.abs() < 0.06 && (variance - 1.0).abs() < 0.08, "{mean} {variance}");
    }
}
