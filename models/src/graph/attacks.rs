//! The vocoder's tables as ONNX graphs: lookups. Know no sound: what the rows are for is in
//! `crate::vocoder::attack` and `crate::vocoder::life`.
//!
//! `row` int64 `[R]` -> `attacks` [R, 5], or `life` [R, 9]. Made by `attacks.py` and
//! `measure_life.py` in `models/training/timbre_training`.

use tract_onnx::pb::ModelProto;

use super::builder::{Attr, Builder, Dim, Port};
use super::pieces::WeightFormat;
use super::signature::check_ports;
use super::vocoder_config::{ATTACK_LEVELS, ATTACK_ROWS, LIFE_COLUMNS, LIFE_ROWS};
use super::{ParamError, Params};
use crate::denoise::DenoiseError;

/// A table of the vocoder: the name of its graph and of what that gives, its rows and columns.
struct Table(&'static str, usize, usize);

const ATTACKS: Table = Table("attacks", ATTACK_ROWS, ATTACK_LEVELS);
const LIFE: Table = Table("life", LIFE_ROWS, LIFE_COLUMNS);

impl Table {
    /// Inputs and outputs of the graph.
    fn ports(&self) -> (Vec<Port>, Vec<Port>) {
        let rows = || Dim::Any("R");
        let row = Port { name: "row".to_owned(), integer: true, dims: vec![rows()] };
        let dims = vec![rows(), Dim::Is(self.2)];
        (vec![row], vec![Port { name: self.0.to_owned(), integer: false, dims }])
    }

    fn check(&self, model: &ModelProto) -> Result<(), DenoiseError> {
        let (inputs, outputs) = self.ports();
        check_ports(self.0, &inputs, &outputs, model)
    }

    fn build(&self, params: &Params, format: WeightFormat) -> Result<ModelProto, ParamError> {
        params.check_list(vec![("table".to_owned(), vec![self.1, self.2])])?;
        let mut b = Builder::new(params, format);
        let table = b.matrix("table", 1)?;
        b.op_to("Gather", &[&table, "row"], &[Attr::Int("axis", 0)], self.0);
        let (inputs, outputs) = self.ports();
        Ok(b.finish(self.0, &inputs, &outputs))
    }
}

/// That `model` has the inputs and outputs of an attack table.
///
/// # Errors
/// [`DenoiseError::Graph`] with what was found and what was wanted.
pub fn check_attacks(model: &ModelProto) -> Result<(), DenoiseError> {
    ATTACKS.check(model)
}

/// That `model` has the inputs and outputs of a table of how notes live.
///
/// # Errors
/// [`DenoiseError::Graph`] with what was found and what was wanted.
pub fn check_life(model: &ModelProto) -> Result<(), DenoiseError> {
    LIFE.check(model)
}

/// Builds the graph from its one parameter, `table` [[`ATTACK_ROWS`], [`ATTACK_LEVELS`]].
///
/// # Errors
/// [`ParamError`] for a parameter that is missing, too much, of another shape or not finite.
pub fn build_attacks(params: &Params, format: WeightFormat) -> Result<ModelProto, ParamError> {
    ATTACKS.build(params, format)
}

/// Builds the graph from its one parameter, `table` [[`LIFE_ROWS`], [`LIFE_COLUMNS`]].
///
/// # Errors
/// [`ParamError`] for a parameter that is missing, too much, of another shape or not finite.
pub fn build_life(params: &Params, format: WeightFormat) -> Result<ModelProto, ParamError> {
    LIFE.build(params, format)
}
