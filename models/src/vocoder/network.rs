//! The vocoder's network run by tract, frame after frame, its convolution history kept. Knows no
//! audio.

use crate::denoise::DenoiseError;
use crate::engine::Plan;
use crate::graph::{HISTORY, VocoderConfig, check_vocoder};
use crate::units::MEL_BINS;
use tract_onnx::prelude::*;

/// The network with the history of its convolutions.
#[derive(Debug)]
pub struct VocoderNetwork {
    config: VocoderConfig,
    plan: Plan,
    states: TVec<TValue>,
    /// The history with what was asked last.
    next: TVec<TValue>,
}

impl VocoderNetwork {
    /// Loads the graph from ONNX bytes.
    ///
    /// # Errors
    /// [`DenoiseError::Graph`] when it is not the graph `config` describes,
    /// [`DenoiseError::Engine`] when tract refuses it.
    pub fn load(config: VocoderConfig, bytes: &[u8]) -> Result<Self, DenoiseError> {
        let plan = Plan::load("vocoder", bytes, |model| check_vocoder(&config, model))?;
        let mut network = Self { config, plan, states: tvec![], next: tvec![] };
        network.reset()?;
        Ok(network)
    }

    /// Forgets the past.
    ///
    /// # Errors
    /// None that a loaded network can give.
    pub fn reset(&mut self) -> Result<(), DenoiseError> {
        let zeros = vec![0.0f32; HISTORY * self.config.width];
        let state = self.plan.input(&[1, HISTORY, self.config.width], &zeros)?;
        self.states = std::iter::repeat_n(state, self.config.blocks).collect();
        self.next = self.states.clone();
        Ok(())
    }

    /// Whether it says how the sound goes on above 8 kHz.
    pub fn has_upper_band(&self) -> bool {
        self.config.upper_band
    }

    /// Mel, levels of the tones and share of noise [T, 128], in nats / 8 -> corrections
    /// [T, 2 blocks, tone and noise, 128] in nats into `out`, and those of the upper band
    /// [T, 2 blocks, tone and noise, 16] into `upper`, where the network has one and it is asked
    /// for (not empty). The history stays as it is: the same frames may be asked again as more
    /// becomes known of them.
    ///
    /// # Errors
    /// Whatever tract says.
    pub fn ask(
        &mut self,
        inputs: [&[f32]; 3],
        out: &mut [f32],
        upper: &mut [f32],
    ) -> Result<(), DenoiseError> {
        let shape = [1, inputs[0].len() / MEL_BINS, MEL_BINS];
        let inputs = inputs.iter().map(|input| self.plan.input(&shape, input));
        let mut inputs = inputs.collect::<Result<TVec<_>, _>>()?;
        inputs.extend(self.states.iter().cloned());
        let mut results = self.plan.run(inputs)?;
        out.copy_from_slice(self.plan.floats(&results[0], out.len())?);
        results.remove(0);
        if self.config.upper_band {
            let corrections = results.remove(0);
            if !upper.is_empty() {
                upper.copy_from_slice(self.plan.floats(&corrections, upper.len())?);
            }
        }
        self.next = results;
        Ok(())
    }

    /// What was asked last is over, and belongs to the history.
    pub fn next_frame(&mut self) {
        self.states.clone_from(&self.next);
    }
}
