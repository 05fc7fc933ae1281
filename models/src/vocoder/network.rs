//! Runs the network of the vocoder in tract, frame by frame, and keeps the history of its
//! convolutions. It knows no audio.

use super::INPUT_SCALE;
use super::excitation::LEVEL_FLOOR;
use crate::denoise::DenoiseError;
use crate::engine::Plan;
use crate::graph::{HISTORY, OUTPUTS, VocoderConfig, check_vocoder};
use crate::mel::MEL_FLOOR;
use crate::units::MEL_BINS;
use tract_onnx::prelude::*;

/// The network with the history of its convolutions.
#[derive(Debug)]
pub struct VocoderNetwork {
    config: VocoderConfig,
    plan: Plan,
    states: TVec<TValue>,
    /// The history after the last frame that was asked for.
    next: TVec<TValue>,
}

impl VocoderNetwork {
    /// Loads the graph from ONNX bytes.
    ///
    /// # Errors
    /// [`DenoiseError::Graph`] if it is not the graph that `config` describes, and
    /// [`DenoiseError::Engine`] if tract does not support it.
    pub fn load(config: VocoderConfig, bytes: &[u8]) -> Result<Self, DenoiseError> {
        let plan = Plan::load("vocoder", bytes, |model| check_vocoder(&config, model))?;
        let mut network = Self { config, plan, states: tvec![], next: tvec![] };
        network.reset()?;
        Ok(network)
    }

    /// Removes the past.
    ///
    /// # Errors
    /// None for a loaded network.
    pub fn reset(&mut self) -> Result<(), DenoiseError> {
        let zeros = vec![0.0f32; HISTORY * self.config.width];
        let state = self.plan.input(&[1, HISTORY, self.config.width], &zeros)?;
        self.states = std::iter::repeat_n(state, self.config.blocks).collect();
        self.next = self.states.clone();
        Ok(())
    }

    /// Makes silence the past: as many silent frames as its convolutions remember. The network
    /// never learned what to do without a past.
    ///
    /// # Errors
    /// The inference engine failed.
    pub fn hear_silence(&mut self) -> Result<(), DenoiseError> {
        let frames = self.config.blocks * HISTORY + 1;
        let of = |log: f32| vec![log * INPUT_SCALE; frames * MEL_BINS];
        let [mel, levels, share] = [MEL_FLOOR.ln() as f32, LEVEL_FLOOR.ln(), 0.0].map(of);
        self.ask([&mel, &levels, &share], &mut vec![0.0; frames * OUTPUTS], &mut [])?;
        self.next_frame();
        Ok(())
    }

    /// Whether it has an output for the band above 8 kHz.
    pub fn has_upper_band(&self) -> bool {
        self.config.upper_band
    }

    /// Computes corrections from mel, levels of the tones and share of noise, [T, 128] each, in
    /// nats / 8. The corrections [T, 2 blocks, tone and noise, 128] in nats go to `out`. Those of
    /// the upper band [T, 2 blocks, tone and noise, 16] go to `upper`, if the network has one and
    /// `upper` is not empty. The history stays as it is, so that the same frames can be computed
    /// again when more is known about them.
    ///
    /// # Errors
    /// The inference engine failed.
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

    /// Ends the frames of the last call, which become part of the history.
    pub fn next_frame(&mut self) {
        self.states.clone_from(&self.next);
    }
}
