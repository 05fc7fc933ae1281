//! Errors of requests: a code for programs, and a text for people. It knows no transport.

/// The kind of an error. Its number is sent as the code of `/error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Code {
    /// There is nothing at this address.
    UnknownAddress = 1,
    /// The arguments have the wrong number or type.
    WrongArguments = 2,
    /// The value cannot be brought into the range: it is not a number, or an unknown name.
    BadValue = 3,
    /// The value can be read but not set.
    ReadOnly = 4,
    /// A queue or list is full.
    Full = 6,
    /// The daemon failed to do it.
    Failed = 7,
    /// The client may not ask for it.
    NotAllowed = 8,
}

impl Code {
    /// The number that is sent.
    pub const fn number(self) -> i32 {
        self as i32
    }
}

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct ControlError {
    /// The kind of the error.
    pub code: Code,
    /// What was found, what was wanted, and what to do.
    pub text: String,
}

impl ControlError {
    /// An error with its text.
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}
