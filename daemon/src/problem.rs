//! The problems of a configuration, in texts that name the line to change. It knows no key.

use std::fmt;

/// One problem, and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// `FILE:LINE`, the name of a variable, or the name of a flag.
    pub place: String,
    /// What was found, what was wanted, and what to do.
    pub what: String,
}

impl Problem {
    /// A problem with a free text.
    pub fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }

    /// A problem with the value of `key`; `remedy` may be empty.
    pub fn value(place: &str, key: &str, found: &str, wanted: &str, remedy: &str) -> Self {
        let colon = if remedy.is_empty() { "" } else { "; " };
        Self::new(place, format!("`{key}`: found {found}, wanted {wanted}{colon}{remedy}"))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// All problems of a configuration, one line each. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            let end = if i == 0 { "" } else { "\n" };
            write!(f, "{end}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

/// Turns an error of the TOML parser into the words of [`Problem::value`].
pub(crate) fn type_problem(place: &str, key: &str, message: &str) -> Problem {
    let message = message.lines().next().unwrap_or_default().trim();
    let bare = ["invalid type: ", "invalid value: ", "unknown variant "]
        .iter()
        .find_map(|prefix| message.strip_prefix(prefix))
        .unwrap_or(message);
    match bare.split_once(", expected ") {
        Some((found, wanted)) => Problem::value(place, key, found, in_words(wanted), ""),
        None if key.is_empty() => Problem::new(place, bare),
        None => Problem::new(place, format!("`{key}`: {bare}")),
    }
}

/// Replaces the names of Rust types, which mean nothing to a musician.
fn in_words(wanted: &str) -> &str {
    match wanted {
        "u8" => "a whole number from 0 to 255",
        "i8" => "a whole number from -128 to 127",
        "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i16" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list in [ ]",
        other if other.starts_with("struct ") => "a [section] with keys",
        other => other,
    }
}
