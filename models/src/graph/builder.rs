//! Writes ONNX protobuf node by node. It knows the operators, but not what the network does with
//! them.

use tract_onnx::pb;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};

use super::int8::Quantized;
use super::pieces::WeightFormat;
use super::{ParamError, Weights};

/// The ONNX operator set of every graph.
const OPSET: i64 = 17;
/// The version of the ONNX file format that goes with it.
const IR_VERSION: i64 = 8;

/// The epsilon of RMS norms in T5.
const NORM_EPS: f32 = 1e-6;
/// Reductions keep their axis.
const KEEP_DIMS: Attr<'static> = Attr::Int("keepdims", 1);

/// The name of a value in the graph under construction.
pub(super) type Value = String;

/// One dimension of an input or output of a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Dim {
    /// Always this size.
    Is(usize),
    /// Any size, with the name of its symbol.
    Any(&'static str),
}

/// An input or output of a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Port {
    pub name: String,
    pub integer: bool,
    pub dims: Vec<Dim>,
}

impl Port {
    pub fn to_proto(&self) -> pb::ValueInfoProto {
        let dim = |dim: &Dim| Dimension {
            value: Some(match dim {
                Dim::Is(size) => dimension::Value::DimValue(*size as i64),
                Dim::Any(symbol) => dimension::Value::DimParam((*symbol).to_owned()),
            }),
            ..Default::default()
        };
        let elem_type = if self.integer { DataType::Int64 } else { DataType::Float };
        let tensor = pb::type_proto::Tensor {
            elem_type: elem_type as i32,
            shape: Some(pb::TensorShapeProto { dim: self.dims.iter().map(dim).collect() }),
        };
        pb::ValueInfoProto {
            name: self.name.clone(),
            r#type: Some(pb::TypeProto {
                value: Some(pb::type_proto::Value::TensorType(tensor)),
                ..Default::default()
            }),
            ..Default::default()
        }
    }
}

/// An attribute of a node.
pub(super) enum Attr<'a> {
    Int(&'a str, i64),
    Ints(&'a str, &'a [i64]),
    Text(&'a str, &'a str),
}

impl Attr<'_> {
    pub fn to_proto(&self) -> pb::AttributeProto {
        match self {
            Self::Int(name, i) => pb::AttributeProto {
                name: (*name).to_owned(),
                r#type: AttributeType::Int as i32,
                i: *i,
                ..Default::default()
            },
            Self::Ints(name, ints) => pb::AttributeProto {
                name: (*name).to_owned(),
                r#type: AttributeType::Ints as i32,
                ints: ints.to_vec(),
                ..Default::default()
            },
            Self::Text(name, text) => pb::AttributeProto {
                name: (*name).to_owned(),
                r#type: AttributeType::String as i32,
                s: text.as_bytes().to_vec(),
                ..Default::default()
            },
        }
    }
}

/// A tensor with little-endian bytes.
pub(super) fn tensor(
    name: &str,
    data_type: DataType,
    dims: &[usize],
    raw_data: Vec<u8>,
) -> pb::TensorProto {
    pb::TensorProto {
        name: name.to_owned(),
        data_type: data_type as i32,
        dims: dims.iter().map(|d| *d as i64).collect(),
        raw_data,
        ..Default::default()
    }
}

/// A tensor of float32 values.
pub(super) fn floats(name: &str, dims: &[usize], values: &[f32]) -> pb::TensorProto {
    let mut raw = vec![0; size_of_val(values)];
    let places = raw.as_chunks_mut::<4>().0.iter_mut();
    places.zip(values).for_each(|(bytes, value)| *bytes = value.to_le_bytes());
    tensor(name, DataType::Float, dims, raw)
}

/// A graph under construction.
pub(super) struct Builder<'a> {
    params: &'a dyn Weights,
    format: WeightFormat,
    nodes: Vec<pb::NodeProto>,
    initializers: Vec<pb::TensorProto>,
}

impl<'a> Builder<'a> {
    pub fn new(params: &'a dyn Weights, format: WeightFormat) -> Self {
        Self { params, format, nodes: vec![], initializers: vec![] }
    }

    /// Adds a node with one output, which is named after the operator and the index of the node.
    pub fn op(&mut self, op: &str, inputs: &[&str], attrs: &[Attr<'_>]) -> Value {
        let output = format!("{op}_{}", self.nodes.len());
        self.op_to(op, inputs, attrs, &output)
    }

    /// Adds a node whose output has a given name.
    pub fn op_to(&mut self, op: &str, inputs: &[&str], attrs: &[Attr<'_>], to: &str) -> Value {
        self.nodes.push(pb::NodeProto {
            name: to.to_owned(),
            op_type: op.to_owned(),
            input: inputs.iter().map(|s| (*s).to_owned()).collect(),
            output: vec![to.to_owned()],
            attribute: attrs.iter().map(Attr::to_proto).collect(),
            ..Default::default()
        });
        to.to_owned()
    }

    /// A constant vector of integers. Equal vectors share one constant.
    pub fn ints(&mut self, values: &[i64]) -> Value {
        let words: Vec<String> = values.iter().map(i64::to_string).collect();
        let name = format!("ints_{}", words.join("_"));
        if !self.has(&name) {
            let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            self.initializers.push(tensor(&name, DataType::Int64, &[values.len()], raw));
        }
        name
    }

    /// A constant scalar. Equal scalars share one constant.
    pub fn scalar(&mut self, value: f32) -> Value {
        let name = format!("scalar_{value}");
        if !self.has(&name) {
            self.initializers.push(floats(&name, &[], &[value]));
        }
        name
    }

    /// A constant vector of floats.
    pub fn vector(&mut self, name: &str, values: &[f32]) -> Value {
        self.initializers.push(floats(name, &[values.len()], values));
        name.to_owned()
    }

    /// A parameter of whole numbers, stored as int64.
    pub fn whole_numbers(&mut self, name: &str) -> Result<Value, ParamError> {
        let param = self.params.param(name)?;
        let raw = param.values.iter().flat_map(|v| (*v as i64).to_le_bytes()).collect();
        self.initializers.push(tensor(name, DataType::Int64, &param.shape, raw));
        Ok(name.to_owned())
    }

    /// A parameter of whole numbers from -127 to 127, stored as int8.
    pub fn bytes(&mut self, name: &str) -> Result<Value, ParamError> {
        let param = self.params.param(name)?;
        let raw = param.values.iter().map(|v| *v as i8 as u8).collect();
        self.initializers.push(tensor(name, DataType::Int8, &param.shape, raw));
        Ok(name.to_owned())
    }

    /// A parameter that is always stored as float32: norms and position tables.
    pub fn table(&mut self, name: &str) -> Result<Value, ParamError> {
        if !self.has(name) {
            let param = self.params.param(name)?;
            self.initializers.push(floats(name, &param.shape, &param.values));
        }
        Ok(name.to_owned())
    }

    /// A matrix [in, out], or with `axis` 0 a table of rows, in the format of the graph. Int8 is
    /// stored with one scale for each index of `axis` and read through DequantizeLinear.
    pub fn matrix(&mut self, name: &str, axis: usize) -> Result<Value, ParamError> {
        if self.format == WeightFormat::F32 {
            return self.table(name);
        }
        let output = format!("{name}.f32");
        if !self.has(name) {
            let param = self.params.param(name)?;
            let Quantized { values, scales } = Quantized::of(&param, axis);
            let scale = format!("{name}.scale");
            let raw = values.into_iter().map(|v| v as u8).collect();
            self.initializers.push(tensor(name, DataType::Int8, &param.shape, raw));
            self.initializers.push(floats(&scale, &[scales.len()], &scales));
            let axis = Attr::Int("axis", axis as i64);
            self.op_to("DequantizeLinear", &[name, &scale], &[axis], &output);
        }
        Ok(output)
    }

    /// x[from..to] along an axis. Negative indices count from the end.
    pub fn slice(&mut self, x: &str, axis: i64, from: i64, to: i64) -> Value {
        let (from, to) = (self.ints(&[from]), self.ints(&[to]));
        let axis = self.ints(&[axis]);
        self.op("Slice", &[x, &from, &to, &axis], &[])
    }

    /// x / sqrt(mean(x^2) + eps) * scale, over the last axis. It does not use Pow, for which tract
    /// calls libm on each value.
    pub fn norm(&mut self, x: &str, scale: &str) -> Result<Value, ParamError> {
        let eps = self.scalar(NORM_EPS);
        let square = self.op("Mul", &[x, x], &[]);
        let mean = self.op("ReduceMean", &[&square], &[Attr::Ints("axes", &[-1]), KEEP_DIMS]);
        let mean = self.op("Add", &[&mean, &eps], &[]);
        let root = self.op("Sqrt", &[&mean], &[]);
        let factor = self.op("Reciprocal", &[&root], &[]);
        let normal = self.op("Mul", &[x, &factor], &[]);
        let scale = self.table(scale)?;
        Ok(self.op("Mul", &[&normal, &scale], &[]))
    }

    /// 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).
    pub fn gelu(&mut self, x: &str) -> Value {
        let [half, one] = [0.5, 1.0].map(|v| self.scalar(v));
        let root = self.scalar((2.0 / std::f32::consts::PI).sqrt());
        let cubic = self.scalar(0.044_715);
        let y = self.op("Mul", &[x, x], &[]);
        let y = self.op("Mul", &[&y, x], &[]);
        let y = self.op("Mul", &[&y, &cubic], &[]);
        let y = self.op("Add", &[x, &y], &[]);
        let y = self.op("Mul", &[&y, &root], &[]);
        let y = self.op("Tanh", &[&y], &[]);
        let y = self.op("Add", &[&y, &one], &[]);
        let y = self.op("Mul", &[x, &y], &[]);
        self.op("Mul", &[&y, &half], &[])
    }

    /// Norm, up, GELU and down of the residual block `name` over `x`. The caller adds the residual.
    pub fn feed_forward(&mut self, x: &str, name: &str) -> Result<Value, ParamError> {
        let y = self.norm(x, &format!("{name}.norm"))?;
        let up = self.matrix(&format!("{name}.up"), 1)?;
        let y = self.op("MatMul", &[&y, &up], &[]);
        let y = self.gelu(&y);
        let down = self.matrix(&format!("{name}.down"), 1)?;
        Ok(self.op("MatMul", &[&y, &down], &[]))
    }

    fn has(&self, initializer: &str) -> bool {
        self.initializers.iter().any(|t| t.name == initializer)
    }

    /// Finishes the graph, as a model.
    pub fn finish(self, name: &str, inputs: &[Port], outputs: &[Port]) -> pb::ModelProto {
        let graph = pb::GraphProto {
            name: name.to_owned(),
            node: self.nodes,
            initializer: self.initializers,
            input: inputs.iter().map(Port::to_proto).collect(),
            output: outputs.iter().map(Port::to_proto).collect(),
            ..Default::default()
        };
        pb::ModelProto {
            ir_version: IR_VERSION,
            opset_import: vec![pb::OperatorSetIdProto { version: OPSET, ..Default::default() }],
            producer_name: "timbred".to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            graph: Some(graph),
            ..Default::default()
        }
    }
}
