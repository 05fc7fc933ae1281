//! The daemon on a real JACK server with a dummy driver: it follows the server, and no note hangs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use timbre_control::status::Status;
use timbred_tests::heard::{Heard, daemon, level_db, probe};
use timbred_tests::jack::JackServer;
use timbred_tests::live::{Daemon, control, wait_for};

const RATE_HZ: usize = 48_000;

/// Only one server runs at a time, because two daemons on two cores would disturb each other.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn a_player_that_crashes_leaves_no_note() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let server = JackServer::start(128);
    let daemon = daemon(&server, &[], None);
    let folder = tempfile::tempdir().unwrap();
    let held = probe(&server, folder.path(), 3, &["hold"]).sound;
    assert!(level_db(&held[held.len() - RATE_HZ / 2..]) > -50.0, "held notes sound");
    std::thread::sleep(Duration::from_secs(4));
    let after = probe(&server, folder.path(), 0, &[]).sound;
    let level = level_db(&after[RATE_HZ / 2..]);
    assert!(level < -70.0, "{level} dBFS: {}", daemon.log());
}

#[test]
fn a_port_that_is_disconnected_lets_go_and_can_be_connected_again() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let server = JackServer::start(128);
    let daemon = daemon(&server, &[], None);
    let output = server.wait_for_port("timbred:", "out_left");
    server.wait_for_port("timbred:", "midi_in");
    let folder = tempfile::tempdir().unwrap();
    let notes = || {
        let (_, status) = control(&daemon, &["--json", "status"]);
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        status["notes"].as_u64().unwrap()
    };
    let ports = || control(&daemon, &["ports"]).1;
    // Keys are struck every 2 s and not released.
    let mut player = server
        .probe()
        .args(["timbred:midi_in", &output, "60", "2000"])
        .arg(folder.path().join("heard.wav"))
        .arg("hold")
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the first key", || notes() >= 1);
    assert!(ports().contains("* probe_player:out"), "{}", ports());
    assert_eq!(control(&daemon, &["disconnect", "probe_player"]), (Some(0), String::new()));
    wait_for("the release", || notes() == 0);
    assert!(ports().contains("  probe_player:out"), "{}", ports());
    assert_eq!(control(&daemon, &["connect", "PROBE_player"]), (Some(0), String::new()));
    wait_for("the next key", || notes() >= 1);
    player.kill().unwrap();
    player.wait().unwrap();
    wait_for("the release", || notes() == 0);
}

/// The number of gaps so far.
fn underruns(daemon: &Daemon) -> u64 {
    let (_, status) = control(daemon, &["--json", "status"]);
    serde_json::from_str::<Status>(&status).unwrap().underruns
}

#[test]
fn a_buffer_that_grows_or_shrinks_while_it_plays_is_followed_within_a_second() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let server = JackServer::start(256);
    let daemon = daemon(&server, &["--hop-ms", "40"], None);
    let latency_ms = || {
        let (_, status) = control(&daemon, &["--json", "status"]);
        serde_json::from_str::<Status>(&status).unwrap().latency_ms
    };
    let before_ms = latency_ms();
    for frames in [1024, 8192, 64, 2048, 16, 512] {
        let buffer =
            server.in_env(&mut Command::new("jack_bufsize")).arg(frames.to_string()).output();
        assert!(buffer.unwrap().status.success());
        // The change of the server takes a while, and then the stream may take a second.
        std::thread::sleep(Duration::from_millis(1_500));
        let (gaps, wanted) = (underruns(&daemon), 3.0);
        std::thread::sleep(Duration::from_secs_f64(wanted));
        let more = underruns(&daemon) - gaps;
        // A machine that is busy with other things may be late now and then. If the change were
        // not followed there would be 25 gaps a second.
        assert!(more <= 25, "{more} gaps in {wanted} s at {frames} frames: {}", daemon.log());
        let (buffer_ms, now_ms) = (f64::from(frames) / 48.0, latency_ms());
        assert!(now_ms > buffer_ms, "{now_ms} ms at {frames} frames");
        println!(
            "{frames} frames: {more} gaps, key to sound {now_ms:.0} ms (before {before_ms:.0})"
        );
    }
}

#[test]
fn the_client_is_called_timbred_and_plugged_into_the_systems_outputs() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let server = JackServer::start(256);
    let plugged = |connect: &str| {
        let mut daemon = Daemon::start(|command| {
            server.in_env(command);
            command.args(["--audio", "jack"]).env("TIMBRED_AUDIO__CONNECT", connect);
        });
        let ports: Vec<String> = server.ports().unwrap();
        let ours: Vec<&String> = ports.iter().filter(|port| port.starts_with("timbred")).collect();
        assert_eq!(ours, ["timbred:midi_in", "timbred:out_left", "timbred:out_right"], "{ports:?}");
        let devices = control(&daemon, &["devices"]).1;
        assert!(devices.lines().any(|line| line == "* JACK"), "{devices}");
        assert!(!devices.contains("Input"), "{devices}");
        let lsp =
            server.in_env(&mut Command::new("jack_lsp")).args(["-c", "timbred:out_"]).output();
        daemon.signal("TERM");
        assert_eq!(daemon.ended(), Some(0), "{}", daemon.log());
        String::from_utf8(lsp.unwrap().stdout)
            .unwrap()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    let all = "timbred:out_left system:playback_1 timbred:out_right system:playback_2";
    assert_eq!(plugged("auto"), all);
    assert_eq!(plugged("system:playback_2"), all.replace("playback_1", "playback_2"));
    assert_eq!(plugged("none"), "timbred:out_left timbred:out_right");
}

#[test]
fn bytes_that_no_cable_carries_leave_no_note_and_a_reset_ends_all() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let server = JackServer::start(256);
    let daemon = daemon(&server, &[], None);
    let notes = || {
        let (_, status) = control(&daemon, &["--json", "status"]);
        serde_json::from_str::<Status>(&status).unwrap().notes
    };
    let folder = tempfile::tempdir().unwrap();
    // Keys are struck every 2 s and not released, with a reset in between.
    let mut player = server
        .probe()
        .args(["timbred:midi_in", "timbred:out_left", "3", "2000"])
        .arg(folder.path().join("heard.wav"))
        .args(["hold", "bytes"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the note that is one", || notes() > 0);
    assert_eq!(notes(), 1, "the others are none");
    wait_for("the reset", || notes() == 0);
    assert!(player.try_wait().unwrap().is_none(), "it was not the player's end that released it");
    player.kill().unwrap();
    player.wait().unwrap();
}

#[test]
fn a_knob_sets_what_it_was_taught() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let server = JackServer::start(128);
    let daemon = daemon(&server, &[], None);
    let says = |arguments: &[&str]| control(&daemon, arguments).1;
    assert!(says(&["learn", "ch.2.transpose"]).contains("/ch/2/transpose"));
    let folder = tempfile::tempdir().unwrap();
    probe(&server, folder.path(), 1, &["knob"]);
    wait_for("the knob", || says(&["get", "ch.2.transpose"]).contains("48"));
    assert_eq!(says(&["learn"]).trim(), "/ch/2/transpose: controller 74 of channel 3");
    assert_eq!(says(&["learn", "ch.2.transpose", "--forget"]), "");
    assert_eq!(says(&["learn"]), "");
}

#[test]
fn a_server_that_comes_back_is_found() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut server = JackServer::start(128);
    let mut daemon = daemon(&server, &[], None);
    let folder = tempfile::tempdir().unwrap();
    probe(&server, folder.path(), 1, &["hold"]);
    server.kill();
    std::thread::sleep(Duration::from_millis(700));
    server.run();
    let patience = Instant::now();
    while !daemon.log().contains("gone") && patience.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(50));
    }
    // While everything starts again, a busy machine may be late at first.
    let mut seen = vec![];
    let is_heard = (0..3).any(|attempt| {
        let Heard { keys, sound, xruns } = probe(&server, folder.path(), 3, &[]);
        let before = level_db(&sound[..RATE_HZ / 4]);
        assert!(attempt > 0 || before < -60.0, "the held note is released: {}", daemon.log());
        let level = |(_, frame): &(String, usize)| level_db(&sound[*frame..frame + RATE_HZ / 3]);
        let levels: Vec<f64> = keys.iter().map(level).collect();
        let are_heard = levels.iter().all(|level| *level > -60.0);
        seen.push((levels, xruns, control(&daemon, &["status"]).1));
        are_heard
    });
    assert!(is_heard, "levels of the keys, late cycles, status: {seen:#?}; {}", daemon.log());
    daemon.signal("TERM");
    assert_eq!(daemon.ended(), Some(0), "{}", daemon.log());
    assert!(daemon.heard("STOPPING=1"));
}
