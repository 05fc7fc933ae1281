//! Compares the live token style with the encoder of the training (tests/vectors/live_tokens.json),
//! so that the model gets the same tokens as in training.

use std::collections::BTreeMap;

use serde::Deserialize;
use timbre_models::notes::{Note, Voice, note_events};
use timbre_models::timeline::Timeline;
use timbre_models::tokens::{
    HeldStyle, ProgramMap, Rounding, TokenOptions, age_token, encode_segment,
};

#[derive(Deserialize)]
struct Vectors {
    velocity_bins: u16,
    ages: BTreeMap<String, u64>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    notes: Vec<[f64; 6]>,
    frames: u64,
    starts: Vec<u64>,
    segments: Vec<Vec<u32>>,
}

#[test]
fn segments_are_those_of_the_training() -> Result<(), Box<dyn std::error::Error>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/live_tokens.json");
    let vectors: Vectors = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    for (age, token) in vectors.ages {
        assert_eq!(age_token(age.parse()?), token, "age {age}");
    }
    let options = TokenOptions {
        velocity_bins: vectors.velocity_bins,
        max_tokens: 511,
        rounding: Rounding::Floor,
        held: HeldStyle::KeyVelocityAge,
        program_map: ProgramMap::None,
    };
    let mut compared = 0;
    for case in vectors.cases {
        let notes: Vec<Note> = case.notes.iter().map(note).collect();
        for (start, wanted) in case.starts.iter().zip(&case.segments) {
            let mut timeline = Timeline::new(&options);
            note_events(&notes).into_iter().for_each(|event| timeline.push(event));
            let mut ids = vec![];
            timeline.cut(0, 2 * start);
            encode_segment(&timeline.cut(2 * start, 2 * (start + case.frames)), &options, &mut ids);
            assert_eq!(&ids, wanted, "{} frames from {start}", case.frames);
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared}");
    Ok(())
}

fn note(row: &[f64; 6]) -> Note {
    let [start_s, end_s, program, key, velocity, drum] = *row;
    let voice = Voice { is_drum: drum > 0.0, program: program as u8, key: key as u8 };
    Note { voice, velocity: velocity as u8, start_s, end_s }
}
