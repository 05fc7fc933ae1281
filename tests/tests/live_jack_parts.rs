//! Ports of parts on a real JACK server: each has the sound of its own channel only, and the mix
//! plays on.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use timbred_tests::jack::JackServer;
use timbred_tests::live::{Daemon, control};

/// Only one server runs at a time, because two daemons on two cores would disturb each other.
static ALONE: Mutex<()> = Mutex::new(());

/// The level of a port while three notes are played on channel 1, root mean square, dB.
fn heard(server: &JackServer, folder: &Path, port: &str) -> f64 {
    let file = folder.join("heard.wav");
    let mut command = server.probe();
    command.args(["timbred:midi_in", &format!("timbred:{port}"), "3", "400"]).arg(&file);
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let mut wav = hound::WavReader::open(&file).unwrap();
    let powers: Vec<f64> =
        wav.samples::<f32>().map(|sample| f64::from(sample.unwrap()).powi(2)).collect();
    10.0 * (powers.iter().sum::<f64>() / powers.len() as f64 + 1e-20).log10()
}

#[test]
fn each_part_has_two_ports_with_its_sound_alone() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let server = JackServer::start(256);
    let daemon = Daemon::start(|command| {
        server.in_env(command);
        command.args(["--audio", "jack"]).env("TIMBRED_AUDIO__OUTPUTS", "parts");
    });
    server.wait_for_port("timbred:", "part_16_right");
    let ports = server.ports().unwrap();
    assert_eq!(ports.iter().filter(|port| port.starts_with("timbred:part_")).count(), 32);
    let (code, text) = control(&daemon, &["set", "/master/gain", "-40"]);
    assert_eq!(code, Some(0), "{text}");
    let folder = tempfile::tempdir().unwrap();
    let [mix, left, right, other] = ["out_left", "part_01_left", "part_01_right", "part_02_left"]
        .map(|port| heard(&server, folder.path(), port));
    assert!(left > -45.0 && right > -45.0, "{left} {right}");
    assert_eq!(other, -200.0, "nobody plays on channel 2");
    assert!(left - mix > 25.0, "the master moves the mix alone: {left} {mix}");
}

#[test]
fn without_being_asked_for_there_are_two_outputs() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let server = JackServer::start(256);
    let _daemon = Daemon::start(|command| {
        server.in_env(command);
        command.args(["--audio", "jack"]);
    });
    server.wait_for_port("timbred:", "out_right");
    // A server that is busy with a new client may not answer at once.
    let ports = (0..20).find_map(|_| {
        std::thread::sleep(Duration::from_millis(100));
        server.ports()
    });
    let ports = ports.unwrap();
    assert!(!ports.iter().any(|port| port.contains("part_")), "{ports:?}");
}
