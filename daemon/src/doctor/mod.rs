//! `timbred doctor`: what a musician would look at when there is no sound or a bad one, each with
//! what to do. Changes nothing. `machine` looks at the system, `sound` asks the running daemon or
//! tries the device.

mod machine;
mod sound;

use std::fmt::Write;
use std::path::Path;

use serde::Serialize;

use crate::cli::DoctorArgs;
use crate::config::{self, Sources};
use crate::error::Error;

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    /// As it should be.
    Good,
    /// It plays, but could play better.
    Warning,
    /// It does not play.
    Trouble,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    /// What was looked at, in a musician's words.
    what: &'static str,
    verdict: Verdict,
    /// What was found.
    found: String,
    /// What to do; empty where nothing is to be done.
    remedy: String,
}

impl Finding {
    fn good(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, verdict: Verdict::Good, found: found.into(), remedy: String::new() }
    }

    fn warning(what: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        let (found, remedy) = (found.into(), remedy.into());
        Self { what, verdict: Verdict::Warning, found, remedy }
    }

    fn trouble(what: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { verdict: Verdict::Trouble, ..Self::warning(what, found, remedy) }
    }
}

/// Looks at everything and prints it.
///
/// # Errors
/// A configuration that cannot be used; [`Error::Trouble`] if something keeps timbred from playing.
pub fn run(args: &DoctorArgs) -> Result<(), Error> {
    let loaded = config::load(&Sources::of_process(args.config.clone(), vec![]))?;
    let root = Path::new("/");
    let mut findings = sound::findings(&loaded.config);
    findings.push(machine::card_holders(root));
    findings.push(machine::real_time(loaded.config.audio.realtime_priority));
    findings.push(machine::governor(root));
    findings.push(machine::heat(root));
    findings.push(machine::disk(crate::recording::folder().as_deref()));
    findings.push(machine::service());
    let text = match args.json {
        true => serde_json::to_string_pretty(&findings).unwrap_or_default() + "\n",
        false => in_words(&findings),
    };
    print!("{text}");
    match findings.iter().filter(|f| f.verdict == Verdict::Trouble).count() {
        0 => Ok(()),
        found => Err(Error::Trouble { found }),
    }
}

fn in_words(findings: &[Finding]) -> String {
    let mut text = String::new();
    for Finding { what, verdict, found, remedy } in findings {
        let mark = match verdict {
            Verdict::Good => "good",
            Verdict::Warning => "warning",
            Verdict::Trouble => "TROUBLE",
        };
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{mark:8} {what}: {found}");
        if !remedy.is_empty() {
            let _ = writeln!(text, "{:8} -> {remedy}", "");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_comes_with_what_to_do() {
        let text = in_words(&[
            Finding::good("disk", "12 GB free"),
            Finding::trouble("sound", "no device", "plug one in"),
        ]);
        assert_eq!(
            text,
            "good     disk: 12 GB free\nTROUBLE  sound: no device\n         -> plug one in\n"
        );
    }
}
