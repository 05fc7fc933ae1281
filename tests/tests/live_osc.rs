//! The daemon without a sound device, controlled by OSC clients of another project (liblo) and by
//! `timbrectl`.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::process::{Command, Stdio};
use std::time::Duration;

use timbred_tests::bundle::tiny_bundle;
use timbred_tests::live::{Daemon, control, wait_for};
use timbred_tests::program::{timbrectl, timbred};

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

/// The output of `timbrectl`, which must succeed.
#[track_caller]
fn well(daemon: &Daemon, arguments: &[&str]) -> String {
    let (code, text) = control(daemon, arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {text}: {}", daemon.log());
    text.trim_end().to_owned()
}

/// The output of `timbrectl` if the daemon refuses, which must have these words.
#[track_caller]
fn refused(daemon: &Daemon, arguments: &[&str], words: &[&str]) {
    let (code, text) = control(daemon, arguments);
    assert_eq!(code, Some(1), "{arguments:?}: {text}");
    assert!(words.iter().all(|word| text.contains(word)), "{arguments:?}: {text}");
}

#[test]
fn presets_keep_everything_that_is_set() {
    let daemon = daemon();
    refused(&daemon, &["preset", "next"], &["no presets yet"]);
    for set in [["/ch/2/gain", "-3"], ["/master/gain", "-20"], ["sampler", "DDIM"], ["steps", "1"]]
    {
        well(&daemon, &[&["set"][..], &set].concat());
    }
    well(&daemon, &["program", "2", "Violin"]);
    well(&daemon, &["preset", "save", "Evening (1)"]);
    let folder = daemon.home().join(".local/state/timbred/presets");
    let file = std::fs::read_to_string(folder.join("Evening (1).toml")).unwrap();
    assert!(file.contains("sampler = \"ddim\"") && file.contains("gain = -20.0"), "{file}");

    for set in [["/ch/2/gain", "5"], ["/master/gain", "-30"], ["sampler", "model"]] {
        well(&daemon, &[&["set"][..], &set].concat());
    }
    well(&daemon, &["program", "2", "Flute"]);
    well(&daemon, &["preset", "save", "Late"]);
    assert_eq!(well(&daemon, &["preset", "list"]), "Evening (1)\nLate");
    assert_eq!(well(&daemon, &["--json", "preset", "list"]), r#"["Evening (1)","Late"]"#);

    well(&daemon, &["preset", "load", "Evening (1)"]);
    let values = ["/ch/2/gain", "/ch/2/program", "/master/gain", "sampler", "steps"];
    let values = values.map(|name| well(&daemon, &["get", name]));
    assert_eq!(values, ["-3", "40", "-20", "ddim", "1"]);
    assert_eq!(well(&daemon, &["preset", "next"]), "Late");
    assert_eq!(well(&daemon, &["get", "/ch/2/instrument"]), "Flute");
    assert_eq!(well(&daemon, &["preset", "prev"]), "Evening (1)");

    for name in ["../state", "/etc/passwd", ".x", ""] {
        for verb in ["save", "load", "delete"] {
            refused(&daemon, &["preset", verb, name], &["found the name"]);
        }
    }
    refused(&daemon, &["preset", "load", "late"], &["there are: Evening (1), Late"]);
    std::fs::write(folder.join("Late.toml"), "programs = 3\n").unwrap();
    refused(&daemon, &["preset", "load", "Late"], &["Late.toml: line 1"]);
    assert_eq!(well(&daemon, &["get", "/master/gain"]), "-20", "a broken one changes nothing");
    well(&daemon, &["preset", "delete", "Late"]);
    assert_eq!(well(&daemon, &["preset", "list"]), "Evening (1)");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1);
}

#[test]
fn devices_and_ports_are_listed_and_a_wrong_device_leaves_the_old_one_playing() {
    let daemon = daemon();
    assert_eq!(well(&daemon, &["devices"]), "* null");
    let playing = well(&daemon, &["device"]);
    assert!(playing.starts_with("null, 48000 Hz"), "{playing}");
    refused(&daemon, &["device", "no such"], &["no such", "there are: null"]);
    assert_eq!(well(&daemon, &["device", "NULL"]), playing, "opened anew");
    let frames = || {
        let status: serde_json::Value =
            serde_json::from_str(&well(&daemon, &["--json", "status"])).unwrap();
        status["frames_played"].as_u64().unwrap()
    };
    let before = frames();
    wait_for("sound", || frames() > before + 4800);
    well(&daemon, &["ports"]);
    for verb in ["connect", "disconnect"] {
        refused(&daemon, &[verb, "no such port"], &["no such port"]);
    }
}

/// Gives a model the programs of Slakh2100, of which one has a rating.
fn slakh_programs(manifest: &std::path::Path) {
    let text = std::fs::read_to_string(manifest).unwrap();
    let changed = text.replace("program_map = \"none\"", "program_map = \"slakh\"");
    assert_ne!(changed, text);
    std::fs::write(manifest, changed + "\n[instruments]\nfair = [42]\n").unwrap();
}

#[test]
fn instruments_have_names_without_a_daemon() {
    let out = Command::new(timbrectl()).args(["--port", "9", "instruments"]).output().unwrap();
    assert!(out.status.success());
    let text = String::from_utf8(out.stdout).unwrap();
    assert_eq!(text.lines().nth(40), Some(" 40 Violin"));
    assert_eq!(text.lines().nth(128), Some("drum kits on channel 10:"));
    assert_eq!(text.lines().last(), Some(" 48 Orchestra Kit"));
}

#[test]
fn another_model_plays_without_a_new_start() {
    let daemon = daemon();
    let tiny = daemon.home().join("tiny");
    tiny_bundle(&tiny);
    let status = || -> serde_json::Value {
        serde_json::from_str(&well(&daemon, &["--json", "status"])).unwrap()
    };
    refused(&daemon, &["set", "model", "no such model"], &["no such model", "live"]);
    assert_eq!(well(&daemon, &["get", "model"]), "live");
    well(&daemon, &["program", "1", "Violin"]);
    send(&daemon, &["/ch/1/note", "ii", "60", "100"]);
    wait_for("the note", || status()["notes"] == 1);
    assert!(!well(&daemon, &["instruments"]).contains("fallback"));
    slakh_programs(&tiny.join("manifest.toml"));
    well(&daemon, &["set", "model", tiny.to_str().unwrap()]);
    let listed = well(&daemon, &["instruments"]);
    assert_eq!(listed.lines().count(), 128 + 1 + 8);
    assert!(listed.contains(" 42 Cello                    fair"), "{listed}");
    assert!(listed.contains("127 Gunshot                  fallback 88"), "{listed}");
    assert!(listed.contains("  0 Acoustic Grand Piano     unrated"), "{listed}");
    assert_eq!(well(&daemon, &["get", "model"]), "tiny");
    wait_for("the release", || status()["notes"] == 0);
    send(&daemon, &["/ch/1/note", "ii", "62", "100"]);
    wait_for("a note of the new model", || status()["notes"] == 1);
    wait_for("its sound", || status()["peak_dbfs"].as_f64().unwrap() > -100.0);
    assert_eq!(well(&daemon, &["get", "/ch/1/program"]), "40");
    // If the new model is broken, the old one plays on.
    std::fs::write(tiny.join("step.onnx"), "broken").unwrap();
    refused(&daemon, &["set", "model", tiny.to_str().unwrap()], &["step.onnx"]);
    well(&daemon, &["set", "model", "live"]);
    assert_eq!(well(&daemon, &["get", "model"]), "live");
}

#[test]
fn a_broken_configuration_is_told_to_who_asks_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, "[engine]\nsampler = \"dpm++2m\"\n").unwrap();
    let mut daemon = Daemon::start(|command| {
        command.args(["--audio", "null", "--config"]).arg(&file);
    });
    assert_eq!(well(&daemon, &["get", "sampler"]), "dpm++2m");
    std::fs::write(&file, "[engine]\nsampler = \"euler\"\n").unwrap();
    refused(&daemon, &["reload"], &["config.toml:2", "euler"]);
    assert_eq!(well(&daemon, &["get", "sampler"]), "dpm++2m");
    std::fs::write(&file, "[engine]\nsampler = \"ddpm\"\n").unwrap();
    well(&daemon, &["reload"]);
    assert_eq!(well(&daemon, &["get", "sampler"]), "ddpm");
    // A client that asks for something that ends the server gets its answer, too.
    let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    std::fs::write(&file, format!("[osc]\ntargets = [\"{free}\"]\n")).unwrap();
    let before = daemon.osc();
    well(&daemon, &["reload"]);
    wait_for("another server", || {
        daemon.heard("STATUS=");
        daemon.osc() != before
    });
    assert_eq!(well(&daemon, &["get", "sampler"]), "model");
}

#[test]
fn the_monitor_shows_the_daemon_and_gives_the_terminal_back() {
    let daemon = daemon();
    // `script` provides a terminal.
    let program = timbrectl();
    let line = format!(
        "stty cols 80 rows 24; {} --port {} monitor",
        program.display(),
        daemon.osc().port()
    );
    let mut shown = Command::new("script")
        .args(["-qefc", &line, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut keys = shown.stdin.take().unwrap();
    let mut press = |keys_pressed: &[u8]| {
        use std::io::Write;
        std::thread::sleep(Duration::from_millis(700));
        keys.write_all(keys_pressed).unwrap();
        keys.flush().unwrap();
    };
    let before: f64 = well(&daemon, &["get", "/master/gain"]).parse().unwrap();
    press(b"\x1b[A\x1b[A"); // the arrow up, twice
    wait_for("the gain", || well(&daemon, &["get", "/master/gain"]) == (before + 2.0).to_string());
    press(b"q");
    let output = shown.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    for word in ["\x1b[?1049h", "peak", "Acoustic", "\x1b[?1049l"] {
        assert!(text.contains(word), "no {word:?}: {text}");
    }
    let (code, text) = control(&daemon, &["monitor"]);
    assert_eq!(code, Some(2), "not a terminal: {text}");
}

#[test]
fn status_goes_on_while_it_is_watched() {
    use std::io::BufRead;
    let daemon = daemon();
    let port = daemon.osc().port().to_string();
    let mut watched = Command::new(timbrectl())
        .args(["--port", &port, "status", "--watch", "--every-ms", "50"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufReader::new(watched.stdout.take().unwrap()).lines().take(3);
    let lines: Vec<String> = lines.map(Result::unwrap).collect();
    watched.kill().unwrap();
    watched.wait().unwrap();
    assert!(lines.len() == 3 && lines.iter().all(|line| line.contains("underruns")), "{lines:?}");
}

#[test]
fn a_wrong_configuration_is_refused_with_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wrong.toml");
    std::fs::write(&file, "[audio]\nbufer_frames = 64\n").unwrap();
    for arguments in [&["--check", "--config"][..], &["--check"], &["--config"]] {
        let ran = Command::new(timbred())
            .args(arguments)
            .arg(&file)
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
