//! Whether there is sound and MIDI: asks the daemon that runs, or tries the device where none does.

use std::sync::Arc;
use std::time::Duration;

use midir::MidiInput;
use rosc::OscType;
use timbre_control::client::Client;
use timbre_control::osc::{STATUS, message};
use timbre_control::status::Status;

use super::Finding;
use crate::config::Config;
use crate::live::output::{Output, OutputOptions};
use crate::live::queues::Telemetry;

/// How long a daemon may take to answer.
const ANSWER: Duration = Duration::from_millis(500);

/// The sound device, the daemon where one runs, and the MIDI ports.
pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let mut findings = match status(config) {
        Some(status) => running(&status),
        None => vec![device(config)],
    };
    findings.push(midi(&config.midi.name));
    findings
}

/// What a daemon that runs with this configuration says.
fn status(config: &Config) -> Option<Status> {
    let mut client = Client::new("localhost", config.osc.bind.port(), ANSWER).ok()?;
    let answers = client.ask(vec![message(STATUS, vec![])]).ok()?;
    match answers.first()?.args.first()? {
        OscType::String(json) => serde_json::from_str(json).ok(),
        _ => None,
    }
}

fn running(status: &Status) -> Vec<Finding> {
    let plays =
        format!("timbred plays: {}, {:.1} ms from key to sound", status.device, status.latency_ms);
    let device = match status.latency_ms > 0.0 {
        true => Finding::good("sound device", plays),
        false => Finding::trouble(
            "sound device",
            format!("timbred runs without sound: {}", status.device),
            "`timbrectl devices` lists those there are, `timbrectl device NAME` plays to one",
        ),
    };
    let gaps = format!(
        "{} underruns, {} misses, load {:.2}",
        status.underruns, status.misses, status.load
    );
    let gaps = match status.load > 0.9 || status.underruns > status.uptime_s / 60 + 2 {
        true => Finding::warning(
            "gaps",
            gaps,
            "a larger buffer (`timbred --buffer 512`), longer hops (`timbrectl set hop_ms 80`), or fewer other \
             programs",
        ),
        false => Finding::good("gaps", gaps),
    };
    let mut silent: Vec<String> = vec![];
    for (n, (volume, expression)) in status.volumes.iter().zip(&status.expressions).enumerate() {
        if *volume == 0 || *expression == 0 {
            silent.push((n + 1).to_string());
        }
    }
    let master = &status.settings.master;
    let level = format!("master at {} dB", master.gain);
    let level = match (master.mute, silent.is_empty()) {
        (true, _) => {
            Finding::trouble("level", "the master is muted", "timbrectl set master.mute off")
        }
        (false, false) => Finding::warning(
            "level",
            format!("{level}; volume or expression is 0 on channel {}", silent.join(", ")),
            "timbrectl panic, and timbrectl set ch.N.volume 100",
        ),
        (false, true) => Finding::good("level", level),
    };
    vec![device, gaps, level]
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
    };
    let telemetry = Arc::new(Telemetry::default());
    match Output::open(&options, &telemetry, None) {
        Ok((output, _)) => {
            Finding::good("sound device", format!("opens: {}; timbred does not run", output.name))
        }
        Err(e) => Finding::trouble(
            "sound device",
            e.to_string(),
            "plug one in, or end the program that has it; `timbred --check` shows which one is configured",
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

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn what_a_running_daemon_says_is_judged() {
        let mut status =
            Status { latency_ms: 20.0, device: "ALSA Box".to_owned(), ..Status::default() };
        status.volumes = vec![100; 16];
        status.expressions = vec![127; 16];
        let verdicts =
            |status: &Status| running(status).iter().map(|f| f.verdict).collect::<Vec<_>>();
        assert_eq!(verdicts(&status), [Verdict::Good; 3]);
        status.expressions[2] = 0;
        let said = running(&status);
        assert_eq!(said[2].verdict, Verdict::Warning);
        assert!(said[2].found.contains("channel 3"), "{}", said[2].found);
        status.settings.master.mute = true;
        (status.latency_ms, status.load) = (0.0, 1.2);
        assert_eq!(verdicts(&status), [Verdict::Trouble, Verdict::Warning, Verdict::Trouble]);
    }
}
