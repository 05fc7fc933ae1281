//! Reads the MIDI files whose names come from standard input. For each it prints a line of JSON:
//! how many strikes it has, what was repaired, and why it is refused. Used by
//! `tests/corpus/corpus.py`.

use std::io::{BufRead, Write, stdin, stdout};

use serde_json::json;
use timbre_models::notes::read_mended;

fn main() -> std::io::Result<()> {
    let mut out = stdout().lock();
    for name in stdin().lock().lines() {
        let name = name?;
        let bytes = std::fs::read(&name)?;
        let line = match read_mended(&bytes) {
            Ok(read) => json!({
                "file": name,
                "strikes": read.strikes,
                "notes": read.song.notes.len(),
                "seconds": read.song.total_time_s,
                "mended": read.mended.to_string(),
            }),
            Err(e) => json!({"file": name, "refused": e.to_string()}),
        };
        writeln!(out, "{line}")?;
    }
    Ok(())
}
