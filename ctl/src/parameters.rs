//! The table of parameters: name, unit, range, default and help of everything that can be set. Knows no transport.

use std::ops::RangeInclusive;

/// One thing that can be set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameter {
    /// Address below `/engine`, also the flag's name with `-` for `_`.
    pub name: &'static str,
    /// Unit, empty where there is none.
    pub unit: &'static str,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// The default in words: most come from the model.
    pub default: &'static str,
    /// Whether only whole numbers make sense.
    pub whole: bool,
    /// One line that teaches.
    pub help: &'static str,
}

impl Parameter {
    /// A number from text, inside the range.
    ///
    /// # Errors
    /// Says what was found and what was wanted.
    pub fn parse(&self, text: &str) -> Result<f64, String> {
        let wanted = || {
            let kind = if self.whole { "a whole number" } else { "a number" };
            format!("wanted {kind} from {} to {} {}", self.min, self.max, self.unit)
        };
        let value: f64 = text.trim().parse().map_err(|_| wanted().trim_end().to_owned())?;
        let fits = (self.min..=self.max).contains(&value) && !(self.whole && value.fract() != 0.0);
        if fits { Ok(value) } else { Err(wanted().trim_end().to_owned()) }
    }

    /// The range in whole numbers.
    pub const fn whole_range(&self) -> RangeInclusive<u64> {
        self.min as u64..=self.max as u64
    }
}

/// Denoising steps K.
pub const STEPS: Parameter = Parameter {
    name: "steps",
    unit: "",
    min: 1.0,
    max: 1000.0,
    default: "the model's",
    whole: true,
    help: "Denoising steps for each hop, 1 to 1000: more cost time, and are not always better [default: the model's]",
};

/// Guidance weight.
pub const GUIDANCE: Parameter = Parameter {
    name: "guidance",
    unit: "",
    min: 0.0,
    max: 20.0,
    default: "the model's",
    whole: false,
    help: "Guidance weight, 0 to 20: above 1 the notes count more, at twice the cost of a step [default: the model's]",
};

/// Hop length.
pub const HOP_MS: Parameter = Parameter {
    name: "hop_ms",
    unit: "ms",
    min: 20.0,
    max: 5120.0,
    default: "the model's",
    whole: false,
    help: "Sound made at a time in ms, rounded to frames of 20 ms; short hops answer sooner [default: the model's]",
};

/// Noise seed.
pub const SEED: Parameter = Parameter {
    name: "seed",
    unit: "",
    min: 0.0,
    max: 18_446_744_073_709_551_615.0,
    default: "0",
    whole: true,
    help: "Seed of all noise: the same input and seed give the same samples on the same machine",
};

/// Every parameter, in the order of the reference page.
pub const PARAMETERS: [Parameter; 4] = [STEPS, GUIDANCE, HOP_MS, SEED];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_outside_the_range_are_refused_with_what_was_wanted() {
        assert_eq!(HOP_MS.parse("40"), Ok(40.0));
        assert_eq!(HOP_MS.parse("10"), Err("wanted a number from 20 to 5120 ms".to_owned()));
        assert!(GUIDANCE.parse("NaN").is_err());
        assert_eq!(STEPS.parse("1.5"), Err("wanted a whole number from 1 to 1000".to_owned()));
    }

    #[test]
    fn names_are_unique() {
        for (i, p) in PARAMETERS.iter().enumerate() {
            assert!(PARAMETERS[..i].iter().all(|q| q.name != p.name));
        }
    }
}
