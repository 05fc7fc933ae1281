//! The inputs and outputs of the five graphs. It knows nothing of their nodes.

use tract_onnx::pb;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::dimension::Value;

use super::NetworkConfig;
use super::builder::{Dim, Port};
use crate::denoise::DenoiseError;

/// One of the five graphs of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GraphKind {
    /// Makes encodings from token ids.
    NoteEncoder,
    /// Makes encodings from past frames.
    ContextEncoder,
    /// Makes the keys and values of every decoder layer from encodings.
    Memory,
    /// Makes the scales and shifts of every decoder layer from a time.
    Film,
    /// Evaluates the decoder once.
    Step,
}

impl GraphKind {
    /// All five, in the order in which they run.
    pub const ALL: [Self; 5] =
        [Self::NoteEncoder, Self::ContextEncoder, Self::Memory, Self::Film, Self::Step];

    /// The name of the graph, which is also the stem of its file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoteEncoder => "note_encoder",
            Self::ContextEncoder => "context_encoder",
            Self::Memory => "memory",
            Self::Film => "film",
            Self::Step => "step",
        }
    }

    /// The inputs and outputs in a network of size `config`.
    pub(super) fn ports(self, config: &NetworkConfig) -> (Vec<Port>, Vec<Port>) {
        use Dim::{Any, Is};
        let &NetworkConfig { emb, heads, head_dim, mel_bins, decoder_layers, .. } = config;
        let float = |name: &str, dims: &[Dim]| Port {
            name: name.to_owned(),
            integer: false,
            dims: dims.to_vec(),
        };
        let memory = || {
            let key = [Is(1), Is(heads), Is(head_dim), Any("M")];
            let value = [Is(1), Is(heads), Any("M"), Is(head_dim)];
            let keys = (0..decoder_layers).map(move |i| float(&format!("k_{i}"), &key));
            let values = (0..decoder_layers).map(move |i| float(&format!("v_{i}"), &value));
            keys.chain(values)
        };
        let film = || float("film", &[Is(1), Is(decoder_layers), Is(2), Is(2 * emb)]);
        match self {
            Self::NoteEncoder => {
                let ids = Port { integer: true, ..float("ids", &[Is(1), Any("N")]) };
                (vec![ids], vec![float("notes", &[Is(1), Any("N"), Is(emb)])])
            }
            Self::ContextEncoder => (
                vec![float("frames", &[Is(1), Any("C"), Is(mel_bins)])],
                vec![float("context", &[Is(1), Any("C"), Is(emb)])],
            ),
            Self::Memory => {
                (vec![float("encodings", &[Is(1), Any("M"), Is(emb)])], memory().collect())
            }
            Self::Film => (vec![float("time", &[Is(1)])], vec![film()]),
            Self::Step => {
                let frames = [Is(1), Any("L"), Is(mel_bins)];
                let mut inputs = vec![float("z", &frames)];
                inputs.extend(config.prior.then(|| float("prior", &frames)));
                inputs.push(film());
                inputs.extend(memory());
                (inputs, vec![float("out", &frames)])
            }
        }
    }
}

/// Checks that `model` has the inputs of the graph `kind` in a network of size `config`, and
/// outputs with the same names. A free length may have any symbol.
///
/// # Errors
/// [`DenoiseError::Graph`] with what was found and what was wanted.
pub fn check_signature(
    kind: GraphKind,
    config: &NetworkConfig,
    model: &pb::ModelProto,
) -> Result<(), DenoiseError> {
    let (inputs, outputs) = kind.ports(config);
    check_ports(kind.name(), &inputs, &outputs, model)
}

/// As [`check_signature`], for any graph, by the ports that it should have.
pub(super) fn check_ports(
    name: &'static str,
    inputs: &[Port],
    outputs: &[Port],
    model: &pb::ModelProto,
) -> Result<(), DenoiseError> {
    let fail =
        |found: String, wanted: String| Err(DenoiseError::Graph { graph: name, found, wanted });
    let Some(graph) = &model.graph else {
        return fail("no graph".to_owned(), "a graph".to_owned());
    };
    let constants: std::collections::HashSet<&str> =
        graph.initializer.iter().map(|t| t.name.as_str()).collect();
    let found: Vec<String> = graph
        .input
        .iter()
        .filter(|port| !constants.contains(port.name.as_str()))
        .map(written)
        .collect();
    let wanted: Vec<String> = inputs.iter().map(|port| written(&port.to_proto())).collect();
    if let Some(i) = (0..wanted.len().max(found.len())).find(|i| found.get(*i) != wanted.get(*i)) {
        let none = || "nothing".to_owned();
        return fail(
            format!("input {i} is {}", found.get(i).cloned().unwrap_or_else(none)),
            wanted.get(i).cloned().unwrap_or_else(none),
        );
    }
    let found: Vec<&str> = graph.output.iter().map(|port| port.name.as_str()).collect();
    let wanted: Vec<&str> = outputs.iter().map(|port| port.name.as_str()).collect();
    if found != wanted {
        return fail(format!("outputs {}", found.join(", ")), wanted.join(", "));
    }
    Ok(())
}

/// Checks that a table among the constants of a graph has at least `rows` rows. A lookup beyond its
/// end would fail while the model plays.
pub(super) fn check_rows(
    graph: &'static str,
    model: &pb::ModelProto,
    table: &str,
    rows: usize,
) -> Result<(), DenoiseError> {
    let constants = model.graph.iter().flat_map(|graph| &graph.initializer);
    let found = constants.filter(|constant| constant.name == table).find_map(|c| c.dims.first());
    if found.is_some_and(|found| *found >= rows as i64) {
        return Ok(());
    }
    Err(DenoiseError::Graph {
        graph,
        found: found.map_or(format!("no {table}"), |found| format!("{found} rows of {table}")),
        wanted: format!("at least {rows}, which the kits of the manifest need"),
    })
}

/// The name, type and shape of a port in words; free lengths are `_`.
pub(crate) fn written(port: &pb::ValueInfoProto) -> String {
    let Some(pb::type_proto::Value::TensorType(tensor)) =
        port.r#type.as_ref().and_then(|t| t.value.as_ref())
    else {
        return format!("{} of no type", port.name);
    };
    let data_type = DataType::try_from(tensor.elem_type).unwrap_or(DataType::Undefined);
    let dims: Vec<String> = tensor
        .shape
        .iter()
        .flat_map(|shape| &shape.dim)
        .map(|dim| match dim.value {
            Some(Value::DimValue(size)) => size.to_string(),
            _ => "_".to_owned(),
        })
        .collect();
    format!("{} {} [{}]", port.name, data_type.as_str_name(), dims.join(", "))
}
