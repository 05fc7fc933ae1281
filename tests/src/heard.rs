//! Plays keys to a program on a JACK server and records its output. This file knows no expected
//! result.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use crate::jack::JackServer;
use crate::live::Daemon;

/// Starts the daemon on a server with more arguments, and with a fixed lead instead of the measured
/// one if it is given.
pub fn daemon(server: &JackServer, arguments: &[&str], lead_ms: Option<&str>) -> Daemon {
    Daemon::start(|command| {
        server.in_env(command);
        command.args(["--audio", "jack", "--buffer", "128"]).args(arguments);
        if let Some(lead_ms) = lead_ms {
            command.env("TIMBRED_AUDIO__LEAD_MS", lead_ms);
        }
    })
}

/// The keys and their sound.
#[derive(Debug)]
pub struct Heard {
    /// Each chord as CHANNEL:KEY+KEY, with its frame.
    pub keys: Vec<(String, usize)>,
    /// The recording.
    pub sound: Vec<f32>,
    /// How often the JACK server itself was late, which shifts times by an unknown amount.
    pub xruns: u32,
}

/// Plays notes to timbred and records them, as described in `src/bin/jack_probe.rs`.
///
/// # Panics
/// The probe fails.
pub fn probe(server: &JackServer, folder: &Path, notes: u32, mode: &[&str]) -> Heard {
    let output = server.wait_for_port("timbred:", "out_left");
    let input = server.wait_for_port("timbred:", "midi_in");
    probe_ports(server, folder, [&input, &output], notes, mode)
}

/// The same with the ports of any program, for MIDI input and sound output.
///
/// # Panics
/// The probe fails.
pub fn probe_ports(
    server: &JackServer,
    folder: &Path,
    [input, output]: [&str; 2],
    notes: u32,
    mode: &[&str],
) -> Heard {
    let file = folder.join("heard.wav");
    let mut command = server.probe();
    let gap_ms = if mode == ["mixed"] { "400" } else { "600" };
    command.args([input, output, &notes.to_string(), gap_ms]).arg(&file).args(mode);
    let ran = command.output().unwrap();
    assert!(mode == ["hold"] || ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let (mut keys, mut xruns) = (vec![], 0);
    for line in String::from_utf8(ran.stdout).unwrap().lines() {
        match line.split_once(' ').unwrap() {
            ("xruns", count) => xruns = count.parse().unwrap(),
            (chord, frame) => keys.push((chord.to_owned(), frame.parse().unwrap())),
        }
    }
    let sound =
        hound::WavReader::open(&file).unwrap().samples::<f32>().map(Result::unwrap).collect();
    Heard { keys, sound, xruns }
}

/// Root mean square, dB.
pub fn level_db(samples: &[f32]) -> f64 {
    let power = samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>();
    10.0 * (power / samples.len().max(1) as f64).max(1e-18).log10()
}
