//! `timbred doctor` checks what a musician would check if there is no sound or a bad one, and says
//! what to do about each problem. It changes nothing. `machine` checks the system, `sound` asks the
//! running daemon or tries the device, and `panel` checks that a browser can open the panel. A
//! running daemon reports the results of `crate::findings` about itself.

mod machine;
mod panel;
mod sound;

use std::fmt::Write;
use std::path::Path;

use timbre_control::status::{Finding, Verdict};

use crate::cli::DoctorArgs;
use crate::config::{self, Sources};
use crate::error::Error;
use crate::findings::REAL_TIME;

/// Makes all checks and prints the results.
///
/// # Errors
/// The configuration cannot be used; [`Error::Trouble`] if something keeps timbred from playing.
pub fn run(args: &DoctorArgs) -> Result<(), Error> {
    let loaded = config::load(&Sources::of_process(args.config.clone(), vec![]))?;
    let root = Path::new("/");
    let status = sound::status(&loaded.config);
    let mut findings = sound::findings(&loaded.config, status.as_ref());
    findings.push(panel::finding(&loaded.config, status.as_ref()));
    findings.push(machine::card_holders(root));
    // A running daemon has reported its own limits, which may be higher than those of this login.
    if !findings.iter().any(|finding| finding.what == REAL_TIME) {
        findings.push(machine::real_time(loaded.config.audio.realtime_priority));
    }
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
