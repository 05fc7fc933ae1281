//! Sends messages to the service manager (`sd_notify`). Without a manager nothing is sent.

use std::ffi::OsStr;
use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// The longest wait for a manager that does not read.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often the line that `systemctl status` shows is compared with the last one.
const STATUS_EVERY: Duration = Duration::from_secs(2);

/// The line that `systemctl status` shows. It is sent whenever it has changed.
#[derive(Debug, Default)]
pub struct Status {
    told: String,
    looked: Option<Instant>,
}

impl Status {
    /// Whether it is time for the next comparison.
    pub fn is_due(&mut self) -> bool {
        let is_due = self.looked.is_none_or(|looked| looked.elapsed() >= STATUS_EVERY);
        if is_due {
            self.looked = Some(Instant::now());
        }
        is_due
    }

    /// Sends the line if it has changed.
    pub fn tell(&mut self, text: String, notifier: &Notifier) {
        if text != self.told {
            notifier.status(&text);
            self.told = text;
        }
    }
}

/// Sends messages to the service manager. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Notifier {
    to: Option<Arc<(UnixDatagram, SocketAddr)>>,
}

impl Notifier {
    /// A notifier for the manager that started this process. If its socket cannot be used, that is
    /// a warning.
    pub fn of_process() -> Self {
        let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return Self::default() };
        Self::to(&path).unwrap_or_else(|e| {
            tracing::warn!("NOTIFY_SOCKET={}: {e}; systemd gets no messages", path.display());
            Self::default()
        })
    }

    /// A notifier for the socket with this path. A path that begins with `@` is an abstract one.
    ///
    /// # Errors
    /// The path is not an address of a socket.
    pub fn to(path: &OsStr) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { to: Some(Arc::new((socket, address(path)?))) })
    }

    /// Everything is ready, or a reload is done.
    pub fn ready(&self, status: &str) {
        self.send(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
    }

    /// A reload begins; [`Self::ready`] ends it.
    pub fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.send(&[NotifyState::Reloading, now]),
            Err(e) => tracing::warn!("no monotonic clock: {e}; the reload is not announced"),
        }
    }

    /// The program begins to end.
    pub fn stopping(&self, status: &str) {
        self.send(&[NotifyState::Stopping, NotifyState::Status(&one_line(status))]);
    }

    /// Sends the line that `systemctl status` shows.
    pub fn status(&self, text: &str) {
        self.send(&[NotifyState::Status(&one_line(text))]);
    }

    /// Starting or stopping will take this much longer, for example because a large model is
    /// loaded.
    pub fn extend_timeout(&self, by: Duration) {
        let microseconds = u32::try_from(by.as_micros()).unwrap_or(u32::MAX);
        self.send(&[NotifyState::ExtendTimeoutUsec(microseconds)]);
    }

    /// The program is alive. Only [`super::Watchdog`] may send this.
    pub(super) fn feed_watchdog(&self) {
        self.send(&[NotifyState::Watchdog]);
    }

    fn send(&self, states: &[NotifyState<'_>]) {
        let Some(to) = &self.to else { return };
        let text: String = states.iter().map(|state| format!("{state}\n")).collect();
        if let Err(e) = to.0.send_to_addr(text.as_bytes(), &to.1) {
            tracing::warn!("systemd did not get the message {:?}: {e}", text.trim_end());
        }
    }
}

/// How often the service manager wants to hear that the program is alive; none without
/// `WatchdogSec=`.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|interval| !interval.is_zero())
}

/// A text without line ends, which would end the message.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

fn address(path: &OsStr) -> io::Result<SocketAddr> {
    #[cfg(target_os = "linux")]
    if let Some(name) = path.as_encoded_bytes().strip_prefix(b"@") {
        use std::os::linux::net::SocketAddrExt;
        return SocketAddr::from_abstract_name(name);
    }
    SocketAddr::from_pathname(path)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
pub(super) mod tests {
    use super::*;

    /// A service manager's end of the socket.
    pub(in super::super) struct Listener {
        socket: UnixDatagram,
        _folder: tempfile::TempDir,
        pub(in super::super) notifier: Notifier,
    }

    impl Listener {
        pub(in super::super) fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("notify");
            let socket = UnixDatagram::bind(&path).unwrap();
            socket.set_nonblocking(true).unwrap();
            Self { socket, notifier: Notifier::to(path.as_os_str()).unwrap(), _folder: folder }
        }

        /// The next message that has arrived, if any: a send to a local socket arrives before it
        /// returns.
        pub(in super::super) fn heard(&self) -> Option<String> {
            let mut buffer = [0; 1024];
            let length = self.socket.recv(&mut buffer).ok()?;
            Some(String::from_utf8(buffer[..length].to_vec()).unwrap())
        }
    }

    #[test]
    fn messages_are_as_systemd_reads_them() {
        let listener = Listener::new();
        let notifier = listener.notifier.clone();
        notifier.status("loading `live`");
        assert_eq!(listener.heard().unwrap(), "STATUS=loading `live`\n");
        notifier.extend_timeout(Duration::from_secs(30));
        assert_eq!(listener.heard().unwrap(), "EXTEND_TIMEOUT_USEC=30000000\n");
        notifier.ready("playing\nSTOPPING=1");
        assert_eq!(listener.heard().unwrap(), "READY=1\nSTATUS=playing STOPPING=1\n");
        notifier.reloading();
        let reloading = listener.heard().unwrap();
        let time = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(time.trim_end().parse::<u64>().unwrap() > 0);
        notifier.stopping("bye");
        assert_eq!(listener.heard().unwrap(), "STOPPING=1\nSTATUS=bye\n");
        assert_eq!(listener.heard(), None);
    }

    #[test]
    fn the_status_is_told_when_it_changes() {
        let listener = Listener::new();
        let mut status = Status::default();
        assert!(status.is_due() && !status.is_due());
        for text in ["plays", "plays", "NO SOUND DEVICE", "plays"] {
            status.tell(text.to_owned(), &listener.notifier);
        }
        let heard: Vec<String> = std::iter::from_fn(|| listener.heard()).collect();
        assert_eq!(heard, ["STATUS=plays\n", "STATUS=NO SOUND DEVICE\n", "STATUS=plays\n"]);
    }

    #[test]
    fn nobody_listening_is_no_fault() {
        Notifier::default().ready("up");
        let listener = Listener::new();
        let notifier = listener.notifier.clone();
        drop(listener);
        notifier.status("to a socket that is gone");
        assert!(Notifier::to(OsStr::new(&"x".repeat(200))).is_err());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn abstract_sockets_are_reached() {
        use std::os::linux::net::SocketAddrExt;
        let name = format!("timbred-test-{}", std::process::id());
        let here = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&here).unwrap();
        Notifier::to(OsStr::new(&format!("@{name}"))).unwrap().status("hello");
        let mut buffer = [0; 64];
        let length = socket.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"STATUS=hello\n");
    }
}
