//! Keeps samples below full scale: the gain falls at once and rises slowly, and is the same for
//! both sides. It knows no device and no thread.
//!
//! # Real time
//! It allocates nothing and waits for nothing.

use super::Frame;

/// The greatest amplitude of the output.
pub const CEILING: f32 = 0.97;
/// The time constant of the recovery, seconds.
const RELEASE_S: f32 = 0.15;

/// The state of a limiter.
#[derive(Debug, Clone)]
pub struct Limiter {
    gain: f32,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { gain: 1.0 }
    }
}

impl Limiter {
    /// Takes one sample of each side, and returns them limited. Samples that are not finite become
    /// silence.
    pub fn next(&mut self, sides: Frame, rate_hz: f32) -> Frame {
        let loudest = sides[0].abs().max(sides[1].abs());
        self.gain += (1.0 - self.gain) / (RELEASE_S * rate_hz);
        if loudest * self.gain > CEILING {
            self.gain = CEILING / loudest;
        }
        sides.map(|side| {
            let side = side * self.gain;
            if side.is_finite() { side } else { 0.0 }
        })
    }
}
