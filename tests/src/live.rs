//! Runs the real daemon in a folder of its own and waits until it is ready. This file knows no
//! expected result.
#![allow(clippy::expect_used, clippy::panic)]

use std::io::Read;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::program::{timbrectl, timbred};

/// A running daemon. It is killed when this is dropped.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    folder: TempDir,
    /// The socket on which systemd would listen.
    notify: UnixDatagram,
    /// All lines that it has sent to systemd.
    pub said: Vec<String>,
}

impl Daemon {
    /// Starts the daemon on any free OSC port and waits for READY=1. `prepare` adds arguments and
    /// environment.
    ///
    /// # Panics
    /// It is not ready within a minute.
    pub fn start(prepare: impl FnOnce(&mut Command)) -> Self {
        let mut daemon = Self::spawn(prepare);
        daemon.wait_until_ready();
        daemon
    }

    /// Starts the daemon like [`Self::start`], but does not wait.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn spawn(prepare: impl FnOnce(&mut Command)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("notify");
        let notify = UnixDatagram::bind(&socket).expect("a socket");
        notify.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
        let log = std::fs::File::create(folder.path().join("log")).expect("a file");
        let mut command = Command::new(timbred());
        command
            .args(["--osc-port", "0"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", folder.path())
            .env("NOTIFY_SOCKET", &socket)
            .env("TIMBRED_LOG", "info,timbred=debug,tract=error")
            // Tests run at the same time, and maybe beside a daemon that plays.
            .env("TIMBRED_REMOTE__PORT", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        prepare(&mut command);
        let child = command.spawn().expect("the daemon starts");
        Self { child, folder, notify, said: vec![] }
    }

    /// Waits for READY=1.
    ///
    /// # Panics
    /// It does not arrive within a minute.
    pub fn wait_until_ready(&mut self) {
        let patience = Instant::now();
        while !self.heard("READY=1") {
            let ended = self.child.try_wait().expect("a child").is_some();
            let late = patience.elapsed() > Duration::from_secs(60);
            assert!(!ended && !late, "not ready: {}", self.log());
        }
    }

    /// The lines that it sends to systemd in the next `seconds`.
    pub fn listen(&mut self, seconds: f64) -> Vec<String> {
        let (known, patience) = (self.said.len(), Instant::now());
        while patience.elapsed().as_secs_f64() < seconds {
            self.heard("any");
        }
        self.said.get(known..).unwrap_or_default().to_vec()
    }

    /// The memory that it uses, kB.
    ///
    /// # Panics
    /// It has ended.
    pub fn memory_kb(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(status).expect("the daemon runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.expect("VmRSS")
    }

    /// Whether it has sent systemd a line with this beginning; waits for at most 0.2 s.
    pub fn heard(&mut self, line: &str) -> bool {
        let mut buffer = [0; 4096];
        let patience = Instant::now();
        while patience.elapsed() < Duration::from_millis(200) {
            let Ok(length) = self.notify.recv(&mut buffer) else { break };
            let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
            self.said.extend(text.lines().map(str::to_owned));
            if self.said.iter().any(|said| said.starts_with(line)) {
                break;
            }
        }
        self.said.iter().any(|said| said.starts_with(line))
    }

    /// The address of its OSC server.
    ///
    /// # Panics
    /// Its status does not have the address.
    pub fn osc(&self) -> std::net::SocketAddr {
        let status = self.said.iter().rev().find(|line| line.contains("OSC "));
        let address = status.and_then(|line| line.rsplit(' ').next()).expect("a status");
        address.parse().expect("an address")
    }

    /// The text of its log.
    pub fn log(&self) -> String {
        let mut text = String::new();
        let path = self.folder.path().join("log");
        std::fs::File::open(path).and_then(|mut f| f.read_to_string(&mut text)).expect("a log");
        text
    }

    /// Its home folder.
    pub fn home(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Sends it a signal by its name.
    ///
    /// # Panics
    /// It has ended.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().expect("kill");
        assert!(sent.success(), "the daemon is gone: {}", self.log());
    }

    /// Waits until it ends, and returns its exit code.
    ///
    /// # Panics
    /// It does not end within 10 s.
    pub fn ended(&mut self) -> Option<i32> {
        let patience = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.code();
            }
            assert!(patience.elapsed() < Duration::from_secs(10), "it goes on: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `timbrectl` on a daemon, and returns its exit code and output.
///
/// # Panics
/// It is not built.
pub fn control(daemon: &Daemon, arguments: &[&str]) -> (Option<i32>, String) {
    let port = daemon.osc().port().to_string();
    let program = timbrectl();
    let ran = Command::new(program).args(["--port", &port]).args(arguments).output();
    let ran = ran.expect("timbrectl; `cargo build --workspace` builds it");
    let text = [ran.stdout, ran.stderr].concat();
    (ran.status.code(), String::from_utf8_lossy(&text).into_owned())
}

/// Waits until a condition is true.
///
/// # Panics
/// It is not true within 20 s.
#[track_caller]
pub fn wait_for(what: &str, mut is_there: impl FnMut() -> bool) {
    let patience = Instant::now();
    while !is_there() {
        assert!(patience.elapsed() < Duration::from_secs(20), "{what} does not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}
