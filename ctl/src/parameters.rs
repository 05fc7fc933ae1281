//! One parameter: its name, unit, range, default, help, and how text and values become values of
//! it. Knows no transport; the rows themselves are in `table`.

use std::ops::RangeInclusive;

use crate::action::ACTIONS;
use crate::error::{Code, ControlError};
use crate::table;
pub use crate::table::{GUIDANCE, HOP_MS, PARAMETERS, SAMPLER, SEED, STEPS};
use crate::value::{MODEL_WORD, Value};

/// MIDI channels; addresses and texts count them from 1.
pub const CHANNELS: usize = 16;

/// What stands for the channel in an address.
pub const CHANNEL_PLACE: &str = "{n}";

/// What type of value a parameter has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number.
    Number,
    /// A whole number.
    Whole,
    /// On or off.
    Bool,
    /// A text.
    Text,
    /// Two numbers.
    Pair,
}

/// What it takes to change a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Set while playing; part of the settings.
    Live,
    /// Set at the next start; part of the settings.
    Restart,
    /// Set while playing by a MIDI message; not part of the settings, as MIDI changes it too.
    Midi,
    /// Set while playing, which takes its time and is answered when it is done; not part of the
    /// settings.
    Command,
    /// Can be asked for and not set.
    Read,
}

/// Which value a row of the table is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is documented by the help of its row")]
pub enum Key {
    Program,
    Instrument,
    /// A MIDI controller, by its number.
    Controller(u8),
    MorphProgram,
    MorphAmount,
    MorphPressure,
    Breath,
    Spread,
    MeterPart,
    NotesPart,
    ReverbType,
    ReverbTime,
    ReverbDamping,
    ReverbLevel,
    ChorusRate,
    ChorusDepth,
    ChorusLevel,
    Gain,
    Transpose,
    Mute,
    Solo,
    Enable,
    VelocityCurve,
    MasterGain,
    MasterMute,
    Model,
    Steps,
    Guidance,
    Sampler,
    HopMs,
    Seed,
    Governor,
    LatencyMs,
    Load,
    Misses,
    Underruns,
    StepsNow,
    HopNow,
    MeterMaster,
    Record,
}

/// One thing that can be set or asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameter {
    /// Which value it is.
    pub key: Key,
    /// OSC address; `{n}` stands for the channel, 1 to 16.
    pub address: &'static str,
    /// Last part of the address, also the key in a config file and the flag's name with `-` for
    /// `_`.
    pub name: &'static str,
    /// Type of the value.
    pub kind: Kind,
    /// Unit, empty where there is none.
    pub unit: &'static str,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// The texts that can be set; empty where any can.
    pub choices: &'static [&'static str],
    /// The default in words; empty for what can only be asked for.
    pub default: &'static str,
    /// Whether it can be left to the model, with the word `model` or, where 0 is below the range,
    /// 0.
    pub optional: bool,
    /// What it takes to change it.
    pub access: Access,
    /// One line that teaches.
    pub help: &'static str,
}

/// One value: a row of the table and, where the row is about channels, which one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Id {
    /// The row.
    pub parameter: &'static Parameter,
    /// The channel counted from 0; 0 where the row is not about channels.
    pub channel: usize,
}

impl Parameter {
    /// A number from text, inside the range.
    ///
    /// # Errors
    /// Says what was found and what was wanted.
    pub fn parse(&self, text: &str) -> Result<f64, String> {
        let value: f64 = text.trim().parse().map_err(|_| self.wanted_number())?;
        let whole = self.kind == Kind::Whole;
        let fits = (self.min..=self.max).contains(&value) && !(whole && value.fract() != 0.0);
        if fits { Ok(value) } else { Err(self.wanted_number()) }
    }

    /// A value from text, inside the range.
    ///
    /// # Errors
    /// Says what was wanted.
    pub fn parse_value(&self, text: &str) -> Result<Value, String> {
        let text = text.trim();
        let below = self.kind == Kind::Number && self.min > 0.0 && text.parse() == Ok(0.0);
        if self.optional && (text == MODEL_WORD || below) {
            return self.accept(&Value::Model).map_err(|e| e.text);
        }
        match self.kind {
            Kind::Number => self.parse(text).map(Value::Number).map_err(|_| self.wanted()),
            // Not through f64, which has no place for all digits of a seed.
            Kind::Whole => match text.parse() {
                Ok(value) if self.whole_limits().contains(&value) => Ok(Value::Whole(value)),
                _ => Err(self.wanted()),
            },
            Kind::Bool => match text.to_ascii_lowercase().as_str() {
                "on" | "true" | "yes" | "1" => Ok(Value::Bool(true)),
                "off" | "false" | "no" | "0" => Ok(Value::Bool(false)),
                _ => Err(self.wanted()),
            },
            Kind::Text => self.choose(text).ok_or_else(|| self.wanted()),
            Kind::Pair => Err(self.wanted()),
        }
    }

    /// The value as this parameter has it: of its type, numbers clamped to the range and rounded
    /// where it is whole.
    ///
    /// # Errors
    /// A value of another type, or not a number.
    pub fn accept(&self, value: &Value) -> Result<Value, ControlError> {
        let number = match value {
            Value::Number(x) => Some(*x),
            Value::Whole(x) => Some(*x as f64),
            Value::Bool(x) => Some(f64::from(u8::from(*x))),
            _ => None,
        };
        // The bottom of a fader may be minus infinity; anything else that is not finite is a fault
        // of the sender.
        let is_bottom = |x: f64| x == f64::NEG_INFINITY && self.unit == "dB";
        if let Some(x) = number.filter(|x| !x.is_finite() && !is_bottom(*x)) {
            let found = if x.is_nan() { "not-a-number".to_owned() } else { x.to_string() };
            return Err(ControlError::new(
                Code::BadValue,
                format!("found {found}, {}", self.wanted()),
            ));
        }
        let below = number == Some(0.0) && self.kind == Kind::Number && self.min > 0.0;
        let left = matches!(value, Value::Model) || below;
        let word = matches!(value, Value::Text(text) if text.eq_ignore_ascii_case(MODEL_WORD));
        match (self.kind, number, value) {
            _ if self.optional && (left || word) => Ok(match self.kind {
                Kind::Whole => Value::Whole(0),
                _ => Value::Model,
            }),
            (Kind::Number, Some(x), _) => Ok(Value::Number(x.clamp(self.min, self.max))),
            (Kind::Whole, _, Value::Whole(x)) => {
                let limits = self.whole_limits();
                Ok(Value::Whole(*x.clamp(&limits.start().to_owned(), limits.end())))
            }
            (Kind::Whole, Some(x), _) => {
                Ok(Value::Whole(x.round().clamp(self.min, self.max) as i64))
            }
            (Kind::Bool, Some(x), _) => Ok(Value::Bool(x != 0.0)),
            (Kind::Text, _, Value::Text(text)) => self.choose(text).ok_or_else(|| {
                let shown: String = text.chars().take(80).collect();
                ControlError::new(Code::BadValue, format!("found {shown}, {}", self.wanted()))
            }),
            _ => Err(ControlError::new(
                Code::WrongArguments,
                format!("found {}, {}", value.kind_name(), self.wanted()),
            )),
        }
    }

    /// The text as a value, if it can be set; capitals do not matter where there are choices.
    fn choose(&self, text: &str) -> Option<Value> {
        let chosen = match self.choices {
            [] => Some(text),
            all => all.iter().find(|choice| choice.eq_ignore_ascii_case(text)).copied(),
        };
        chosen.map(|text| Value::Text(text.to_owned()))
    }

    /// The range in whole numbers.
    pub const fn whole_range(&self) -> RangeInclusive<u64> {
        self.min as u64..=self.max as u64
    }

    /// Whether there is one of it for each channel.
    pub fn per_channel(&self) -> bool {
        self.address.contains(CHANNEL_PLACE)
    }

    /// Whether it can be set.
    pub fn settable(&self) -> bool {
        self.access != Access::Read
    }

    /// What can be set, in words.
    pub fn wanted(&self) -> String {
        match self.kind {
            Kind::Number | Kind::Whole if self.optional => {
                format!("{}, or the word {MODEL_WORD}", self.wanted_number())
            }
            Kind::Number | Kind::Whole => self.wanted_number(),
            Kind::Bool => "wanted on or off".to_owned(),
            Kind::Text if self.choices.is_empty() => "wanted a text".to_owned(),
            Kind::Text if !self.optional => format!("wanted one of {}", self.choices.join(", ")),
            Kind::Text => format!("wanted {}, or the word {MODEL_WORD}", self.choices.join(", ")),
            Kind::Pair => "it can only be asked for".to_owned(),
        }
    }

    fn wanted_number(&self) -> String {
        let kind = if self.kind == Kind::Whole { "a whole number" } else { "a number" };
        let text = format!("wanted {kind} from {} to {} {}", self.min, self.max, self.unit);
        text.trim_end().to_owned()
    }

    fn whole_limits(&self) -> RangeInclusive<i64> {
        self.min as i64..=self.max as i64
    }
}

impl Id {
    /// The OSC address, with its channel.
    pub fn address(&self) -> String {
        self.parameter.address.replace(CHANNEL_PLACE, &(self.channel + 1).to_string())
    }
}

/// Every value there is, in the order of the table, channels together.
pub fn ids() -> impl Iterator<Item = Id> {
    table::PARAMETERS.iter().flat_map(|parameter| {
        let channels = if parameter.per_channel() { CHANNELS } else { 1 };
        (0..channels).map(move |channel| Id { parameter, channel })
    })
}

/// The value at an OSC address.
///
/// # Errors
/// Nothing is there: names the address that is most like it.
pub fn find(address: &str) -> Result<Id, ControlError> {
    ids().find(|id| id.address() == address).ok_or_else(|| unknown(address))
}

/// The error for an address where nothing is; names the one that is most like it.
pub fn unknown(address: &str) -> ControlError {
    let shown: String = address.chars().take(80).collect();
    let actions = ACTIONS.iter().map(|row| row.address.to_owned());
    let near = ids()
        .map(|id| id.address())
        .chain(actions)
        .map(|known| (distance(&shown, &known), known))
        .min_by_key(|(steps, known)| (*steps, known.len().abs_diff(shown.len())))
        .filter(|(steps, _)| *steps <= 3)
        .map_or_else(String::new, |(_, known)| format!("; did you mean {known}?"));
    ControlError::new(Code::UnknownAddress, format!("nothing is at {shown}{near}"))
}

/// Letters to insert, delete or replace to turn one text into the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let (mut diagonal, mut left) = (i, i + 1);
        for (y, above) in b.chars().zip(row.iter_mut().skip(1)) {
            let best = (diagonal + usize::from(x != y)).min(*above + 1).min(left + 1);
            diagonal = *above;
            left = best;
            *above = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
#[path = "parameters_tests.rs"]
mod tests;
