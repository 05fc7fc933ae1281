//! The attack table as an ONNX graph, which is a lookup. `crate::vocoder::attack` explains the
//! rows.
//!
//! Input `row` int64 `[R]`, output `attacks` [R, 5]. `attacks.py` in
//! `models/training/timbre_training` makes the table.

use tract_onnx::pb::ModelProto;

use super::builder::{Attr, Builder, Dim, Port};
use super::pieces::WeightFormat;
use super::signature::{check_ports, check_rows};
use super::vocoder_config::{ATTACK_LEVELS, DRUM_ATTACKS};
use super::{ParamError, Params};
use crate::denoise::DenoiseError;

/// The inputs and outputs of the graph.
fn ports() -> (Vec<Port>, Vec<Port>) {
    let rows = || Dim::Any("R");
    let row = Port { name: "row".to_owned(), integer: true, dims: vec![rows()] };
    let dims = vec![rows(), Dim::Is(ATTACK_LEVELS)];
    (vec![row], vec![Port { name: "attacks".to_owned(), integer: false, dims }])
}

/// Checks that `model` has the inputs and outputs of an attack table, and at least `drums` drums.
///
/// # Errors
/// [`DenoiseError::Graph`] with what was found and what was wanted.
pub fn check_attacks(model: &ModelProto, drums: usize) -> Result<(), DenoiseError> {
    let (inputs, outputs) = ports();
    check_ports("attacks", &inputs, &outputs, model)?;
    check_rows("attacks", model, "table", DRUM_ATTACKS + drums)
}

/// Builds the graph from its one parameter, `table` [[`DRUM_ATTACKS`] + drums, [`ATTACK_LEVELS`]].
///
/// # Errors
/// [`ParamError`] if a parameter is missing or superfluous, has another shape, or is not finite.
pub fn build_attacks(
    drums: usize,
    params: &Params,
    format: WeightFormat,
) -> Result<ModelProto, ParamError> {
    let shape = vec![DRUM_ATTACKS + drums, ATTACK_LEVELS];
    params.check_list(vec![("table".to_owned(), shape)])?;
    let mut b = Builder::new(params, format);
    let table = b.matrix("table", 1)?;
    b.op_to("Gather", &[&table, "row"], &[Attr::Int("axis", 0)], "attacks");
    let (inputs, outputs) = ports();
    Ok(b.finish("attacks", &inputs, &outputs))
}
