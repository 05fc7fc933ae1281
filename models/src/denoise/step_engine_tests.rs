//! Tests of the packed decoder against its graph, and of options that must not change a bit of its
//! results.

use super::*;
use crate::denoise::decoder::Arithmetic;
use crate::denoise::network::RunOptions;
use crate::denoise::network::tests::{config, output, params, run_as, wave};
use crate::denoise::sampler::Denoiser as _;
use crate::graph::{WeightFormat, build};

const PLAIN: RunOptions = RunOptions { arithmetic: Arithmetic::F32, is_plain: true };
const PACKED: RunOptions = RunOptions { arithmetic: Arithmetic::F32, is_plain: false };
const INT8: RunOptions = RunOptions { arithmetic: Arithmetic::Int8Weights, is_plain: false };
const BF16: RunOptions = RunOptions { arithmetic: Arithmetic::Bf16, is_plain: false };

/// A config wide enough for several panels, pieces and groups of rows, with odd sizes where
/// possible.
fn wide() -> NetworkConfig {
    NetworkConfig {
        emb: 76,
        heads: 3,
        head_dim: 20,
        mlp: 1050,
        max_tokens: 300,
        target_frames: 40,
        ..config()
    }
}

#[test]
fn packed_operands_compute_what_the_graph_says() {
    for (config, format) in [
        (config(), WeightFormat::F32),
        (NetworkConfig { prior: true, ..config() }, WeightFormat::F32),
        (wide(), WeightFormat::F32),
        (wide(), WeightFormat::Int8PerChannel),
    ] {
        let mut plain = run_as(&config, format, PLAIN);
        let mut packed = run_as(&config, format, INT8);
        assert!(packed.is_packed() && !plain.is_packed());
        for frames in [1, 2, 5, 30.min(config.target_frames), config.target_frames] {
            for (tokens, context) in [(1, 0), (config.max_tokens, config.context_frames)] {
                let [found, wanted] = [&mut packed, &mut plain].map(|network| {
                    network.film_times(&[0.5]).unwrap();
                    network.set_prior(&wave(frames * 128)).unwrap();
                    network.encode(&vec![3; tokens], &wave(context * 128)).unwrap();
                    [true, false].map(|heard| output(network, heard, frames)).concat()
                });
                let most = wanted.iter().fold(0.0f32, |most, x| most.max(x.abs()));
                for (found, wanted) in found.iter().zip(&wanted) {
                    assert!((found - wanted).abs() < 2e-5 * most, "{found} {wanted} of {most}");
                }
            }
        }
    }
}

/// Rounding changes both operands by at most 2^-9 of them; after a few layers at most 2 % remain.
#[test]
fn bf16_is_near_to_what_the_graph_says() {
    for config in [wide(), NetworkConfig { prior: true, ..config() }] {
        let [found, wanted] = [BF16, PLAIN].map(|options| {
            let mut network = run_as(&config, WeightFormat::Int8PerChannel, options);
            network.film_times(&[0.5]).unwrap();
            network.set_prior(&wave(5 * 128)).unwrap();
            network.encode(&[3; 20], &[]).unwrap();
            output(&mut network, true, 5)
        });
        let off: f32 = found.iter().zip(&wanted).map(|(a, b)| (a - b).powi(2)).sum();
        let relative = (off / wanted.iter().map(|x| x * x).sum::<f32>()).sqrt();
        assert!((1e-5..2e-2).contains(&relative), "{relative}");
    }
}

#[test]
fn int8_weights_threads_and_both_branches_change_no_bit() {
    for (one, another) in [(PACKED, INT8), (BF16, BF16)] {
        no_bit_changes(one, another);
    }
}

fn no_bit_changes(alone: RunOptions, shared: RunOptions) {
    let config = wide();
    let mut alone = run_as(&config, WeightFormat::Int8PerChannel, alone);
    let mut shared = run_as(&config, WeightFormat::Int8PerChannel, shared);
    for network in [&mut alone, &mut shared] {
        network.film_times(&[0.5]).unwrap();
        network.encode(&[5; 250], &wave(8 * 128)).unwrap();
    }
    for frames in [1, 3, 6, 8, 9, 17, 30, 40] {
        let wanted = [true, false].map(|heard| output(&mut alone, heard, frames));
        for count in [1, 3] {
            shared.set_threads(Threads::new(count));
            assert_eq!(wanted, [true, false].map(|heard| output(&mut shared, heard, frames)));
            for network in [&mut alone, &mut shared] {
                let z = wave(frames * 128);
                let mut both = [vec![0.0; z.len()], vec![0.0; z.len()]];
                let [heard, unheard] = &mut both;
                network.predict_both(0, &z, heard, unheard).unwrap();
                assert_eq!(wanted, both, "{frames} frames, {count} threads");
            }
        }
    }
}

#[test]
fn a_graph_that_is_not_ours_is_left_to_the_engine() {
    let (config, params) = (config(), params(&config()));
    let step = |change: &dyn Fn(&mut ModelProto)| {
        let mut model = build(GraphKind::Step, &config, &params, WeightFormat::F32).unwrap();
        change(&mut model);
        is_own_step(&config, model.graph.as_ref().unwrap())
    };
    assert!(step(&|_| ()));
    let rename = |model: &mut ModelProto| {
        let graph = model.graph.as_mut().unwrap();
        let old = graph.node[5].output[0].clone();
        let names = graph.node.iter_mut().flat_map(|n| n.input.iter_mut().chain(&mut n.output));
        names.filter(|name| **name == old).for_each(|name| *name = "another".to_owned());
    };
    assert!(step(&rename), "names between nodes do not matter");
    assert!(!step(&|model| model.graph.as_mut().unwrap().node[20].op_type = "Sub".to_owned()));
    assert!(!step(&|model| model.graph.as_mut().unwrap().node.swap(20, 21)));
    assert!(!step(&|model| {
        let graph = model.graph.as_mut().unwrap();
        let scalar = graph.initializer.iter_mut().find(|t| t.name == "scalar_1").unwrap();
        scalar.raw_data = 2.0f32.to_le_bytes().to_vec();
    }));
}
