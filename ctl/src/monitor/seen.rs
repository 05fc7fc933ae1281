//! What the monitor knows of the daemon: its last status, and a log of changes and errors. It knows
//! no screen.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rosc::{OscMessage, OscType};
use timbre_control::arguments::value;
use timbre_control::osc::{ERROR, PING, STATUS, SUBSCRIBE};
use timbre_control::parameters::{Access, find};
use timbre_control::status::Status;

/// How many lines of the log are kept.
const LINES: usize = 200;
/// After this time without a message the daemon counts as gone.
const SILENT: Duration = Duration::from_millis(1500);
/// How long the highest peak is shown.
const HOLD: Duration = Duration::from_secs(2);

/// How long a gain that was set here is shown instead of that of the daemon, whose answers may be
/// older.
const OWN: Duration = Duration::from_millis(500);

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The change, or the error.
    pub text: String,
    /// Whether it is an error.
    pub is_error: bool,
    /// The subject of the line, such as an address. A line about the same subject replaces it.
    about: Option<String>,
}

/// Everything that is known.
#[derive(Debug)]
pub struct Seen {
    /// The host of the daemon.
    pub host: String,
    /// The last status.
    pub status: Status,
    /// The highest peak of the last two seconds, dBFS.
    pub held_dbfs: f64,
    held_at: Option<Instant>,
    heard_at: Option<Instant>,
    /// The master gain that was last set here, and when.
    own_gain: Option<(f64, Instant)>,
    log: VecDeque<Line>,
}

impl Seen {
    /// Nothing is known of the daemon yet.
    pub fn new(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            status: Status::default(),
            held_dbfs: f64::NEG_INFINITY,
            held_at: None,
            heard_at: None,
            own_gain: None,
            log: VecDeque::new(),
        }
    }

    /// Takes a message of the daemon.
    pub fn hear(&mut self, message: &OscMessage, now: Instant) {
        self.heard_at = Some(now);
        match (message.addr.as_str(), message.args.as_slice()) {
            (STATUS, [OscType::String(json)]) => match serde_json::from_str(json) {
                Ok(status) => self.take(status, now),
                Err(e) => self.wrong(format!("the daemon is of another version: {e}")),
            },
            (ERROR, [OscType::String(address), _, OscType::String(text)]) => {
                self.wrong(format!("{address}: {text}"));
            }
            (STATUS | ERROR | SUBSCRIBE | PING, _) => {}
            // The telemetry has its own place on the screen, so it is not logged.
            (address, args)
                if !find(address).is_ok_and(|id| id.parameter.access == Access::Read) =>
            {
                let words: Vec<String> = args
                    .iter()
                    .map(|arg| value(arg).map_or_else(|| arg.to_string(), |v| v.to_string()))
                    .collect();
                self.changed(address, &words.join(" "));
            }
            _ => {}
        }
    }

    fn take(&mut self, status: Status, now: Instant) {
        let is_old = self.held_at.is_none_or(|at| now.duration_since(at) > HOLD);
        if is_old || status.peak_dbfs >= self.held_dbfs {
            (self.held_dbfs, self.held_at) = (status.peak_dbfs, Some(now));
        }
        // Before the first status there is nothing to compare it with.
        if !self.status.version.is_empty() {
            let before = &self.status;
            let grown = [
                ("underruns", status.underruns, before.underruns),
                ("misses", status.misses, before.misses),
                ("overflows of the MIDI queue", status.overflows, before.overflows),
            ];
            for (what, now, _) in grown.into_iter().filter(|(_, now, before)| now > before) {
                self.replace(what, format!("{now} {what} in all"), true);
            }
        }
        self.status = status;
        self.own_gain = self.own_gain.filter(|(_, at)| now.duration_since(*at) < OWN);
        if let Some((gain, _)) = self.own_gain {
            self.status.settings.master.gain = gain;
        }
    }

    fn changed(&mut self, address: &str, value: &str) {
        self.replace(address, format!("{address} {value}"), false);
    }

    /// Adds a line. It replaces the last line if that has the same subject.
    fn replace(&mut self, about: &str, text: String, is_error: bool) {
        if self.log.front().is_some_and(|line| line.about.as_deref() == Some(about)) {
            self.log.pop_front();
        }
        self.push(Line { text, is_error, about: Some(about.to_owned()) });
    }

    /// Adds a line about an action of the user of the monitor.
    pub fn note(&mut self, text: &str) {
        self.push(Line { text: text.to_owned(), is_error: false, about: None });
    }

    fn wrong(&mut self, text: String) {
        self.push(Line { text, is_error: true, about: None });
    }

    fn push(&mut self, line: Line) {
        self.log.push_front(line);
        self.log.truncate(LINES);
    }

    /// The lines of the log, newest first.
    pub fn log(&self) -> impl Iterator<Item = &Line> {
        self.log.iter()
    }

    /// Whether the daemon has answered recently.
    pub fn is_there(&self, now: Instant) -> bool {
        self.heard_at.is_some_and(|at| now.duration_since(at) < SILENT)
    }

    /// Adds decibels to the master gain and returns the new gain in dB, which is shown before the
    /// daemon confirms it.
    pub fn louder(&mut self, db: f64, now: Instant) -> f64 {
        let wanted = self.status.settings.master.gain + db;
        let range = find("/master/gain").map(|id| (id.parameter.min, id.parameter.max));
        let (min, max) = range.unwrap_or((wanted, wanted));
        let gain = wanted.clamp(min, max);
        self.status.settings.master.gain = gain;
        self.own_gain = Some((gain, now));
        self.changed("/master/gain", &gain.to_string());
        gain
    }
}

#[cfg(test)]
mod tests {
    use timbre_control::osc::message;

    use super::*;

    fn status(seen: &mut Seen, now: Instant, change: impl FnOnce(&mut Status)) {
        let mut status = Status { version: "1".to_owned(), ..Status::default() };
        change(&mut status);
        let json = serde_json::to_string(&status).expect("JSON");
        seen.hear(&message(STATUS, vec![json.into()]), now);
    }

    fn lines(seen: &Seen) -> Vec<(&str, bool)> {
        seen.log().map(|line| (line.text.as_str(), line.is_error)).collect()
    }

    #[test]
    fn changes_and_errors_are_logged_and_telemetry_is_not() {
        let mut seen = Seen::new("here");
        let now = Instant::now();
        let hear = |seen: &mut Seen, address: &str, args: Vec<OscType>| {
            seen.hear(&message(address, args), now);
        };
        hear(&mut seen, "/meter/master", vec![OscType::Float(-3.0), OscType::Float(-9.0)]);
        hear(&mut seen, "/engine/load", vec![OscType::Float(0.5)]);
        hear(&mut seen, SUBSCRIBE, vec!["127.0.0.1".into()]);
        hear(&mut seen, "/ch/2/gain", vec![OscType::Float(-3.0)]);
        hear(&mut seen, "/ch/2/gain", vec![OscType::Float(-4.5)]);
        hear(&mut seen, ERROR, vec!["/x".into(), OscType::Int(1), "no".into()]);
        hear(&mut seen, "/ch/2/gain", vec![OscType::Float(0.0)]);
        let wanted = [("/ch/2/gain 0", false), ("/x: no", true), ("/ch/2/gain -4.5", false)];
        assert_eq!(lines(&seen), wanted);
        for n in 0..2 * LINES {
            seen.note(&n.to_string());
        }
        assert_eq!(seen.log().count(), LINES);
    }

    #[test]
    fn trouble_that_grows_is_logged_and_old_trouble_is_not() {
        let mut seen = Seen::new("here");
        let now = Instant::now();
        status(&mut seen, now, |s| s.underruns = 7);
        assert_eq!(lines(&seen), []);
        status(&mut seen, now, |s| (s.underruns, s.misses) = (9, 0));
        assert_eq!(lines(&seen), [("9 underruns in all", true)]);
        status(&mut seen, now, |s| s.underruns = 12);
        assert_eq!(lines(&seen), [("12 underruns in all", true)]);
        // A restarted daemon counts from 0.
        status(&mut seen, now, |_| {});
        assert_eq!(seen.log().count(), 1);
        seen.hear(&message(STATUS, vec!["{".into()]), now);
        assert!(lines(&seen)[0].1);
    }

    #[test]
    fn the_highest_peak_is_held_for_a_while_and_a_silent_daemon_is_gone() {
        let mut seen = Seen::new("here");
        let now = Instant::now();
        assert!(!seen.is_there(now));
        status(&mut seen, now, |s| s.peak_dbfs = -3.0);
        status(&mut seen, now + HOLD, |s| s.peak_dbfs = -30.0);
        assert_eq!((seen.held_dbfs, seen.status.peak_dbfs), (-3.0, -30.0));
        let later = now + HOLD + Duration::from_millis(1);
        status(&mut seen, later, |s| s.peak_dbfs = -40.0);
        assert_eq!(seen.held_dbfs, -40.0);
        assert!(seen.is_there(later) && !seen.is_there(later + SILENT));
    }

    #[test]
    fn the_gain_stays_in_its_range_and_old_news_of_it_do_not_count() {
        let mut seen = Seen::new("here");
        let now = Instant::now();
        seen.status.settings.master.gain = 11.5;
        assert_eq!(seen.louder(1.0, now), 12.0);
        assert_eq!(seen.louder(-100.0, now), -60.0);
        assert_eq!(lines(&seen), [("/master/gain -60", false)]);
        status(&mut seen, now, |s| s.settings.master.gain = 11.5);
        assert_eq!(seen.louder(1.0, now), -59.0);
        status(&mut seen, now + OWN, |s| s.settings.master.gain = -3.0);
        assert_eq!(seen.status.settings.master.gain, -3.0);
    }
}
