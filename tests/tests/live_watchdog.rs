//! What the real daemon on a JACK server tells systemd: that it is ready, and that it is alive only
//! while sound flows.
#![allow(clippy::unwrap_used)]

use std::process::Command;
use std::sync::{Mutex, PoisonError};

use timbred_tests::jack::JackServer;
use timbred_tests::live::{Daemon, control, wait_for};

/// `WatchdogSec=` as it would be in the unit, µs.
const WATCHDOG_US: u32 = 600_000;
const FED: &str = "WATCHDOG=1";

/// Only one server runs at a time, because two daemons on two cores would disturb each other.
static ALONE: Mutex<()> = Mutex::new(());

fn prepare(server: &JackServer) -> impl FnOnce(&mut Command) {
    |command| {
        server.in_env(command);
        command.args(["--audio", "jack"]).env("WATCHDOG_USEC", WATCHDOG_US.to_string());
    }
}

fn count(lines: &[String]) -> usize {
    lines.iter().filter(|line| *line == FED).count()
}

#[test]
fn it_is_fed_while_sound_flows_and_starves_with_the_callback() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let server = JackServer::start(256);
    let mut daemon = Daemon::start(prepare(&server));
    let (_, status) = control(&daemon, &["--json", "status"]);
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert!(status["stream_frames"].as_u64() > Some(0), "ready without sound: {status}");
    // It is fed every third of the interval: 10 times in 2 s. A busy machine may miss some; systemd
    // tolerates two in a row.
    let fed = count(&daemon.listen(2.0));
    assert!((4..=13).contains(&fed), "fed {fed} times: {}", daemon.log());
    server.signal("STOP");
    // Messages on their way may still arrive.
    daemon.listen(0.5);
    let fed = count(&daemon.listen(2.0));
    assert_eq!(fed, 0, "no sound for {} intervals: {}", 2_000_000 / WATCHDOG_US, daemon.log());
    server.signal("CONT");
}

#[test]
fn nothing_is_ready_before_sound_flows() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let server = JackServer::start(256);
    // The server exists but plays nothing.
    server.signal("STOP");
    let mut daemon = Daemon::spawn(prepare(&server));
    let told = daemon.listen(3.0);
    assert!(told.iter().any(|line| line.starts_with("STATUS=loading")), "{told:?}");
    assert!(!told.iter().any(|line| line.starts_with("READY")), "{told:?}");
    // The first such message would start the watchdog of the manager.
    assert_eq!(count(&told), 0, "{told:?}");
    server.signal("CONT");
    daemon.wait_until_ready();
}

#[test]
fn without_the_server_that_was_asked_for_it_is_there_says_so_and_waits_for_it() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut server = JackServer::start(256);
    server.kill();
    let mut daemon = Daemon::start(prepare(&server));
    let status = daemon.said.iter().rev().find(|line| line.starts_with("STATUS=")).unwrap();
    assert!(status.contains("NO SOUND DEVICE"), "{status}");
    assert!(daemon.log().contains("no JACK server runs"), "{}", daemon.log());
    assert!(!daemon.log().contains("ERROR"), "probing is silent: {}", daemon.log());
    let (_, status) = control(&daemon, &["status"]);
    assert!(status.contains("device     none: no sound device (jack)"), "{status}");
    let fed = count(&daemon.listen(2.0));
    assert!(fed >= 1, "without a device it is no less alive: {}", daemon.log());
    server.run();
    wait_for("the sound", || {
        control(&daemon, &["status"]).1.contains("device     JACK as timbred")
    });
    // The status line of `systemctl status` follows.
    let told = daemon.listen(4.0);
    let last = told.iter().rev().find(|line| line.starts_with("STATUS=")).unwrap();
    assert!(last.contains("JACK as timbred"), "{told:?}");
    server.kill();
    wait_for("its loss", || control(&daemon, &["status"]).1.contains("device     none: "));
    let (_, status) = control(&daemon, &["--json", "status"]);
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["peak_dbfs"], -120.0, "no level without a device");
}
