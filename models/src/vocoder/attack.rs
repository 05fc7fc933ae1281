//! The attack of a note: the shape of its sources in the first 120 ms. It knows no stream, and no
//! network except a table.
//!
//! A mel frame covers 40 ms of sound, so it does not tell when in it a note became loud. Recorded
//! instruments take 1 to 70 ms, and each key of each instrument has its own time. For every key of
//! every program and for every drum, the attack table of a model has the times at which the
//! amplitude first reaches 2, 10, 25, 50 and 90 % of its highest value in 80 ms. Python twin:
//! `models/training/timbre_training/attacks.py`.

use std::f64::consts::PI;

use crate::denoise::DenoiseError;
use crate::engine::Plan;
use crate::graph::{ATTACK_LEVELS, DRUM_ATTACKS, LOWEST_KEY, TABLE_KEYS, check_attacks};
use crate::notes::{Kits, Voice};
use crate::units::{FRAME_SAMPLES, HOP_SAMPLES, SAMPLE_RATE_HZ};
use tract_onnx::prelude::*;

/// The levels whose times the table has, as shares of the highest amplitude.
const LEVELS: [f64; ATTACK_LEVELS] = [0.02, 0.1, 0.25, 0.5, 0.9];
/// The level at which the rise begins, and how long before the first time it does, seconds.
const BEGINS: f64 = 0.001;
const BEFORE_S: f64 = 0.001;
/// The samples from the centre of the window of a frame to its end.
const HALF: f64 = FRAME_SAMPLES as f64 / 2.0;
/// The samples between the values of a shape.
const GRID: usize = 32;
/// The number of values in a shape, for 120 ms.
const SHAPES: usize = 61;
/// The samples after which a shape stays constant.
pub const SHAPED: u64 = (GRID * (SHAPES - 1)) as u64;
/// The most that a shape raises a source, nats.
const LOUDEST: f64 = 1.5;

/// The attack table of a model.
#[derive(Debug)]
pub struct AttackTable {
    plan: Plan,
    kits: Kits,
}

impl AttackTable {
    /// Loads the table of a model with these kits from ONNX bytes.
    ///
    /// # Errors
    /// As [`crate::denoise::network::Network::load`], for the graph `attacks`.
    pub fn load(bytes: &[u8], kits: Kits) -> Result<Self, DenoiseError> {
        let drums = kits.drums();
        let plan = Plan::load("attacks", bytes, |model| check_attacks(model, drums))?;
        Ok(Self { plan, kits })
    }

    /// The shape of a note whose key press lies `age` samples (1..=320) before the end of its
    /// frame.
    ///
    /// # Errors
    /// The inference engine failed.
    pub fn shape(&mut self, voice: Voice, age: u64) -> Result<Shape, DenoiseError> {
        let row = self.plan.input(&[1], &[row(voice, &self.kits)])?;
        let found = self.plan.run(tvec![row])?;
        Ok(Shape::new(self.plan.floats(&found[0], ATTACK_LEVELS)?, age))
    }
}

/// The row of a voice. Keys beyond those of a piano use its first and last key.
fn row(voice: Voice, kits: &Kits) -> i64 {
    if voice.is_drum {
        return (DRUM_ATTACKS + kits.number(voice)) as i64;
    }
    let key = usize::from(voice.key.saturating_sub(LOWEST_KEY)).min(TABLE_KEYS - 1);
    (usize::from(voice.program) * TABLE_KEYS + key) as i64
}

/// The rise of the amplitude of a note from 0 to 1, as points (seconds after the key press, nats)
/// with straight lines between them.
struct Rise([(f64, f64); ATTACK_LEVELS + 2]);

impl Rise {
    /// The rise for the times at which it reaches [`LEVELS`].
    fn new(attack: &[f32]) -> Self {
        let time = |i: usize| attack.get(i).map_or(0.0, |time_s| f64::from(*time_s));
        let mut points = [(time(0) - BEFORE_S, BEGINS.ln()); ATTACK_LEVELS + 2];
        for (i, (point, level)) in points.iter_mut().skip(1).zip(LEVELS).enumerate() {
            *point = (time(i), level.ln());
        }
        let (last, before) = (time(ATTACK_LEVELS - 1), time(ATTACK_LEVELS - 2));
        if let Some(end) = points.last_mut() {
            *end = (1.5 * last - 0.5 * before + BEFORE_S, 0.0);
        }
        let mut latest = f64::MIN;
        for (time, _) in &mut points {
            latest = latest.max(*time);
            *time = latest;
        }
        Self(points)
    }

    /// The amplitude at `time_s`; 0 before the key press.
    fn at(&self, time_s: f64) -> f64 {
        if time_s < 0.0 {
            return 0.0;
        }
        let behind = self.0.partition_point(|(time, _)| *time <= time_s);
        match (behind.checked_sub(1).and_then(|i| self.0.get(i)), self.0.get(behind)) {
            (Some((t0, l0)), Some((t1, l1))) => (l0 + (time_s - t0) / (t1 - t0) * (l1 - l0)).exp(),
            (None, _) => BEGINS,
            (_, None) => 1.0,
        }
    }
}

/// Factors for the first samples of a note.
#[derive(Debug, Clone, Copy)]
pub struct Shape([f32; SHAPES]);

impl Shape {
    /// The shape of a note without attack, which is as loud as its mel from the start.
    pub const NONE: Self = Self([1.0; SHAPES]);

    /// Divides the attack by what the gains, which follow the mel frame by frame, would make of it.
    ///
    /// The mel of a frame is its mean under a Hann window of 40 ms. In the frame of the key press
    /// the mel is raised as if the note had filled the window, but not above that of the first full
    /// frame (`crate::prior`, `struck`). From frame to frame the gains move evenly in nats, block
    /// by block, and within a block they move evenly.
    fn new(attack: &[f32], age: u64) -> Self {
        let age = age as f64;
        let hop = HOP_SAMPLES as f64;
        let rise = Rise::new(attack);
        let amplitude = |at: f64| rise.at(at / f64::from(SAMPLE_RATE_HZ));
        let window: Vec<(f64, f64)> = (0..2 * HALF as usize / (GRID / 2))
            .map(|i| (i * GRID / 2) as f64 - HALF + GRID as f64 / 4.0)
            .map(|at| (at, 0.5 + 0.5 * (PI * at / HALF).cos()))
            .collect();
        let sum = |weight: &dyn Fn(f64) -> f64| -> f64 {
            window.iter().map(|(at, by)| by * weight(*at)).sum()
        };
        let whole = sum(&|_| 1.0);
        let measured = |at: f64| sum(&|offset| amplitude(at + offset)) / whole;
        let coverage = sum(&|offset| if age + offset >= 0.0 { 1.0 } else { 0.0 }) / whole;
        let first = measured(HALF).min(measured(age) / coverage);
        let mut frame = 0;
        let mut before = first;
        let mut after = measured(age + hop);
        let mut values = [1.0; SHAPES];
        for (i, value) in values.iter_mut().enumerate() {
            let at = (i * GRID) as f64;
            while at > age + f64::from(frame + 1) * hop {
                frame += 1;
                (before, after) = (after, measured(age + f64::from(frame + 1) * hop));
            }
            let halfway = (before * after).sqrt();
            // The blocks since the end of the last frame; 0 before the first.
            let blocks = ((at - age - f64::from(frame) * hop) / (hop / 2.0)).max(0.0);
            let gains = match blocks < 1.0 {
                true => before + blocks * (halfway - before),
                false => halfway + (blocks - 1.0) * (after - halfway),
            };
            *value = (amplitude(at) / gains).min(LOUDEST.exp()) as f32;
        }
        Self(values)
    }

    /// The factor `n` samples after the key press.
    pub fn at(&self, n: u64) -> f64 {
        f64::from(between(&self.0, n as f64 / GRID as f64))
    }
}

/// Linear interpolation of `values` at `place`; outside of them the first or the last value.
fn between(values: &[f32], place: f64) -> f32 {
    let last = values.len().saturating_sub(1);
    let place = place.clamp(0.0, last as f64);
    let (i, share) = (place as usize, place.fract() as f32);
    let a = values.get(i).copied().unwrap_or(1.0);
    let b = values.get((i + 1).min(last)).copied().unwrap_or(a);
    a + share * (b - a)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_loud_at_once_stays_as_it_is() {
        for age in [1, 100, 320] {
            let shape = Shape::new(&[0.0; ATTACK_LEVELS], age);
            for n in 16..2_500 {
                let by = shape.at(n);
                assert!((by - 1.0).abs() < 0.1, "{n} samples after, {age}: {by}");
            }
        }
    }

    #[test]
    fn a_slow_attack_is_quiet_first_and_whole_at_last() {
        let attack = [0.005, 0.015, 0.025, 0.035, 0.05];
        for age in [160, 240, 320] {
            let shape = Shape::new(&attack, age);
            assert!(shape.at(0) < 0.5, "{}", shape.at(0));
            assert!((shape.at(1_920) - 1.0).abs() < 0.01, "{}", shape.at(1_920));
            assert!(shape.0.iter().all(|v| v.is_finite() && *v <= LOUDEST.exp() as f32));
        }
    }
}
