//! The course of a note in time: how long it has been released, how it fades, and how much of it a
//! frame covers. It knows no network.

use super::features::{DRUM_S, FADE_S, TAIL_S};
use crate::ledger::Sounding;
use crate::parts::{At, of_note};
use crate::units::{HOP_SAMPLES, SAMPLE_RATE_HZ};

/// The age from which on a frame (a window of 40 ms around its centre) covers a note completely,
/// seconds.
pub const ATTACK_S: f64 = 0.02;
/// A note that rings out is removed once no band has more power than this, which is a hundredth of
/// the floor.
pub const FAINT_POWER: f32 = 1e-12;
/// The time in which a silenced note ends, seconds.
const CUT_S: f64 = 0.06;

/// The state of a note.
#[derive(Debug, Clone, Copy, Default)]
pub struct Kept {
    /// The serial number of the note; 0 for none.
    pub serial: u64,
    /// The time since its release in seconds, as the network is asked for it, and the stream time
    /// in seconds at which it was updated.
    pub rung_s: f64,
    pub until_s: f64,
    /// Whether it was too faint to be heard in the last frame, even at the highest level of its
    /// part.
    pub is_faint: bool,
}

impl Kept {
    /// The time since the release at `now_s` in seconds, as the network is asked for it.
    pub fn rung_s(&self, note: &Sounding, at: &At, now_s: f64) -> f64 {
        let Some(end_s) = note.end_s.filter(|_| !note.voice.is_drum) else { return self.rung_s };
        let since_s = (now_s - end_s.max(self.until_s)).max(0.0);
        self.rung_s + since_s / of_note::release(at)
    }
}

/// Interpolates powers in nats: `amount` of the way from `own` to `other`.
pub fn morph(own: &mut [f32], other: &[f32], amount: f32) {
    for (own, other) in own.iter_mut().zip(other) {
        let (a, b) = (own.max(FAINT_POWER).ln(), other.max(FAINT_POWER).ln());
        *own = (a + amount * (b - a)).exp();
    }
}

/// The factor of the power of a note at `now_s`. At its end its amplitude falls to zero by the cube
/// of the time left, that of a drum by the square, and once it is cut, linearly.
pub fn fade(note: &Sounding, rung_s: f64, now_s: f64) -> f32 {
    let cut = note.cut_s.map_or(1.0, |cut_s| 1.0 - (now_s - cut_s) / CUT_S).clamp(0.0, 1.0);
    let left_s = match (note.voice.is_drum, note.end_s) {
        (true, _) => note.start_s + DRUM_S - now_s,
        (false, None) => f64::INFINITY,
        (false, Some(_)) => TAIL_S - rung_s,
    };
    let left = (left_s / FADE_S).clamp(0.0, 1.0);
    let by = if note.voice.is_drum { 2 } else { 3 };
    (cut * left.powi(by)).powi(2) as f32
}

/// The share of a note in the Hann window of the front end, if it begins `age_s` seconds,
/// 0..=[`ATTACK_S`], before the centre of the window.
pub fn coverage(age_s: f64) -> f64 {
    let turn = age_s / (2.0 * ATTACK_S);
    0.5 + turn + (std::f64::consts::TAU * turn).sin() / std::f64::consts::TAU
}

/// The time at which a frame begins, which is the centre of the window of the frame before.
pub fn frame_start_s(index: u64) -> f64 {
    index as f64 * (HOP_SAMPLES as f64 / f64::from(SAMPLE_RATE_HZ))
}
