//! The weights of the decoder: read from the step graph, packed as float32 or left as int8 and expanded panel by panel.
//! Knows no order of operators; `super` does.

use std::alloc::Layout;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use tract_linalg::mmm::{MMMInputFormat, MMMInputValue, PackedExoticFact};
use tract_linalg::pack::PackedFormat;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{GraphProto, TensorProto};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{ExoticFact, TractErrorContext as _, ensure};

use super::elementwise::expand;
use super::panels::{Buffer, DEPTH, Kernels, Packed};

/// What weights are while the network runs. Products are of float32 and the same to the last bit: int8 weights become the same
/// float32 values, a panel at a time, instead of once when they are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Arithmetic {
    /// Expanded when loaded: four bytes a weight to read at each step.
    F32,
    /// Expanded at each step, where the file has int8: a quarter of the memory and of what is read.
    #[default]
    Int8Weights,
}

/// One weight [in, out], or several side by side, as the left operand of products.
#[derive(Debug)]
pub(super) enum Weight {
    /// In pieces of [`DEPTH`] rows.
    F32(Vec<Packed>),
    /// The same.
    Int8(Vec<Int8Panels>),
}

impl Weight {
    /// The panels of each piece.
    pub fn pieces(&self) -> TractResult<Vec<&dyn MMMInputValue>> {
        match self {
            Self::F32(pieces) => pieces.iter().map(Packed::left).collect(),
            Self::Int8(pieces) => Ok(pieces.iter().map(|p| p as &dyn MMMInputValue).collect()),
        }
    }

    /// Rows of the weight.
    pub fn k(&self) -> TractResult<usize> {
        Ok(self.pieces()?.iter().map(|piece| piece.k()).sum())
    }

    /// Columns of the product.
    pub fn columns(&self) -> TractResult<usize> {
        Ok(self.pieces()?.first().map_or(0, |piece| piece.mn()))
    }
}

/// Left panels of int8 with a scale for each column, expanded when a kernel asks for one.
#[derive(Clone)]
pub(super) struct Int8Panels {
    format: PackedFormat,
    fact: PackedExoticFact,
    k: usize,
    mn: usize,
    /// [panels, k, r], columns that fill the last panel up are 0.
    values: Arc<Vec<i8>>,
    /// [panels, r].
    scales: Arc<Vec<f32>>,
}

impl Int8Panels {
    /// Packs rows `from..from + k` of matrices [.., n], row-major, each with n scales, side by side.
    fn new(format: &PackedFormat, from: usize, k: usize, parts: &[(&[u8], Vec<f32>)]) -> Self {
        let r = format.r.max(1);
        let mn: usize = parts.iter().map(|(_, scales)| scales.len()).sum();
        let columns = mn.next_multiple_of(r);
        let (mut values, mut scales) = (vec![0i8; columns * k], vec![1.0f32; columns]);
        let mut first = 0;
        for (part, own) in parts {
            let n = own.len().max(1);
            for (row, part) in part.chunks_exact(n).skip(from).take(k).enumerate() {
                for (column, value) in part.iter().enumerate() {
                    let column = first + column;
                    values[(column / r * k + row) * r + column % r] = *value as i8;
                }
            }
            scales[first..first + own.len()].copy_from_slice(own);
            first += own.len();
        }
        let fact = PackedExoticFact { format: Box::new(format.clone()), mn: mn.to_dim(), k };
        let (values, scales) = (Arc::new(values), Arc::new(scales));
        Self { format: format.clone(), fact, k, mn, values, scales }
    }

    /// The values [k, r] and scales of panel `i`.
    pub fn panel(&self, i: usize) -> TractResult<(&[i8], &[f32])> {
        let (r, len) = (self.format.r, self.k * self.format.r);
        let values = self.values.get(i * len..(i + 1) * len);
        let scales = self.scales.get(i * r..(i + 1) * r);
        values.zip(scales).with_context(|| format!("panel {i} of {}", self.panels_count()))
    }

    fn column(&self, mn: usize, to: &mut dyn FnMut(usize, f32)) -> TractResult<()> {
        let r = self.format.r.max(1);
        let (values, scales) = self.panel(mn / r)?;
        let values = values.iter().skip(mn % r).step_by(r);
        let scale = scales.get(mn % r).copied().unwrap_or(1.0);
        values.enumerate().for_each(|(k, q)| to(k, f32::from(*q) * scale));
        Ok(())
    }
}

impl MMMInputValue for Int8Panels {
    fn format(&self) -> &dyn MMMInputFormat {
        &self.format
    }

    fn scratch_panel_buffer_layout(&self) -> Option<Layout> {
        let len = self.format.single_panel_len(self.k) * size_of::<f32>();
        Layout::from_size_align(len, self.format.alignment_bytes.max(64)).ok()
    }

    fn panel_bytes(&self, i: usize, buffer: Option<*mut u8>) -> TractResult<*const u8> {
        let buffer = buffer.context("int8 panels need a buffer to be expanded into")?;
        let (values, scales) = self.panel(i)?;
        // SAFETY: tract hands over a buffer of the layout above, aligned and long enough for k rows of r floats, that nothing else
        // refers to until the panel was used.
        #[allow(unsafe_code)]
        let out = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<f32>(), values.len()) };
        expand(values, scales, out);
        Ok(buffer.cast_const())
    }

    fn mn(&self) -> usize {
        self.mn
    }

    fn k(&self) -> usize {
        self.k
    }

    fn exotic_fact(&self) -> &dyn ExoticFact {
        &self.fact
    }

    fn extract_at_mn_f16(&self, mn: usize, slice: &mut [f16]) -> TractResult<()> {
        ensure!(slice.len() == self.k);
        self.column(mn, &mut |k, value| slice[k] = f16::from_f32(value))
    }

    fn extract_at_mn_f32(&self, mn: usize, slice: &mut [f32]) -> TractResult<()> {
        ensure!(slice.len() == self.k);
        self.column(mn, &mut |k, value| slice[k] = value)
    }
}

impl PartialEq for Int8Panels {
    fn eq(&self, other: &Self) -> bool {
        let bits = |panels: &Self| panels.scales.iter().map(|s| s.to_bits()).collect::<Vec<_>>();
        self.fact == other.fact && self.values == other.values && bits(self) == bits(other)
    }
}

impl Eq for Int8Panels {}

impl std::hash::Hash for Int8Panels {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.values.hash(state);
        self.scales.iter().for_each(|scale| scale.to_bits().hash(state));
    }
}

impl fmt::Display for Int8Panels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "int8 panels of {}, k={} m={}", self.format.r, self.k, self.mn)
    }
}

impl fmt::Debug for Int8Panels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The weights of a step graph by name.
pub(super) struct Weights<'a> {
    kernels: &'a Kernels,
    arithmetic: Arithmetic,
    tensors: HashMap<&'a str, &'a TensorProto>,
}

impl<'a> Weights<'a> {
    pub fn new(graph: &'a GraphProto, kernels: &'a Kernels, arithmetic: Arithmetic) -> Self {
        let tensors = graph.initializer.iter().map(|t| (t.name.as_str(), t)).collect();
        Self { kernels, arithmetic, tensors }
    }

    fn tensor(&self, name: &str) -> TractResult<(&'a TensorProto, Vec<usize>)> {
        let tensor = self.tensors.get(name).with_context(|| format!("no weight {name}"))?;
        Ok((tensor, tensor.dims.iter().map(|d| usize::try_from(*d).unwrap_or(0)).collect()))
    }

    /// A vector, or a matrix as it is stored, in float32.
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

    /// Matrices [in, out] side by side, each `NAME.kernel`.
    pub fn matrix(&self, names: &[String]) -> TractResult<Weight> {
        let names: Vec<String> = names.iter().map(|name| format!("{name}.kernel")).collect();
        let tensors =
            names.iter().map(|name| self.tensor(name)).collect::<TractResult<Vec<_>>>()?;
        let k = tensors.first().and_then(|(_, shape)| shape.first().copied()).unwrap_or(0);
        for ((_, shape), name) in tensors.iter().zip(&names) {
            ensure!(shape.len() == 2 && shape[0] == k, "{name} of shape {shape:?}");
        }
        let is_int8 = |tensor: &TensorProto| tensor.data_type == DataType::Int8 as i32;
        if tensors.iter().all(|(tensor, _)| is_int8(tensor)) {
            let parts = tensors.iter().zip(&names).map(|((tensor, shape), name)| {
                let scales = self.floats(&format!("{name}.scale"))?;
                let count = tensor.raw_data.len();
                ensure!(scales.len() == shape[1] && count == k * shape[1], "{name} is not whole");
                Ok((tensor.raw_data.as_slice(), scales))
            });
            let parts = parts.collect::<TractResult<Vec<_>>>()?;
            let piece = |(from, k)| Int8Panels::new(self.kernels.left_format(), from, k, &parts);
            let pieces = pieces(k).map(piece);
            return match self.arithmetic {
                Arithmetic::Int8Weights => Ok(Weight::Int8(pieces.collect())),
                Arithmetic::F32 => {
                    let expanded = pieces.map(|panels| expanded(self.kernels, &panels));
                    Ok(Weight::F32(expanded.collect::<TractResult<_>>()?))
                }
            };
        }
        let parts = names.iter().map(|name| self.floats(name)).collect::<TractResult<Vec<_>>>()?;
        let widths: Vec<usize> = tensors.iter().map(|(_, shape)| shape[1]).collect();
        let columns: usize = widths.iter().sum();
        let mut buffer = Buffer::new(k * columns)?;
        let values = buffer.values_mut();
        let mut first = 0;
        for (part, width) in parts.iter().zip(&widths) {
            let rows = values.chunks_exact_mut(columns).zip(part.chunks_exact(*width));
            rows.for_each(|(to, from)| to[first..first + width].copy_from_slice(from));
            first += width;
        }
        let pieces = pieces(k).map(|(from, k)| {
            let mut packed = self.kernels.left();
            packed.pack(buffer.rows(from * columns, k, columns, columns), true)?;
            Ok(packed)
        });
        Ok(Weight::F32(pieces.collect::<TractResult<_>>()?))
    }
}

/// Where pieces of [`DEPTH`] of `k` rows begin, and how many rows each has.
fn pieces(k: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..k).step_by(DEPTH).map(move |from| (from, DEPTH.min(k - from)))
}

/// The same panels in float32.
fn expanded(kernels: &Kernels, panels: &Int8Panels) -> TractResult<Packed> {
    let (k, r, mn) = (panels.k, panels.format.r, panels.mn);
    let columns = mn.next_multiple_of(r);
    let mut buffer = Buffer::new(k * columns)?;
    let mut panel = vec![0.0; k * r];
    for i in 0..columns / r {
        let (values, scales) = panels.panel(i)?;
        expand(values, scales, &mut panel);
        let rows = buffer.values_mut().chunks_exact_mut(columns).zip(panel.chunks_exact(r));
        rows.for_each(|(to, from)| to[i * r..(i + 1) * r].copy_from_slice(from));
    }
    let mut packed = kernels.left();
    packed.pack(buffer.rows(0, k, mn, columns), true)?;
    Ok(packed)
}
