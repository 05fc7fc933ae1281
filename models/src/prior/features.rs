//! The inputs of the network of the note prior for one note in one frame. It knows no network.
//!
//! Python twin: `features` in `models/training/timbre_training/prior.py`.

use crate::graph::FEATURES;

/// The time after which a released note is over, seconds.
pub(super) const TAIL_S: f64 = 2.5;
/// The time after which a drum is over, seconds.
pub(super) const DRUM_S: f64 = 3.0;
/// The length of the fade at the end of a note, seconds. Without it, a ringing note would be cut
/// off, and silence would never be reached.
pub(super) const FADE_S: f64 = 1.4;
/// The age at which older notes sound, too, seconds.
pub(super) const OLDEST_S: f64 = 10.0;
/// Added to a time before its logarithm is taken, seconds.
pub(super) const NEAR_S: f64 = 0.003;
/// The number and the range of the bumps over the logarithm of the age, of the time since the
/// release, and of the time that the key was down.
const BUMPS: [(usize, f64); 3] = [(20, OLDEST_S), (14, TAIL_S), (10, OLDEST_S)];

/// Appends the features of a note with `velocity` 1..=127, `age_s` after the key press and
/// `release_s` after the release (0 while it is held).
pub(super) fn push(out: &mut Vec<f32>, velocity: u8, age_s: f64, release_s: f64) {
    let end = out.len() + FEATURES;
    let level = f64::from(velocity) / 127.0;
    let (age_s, release_s) = (age_s.min(OLDEST_S), release_s.min(TAIL_S));
    out.extend([level, level.ln(), level * level].map(|v| v as f32));
    let [ages, releases, downs] = BUMPS;
    bumps(out, age_s, ages);
    if release_s > 0.0 {
        out.push(1.0);
        bumps(out, release_s, releases);
        bumps(out, (age_s - release_s).max(0.0), downs);
    }
    out.resize(end, 0.0);
}

/// `count` Gaussian bumps, evenly spaced over ln(t + 3 ms) up to `longest_s`, and as wide as their
/// distance.
fn bumps(out: &mut Vec<f32>, time_s: f64, (count, longest_s): (usize, f64)) {
    let (low, high) = (NEAR_S.ln(), (longest_s + NEAR_S).ln());
    let place = ((time_s + NEAR_S).ln() - low) / (high - low) * (count - 1) as f64;
    out.extend((0..count).map(|i| (-0.5 * (place - i as f64).powi(2)).exp() as f32));
}
