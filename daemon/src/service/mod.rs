//! Talks to systemd: readiness, status and the watchdog. It knows no thread's work.

pub mod notify;
pub mod watchdog;

pub use notify::{Notifier, Status, watchdog_interval};
pub use watchdog::{Feed, Pulse, Watchdog, period};
