//! No note hangs in the real daemon, whatever happens while keys are held. The notes come by OSC,
//! without a sound device.
#![allow(clippy::unwrap_used)]

use std::net::UdpSocket;
use std::process::Command;
use std::time::{Duration, Instant};

use rosc::{OscMessage, OscPacket, OscType};
use timbred_tests::live::Daemon;
use timbred_tests::program::timbrectl;

/// A daemon and an OSC client that plays it.
struct Stage {
    daemon: Daemon,
    socket: UdpSocket,
}

impl Stage {
    fn new() -> Self {
        let daemon = Daemon::start(|command| {
            command.args(["--audio", "null"]);
        });
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(daemon.osc()).unwrap();
        Self { daemon, socket }
    }

    fn send(&self, addr: &str, args: &[i32]) {
        let args = args.iter().map(|n| OscType::Int(*n)).collect();
        let packet = OscPacket::Message(OscMessage { addr: addr.to_owned(), args });
        self.socket.send(&rosc::encoder::encode(&packet).unwrap()).unwrap();
    }

    /// Strikes a chord on channel 1 and waits until it sounds.
    fn hold_a_chord(&self) {
        for key in [60, 64, 67] {
            self.send("/ch/1/note", &[key, 100]);
        }
        self.wait_for("the chord", |status| status["notes"] == 3 && loud(status));
    }

    fn status(&self) -> serde_json::Value {
        let port = self.daemon.osc().port().to_string();
        let program = timbrectl();
        let ran = Command::new(program).args(["--port", &port, "--json", "status"]).output();
        serde_json::from_slice(&ran.unwrap().stdout).unwrap()
    }

    fn wait_for(&self, what: &str, is_so: impl Fn(&serde_json::Value) -> bool) {
        let patience = Instant::now();
        loop {
            let status = self.status();
            if is_so(&status) {
                return;
            }
            let log = || self.daemon.log();
            assert!(patience.elapsed() < Duration::from_secs(15), "{what}: {status}: {}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Checks that no note is held and nothing sounds, after the time in which any note rings out.
    fn expect_silence(&self, after: &str) {
        self.wait_for(after, |status| status["notes"] == 0 && !loud(status));
    }
}

fn loud(status: &serde_json::Value) -> bool {
    status["peak_dbfs"].as_f64().unwrap() > -70.0
}

#[test]
fn a_program_change_leaves_no_note_of_the_old_one() {
    let stage = Stage::new();
    stage.hold_a_chord();
    stage.send("/ch/1/program", &[48]);
    std::thread::sleep(Duration::from_millis(300));
    for key in [60, 64, 67] {
        stage.send("/ch/1/note", &[key, 0]);
    }
    stage.expect_silence("keys released after the program change");
}

#[test]
fn notes_end_with_their_release_after_a_reload() {
    let stage = Stage::new();
    stage.hold_a_chord();
    let config = stage.daemon.home().join(".config/timbred/config.toml");
    std::fs::create_dir_all(config.parent().unwrap()).unwrap();
    // The sound device is opened again while the chord is held.
    std::fs::write(&config, "[audio]\nbuffer_frames = 512\n").unwrap();
    stage.daemon.signal("HUP");
    std::thread::sleep(Duration::from_millis(1_000));
    assert!(stage.daemon.log().contains("buffer_frames"), "{}", stage.daemon.log());
    for key in [60, 64, 67] {
        stage.send("/ch/1/note", &[key, 0]);
    }
    stage.expect_silence("keys released after the reload");
}

#[test]
fn a_pedal_and_panic_leave_nothing() {
    let stage = Stage::new();
    stage.send("/ch/1/cc", &[64, 127]);
    stage.hold_a_chord();
    for key in [60, 64, 67] {
        stage.send("/ch/1/note", &[key, 0]);
    }
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(stage.status()["notes"], 3, "the pedal holds them");
    stage.send("/panic", &[]);
    stage.expect_silence("panic");
}

#[test]
fn a_queue_that_overflows_releases_everything() {
    let stage = Stage::new();
    stage.hold_a_chord();
    // While it is stopped it cannot empty its queue: the packets wait in the socket and then arrive
    // all at once.
    let message = |key: i32| {
        let args = vec![OscType::Int(key), OscType::Int(90)];
        OscPacket::Message(OscMessage { addr: "/ch/2/note".to_owned(), args })
    };
    let chord = (0..1_000).map(|n| message(20 + n % 80)).collect();
    let bundle =
        rosc::OscBundle { timetag: rosc::OscTime { seconds: 0, fractional: 1 }, content: chord };
    let bytes = rosc::encoder::encode(&OscPacket::Bundle(bundle)).unwrap();
    let patience = Instant::now();
    while stage.status()["overflows"] == 0 {
        assert!(patience.elapsed() < Duration::from_secs(20), "{}", stage.status());
        stage.daemon.signal("STOP");
        for _ in 0..6 {
            stage.socket.send(&bytes).unwrap();
        }
        stage.daemon.signal("CONT");
    }
    std::thread::sleep(Duration::from_millis(300));
    // Messages after the overflow were played. Their keys are struck again and released.
    for key in 20..100 {
        stage.send("/ch/2/note", &[key, 0]);
    }
    stage.expect_silence("an overflow");
}
