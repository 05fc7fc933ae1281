//! The real daemon from the side of programs in the network, by scripts with clients of other
//! projects (`tests/remote`). Each script starts its own daemon. The browser has a make target of
//! its own, `make panel`.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;

use timbred_tests::program::timbred;

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/remote");

/// The path of a program in the Python environment that `make` creates.
fn program(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let environment = std::env::var_os("VENV").map_or(root.join(".venv"), |venv| root.join(venv));
    environment.join("bin").join(name)
}

/// Runs a script with the path of the daemon and more arguments. It must succeed.
#[track_caller]
fn run(interpreter: &Path, script: &str, arguments: &[&str]) {
    let ready = [interpreter.to_owned(), Path::new(SCRIPTS).join("node_modules/ws")];
    if let Some(missing) = ready.iter().find(|path| !path.exists()) {
        panic!("{} is missing: run `make remote-clients` first", missing.display());
    }
    let mut command = Command::new(interpreter);
    command.arg(Path::new(SCRIPTS).join(script)).arg(timbred()).args(arguments);
    // This test shares two cores with others; `make remote-load` allows no gap.
    let ran = command.env("MORE_GAPS_HZ", "2").output().unwrap();
    let said = [ran.stdout, ran.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    println!("{said}");
    assert!(ran.status.success(), "{script}: {said}");
}

#[test]
fn oscquery_says_all_that_is_in_the_table_and_follows() {
    run(&program("node"), "oscquery.mjs", &[]);
}

#[test]
fn found_by_mdns_and_asked_by_another_machine_which_may_not_do_everything() {
    let may = Command::new("ip").args(["netns", "add", "timbred-may"]).output();
    if !may.is_ok_and(|may| may.status.success()) {
        println!("not checked: network namespaces need root and iproute2; `make remote` has both");
        return;
    }
    Command::new("ip").args(["netns", "del", "timbred-may"]).status().unwrap();
    run(&program("python"), "network.py", &[]);
}

#[test]
fn many_listen_while_much_changes_and_who_reads_nothing_is_dropped() {
    run(&program("node"), "load.mjs", &["8", "20", "400"]);
}

#[test]
fn broken_requests_frames_and_packets_do_no_harm() {
    run(&program("python"), "garbage.py", &["2000"]);
}
