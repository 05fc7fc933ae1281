//! Tests of the note prior against its Python twin (tests/vectors), and against itself.

use super::*;
use crate::graph::{PriorConfig, WeightFormat, build_prior};
use crate::test_vectors::{array, events, kits, open, params};
use crate::vocoder::tests::lives;
use ndarray::ArrayD;
use prost::Message;

/// The mel of the vectors' notes, without and with attacks, and their share of noise; and the same
/// from Python.
fn rendered() -> ([Vec<f32>; 3], [Vec<f32>; 3]) {
    let mut npz = open("prior");
    let config = PriorConfig { width: 16, blocks: 1, note_width: 4, residual_nats: 1.0 };
    let params = params(&mut npz, config.parameters(kits().drums()));
    let graph =
        build_prior(&config, kits().drums(), &params, WeightFormat::F32).unwrap().encode_to_vec();
    let mut prior =
        NotePrior::load(&graph, kits(), Arc::new(Tables::new()), Arc::new(lives())).unwrap();
    let theirs = ["log_mel", "struck", "log_share"].map(|name| {
        let mel: ArrayD<f32> = array(&mut npz, name);
        mel.into_raw_vec_and_offset().0
    });
    let mut ours = [vec![], vec![], vec![]];
    let (mut ledger, events) = (Ledger::new(), events("excitation"));
    for frame in (0..theirs[0].len() as u64 / MEL_BINS as u64).map(FrameIdx) {
        let times = frame_start_s(frame.0)..frame_start_s(frame.0 + 1);
        for event in events.iter().filter(|e| times.contains(&e.time_s)) {
            ledger.note_event(event);
        }
        let [mut mel, mut struck] = [[0.0; MEL_BINS]; 2];
        let known = Known { ledger: &ledger, at: &|_| At::REST, reference: 1.0 };
        // A frame can be computed any number of times, and later frames, too.
        for later in [3, 0] {
            let frame = FrameIdx(frame.0 + later);
            prior.frame(frame, known, &mut mel, &mut struck).unwrap();
        }
        ours[0].extend(mel);
        ours[1].extend(struck);
        ours[2].extend(prior.log_share());
        prior.next_frame(frame, &ledger, |_| At::REST);
        ledger.forget(|note| prior.is_over(note, FrameIdx(frame.0 + 1)));
    }
    (ours, theirs)
}

#[test]
fn it_agrees_with_its_python_twin() {
    let (ours, theirs) = rendered();
    let [mel, struck, log_share] = &theirs;
    assert!(mel.iter().any(|v| *v > -5.0) && mel.iter().any(|v| *v < -11.5));
    assert!(mel.iter().zip(struck).any(|(mel, struck)| struck - mel > 0.1));
    assert!(log_share.iter().any(|v| *v < -3.0) && log_share.iter().any(|v| *v > -0.1));
    // Ours is interpolated on a grid, and theirs is computed for each frame.
    let apart = |a: &[f32], b: &[f32]| {
        let apart = a.iter().zip(b).map(|(a, b)| (a - b).abs());
        (apart.clone().sum::<f32>() / a.len() as f32, apart.fold(0.0, f32::max))
    };
    for (ours, theirs) in ours.iter().zip(&theirs) {
        let (mean, most) = apart(ours, theirs);
        assert!(mean < 0.02 && most < 0.3, "{mean} nats in the mean, {most} at most");
    }
}
