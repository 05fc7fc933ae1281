//! The level of the tone of a note, sample by sample, before any gain. It makes no sound.

use super::drums::tone_of;
use crate::ledger::Sounding;
use crate::units::{SAMPLE_RATE_HZ, TICK_SAMPLES};

/// The time in which a released note falls by the factor e, seconds.
const RELEASE_S: f64 = 0.25;
/// The time in which the rest of a note falls by the factor e once its key is struck again,
/// seconds.
const RESTRUCK_S: f64 = 0.02;
/// The level below which a released note is removed.
const FORGET: f64 = 1e-3;
/// The lowest level of a held note.
const HELD_FLOOR: f64 = 0.02;
/// The time in which a drum falls by the factor e, seconds.
pub const DRUM_S: f64 = 0.1;
/// The sample rate, Hz.
pub const RATE: f64 = SAMPLE_RATE_HZ as f64;

/// Whether the notes of a program fade while they are held: those of pianos, mallets, guitars,
/// basses, plucked strings and percussion do.
fn fades(program: u8) -> bool {
    matches!(program, 0..=15 | 24..=39 | 45..=47 | 104..=108 | 112..=119)
}

/// The time in which a note falls by the factor e after its release, seconds.
fn fall_s(note: &Sounding) -> f64 {
    match note.voice.is_drum {
        true => tone_of(note.voice).map_or(DRUM_S, |tone| tone.fall_s),
        false => RELEASE_S,
    }
}

/// The samples after the release of a note until it cannot be heard any more.
pub fn fall(note: &Sounding) -> f64 {
    -FORGET.ln() * fall_s(note) * RATE
}

/// The level of a note from a given sample on.
#[derive(Debug, Clone, Copy)]
pub struct Envelope {
    level: f64,
    /// The samples since the press.
    n: u64,
    down: u64,
    again: u64,
    held: [f64; 2],
    released: [f64; 2],
    rest: [f64; 2],
}

impl Envelope {
    /// The level of a note `n` samples after its press. `rung` of these samples count as released,
    /// and each later one counts as `1 / stretch`.
    pub fn new(note: &Sounding, n: u64, rung: f64, stretch: f64) -> Self {
        let decay = match fades(note.voice.program) && !note.voice.is_drum {
            true => 1.0 / (1.5 * RATE * ((60.0 - f64::from(note.voice.key)) / 24.0).exp2()),
            false => 0.0,
        };
        let release = 1.0 / (fall_s(note) * RATE);
        let restruck = 1.0 / (RESTRUCK_S * RATE);
        let down = note.down().unwrap_or(u64::MAX);
        let again = note.again.map_or(u64::MAX, |again| again.0.saturating_sub(note.first.0));
        Self {
            level: f64::from(note.velocity) / 127.0,
            n,
            down,
            again,
            held: [fallen(n.min(down) as f64 * decay), fallen(decay)],
            released: [fallen(rung * release), fallen(release / stretch)],
            rest: [fallen(n.saturating_sub(again) as f64 * restruck), fallen(restruck)],
        }
    }

    /// The level of the next sample.
    pub fn next(&mut self) -> f64 {
        let mut level = [0.0];
        self.fill(&mut level);
        level[0]
    }

    /// The levels of the next samples, a tick at most.
    pub fn fill(&mut self, levels: &mut [f64]) {
        let mut rest = levels;
        while !rest.is_empty() {
            // As far as nothing else begins.
            let next = [self.down, self.again].into_iter().filter(|at| *at > self.n).min();
            let count = next.map_or(rest.len(), |at| rest.len().min((at - self.n) as usize));
            let (now, later) = rest.split_at_mut(count);
            // Either it is held, or it falls; and its rest falls once its key is struck again.
            let falls_again = if self.n >= self.again { self.rest[1] } else { 1.0 };
            if self.n < self.down {
                let by = self.level * self.released[0];
                let [held, falls] = self.held;
                self.held[0] = fall_in(now, held, falls, |held| by * held.max(HELD_FLOOR));
            } else {
                let by = self.level * self.held[0].max(HELD_FLOOR);
                let [released, falls] = self.released;
                self.released[0] = fall_in(now, released, falls, |released| by * released);
            }
            let [rests, _] = self.rest;
            if (rests, falls_again) != (1.0, 1.0) {
                let mut rested = [1.0; TICK_SAMPLES];
                let rested = &mut rested[..count];
                self.rest[0] = fall_in(rested, rests, falls_again, |rests| rests);
                now.iter_mut().zip(rested).for_each(|(level, rests)| *level *= *rests);
            }
            self.n += count as u64;
            rest = later;
        }
    }
}

/// What is left after as many times the fall by the factor e.
fn fallen(times: f64) -> f64 {
    if times == 0.0 { 1.0 } else { (-times).exp() }
}

/// Fills levels `of` a value that falls by a factor from sample to sample. Returns the value after
/// them.
fn fall_in(levels: &mut [f64], value: f64, falls: f64, of: impl Fn(f64) -> f64) -> f64 {
    if falls == 1.0 {
        levels.fill(of(value));
        return value;
    }
    levels.iter_mut().fold(value, |value, level| {
        *level = of(value);
        value * falls
    })
}
