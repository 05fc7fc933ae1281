//! The real daemon with OSC clients of other projects: python-osc and node-osc
//! (`tests/osc_clients`), each with a daemon of its own.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;

use timbred_tests::live::Daemon;

const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/osc_clients");

/// The path of a program in the Python environment that `make` creates.
fn program(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let environment = std::env::var_os("VENV").map_or(root.join(".venv"), |venv| root.join(venv));
    environment.join("bin").join(name)
}

/// Runs a script with a daemon; `needed` is the path of its client library.
fn talk(interpreter: &str, needed: &Path, script: &str) {
    let interpreter = program(interpreter);
    let missing = [interpreter.as_path(), needed].into_iter().find(|path| !path.exists());
    if let Some(missing) = missing {
        panic!("{} is missing: run `make osc-clients` first", missing.display());
    }
    let daemon = Daemon::start(|command| {
        command.args(["--audio", "null"]);
    });
    let port = daemon.osc().port().to_string();
    let ran = Command::new(interpreter).arg(Path::new(CLIENTS).join(script)).arg(port).output();
    let ran = ran.unwrap();
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.success(), "{script}: {said}\n{}", daemon.log());
}

#[test]
fn python_osc_is_understood() {
    talk("python", &program("../osc-clients-ready"), "python_osc.py");
}

#[test]
fn node_osc_is_understood() {
    talk("node", &Path::new(CLIENTS).join("node_modules/node-osc"), "node_osc.mjs");
}
