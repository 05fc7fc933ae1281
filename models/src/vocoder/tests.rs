//! Tests of the vocoder against its Python twin (tests/vectors, made by
//! models/training/timbre_training/vectors.py), and against itself.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::graph::{Params, WeightFormat, build_attacks, build_life, build_vocoder};
use crate::notes::NoteEvent;
use crate::test_vectors::{array, events, kits, open, params};
use crate::units::TICKS_PER_FRAME;
use ndarray::ArrayD;
use prost::Message;

/// The sample of an event.
fn at(event: &NoteEvent) -> u64 {
    (event.time_s * 16_000.0).round_ties_even() as u64
}

/// The tables of the vectors.
fn of_notes() -> NoteTables {
    let table: ArrayD<f32> = array(&mut open("excitation"), "attacks");
    let mut params = Params::new();
    params.insert("table", table.shape().to_vec(), table.into_raw_vec_and_offset().0);
    let attacks = build_attacks(kits().drums(), &params, WeightFormat::F32).unwrap();
    NoteTables {
        attacks: Some(AttackTable::load(&attacks.encode_to_vec(), kits()).unwrap()),
        lives: Arc::new(lives()),
    }
}

/// The life table of the vectors, loaded through its graph.
pub(crate) fn lives() -> LifeTable {
    let mut npz = open("excitation");
    let mut params = Params::new();
    let zone: ArrayD<i16> = array(&mut npz, "zone");
    let facts: ArrayD<f32> = array(&mut npz, "facts");
    let values: ArrayD<i8> = array(&mut npz, "values");
    params.insert("zone", zone.shape().to_vec(), zone.iter().map(|v| f32::from(*v)).collect());
    params.insert("facts", facts.shape().to_vec(), facts.iter().copied().collect());
    params.insert(
        "values",
        values.shape().to_vec(),
        values.iter().map(|v| f32::from(*v)).collect(),
    );
    let graph = build_life(&params, WeightFormat::F32).unwrap();
    LifeTable::load(&graph.encode_to_vec()).unwrap()
}

fn random_vocoder() -> (Vocoder, [Vec<f32>; 4]) {
    let mut npz = open("vocoder");
    let config = VocoderConfig { width: 16, blocks: 2, upper_band: true };
    let params = params(&mut npz, config.parameters());
    let graph = build_vocoder(&config, &params, WeightFormat::F32).unwrap();
    let vocoder =
        Vocoder::load(config, &graph.encode_to_vec(), of_notes(), Arc::new(Tables::new())).unwrap();
    let of = |name| {
        let values: ArrayD<f32> = array(&mut open("vocoder"), name);
        values.into_raw_vec_and_offset().0
    };
    (vocoder, ["log_mel", "log_share", "noise", "audio"].map(of))
}

/// The upper band of the vectors.
fn upper_band() -> Vec<f32> {
    let upper: ArrayD<f32> = array(&mut open("vocoder"), "upper");
    upper.into_raw_vec_and_offset().0
}

/// Renders the mel of the vectors, whose keys are pressed at the start of frames.
fn rendered(is_wide: bool) -> (Vec<f32>, Vec<f32>) {
    let (mut vocoder, [mel, log_share, noise, audio]) = random_vocoder();
    vocoder.restart(0, is_wide, Buses::Mono).unwrap();
    // The twin has no past.
    vocoder.network.reset().unwrap();
    let (mut ledger, mut parts) = (Ledger::new(), Parts::new());
    let events = events("vocoder");
    let mut out = vec![vec![]];
    for (n, mel) in mel.chunks_exact(MEL_BINS).enumerate() {
        let samples = n * HOP_SAMPLES..(n + 1) * HOP_SAMPLES;
        for event in events.iter().filter(|e| samples.contains(&(at(e) as usize))) {
            if let Some(note) = ledger.note_event(event) {
                vocoder.strike(&note).unwrap();
            }
        }
        let noise_of = |[out, _]: [&mut [f32]; 2]| out.copy_from_slice(&noise[samples.clone()]);
        let start = FrameIdx(n as u64);
        parts.advance(start.tick(), TICKS_PER_FRAME);
        let log_share = log_share.as_chunks().0.get(n).unwrap();
        let playing = Playing { log_share, ..playing(start, &ledger, &parts) };
        vocoder.aim_with(&playing, 0, mel, noise_of).unwrap();
        (0..TICKS_PER_FRAME).for_each(|tick| vocoder.tick(&playing, tick, &mut out));
    }
    (out.remove(0), audio)
}

fn playing<'a>(start: FrameIdx, ledger: &'a Ledger, parts: &'a Parts) -> Playing<'a> {
    let log_share = &[0.0; MEL_BINS];
    let (reference, noise) = ([1.0; 2], &[1.0]);
    Playing { start, ledger, parts, first_tick: 0, reference, noise, log_share, tones: &[] }
}

fn worst(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn excitation_agrees_with_its_python_twin() {
    let mut npz = open("excitation");
    let names = ["tones", "quadrature", "upper", "levels", "hush"];
    let [tones, quadrature, upper, levels, hush] = names.map(|name| {
        let values: ArrayD<f32> = array(&mut npz, name);
        values.into_raw_vec_and_offset().0
    });
    let mut of_notes = of_notes();
    let mut excitation = Excitation::new(Arc::new(Tables::new()), of_notes.lives.clone());
    let mut ledger = Ledger::new();
    for event in events("excitation") {
        let attacks = of_notes.attacks.as_mut().unwrap();
        let shape = attacks.shape(event.voice, 320 - at(&event) % 320).unwrap();
        if let Some(note) = ledger.note_event(&event) {
            excitation.strike(&note, shape);
        }
    }
    // Left is the middle plus the side, and right is the middle minus the side.
    let (parts, buses) = (Parts::new(), Buses::Stereo.list());
    let (mut our_tones, mut our_upper, mut our_hush) = ([vec![], vec![]], [vec![], vec![]], vec![]);
    let mut our_levels = vec![];
    let mut excited = Excited::default();
    for frame in 0..hush.len() / HOP_SAMPLES {
        let playing = playing(FrameIdx(frame as u64), &ledger, &parts);
        let mut levels = [0.0; BLOCKS * MEL_BINS];
        excitation.levels(&playing, &mut Profiles::new(), &mut levels);
        our_levels.extend(levels);
        for tick in 0..TICKS_PER_FRAME {
            excitation.tick(&playing, tick, &buses, &mut excited);
            let sides = |i: usize| [excited.tones[0][i], excited.tones[1][i]];
            let above = |i: usize| [excited.upper[0][i], excited.upper[1][i]];
            for i in 0..TICK_SAMPLES {
                let ([left, right], [high_left, high_right]) = (sides(i), above(i));
                our_tones[0].push((left + right) / 2.0);
                our_tones[1].push((left - right) / 2.0);
                our_upper[0].push((high_left + high_right) / 2.0);
                our_upper[1].push((high_left - high_right) / 2.0);
            }
            our_hush.extend(excited.begins);
        }
    }
    assert!(upper.iter().any(|v| v.abs() > 0.01));
    let our_upper = our_upper.concat();
    assert!(worst(&our_upper, &upper) < 2e-5, "{}", worst(&our_upper, &upper));
    for (ours, theirs) in our_tones.concat().iter().zip(tones.iter().zip(&quadrature)) {
        let apart = (ours - Complex::new(*theirs.0, *theirs.1)).norm();
        assert!(apart < 2e-5, "{apart}");
    }
    let largest = levels.iter().fold(0.0f32, |a, b| a.max(*b));
    assert!(worst(&our_levels, &levels) < 1e-4 * largest, "{}", worst(&our_levels, &levels));
    assert!(worst(&our_hush, &hush) < 1e-4, "{}", worst(&our_hush, &hush));
    assert!(hush.iter().any(|v| *v < 0.5));
}

#[test]
fn the_whole_vocoder_agrees_with_its_python_twin() {
    let (ours, theirs) = rendered(false);
    let loudest = theirs.iter().fold(0.0f32, |a, b| a.max(b.abs()));
    assert!(loudest > 0.01);
    assert!(worst(&ours, &theirs) < 1e-3 * loudest, "{} of {loudest}", worst(&ours, &theirs));
}

#[test]
fn at_48_khz_it_is_both_bands_of_its_python_twin() {
    let (ours, lower) = rendered(true);
    let upper = upper_band();
    let mut theirs = vec![];
    join::Join::new().push(&lower, Some(&upper), &mut theirs);
    let loudest = upper.iter().fold(0.0f32, |a, b| a.max(b.abs()));
    assert!(loudest > 1e-3);
    assert!(worst(&ours, &theirs) < 1e-3 * loudest, "{} of {loudest}", worst(&ours, &theirs));
}
