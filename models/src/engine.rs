//! One ONNX graph in tract: it is decoded, checked, expanded to float32, simplified, planned and
//! run. It knows no network.

use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;

use crate::denoise::DenoiseError;
use crate::graph::{gelu, int8};

/// Decodes an ONNX file.
pub(crate) fn decode(name: &'static str, bytes: &[u8]) -> Result<ModelProto, DenoiseError> {
    prost::Message::decode(bytes).map_err(|e: prost::DecodeError| DenoiseError::Engine {
        graph: name,
        message: format!("not an ONNX file: {e}"),
    })
}

/// A planned graph with the state that its runs reuse. Lengths stay symbolic, so a new length needs
/// no new plan.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    name: &'static str,
    state: TypedSimpleState,
}

impl Plan {
    /// Loads the graph `name` from ONNX bytes, if `check` accepts it.
    pub fn load(
        name: &'static str,
        bytes: &[u8],
        check: impl FnOnce(&ModelProto) -> Result<(), DenoiseError>,
    ) -> Result<Self, DenoiseError> {
        let model = decode(name, bytes)?;
        check(&model)?;
        Self::of_proto(name, model)
    }

    /// Plans a graph that is decoded and checked already.
    pub fn of_proto(name: &'static str, mut model: ModelProto) -> Result<Self, DenoiseError> {
        int8::expand(&mut model);
        gelu::join(&mut model);
        let read = tract_onnx::onnx().with_ignore_output_shapes(true).model_for_proto_model(&model);
        drop(model);
        Self::of(name, read.map_err(|e| DenoiseError::engine(name, &e))?)
    }

    /// Plans a graph that is parsed already.
    pub fn of(name: &'static str, model: InferenceModel) -> Result<Self, DenoiseError> {
        let state = model
            .into_optimized()
            .and_then(|model| model.into_runnable())
            .and_then(|plan| plan.spawn())
            .map_err(|e| DenoiseError::engine(name, &e))?;
        Ok(Self { name, state })
    }

    /// Runs the graph once.
    pub fn run(&mut self, inputs: TVec<TValue>) -> Result<TVec<TValue>, DenoiseError> {
        self.state.run(inputs).map_err(|e| {
            // The state of the failed run must not leak into the next run.
            let _ = self.state.reset_turn();
            self.error(&e)
        })
    }

    fn error(&self, e: &TractError) -> DenoiseError {
        DenoiseError::engine(self.name, e)
    }

    /// A tensor of `values` in `shape`, which must fit together.
    pub fn input<T: Datum + Copy>(
        &self,
        shape: &[usize],
        values: &[T],
    ) -> Result<TValue, DenoiseError> {
        Tensor::from_shape(shape, values).map(Tensor::into_tvalue).map_err(|e| self.error(&e))
    }

    /// The values of a result, which must be `len` floats.
    pub fn floats<'t>(&self, value: &'t TValue, len: usize) -> Result<&'t [f32], DenoiseError> {
        let values = value
            .try_as_plain_ram()
            .and_then(|view| view.as_slice::<f32>())
            .map_err(|e| self.error(&e))?;
        if values.len() == len {
            return Ok(values);
        }
        Err(DenoiseError::Graph {
            graph: self.name,
            found: format!("a result {:?}", value.shape()),
            wanted: format!("{len} values"),
        })
    }
}
