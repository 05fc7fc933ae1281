//! The options of note tokens, which the manifest of a bundle chooses. It does not encode anything.

use serde::{Deserialize, Serialize};

use crate::notes::Voice;
use crate::units::STEPS_PER_SECOND;

/// How times are rounded to 10 ms token steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// To the nearest step, half to even, after the product in f64: Python's
    /// `round(seconds * 100)`.
    #[default]
    Nearest,
    /// Down, so that an event never moves to a later hop than its own:
    /// `floor(seconds * 100 + 1e-6)`.
    Floor,
}

/// How held keys are written before the tie token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldStyle {
    /// Program and pitch, as in the published models.
    #[default]
    Key,
    /// Program and velocity where they change, the age as a shift ([`super::age_token`]), and the
    /// pitch.
    KeyVelocityAge,
}

/// The programs that a model knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProgramMap {
    /// All programs.
    #[default]
    None,
    /// The classes of Slakh2100 ([`SLAKH_PROGRAMS`]), because the published weights were trained on
    /// nothing else.
    Slakh,
}

/// For each program, the highest Slakh class program that is not above it, as in the published
/// notebook.
#[rustfmt::skip]
pub const SLAKH_PROGRAMS: [u8; 128] = [
    0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 8, 8, 8, 8,
    16, 16, 16, 16, 16, 16, 16, 16, 24, 24, 26, 26, 26, 29, 29, 29,
    32, 33, 33, 33, 33, 33, 33, 33, 40, 41, 42, 43, 43, 43, 46, 47,
    48, 48, 50, 50, 52, 52, 52, 55, 56, 57, 58, 58, 60, 61, 61, 61,
    64, 64, 66, 67, 68, 69, 70, 71, 71, 73, 73, 73, 73, 73, 73, 73,
    80, 80, 80, 80, 80, 80, 80, 80, 88, 88, 88, 88, 88, 88, 88, 88,
    88, 88, 88, 88, 88, 88, 88, 88, 88, 88, 88, 88, 88, 88, 88, 88,
    88, 88, 88, 88, 88, 88, 88, 88, 88, 88, 88, 88, 88, 88, 88, 88,
];

/// The options of note tokens that differ between models. The default is that of the published
/// model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct TokenOptions {
    /// The number of velocity classes, 1..=127; with 1 there are only on and off.
    pub velocity_bins: u16,
    /// The most ids in a segment, without the end token; at least 1 (the tie token). The published
    /// models have 2047.
    pub max_tokens: usize,
    /// How times are rounded to steps.
    pub rounding: Rounding,
    /// How held keys are written.
    pub held: HeldStyle,
    /// How programs are mapped when events enter the timeline.
    pub program_map: ProgramMap,
}

impl Default for TokenOptions {
    fn default() -> Self {
        Self {
            velocity_bins: 1,
            max_tokens: 2047,
            rounding: Rounding::default(),
            held: HeldStyle::default(),
            program_map: ProgramMap::default(),
        }
    }
}

/// A field of [`TokenOptions`] is out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// The number of velocity bins is out of range.
    #[error("velocity_bins is {found}, wanted 1..=127")]
    VelocityBins {
        /// The value.
        found: u16,
    },
    /// Not even the tie token would fit.
    #[error("max_tokens is 0, wanted at least 1 (the published models: 2047)")]
    MaxTokens,
}

impl TokenOptions {
    /// Checks the ranges of all fields.
    ///
    /// # Errors
    /// The first field that is out of range.
    pub fn validate(&self) -> Result<(), OptionsError> {
        if !(1..=127).contains(&self.velocity_bins) {
            return Err(OptionsError::VelocityBins { found: self.velocity_bins });
        }
        if self.max_tokens == 0 {
            return Err(OptionsError::MaxTokens);
        }
        Ok(())
    }

    /// The 10 ms token step of a time in seconds. Negative times and NaN give 0.
    pub fn step(&self, time_s: f64) -> u64 {
        let steps = time_s * STEPS_PER_SECOND;
        match self.rounding {
            Rounding::Nearest => steps.round_ties_even() as u64,
            Rounding::Floor => (steps + 1e-6).floor() as u64,
        }
    }

    /// The voice with the program that the model knows. Drums stay as they are.
    pub fn map_voice(&self, voice: Voice) -> Voice {
        match (self.program_map, SLAKH_PROGRAMS.get(usize::from(voice.program))) {
            (ProgramMap::Slakh, Some(&program)) if !voice.is_drum => Voice { program, ..voice },
            _ => voice,
        }
    }
}
