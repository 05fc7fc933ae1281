//! The note prior's network: rows of single notes at single times -> what each is made of. Knows no stream.

use tract_onnx::prelude::*;

use super::features;
use crate::denoise::DenoiseError;
use crate::engine::Plan;
use crate::graph::{FEATURES, GAINS, LOWEST_KEY, NOTE_ROWS, TABLE_KEYS, check_prior};
use crate::notes::Voice;
use crate::units::MEL_BINS;

/// Rows of one network call, so that memory stays small whatever is played.
pub(super) const ROWS: usize = 1024;
/// Gains stay in this range of nats.
const GAIN_RANGE: (f32, f32) = (-16.0, 8.0);
/// The row of the instrument table where drums begin.
const DRUMS: i64 = 128;

/// Rows asked for and rows answered, under one numbering: `kept` that outlive the next answer, then those of this batch.
#[derive(Debug)]
pub(super) struct Rows {
    plan: Plan,
    kept: usize,
    instruments: Vec<i64>,
    keys: Vec<i64>,
    notes: Vec<i64>,
    features: Vec<f32>,
    /// [kept + batch, tone and noise, 128]: by how much the power of a tone's profile is multiplied,
    /// and the mel power of a noise.
    powers: Vec<f32>,
}

impl Rows {
    /// Loads the network from ONNX bytes; `kept` rows are kept from batch to batch.
    pub fn load(bytes: &[u8], kept: usize) -> Result<Self, DenoiseError> {
        Ok(Self {
            plan: Plan::load("prior", bytes, check_prior)?,
            kept,
            instruments: Vec::with_capacity(ROWS),
            keys: Vec::with_capacity(ROWS),
            notes: Vec::with_capacity(ROWS),
            features: Vec::with_capacity(ROWS * FEATURES),
            powers: vec![0.0; kept * GAINS],
        })
    }

    /// Rows asked for since the last answer.
    pub fn asked(&self) -> usize {
        self.keys.len()
    }

    /// Asks for a note of `velocity` 1..=127, `age_s` after its press and `release_s` after its release (0: held); the row of the answer.
    pub fn ask(&mut self, voice: Voice, velocity: u8, age_s: f64, release_s: f64) -> usize {
        let key = i64::from(voice.key);
        self.instruments.push(if voice.is_drum { DRUMS + key } else { i64::from(voice.program) });
        self.keys.push(key);
        self.notes.push(table_row(voice));
        features::push(&mut self.features, velocity, age_s, release_s);
        self.kept + self.keys.len() - 1
    }

    /// Runs the network: from now on every row asked for has its power.
    pub fn answer(&mut self) -> Result<(), DenoiseError> {
        let count = self.keys.len();
        if count == 0 {
            return Ok(());
        }
        let inputs = tvec![
            self.plan.input(&[count], &self.instruments)?,
            self.plan.input(&[count], &self.keys)?,
            self.plan.input(&[count], &self.notes)?,
            self.plan.input(&[count, FEATURES], &self.features)?,
        ];
        let result = self.plan.run(inputs)?;
        let gains = self.plan.floats(&result[0], count * GAINS)?.chunks_exact(GAINS);
        self.powers.truncate(self.kept * GAINS);
        let power = |gain: &f32| (2.0 * gain.clamp(GAIN_RANGE.0, GAIN_RANGE.1)).exp();
        self.powers.extend(gains.flatten().map(power));
        self.forget();
        Ok(())
    }

    /// Forgets what was asked for and not answered.
    pub fn forget(&mut self) {
        self.instruments.clear();
        self.keys.clear();
        self.notes.clear();
        self.features.clear();
    }

    /// What an answered row is made of: factors for the power of a tone's profile [128], and the mel
    /// power of a noise [128].
    pub fn power(&self, row: usize) -> (&[f32], &[f32]) {
        let both = self.powers.get(row * GAINS..(row + 1) * GAINS).unwrap_or_default();
        both.split_at(MEL_BINS.min(both.len()))
    }

    /// Keeps an answered row as row `kept`, below the number that is kept.
    pub fn keep(&mut self, row: usize, kept: usize) {
        let from = row * GAINS;
        if row != kept && kept < self.kept && from + GAINS <= self.powers.len() {
            self.powers.copy_within(from..from + GAINS, kept * GAINS);
        }
    }
}

/// The row of the note table; keys beyond a piano's sound as its first and last.
fn table_row(voice: Voice) -> i64 {
    if voice.is_drum {
        return NOTE_ROWS as i64 - 1;
    }
    let key = usize::from(voice.key.saturating_sub(LOWEST_KEY)).min(TABLE_KEYS - 1);
    (usize::from(voice.program) * TABLE_KEYS + key) as i64
}
