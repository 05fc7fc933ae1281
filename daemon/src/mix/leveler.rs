//! A slow compressor: it lowers passages that stay loud, so that the limiter behind it only has to
//! catch peaks. It knows nothing of where the sound comes from.

use super::{Frame, SIDES};

/// The threshold, -18 dBFS (root mean square), as an amplitude.
const THRESHOLD: f32 = 0.126;
/// The compression ratio: how many decibels above the threshold become one.
const RATIO: f32 = 4.0;
/// The time constant of the mean power, seconds.
const MEAN_S: f32 = 0.3;
/// The time constants of a gain that falls and of one that rises, seconds.
const FALL_S: f32 = 0.15;
const RISE_S: f32 = 3.0;
/// The least power in the logarithm.
const SILENCE: f32 = 1e-12;

/// The state of a leveler.
#[derive(Debug, Clone)]
pub struct Leveler {
    /// The weights of a sample in the mean power, in a falling gain and in a rising gain.
    shares: [f32; 3],
    power: f32,
    /// The gain as a natural logarithm.
    gain: f32,
}

impl Leveler {
    /// A leveler with a gain of 1.
    pub fn new(rate_hz: u32) -> Self {
        let share = |time_s: f32| 1.0 / (time_s * rate_hz as f32);
        Self { shares: [share(MEAN_S), share(FALL_S), share(RISE_S)], power: 0.0, gain: 0.0 }
    }

    /// The current gain, as an amplitude.
    pub fn gain(&self) -> f32 {
        self.gain.exp()
    }

    /// Takes one sample of each side, and returns them with the gain applied.
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
