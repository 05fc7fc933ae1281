//! The note prior against its Python twin (tests/vectors), and against itself.

use super::*;
use crate::graph::{PriorConfig, WeightFormat, build_prior};
use crate::test_vectors::{array, events, open, params};
use crate::units::TICKS_PER_FRAME;
use ndarray::ArrayD;
use prost::Message;

/// The mel of the vectors' notes, plain and struck, in hops of the lengths that `hops` gives in turn, and what Python made of them.
fn rendered(hops: &[usize]) -> ([Vec<f32>; 2], [Vec<f32>; 2]) {
    let mut npz = open("prior");
    let config = PriorConfig { width: 16, blocks: 1, note_width: 4, residual_nats: 1.0 };
    let params = params(&mut npz, config.parameters());
    let graph = build_prior(&config, &params, WeightFormat::F32).unwrap().encode_to_vec();
    let mut prior = NotePrior::load(&graph, Arc::new(Tables::new())).unwrap();
    let theirs = ["log_mel", "struck"].map(|name| {
        let mel: ArrayD<f32> = array(&mut npz, name);
        mel.into_raw_vec_and_offset().0
    });
    let mut ours = theirs.clone().map(|mel| vec![0.0; mel.len()]);
    let (mut ledger, mut parts) = (Ledger::new(), Parts::new());
    let (mut from, frames, events) = (0, ours[0].len() / MEL_BINS, events());
    for hop in hops.iter().cycle() {
        if from == frames {
            break;
        }
        let to = (from + hop).min(frames);
        let times = frame_start_s(from as u64)..frame_start_s(to as u64);
        for event in events.iter().filter(|e| times.contains(&e.time_s)) {
            ledger.note_event(event);
        }
        parts.advance(FrameIdx(from as u64).tick(), (to - from) * TICKS_PER_FRAME);
        let hop = from * MEL_BINS..to * MEL_BINS;
        let [mel, struck] = &mut ours;
        let (mel, struck) = (&mut mel[hop.clone()], &mut struck[hop]);
        let ones = vec![1.0; to - from];
        let start = FrameIdx(from as u64);
        prior.render(start, (&mut ledger, &parts), &ones, mel, struck).unwrap();
        ledger.forget(|note| prior.is_over(note, FrameIdx(to as u64)));
        from = to;
    }
    (ours, theirs)
}

#[test]
fn it_agrees_with_its_python_twin() {
    let (ours, theirs) = rendered(&[64]);
    let [mel, struck] = &theirs;
    assert!(mel.iter().any(|v| *v > -5.0) && mel.iter().any(|v| *v < -11.5));
    assert!(mel.iter().zip(struck).any(|(mel, struck)| struck - mel > 0.1));
    for (i, (a, b)) in ours.iter().flatten().zip(theirs.iter().flatten()).enumerate() {
        assert!((a - b).abs() < 1e-3, "frame {} band {}: {a} and {b}", i / 128, i % 128);
    }
}

#[test]
fn any_hops_say_the_same() {
    let (whole, _) = rendered(&[64]);
    for hops in [&[1][..], &[2], &[7, 1, 30]] {
        let (streamed, _) = rendered(hops);
        let worst = whole
            .iter()
            .flatten()
            .zip(streamed.iter().flatten())
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        assert!(worst < 1e-4, "{hops:?}: {worst}");
    }
}
