//! The mel front end against the original codec: matrix, log mel of every `*.audio.npy`, feature
//! scaling.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use timbre_models::mel::{FFT_BINS, FeatureRange, MelFrontEnd, mel_matrix};
use timbre_models::units::{HOP_SAMPLES, MEL_BINS};
use timbred_tests::golden::{golden, golden_files};
use timbred_tests::npz::npy;

#[test]
fn matrix() {
    let Some(file) = golden("mel/mel_matrix_513x128.npy") else { return };
    let wanted = npy(&file);
    assert_eq!(wanted.shape(), [FFT_BINS, MEL_BINS]);
    let worst = mel_matrix()
        .iter()
        .zip(&wanted)
        .fold(0.0f64, |worst, (f, w)| worst.max((f64::from(*f) - w).abs()));
    println!("mel matrix: worst error {worst:.2e}");
    assert!(worst <= 1e-6, "{worst}");
}

#[test]
fn log_mel() {
    let mut front = MelFrontEnd::new();
    let (mut cases, mut worst_of_all, mut worst_f64) = (0, 0.0f64, 0.0f64);
    for path in golden_files("mel", "", ".audio.npy") {
        let file = path.file_name().unwrap().to_str().unwrap();
        let name = file.strip_suffix(".audio.npy").unwrap();
        let Some(wanted) = golden(&format!("mel/{name}.mel.npy")) else { continue };
        let wanted = npy(&wanted);
        let audio: Vec<f32> = npy(&path).iter().map(|v| *v as f32).collect();
        let mel = front.log_mel(&audio);
        let frames = audio.len().div_ceil(HOP_SAMPLES);
        assert_eq!(wanted.shape(), [frames, MEL_BINS], "{name}");
        assert_eq!(mel.len(), wanted.len(), "{name}");
        let wanted: Vec<f64> = wanted.iter().copied().collect();
        for (k, (found, wanted)) in
            mel.chunks_exact(MEL_BINS).zip(wanted.chunks_exact(MEL_BINS)).enumerate()
        {
            worst_of_all = worst_of_all.max(compare(name, k, found, wanted));
        }
        // These exist for some of the frames only, and not for short cases.
        let exact = path.with_file_name(format!("{name}.mel_float64.npy"));
        if exact.exists() {
            let wanted: Vec<f64> = npy(&exact).iter().copied().collect();
            let stride = (frames / 10).max(1);
            for (i, wanted) in wanted.chunks_exact(MEL_BINS).enumerate() {
                let k = i * stride;
                let found = &mel[k * MEL_BINS..][..MEL_BINS];
                worst_f64 = worst_f64.max(compare(name, k, found, wanted));
            }
        }
        cases += 1;
    }
    println!(
        "log mel: {cases} cases, worst {worst_of_all:.3} of the tolerance, {worst_f64:.3} in \
         float64"
    );
}

/// The largest error of the mel magnitudes in a frame, relative to the tolerance.
fn compare(name: &str, frame: usize, found: &[f32], wanted: &[f64]) -> f64 {
    let loudest = wanted.iter().fold(0.0f64, |m, w| m.max(w.exp()));
    let tolerance = 2e-6 * loudest + 2e-7;
    let shares = found.iter().zip(wanted).enumerate().map(|(band, (found, wanted))| {
        let share = (f64::from(*found).exp() - wanted.exp()).abs() / tolerance;
        assert!(share <= 1.0, "{name}: frame {frame} band {band}: {found} instead of {wanted}");
        share
    });
    shares.fold(0.0, f64::max)
}

#[derive(serde::Deserialize)]
struct Scale {
    min_value: f64,
    max_value: f64,
    features: Vec<f64>,
    scale_features_clip: Vec<f64>,
    scale_features_noclip: Vec<f64>,
    outputs: Vec<f64>,
    scale_to_features_noclip: Vec<f64>,
    scale_to_features_clip: Vec<f64>,
}

#[test]
fn scaling() {
    let Some(file) = golden("mel/scale.json") else { return };
    let text = std::fs::read_to_string(file).unwrap();
    let golden: Scale = serde_json::from_str(&text).unwrap();
    let range = FeatureRange { min: golden.min_value, max: golden.max_value };
    assert!((FeatureRange::default().min - range.min).abs() < 1e-9);
    assert_eq!(FeatureRange::default().max, range.max);
    type Convert = fn(&FeatureRange, f32) -> f32;
    let sets: [(&str, &[f64], &[f64], Convert); 4] = [
        ("scale", &golden.features, &golden.scale_features_noclip, FeatureRange::scale),
        (
            "scale clipped",
            &golden.features,
            &golden.scale_features_clip,
            FeatureRange::scale_clipped,
        ),
        ("unscale", &golden.outputs, &golden.scale_to_features_noclip, FeatureRange::unscale),
        (
            "unscale clipped",
            &golden.outputs,
            &golden.scale_to_features_clip,
            FeatureRange::unscale_clipped,
        ),
    ];
    for (what, from, to, convert) in sets {
        assert_eq!(from.len(), to.len());
        assert!(!from.is_empty(), "no case of {what}");
        let worst = from.iter().zip(to).fold(0.0f64, |worst, (from, to)| {
            worst.max((f64::from(convert(&range, *from as f32)) - to).abs())
        });
        println!("{what}: {} cases, worst error {worst:.2e}", from.len());
        assert!(worst <= 2e-6, "{what}: {worst}");
    }
}
