//! The table of how notes live as an ONNX graph, which is looked up and not run: see
//! `crate::vocoder::life`.
//!
//! `row` int64 `[R]` -> `facts` [R, 74] and `values` [R, 3975], whole numbers up to 127: those of
//! the zone of each key. Made by `measure_life.py` in `models/training/timbre_training`.

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{ModelProto, TensorProto};

use super::builder::{Attr, Builder, Dim, Port};
use super::pieces::WeightFormat;
use super::signature::check_ports;
use super::vocoder_config::{LIFE_FACTS, LIFE_ROWS, LIFE_VALUES};
use super::{ParamError, Params};
use crate::denoise::DenoiseError;

/// The constants of the graph.
#[derive(Debug, Default)]
pub struct LifeParts {
    /// The zone of each key of each program.
    pub zone: Vec<usize>,
    /// [zones, [`LIFE_FACTS`]].
    pub facts: Vec<f32>,
    /// [zones, [`LIFE_VALUES`]].
    pub values: Vec<i8>,
}

/// Inputs and outputs of the graph.
fn ports() -> (Vec<Port>, Vec<Port>) {
    let rows = || Dim::Any("R");
    let row = Port { name: "row".to_owned(), integer: true, dims: vec![rows()] };
    let output = |name: &str, width| Port {
        name: name.to_owned(),
        integer: false,
        dims: vec![rows(), Dim::Is(width)],
    };
    (vec![row], vec![output("facts_of_row", LIFE_FACTS), output("values_of_row", LIFE_VALUES)])
}

/// Builds the graph from its parameters: `zone` [[`LIFE_ROWS`]], `facts` [zones, [`LIFE_FACTS`]]
/// and `values` [zones, [`LIFE_VALUES`]], which are stored as bytes in any format.
///
/// # Errors
/// [`ParamError`] for a parameter that is missing, too much, of another shape or not finite.
pub fn build_life(params: &Params, format: WeightFormat) -> Result<ModelProto, ParamError> {
    let zones = params.get("facts").and_then(|p| p.shape.first().copied()).unwrap_or_default();
    params.check_list(vec![
        ("zone".to_owned(), vec![LIFE_ROWS]),
        ("facts".to_owned(), vec![zones, LIFE_FACTS]),
        ("values".to_owned(), vec![zones, LIFE_VALUES]),
    ])?;
    let mut b = Builder::new(params, format);
    let (zone, values) = (b.whole_numbers("zone")?, b.bytes("values")?);
    let facts = b.table("facts")?;
    let zone = b.op("Gather", &[&zone, "row"], &[Attr::Int("axis", 0)]);
    b.op_to("Gather", &[&facts, &zone], &[Attr::Int("axis", 0)], "facts_of_row");
    let values = b.op("Gather", &[&values, &zone], &[Attr::Int("axis", 0)]);
    let to = Attr::Int("to", DataType::Float as i64);
    b.op_to("Cast", &[&values], &[to], "values_of_row");
    let (inputs, outputs) = ports();
    Ok(b.finish("life", &inputs, &outputs))
}

/// The constants of a graph that [`build_life`] made.
///
/// # Errors
/// [`DenoiseError::Graph`] with what was found and what was wanted.
pub fn read_life(model: &ModelProto) -> Result<LifeParts, DenoiseError> {
    let (inputs, outputs) = ports();
    check_ports("life", &inputs, &outputs, model)?;
    let constants = model.graph.iter().flat_map(|graph| &graph.initializer);
    let constant = |name: &str, kind: DataType| {
        let found = constants.clone().find(|t| t.name == name && t.data_type == kind as i32);
        found.ok_or_else(|| wrong(format!("no constant {name}"), format!("one of {kind:?}")))
    };
    let zone = words(constant("zone", DataType::Int64)?);
    let zone: Vec<_> = zone.map(|word| i64::from_le_bytes(word) as usize).collect();
    let facts = words(constant("facts", DataType::Float)?).map(f32::from_le_bytes).collect();
    let values = constant("values", DataType::Int8)?.raw_data.iter().map(|b| *b as i8).collect();
    let parts = LifeParts { zone, facts, values };
    let zones = parts.facts.len() / LIFE_FACTS;
    let fits = parts.facts.len() == zones * LIFE_FACTS
        && parts.values.len() == zones * LIFE_VALUES
        && parts.zone.len() == LIFE_ROWS
        && parts.zone.iter().all(|zone| *zone < zones);
    if fits {
        return Ok(parts);
    }
    let LifeParts { zone, facts, values } = &parts;
    let found = format!("{} rows, {} facts, {} values", zone.len(), facts.len(), values.len());
    let wanted = format!(
        "{LIFE_ROWS} rows, {LIFE_FACTS} facts and {LIFE_VALUES} values of every zone that they name"
    );
    Err(wrong(found, wanted))
}

fn wrong(found: String, wanted: String) -> DenoiseError {
    DenoiseError::Graph { graph: "life", found, wanted }
}

/// The words of N bytes in a tensor.
fn words<const N: usize>(tensor: &TensorProto) -> impl Iterator<Item = [u8; N]> {
    tensor.raw_data.as_chunks::<N>().0.iter().copied()
}
