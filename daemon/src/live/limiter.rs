//! Keeps samples below full scale: down at once, up again slowly. Knows no device and no thread.
//!
//! # Real time
//! Allocates nothing and waits for nothing.

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
    /// The next sample; what is no number becomes silence.
    pub fn next(&mut self, sample: f32, rate_hz: f32) -> f32 {
        self.gain += (1.0 - self.gain) / (RELEASE_S * rate_hz);
        if sample.abs() * self.gain > CEILING {
            self.gain = CEILING / sample.abs();
        }
        let sample = sample * self.gain;
        if sample.is_finite() { sample } else { 0.0 }
    }
}
