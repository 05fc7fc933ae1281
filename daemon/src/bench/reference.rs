//! Another engine that times the same step: a program that answers one line for each line of its
//! input. This file knows no engine by name.
//!
//! The command gets the path of the step's ONNX file as its last argument. For each line `L M
//! THREADS` it runs the step twice and answers with the milliseconds of the second run.
//! `models/training/timbre_training/onnxruntime_step.py` is such a program.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use timbre_models::bundle::Bundle;

use crate::error::Error;

/// The running program.
pub struct Reference {
    command: String,
    child: Child,
    ask: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// The folder with the file, which is kept until the program ends.
    _file: tempfile::TempDir,
}

impl Reference {
    /// Starts `command`, whose words are separated by spaces.
    ///
    /// # Errors
    /// The command cannot be started.
    pub fn start(command: &str, bundle: &Bundle) -> Result<Self, Error> {
        let mut words = command.split_whitespace();
        let program = words
            .next()
            .ok_or_else(|| Error::Usage("--reference is empty, wanted a command".to_owned()))?;
        let folder = tempfile::tempdir().map_err(|e| Error::output(&std::env::temp_dir(), e))?;
        let file = folder.path().join("step.onnx");
        std::fs::write(&file, bundle.verified("step")?).map_err(|e| Error::output(&file, e))?;
        let failed = |e: &dyn std::fmt::Display| Error::input(Path::new(program), e);
        let mut child = Command::new(program)
            .args(words)
            .arg(&file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| failed(&e))?;
        let (ask, answers) =
            child.stdin.take().zip(child.stdout.take()).ok_or_else(|| failed(&"no pipes"))?;
        let answers = BufReader::new(answers);
        Ok(Self { command: command.to_owned(), child, ask: Some(ask), answers, _file: folder })
    }

    /// The milliseconds of a step of `frames` frames that attends to `heard` tokens and context
    /// frames, on `threads` threads.
    ///
    /// # Errors
    /// The program ends, or its answer is not a number.
    pub fn time(&mut self, frames: usize, heard: usize, threads: usize) -> Result<f64, Error> {
        let mut answer = String::new();
        let asked = match &mut self.ask {
            Some(ask) => writeln!(ask, "{frames} {heard} {threads}").and_then(|()| ask.flush()),
            None => Ok(()),
        };
        let read = asked.and_then(|()| self.answers.read_line(&mut answer));
        let failed = |found: &str| {
            Error::Usage(format!(
                "--reference {}: found {found}, wanted milliseconds on a line; run it by itself to \
                 see why",
                self.command
            ))
        };
        read.map_err(|e| failed(&e.to_string()))?;
        let answer = answer.trim();
        answer.parse().map_err(|_| failed(if answer.is_empty() { "no answer" } else { answer }))
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        // The end of its input tells the program to end; if it does not, it is killed.
        self.ask = None;
        std::thread::sleep(std::time::Duration::from_millis(200));
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    fn reference(script: &str) -> (tempfile::TempDir, Reference) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("engine.sh");
        std::fs::write(&file, script).expect("a script");
        let bundle = crate::models::bundled().expect("the bundled model");
        let command = format!("sh {}", file.display());
        (folder, Reference::start(&command, &bundle).expect("a shell"))
    }

    #[test]
    fn every_line_is_answered_by_one() {
        let script = r#"[ -s "$1" ] || exit 1; while read l m t; do echo "$l$m$t.5"; done"#;
        let (_folder, mut reference) = reference(script);
        assert_eq!(reference.time(4, 320, 1).ok(), Some(43201.5));
        assert_eq!(reference.time(16, 2304, 2).ok(), Some(1623042.5));
    }

    #[test]
    fn an_answer_that_is_no_time_is_told() {
        for (script, found) in [("echo slow; cat >/dev/null", "slow"), ("true", "")] {
            let (_folder, mut reference) = reference(script);
            let error = reference.time(4, 320, 1).expect_err("no time").to_string();
            assert!(error.contains("--reference sh") && error.contains(found), "{error}");
        }
    }
}
