//! A mel decoder as an ONNX file, which is small enough to be computed by hand: the samples of each
//! frame are sums over the frames around it.

use prost::Message;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};

/// The number of samples of a frame.
const HOP: usize = 320;
/// The number of bands of a frame.
const BINS: usize = 128;

/// A convolution over frames.
#[derive(Debug, Clone, Copy)]
pub struct Decoder {
    /// How many frames it looks back.
    pub past: usize,
    /// How many frames it looks ahead.
    pub future: usize,
    /// The version of the ONNX operator set.
    pub opset: i64,
    /// The rank of the output: 1 for `[n]`, 2 for `[1, n]`, 3 for `[1, n, 1]`.
    pub rank: usize,
    /// The number of frames of the input; 0 for any number.
    pub frames: i64,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { past: 2, future: 1, opset: 13, rank: 2, frames: 0 }
    }
}

impl Decoder {
    /// The weight for sample `n` of a frame of band `bin` in the frame `tap - past` away. Never 0.
    fn weight(&self, n: usize, bin: usize, tap: usize) -> f32 {
        1e-3 * (1.0 + ((n * 7 + bin * 13 + tap * 29) % 31) as f32)
    }

    fn taps(&self) -> usize {
        self.past + 1 + self.future
    }

    /// The samples of the whole mel [T, 128] at once, with a mel of `around` before and after it.
    pub fn whole(&self, mel: &[f32], around: f32) -> Vec<f32> {
        let frames = mel.len() / BINS;
        let value = |frame: usize, tap: usize, bin: usize| {
            let at = (frame + tap).checked_sub(self.past).filter(|at| *at < frames);
            at.and_then(|at| mel.get(at * BINS + bin)).copied().unwrap_or(around)
        };
        let sample = |i: usize| -> f32 {
            let terms = (0..self.taps()).flat_map(|tap| (0..BINS).map(move |bin| (tap, bin)));
            terms.map(|(tap, bin)| value(i / HOP, tap, bin) * self.weight(i % HOP, bin, tap)).sum()
        };
        (0..frames * HOP).map(sample).collect()
    }

    /// The bytes of the file.
    pub fn onnx(&self) -> Vec<u8> {
        let weights = (0..HOP).flat_map(|n| {
            (0..BINS).flat_map(move |bin| (0..self.taps()).map(move |tap| self.weight(n, bin, tap)))
        });
        let kernel = TensorProto {
            name: "kernel".to_owned(),
            data_type: DataType::Float as i32,
            dims: [HOP, BINS, self.taps()].map(|size| size as i64).to_vec(),
            raw_data: weights.flat_map(f32::to_le_bytes).collect(),
            ..Default::default()
        };
        let shape: &[i64] = match self.rank {
            1 => &[-1],
            2 => &[1, -1],
            _ => &[1, -1, 1],
        };
        let shape_of_samples = TensorProto {
            name: "shape".to_owned(),
            data_type: DataType::Int64 as i32,
            dims: vec![shape.len() as i64],
            raw_data: shape.iter().flat_map(|size| size.to_le_bytes()).collect(),
            ..Default::default()
        };
        let turned = ints("perm", &[0, 2, 1]);
        let pads = ints("pads", &[self.past as i64, self.future as i64]);
        let graph = GraphProto {
            name: "decoder".to_owned(),
            node: vec![
                node("Transpose", &["mel"], "bands", vec![turned.clone()]),
                node("Conv", &["bands", "kernel"], "columns", vec![pads]),
                node("Transpose", &["columns"], "rows", vec![turned]),
                node("Reshape", &["rows", "shape"], "samples", vec![]),
            ],
            initializer: vec![kernel, shape_of_samples],
            input: vec![port("mel", &[1, self.frames, BINS as i64])],
            output: vec![port("samples", &vec![0; self.rank])],
            ..Default::default()
        };
        ModelProto {
            ir_version: 7,
            opset_import: vec![OperatorSetIdProto { version: self.opset, ..Default::default() }],
            graph: Some(graph),
            ..Default::default()
        }
        .encode_to_vec()
    }
}

fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        r#type: AttributeType::Ints as i32,
        ints: values.to_vec(),
        ..Default::default()
    }
}

fn node(op: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>) -> NodeProto {
    NodeProto {
        name: output.to_owned(),
        op_type: op.to_owned(),
        input: inputs.iter().map(|input| (*input).to_owned()).collect(),
        output: vec![output.to_owned()],
        attribute,
        ..Default::default()
    }
}

/// A float input or output; sizes of 0 are free.
fn port(name: &str, sizes: &[i64]) -> ValueInfoProto {
    let dim = |(at, size): (usize, &i64)| Dimension {
        value: Some(match size {
            0 => dimension::Value::DimParam(format!("free_{name}_{at}")),
            size => dimension::Value::DimValue(*size),
        }),
        ..Default::default()
    };
    let tensor = type_proto::Tensor {
        elem_type: DataType::Float as i32,
        shape: Some(TensorShapeProto { dim: sizes.iter().enumerate().map(dim).collect() }),
    };
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(tensor)),
            ..Default::default()
        }),
        ..Default::default()
    }
}
