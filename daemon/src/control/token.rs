//! The token that clients of the network must give, if there is one. It knows no transport.

use std::fmt;

use subtle::ConstantTimeEq;

/// A token. An empty one means that none is wanted.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The token that is wanted; empty if none is.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Whether a token is wanted.
    pub const fn is_wanted(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether `found` is the token that is wanted, or none is. The comparison takes the same time
    /// for all texts of one length.
    pub fn is(&self, found: &str) -> bool {
        !self.is_wanted() || bool::from(self.0.as_bytes().ct_eq(found.as_bytes()))
    }

    /// The token itself, for clients that may know it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The token must not appear in logs.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_wanted() { "Token(...)" } else { "Token(none)" })
    }
}
