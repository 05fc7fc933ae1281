//! The settings: channel strips, master and engine, as plain values that are published as a whole.
//! It knows no transport and no model. Ranges are in the table.

use serde::{Deserialize, Serialize};

use crate::error::{Code, ControlError};
use crate::parameters::{CHANNELS, Id, Key, find, ids};
use crate::value::Value;

/// All settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The channel strips, that of MIDI channel 1 first.
    pub channels: [Channel; CHANNELS],
    /// The sum of all channels.
    pub master: Master,
    /// The reverb.
    pub reverb: Reverb,
    /// The chorus.
    pub chorus: Chorus,
    /// Quality and latency.
    pub engine: Engine,
}

/// One channel strip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Channel {
    /// Level in dB.
    pub gain: f64,
    /// How many semitones are added to every key.
    pub transpose: i32,
    /// Whether it is silent.
    pub mute: bool,
    /// Whether only this channel and others with solo are heard.
    pub solo: bool,
    /// Whether MIDI on the channel is heard.
    pub enable: bool,
    /// The exponent for velocity / 127.
    pub velocity_curve: f64,
    /// Whether breath (controller 2) sets the volume.
    pub breath: bool,
    /// The pan position of the outermost keys, 0..=1; keys between them are spread evenly.
    pub spread: f64,
    /// The morph of its notes to another instrument.
    pub morph: Morph,
}

/// A morph of notes to another instrument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Morph {
    /// General MIDI program of the other instrument.
    pub program: u32,
    /// How much of the other instrument is heard, 0..=1.
    pub amount: f64,
    /// How much full pressure adds to it, 0..=1.
    pub pressure: f64,
}

/// The reverb.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reverb {
    /// The type of the room, one of the choices of the table.
    #[serde(rename = "type")]
    pub kind: String,
    /// The time in which it falls by 60 dB, seconds.
    pub time: f64,
    /// How much faster high frequencies fall, 0..=1.
    pub damping: f64,
    /// Level in dB.
    pub level: f64,
}

/// The chorus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Chorus {
    /// The rate of the modulation of its voices, Hz.
    pub rate: f64,
    /// The depth of the modulation of its voices, ms.
    pub depth: f64,
    /// Level in dB.
    pub level: f64,
}

impl Default for Reverb {
    fn default() -> Self {
        Self { kind: "room".to_owned(), time: 1.2, damping: 0.5, level: 0.0 }
    }
}

impl Default for Chorus {
    fn default() -> Self {
        Self { rate: 0.4, depth: 5.0, level: 0.0 }
    }
}

/// The sum of all channels.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Master {
    /// Level in dB.
    pub gain: f64,
    /// Whether it is silent.
    pub mute: bool,
}

/// Quality and latency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Engine {
    /// Denoising steps for each hop; 0 leaves them to the model.
    pub steps: u32,
    /// Guidance weight; none leaves it to the model.
    pub guidance: Option<f64>,
    /// The method of a step, one of the choices of the table; none leaves it to the model.
    pub sampler: Option<String>,
    /// Hop length in ms; none leaves it to the model.
    pub hop_ms: Option<f64>,
    /// Seed of all noise.
    pub seed: u64,
    /// Whether steps are left out when the processor would be late.
    pub governor: bool,
}

impl Default for Channel {
    fn default() -> Self {
        Self {
            gain: 0.0,
            transpose: 0,
            mute: false,
            solo: false,
            enable: true,
            velocity_curve: 1.0,
            breath: false,
            spread: 0.0,
            morph: Morph::default(),
        }
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self { steps: 0, guidance: None, sampler: None, hop_ms: None, seed: 0, governor: true }
    }
}

impl Settings {
    /// The value at an OSC address.
    ///
    /// # Errors
    /// Nothing is at that address, or it is not part of the settings.
    pub fn get(&self, address: &str) -> Result<Value, ControlError> {
        self.value(find(address)?).ok_or_else(|| not_a_setting(address))
    }

    /// Sets the value at an OSC address; numbers are clamped to the range.
    ///
    /// # Errors
    /// Nothing is at that address, it cannot be set here, or the value is of another type.
    pub fn set(&mut self, address: &str, value: &Value) -> Result<(), ControlError> {
        self.set_value(find(address)?, value)
    }

    /// A value; none if it is not part of the settings.
    pub fn value(&self, id: Id) -> Option<Value> {
        let strip = self.channels.get(id.channel)?;
        let optional = |x: Option<f64>| x.map_or(Value::Model, Value::Number);
        Some(match id.parameter.key {
            Key::Gain => Value::Number(strip.gain),
            Key::Transpose => Value::Whole(strip.transpose.into()),
            Key::Mute => Value::Bool(strip.mute),
            Key::Solo => Value::Bool(strip.solo),
            Key::Enable => Value::Bool(strip.enable),
            Key::VelocityCurve => Value::Number(strip.velocity_curve),
            Key::Breath => Value::Bool(strip.breath),
            Key::Spread => Value::Number(strip.spread),
            Key::MorphProgram => Value::Whole(strip.morph.program.into()),
            Key::MorphAmount => Value::Number(strip.morph.amount),
            Key::MorphPressure => Value::Number(strip.morph.pressure),
            Key::ReverbType => Value::Text(self.reverb.kind.clone()),
            Key::ReverbTime => Value::Number(self.reverb.time),
            Key::ReverbDamping => Value::Number(self.reverb.damping),
            Key::ReverbLevel => Value::Number(self.reverb.level),
            Key::ChorusRate => Value::Number(self.chorus.rate),
            Key::ChorusDepth => Value::Number(self.chorus.depth),
            Key::ChorusLevel => Value::Number(self.chorus.level),
            Key::MasterGain => Value::Number(self.master.gain),
            Key::MasterMute => Value::Bool(self.master.mute),
            Key::Steps => Value::Whole(self.engine.steps.into()),
            Key::Guidance => optional(self.engine.guidance),
            Key::Sampler => match &self.engine.sampler {
                Some(name) => Value::Text(name.clone()),
                None => Value::Model,
            },
            Key::HopMs => optional(self.engine.hop_ms),
            Key::Seed => Value::Whole(i64::try_from(self.engine.seed).unwrap_or(i64::MAX)),
            Key::Governor => Value::Bool(self.engine.governor),
            Key::Program
            | Key::Instrument
            | Key::Controller(_)
            | Key::MeterPart
            | Key::NotesPart
            | Key::Model
            | Key::LatencyMs
            | Key::Load
            | Key::Misses
            | Key::Underruns
            | Key::StepsNow
            | Key::HopNow
            | Key::MeterMaster
            | Key::Record => return None,
        })
    }

    /// Sets a value; numbers are clamped to the range.
    ///
    /// # Errors
    /// It cannot be set here, or the value is of another type.
    pub fn set_value(&mut self, id: Id, value: &Value) -> Result<(), ControlError> {
        let value = id.parameter.accept(value)?;
        let strip =
            self.channels.get_mut(id.channel).ok_or_else(|| not_a_setting(&id.address()))?;
        match (id.parameter.key, value) {
            (Key::Gain, Value::Number(x)) => strip.gain = x,
            (Key::Transpose, Value::Whole(x)) => strip.transpose = i32::try_from(x).unwrap_or(0),
            (Key::Mute, Value::Bool(x)) => strip.mute = x,
            (Key::Solo, Value::Bool(x)) => strip.solo = x,
            (Key::Enable, Value::Bool(x)) => strip.enable = x,
            (Key::VelocityCurve, Value::Number(x)) => strip.velocity_curve = x,
            (Key::Breath, Value::Bool(x)) => strip.breath = x,
            (Key::Spread, Value::Number(x)) => strip.spread = x,
            (Key::MorphProgram, Value::Whole(x)) => {
                strip.morph.program = u32::try_from(x).unwrap_or(0);
            }
            (Key::MorphAmount, Value::Number(x)) => strip.morph.amount = x,
            (Key::MorphPressure, Value::Number(x)) => strip.morph.pressure = x,
            (Key::ReverbType, Value::Text(name)) => self.reverb.kind = name,
            (Key::ReverbTime, Value::Number(x)) => self.reverb.time = x,
            (Key::ReverbDamping, Value::Number(x)) => self.reverb.damping = x,
            (Key::ReverbLevel, Value::Number(x)) => self.reverb.level = x,
            (Key::ChorusRate, Value::Number(x)) => self.chorus.rate = x,
            (Key::ChorusDepth, Value::Number(x)) => self.chorus.depth = x,
            (Key::ChorusLevel, Value::Number(x)) => self.chorus.level = x,
            (Key::MasterGain, Value::Number(x)) => self.master.gain = x,
            (Key::MasterMute, Value::Bool(x)) => self.master.mute = x,
            (Key::Steps, Value::Whole(x)) => self.engine.steps = u32::try_from(x).unwrap_or(0),
            (Key::Guidance, Value::Number(x)) => self.engine.guidance = Some(x),
            (Key::Guidance, Value::Model) => self.engine.guidance = None,
            (Key::Sampler, Value::Text(name)) => self.engine.sampler = Some(name),
            (Key::Sampler, Value::Model) => self.engine.sampler = None,
            (Key::HopMs, Value::Number(x)) => self.engine.hop_ms = Some(x),
            (Key::HopMs, Value::Model) => self.engine.hop_ms = None,
            (Key::Seed, Value::Whole(x)) => self.engine.seed = u64::try_from(x).unwrap_or(0),
            (Key::Governor, Value::Bool(x)) => self.engine.governor = x,
            _ => return Err(not_a_setting(&id.address())),
        }
        Ok(())
    }

    /// The same with every number in its range. Values that are not numbers or no choices become
    /// the defaults.
    #[must_use]
    pub fn clamped(&self) -> Self {
        let mut clamped = Self::default();
        for id in ids() {
            if let Some(value) = self.value(id) {
                // A value that is refused stays at its default.
                let _ = clamped.set_value(id, &value);
            }
        }
        // Seeds above the OSC range are kept.
        clamped.engine.seed = self.engine.seed;
        clamped
    }
}

fn not_a_setting(address: &str) -> ControlError {
    ControlError::new(Code::ReadOnly, format!("{address} can be asked for and not set"))
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
