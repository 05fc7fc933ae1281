//! Brings what is loud for a while down slowly, so that the limiter behind it only meets peaks.
//! Knows no sound.

use super::{Frame, SIDES};

/// Loudness above this, root of the mean square, comes down: -18 dBFS.
const THRESHOLD: f32 = 0.126;
/// Of so many decibels above it one is left.
const RATIO: f32 = 4.0;
/// Loudness is a mean over about this time, seconds.
const MEAN_S: f32 = 0.3;
/// The gain falls within about this time, seconds, and rises within `RISE_S`.
const FALL_S: f32 = 0.15;
const RISE_S: f32 = 3.0;
/// Less than this is silence.
const SILENCE: f32 = 1e-12;

/// The state of a leveler.
#[derive(Debug, Clone)]
pub struct Leveler {
    /// Share of a sample in the mean, and of the way of the gain down and up.
    shares: [f32; 3],
    power: f32,
    /// Nats.
    gain: f32,
}

impl Leveler {
    /// At rest.
    pub fn new(rate_hz: u32) -> Self {
        let share = |time_s: f32| 1.0 / (time_s * rate_hz as f32);
        Self { shares: [share(MEAN_S), share(FALL_S), share(RISE_S)], power: 0.0, gain: 0.0 }
    }

    /// The gain in force.
    pub fn gain(&self) -> f32 {
        self.gain.exp()
    }

    /// The next sample of both sides.
    pub fn next(&mut self, sides: Frame) -> Frame {
        let power = sides.iter().map(|side| side * side).sum::<f32>() / SIDES as f32;
        let [mean, fall, rise] = self.shares;
        let power = if power.is_finite() { power } else { 0.0 };
        self.power += mean * (power - self.power);
        let above = 0.5 * (self.power.max(SILENCE) / (THRESHOLD * THRESHOLD)).ln();
        let wanted = -above.max(0.0) * (1.0 - 1.0 / RATIO);
        self.gain += if wanted < self.gain { fall } else { rise } * (wanted - self.gain);
        let gain = self.gain();
        sides.map(|side| side * gain)
    }
}
