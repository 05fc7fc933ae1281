//! Compares a model of published size with torch, by the mel of two segments, and measures its
//! cost. `make full-size` runs it.
//!
//! `FULL_SIZE_MODEL` is the folder of the imported model, `FULL_SIZE_VECTORS` the output of
//! `timbre_training.published` for the same checkpoint, and `FULL_SIZE_ERROR` the allowed relative
//! error (1e-3).
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::time::Instant;

use timbre_models::bundle::Bundle;
use timbre_models::denoise::sampler::{Sampler, SamplerKind, SamplerOptions};
use timbre_models::denoise::schedule::{Schedule, Spacing};
use timbre_models::mel::FeatureRange;
use timbred_tests::npz::{Npz, worst};
use timbred_tests::segments::{Drawn, peak_memory, relative};

#[test]
#[ignore = "needs a model of published size and vectors: make full-size"]
fn a_segment_is_what_torch_makes_of_the_same_weights() {
    let name = |key: &str| std::env::var(key).expect(key);
    let (model, vectors) = (name("FULL_SIZE_MODEL"), name("FULL_SIZE_VECTORS"));
    let allowed: f64 = std::env::var("FULL_SIZE_ERROR").map_or(1e-3, |e| e.parse().unwrap());
    let begun = Instant::now();
    let bundle = Bundle::open(Path::new(&model)).unwrap();
    let mut network = bundle.network().unwrap();
    println!("loaded in {:.2} s", begun.elapsed().as_secs_f64());
    let mut npz = Npz::open(Path::new(&vectors));
    let schedule = Schedule::new(npz.number("steps") as usize, Spacing::Trailing).unwrap();
    network.film_table(&schedule).unwrap();
    let options = SamplerOptions { kind: SamplerKind::Ddim, ..SamplerOptions::default() };
    let mut sampler = Sampler::new(options);
    let mut context = vec![];
    let mut segments = 0;
    while npz.has(&format!("ids_{segments}")) {
        let ids: Vec<u32> =
            npz.numbers(&format!("ids_{segments}")).iter().map(|id| *id as u32).collect();
        let mut noise = Drawn(npz.f32(&format!("noise_{segments}")).into_iter().collect());
        let begun = Instant::now();
        network.encode(&ids, &context).unwrap();
        let encoded = Instant::now();
        let mut mel = vec![0.0; noise.0.len()];
        sampler.sample(&schedule, &mut network, &mut noise, &mut mel, &mut |_, _| {}).unwrap();
        let step_ms = encoded.elapsed().as_secs_f64() * 1e3 / schedule.len() as f64;
        FeatureRange::default().unscale_slice(&mut mel, false);
        let wanted: Vec<f32> = npz.f32(&format!("log_mel_{segments}")).into_iter().collect();
        context.clone_from(&wanted);
        FeatureRange::default().scale_slice(&mut context, true);
        let (error, most) = (relative(&mel, &wanted), worst(&mel, &wanted));
        println!(
            "segment {segments}: relative error {error:.2e}, at most {most:.2e} nats; encode {:.0} \
             ms, a guided step {step_ms:.0} ms",
            (encoded - begun).as_secs_f64() * 1e3,
        );
        assert!(
            error <= allowed,
            "segment {segments}: {error:.2e}, allowed {allowed:.0e}; are these random weights? \
             make full-size TAME=--tame"
        );
        segments += 1;
    }
    assert!(segments > 1, "no segments in {vectors}");
    println!("peak memory {}", peak_memory());
}
