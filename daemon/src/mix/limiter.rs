//! Keeps samples below full scale: down at once, up again slowly, both sides alike. Knows no device
//! and no thread.
//!
//! # Real time
//! Allocates nothing and waits for nothing.

use super::Frame;

/// Nothing passes above this.
pub const CEILING: f32 = 0.97;
/// It recovers by a factor e in this time, seconds.
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
    /// The next sample of both sides; what is no number becomes silence.
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
