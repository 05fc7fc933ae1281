//! What is wrong with a request: a code for programs, a text for people. Knows no transport.

/// What kind of thing is wrong; the number is sent as the code of `/error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Code {
    /// There is nothing at this address.
    UnknownAddress = 1,
    /// The arguments have the wrong number or type.
    WrongArguments = 2,
    /// A value that no clamping brings into the range (not a number, an unknown name).
    BadValue = 3,
    /// The value can be asked for and not set.
    ReadOnly = 4,
    /// A queue or list is full.
    Full = 6,
    /// The daemon could not do it.
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
    /// What kind.
    pub code: Code,
    /// What was found, what was wanted, what to do.
    pub text: String,
}

impl ControlError {
    /// An error with its text.
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}
