//! Runs the denoising step: in the packed decoder for graphs that this program wrote, and in tract
//! for any other. It knows no samplers and no files.
//!
//! It keeps the inputs of cross-attention and the scales of the schedule in the form that the
//! decoder or tract needs.

use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;

use super::DenoiseError;
use super::decoder::{Arithmetic, Asked, Decoder, Memory, Modulation};
use crate::engine::Plan;
use crate::graph::{GraphKind, NetworkConfig, is_own_step};
use crate::threads::Threads;

/// The requested branches of guidance, with the output of each: conditional, unconditional or both.
#[derive(Debug)]
pub(super) enum Branches<'a> {
    Heard(&'a mut [f32]),
    Unheard(&'a mut [f32]),
    Both(&'a mut [f32], &'a mut [f32]),
}

/// The step with its state.
#[derive(Debug)]
pub(super) enum StepEngine {
    /// On packed operands.
    Packed { decoder: Box<Decoder>, heard: Heard, films: Vec<Modulation> },
    /// The graph in tract.
    Plain(Box<PlainStep>),
}

/// The keys and values for cross-attention of packed steps.
#[derive(Debug, Default)]
pub(super) struct Heard {
    memory: Memory,
    /// The keys k_0.. and values v_0.. that are not packed yet, because the packing depends on the
    /// number of frames.
    waiting: Option<TVec<TValue>>,
    /// Whether the memory is that of the current hop.
    is_packed: bool,
}

impl Heard {
    fn is_there(&self) -> bool {
        self.is_packed || self.waiting.is_some()
    }

    /// Packs the waiting keys and values for steps of `frames` frames.
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
    /// The keys k_0.. and values v_0.. of the hop; empty before the first.
    heard: TVec<TValue>,
    /// The keys k_0.. and values v_0.. of the unconditional branch: zeros for M = 1, so that
    /// cross-attention adds exactly nothing.
    unheard: TVec<TValue>,
    /// One [1, layers, 2, 2 emb] for each step of the schedule.
    films: Vec<TValue>,
}

/// The name of the graph in errors.
const STEP: &str = GraphKind::Step.name();

impl StepEngine {
    /// The step of a graph with the right inputs and outputs. With `is_plain`, tract runs it in any
    /// case.
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

    /// Takes the keys k_0.. and then the values v_0.. of a hop.
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

    /// Runs step `step` on `z` and, if the network has one, `prior`. Both are [L, mel_bins], like
    /// every output.
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
