//! Replaces GELU, for which our files have nine operators, by the one operator of tract, which is
//! faster. It knows no network.

use std::collections::HashMap;

use tract_onnx::pb::{ModelProto, NodeProto, TensorProto};

use super::Params;
use super::builder::{Attr, Builder};
use super::pieces::WeightFormat;

/// The name of the argument in the example.
const ARGUMENT: &str = "x";

/// Replaces the last of the nodes that [`Builder::gelu`] writes by the operator `Gelu`, wherever
/// they follow each other. Tract drops what nothing uses any more, and accepts the operator although
/// ONNX has it only since operator set 20.
pub(crate) fn join(model: &mut ModelProto) {
    let params = Params::new();
    let mut example = Builder::new(&params, WeightFormat::F32);
    example.gelu(ARGUMENT);
    let Some(example) = example.finish("", &[], &[]).graph else { return };
    let Some(graph) = &mut model.graph else { return };
    for first in 0..graph.node.len() {
        let found = graph.node.get(first..first + example.node.len()).unwrap_or_default();
        let constants = [example.initializer.as_slice(), &graph.initializer];
        if let (Some(x), Some(last)) = (argument(&example.node, found, constants), found.last()) {
            let mut joined = NodeProto { op_type: "Gelu".to_owned(), ..last.clone() };
            joined.input = vec![x];
            joined.attribute = vec![Attr::Text("approximate", "tanh").to_proto()];
            if let Some(to) = graph.node.get_mut(first + example.node.len() - 1) {
                *to = joined;
            }
        }
    }
}

/// The argument of the found nodes, if they compute what those of the example do.
fn argument<'a>(
    example: &[NodeProto],
    found: &[NodeProto],
    [own, other]: [&'a [TensorProto]; 2],
) -> Option<String> {
    let constant = |of: &'a [TensorProto], name: &str| of.iter().find(|t| t.name == name);
    let same = |a: &TensorProto, b: &TensorProto| {
        (&a.dims, a.data_type, &a.raw_data) == (&b.dims, b.data_type, &b.raw_data)
    };
    let mut names = HashMap::new();
    for (own_node, node) in example.iter().zip(found) {
        let same_form =
            own_node.op_type == node.op_type && own_node.input.len() == node.input.len();
        let is_same = same_form
            && own_node.input.iter().zip(&node.input).all(|(a, b)| match constant(own, a) {
                Some(a) => constant(other, b).is_some_and(|b| same(a, b)),
                None => names.entry(a.as_str()).or_insert(b) == &b,
            });
        if !is_same {
            return None;
        }
        names.extend(own_node.output.iter().map(String::as_str).zip(&node.output));
    }
    let is_whole = found.len() == example.len();
    names.get(ARGUMENT).filter(|_| is_whole).map(|name| (*name).clone())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A graph with two GELUs, each behind another node.
    fn model() -> ModelProto {
        let params = Params::new();
        let mut b = Builder::new(&params, WeightFormat::F32);
        let x = b.op("Neg", &["in"], &[]);
        let y = b.gelu(&x);
        let y = b.op("Neg", &[&y], &[]);
        b.gelu(&y);
        b.finish("", &[], &[])
    }

    fn joined(mut model: ModelProto) -> Vec<(usize, Vec<String>)> {
        join(&mut model);
        let nodes = model.graph.unwrap().node;
        let nodes = nodes.into_iter().enumerate().filter(|(_, node)| node.op_type == "Gelu");
        nodes.map(|(at, node)| (at, node.input)).collect()
    }

    #[test]
    fn it_is_found_with_its_argument() {
        let found = joined(model());
        assert_eq!(found, [(9, vec!["Neg_0".to_owned()]), (19, vec!["Neg_10".to_owned()])]);
    }

    #[test]
    fn what_computes_something_else_stays() {
        let mut other = model();
        let graph = other.graph.as_mut().unwrap();
        // Another input of a node in the middle, and then another constant.
        graph.node[4].input[0] = "in".to_owned();
        assert_eq!(joined(other.clone()).len(), 1);
        let half = other.graph.as_mut().unwrap().initializer.iter_mut();
        half.for_each(|tensor| tensor.raw_data[0] ^= 1);
        assert!(joined(other).is_empty());
    }
}
