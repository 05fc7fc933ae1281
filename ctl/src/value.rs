//! The value of a parameter of any type. It knows no table and no transport.

use std::fmt;

use serde_json::json;

/// A value as it is set, read and shown.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number.
    Number(f64),
    /// A whole number.
    Whole(i64),
    /// On or off.
    Bool(bool),
    /// A text.
    Text(String),
    /// Left to the model.
    Model,
    /// Two numbers that belong together, such as peak and rms.
    Pair(f64, f64),
}

/// The word for [`Value::Model`].
pub const MODEL_WORD: &str = "model";

impl Value {
    /// The value as JSON. It is null if it is left to the model.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Number(x) => json!(x),
            Self::Whole(x) => json!(x),
            Self::Bool(x) => json!(x),
            Self::Text(x) => json!(x),
            Self::Model => serde_json::Value::Null,
            Self::Pair(a, b) => json!([a, b]),
        }
    }

    /// The kind of the value, for the text of an error.
    pub const fn kind_name(&self) -> &'static str {
        match self {
            Self::Number(_) => "a number",
            Self::Whole(_) => "a whole number",
            Self::Bool(_) => "on or off",
            Self::Text(_) => "a text",
            Self::Model => "nothing",
            Self::Pair(..) => "two numbers",
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(x) => write!(f, "{x}"),
            Self::Whole(x) => write!(f, "{x}"),
            Self::Bool(x) => write!(f, "{x}"),
            Self::Text(x) => f.write_str(x),
            Self::Model => f.write_str(MODEL_WORD),
            Self::Pair(a, b) => write!(f, "{a} {b}"),
        }
    }
}
