//! Where messages go: the journal under systemd (which adds time and level itself), else the terminal. Knows no message.
//!
//! error: the daemon cannot do its work; warn: somebody should look; info: what a user wants to read once; debug: for developers.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Starts logging at `level` (as `EnvFilter` reads it), unless `TIMBRED_LOG` says otherwise.
pub fn start(level: &str) {
    let filter = EnvFilter::try_from_env("TIMBRED_LOG")
        .or_else(|_| EnvFilter::try_new(format!("{level},tract=error")))
        .unwrap_or_else(|_| EnvFilter::new("warn"));
    let to_journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // A second call changes nothing.
    let _ = if to_journal { log.without_time().try_init() } else { log.try_init() };
}
