//! What a running daemon checks about itself, for `timbred doctor` and for the first problem that
//! `timbrectl status` names. It asks nobody and waits for nothing.

use timbre_control::status::{Finding, Status};
use timbre_models::notes::MissingBank;

/// The check of whether the threads for sound may run before all others.
pub(crate) const REAL_TIME: &str = "real-time priority";
/// How a user gets that right.
pub(crate) const REAL_TIME_REMEDY: &str = "as root: echo '@audio - rtprio 95' > \
    /etc/security/limits.d/audio.conf, then `usermod -aG audio YOU`, and log in again; the system \
    service has the right by itself";

/// Facts that the status does not contain.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// Whether no MIDI can arrive, though it is wanted.
    pub(crate) is_deaf: bool,
    /// Whether the system refused real-time priority.
    pub(crate) is_refused: bool,
    /// Why the state file could not be written; empty if it could.
    pub(crate) unsaved: String,
}

/// All checks, those that matter most for music first.
pub(crate) fn findings(status: &Status, facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![device(status), gaps(status), level(status), hearing(facts)];
    findings.extend(pace(status));
    findings.push(match facts.is_refused {
        true => {
            let found = "the system refused it: sound may break up when the machine is busy";
            Finding::warning(REAL_TIME, found, REAL_TIME_REMEDY)
        }
        false => Finding::good(REAL_TIME, "as it was asked for"),
    });
    findings.push(match facts.unsaved.as_str() {
        "" => Finding::good("what is set", "is saved for the next start"),
        why => Finding::warning(
            "what is set",
            format!("is not saved for the next start: {why}"),
            "make room on the disk, or name another file with state.path",
        ),
    });
    findings.extend(banks(status));
    if status.recording.state == "failed" {
        findings.push(Finding::warning(
            "recording",
            status.recording.error.as_str(),
            "timbrectl record start begins another one",
        ));
    }
    findings
}

fn device(status: &Status) -> Finding {
    let Status { device, latency_ms, .. } = status;
    // The latency of a lost device is still there.
    match *latency_ms > 0.0 && !device.starts_with("none") {
        true => {
            let plays = format!("timbred plays: {device}, {latency_ms:.1} ms from key to sound");
            Finding::good("sound device", plays)
        }
        false => Finding::trouble(
            "sound device",
            format!("timbred runs without sound: {device}"),
            "`timbrectl devices` lists those there are, `timbrectl device NAME` plays to one",
        ),
    }
}

fn gaps(status: &Status) -> Finding {
    let Status { underruns, misses, load, uptime_s, .. } = status;
    let gaps = format!("{underruns} underruns, {misses} misses, load {load:.2}");
    match *load > 0.9 || *underruns > uptime_s / 60 + 2 {
        true => Finding::warning(
            "gaps",
            gaps,
            "fewer other programs or a larger buffer (`timbred --buffer 512`); with an imported \
             model longer hops (`timbrectl set hop_ms 640`)",
        ),
        false => Finding::good("gaps", gaps),
    }
}

/// What the governor does, if it does anything.
fn pace(status: &Status) -> Option<Finding> {
    let Status { hop_longer, hop_now_ms, load, .. } = status;
    (*hop_longer > 1).then(|| {
        Finding::good(
            "denoiser",
            format!(
                "in hops of {hop_now_ms:.0} ms, {hop_longer} times longer than asked for, as it \
                 would take more than a fifth of shorter ones (load of the rest {load:.2}); \
                 `timbrectl set hop_ms 20` decides it"
            ),
        )
    })
}

fn level(status: &Status) -> Finding {
    let mut silent: Vec<String> = vec![];
    for (n, (volume, expression)) in status.volumes.iter().zip(&status.expressions).enumerate() {
        if *volume == 0 || *expression == 0 {
            silent.push((n + 1).to_string());
        }
    }
    let master = &status.settings.master;
    let level = format!("master at {} dB", master.gain);
    match (master.mute, silent.is_empty()) {
        (true, _) => {
            Finding::trouble("level", "the master is muted", "timbrectl set master.mute off")
        }
        (false, false) => Finding::warning(
            "level",
            format!("{level}; volume or expression is 0 on channel {}", silent.join(", ")),
            "timbrectl panic, and timbrectl set ch.N.volume 100",
        ),
        (false, true) => Finding::good("level", level),
    }
}

/// The banks that do not exist, if any were asked for.
fn banks(status: &Status) -> Option<Finding> {
    let all = (0..).zip(&status.missing_banks).filter(|(_, bank)| **bank > 0);
    let all = all.map(|(channel, bank)| MissingBank { channel, bank: *bank }.to_string());
    let all: Vec<String> = all.collect();
    let remedy = "choose a program of bank 0, or 120 or 121 in General MIDI 2";
    (!all.is_empty()).then(|| Finding::warning("banks", all.join("; "), remedy))
}

fn hearing(facts: &Facts) -> Finding {
    match facts.is_deaf {
        true => Finding::trouble(
            "MIDI",
            "timbred hears none: neither ALSA's sequencer nor JACK is there",
            "as root: modprobe snd-seq; your user must be in the group audio",
        ),
        false => Finding::good("MIDI", "timbred listens"),
    }
}

#[cfg(test)]
mod tests {
    use timbre_control::status::Verdict;

    use super::*;

    fn well() -> Status {
        let (volumes, expressions) = (vec![100; 16], vec![127; 16]);
        let device = "ALSA Box".to_owned();
        Status { latency_ms: 20.0, device, volumes, expressions, ..Status::default() }
    }

    /// What is not good, and how it is.
    fn bad(status: &Status, facts: &Facts) -> Vec<(String, Verdict)> {
        let bad = findings(status, facts).into_iter().filter(|f| f.verdict != Verdict::Good);
        bad.map(|f| (f.what, f.verdict)).collect()
    }

    #[test]
    fn what_is_well_is_good() {
        assert_eq!(bad(&well(), &Facts::default()), []);
    }

    #[test]
    fn each_trouble_is_told() {
        let of = |change: fn(&mut Status, &mut Facts)| {
            let (mut status, mut facts) = (well(), Facts::default());
            change(&mut status, &mut facts);
            bad(&status, &facts)
        };
        let (trouble, warning) = (Verdict::Trouble, Verdict::Warning);
        let is = |what: &str, verdict| vec![(what.to_owned(), verdict)];
        assert_eq!(of(|s, _| s.latency_ms = 0.0), is("sound device", trouble));
        assert_eq!(of(|s, _| s.device = "none: gone".to_owned()), is("sound device", trouble));
        assert_eq!(of(|s, _| s.load = 1.2), is("gaps", warning));
        assert_eq!(of(|s, _| s.underruns = 3), is("gaps", warning));
        assert_eq!(of(|s, _| s.settings.master.mute = true), is("level", trouble));
        assert_eq!(of(|s, _| s.expressions[2] = 0), is("level", warning));
        assert_eq!(of(|_, f| f.is_deaf = true), is("MIDI", trouble));
        assert_eq!(of(|_, f| f.is_refused = true), is(REAL_TIME, warning));
        assert_eq!(of(|_, f| f.unsaved = "full".to_owned()), is("what is set", warning));
        assert_eq!(of(|s, _| s.missing_banks = vec![0, 8]), is("banks", warning));
        assert_eq!(of(|s, _| s.recording.state = "failed".to_owned()), is("recording", warning));
    }

    #[test]
    fn the_channel_that_is_silent_is_named() {
        let mut status = well();
        status.volumes[2] = 0;
        assert!(level(&status).found.ends_with("channel 3"), "{}", level(&status).found);
    }
}
