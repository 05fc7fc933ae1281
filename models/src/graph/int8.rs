//! Weights as signed bytes with one scale per channel. It does no arithmetic in int8: a graph is
//! expanded to float32 when it is loaded.
//!
//! Quantisation is symmetric: value = scale * q, with q in -127..=127, and scale = largest
//! magnitude of the channel / 127.

use std::collections::HashMap;

use tract_onnx::pb;
use tract_onnx::pb::tensor_proto::DataType;

use super::Param;
use super::builder::floats;

/// A parameter in int8.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantized {
    /// The values, row-major, in the shape of the parameter.
    pub values: Vec<i8>,
    /// One scale for each index of the axis.
    pub scales: Vec<f32>,
}

impl Quantized {
    /// Quantises `param` with one scale for each index of `axis`. If it has no such axis, it counts
    /// as one channel.
    pub fn of(param: &Param, axis: usize) -> Self {
        let (channels, inner) = channels_of(&param.shape, axis);
        let mut scales = vec![0.0f32; channels];
        for (i, v) in param.values.iter().enumerate() {
            let scale = &mut scales[i / inner % channels];
            *scale = scale.max(v.abs());
        }
        for scale in &mut scales {
            // For a channel of zeros the scale does not matter; 1 keeps division by zero out of the
            // file.
            *scale = if *scale > 0.0 { *scale / 127.0 } else { 1.0 };
        }
        let quantize = |(i, v): (usize, &f32)| {
            (v / scales[i / inner % channels]).round_ties_even().clamp(-127.0, 127.0) as i8
        };
        let values = param.values.iter().enumerate().map(quantize).collect();
        Self { values, scales }
    }
}

/// The number of indices of `axis`, and the number of values from one index to the next.
fn channels_of(shape: &[usize], axis: usize) -> (usize, usize) {
    match shape.get(axis) {
        Some(channels) => ((*channels).max(1), shape[axis + 1..].iter().product::<usize>().max(1)),
        None => (1, shape.iter().product::<usize>().max(1)),
    }
}

/// Replaces every DequantizeLinear of a constant by its float32 values. Returns how many there
/// were.
///
/// tract folds such nodes only if the result has at most 4 MiB (`CONST_FOLD_MEM_BUDGET`). It would
/// expand a larger weight again at every run. Nodes that have another form than this crate writes
/// are left to tract.
pub fn expand(model: &mut pb::ModelProto) -> usize {
    let Some(graph) = &mut model.graph else { return 0 };
    let index: HashMap<String, usize> =
        graph.initializer.iter().enumerate().map(|(i, t)| (t.name.clone(), i)).collect();
    let mut added = vec![];
    graph.node.retain(|node| {
        let expanded = expanded(node, &graph.initializer, &index);
        let keep = expanded.is_none();
        added.extend(expanded);
        keep
    });
    let count = added.len();
    if count > 0 {
        let used: std::collections::HashSet<&str> =
            graph.node.iter().flat_map(|node| node.input.iter().map(String::as_str)).collect();
        graph.initializer.retain(|t| used.contains(t.name.as_str()));
        graph.initializer.extend(added);
    }
    count
}

/// The float32 result of a node, if it is a DequantizeLinear of constants.
fn expanded(
    node: &pb::NodeProto,
    initializers: &[pb::TensorProto],
    index: &HashMap<String, usize>,
) -> Option<pb::TensorProto> {
    let (true, [q, scale], [output]) =
        (node.op_type == "DequantizeLinear", &node.input[..], &node.output[..])
    else {
        return None;
    };
    let (q, scale) = (&initializers[*index.get(q)?], &initializers[*index.get(scale)?]);
    if q.data_type != DataType::Int8 as i32 || scale.data_type != DataType::Float as i32 {
        return None;
    }
    let shape: Vec<usize> =
        q.dims.iter().map(|d| usize::try_from(*d).ok()).collect::<Option<_>>()?;
    let axis = node.attribute.iter().find(|a| a.name == "axis").map_or(1, |a| a.i);
    let axis = usize::try_from(axis).ok().filter(|axis| *axis < shape.len())?;
    let scales: Vec<f32> =
        scale.raw_data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let (channels, inner) = channels_of(&shape, axis);
    let count = shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d))?;
    if scales.len() != channels || q.raw_data.len() != count {
        return None;
    }
    let mut values = vec![0.0f32; count];
    let value = |(value, (q, scale)): (&mut f32, (&u8, &f32))| *value = f32::from(*q as i8) * scale;
    if inner == 1 {
        let rows = values.chunks_mut(channels).zip(q.raw_data.chunks(channels));
        rows.for_each(|(row, q)| row.iter_mut().zip(q.iter().zip(&scales)).for_each(value));
    } else {
        let parts = values.chunks_mut(inner).zip(q.raw_data.chunks(inner));
        for ((part, q), scale) in parts.zip(scales.iter().cycle()) {
            part.iter_mut().zip(q.iter().zip(std::iter::repeat(scale))).for_each(value);
        }
    }
    Some(floats(output, &shape, &values))
}
