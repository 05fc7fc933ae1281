//! Tests of the encoder: the live style of held keys, and segments that are full.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::{HeldStyle, TokenOptions, Vocabulary, age_token, encode_segment, song_segments};
use crate::notes::{NoteEvent, Voice};
use crate::timeline::{Cut, Held};

fn voice(program: u8, key: u8) -> Voice {
    Voice { is_drum: false, program, key }
}

fn held(program: u8, key: u8, velocity: u8, onset_step: u64) -> Held {
    Held { voice: voice(program, key), velocity, onset_step, onset_s: onset_step as f64 / 100.0 }
}

fn event(step: u64, program: u8, key: u8, velocity: u8) -> (u64, NoteEvent) {
    (step, NoteEvent { time_s: step as f64 / 100.0, voice: voice(program, key), velocity })
}

fn words(cut: &Cut<'_>, options: &TokenOptions) -> String {
    let mut ids = Vec::new();
    encode_segment(cut, options, &mut ids);
    let vocabulary = Vocabulary::new(options.velocity_bins);
    ids.iter().map(|&id| vocabulary.describe(id)).collect::<Vec<_>>().join(", ")
}

fn live() -> TokenOptions {
    TokenOptions { velocity_bins: 127, held: HeldStyle::KeyVelocityAge, ..TokenOptions::default() }
}

#[test]
fn the_live_style_writes_velocity_and_age_of_held_keys() {
    let held = [held(0, 60, 90, 100), held(0, 64, 90, 80), held(5, 40, 30, 0)];
    let events = [event(101, 5, 41, 30), event(101, 5, 40, 0)];
    let cut = Cut { start_step: 100, held: &held, events: &events };
    assert_eq!(
        words(&cut, &live()),
        "program 0, velocity 90, shift 1, pitch 60, shift 19, pitch 64, program 5, velocity 30, \
         shift 98, pitch 40, tie, shift 1, pitch 41, velocity 0, pitch 40, end"
    );
    assert_eq!(
        words(&cut, &TokenOptions::default()),
        "program 0, pitch 60, pitch 64, program 5, pitch 40, tie, shift 1, velocity 1, pitch 41, \
         velocity 0, pitch 40, end"
    );
}

#[test]
fn ages_are_exact_then_eighth_octaves() {
    let ages = [0, 1, 16, 17, 18, 20, 31, 32, 33, 64, 500, 1000, 100_000];
    assert_eq!(ages.map(age_token), [1, 1, 16, 16, 17, 19, 29, 32, 32, 64, 469, 939, 939]);
}

#[test]
fn every_id_has_a_word() {
    let vocabulary = Vocabulary::new(1);
    for (id, word) in [(0, "pad"), (1, "end"), (2, "unknown"), (3, "shift 0"), (1003, "shift 1000")]
    {
        assert_eq!(vocabulary.describe(id), word);
    }
    assert_eq!(vocabulary.describe(vocabulary.drum(36)), "drum 36");
    assert_eq!(vocabulary.describe(1391), "extra 0");
    assert_eq!(vocabulary.describe(u32::MAX), "outside 4294967295");
}

#[test]
fn a_full_segment_leaves_out_releases_then_held_keys_then_strikes() {
    let held = [held(0, 60, 90, 50), held(0, 64, 90, 10)];
    let events = [event(100, 0, 70, 9), event(101, 0, 70, 0), event(102, 0, 71, 9)];
    let cut = Cut { start_step: 100, held: &held, events: &events };
    let mut ids = Vec::new();
    let mut dropped = |max_tokens| {
        let options = TokenOptions { max_tokens, ..TokenOptions::default() };
        let report = encode_segment(&cut, &options, &mut ids);
        assert!(report.tokens <= max_tokens && ids.len() == report.tokens + 1);
        assert!(ids.contains(&Vocabulary::new(1).tie()));
        (report.dropped_offs, report.dropped_held, report.dropped_ons)
    };
    assert_eq!(dropped(12), (0, 0, 0));
    assert_eq!(dropped(11), (1, 0, 0));
    assert_eq!(dropped(8), (1, 0, 0));
    assert_eq!(dropped(7), (1, 1, 0));
    assert_eq!(dropped(6), (1, 2, 0));
    assert_eq!(dropped(5), (1, 2, 1));
    assert_eq!(dropped(1), (1, 2, 2));
}

#[test]
fn options_know_their_names_and_ranges() {
    let options: TokenOptions = toml::from_str(
        "velocity_bins = 127\nmax_tokens = 255\nrounding = \"floor\"\nheld = \
         \"key_velocity_age\"\nprogram_map = \"slakh\"",
    )
    .unwrap();
    assert!(options.validate().is_ok() && options.held == HeldStyle::KeyVelocityAge);
    assert!(toml::from_str::<TokenOptions>("velocity = 1").is_err());
    assert!(TokenOptions { velocity_bins: 128, ..live() }.validate().is_err());
    assert!(TokenOptions { max_tokens: 0, ..live() }.validate().is_err());
}

#[test]
fn absurd_times_end() {
    for time_s in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1.0] {
        let note =
            crate::notes::Note { voice: voice(0, 60), velocity: 9, start_s: 0.0, end_s: time_s };
        let segments = song_segments(&[note], 1.0, 256, &TokenOptions::default());
        assert_eq!(segments.len(), 1);
    }
    assert_eq!(song_segments(&[], f64::NAN, 0, &TokenOptions::default()).len(), 1);
}

proptest! {
    /// Any limit is kept, and nothing is left out if everything fits.
    #[test]
    fn the_limit_is_always_kept(
        raw in prop::collection::vec((0u64..2500, 0u8..4, 0u8..3), 0..80),
        keys in prop::collection::btree_set((0u8..3, 0u8..20), 0..20),
        max_tokens in 1usize..120,
        live_style in any::<bool>(),
    ) {
        let mut events: Vec<_> = raw.into_iter().map(|(s, p, v)| event(s, p, 60 + p, v)).collect();
        events.sort_by_key(|e| e.0);
        let held: Vec<_> = keys.into_iter().map(|(p, k)| held(p, k, 1 + k, 0)).collect();
        let cut = Cut { start_step: 0, held: &held, events: &events };
        let base = if live_style { live() } else { TokenOptions::default() };
        let mut ids = Vec::new();
        let report = encode_segment(&cut, &TokenOptions { max_tokens, ..base.clone() }, &mut ids);
        prop_assert!(report.tokens <= max_tokens && ids.len() == report.tokens + 1);
        let full = encode_segment(&cut, &TokenOptions { max_tokens: 1 << 20, ..base }, &mut ids);
        let dropped = report.dropped_offs + report.dropped_held + report.dropped_ons;
        prop_assert_eq!(dropped == 0, full.tokens <= max_tokens);
    }
}
