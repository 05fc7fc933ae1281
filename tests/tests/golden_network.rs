//! The network, built by this crate's graph builder and run by its engine, against the original at
//! tiny size: encoders, noise predictions, and whole guided sampling runs with the original's
//! noise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ndarray::{ArrayD, ArrayViewD, Axis};
use timbre_models::bundle::denoiser_graph;
use timbre_models::denoise::network::{Network, NetworkGraphs};
use timbre_models::denoise::noise::NoiseSource;
use timbre_models::denoise::sampler::{Denoiser, Sampler, SamplerOptions};
use timbre_models::denoise::schedule::{Schedule, Spacing};
use timbre_models::denoise::step::Prediction;
use timbre_models::graph::{GraphKind, NetworkConfig, Params, WeightFormat};
use timbre_models::mel::FeatureRange;
use timbred_tests::golden::{golden, golden_files};
use timbred_tests::npz::{Npz, worst};

/// The sizes under their original names.
#[derive(serde::Deserialize)]
struct GoldenConfig {
    vocab_size: usize,
    emb_dim: usize,
    num_heads: usize,
    num_encoder_layers: usize,
    num_decoder_layers: usize,
    head_dim: usize,
    mlp_dim: usize,
    max_decoder_noise_time: f64,
    lengths: Lengths,
    mel_dims: usize,
}

#[derive(serde::Deserialize)]
struct Lengths {
    inputs: usize,
    targets: usize,
    targets_context: usize,
}

/// The golden network, and the batch with which it was run; none if the set does not have it.
fn network() -> Option<(Network, Npz)> {
    let config = golden("network/config.json")?;
    let params = golden("network/params.npz")?;
    let batch = Npz::open(&golden("network/encode_decode.npz")?);
    let text = std::fs::read_to_string(config).unwrap();
    let golden: GoldenConfig = serde_json::from_str(&text).unwrap();
    let config = NetworkConfig {
        vocab_size: golden.vocab_size,
        emb: golden.emb_dim,
        heads: golden.num_heads,
        head_dim: golden.head_dim,
        mlp: golden.mlp_dim,
        token_layers: golden.num_encoder_layers,
        context_layers: golden.num_encoder_layers,
        decoder_layers: golden.num_decoder_layers,
        max_tokens: golden.lengths.inputs,
        context_frames: golden.lengths.targets_context,
        target_frames: golden.lengths.targets,
        mel_bins: golden.mel_dims,
        has_context: true,
        prior: false,
        max_noise_time: golden.max_decoder_noise_time,
    };
    let mut npz = Npz::open(&params);
    let mut params = Params::new();
    for name in npz.names() {
        let values = npz.f32(&name);
        params.insert(name, values.shape().to_vec(), values.iter().copied().collect());
    }
    let graph = |kind| denoiser_graph(kind, &config, &params, WeightFormat::F32).unwrap();
    let [notes, context, memory, film, step] = GraphKind::ALL.map(graph);
    let graphs = NetworkGraphs {
        note_encoder: &notes,
        context_encoder: Some(&context),
        memory: &memory,
        film: &film,
        step: &step,
    };
    Some((Network::load(config, graphs).unwrap(), batch))
}

/// One row of the golden batch: real tokens and real past frames.
struct Heard {
    ids: Vec<u32>,
    context: Vec<f32>,
}

fn flat(array: ArrayViewD<'_, f32>) -> Vec<f32> {
    array.iter().copied().collect()
}

fn row(array: &ArrayD<f32>, b: usize) -> Vec<f32> {
    flat(array.index_axis(Axis(0), b))
}

fn heard(npz: &mut Npz) -> Vec<Heard> {
    let tokens = npz.numbers("tokens");
    let mask = npz.numbers("context_mask");
    let scaled = npz.f32("context_scaled");
    let mels = npz.f32("context_log_mel");
    let range = FeatureRange::default();
    (0..tokens.shape()[0])
        .map(|b| {
            let ids: Vec<u32> = tokens.index_axis(Axis(0), b).iter().map(|id| *id as u32).collect();
            let real = ids.iter().take_while(|id| **id != 0).count();
            let frames = mask.index_axis(Axis(0), b).iter().filter(|m| **m != 0.0).count();
            let values = frames * scaled.shape()[2];
            let mut context = row(&mels, b);
            range.scale_slice(&mut context, true);
            assert!(worst(&context[..values], &row(&scaled, b)[..values]) < 1e-6);
            context.truncate(values);
            Heard { ids: ids[..real].to_vec(), context }
        })
        .collect()
}

fn within(what: &str, found: &[f32], wanted: &[f32], tolerance: f64, so_far: &mut f64) {
    let apart = worst(found, wanted);
    assert!(apart <= tolerance, "{what}: {apart:.2e} apart, tolerance {tolerance:.0e}");
    *so_far = so_far.max(apart);
}

#[test]
fn encoders() {
    let Some((mut network, mut npz)) = network() else { return };
    let (notes, context) = (npz.f32("tokens_encoded"), npz.f32("context_encoded"));
    let rows = heard(&mut npz);
    assert!(!rows.is_empty(), "no case");
    let (mut worst_notes, mut worst_context, mut contexts) = (0.0, 0.0, 0);
    for (b, heard) in rows.iter().enumerate() {
        let found = network.notes(&heard.ids).unwrap();
        let wanted = row(&notes, b);
        within(&format!("notes {b}"), found, &wanted[..found.len()], 1e-5, &mut worst_notes);
        if heard.context.is_empty() {
            continue;
        }
        let found = network.context(&heard.context).unwrap();
        let wanted = row(&context, b);
        within(&format!("context {b}"), found, &wanted[..found.len()], 1e-5, &mut worst_context);
        contexts += 1;
    }
    assert!(contexts > 0, "no row with context");
    println!("note encoder: {} cases, worst error {worst_notes:.2e}", rows.len());
    println!("context encoder: {contexts} cases, worst error {worst_context:.2e}");
}

#[test]
fn predictions() {
    let Some((mut network, mut npz)) = network() else { return };
    let rows = heard(&mut npz);
    let z = npz.f32("z");
    let mut cases = 0;
    for n in 0.. {
        if !npz.has(&format!("time_{n}")) {
            break;
        }
        let time = npz.number(&format!("time_{n}")) as f32;
        // At late times the signal has sines of up to 20000 rad in float32.
        let tolerance = if time <= 0.5 { 2e-4 } else { 3e-3 };
        network.film_times(&[time]).unwrap();
        let mut apart = [0.0; 2];
        for (conditioned, name) in [(true, "cond"), (false, "uncond")] {
            let wanted = npz.f32(&format!("eps_{name}_{n}"));
            for (b, heard) in rows.iter().enumerate() {
                network.encode(&heard.ids, &heard.context).unwrap();
                let z = row(&z, b);
                let mut found = vec![0.0; z.len()];
                network.predict(0, &z, conditioned, &mut found).unwrap();
                let what = format!("eps_{name}_{n} row {b}");
                let so_far = &mut apart[usize::from(!conditioned)];
                within(&what, &found, &row(&wanted, b), tolerance, so_far);
                cases += 1;
            }
        }
        println!("eps at t = {time}: worst {:.2e} heard, {:.2e} unheard", apart[0], apart[1]);
    }
    assert!(cases > 0, "no case");
    println!("eps: {cases} cases");
}

/// Returns the noise that the original drew, for one row of the batch.
struct Replay {
    start: Vec<f32>,
    steps: Vec<Vec<f32>>,
}

impl NoiseSource for Replay {
    fn start(&mut self, out: &mut [f32]) {
        out.copy_from_slice(&self.start);
    }

    fn fill(&mut self, step: usize, out: &mut [f32]) {
        out.copy_from_slice(&self.steps[step]);
    }
}

#[test]
fn sampling_runs() {
    let Some((mut network, mut batch)) = network() else { return };
    let rows = heard(&mut batch);
    let mut cases = 0;
    for path in golden_files("network", "eval_scan_", ".npz") {
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut npz = Npz::open(&path);
        let steps = npz.number("num_steps") as usize;
        let schedule = Schedule::new(steps, Spacing::Trailing).unwrap();
        let order: Vec<f64> = npz.numbers("i_in_order").iter().copied().collect();
        assert_eq!(order, (0..steps).rev().map(|i| i as f64).collect::<Vec<_>>(), "{file}");
        network.film_table(&schedule).unwrap();
        let mut sampler = Sampler::new(SamplerOptions {
            kind: npz.string("sampler").parse().unwrap(),
            prediction: Prediction::Eps,
            guidance_weight: npz.number("eval_condition_weight"),
            clip_x0: true,
        });
        let (init, after) = (npz.f32("init_z"), npz.f32("z_after_step"));
        let noise = npz.has("noise_in_order").then(|| npz.f32("noise_in_order"));
        let (x0, log_mel) = (npz.f32("pred_x0"), npz.f32("predicted_log_mel"));
        let (mut free, mut single, mut final_x0) = (0.0, 0.0, 0.0);
        for (b, heard) in rows.iter().enumerate() {
            network.encode(&heard.ids, &heard.context).unwrap();
            let at =
                |array: &ArrayD<f32>, i: usize| row(&array.index_axis(Axis(0), i).to_owned(), b);
            let mut replay = Replay {
                start: row(&init, b),
                steps: (0..steps)
                    .map(|i| noise.as_ref().map(|noise| at(noise, i)).unwrap_or_default())
                    .collect(),
            };
            let mut z = vec![0.0; replay.start.len()];
            sampler.sample(&schedule, &mut network, &mut replay, &mut z, &mut |_, _| {}).unwrap();
            within(&format!("{file} x0 row {b}"), &z, &row(&x0, b), 5e-3, &mut final_x0);
            FeatureRange::default().unscale_slice(&mut z, false);
            within(&format!("{file} row {b}"), &z, &row(&log_mel, b), 2e-2, &mut free);

            sampler.begin(z.len());
            for i in 0..steps {
                z = if i == 0 { replay.start.clone() } else { at(&after, i - 1) };
                sampler.step(&schedule, i, &mut network, &mut replay, &mut z).unwrap();
                within(&format!("{file} row {b} step {i}"), &z, &at(&after, i), 3e-3, &mut single);
            }
        }
        println!(
            "{file}: {} rows, worst error {free:.2e} in the final log mel ({final_x0:.2e} scaled), \
             {single:.2e} in a step",
            rows.len()
        );
        cases += 1;
    }
    println!("sampling: {cases} runs");
}
