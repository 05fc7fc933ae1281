//! The weights of the decoder: reads them from the step graph, and packs them in the wanted
//! numbers. It knows no order of operators; `super` does.

use std::collections::HashMap;

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{GraphProto, TensorProto};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{TractErrorContext as _, ensure};

use super::kernels::Kernel;
use super::panels::{Numbers, Panels, Rows};

/// The form of the weights while the network runs, and of the numbers in products. Sums are always
/// float32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Arithmetic {
    /// Weights have four bytes, and products are float32.
    F32,
    /// Weights have one byte if the file has int8. They become float32 in registers, so every
    /// result is the same as with [`Self::F32`] to the last bit.
    #[default]
    Int8Weights,
    /// Weights have two bytes. They and the other operands are rounded to eight bits of mantissa.
    /// Attention stays float32.
    Bf16,
}

impl Arithmetic {
    /// All forms.
    pub const ALL: [Self; 3] = [Self::F32, Self::Int8Weights, Self::Bf16];

    /// The name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Int8Weights => "int8",
            Self::Bf16 => "bf16",
        }
    }

    /// Whether this machine has vectors for it. Other machines compute the same, but slowly.
    pub fn is_native(self) -> bool {
        self != Self::Bf16 || Kernel::native().is_bf16
    }

    /// The numbers that rows must have for products with the weights.
    pub(super) fn numbers(self) -> Numbers {
        match self {
            Self::F32 | Self::Int8Weights => Numbers::F32,
            Self::Bf16 => Numbers::Bf16,
        }
    }
}

/// The most rows of a weight in one piece. A panel of it fits into the caches of one core together
/// with the rows that pass by.
const DEPTH: usize = 512;

/// One weight [in, out], or several side by side, in pieces of [`DEPTH`] rows.
pub(super) type Weight = Vec<Panels>;

/// The weights of a step graph by name.
pub(super) struct Weights<'a> {
    kernel: Kernel,
    arithmetic: Arithmetic,
    tensors: HashMap<&'a str, &'a TensorProto>,
}

/// A matrix as in the file: int8 with scales, or float32 with the number of columns.
enum Part<'a> {
    Int8(&'a [u8], Vec<f32>),
    F32(Vec<f32>, usize),
}

impl Part<'_> {
    fn columns(&self) -> usize {
        match self {
            Self::Int8(_, scales) => scales.len(),
            Self::F32(_, columns) => *columns,
        }
    }

    /// Row `i` in float32.
    fn row(&self, i: usize, to: &mut [f32]) {
        let from = i * to.len();
        match self {
            Self::F32(values, _) => to.copy_from_slice(&values[from..from + to.len()]),
            Self::Int8(values, scales) => {
                let values = values[from..].iter().zip(scales);
                to.iter_mut()
                    .zip(values)
                    .for_each(|(to, (q, scale))| *to = f32::from(*q as i8) * scale);
            }
        }
    }
}

impl<'a> Weights<'a> {
    pub fn new(graph: &'a GraphProto, kernel: Kernel, arithmetic: Arithmetic) -> Self {
        let tensors = graph.initializer.iter().map(|t| (t.name.as_str(), t)).collect();
        Self { kernel, arithmetic, tensors }
    }

    fn tensor(&self, name: &str) -> TractResult<(&'a TensorProto, Vec<usize>)> {
        let tensor = self.tensors.get(name).with_context(|| format!("no weight {name}"))?;
        Ok((tensor, tensor.dims.iter().map(|d| usize::try_from(*d).unwrap_or(0)).collect()))
    }

    /// A vector or a matrix of float32, as it is stored.
    pub fn floats(&self, name: &str) -> TractResult<Vec<f32>> {
        let (tensor, shape) = self.tensor(name)?;
        let values = tensor.raw_data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b));
        let values: Vec<f32> = values.collect();
        let is_float = tensor.data_type == DataType::Float as i32;
        ensure!(
            is_float && values.len() == shape.iter().product::<usize>(),
            "{name} is not float32"
        );
        Ok(values)
    }

    /// Matrices [in, out] side by side, each called `NAME.kernel`.
    pub fn matrix(&self, names: &[String]) -> TractResult<Weight> {
        let names: Vec<String> = names.iter().map(|name| format!("{name}.kernel")).collect();
        let mut k = 0;
        let mut parts = vec![];
        for name in &names {
            let (tensor, shape) = self.tensor(name)?;
            ensure!(shape.len() == 2 && (k == 0 || shape[0] == k), "{name} of shape {shape:?}");
            k = shape[0];
            parts.push(if tensor.data_type == DataType::Int8 as i32 {
                let scales = self.floats(&format!("{name}.scale"))?;
                let count = tensor.raw_data.len();
                ensure!(scales.len() == shape[1] && count == k * shape[1], "{name} is not whole");
                Part::Int8(&tensor.raw_data, scales)
            } else {
                Part::F32(self.floats(name)?, shape[1])
            });
        }
        let pieces = (0..k).step_by(DEPTH).map(|from| (from, DEPTH.min(k - from)));
        let pieces = pieces.map(|(from, k)| self.piece(&parts, from, k));
        pieces.collect()
    }

    /// Rows `from..from + k` of all parts.
    fn piece(&self, parts: &[Part<'_>], from: usize, k: usize) -> TractResult<Panels> {
        let int8 = |part| match part {
            &Part::Int8(values, ref scales) => Some((values, scales.as_slice())),
            Part::F32(..) => None,
        };
        let all_int8: Option<Vec<(&[u8], &[f32])>> = parts.iter().map(int8).collect();
        if let (Arithmetic::Int8Weights, Some(parts)) = (self.arithmetic, all_int8) {
            let row = |i: usize| {
                let rows = parts.iter().flat_map(move |(values, scales)| {
                    values[i * scales.len()..(i + 1) * scales.len()].iter().map(|q| *q as i8)
                });
                rows.collect()
            };
            let scales: Vec<&[f32]> = parts.iter().map(|(_, scales)| *scales).collect();
            return Ok(Panels::of_int8(self.kernel, (from..from + k).map(row), &scales.concat()));
        }
        let columns: usize = parts.iter().map(Part::columns).sum();
        let mut values = vec![0.0; k * columns];
        for (i, mut row) in values.chunks_exact_mut(columns.max(1)).enumerate() {
            for part in parts {
                let (own, rest) = row.split_at_mut(part.columns());
                part.row(from + i, own);
                row = rest;
            }
        }
        let mut panels = Panels::new(self.kernel, self.arithmetic.numbers())?;
        panels.pack(Rows { values: &values, count: k, len: columns, stride: columns })?;
        Ok(panels)
    }
}
