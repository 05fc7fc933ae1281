//! A parameter: its name, unit, range, default and help, and the conversion of text and values to
//! it. It knows no transport. The rows themselves are in `table`.

use std::ops::RangeInclusive;

use crate::action::ACTIONS;
use crate::error::{Code, ControlError};
use crate::table;
pub use crate::table::{GUIDANCE, HOP_MS, PARAMETERS, SAMPLER, SEED, STEPS};
use crate::value::{MODEL_WORD, Value};

/// The number of MIDI channels. Addresses and texts count them from 1.
pub const CHANNELS: usize = 16;

/// The placeholder for the channel in an address.
pub const CHANNEL_PLACE: &str = "{n}";

/// The type of a value.
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

/// How a parameter can be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// While playing; it is part of the settings.
    Live,
    /// At the next start; it is part of the settings.
    Restart,
    /// While playing, by a MIDI message. It is not part of the settings, as MIDI changes it, too.
    Midi,
    /// While playing, but it takes time and is answered when it is done. It is not part of the
    /// settings.
    Command,
    /// It can only be read.
    Read,
}

/// Names the value of a row of the table.
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

/// A row of the table: something that can be set or read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameter {
    /// Names the value.
    pub key: Key,
    /// OSC address; `{n}` stands for the channel, 1 to 16.
    pub address: &'static str,
    /// The last part of the address. It is also the key in the configuration, and with `-` for `_`
    /// the name of the flag.
    pub name: &'static str,
    /// Type of the value.
    pub kind: Kind,
    /// The unit; empty if there is none.
    pub unit: &'static str,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// The texts that can be set; empty if any can.
    pub choices: &'static [&'static str],
    /// The default in words; empty for values that can only be read.
    pub default: &'static str,
    /// Whether it can be left to the model, by the word `model` or, if 0 is below the range, by 0.
    pub optional: bool,
    /// How it can be changed.
    pub access: Access,
    /// One line of help.
    pub help: &'static str,
}

/// One value: a row of the table and, for rows with a value for each channel, the channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Id {
    /// The row.
    pub parameter: &'static Parameter,
    /// The channel counted from 0; 0 for rows that have no channels.
    pub channel: usize,
}

impl Parameter {
    /// Reads a number within the range from text.
    ///
    /// # Errors
    /// The text is no such number; the error says what was found and what was wanted.
    pub fn parse(&self, text: &str) -> Result<f64, String> {
        let value: f64 = text.trim().parse().map_err(|_| self.wanted_number())?;
        let whole = self.kind == Kind::Whole;
        let fits = (self.min..=self.max).contains(&value) && !(whole && value.fract() != 0.0);
        if fits { Ok(value) } else { Err(self.wanted_number()) }
    }

    /// Reads a value within the range from text.
    ///
    /// # Errors
    /// The text is no such value; the error says what was wanted.
    pub fn parse_value(&self, text: &str) -> Result<Value, String> {
        let text = text.trim();
        let below = self.kind == Kind::Number && self.min > 0.0 && text.parse() == Ok(0.0);
        if self.optional && (text == MODEL_WORD || below) {
            return self.accept(&Value::Model).map_err(|e| e.text);
        }
        match self.kind {
            Kind::Number => self.parse(text).map(Value::Number).map_err(|_| self.wanted()),
            // Not by way of f64, which does not hold all digits of a seed.
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

    /// Converts a value to the type of this parameter. Numbers are clamped to the range, and
    /// rounded if the parameter is whole.
    ///
    /// # Errors
    /// The value is of another type, or not a number.
    pub fn accept(&self, value: &Value) -> Result<Value, ControlError> {
        let number = match value {
            Value::Number(x) => Some(*x),
            Value::Whole(x) => Some(*x as f64),
            Value::Bool(x) => Some(f64::from(u8::from(*x))),
            _ => None,
        };
        // The bottom of a fader may be minus infinity. Any other number that is not finite is an
        // error of the sender.
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

    /// The text as a value, if it can be set. Case does not matter where there are choices.
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

    /// Whether each channel has its own value.
    pub fn per_channel(&self) -> bool {
        self.address.contains(CHANNEL_PLACE)
    }

    /// Whether it can be set.
    pub fn settable(&self) -> bool {
        self.access != Access::Read
    }

    /// The values that can be set, in words.
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

/// All values in the order of the table, those of all channels together.
pub fn ids() -> impl Iterator<Item = Id> {
    table::PARAMETERS.iter().flat_map(|parameter| {
        let channels = if parameter.per_channel() { CHANNELS } else { 1 };
        (0..channels).map(move |channel| Id { parameter, channel })
    })
}

/// The value at an OSC address.
///
/// # Errors
/// Nothing is at that address; the error names the most similar one.
pub fn find(address: &str) -> Result<Id, ControlError> {
    ids().find(|id| id.address() == address).ok_or_else(|| unknown(address))
}

/// The error for an address where nothing is, which names the most similar one.
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

/// How many letters must be inserted, deleted or replaced to turn one text into the other.
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
