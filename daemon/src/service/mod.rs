//! Talking to systemd: readiness, status and the watchdog. Knows no thread's work.

pub mod notify;
pub mod watchdog;

pub use notify::{Notifier, watchdog_interval};
pub use watchdog::{Feed, Watchdog, period};
