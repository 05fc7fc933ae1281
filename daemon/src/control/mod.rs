//! The remote control of the daemon: one service and several transports. It knows no model and no
//! device. The parameters are in `timbre-control`, and the queues between threads in `bus::queues`.
//!
//! | file | its part |
//! | --- | --- |
//! | `service` | carries out requests, and sends answers and changes; knows clients by their ids |
//! | `osc` | OSC over UDP and TCP |
//! | `http` | OSCQuery, its WebSocket, the panel and recordings |
//! | `link` | what all connections have in common |
//! | `announce` | mDNS |
//! | `remote` | the thread of all transports but UDP |
//! | `token`, `refusals` | the check of the token, and the log of refused clients |
//! | `handle` | the handle of the supervisor |

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
    /// The settings; the other ends are inference and the audio callback.
    pub settings: Arc<ArcSwap<Settings>>,
    /// Notes, controllers and programs; the other end is inference.
    pub midi: MidiSender,
    /// What the threads publish about themselves.
    pub telemetry: Arc<Telemetry>,
    /// The name of the model that plays; the other end is the loader.
    pub model: Arc<ArcSwap<String>>,
    /// Commands; the other end is the supervisor. When it is full, the sender gets an error.
    pub commands: Sender<Command>,
    /// Starts and ends recordings. It answers within seconds, even if the disk is slow.
    pub recorder: Recorder,
    /// The addresses at which a browser finds the panel; the other end is the supervisor.
    pub panel: Arc<ArcSwap<Vec<String>>>,
    /// The file for the assignments of controllers; without it they are lost at the end.
    pub controllers: Option<PathBuf>,
}
