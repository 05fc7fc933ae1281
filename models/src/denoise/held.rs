//! Holds frames that are known already, while the frames after them are denoised. It knows no
//! network and no stream.
//!
//! Before each step, the beginning of the target is replaced by the known frames with the noise of
//! the level of that step, as a network that was trained on whole targets expects (inpainting by
//! replacement: Song et al. 2021, "Score-based generative modeling", section 5; Lugmayr et al.
//! 2022).

use super::schedule::Level;

/// The known frames at the beginning of a target.
#[derive(Debug)]
pub struct Held<'a> {
    frames: &'a [f32],
    /// The noise of these frames. It is that of the start of the run, and the same at every level,
    /// as along the path of a deterministic sampler.
    noise: Vec<f32>,
}

impl<'a> Held<'a> {
    /// Holds `frames` [P * 128], the first ones of the target.
    pub fn new(frames: &'a [f32]) -> Self {
        Self { frames, noise: vec![] }
    }

    /// Overwrites the first frames of `z`, which is at `level`. The first call of a run must have
    /// the noise from which the run starts.
    pub fn put(&mut self, level: &Level, z: &mut [f32]) {
        if self.noise.is_empty() {
            self.noise.extend(z.iter().take(self.frames.len()));
        }
        for ((z, known), noise) in z.iter_mut().zip(self.frames).zip(&self.noise) {
            *z = (level.alpha * f64::from(*known) + level.sigma * f64::from(*noise)) as f32;
        }
    }
}
