//! The log: it goes to the journal under systemd (which adds the time, and gets the level of each
//! line), otherwise to the terminal. It knows no message.
//!
//! The levels: error means that the daemon cannot do its work; warn, that somebody should look at
//! it; info is what a user wants to read once; debug is for developers.

use std::fmt;
use std::io::IsTerminal;
use std::os::unix::fs::MetadataExt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// The crates of the project, to which a level without a name applies.
const OURS: [&str; 3] = ["timbred", "timbre_models", "timbre_control"];
/// The levels of libraries beside warnings. The library of JACK logs an error each time it finds no
/// server.
const LIBRARIES: &str = "warn,tract=error,jack=off";

/// Starts the log at `level` (a level, or levels of single targets as [`Targets`] reads them). The
/// variable `TIMBRED_LOG` overrides it.
pub fn start(level: &str) {
    let variable = std::env::var("TIMBRED_LOG").ok().filter(|text| !text.trim().is_empty());
    let targets = variable
        .and_then(|text| targets(&text))
        .or_else(|| targets(level))
        .unwrap_or_else(|| Targets::new().with_default(LevelFilter::WARN));
    let log = tracing_subscriber::registry().with(targets);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    // A second call has no effect.
    let _ = if is_journal() {
        let format = Journal(Format::default().without_time());
        log.with(lines.with_ansi(false).event_format(format)).try_init()
    } else {
        log.with(lines.with_ansi(std::io::stderr().is_terminal())).try_init()
    };
}

/// Reads levels; none if they are not valid.
fn targets(text: &str) -> Option<Targets> {
    directives(text).parse().ok()
}

/// Prints why the program ends: as an error in the journal, otherwise as plain text.
pub fn last_words(text: &str) {
    let prefix = if is_journal() { prefix(Level::ERROR) } else { "" };
    for line in text.lines() {
        eprintln!("{prefix}timbred: {line}");
    }
}

/// Turns levels into the syntax of [`Targets`]. A level alone applies to the crates of the project,
/// and libraries only warn unless they are named.
fn directives(text: &str) -> String {
    let (mut levels, mut named) = (vec![], vec![]);
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        if part.contains('=') {
            named.push(part.to_owned());
        } else {
            levels.push(part);
        }
    }
    let ours = levels.last().into_iter().flat_map(|level| OURS.map(|of| format!("{of}={level}")));
    let all: Vec<String> = ours.chain(named).collect();
    match levels.last() {
        Some(&"off") if all.len() == OURS.len() => "off".to_owned(),
        _ => format!("{LIBRARIES},{}", all.join(",")),
    }
}

/// Whether standard error is the journal itself. A program that was started by a service may have
/// redirected it.
fn is_journal() -> bool {
    let Some(stream) = std::env::var_os("JOURNAL_STREAM") else { return false };
    let Ok(meta) = std::fs::metadata("/proc/self/fd/2") else { return false };
    is_same(&stream.to_string_lossy(), meta.dev(), meta.ino())
}

fn is_same(stream: &str, device: u64, inode: u64) -> bool {
    let numbers = stream.split_once(':').map(|(d, i)| (d.parse().ok(), i.parse().ok()));
    numbers == Some((Some(device), Some(inode)))
}

/// The prefix that tells the journal the level of a line (sd-daemon(3)).
fn prefix(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        _ => "<7>",
    }
}

/// A format that puts the level in front of each line.
struct Journal(Format<Full, ()>);

impl<S, N> FormatEvent<S, N> for Journal
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut text = String::new();
        self.0.format_event(context, Writer::new(&mut text), event)?;
        let prefix = prefix(*event.metadata().level());
        text.lines().try_for_each(|line| writeln!(writer, "{prefix}{line}"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A buffer for the log of a test.
    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Page {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    /// Returns what is logged at a level.
    fn logged(level: &str, say: impl FnOnce()) -> String {
        let page = Page::default();
        let to = page.clone();
        let lines = tracing_subscriber::fmt::layer()
            .with_writer(move || to.clone())
            .with_ansi(false)
            .event_format(Journal(Format::default().without_time()));
        let log = tracing_subscriber::registry().with(targets(level).unwrap()).with(lines);
        tracing::subscriber::with_default(log, say);
        page.text()
    }

    #[test]
    fn every_line_has_its_level_for_the_journal() {
        let text = logged("debug", || {
            tracing::error!("one\nmore");
            tracing::warn!("two");
            tracing::info!("three");
            tracing::debug!("four");
        });
        let starts: Vec<&str> = text.lines().map(|line| &line[..3]).collect();
        assert_eq!(starts, ["<3>", "<3>", "<4>", "<6>", "<7>"], "{text}");
        assert!(text.contains("two") && !text.contains("<4><"));
    }

    #[test]
    fn debug_is_ours_and_a_look_for_jack_is_silent() {
        let text = logged("debug", || {
            tracing::debug!("ours");
            tracing::info!(target: "tract_core::model", "a thousand lines");
            tracing::warn!(target: "tract_linalg", "more");
            tracing::error!(target: "jack::logging", "Cannot connect to server socket");
            tracing::warn!(target: "other", "worth a look");
        });
        assert!(text.contains("ours") && text.contains("worth a look"), "{text}");
        assert!(!text.contains("lines") && !text.contains("more") && !text.contains("socket"));
    }

    #[test]
    fn libraries_are_heard_when_they_are_named() {
        let say = || {
            tracing::debug!("ours");
            tracing::debug!(target: "jack::logging", "theirs");
        };
        assert_eq!(logged("info,jack=debug", say).lines().count(), 1);
        assert!(logged("info,jack=debug", say).contains("theirs"));
        assert_eq!(logged("off", || tracing::error!("x")), "");
        assert_eq!(directives("jack=trace"), format!("{LIBRARIES},jack=trace"));
    }

    #[test]
    fn the_journal_is_known_by_its_socket() {
        assert!(is_same("8:42", 8, 42));
        assert!(!is_same("8:43", 8, 42) && !is_same("", 8, 42) && !is_same("8:x", 8, 42));
    }
}
