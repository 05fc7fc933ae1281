//! The network of the note prior as one ONNX graph. `crate::prior` explains its rows.
//!
//! Inputs `instrument`, `key` and `note` (the row of the note table) int64 `[R]`, and `features`
//! [R, 48]; output `gains` [R, 256] in nats, first of the tone and then of the noise. Torch twin:
//! `models/training/timbre_training/prior.py`.

use tract_onnx::pb::ModelProto;

use super::builder::{Attr, Builder, Dim, Port};
use super::pieces::WeightFormat;
use super::prior_config::{FEATURES, FIRST_DRUM, GAINS, PriorConfig};
use super::signature::{check_ports, check_rows};
use super::{ParamError, Params};
use crate::denoise::DenoiseError;

/// The inputs and outputs of the graph.
fn ports() -> (Vec<Port>, Vec<Port>) {
    let rows = |name: &str, integer, width: Option<usize>| Port {
        name: name.to_owned(),
        integer,
        dims: [Dim::Any("R")].into_iter().chain(width.map(Dim::Is)).collect(),
    };
    let inputs = vec![
        rows("instrument", true, None),
        rows("key", true, None),
        rows("note", true, None),
        rows("features", false, Some(FEATURES)),
    ];
    (inputs, vec![rows("gains", false, Some(GAINS))])
}

/// Checks that `model` has the inputs and outputs of a note prior, and at least `drums` drums.
///
/// # Errors
/// [`DenoiseError::Graph`] with what was found and what was wanted.
pub fn check_prior(model: &ModelProto, drums: usize) -> Result<(), DenoiseError> {
    let (inputs, outputs) = ports();
    check_ports("prior", &inputs, &outputs, model)?;
    check_rows("prior", model, "instruments", FIRST_DRUM + drums)
}

/// Builds the graph from its weights, for a model with `drums` different drums.
///
/// # Errors
/// [`ParamError`] if a parameter is missing or superfluous, has another shape, or is not finite.
pub fn build_prior(
    config: &PriorConfig,
    drums: usize,
    params: &Params,
    format: WeightFormat,
) -> Result<ModelProto, ParamError> {
    params.check_list(config.parameters(drums))?;
    let mut b = Builder::new(params, format);
    let tables = [("instruments", "instrument"), ("keys", "key"), ("notes", "note")];
    let [instrument, key, note] = tables.map(|(table, ids)| {
        let table = b.matrix(table, 0)?;
        Ok(b.op("Gather", &[&table, ids], &[Attr::Int("axis", 0)]))
    });
    let x = b.op("Concat", &[&instrument?, &key?, &note?, "features"], &[Attr::Int("axis", 1)]);
    let kernel = b.matrix("input", 1)?;
    let mut x = b.op("MatMul", &[&x, &kernel], &[]);
    for i in 0..config.blocks {
        let y = b.feed_forward(&x, &format!("blocks.{i}"))?;
        x = b.op("Add", &[&x, &y], &[]);
    }
    let y = b.norm(&x, "norm")?;
    let (kernel, bias) = (b.matrix("output", 1)?, b.table("bias")?);
    let y = b.op("MatMul", &[&y, &kernel], &[]);
    let y = b.op("Add", &[&y, &bias], &[]);
    // Adds the mean difference of each instrument from the reference, which `colour.py` measures on
    // the rendered sound.
    let colour = b.matrix("colour", 0)?;
    let colour = b.op("Gather", &[&colour, "instrument"], &[Attr::Int("axis", 0)]);
    b.op_to("Add", &[&y, &colour], &[], "gains");
    let (inputs, outputs) = ports();
    Ok(b.finish("prior", &inputs, &outputs))
}
