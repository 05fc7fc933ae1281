//! Starts a JACK server with the dummy driver for a test, and clients beside it. This file knows no
//! daemon.
#![allow(clippy::expect_used, clippy::panic)]

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The most servers of tests that can run on a machine at a time.
const MOST: usize = 4;

/// A running server. It ends when this is dropped.
#[derive(Debug)]
pub struct JackServer {
    name: String,
    period: u32,
    child: Option<Child>,
    /// The lock is held as long as the name is used.
    _lock: File,
}

impl JackServer {
    /// Starts a server at 48 kHz with periods of `period` frames.
    ///
    /// # Panics
    /// There is no jackd, or it does not start.
    pub fn start(period: u32) -> Self {
        let (name, lock) = free_name();
        let mut server = Self { name, period, child: None, _lock: lock };
        server.run();
        server
    }

    /// Starts the server again after [`Self::kill`], under the same name.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub fn run(&mut self) {
        let period = self.period.to_string();
        let mut command = Command::new("jackd");
        if may_be_realtime() {
            command.args(["--realtime", "-P", "10"]);
        } else {
            command.arg("--no-realtime");
        }
        // In synchronous mode the server waits for every client, so that the recording is complete.
        let arguments = ["-n", &self.name, "-S", "-d", "dummy", "-r", "48000", "-p", &period];
        command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
        self.child =
            Some(self.in_env(&mut command).spawn().expect("jackd; `make setup` installs it"));
        let patience = Instant::now();
        while self.ports().is_none() {
            assert!(patience.elapsed() < Duration::from_secs(15), "jackd does not come up");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Kills the server, as in a crash.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Sends the server a signal by its name, such as STOP.
    ///
    /// # Panics
    /// It has ended.
    pub fn signal(&self, name: &str) {
        let id = self.child.as_ref().expect("a running server").id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().expect("kill");
        assert!(sent.success(), "the server is gone");
    }

    /// Sets the environment of `command` so that it finds this server.
    pub fn in_env<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("JACK_DEFAULT_SERVER", &self.name)
            .env("JACK_NO_AUDIO_RESERVATION", "1")
            .env("JACK_NO_START_SERVER", "1")
    }

    /// All ports; none if the server does not answer.
    pub fn ports(&self) -> Option<Vec<String>> {
        let out = self.in_env(&mut Command::new("jack_lsp")).output().ok()?;
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        out.status.success().then(|| text.lines().map(str::to_owned).collect())
    }

    /// Waits for a port whose name has this beginning and this end.
    ///
    /// # Panics
    /// The port does not appear within 20 s.
    pub fn wait_for_port(&self, begins: &str, ends: &str) -> String {
        let patience = Instant::now();
        loop {
            let ports = self.ports().unwrap_or_default();
            if let Some(port) = ports.iter().find(|p| p.starts_with(begins) && p.ends_with(ends)) {
                return port.clone();
            }
            assert!(
                patience.elapsed() < Duration::from_secs(20),
                "no {begins}*{ends} in {ports:?}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The command that runs the probe (`src/bin/jack_probe.rs`) on this server.
    ///
    /// # Panics
    /// The probe is not built.
    pub fn probe(&self) -> Command {
        let mut command = Command::new(probe_path());
        self.in_env(&mut command);
        command
    }
}

impl Drop for JackServer {
    fn drop(&mut self) {
        // A stopped process does not react to other signals.
        if let Some(child) = &self.child {
            let _ = Command::new("kill").args(["-s", "CONT", &child.id().to_string()]).status();
        }
        // It is first asked to end: a server that is killed keeps its place in the registry of
        // JACK.
        if let Some(child) = &mut self.child {
            let _ = Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status();
            let patience = Instant::now();
            while matches!(child.try_wait(), Ok(None))
                && patience.elapsed() < Duration::from_secs(5)
            {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        self.kill();
        // jackd leaves its semaphores behind when it is killed.
        for entry in std::fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().contains(&self.name) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

/// Whether this user may have real-time priority.
fn may_be_realtime() -> bool {
    let tried = Command::new("chrt").args(["--fifo", "10", "true"]).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}

/// A name that no other test uses. JACK remembers eight names on a machine. The name of a server
/// that was killed is free again only for a server of the same name.
fn free_name() -> (String, File) {
    let patience = Instant::now();
    loop {
        for number in 0..MOST {
            let name = format!("timbred_test_{number}");
            let path = std::env::temp_dir().join(format!("{name}.lock"));
            let lock = File::create(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            if lock.try_lock().is_ok() {
                return (name, lock);
            }
        }
        assert!(patience.elapsed() < Duration::from_secs(120), "{MOST} other tests have servers");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn probe_path() -> PathBuf {
    let path = crate::program::timbred().with_file_name("jack_probe");
    assert!(path.is_file(), "{} is missing: run `cargo build --workspace` first", path.display());
    path
}
