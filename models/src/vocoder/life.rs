//! How a held note lives: the vibrato, tremolo and beating that every key of every program has, and
//! what they do to its tone. Knows no stream and no network but a table.
//!
//! The same key lives in the same way each time it sounds, as the recording that the model learned
//! from does. Python twin: `models/training/timbre_training/life.py`; `measure_life.py` beside it
//! measures the table.

use std::f64::consts::{LN_2, TAU};

use crate::denoise::DenoiseError;
use crate::engine::Plan;
use crate::graph::{LIFE_COLUMNS, LOWEST_KEY, TABLE_KEYS, check_life};
use crate::notes::Voice;
use crate::units::SAMPLE_RATE_HZ;
use tract_onnx::prelude::*;

/// Samples between values of vibrato and tremolo; evenly in between.
const GRID: u64 = 32;
/// Voices of a tone: the main one and two beside it.
pub const VOICES: usize = 3;
/// The voices at the side: parts of their power, and of how far away they lie; their mean pitch is
/// the main one's. And where their periods begin, turns.
const SIDES: [(f64, f64, f64); VOICES - 1] = [(7.0 / 17.0, 1.0, 0.31), (10.0 / 17.0, -0.7, 0.73)];
/// Nats of frequency in a cent.
const CENT: f64 = LN_2 / 1200.0;

/// The lives of a model's notes.
#[derive(Debug)]
pub struct LifeTable {
    plan: Plan,
}

impl LifeTable {
    /// Loads the table from ONNX bytes.
    ///
    /// # Errors
    /// As [`crate::denoise::network::Network::load`], for the graph `life`.
    pub fn load(bytes: &[u8]) -> Result<Self, DenoiseError> {
        Ok(Self { plan: Plan::load("life", bytes, check_life)? })
    }

    /// How a note lives; drums do not.
    ///
    /// # Errors
    /// Whatever the engine says.
    pub fn life(&mut self, voice: Voice) -> Result<Life, DenoiseError> {
        if voice.is_drum {
            return Ok(Life::STILL);
        }
        let row = self.plan.input(&[1], &[row(voice)])?;
        let found = self.plan.run(tvec![row])?;
        Ok(Life::new(self.plan.floats(&found[0], LIFE_COLUMNS)?))
    }
}

/// The row of a voice; keys beyond a piano's live as its first and last.
fn row(voice: Voice) -> i64 {
    let key = usize::from(voice.key.saturating_sub(LOWEST_KEY)).min(TABLE_KEYS - 1);
    (usize::from(voice.program) * TABLE_KEYS + key) as i64
}

/// A part of a tone.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Of its waves.
    pub amplitude: f64,
    /// Multiple of the tone's frequency.
    pub by: f64,
    /// Where its periods begin, turns.
    pub turn: f64,
}

/// A sine that comes in.
#[derive(Debug, Clone, Copy)]
struct Sway {
    hz: f64,
    /// Cents or nats.
    size: f64,
    turn: f64,
}

/// How one note lives.
#[derive(Debug, Clone, Copy)]
pub struct Life {
    vibrato: Sway,
    tremolo: Sway,
    /// Seconds in which both come in.
    comes_s: f64,
    parts: [Part; VOICES],
    /// Parts that there are.
    count: usize,
}

impl Life {
    /// That of a note which does not move.
    pub const STILL: Self = Self {
        vibrato: Sway { hz: 0.0, size: 0.0, turn: 0.0 },
        tremolo: Sway { hz: 0.0, size: 0.0, turn: 0.0 },
        comes_s: 1.0,
        parts: [Part { amplitude: 1.0, by: 1.0, turn: 0.0 }; VOICES],
        count: 1,
    };

    /// Of a row of the table: rate (Hz), size (cents), coming (s) and turn of the vibrato, rate,
    /// size (nats) and turn of the tremolo, share of the power beside the main voice, and how far
    /// away it lies (cents).
    pub fn new(row: &[f32]) -> Self {
        let value = |i: usize| row.get(i).map_or(0.0, |v| f64::from(*v));
        let (share, cents) = (value(7).clamp(0.0, 1.0), value(8));
        let mut life = Self {
            vibrato: Sway { hz: value(0), size: value(1), turn: value(3) },
            tremolo: Sway { hz: value(4), size: value(5), turn: value(6) },
            comes_s: value(2).max(1e-3),
            ..Self::STILL
        };
        if share > 0.0 {
            life.count = VOICES;
            life.parts[0].amplitude = (1.0 - share).sqrt();
            for (part, (of, away, turn)) in life.parts.iter_mut().skip(1).zip(SIDES) {
                let by = (CENT * away * cents).exp();
                *part = Part { amplitude: (share * of).sqrt(), by, turn };
            }
        }
        life
    }

    /// What its tone is made of.
    pub fn parts(&self) -> &[Part] {
        self.parts.get(..self.count).unwrap_or_default()
    }

    /// Whether it neither sways nor beats.
    pub fn is_still(&self) -> bool {
        self.count == 1 && !self.sways()
    }

    fn sways(&self) -> bool {
        self.vibrato.hz > 0.0 || self.tremolo.size > 0.0
    }

    /// By how many turns vibrato has moved a tone of `hz`, and tremolo's factor, in each sample
    /// from `n` after the key press on, without end.
    pub fn swing_from(&self, n: u64, hz: f64) -> impl Iterator<Item = (f64, f64)> {
        let life = *self;
        let mut grid = n / GRID;
        let mut ends = [life.swing(grid, hz), life.swing(grid + 1, hz)];
        (n..).map(move |n| {
            if n / GRID != grid {
                grid = n / GRID;
                ends = [ends[1], life.swing(grid + 1, hz)];
            }
            let share = (n % GRID) as f64 / GRID as f64;
            let [(a, p), (b, q)] = ends;
            (a + share * (b - a), p + share * (q - p))
        })
    }

    /// The values at a point of the grid.
    fn swing(&self, grid: u64, hz: f64) -> (f64, f64) {
        if !self.sways() {
            return (0.0, 1.0);
        }
        let seconds = (grid * GRID) as f64 / f64::from(SAMPLE_RATE_HZ);
        let come = (seconds / self.comes_s).min(1.0);
        let Sway { hz: rate, size, turn } = self.vibrato;
        let turns = match rate > 0.0 {
            true => -hz * CENT * size / (TAU * rate) * come * (TAU * (rate * seconds + turn)).cos(),
            false => 0.0,
        };
        let Sway { hz: rate, size, turn } = self.tremolo;
        (turns, (size * come * (TAU * (rate * seconds + turn)).sin()).exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A vibrato of 5 Hz and 20 cents, a tremolo, voices 10 cents away.
    const ROW: [f32; LIFE_COLUMNS] = [5.0, 20.0, 0.5, 0.25, 4.0, 0.2, 0.0, 0.4, 10.0];

    #[test]
    fn the_mean_power_and_pitch_are_those_of_the_tone() {
        let life = Life::new(&ROW);
        let power: f64 = life.parts().iter().map(|p| p.amplitude.powi(2)).sum();
        let cents = |p: &Part| p.amplitude.powi(2) * p.by.ln() / CENT;
        let centre: f64 = life.parts().iter().map(cents).sum();
        assert!((power - 1.0).abs() < 1e-9, "{power}");
        assert!(centre.abs() < 1e-9, "{centre}");
        assert!(Life::new(&[0.0; LIFE_COLUMNS]).is_still() && !life.is_still());
    }

    #[test]
    fn a_vibrato_is_as_wide_as_the_table_says() {
        let hz = 440.0;
        let swung: Vec<f64> =
            Life::new(&ROW).swing_from(16_000, hz).map(|(t, _)| t).take(16_000).collect();
        let cents =
            |pair: &[f64]| (1.0 + (pair[1] - pair[0]) * f64::from(SAMPLE_RATE_HZ) / hz).ln() / CENT;
        let widest = swung.windows(2).map(cents).fold(0.0, f64::max);
        assert!((widest - 20.0).abs() < 0.5, "{widest}");
    }

    #[test]
    fn it_sways_alike_from_wherever_it_is_read() {
        let life = Life::new(&ROW);
        let whole: Vec<_> = life.swing_from(0, 440.0).take(2_000).collect();
        for n in [1, 31, 32, 333, 1_000] {
            let part: Vec<_> = life.swing_from(n, 440.0).take(500).collect();
            assert!(part.iter().zip(&whole[n as usize..]).all(|(a, b)| a == b), "from {n}");
        }
        assert_eq!(whole[0].1, 1.0);
    }
}
