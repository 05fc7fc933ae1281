//! The token that clients of the network give, where one is wanted. Knows no transport.

use std::fmt;

use subtle::ConstantTimeEq;

/// A token; an empty one is none.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The token that is wanted; empty where none is.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Whether one is wanted.
    pub const fn is_wanted(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether this is the one that is wanted, or none is; takes as long whatever is found.
    pub fn is(&self, found: &str) -> bool {
        !self.is_wanted() || bool::from(self.0.as_bytes().ct_eq(found.as_bytes()))
    }

    /// As it was configured, for those who may know it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Not in any log.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_wanted() { "Token(...)" } else { "Token(none)" })
    }
}
