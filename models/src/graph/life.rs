//! The life table as an ONNX graph, which is read but never run; see `crate::vocoder::life`.
//!
//! Input `row` int64 `[R]`, outputs `facts_of_row` [R, 85], which are the facts of the zone of each
//! key, and `values_of_all` `[V]`, which are whole numbers up to 127. The facts of a zone have the
//! place of its values in them. `measure_life.py` in `models/training/timbre_training` makes the
//! table.

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{ModelProto, TensorProto};

use super::builder::{Attr, Builder, Dim, Port};
use super::pieces::WeightFormat;
use super::signature::check_ports;
use super::vocoder_config::{LIFE_FACTS, LIFE_ROWS};
use super::{ParamError, Params};
use crate::denoise::DenoiseError;

/// The constants of the graph.
#[derive(Debug, Default)]
pub struct LifeParts {
    /// The zone of each key of each program.
    pub zone: Vec<usize>,
    /// The facts of all zones, [zones, [`LIFE_FACTS`]].
    pub facts: Vec<f32>,
    /// The values of all zones.
    pub values: Vec<i8>,
}

/// The inputs and outputs of the graph.
fn ports() -> (Vec<Port>, Vec<Port>) {
    let rows = || Dim::Any("R");
    let row = Port { name: "row".to_owned(), integer: true, dims: vec![rows()] };
    let output = |name: &str, dims| Port { name: name.to_owned(), integer: false, dims };
    let facts = output("facts_of_row", vec![rows(), Dim::Is(LIFE_FACTS)]);
    (vec![row], vec![facts, output("values_of_all", vec![Dim::Any("V")])])
}

/// Builds the graph from its parameters: `zone` [[`LIFE_ROWS`]], `facts` [zones, [`LIFE_FACTS`]]
/// and `values` `[V]`, which are stored as bytes in any format.
///
/// # Errors
/// [`ParamError`] if a parameter is missing or superfluous, has another shape, or is not finite.
pub fn build_life(params: &Params, format: WeightFormat) -> Result<ModelProto, ParamError> {
    let count = |name| params.get(name).and_then(|p| p.shape.first().copied()).unwrap_or_default();
    params.check_list(vec![
        ("zone".to_owned(), vec![LIFE_ROWS]),
        ("facts".to_owned(), vec![count("facts"), LIFE_FACTS]),
        ("values".to_owned(), vec![count("values")]),
    ])?;
    let mut b = Builder::new(params, format);
    let (zone, values) = (b.whole_numbers("zone")?, b.bytes("values")?);
    let facts = b.table("facts")?;
    let zone = b.op("Gather", &[&zone, "row"], &[Attr::Int("axis", 0)]);
    b.op_to("Gather", &[&facts, &zone], &[Attr::Int("axis", 0)], "facts_of_row");
    let to = Attr::Int("to", DataType::Float as i64);
    b.op_to("Cast", &[&values], &[to], "values_of_all");
    let (inputs, outputs) = ports();
    Ok(b.finish("life", &inputs, &outputs))
}

/// Reads the constants of a graph that [`build_life`] made.
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
        && parts.facts.iter().all(|fact| fact.is_finite())
        && parts.zone.len() == LIFE_ROWS
        && parts.zone.iter().all(|zone| *zone < zones);
    if fits {
        return Ok(parts);
    }
    let found = format!("{} rows, {} facts", parts.zone.len(), parts.facts.len());
    let wanted =
        format!("{LIFE_ROWS} rows and {LIFE_FACTS} numbers as facts of every zone that they name");
    Err(wrong(found, wanted))
}

fn wrong(found: String, wanted: String) -> DenoiseError {
    DenoiseError::Graph { graph: "life", found, wanted }
}

/// The words of N bytes in a tensor.
fn words<const N: usize>(tensor: &TensorProto) -> impl Iterator<Item = [u8; N]> {
    tensor.raw_data.as_chunks::<N>().0.iter().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table of two zones, the second of which has three values.
    fn table(zone: f32, fact: f32) -> ModelProto {
        let mut params = Params::new();
        let mut facts = vec![0.5; 2 * LIFE_FACTS];
        facts[7] = fact;
        params.insert("zone", vec![LIFE_ROWS], vec![zone; LIFE_ROWS]);
        params.insert("facts", vec![2, LIFE_FACTS], facts);
        params.insert("values", vec![3], vec![-127.0, 0.0, 127.0]);
        build_life(&params, WeightFormat::Int8PerChannel).unwrap()
    }

    #[test]
    fn what_is_read_is_what_was_built() {
        let parts = read_life(&table(1.0, 0.5)).unwrap();
        assert_eq!(parts.zone, vec![1; LIFE_ROWS]);
        assert_eq!(parts.facts, vec![0.5; 2 * LIFE_FACTS]);
        assert_eq!(parts.values, [-127, 0, 127]);
    }

    #[test]
    fn a_zone_that_is_not_there_is_refused() {
        let refused = read_life(&table(2.0, 0.5)).unwrap_err().to_string();
        assert!(refused.contains("every zone that they name"), "{refused}");
    }

    #[test]
    fn a_fact_that_is_no_number_is_refused() {
        let mut model = table(1.0, 0.5);
        let facts = model.graph.as_mut().unwrap().initializer.iter_mut();
        let facts = facts.filter(|t| t.name == "facts");
        facts.for_each(|t| t.raw_data[..4].copy_from_slice(&f32::NAN.to_le_bytes()));
        assert!(read_life(&model).is_err());
    }
}
