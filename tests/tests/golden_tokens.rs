//! Compares the token encoder with every `tokens_*.json` of the golden directory. This file only
//! knows their layout.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use serde::Deserialize;
use timbre_models::notes::{Note, Voice};
use timbre_models::tokens::{
    ProgramMap, SLAKH_PROGRAMS, Segment, TokenOptions, Vocabulary, song_segments,
};
use timbred_tests::golden::{golden, golden_files};

const SEGMENT_FRAMES: usize = 256;

#[derive(Deserialize)]
struct File {
    num_velocity_bins: u16,
    num_classes: usize,
    vocab_size: usize,
    num_embeddings: usize,
    ranges_as_model_ids: std::collections::BTreeMap<String, [u32; 2]>,
    slakh_program_map: bool,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    notes: Vec<GoldenNote>,
    total_time: Option<f64>,
    segment_frames: Vec<usize>,
    segments: Vec<Vec<u32>>,
    original_pipeline_error: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct GoldenNote {
    start: f64,
    end: f64,
    pitch: u8,
    velocity: u8,
    program: u8,
    is_drum: bool,
}

impl Case {
    fn notes(&self) -> Vec<Note> {
        let voice = |n: &GoldenNote| Voice { is_drum: n.is_drum, program: n.program, key: n.pitch };
        let note = |n: &GoldenNote| Note {
            voice: voice(n),
            velocity: n.velocity,
            start_s: n.start,
            end_s: n.end,
        };
        self.notes.iter().map(note).collect()
    }

    fn segments(&self, options: &TokenOptions) -> Vec<Segment> {
        let notes = self.notes();
        let latest_s = notes.iter().fold(0.0f64, |latest_s, note| latest_s.max(note.end_s));
        let total_time_s = self.total_time.unwrap_or(latest_s);
        song_segments(&notes, total_time_s, SEGMENT_FRAMES, options)
    }
}

fn read(path: &Path) -> File {
    let text = std::fs::read_to_string(path).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn check_vocabulary(file: &File) {
    let vocabulary = Vocabulary::new(file.num_velocity_bins);
    assert_eq!(vocabulary.classes(), file.num_classes);
    assert_eq!(vocabulary.size(), file.vocab_size);
    assert_eq!(vocabulary.embeddings(), file.num_embeddings);
    for (name, &[first, last]) in &file.ranges_as_model_ids {
        let word = |offset: u32| match name.as_str() {
            "tie" => "tie".to_owned(),
            name => format!("{name} {offset}"),
        };
        assert_eq!(vocabulary.describe(first), word(0));
        assert_eq!(vocabulary.describe(last), word(last - first));
    }
}

#[test]
fn every_golden_case_gives_the_published_ids() {
    let mut passed = 0;
    for path in golden_files("tokens", "tokens_", ".json") {
        let file = read(&path);
        assert!(!file.cases.is_empty(), "no case in {}", path.display());
        check_vocabulary(&file);
        let program_map = if file.slakh_program_map { ProgramMap::Slakh } else { ProgramMap::None };
        let options = TokenOptions {
            velocity_bins: file.num_velocity_bins,
            program_map,
            ..TokenOptions::default()
        };
        for case in &file.cases {
            let what = format!("{}: {}", path.display(), case.name);
            // If the original refuses a segment, the vector has the tokens that it would have
            // written without its check.
            let untruncated = TokenOptions { max_tokens: 1 << 20, ..options.clone() };
            let raises = case.original_pipeline_error.is_some();
            let segments = case.segments(if raises { &untruncated } else { &options });
            let frames: Vec<usize> = segments.iter().map(|segment| segment.frames).collect();
            assert_eq!(frames, case.segment_frames, "frames of {what}");
            for (index, (ours, golden)) in segments.iter().zip(&case.segments).enumerate() {
                assert_eq!(&ours.ids, golden, "segment {index} of {what}");
            }
            assert_eq!(segments.len(), case.segments.len(), "segments of {what}");
            if raises {
                let limited = case.segments(&options);
                assert!(limited.iter().all(|s| s.report.tokens <= options.max_tokens), "{what}");
                let offs = limited.iter().map(|s| s.report.dropped_offs).sum::<usize>();
                assert!(offs > 0, "nothing was left out of {what}");
            }
            passed += 1;
        }
    }
    println!("{passed} golden token cases passed");
}

#[test]
fn the_slakh_table_is_the_published_one() {
    let Some(path) = golden("tokens/slakh_program_map.json") else { return };
    let published: Vec<u8> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(published, SLAKH_PROGRAMS);
}
