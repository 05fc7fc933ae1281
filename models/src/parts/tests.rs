//! Tests of parts: levels, places, smoothing, hops of any length, and masters.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::ledger::Ledger;
use crate::notes::{NoteEvent, Voice};

const PART: Part = Part(2);

fn settled(changes: &[(Control, f32)]) -> At {
    let mut parts = Parts::new();
    changes.iter().for_each(|(control, value)| parts.set(0, PART, *control, *value));
    parts.advance(0, 200);
    *parts.of(PART).last().unwrap()
}

#[test]
fn at_rest_a_part_is_as_loud_as_its_notes() {
    let at = settled(&[(Control::Bend, 0.0)]);
    assert!((at.gain - 1.0).abs() < 1e-6 && at.semitones == 0.0);
    assert!((at.sides[0] - 1.0).abs() < 1e-6 && (at.sides[1] - 1.0).abs() < 1e-6);
    assert_eq!(at.reverb, At::REST.reverb);
}

#[test]
fn volume_and_expression_are_squares_and_pan_has_constant_power() {
    let db = |at: At| 20.0 * at.gain.log10();
    let half = settled(&[(Control::Volume, 50.0 / 127.0)]);
    assert!((db(half) + 12.04).abs() < 0.01, "{}", db(half));
    let both = settled(&[(Control::Expression, 0.5), (Control::Gain, -6.0)]);
    let all = settled(&[(Control::MasterVolume, 0.5)]);
    assert!((db(all) + 12.04).abs() < 0.01, "{}", db(all));
    assert!((db(both) + 18.04).abs() < 0.01, "{}", db(both));
    for pan in [-1.0f32, -0.3, 0.0, 0.7, 1.0] {
        let [left, right] = settled(&[(Control::Pan, pan)]).sides;
        assert!((left * left + right * right - 2.0).abs() < 1e-4);
        assert!((left > right) == (pan < 0.0) || pan == 0.0);
    }
}

#[test]
fn a_control_of_a_part_that_sounds_moves_smoothly_and_before_that_jumps() {
    let mut parts = Parts::new();
    parts.set(0, PART, Control::Expression, 0.0);
    parts.strike(0, PART);
    parts.set(4, PART, Control::Expression, 1.0);
    parts.advance(0, 40);
    let gains: Vec<f32> = parts.of(PART).iter().map(|at| at.gain).collect();
    assert_eq!(gains[1..=4], [0.0; 4], "it jumped before the first note");
    assert!(gains[5] > 0.0 && gains[5] < 0.1 && gains[40] > 0.99, "{gains:?}");
    assert!(gains[1..].windows(2).all(|w| w[1] >= w[0] && w[1] - w[0] < 0.4));
}

#[test]
fn any_cut_gives_the_same() {
    let run = |cuts: &[usize]| {
        let mut parts = Parts::new();
        let mut all = vec![];
        let mut start = 0;
        let changes =
            [(0, 0.2), (3, 0.9), (17, 0.1), (18, 0.5), (40, 0.7), (63, -0.4)].map(|(t, v)| (t, v));
        for ticks in cuts.iter().cycle() {
            if start >= 64 {
                break;
            }
            let end = start + *ticks as u64;
            parts.strike(start, PART);
            for (tick, value) in changes.iter().filter(|(t, _)| (start..end).contains(t)) {
                parts.set(*tick, PART, Control::Pan, *value);
                parts.set(*tick, PART, Control::Bend, 2.0 * *value);
                parts.set(*tick, PART, Control::Vibrato, value.abs());
            }
            parts.advance(start, *ticks);
            all.extend_from_slice(&parts.of(PART)[1..]);
            start = end;
        }
        all
    };
    let whole = run(&[64]);
    for cuts in [&[8][..], &[16], &[8, 24, 32]] {
        assert!(run(cuts) == whole, "{cuts:?}");
    }
}

#[test]
fn a_change_just_behind_the_hop_is_not_lost() {
    let mut parts = Parts::new();
    parts.set(8, PART, Control::Pan, -1.0);
    parts.advance(0, 8);
    assert!(parts.of(PART).is_empty(), "nothing is known of it yet");
    parts.advance(8, 8);
    assert!((parts.of(PART)[8].sides[1]).abs() < 1e-6);
}

#[test]
fn a_member_obeys_its_master() {
    let mut parts = Parts::new();
    parts.set(0, Part(0), Control::Bend, 1.0);
    parts.set(0, Part(0), Control::Expression, 0.5);
    parts.set(0, Part(1), Control::Master, 0.0);
    parts.set(0, Part(1), Control::Bend, 0.25);
    parts.advance(0, 4);
    let at = parts.of(Part(1)).last().unwrap();
    assert!((at.semitones - 1.25).abs() < 1e-6 && (at.gain - 0.25).abs() < 1e-6);
    assert!((parts.of(Part(0)).last().unwrap().semitones - 1.0).abs() < 1e-6);
}

#[test]
fn a_member_morphs_by_its_own_pressure_and_its_masters() {
    let mut parts = Parts::new();
    parts.set(0, Part(0), Control::MorphPressure, 0.5);
    parts.set(0, Part(0), Control::MorphProgram, 40.0);
    parts.set(0, Part(0), Control::Pressure, 0.25);
    parts.set(0, Part(1), Control::Master, 0.0);
    parts.set(0, Part(1), Control::Pressure, 0.5);
    parts.advance(0, 4);
    let at = parts.of(Part(1)).last().unwrap();
    assert_eq!((at.morph.program, at.morph.by_pressure, at.pressure), (40, 0.5, 0.75));
}

#[test]
fn a_vibrato_has_its_rate_and_depth() {
    let mut parts = Parts::new();
    parts.set(0, PART, Control::Vibrato, 0.5);
    parts.set(0, PART, Control::VibratoRate, -1.0);
    parts.advance(0, 800);
    let swings: Vec<f32> = parts.of(PART).iter().map(|at| at.vibrato[1]).collect();
    let rises = swings.windows(2).filter(|w| w[0] <= 0.0 && w[1] > 0.0).count();
    assert!((8..=9).contains(&rises), "4.09 Hz for two seconds: {rises}");
    assert!(parts.of(PART).last().unwrap().vibrato[0] == 0.5);
}

#[test]
fn keys_in_a_row_are_spread_and_others_are_where_their_part_is() {
    let mut ledger = Ledger::new();
    let mut side = |program: u8, key: u8, controls: &[(Control, f32)], side: usize| {
        let voice = Voice { is_drum: false, program, key };
        let note = ledger.note_event(&NoteEvent { time_s: 0.0, voice, velocity: 90 }).unwrap();
        of_note::share(&note, &settled(controls), Bus::Side(side))
    };
    let mut balance = |program, key, controls: &[(Control, f32)]| {
        let [left, right] = [0, 1].map(|at| side(program, key, controls, at));
        assert!((left * left + right * right - 2.0).abs() < 1e-4, "constant power");
        20.0 * (right / left).log10()
    };
    // About 4 dB at the ends.
    let [low, high] = [21, 108].map(|key| balance(0, key, &[(Control::Spread, 0.3)]));
    assert!((-4.5..-3.5).contains(&low) && (low + high).abs() < 1e-3, "{low} {high}");
    assert_eq!(balance(73, 21, &[(Control::Pan, 0.0)]), 0.0, "a flute");
    assert_eq!(balance(0, 21, &[(Control::Spread, 0.0)]), 0.0);
    assert!(balance(0, 21, &[(Control::Spread, 1.0)]) < -60.0);
    let moved = balance(0, 108, &[(Control::Spread, 0.3), (Control::Pan, -0.3)]);
    assert!(moved.abs() < 0.01, "a pan moves all keys: {moved}");
}
