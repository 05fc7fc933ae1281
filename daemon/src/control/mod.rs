//! The daemon's remote control: one service, several transports. Knows no model and no device; what
//! can be set is in `timbre-control`, what threads give each other in `bus::queues`.
//!
//! | file | its part |
//! | --- | --- |
//! | `service` | requests done, answers and changes out; knows clients by their ids |
//! | `osc` | OSC over UDP and TCP |
//! | `http` | OSCQuery, its WebSocket, the panel and recordings |
//! | `link` | what all connections do alike |
//! | `announce` | mDNS |
//! | `remote` | the thread of everything but UDP |
//! | `token`, `refusals` | who may, and who was told that they may not |
//! | `handle` | what the supervisor holds of it |

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod announce;
mod handle;
mod http;
mod link;
mod osc;
mod refusals;
mod remote;
mod service;
#[cfg(test)]
mod test_peer;
mod token;

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use crossbeam::channel::Sender;
use timbre_control::settings::Settings;

use crate::bus::queues::{MidiSender, Telemetry};
use crate::recording::Recorder;

pub use handle::{OscServer, spawn};
pub use remote::{Remote, RemoteOptions, machine_name};
pub use service::pending::{Asker, Command, Outcome};
pub use token::Token;

/// The ends of the queues that the OSC thread uses.
#[derive(Debug, Clone)]
pub struct ControlHandles {
    /// Everything that is set; the other ends are inference and the audio callback.
    pub settings: Arc<ArcSwap<Settings>>,
    /// Notes, controllers and programs; the other end is inference.
    pub midi: MidiSender,
    /// What the threads say about themselves.
    pub telemetry: Arc<Telemetry>,
    /// Name of the model that plays; the other end is the loader.
    pub model: Arc<ArcSwap<String>>,
    /// The other end is the supervisor; when it is full the sender of the request is told.
    pub commands: Sender<Command>,
    /// Starts and ends recordings; it answers within seconds, however the disk is.
    pub recorder: Recorder,
    /// Addresses at which a browser finds the panel; the other end is the supervisor.
    pub panel: Arc<ArcSwap<Vec<String>>>,
    /// The file that remembers what controllers set; without one it is forgotten at the end.
    pub controllers: Option<PathBuf>,
}
