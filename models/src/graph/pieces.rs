//! The five graphs of the network, operator by operator. They know no inference engine and no
//! files.
//!
//! They are in T5.1.1 style: RMS norms with epsilon 1e-6, no biases, attention logits that are not
//! scaled, and an MLP gated with tanh-GELU. The batch is always 1 and lengths are free, so there
//! are no masks: only real tokens and frames are passed.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorProto};

use super::builder::{Attr, Builder, Value};
use super::{GraphKind, NetworkConfig, ParamError, Params, Weights};

/// How the weights of a graph are stored. Arithmetic is float32 in both cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightFormat {
    /// As float32.
    #[default]
    F32,
    /// Matrices as int8 with one scale per output channel, and the token table with one per row.
    /// Norms and position tables stay float32. The file has a quarter of the size.
    Int8PerChannel,
}

/// Builds one graph of the network `config` from its weights. `ContextEncoder` for a network
/// without context is refused as a missing parameter.
///
/// # Errors
/// [`ParamError`] as for [`Params::check`].
pub fn build(
    kind: GraphKind,
    config: &NetworkConfig,
    params: &dyn Weights,
    format: WeightFormat,
) -> Result<ModelProto, ParamError> {
    params.check(config)?;
    let mut graph = Piece { config, b: Builder::new(params, format) };
    match kind {
        GraphKind::NoteEncoder => graph.note_encoder()?,
        GraphKind::ContextEncoder => graph.context_encoder()?,
        GraphKind::Memory => graph.memory()?,
        GraphKind::Film => graph.film()?,
        GraphKind::Step => graph.step()?,
    }
    let (inputs, outputs) = kind.ports(config);
    Ok(graph.b.finish(kind.name(), &inputs, &outputs))
}

/// Whether `graph` is, node for node and constant for constant, the step of a network of size
/// `config` as [`build`] writes it in one of its formats. The values of the weights and the names
/// of values between nodes do not matter.
pub(crate) fn is_own_step(config: &NetworkConfig, graph: &GraphProto) -> bool {
    let mut shapes = Params::new();
    for (name, shape) in config.parameters() {
        shapes.insert(name, shape, vec![]);
    }
    [WeightFormat::F32, WeightFormat::Int8PerChannel].into_iter().any(|format| {
        let mut piece = Piece { config, b: Builder::new(&shapes, format) };
        let built = piece.step().map(|()| piece.b.finish("", &[], &[]).graph.unwrap_or_default());
        built.is_ok_and(|built| same_nodes(&built, graph) && same_constants(&built, graph, &shapes))
    })
}

/// Whether two graphs have the same nodes in the same order, with inputs from the same nodes, graph
/// inputs and constants.
fn same_nodes(built: &GraphProto, found: &GraphProto) -> bool {
    let results = |graph: &GraphProto| -> HashMap<String, (usize, usize)> {
        let outputs = graph.node.iter().enumerate().flat_map(|(i, node)| {
            node.output.iter().enumerate().map(move |(slot, name)| (name.clone(), (i, slot)))
        });
        outputs.collect()
    };
    let (own, other) = (results(built), results(found));
    let same_value = |a: &String, b: &String| match (own.get(a), other.get(b)) {
        (None, None) => a == b,
        (a, b) => a == b,
    };
    let same = |a: &NodeProto, b: &NodeProto| {
        let values = |node: &NodeProto| (node.input.len(), node.output.len());
        a.op_type == b.op_type
            && a.domain == b.domain
            && a.attribute == b.attribute
            && values(a) == values(b)
            && a.input.iter().zip(&b.input).all(|(a, b)| same_value(a, b))
    };
    built.node.len() == found.node.len()
        && built.node.iter().zip(&found.node).all(|(a, b)| same(a, b))
        && own.get("out") == other.get("out")
}

/// Whether two graphs have the same initializers. Those that are not parameters must have the same
/// values.
fn same_constants(built: &GraphProto, graph: &GraphProto, shapes: &Params) -> bool {
    let same = |built: &TensorProto, found: &TensorProto| {
        let parameter = built.name.strip_suffix(".scale").unwrap_or(&built.name);
        let is_weight = shapes.get(&built.name).or_else(|| shapes.get(parameter)).is_some();
        let form = |t: &TensorProto| (t.name.clone(), t.dims.clone(), t.data_type);
        form(built) == form(found) && (is_weight || built.raw_data == found.raw_data)
    };
    let (built, found) = (&built.initializer, &graph.initializer);
    built.len() == found.len() && built.iter().zip(found).all(|(built, found)| same(built, found))
}

struct Piece<'a> {
    config: &'a NetworkConfig,
    b: Builder<'a>,
}

impl Piece<'_> {
    fn note_encoder(&mut self) -> Result<(), ParamError> {
        let table = self.b.matrix("token_encoder.token_embedder.embedding", 0)?;
        let x = self.b.op("Gather", &[&table, "ids"], &[Attr::Int("axis", 0)]);
        let x = self.add_first_positions("token_encoder", &x)?;
        self.encoder("token_encoder", self.config.token_layers, x, "notes")
    }

    fn context_encoder(&mut self) -> Result<(), ParamError> {
        let x = self.matmul("frames", "continuous_encoder.input_proj")?;
        let table = self.b.table("continuous_encoder.Embed_0.embedding")?;
        // Positions are terminal-relative: the last frame always has the last position. The start
        // counts from the end, because tract reads every start that may be negative like that.
        let count = self.length(&x);
        let first = self.b.op("Neg", &[&count], &[]);
        let rows = self.b.ints(&[self.config.context_frames as i64]);
        let axis = self.b.ints(&[0]);
        let positions = self.b.op("Slice", &[&table, &first, &rows, &axis], &[]);
        let x = self.b.op("Add", &[&x, &positions], &[]);
        self.encoder("continuous_encoder", self.config.context_layers, x, "context")
    }

    fn encoder(
        &mut self,
        name: &str,
        layers: usize,
        mut x: Value,
        output: &str,
    ) -> Result<(), ParamError> {
        for i in 0..layers {
            let layer = format!("{name}.layers_{i}");
            let y = self.norm(&x, &format!("{layer}.pre_attention_layer_norm"))?;
            let y = self.self_attention(&y, &format!("{layer}.attention"))?;
            x = self.b.op("Add", &[&x, &y], &[]);
            let y = self.norm(&x, &format!("{layer}.pre_mlp_layer_norm"))?;
            let y = self.mlp(&y, &layer)?;
            x = self.b.op("Add", &[&x, &y], &[]);
        }
        let y = self.norm(&x, &format!("{name}.encoder_norm"))?;
        self.b.op_to("Identity", &[&y], &[], output);
        Ok(())
    }

    fn memory(&mut self) -> Result<(), ParamError> {
        for i in 0..self.config.decoder_layers {
            let name = format!("decoder.layers_{i}.MultiHeadDotProductAttention_0");
            let k = self.matmul("encodings", &format!("{name}.key"))?;
            let k = self.keys(&k);
            self.b.op_to("Identity", &[&k], &[], &format!("k_{i}"));
            let v = self.matmul("encodings", &format!("{name}.value"))?;
            let v = self.heads(&v);
            self.b.op_to("Identity", &[&v], &[], &format!("v_{i}"));
        }
        Ok(())
    }

    fn film(&mut self) -> Result<(), ParamError> {
        let half = self.config.emb / 2;
        // The longest period of the sines is the factor of the time, even if that is not 20,000.
        let increment = (self.config.max_noise_time.ln() / (half as f64 - 1.0).max(1.0)) as f32;
        let rates: Vec<f32> = (0..half).map(|k| (k as f32 * -increment).exp()).collect();
        let rates = self.b.vector("time_rates", &rates);
        let factor = self.b.scalar(self.config.max_noise_time as f32);
        let time = self.b.op("Mul", &["time", &factor], &[]);
        let angle = self.b.op("Mul", &[&time, &rates], &[]);
        let sin = self.b.op("Sin", &[&angle], &[]);
        let cos = self.b.op("Cos", &[&angle], &[]);
        let axis = self.b.ints(&[0]);
        let mut x = self.b.op("Concat", &[&sin, &cos], &[Attr::Int("axis", 0)]);
        x = self.b.op("Unsqueeze", &[&x, &axis], &[]);
        for i in 0..2 {
            let y = self.matmul(&x, &format!("decoder.time_emb_dense{i}"))?;
            let gate = self.b.op("Sigmoid", &[&y], &[]);
            x = self.b.op("Mul", &[&y, &gate], &[]);
        }
        let mut parts = vec![];
        for i in 0..self.config.decoder_layers {
            for site in 0..2 {
                let name = format!("decoder.layers_{i}.FiLMLayer_{site}.DenseGeneral_0");
                parts.push(self.matmul(&x, &name)?);
            }
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let all = self.b.op("Concat", &parts, &[Attr::Int("axis", 0)]);
        let (layers, width) = (self.config.decoder_layers as i64, 2 * self.config.emb as i64);
        let shape = self.b.ints(&[1, layers, 2, width]);
        self.b.op_to("Reshape", &[&all, &shape], &[], "film");
        Ok(())
    }

    fn step(&mut self) -> Result<(), ParamError> {
        let (emb, layers) = (self.config.emb as i64, self.config.decoder_layers);
        let shape = self.b.ints(&[2 * layers as i64, 2 * emb]);
        let film = self.b.op("Reshape", &["film", &shape], &[]);
        let scales = self.b.slice(&film, 1, 0, emb);
        let one = self.b.scalar(1.0);
        let scales = self.b.op("Add", &[&scales, &one], &[]);
        let shifts = self.b.slice(&film, 1, emb, 2 * emb);

        let mut x = self.matmul("z", "decoder.continuous_inputs_projection")?;
        if self.config.prior {
            let prior = self.matmul("prior", "decoder.prior_projection")?;
            x = self.b.op("Add", &[&x, &prior], &[]);
        }
        let mut x = self.add_first_positions("decoder", &x)?;
        for i in 0..layers {
            let layer = format!("decoder.layers_{i}");
            let y = self.norm(&x, &format!("{layer}.pre_self_attention_layer_norm"))?;
            let y = self.modulate(&y, &scales, &shifts, 2 * i);
            let y = self.self_attention(&y, &format!("{layer}.self_attention"))?;
            x = self.b.op("Add", &[&x, &y], &[]);

            let y = self.norm(&x, &format!("{layer}.pre_cross_attention_layer_norm"))?;
            let name = format!("{layer}.MultiHeadDotProductAttention_0");
            let q = self.matmul(&y, &format!("{name}.query"))?;
            let q = self.heads(&q);
            let y = self.attend(&q, &format!("k_{i}"), &format!("v_{i}"), &name)?;
            x = self.b.op("Add", &[&x, &y], &[]);

            let y = self.norm(&x, &format!("{layer}.pre_mlp_layer_norm"))?;
            let y = self.modulate(&y, &scales, &shifts, 2 * i + 1);
            let y = self.mlp(&y, &layer)?;
            x = self.b.op("Add", &[&x, &y], &[]);
        }
        let y = self.norm(&x, "decoder.decoder_norm")?;
        let y = self.matmul(&y, "decoder.spec_out_dense")?;
        self.b.op_to("Identity", &[&y], &[], "out");
        Ok(())
    }

    /// x [1, n, in] times `name`.kernel [in, out].
    fn matmul(&mut self, x: &str, name: &str) -> Result<Value, ParamError> {
        let kernel = self.b.matrix(&format!("{name}.kernel"), 1)?;
        Ok(self.b.op("MatMul", &[x, &kernel], &[]))
    }

    /// The size of axis 1 of `x`, as [1].
    fn length(&mut self, x: &str) -> Value {
        let shape = self.b.op("Shape", &[x], &[]);
        let one = self.b.ints(&[1]);
        self.b.op("Gather", &[&shape, &one], &[Attr::Int("axis", 0)])
    }

    /// x [1, n, emb] plus rows 0..n of the position table of `name`.
    fn add_first_positions(&mut self, name: &str, x: &str) -> Result<Value, ParamError> {
        let table = self.b.table(&format!("{name}.Embed_0.embedding"))?;
        let (zero, count) = (self.b.ints(&[0]), self.length(x));
        let positions = self.b.op("Slice", &[&table, &zero, &count, &zero], &[]);
        Ok(self.b.op("Add", &[x, &positions], &[]))
    }

    /// The RMS norm of `x` with the scale of `name`.
    fn norm(&mut self, x: &str, name: &str) -> Result<Value, ParamError> {
        self.b.norm(x, &format!("{name}.scale"))
    }

    /// FiLM: x times row `row` of `scales` (which include the 1) plus row `row` of `shifts`, both
    /// [rows, emb].
    fn modulate(&mut self, x: &str, scales: &str, shifts: &str, row: usize) -> Value {
        let row = row as i64;
        let scale = self.b.slice(scales, 0, row, row + 1);
        let shift = self.b.slice(shifts, 0, row, row + 1);
        let x = self.b.op("Mul", &[x, &scale], &[]);
        self.b.op("Add", &[&x, &shift], &[])
    }

    /// Reshapes [1, n, heads * head_dim] to [1, heads, n, head_dim].
    fn heads(&mut self, x: &str) -> Value {
        self.split(x, &[0, 2, 1, 3])
    }

    /// Reshapes [1, n, heads * head_dim] to [1, heads, head_dim, n].
    fn keys(&mut self, x: &str) -> Value {
        self.split(x, &[0, 2, 3, 1])
    }

    fn split(&mut self, x: &str, order: &[i64]) -> Value {
        let shape = [0, 0, self.config.heads as i64, self.config.head_dim as i64];
        let shape = self.b.ints(&shape);
        let x = self.b.op("Reshape", &[x, &shape], &[]);
        self.b.op("Transpose", &[&x], &[Attr::Ints("perm", order)])
    }

    fn self_attention(&mut self, x: &str, name: &str) -> Result<Value, ParamError> {
        let q = self.matmul(x, &format!("{name}.query"))?;
        let k = self.matmul(x, &format!("{name}.key"))?;
        let v = self.matmul(x, &format!("{name}.value"))?;
        let (q, k, v) = (self.heads(&q), self.keys(&k), self.heads(&v));
        self.attend(&q, &k, &v, name)
    }

    /// softmax(q k) v times `name`.out. The logits are not scaled.
    fn attend(&mut self, q: &str, k: &str, v: &str, name: &str) -> Result<Value, ParamError> {
        let logits = self.b.op("MatMul", &[q, k], &[]);
        let weights = self.b.op("Softmax", &[&logits], &[Attr::Int("axis", -1)]);
        let y = self.b.op("MatMul", &[&weights, v], &[]);
        let y = self.b.op("Transpose", &[&y], &[Attr::Ints("perm", &[0, 2, 1, 3])]);
        let shape = self.b.ints(&[0, 0, self.config.joined() as i64]);
        let y = self.b.op("Reshape", &[&y, &shape], &[]);
        self.matmul(&y, &format!("{name}.out"))
    }

    /// (gelu(x wi_0) * (x wi_1)) times wo.
    fn mlp(&mut self, x: &str, layer: &str) -> Result<Value, ParamError> {
        let gate = self.matmul(x, &format!("{layer}.mlp.wi_0"))?;
        let gate = self.b.gelu(&gate);
        let linear = self.matmul(x, &format!("{layer}.mlp.wi_1"))?;
        let y = self.b.op("Mul", &[&gate, &linear], &[]);
        self.matmul(&y, &format!("{layer}.mlp.wo"))
    }
}
