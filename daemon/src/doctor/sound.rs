//! Checks sound and MIDI: asks the running daemon, or tries the device if none runs.

use std::sync::Arc;
use std::time::Duration;

use midir::MidiInput;
use rosc::OscType;
use timbre_control::client::Client;
use timbre_control::osc::{STATUS, message};
use timbre_control::status::{Finding, Status};

use crate::bus::queues::Telemetry;
use crate::config::Config;
use crate::live::output::{Output, OutputOptions};

/// How long a daemon may take to answer.
const ANSWER: Duration = Duration::from_millis(500);

/// The checks of a running daemon or of the sound device, and of the MIDI ports.
pub(super) fn findings(config: &Config, status: Option<&Status>) -> Vec<Finding> {
    let mut findings = match status {
        Some(status) => status.findings.clone(),
        None => vec![device(config)],
    };
    findings.push(midi(&config.midi.name));
    findings
}

/// The status of a daemon that runs with this configuration, if there is one.
pub(super) fn status(config: &Config) -> Option<Status> {
    let mut client = Client::new("localhost", config.osc.bind.port(), ANSWER).ok()?;
    let answers = client.ask(vec![message(STATUS, vec![])]).ok()?;
    match answers.first()?.args.first()? {
        OscType::String(json) => serde_json::from_str(json).ok(),
        _ => None,
    }
}

/// Opens the device that the configuration names, and closes it.
fn device(config: &Config) -> Finding {
    let audio = &config.audio;
    let options = OutputOptions {
        backend: audio.backend.name().to_owned(),
        device: audio.device.clone().unwrap_or_default(),
        rate_hz: audio.rate_hz,
        buffer_frames: audio.buffer_frames,
        channels: audio.channels,
        realtime_priority: 0,
        name: format!("{} doctor", config.midi.name),
        connect: "none".to_owned(),
        has_parts: false,
    };
    let telemetry = Arc::new(Telemetry::default());
    match Output::open(&options, &telemetry, None) {
        Ok((output, _)) => {
            Finding::good("sound device", format!("opens: {}; timbred does not run", output.name))
        }
        Err(e) => Finding::trouble(
            "sound device",
            e.to_string(),
            "plug one in, or end the program that has it; `timbred --check` shows which one is \
             configured",
        ),
    }
}

/// The MIDI ports of the system, as any other program sees them.
fn midi(own: &str) -> Finding {
    let what = "MIDI ports";
    let client = match MidiInput::new(&format!("{own} doctor")) {
        Ok(client) => client,
        Err(e) => {
            let remedy = "as root: modprobe snd-seq; your user must be in the group audio";
            return Finding::trouble(what, format!("the system has no MIDI: {e}"), remedy);
        }
    };
    let names = client.ports().into_iter().filter_map(|port| client.port_name(&port).ok());
    let others = |name: &String| !name.starts_with("Midi Through") && !name.starts_with(own);
    let names: Vec<String> = names.filter(others).collect();
    match names.as_slice() {
        [] => Finding::warning(
            what,
            "no keyboard",
            "plug one in and switch it on; some need their USB mode set to MIDI",
        ),
        names => Finding::good(what, names.join(", ")),
    }
}
