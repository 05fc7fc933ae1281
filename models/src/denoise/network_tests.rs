//! Tests of networks with random weights in tract: formats agree, wrong input is a typed error, and
//! a thread can own a network.

use prost::Message;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

use super::*;
use crate::graph::{ParamError, Params, WeightFormat, build, int8};
use tract_onnx::pb::ModelProto;
use tract_onnx::tract_hir::internal::Approximation;

pub(crate) fn config() -> NetworkConfig {
    NetworkConfig {
        vocab_size: 64,
        emb: 16,
        heads: 2,
        head_dim: 12,
        mlp: 24,
        token_layers: 1,
        context_layers: 2,
        decoder_layers: 2,
        max_tokens: 20,
        context_frames: 8,
        target_frames: 6,
        mel_bins: 128,
        has_context: true,
        prior: false,
        max_noise_time: 20_000.0,
    }
}

pub(crate) fn params(config: &NetworkConfig) -> Params {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut params = Params::new();
    for (name, shape) in config.parameters() {
        let spread = if shape.len() == 1 { 0.1 } else { 1.0 / (shape[0] as f32).sqrt() };
        let mean = if shape.len() == 1 { 1.0 } else { 0.0 };
        let normal = Normal::new(mean, spread).unwrap();
        let n = shape.iter().product();
        params.insert(name, shape, (0..n).map(|_| normal.sample(&mut rng)).collect());
    }
    params
}

fn network(config: &NetworkConfig, format: WeightFormat) -> Network {
    run_as(config, format, RunOptions::default())
}

pub(crate) fn wave(n: usize) -> Vec<f32> {
    (0..n).map(|i| (i as f32 * 0.71).sin()).collect()
}

pub(crate) fn output(network: &mut Network, conditioned: bool, frames: usize) -> Vec<f32> {
    let z = wave(frames * 128);
    let mut out = vec![0.0; z.len()];
    network.predict(0, &z, conditioned, &mut out).unwrap();
    out
}

/// A network with the same weights and the given options.
pub(crate) fn run_as(config: &NetworkConfig, format: WeightFormat, options: RunOptions) -> Network {
    let params = params(config);
    let bytes = |kind| build(kind, config, &params, format).unwrap().encode_to_vec();
    let context = config.has_context.then(|| bytes(GraphKind::ContextEncoder));
    let graphs = NetworkGraphs {
        note_encoder: &bytes(GraphKind::NoteEncoder),
        context_encoder: context.as_deref(),
        memory: &bytes(GraphKind::Memory),
        film: &bytes(GraphKind::Film),
        step: &bytes(GraphKind::Step),
    };
    Network::load_with(config.clone(), graphs, options).unwrap()
}

#[test]
fn int8_is_close_to_float_and_a_quarter_of_it() {
    let config = config();
    let mut outputs = vec![];
    for format in [WeightFormat::F32, WeightFormat::Int8PerChannel] {
        let mut network = network(&config, format);
        network.film_times(&[0.5]).unwrap();
        network.encode(&[5, 6, 7, 1], &wave(3 * 128)).unwrap();
        outputs.push(output(&mut network, true, 4));
    }
    let norm = |v: &[f32]| v.iter().map(|x| x * x).sum::<f32>().sqrt();
    let apart: Vec<f32> = outputs[0].iter().zip(&outputs[1]).map(|(a, b)| a - b).collect();
    let relative = norm(&apart) / norm(&outputs[0]);
    assert!(relative > 0.0 && relative < 0.05, "{relative}");
}

#[test]
fn expanding_is_what_the_engine_would_do() {
    let config = config();
    let params = params(&config);
    for kind in GraphKind::ALL {
        let model = build(kind, &config, &params, WeightFormat::Int8PerChannel).unwrap();
        let mut expanded = model.clone();
        let count = int8::expand(&mut expanded);
        assert!(count > 0);
        let graph = expanded.graph.as_ref().unwrap();
        assert!(graph.node.iter().all(|node| node.op_type != "DequantizeLinear"));
        let inputs = || -> TVec<TValue> {
            let layers = 0..config.decoder_layers;
            let float = |shape: &[usize]| {
                let n = shape.iter().product();
                Tensor::from_shape(shape, &wave(n)).unwrap().into_tvalue()
            };
            match kind {
                GraphKind::NoteEncoder => {
                    tvec![Tensor::from_shape(&[1, 3], &[1i64, 2, 63]).unwrap().into_tvalue()]
                }
                GraphKind::ContextEncoder => tvec![float(&[1, 3, 128])],
                GraphKind::Memory => tvec![float(&[1, 3, 16])],
                GraphKind::Film => tvec![float(&[1])],
                GraphKind::Step => tvec![float(&[1, 2, 128]), float(&[1, 2, 2, 32])]
                    .into_iter()
                    .chain(layers.clone().map(|_| float(&[1, 2, 12, 3])))
                    .chain(layers.map(|_| float(&[1, 2, 3, 12])))
                    .collect(),
            }
        };
        let run = |model: &ModelProto| {
            let model = tract_onnx::onnx().model_for_proto_model(model).unwrap();
            model.into_optimized().unwrap().into_runnable().unwrap().run(inputs()).unwrap()
        };
        for (a, b) in run(&model).iter().zip(run(&expanded).iter()) {
            a.close_enough(b, Approximation::Close).unwrap();
        }
        let float = build(kind, &config, &params, WeightFormat::F32).unwrap();
        assert!(model.encoded_len() < float.encoded_len());
    }
}

#[test]
fn norms_become_single_operators() {
    let config = config();
    let model = build(GraphKind::Step, &config, &params(&config), WeightFormat::F32).unwrap();
    let model = tract_onnx::onnx().model_for_proto_model(&model).unwrap();
    let model = model.into_optimized().unwrap();
    let count = |what: &str| model.nodes().iter().filter(|n| n.op.name().contains(what)).count();
    let all: Vec<String> = model.nodes().iter().map(|n| n.op.name().to_string()).collect();
    assert_eq!(count("RmsNorm"), 3 * config.decoder_layers + 1, "{all:?}");
}

#[test]
fn hearing_nothing_ignores_what_is_heard() {
    let mut network = network(&config(), WeightFormat::F32);
    network.film_times(&[0.5]).unwrap();
    network.encode(&[1], &[]).unwrap();
    let (first, heard) = (output(&mut network, false, 2), output(&mut network, true, 2));
    network.encode(&[5, 9, 1], &wave(8 * 128)).unwrap();
    assert_eq!(first, output(&mut network, false, 2));
    assert_ne!(heard, output(&mut network, true, 2));
}

#[test]
fn lengths_change_from_call_to_call() {
    let mut network = network(&config(), WeightFormat::F32);
    network.film_times(&[1.0]).unwrap();
    for (tokens, context, frames) in [(1, 0, 1), (20, 8, 6), (3, 1, 2), (20, 8, 6)] {
        network.encode(&vec![4; tokens], &wave(context * 128)).unwrap();
        assert!(output(&mut network, true, frames).iter().all(|v| v.is_finite()));
    }
}

#[test]
fn a_network_without_context_takes_none() {
    let config = NetworkConfig { has_context: false, ..config() };
    let mut network = network(&config, WeightFormat::F32);
    network.encode(&[3, 1], &[]).unwrap();
    assert!(matches!(
        network.encode(&[3, 1], &wave(128)),
        Err(DenoiseError::Length { what: "context values", .. })
    ));
}

#[test]
fn what_the_network_cannot_take_is_a_typed_error() {
    let mut network = network(&config(), WeightFormat::F32);
    let (z, mut out) = (wave(128), vec![0.0; 128]);
    let not_ready =
        |r: Result<(), DenoiseError>| assert!(matches!(r, Err(DenoiseError::NotReady { .. })));
    let length =
        |r: Result<(), DenoiseError>| assert!(matches!(r, Err(DenoiseError::Length { .. })));
    not_ready(network.predict(0, &z, true, &mut out));
    network.film_times(&[1.0]).unwrap();
    not_ready(network.predict(0, &z, true, &mut out));
    not_ready(network.predict(1, &z, false, &mut out));
    network.predict(0, &z, false, &mut out).unwrap();
    length(network.predict(0, &z[..100], false, &mut out[..100]));
    length(network.predict(0, &wave(7 * 128), false, &mut [0.0; 7 * 128]));
    length(network.predict(0, &z, false, &mut out[1..]));
    length(network.encode(&[], &[]));
    length(network.encode(&[1; 21], &[]));
    length(network.encode(&[1], &wave(9 * 128)));
    length(network.encode(&[1], &wave(130)));
    let token = network.encode(&[1, 64], &[]);
    assert!(matches!(token, Err(DenoiseError::Token { id: 64, position: 1, vocab_size: 64 })));
}

#[test]
fn graphs_of_another_size_or_place_are_refused() {
    let small = config();
    let large = NetworkConfig { heads: 3, ..config() };
    let weights = params(&small);
    let bytes = |kind| build(kind, &small, &weights, WeightFormat::F32).unwrap().encode_to_vec();
    let [notes, context, memory, film, step] = GraphKind::ALL.map(bytes);
    let graphs = NetworkGraphs {
        note_encoder: &notes,
        context_encoder: Some(&context),
        memory: &memory,
        film: &film,
        step: &step,
    };
    let refused = |config: &NetworkConfig, graphs| {
        Network::load(config.clone(), graphs).expect_err("must be refused").to_string()
    };
    assert!(refused(&large, graphs).contains("k_0"));
    assert!(refused(&small, NetworkGraphs { film: &step, ..graphs }).contains("input 0 is z"));
    assert!(refused(&small, NetworkGraphs { context_encoder: None, ..graphs }).contains("none"));
    assert!(refused(&small, NetworkGraphs { film: b"no graph", ..graphs }).contains("ONNX"));
}

#[test]
fn weights_that_do_not_fit_name_their_parameter() {
    let config = config();
    let name = "decoder.layers_1.mlp.wo.kernel";
    let good = params(&config);
    assert_eq!(good.check(&config), Ok(()));
    let without: Params =
        good.iter().filter(|(n, _)| *n != name).map(|(n, p)| (n.to_owned(), p.clone())).collect();
    assert!(
        matches!(without.check(&config), Err(ParamError::Missing { name: n, .. }) if n == name)
    );
    let mut extra = good.clone();
    extra.insert("decoder.bias", vec![1], vec![0.0]);
    assert!(matches!(extra.check(&config), Err(ParamError::Extra { .. })));
    let mut turned = good.clone();
    turned.insert(name, vec![16, 24], vec![0.0; 16 * 24]);
    let error = turned.check(&config).unwrap_err().to_string();
    assert!(error.contains(name) && error.contains("[16, 24]") && error.contains("[24, 16]"));
    let mut nan = good;
    nan.insert(name, vec![24, 16], vec![f32::NAN; 24 * 16]);
    assert!(matches!(nan.check(&config), Err(ParamError::NotFinite { index: 0, .. })));
}

#[test]
fn a_thread_can_own_it() {
    fn owned<T: Send + 'static>() {}
    owned::<Network>();
}
