//! The configuration of the user: layers of TOML, environment and flags become one checked
//! [`Config`]. It knows no thread and no device.
//!
//! ```text
//! defaults < /etc/timbred/config.toml < ~/.config/timbred/config.toml < --config FILE
//!          < TIMBRED_SECTION__KEY < flags
//!
//! [layers] each layer is checked alone, then merged
//! [raw] keys and defaults
//! [resolved] values the threads use
//! ```

pub mod check;
mod keys;
pub mod layers;
mod parse;
pub mod raw;
pub mod reload;
pub mod resolved;
pub mod rules;

pub use crate::problem::{Problem, Problems};
pub use check::check;
pub use layers::{Flag, Loaded, Origins, Sources, load};
pub use raw::{Backend, Raw, Switch};
pub use reload::{Change, Class, Diff, Part, Verdict, diff};
pub use resolved::Config;
pub use rules::{Rule, matching, route};

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
