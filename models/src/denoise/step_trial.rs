//! A single denoising step, to measure each form of its weights before one is chosen. It knows no
//! clock.

use tract_onnx::prelude::*;

use super::step_engine::{Branches, StepEngine};
use super::{Arithmetic, DenoiseError};
use crate::engine::decode;
use crate::graph::{GraphKind, NetworkConfig, check_signature};
use crate::threads::Threads;

/// An unconditional step at an arbitrary time. Its duration depends mainly on the form of the
/// weights.
#[derive(Debug)]
pub struct StepTrial {
    step: StepEngine,
    threads: Threads,
    z: Vec<f32>,
    out: Vec<f32>,
}

impl StepTrial {
    /// Loads the graph `step` of a network of size `config`, for `frames` frames. None if tract
    /// runs the graph, because then there is no choice of a form.
    ///
    /// # Errors
    /// [`DenoiseError::Graph`] and [`DenoiseError::Engine`] as for
    /// [`super::network::Network::load`].
    pub(crate) fn load(
        config: &NetworkConfig,
        step: &[u8],
        arithmetic: Arithmetic,
        (frames, threads): (usize, Threads),
    ) -> Result<Option<Self>, DenoiseError> {
        let model = decode(GraphKind::Step.name(), step)?;
        check_signature(GraphKind::Step, config, &model)?;
        let mut step = StepEngine::load(config, model, arithmetic, false)?;
        if !step.is_packed() {
            return Ok(None);
        }
        let shape = [1, config.decoder_layers, 2, 2 * config.emb];
        let film = Tensor::zero::<f32>(&shape)
            .map_err(|e| DenoiseError::engine(GraphKind::Film.name(), &e))?;
        step.set_films(vec![film.into_tvalue()])?;
        let len = frames.min(config.target_frames) * config.mel_bins;
        let z = (0..len).map(|i| (i as f32 * 0.37).sin()).collect();
        Ok(Some(Self { step, threads, z, out: vec![0.0; len] }))
    }

    /// Runs the step once.
    ///
    /// # Errors
    /// The inference engine failed.
    pub fn run(&mut self) -> Result<(), DenoiseError> {
        let Self { step, threads, z, out } = self;
        step.run(threads, 0, z, Some(z), Branches::Unheard(out))
    }
}
