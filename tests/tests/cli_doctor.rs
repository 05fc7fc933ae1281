//! `timbred doctor` beside a daemon that plays, and without any daemon.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use timbred_tests::live::{Daemon, control};
use timbred_tests::program::Folder;

/// The finding about one subject.
fn finding(json: &str, what: &str) -> serde_json::Value {
    let all: Vec<serde_json::Value> = serde_json::from_str(json).unwrap();
    all.into_iter().find(|f| f["what"] == what).unwrap_or_else(|| panic!("no {what} in {json}"))
}

#[test]
fn a_daemon_that_plays_is_asked() {
    let daemon = Daemon::start(|command| {
        command.args(["--audio", "null"]);
    });
    let folder = Folder::new();
    let ask = || {
        let mut command = folder.command("doctor --json");
        command.env("TIMBRED_OSC__PORT", daemon.osc().port().to_string());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let json = ask();
    let device = finding(&json, "sound device");
    assert_eq!(device["verdict"], "good", "{json}");
    assert!(device["found"].as_str().unwrap().contains("timbred plays: null"), "{json}");
    assert_eq!(finding(&json, "level")["verdict"], "good", "{json}");
    let panel = finding(&json, "panel");
    assert_eq!(panel["verdict"], "good", "{json}");
    assert!(panel["found"].as_str().unwrap().starts_with("http://127.0.0.1:"), "{json}");
    assert_eq!(control(&daemon, &["set", "master.mute", "on"]).0, Some(0));
    let level = finding(&ask(), "level");
    assert_eq!((&level["verdict"], level["remedy"].as_str().is_some()), (&"trouble".into(), true));
    // The status names the first problem that the doctor finds.
    let (_, said) = control(&daemon, &["status"]);
    let wanted = "to mend    level: the master is muted -> timbrectl set master.mute off\n";
    assert!(said.contains(wanted), "{said}");
    assert_eq!(control(&daemon, &["set", "master.mute", "off"]).0, Some(0));
    assert!(!control(&daemon, &["status"]).1.contains("to mend    level"));
}

#[test]
fn a_device_that_is_not_there_is_trouble_with_a_remedy() {
    let folder = Folder::new();
    let mut command = folder.command("doctor");
    // Nothing listens at this port.
    command.env("TIMBRED_OSC__PORT", "1").env("TIMBRED_AUDIO__BACKEND", "jack");
    command.env("JACK_DEFAULT_SERVER", "there-is-none");
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("TROUBLE  sound device: "), "{text}");
    assert!(text.contains("disk for recordings") && text.contains("-> "), "{text}");
}
