//! `timbred inspect tokens` prints the token ids that a model gets for a MIDI file. It knows no
//! network.

use std::fmt::Write;
use std::path::Path;

use serde_json::json;
use timbre_models::notes::EQUAL;
use timbre_models::tokens::{Segment, Vocabulary, song_segments};
use timbre_models::units::{FrameIdx, MEL_BINS};

use crate::error::Error;
use crate::{models, songs};

/// The longest line of tokens, characters.
const LINE: usize = 100;

pub(super) fn run(
    file: &Path,
    is_strict: bool,
    model: Option<&str>,
    segment: Option<usize>,
    json: bool,
) -> Result<(), Error> {
    if segment == Some(0) {
        return Err(Error::Usage("--segment 0: wanted 1 frame or more".to_owned()));
    }
    let (piece, mended) = songs::read(file, &EQUAL, is_strict)?;
    let song = &piece.song;
    if let Some(mended) = mended {
        eprintln!("{}: {mended}", file.display());
    }
    let bundle = models::find(model)?;
    let manifest = bundle.manifest();
    let frames = segment.unwrap_or(manifest.song.hop_frames);
    let segments = song_segments(&song.notes, song.total_time_s, frames, &manifest.tokens);
    let text = match json {
        true => {
            let rows: Vec<_> =
                segments.iter().map(|s| json!({"frames": s.frames, "ids": s.ids})).collect();
            format!("{}\n", json!({"segments": rows}))
        }
        false => in_words(&segments, &Vocabulary::new(manifest.tokens.velocity_bins)),
    };
    super::print(&text)
}

fn in_words(segments: &[Segment], vocabulary: &Vocabulary) -> String {
    let mut text = String::new();
    let mut start = FrameIdx(0);
    for (n, segment) in segments.iter().enumerate() {
        let end = FrameIdx(start.0 + segment.frames as u64);
        let (from_s, to_s) = (start.start().seconds(), end.start().seconds());
        let (frames, ids) = (segment.frames, segment.ids.len());
        // Writing into a string cannot fail.
        let _ = writeln!(
            text,
            "segment {}: {from_s:.2} to {to_s:.2} s, {frames} frames of {MEL_BINS} bands, {ids} \
             tokens",
            n + 1
        );
        let r = segment.report;
        if r.dropped_offs + r.dropped_held + r.dropped_ons > 0 {
            let _ = writeln!(
                text,
                "  left out, the model takes no more: {} releases, {} held keys, {} strikes",
                r.dropped_offs, r.dropped_held, r.dropped_ons
            );
        }
        let words: Vec<String> = segment.ids.iter().map(|id| vocabulary.describe(*id)).collect();
        text.push_str(&wrapped(&words));
        start = end;
    }
    text
}

/// The words, separated by commas, in indented lines.
fn wrapped(words: &[String]) -> String {
    let mut text = String::new();
    let mut line = String::from(" ");
    for (n, word) in words.iter().enumerate() {
        if line.len() + word.len() + 2 > LINE {
            text.push_str(&line);
            text.push('\n');
            line = String::from(" ");
        }
        line.push(' ');
        line.push_str(word);
        if n + 1 < words.len() {
            line.push(',');
        }
    }
    text + &line + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_wrapped() {
        let words: Vec<String> = (0..100).map(|n| format!("shift {n}")).collect();
        let text = wrapped(&words);
        assert!(text.lines().all(|line| line.len() <= LINE));
        assert_eq!(text.matches(',').count(), 99);
    }
}
