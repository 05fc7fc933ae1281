//! Shows the progress of rendering on the terminal: a bar for each file, or a line for each
//! finished file. It knows nothing of the work itself.

use std::io::IsTerminal;
use std::path::Path;
use std::time::Instant;

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};

const TEMPLATE: &str = "{prefix:24!} [{bar:30}] {percent:>3}%  {speed} x real time, {eta} left";

/// The way in which progress is shown.
#[derive(Debug)]
pub enum Progress {
    /// On a terminal: bars, and lines above them.
    Bars(MultiProgress),
    /// Not on a terminal: a line for each finished file.
    Lines,
    /// Only problems.
    Quiet,
}

impl Progress {
    /// Bars on a terminal, lines elsewhere; only problems if `quiet`.
    pub fn new(quiet: bool) -> Self {
        match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Self::Quiet,
            (false, true) => Self::Bars(MultiProgress::new()),
            (false, false) => Self::Lines,
        }
    }

    /// Prints a line that is important enough to be shown even when quiet.
    pub fn say(&self, line: &str) {
        match self {
            Self::Bars(bars) if !bars.is_hidden() => bars.suspend(|| eprintln!("{line}")),
            _ => eprintln!("{line}"),
        }
    }

    /// Begins the progress of a file of `length_s` seconds.
    pub fn begin(&self, file: &Path, length_s: f64) -> FileProgress<'_> {
        let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
        let bar = match self {
            Self::Bars(bars) => {
                let bar = bars.add(ProgressBar::new(millis(length_s)).with_prefix(name.clone()));
                // A test checks the template.
                bar.set_style(style().unwrap_or_else(|_| ProgressStyle::default_bar()));
                Some(bar)
            }
            _ => None,
        };
        FileProgress { progress: self, bar, length_s, start: Instant::now() }
    }
}

fn millis(seconds: f64) -> u64 {
    (seconds * 1e3).max(1.0) as u64
}

fn style() -> Result<ProgressStyle, indicatif::style::TemplateError> {
    let speed = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let speed = state.pos() as f64 / 1e3 / state.elapsed().as_secs_f64().max(1e-3);
        // Writing to the text of the bar cannot fail.
        let _ = write!(out, "{speed:.2}");
    };
    Ok(ProgressStyle::with_template(TEMPLATE)?.with_key("speed", speed).progress_chars("=> "))
}

/// The progress of one file. Its bar disappears when this is dropped.
#[derive(Debug)]
pub struct FileProgress<'a> {
    progress: &'a Progress,
    bar: Option<ProgressBar>,
    length_s: f64,
    start: Instant,
}

impl FileProgress<'_> {
    /// Shows that this many seconds of sound are done.
    pub fn at(&self, seconds: f64) {
        if let Some(bar) = &self.bar {
            bar.set_position(millis(seconds));
        }
    }

    /// Shows that the file is finished and in its place.
    pub fn done(self, output: &Path) {
        if matches!(self.progress, Progress::Quiet) {
            return;
        }
        let took_s = self.start.elapsed().as_secs_f64();
        self.progress.say(&format!(
            "{}: {:.2} s of sound in {took_s:.2} s ({:.2} x real time)",
            output.display(),
            self.length_s,
            self.length_s / took_s.max(1e-6)
        ));
    }
}

impl Drop for FileProgress<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_template_is_one() {
        assert!(super::style().is_ok());
    }
}
