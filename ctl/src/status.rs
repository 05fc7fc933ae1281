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
    /// The sound device that plays, or why none does.
    pub device: String,
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
    /// How long the last hop was, ms, and how many times longer than asked for.
    pub hop_now_ms: f64,
    /// See `hop_now_ms`; 0 before the first.
    pub hop_longer: u32,
    /// Notes that sound or ring.
    pub notes: u32,
    /// Frames the sound device has played.
    pub frames_played: u64,
    /// Those among them that came from the stream; the others are silence before it and in its
    /// gaps.
    pub stream_frames: u64,
    /// Highest sample of the last tenth of a second, dBFS.
    pub peak_dbfs: f64,
    /// Root of the mean square of the same, dBFS.
    pub rms_dbfs: f64,
    /// General MIDI program of each channel.
    pub programs: Vec<u8>,
    /// Bank of each channel that is not there, so that bank 0 plays; 0 where nothing is missing.
    pub missing_banks: Vec<u8>,
    /// Channel volume (controller 7) of each channel, 0 to 127.
    pub volumes: Vec<u8>,
    /// Expression (controller 11) of each channel, 0 to 127.
    pub expressions: Vec<u8>,
    /// Level of each channel, dBFS.
    pub part_dbfs: Vec<f64>,
    /// Notes of each channel that sound or ring out.
    pub part_notes: Vec<u32>,
    /// Notes that gave way because more sounded than there is room for.
    pub stolen: u64,
    /// Everything that is set.
    pub settings: Settings,
    /// What is being recorded.
    pub recording: Recording,
    /// Addresses at which a browser finds the panel, none where there is none.
    pub panel: Vec<String>,
    /// OSC traffic.
    pub osc: OscStatus,
    /// What the daemon looked at of itself, in the order in which `timbred doctor` tells it.
    pub findings: Vec<Finding>,
}

impl Status {
    /// What is to be mended first: what keeps it from playing before what could be better.
    pub fn first_trouble(&self) -> Option<&Finding> {
        let of = |verdict| self.findings.iter().find(|f| f.verdict == verdict);
        of(Verdict::Trouble).or_else(|| of(Verdict::Warning))
    }
}

/// How a thing is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    #[default]
    Good,
    /// It plays, but could play better.
    Warning,
    /// It does not play.
    Trouble,
}

/// One thing that was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Finding {
    /// What was looked at, in a musician's words.
    pub what: String,
    /// How it is.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do; empty where nothing is to be done.
    pub remedy: String,
}

impl Finding {
    /// It is as it should be.
    pub fn good(what: &str, found: impl Into<String>) -> Self {
        let (what, found) = (what.to_owned(), found.into());
        Self { what, found, ..Self::default() }
    }

    /// It could be better.
    pub fn warning(what: &str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        let remedy = remedy.into();
        Self { verdict: Verdict::Warning, remedy, ..Self::good(what, found) }
    }

    /// It keeps timbred from playing.
    pub fn trouble(what: &str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { verdict: Verdict::Trouble, ..Self::warning(what, found, remedy) }
    }
}

/// The recording that runs, or the last one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Recording {
    /// off, on or failed.
    pub state: String,
    /// The WAV file that is, or was last, written; the MIDI file lies beside it.
    pub file: String,
    /// Length so far, brought up to date whenever it is safe on the disk.
    pub seconds: f64,
    /// Samples that are missing because the disk was too slow.
    pub lost_samples: u64,
    /// Notes that are missing in the MIDI file for the same reason.
    pub lost_notes: u64,
    /// Why it failed.
    pub error: String,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_it_from_playing_comes_first() {
        let first = |findings: Vec<Finding>| {
            let status = Status { findings, ..Status::default() };
            status.first_trouble().map(|finding| finding.what.clone())
        };
        let (good, warning) = (Finding::good("a", ""), Finding::warning("b", "", ""));
        assert_eq!(first(vec![good.clone()]), None);
        assert_eq!(first(vec![good.clone(), warning.clone()]).as_deref(), Some("b"));
        let trouble = Finding::trouble("c", "", "");
        assert_eq!(first(vec![good, warning, trouble]).as_deref(), Some("c"));
    }
}
