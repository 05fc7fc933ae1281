//! What runs the denoising step: the packed decoder for graphs this program wrote, tract for any
//! other. Knows no samplers and no files.
//!
//! Keeps what the step hears and the scales of its schedule in the form that whichever of them
//! wants.

use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;

use super::DenoiseError;
use super::decoder::{Arithmetic, Asked, Decoder, Memory, Modulation};
use crate::engine::Plan;
use crate::graph::{GraphKind, NetworkConfig, is_own_step};
use crate::threads::Threads;

/// Which branches of guidance are asked for, with a place for the output of each.
#[derive(Debug)]
pub(super) enum Branches<'a> {
    Heard(&'a mut [f32]),
    Unheard(&'a mut [f32]),
    Both(&'a mut [f32], &'a mut [f32]),
}

/// The step with what it keeps between calls.
#[derive(Debug)]
pub(super) enum StepEngine {
    /// On packed operands.
    Packed { decoder: Box<Decoder>, heard: Heard, films: Vec<Modulation> },
    /// As the graph says.
    Plain(Box<PlainStep>),
}

/// What packed steps hear.
#[derive(Debug, Default)]
pub(super) struct Heard {
    memory: Memory,
    /// k_0.. and v_0.. that are not packed yet: how depends on how many frames hear them.
    waiting: Option<TVec<TValue>>,
    /// Whether the memory is that of the hop.
    is_packed: bool,
}

impl Heard {
    fn is_there(&self) -> bool {
        self.is_packed || self.waiting.is_some()
    }

    /// Packs what waits, for steps of `frames` frames.
    fn pack(&mut self, decoder: &Decoder, frames: usize) -> TractResult<()> {
        let Some(heard) = self.waiting.take() else { return Ok(()) };
        let mut values = vec![];
        for value in &heard {
            values.push(value.try_as_plain_ram()?.as_slice::<f32>()?);
        }
        decoder.hear(&values, frames, &mut self.memory)?;
        self.is_packed = true;
        Ok(())
    }
}

/// The step planned by tract.
#[derive(Debug)]
pub(super) struct PlainStep {
    plan: Plan,
    has_prior: bool,
    mel_bins: usize,
    /// k_0.., v_0.. of what is heard; empty before anything is.
    heard: TVec<TValue>,
    /// k_0.., v_0.. of hearing nothing: zeros for M = 1, so that cross-attention adds exactly
    /// nothing.
    unheard: TVec<TValue>,
    /// One [1, layers, 2, 2 emb] for each step of the schedule.
    films: Vec<TValue>,
}

/// The name of the graph in errors.
const STEP: &str = GraphKind::Step.name();

impl StepEngine {
    /// The step of a graph that has the inputs and outputs of one; `is_plain` leaves it to tract
    /// whatever it is.
    pub fn load(
        config: &NetworkConfig,
        model: ModelProto,
        arithmetic: Arithmetic,
        is_plain: bool,
    ) -> Result<Self, DenoiseError> {
        match &model.graph {
            Some(graph) if !is_plain && is_own_step(config, graph) => {
                let decoder = Decoder::load(config, graph, arithmetic);
                let decoder = decoder.map_err(|e| DenoiseError::engine(STEP, &e))?;
                let (heard, films) = (Heard::default(), vec![]);
                Ok(Self::Packed { decoder: Box::new(decoder), heard, films })
            }
            _ => Ok(Self::Plain(Box::new(PlainStep::load(config, model)?))),
        }
    }

    /// Whether the decoder on packed operands runs it.
    pub fn is_packed(&self) -> bool {
        matches!(self, Self::Packed { .. })
    }

    /// Takes the keys and values of a hop, k_0.. and then v_0...
    pub fn hear(&mut self, values: TVec<TValue>) {
        match self {
            Self::Packed { heard, .. } => {
                (heard.waiting, heard.is_packed) = (Some(values), false);
            }
            Self::Plain(step) => step.heard = values,
        }
    }

    /// Takes the results of the graph `film`, [1, layers, 2, 2 emb] for each step of a schedule.
    pub fn set_films(&mut self, results: Vec<TValue>) -> Result<(), DenoiseError> {
        match self {
            Self::Packed { decoder, films, .. } => {
                let modulation = |film: &TValue| {
                    Ok(decoder.modulation(film.try_as_plain_ram()?.as_slice::<f32>()?))
                };
                let made: TractResult<Vec<_>> = results.iter().map(modulation).collect();
                *films = made.map_err(|e| DenoiseError::engine(GraphKind::Film.name(), &e))?;
            }
            Self::Plain(step) => step.films = results,
        }
        Ok(())
    }

    /// Runs step `step` on `z` and, where the network has one, `prior`, [L, mel_bins] as is every
    /// output.
    pub fn run(
        &mut self,
        threads: &Threads,
        step: usize,
        z: &[f32],
        prior: Option<&[f32]>,
        branches: Branches<'_>,
    ) -> Result<(), DenoiseError> {
        let needs_heard = !matches!(branches, Branches::Unheard(_));
        let (films, has_heard) = match self {
            Self::Packed { films, heard, .. } => (films.len(), heard.is_there()),
            Self::Plain(plain) => (plain.films.len(), !plain.heard.is_empty()),
        };
        if step >= films {
            return Err(DenoiseError::NotReady { missing: "film_table of this schedule" });
        }
        if needs_heard && !has_heard {
            return Err(DenoiseError::NotReady { missing: "encode" });
        }
        match self {
            Self::Packed { decoder, heard, films } => {
                if needs_heard {
                    let frames = decoder.frames(z);
                    heard
                        .pack(decoder, frames)
                        .map_err(|e| DenoiseError::engine(GraphKind::Memory.name(), &e))?;
                }
                let memory = &heard.memory;
                let asked = match branches {
                    Branches::Heard(out) => Asked::Heard { memory, out },
                    Branches::Unheard(out) => Asked::Unheard { out },
                    Branches::Both(heard, unheard) => Asked::Both { memory, heard, unheard },
                };
                decoder
                    .run(threads, z, prior, &films[step], asked)
                    .map_err(|e| DenoiseError::engine(STEP, &e))
            }
            Self::Plain(plain) => match branches {
                Branches::Heard(out) => plain.run(threads, step, z, prior, true, out),
                Branches::Unheard(out) => plain.run(threads, step, z, prior, false, out),
                Branches::Both(heard, unheard) => {
                    plain.run(threads, step, z, prior, true, heard)?;
                    plain.run(threads, step, z, prior, false, unheard)
                }
            },
        }
    }
}

impl PlainStep {
    fn load(config: &NetworkConfig, model: ModelProto) -> Result<Self, DenoiseError> {
        let plan = Plan::of_proto(STEP, model)?;
        let &NetworkConfig { heads, head_dim, decoder_layers, .. } = config;
        let zeros = vec![0.0f32; heads * head_dim];
        let key = plan.input(&[1, heads, head_dim, 1], &zeros)?;
        let value = plan.input(&[1, heads, 1, head_dim], &zeros)?;
        let unheard = std::iter::repeat_n(key, decoder_layers)
            .chain(std::iter::repeat_n(value, decoder_layers))
            .collect();
        Ok(Self {
            plan,
            has_prior: config.prior,
            mel_bins: config.mel_bins,
            heard: tvec![],
            unheard,
            films: vec![],
        })
    }

    fn run(
        &mut self,
        threads: &Threads,
        step: usize,
        z: &[f32],
        prior: Option<&[f32]>,
        is_heard: bool,
        out: &mut [f32],
    ) -> Result<(), DenoiseError> {
        let mel_bins = self.mel_bins;
        let frames =
            |values: &[f32]| self.plan.input(&[1, values.len() / mel_bins, mel_bins], values);
        let mut inputs = tvec![frames(z)?];
        if let (true, Some(prior)) = (self.has_prior, prior) {
            inputs.push(frames(prior)?);
        }
        inputs.push(self.films[step].clone());
        inputs.extend(if is_heard { &self.heard } else { &self.unheard }.iter().cloned());
        let result = threads.scope(|| self.plan.run(inputs))?;
        out.copy_from_slice(self.plan.floats(&result[0], z.len())?);
        Ok(())
    }
}

#[cfg(test)]
#[path = "step_engine_tests.rs"]
mod tests;
