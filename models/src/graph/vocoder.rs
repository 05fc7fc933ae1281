//! The network of the vocoder as one ONNX graph. `crate::vocoder` explains the corrections.
//!
//! Inputs `log_mel`, `log_levels` and `log_share` [1, T, 128] (nats / 8), and `state_i` [1, 4,
//! width]. Outputs `corrections` [1, T, 512] = [2 blocks, tone and noise, 128] in nats, with an
//! upper band `upper_corrections` [1, T, 64] = [2 blocks, tone and noise, 16], and `next_state_i`.
//! Torch twin: `models/training/timbre_training/vocoder.py`.

use tract_onnx::pb::ModelProto;

use super::builder::{Attr, Builder, Dim, Port};
use super::pieces::WeightFormat;
use super::signature::check_ports;
use super::vocoder_config::{HISTORY, KERNEL, OUTPUTS, UPPER_OUTPUTS, VocoderConfig};
use super::{ParamError, Params};
use crate::denoise::DenoiseError;
use crate::units::MEL_BINS;

/// The inputs and outputs of the graph.
fn ports(config: &VocoderConfig) -> (Vec<Port>, Vec<Port>) {
    let port = |name: String, rows: Dim, width: usize| Port {
        name,
        integer: false,
        dims: vec![Dim::Is(1), rows, Dim::Is(width)],
    };
    let states = |name: &str| {
        (0..config.blocks)
            .map(|i| port(format!("{name}_{i}"), Dim::Is(HISTORY), config.width))
            .collect::<Vec<_>>()
    };
    let frames = |name: &str, width| port(name.to_owned(), Dim::Any("T"), width);
    let names = ["log_mel", "log_levels", "log_share"];
    let mut inputs = names.map(|name| frames(name, MEL_BINS)).to_vec();
    inputs.extend(states("state"));
    let mut outputs = vec![frames("corrections", OUTPUTS)];
    outputs.extend(config.upper_band.then(|| frames("upper_corrections", UPPER_OUTPUTS)));
    outputs.extend(states("next_state"));
    (inputs, outputs)
}

/// Checks that `model` has the inputs and outputs of a vocoder with these sizes.
///
/// # Errors
/// [`DenoiseError::Graph`] with what was found and what was wanted.
pub fn check_vocoder(config: &VocoderConfig, model: &ModelProto) -> Result<(), DenoiseError> {
    let (inputs, outputs) = ports(config);
    check_ports("vocoder", &inputs, &outputs, model)
}

/// Builds the graph from its weights.
///
/// # Errors
/// [`ParamError`] if a parameter is missing or superfluous, has another shape, or is not finite.
pub fn build_vocoder(
    config: &VocoderConfig,
    params: &Params,
    format: WeightFormat,
) -> Result<ModelProto, ParamError> {
    params.check_list(config.parameters())?;
    let mut b = Builder::new(params, format);
    let x = b.op("Concat", &["log_mel", "log_levels", "log_share"], &[Attr::Int("axis", 2)]);
    let kernel = b.matrix("input", 1)?;
    let mut x = b.op("MatMul", &[&x, &kernel], &[]);
    for i in 0..config.blocks {
        x = block(&mut b, i, x)?;
    }
    let y = b.norm(&x, "norm")?;
    outputs(&mut b, &y, ["output", "bias", "corrections"])?;
    if config.upper_band {
        let hidden = b.matrix("upper_hidden", 1)?;
        let hidden = b.op("MatMul", &[&y, &hidden], &[]);
        let hidden = b.gelu(&hidden);
        outputs(&mut b, &hidden, ["upper_output", "upper_bias", "upper_corrections"])?;
    }
    let (inputs, outputs) = ports(config);
    Ok(b.finish("vocoder", &inputs, &outputs))
}

/// Adds the output `name`: x [1, T, width] times a kernel, plus a bias.
fn outputs(
    b: &mut Builder<'_>,
    x: &str,
    [kernel, bias, name]: [&str; 3],
) -> Result<(), ParamError> {
    let (kernel, bias) = (b.matrix(kernel, 1)?, b.table(bias)?);
    let product = b.op("MatMul", &[x, &kernel], &[]);
    b.op_to("Add", &[&product, &bias], &[], name);
    Ok(())
}

/// A residual block over x [1, T, width]: causal depthwise convolution, norm, up, GELU, down.
fn block(b: &mut Builder<'_>, i: usize, x: String) -> Result<String, ParamError> {
    let state = format!("state_{i}");
    let padded = b.op("Concat", &[&state, &x], &[Attr::Int("axis", 1)]);
    let history = KERNEL as i64 - 1;
    let from_end = b.slice(&padded, 1, -history, i64::MAX);
    b.op_to("Identity", &[&from_end], &[], &format!("next_state_{i}"));
    let kernel = b.table(&format!("blocks.{i}.kernel"))?;
    let mut sum: Option<String> = None;
    for tap in 0..=history {
        let end = if tap == history { i64::MAX } else { tap - history };
        let shifted = b.slice(&padded, 1, tap, end);
        let weights = b.slice(&kernel, 0, tap, tap + 1);
        let term = b.op("Mul", &[&shifted, &weights], &[]);
        sum = Some(match sum {
            Some(sum) => b.op("Add", &[&sum, &term], &[]),
            None => term,
        });
    }
    let y = sum.unwrap_or_else(|| x.clone());
    let y = b.feed_forward(&y, &format!("blocks.{i}"))?;
    Ok(b.op("Add", &[&x, &y], &[]))
}
