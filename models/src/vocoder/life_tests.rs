#![allow(clippy::unwrap_used)]

use super::*;
use realfft::num_complex::Complex;

/// A table of one zone whose own key is 60. The sway and the middle of the first group rise by
/// one with each point, and the side of the first group is half as large.
fn table() -> LifeTable {
    let mut parts = still_parts();
    (parts.facts[SWAY], parts.facts[MIDDLE], parts.facts[SIDE]) = (1.0, 1.0, 0.5);
    parts.values.extend(0..75);
    for _ in [MIDDLE, SIDE] {
        parts.values.extend((0..75).flat_map(|point| [point, 0]));
    }
    LifeTable::of(&parts)
}

fn voice(key: u8) -> Voice {
    Voice { is_drum: false, program: 48, key }
}

#[test]
fn time_runs_as_a_recording_is_played() {
    let table = table();
    for (key, by) in [(60, 1.0), (72, 2.0), (48, 0.5)] {
        let life = table.life(voice(key)).unwrap();
        let span = life.span(16_000);
        let mut sway = [0.0];
        span.add_sway(&mut sway);
        let [sway] = sway;
        assert!((sway - 25.0 * by / LARGEST).abs() < 1e-9, "key {key}: {sway}");
        let [middle, side] = span.envelopes(true)[0].map(|row| Complex::new(row.re[0], row.im[0]));
        assert!((f64::from(middle.re) - sway).abs() < 1e-6, "{middle}");
        assert!((side - middle * 0.5).norm() < 1e-6, "{side}");
    }
}

#[test]
fn it_goes_on_alike_from_wherever_it_is_read_and_never_jumps() {
    let table = table();
    let life = table.life(voice(67)).unwrap();
    let value = |n: u64, i: usize| {
        let mut sways = [0.0; TICK_SAMPLES + 1];
        life.span(n).add_sway(&mut sways);
        sways[i]
    };
    for n in [1u64, 31, 32, 333, 47_990, 90_001] {
        let apart = value(n, 17) - value(n + 17, 0);
        assert!(apart.abs() < 1e-12, "from {n}: {apart}");
    }
    let steps = (0..100_000).step_by(TICK_SAMPLES).map(|n| value(n + 40, 0) - value(n, 0));
    let most = steps.fold(0.0, |most: f64, step| most.max(step.abs()));
    assert!(most < 0.001, "{most}");
}

#[test]
fn still_notes_do_not_move() {
    let table = LifeTable::still();
    let life = table.life(voice(30)).unwrap();
    let span = life.span(12_345);
    let mut sways = [0.0; TICK_SAMPLES];
    span.add_sway(&mut sways);
    assert_eq!(sways, [0.0; TICK_SAMPLES]);
    for [middle, side] in span.envelopes(true) {
        assert_eq!([middle.re, side.re], [[1.0; LIFE_GROUPS], [0.0; LIFE_GROUPS]]);
        assert_eq!([middle.im, side.im], [[0.0; LIFE_GROUPS]; 2]);
    }
}

#[test]
fn drums_are_noise() {
    let drum = Voice { is_drum: true, program: 0, key: 42 };
    assert_eq!(LifeTable::still().noise(drum), [1.0; NOISE_BANDS]);
    let known = LifeTable::still().noise(voice(60));
    assert!(known.iter().all(|share| (share - UNKNOWN_NOISE).abs() < 1e-6));
}
