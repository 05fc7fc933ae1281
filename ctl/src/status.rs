//! The answer to `/status`: the state of a running daemon as JSON. It knows no transport.

use serde::{Deserialize, Serialize};

use crate::settings::Settings;

/// The state of the daemon.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// The version of the daemon.
    pub version: String,
    /// The name of the model.
    pub model: String,
    /// The name of the sound device that plays, or why none does.
    pub device: String,
    /// Seconds since the start.
    pub uptime_s: u64,
    /// The constant delay from a key press to its sound, ms.
    pub latency_ms: f64,
    /// The time to compute a hop, divided by its length.
    pub load: f64,
    /// How many hops were ready later than wanted.
    pub misses: u64,
    /// How many gaps the sound had.
    pub underruns: u64,
    /// How often MIDI messages were dropped.
    pub overflows: u64,
    /// The number of denoising steps of the last hop.
    pub steps_now: u32,
    /// The length of the last hop, ms.
    pub hop_now_ms: f64,
    /// How many times longer than asked for the last hop was; 0 before the first.
    pub hop_longer: u32,
    /// How many notes sound or ring out.
    pub notes: u32,
    /// How many frames the sound device has played.
    pub frames_played: u64,
    /// How many of them came from the stream. The others are silence before it and in its gaps.
    pub stream_frames: u64,
    /// The highest sample of the last tenth of a second, dBFS.
    pub peak_dbfs: f64,
    /// The root mean square of the same time, dBFS.
    pub rms_dbfs: f64,
    /// The General MIDI program of each channel.
    pub programs: Vec<u8>,
    /// For each channel the bank that was asked for and does not exist, so that bank 0 plays; 0 for
    /// none.
    pub missing_banks: Vec<u8>,
    /// Channel volume (controller 7) of each channel, 0 to 127.
    pub volumes: Vec<u8>,
    /// Expression (controller 11) of each channel, 0 to 127.
    pub expressions: Vec<u8>,
    /// The level of each channel, dBFS.
    pub part_dbfs: Vec<f64>,
    /// How many notes of each channel sound or ring out.
    pub part_notes: Vec<u32>,
    /// How many notes were ended early because more sounded than there is room for.
    pub stolen: u64,
    /// All settings.
    pub settings: Settings,
    /// The recording that runs, or the last one.
    pub recording: Recording,
    /// The addresses at which a browser finds the panel; empty if there is none.
    pub panel: Vec<String>,
    /// The OSC traffic.
    pub osc: OscStatus,
    /// What the daemon checked about itself, in the order in which `timbred doctor` shows it.
    pub findings: Vec<Finding>,
}

impl Status {
    /// The most important problem: one that keeps it from playing, otherwise one that could be
    /// better.
    pub fn first_trouble(&self) -> Option<&Finding> {
        let of = |verdict| self.findings.iter().find(|f| f.verdict == verdict);
        of(Verdict::Trouble).or_else(|| of(Verdict::Warning))
    }
}

/// The result of a check.
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

/// One check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Finding {
    /// What was checked, in the words of a musician.
    pub what: String,
    /// The result.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do; empty if nothing is to be done.
    pub remedy: String,
}

impl Finding {
    /// A check whose result is good.
    pub fn good(what: &str, found: impl Into<String>) -> Self {
        let (what, found) = (what.to_owned(), found.into());
        Self { what, found, ..Self::default() }
    }

    /// A check that found something that could be better.
    pub fn warning(what: &str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        let remedy = remedy.into();
        Self { verdict: Verdict::Warning, remedy, ..Self::good(what, found) }
    }

    /// A check that found something that keeps timbred from playing.
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
    /// The WAV file that is being written, or the last one. The MIDI file lies beside it.
    pub file: String,
    /// The length so far that is safe on the disk, seconds.
    pub seconds: f64,
    /// How many samples are missing because the disk was too slow.
    pub lost_samples: u64,
    /// How many notes are missing in the MIDI file for the same reason.
    pub lost_notes: u64,
    /// Why it failed.
    pub error: String,
}

/// OSC traffic since the start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OscStatus {
    /// How many packets arrived.
    pub packets: u64,
    /// How many of them were not OSC and were ignored.
    pub garbage: u64,
    /// How many requests were answered with an error.
    pub errors: u64,
    /// How many subscribers there are, including fixed targets.
    pub subscribers: usize,
    /// How many bundles wait for their time.
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
