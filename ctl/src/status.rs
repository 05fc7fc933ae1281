//! The answer to `/status`: what a running daemon says about itself, as JSON. Knows no transport.

use serde::{Deserialize, Serialize};

use crate::settings::Settings;

/// How the daemon is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// Version of the daemon.
    pub version: String,
    /// Name of the model.
    pub model: String,
    /// Seconds since the start.
    pub uptime_s: u64,
    /// Constant delay from a key press to its sound.
    pub latency_ms: f64,
    /// Compute time of a hop by its length.
    pub load: f64,
    /// Hops that were ready later than wanted.
    pub misses: u64,
    /// Gaps in the sound.
    pub underruns: u64,
    /// Times that MIDI messages were dropped.
    pub overflows: u64,
    /// Denoising steps of the last hop.
    pub steps_now: u32,
    /// Notes that sound or ring.
    pub notes: u32,
    /// Frames the sound device has played.
    pub frames_played: u64,
    /// Highest sample of the last tenth of a second, dBFS.
    pub peak_dbfs: f64,
    /// Root of the mean square of the same, dBFS.
    pub rms_dbfs: f64,
    /// General MIDI program of each channel.
    pub programs: Vec<u8>,
    /// Everything that is set.
    pub settings: Settings,
    /// OSC traffic.
    pub osc: OscStatus,
}

/// OSC traffic since the start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OscStatus {
    /// Packets that came.
    pub packets: u64,
    /// Packets among them that were no OSC and were ignored.
    pub garbage: u64,
    /// Requests that were answered with an error.
    pub errors: u64,
    /// Subscribers now, fixed targets among them.
    pub subscribers: usize,
    /// Bundles now that wait for their time.
    pub waiting_bundles: usize,
}
