//! The daemon without a sound device, steered by OSC clients that are not ours (liblo's) and by `timbrectl`.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use timbred_tests::live::{Daemon, control};
use timbred_tests::program::timbred;

fn daemon() -> Daemon {
    Daemon::start(|command| {
        command.args(["--audio", "null"]);
    })
}

/// `oscsend` of liblo-tools.
fn send(daemon: &Daemon, arguments: &[&str]) {
    let port = daemon.osc().port().to_string();
    let sent = Command::new("oscsend").args(["127.0.0.1", &port]).args(arguments).status().unwrap();
    assert!(sent.success(), "{arguments:?}");
}

fn wait_for(what: &str, mut is_there: impl FnMut() -> bool) {
    let patience = Instant::now();
    while !is_there() {
        assert!(patience.elapsed() < Duration::from_secs(5), "{what} does not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn liblo_sets_subscribes_and_is_told_of_errors() {
    let daemon = daemon();
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("dump");
    let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut listener = Command::new("stdbuf")
        .args(["-oL", "oscdump", "-L", &free.to_string()])
        .stdout(Stdio::from(std::fs::File::create(&dump).unwrap()))
        .spawn()
        .unwrap();
    let dumped = |word: &str| std::fs::read_to_string(&dump).unwrap_or_default().contains(word);
    std::thread::sleep(Duration::from_millis(300));
    send(&daemon, &["/subscribe", "sisi", "127.0.0.1", &free.to_string(), "/master/*", "30"]);
    send(&daemon, &["/master/gain", "f", "-20"]);
    wait_for("the change", || dumped("/master/gain"));
    assert!(dumped("-20"));
    send(&daemon, &["/ch/[1-3]/transpose", "i", "7"]);
    wait_for("the pattern", || control(&daemon, &["get", "/ch/3/transpose"]).1.contains('7'));
    assert!(!dumped("transpose"), "it subscribed to /master only");
    listener.kill().unwrap();
    listener.wait().unwrap();
}

#[test]
fn timbrectl_plays_and_what_is_set_is_kept() {
    let mut daemon = daemon();
    assert_eq!(control(&daemon, &["program", "2", "Violin"]).0, Some(0));
    wait_for("the program", || control(&daemon, &["get", "/ch/2/program"]).1.contains("40"));
    assert_eq!(control(&daemon, &["set", "/ch/2/gain", "-3"]).0, Some(0));
    let (code, text) = control(&daemon, &["set", "/ch/2/gian", "-3"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("/ch/2/gian"), "{text}");
    assert_eq!(control(&daemon, &["note", "2", "60", "100", "--ms", "1500"]).0, Some(0));
    let (_, status) = control(&daemon, &["--json", "status"]);
    assert!(status.contains("latency"), "{status}");
    daemon.signal("TERM");
    assert_eq!(daemon.ended(), Some(0), "{}", daemon.log());
    let state = daemon.home().join(".local/state/timbred/state.toml");
    let state = std::fs::read_to_string(state).unwrap();
    assert!(state.contains("gain = -3.0") && state.contains("40"), "{state}");
}

#[test]
fn a_wrong_configuration_is_refused_with_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wrong.toml");
    std::fs::write(&file, "[audio]\nbufer_frames = 64\n").unwrap();
    for arguments in [&["--check"][..], &[]] {
        let ran = Command::new(timbred())
            .arg("--config")
            .arg(&file)
            .args(arguments)
            .env("HOME", folder.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(7), "{text}");
        for word in ["wrong.toml:2", "bufer_frames", "buffer_frames"] {
            assert!(text.contains(word), "no {word}: {text}");
        }
    }
}
