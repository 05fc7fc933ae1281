//! The network: it encodes once a hop, computes FiLM once a schedule, and calls the decoder once a
//! step. It knows no files and no manifest: it takes the bytes of five ONNX graphs and their size.
//!
//! It runs in the calling thread, and in others only after [`Network::set_threads`].

use std::borrow::Cow;

use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;

use super::sampler::Denoiser;
use super::schedule::Schedule;
use super::step_engine::{Branches, StepEngine};
use super::{Arithmetic, DenoiseError};
use crate::engine::{Plan, decode};
use crate::graph::{GraphKind, NetworkConfig, check_signature};
use crate::threads::Threads;

/// The five graphs of a network as ONNX bytes, from [`crate::bundle::denoiser_graph`] or a training
/// export.
#[derive(Debug, Clone, Copy)]
pub struct NetworkGraphs<'a> {
    /// Makes encodings from token ids.
    pub note_encoder: &'a [u8],
    /// Makes encodings from past frames; none if the network has no context.
    pub context_encoder: Option<&'a [u8]>,
    /// Makes keys and values from encodings.
    pub memory: &'a [u8],
    /// Makes scales and shifts from a time.
    pub film: &'a [u8],
    /// The decoder.
    pub step: &'a [u8],
}

/// How a network runs. The options do not change the results, except for the rounding of
/// [`Arithmetic::Bf16`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunOptions {
    /// The form of the weights of the step while it runs.
    pub arithmetic: Arithmetic,
    /// Whether tract runs the step even if the packed decoder could, for comparisons.
    pub is_plain: bool,
}

impl RunOptions {
    /// Options for packed operands in this form.
    pub fn of(arithmetic: Arithmetic) -> Self {
        Self { arithmetic, is_plain: false }
    }
}

/// A loaded network with its state: the memory of the hop and the FiLM of the schedule.
#[derive(Debug)]
pub struct Network {
    config: NetworkConfig,
    note_encoder: Plan,
    context_encoder: Option<Plan>,
    memory: Plan,
    film: Plan,
    step: StepEngine,
    threads: Threads,
    /// The note prior of the hop, [L, mel_bins]. It is not used if the network has no prior.
    prior: Option<Vec<f32>>,
    ids: Vec<i64>,
    encodings: Vec<f32>,
}

impl Network {
    /// Loads and plans the five graphs, which takes seconds for a large network.
    ///
    /// # Errors
    /// [`DenoiseError::Graph`] if a graph is not the one that `config` describes, or if the context
    /// encoder is missing or superfluous; [`DenoiseError::Engine`] if tract does not support a
    /// graph.
    pub fn load(config: NetworkConfig, graphs: NetworkGraphs<'_>) -> Result<Self, DenoiseError> {
        Self::load_with(config, graphs, RunOptions::default())
    }

    /// As [`Self::load`], with options.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_with(
        config: NetworkConfig,
        graphs: NetworkGraphs<'_>,
        options: RunOptions,
    ) -> Result<Self, DenoiseError> {
        let has_context = graphs.context_encoder.is_some();
        if config.problem().is_none() && has_context != config.has_context {
            let name = |there: bool| if there { "a graph" } else { "none" }.to_owned();
            return Err(DenoiseError::Graph {
                graph: GraphKind::ContextEncoder.name(),
                found: name(has_context),
                wanted: name(config.has_context),
            });
        }
        Self::load_each(config, options, |kind| {
            Ok(Cow::Borrowed(match kind {
                GraphKind::NoteEncoder => graphs.note_encoder,
                GraphKind::ContextEncoder => graphs.context_encoder.unwrap_or_default(),
                GraphKind::Memory => graphs.memory,
                GraphKind::Film => graphs.film,
                GraphKind::Step => graphs.step,
            }))
        })
    }

    /// As [`Self::load_with`], but reads the graphs one by one, so that only one of them is in
    /// memory twice.
    ///
    /// # Errors
    /// As [`Self::load`], and those of `bytes`.
    pub fn load_each<'a, E: From<DenoiseError>>(
        config: NetworkConfig,
        options: RunOptions,
        bytes: impl Fn(GraphKind) -> Result<Cow<'a, [u8]>, E>,
    ) -> Result<Self, E> {
        if let Some(problem) = config.problem() {
            let problem = format!("network sizes: {problem}");
            return Err(DenoiseError::Other(problem.into()).into());
        }
        let read = |kind: GraphKind| -> Result<ModelProto, E> {
            let model = decode(kind.name(), &bytes(kind)?)?;
            check_signature(kind, &config, &model)?;
            Ok(model)
        };
        let plan = |kind: GraphKind| Ok::<_, E>(Plan::of_proto(kind.name(), read(kind)?)?);
        // The largest comes first, while memory is free.
        let film = plan(GraphKind::Film)?;
        let note_encoder = plan(GraphKind::NoteEncoder)?;
        let context_encoder =
            config.has_context.then(|| plan(GraphKind::ContextEncoder)).transpose()?;
        let memory = plan(GraphKind::Memory)?;
        let step = read(GraphKind::Step)?;
        let step = StepEngine::load(&config, step, options.arithmetic, options.is_plain)?;
        Ok(Self {
            note_encoder,
            context_encoder,
            memory,
            film,
            step,
            threads: Threads::default(),
            prior: None,
            ids: vec![],
            encodings: vec![],
            config,
        })
    }

    /// Sets the threads for all calls; by default there is one.
    pub fn set_threads(&mut self, threads: Threads) {
        self.threads = threads;
    }

    /// Whether the step runs on packed operands. It does for all graphs that this program wrote.
    pub fn is_packed(&self) -> bool {
        self.step.is_packed()
    }

    /// The size with which this network was loaded.
    pub fn config(&self) -> &NetworkConfig {
        &self.config
    }

    /// Encodes the notes and the context of one hop: `ids` [1..=max_tokens] are tokens without
    /// padding, and `context` [C, mel_bins] are past frames in network scale, oldest first, where C
    /// is at most `context_frames`, and 0 if there is no past. All conditional steps use the result
    /// until the next call.
    ///
    /// # Errors
    /// [`DenoiseError::Token`] and [`DenoiseError::Length`] for inputs that do not fit. Then the
    /// last result stays.
    pub fn encode(&mut self, ids: &[u32], context: &[f32]) -> Result<(), DenoiseError> {
        self.encodings.clear();
        self.encode_notes(ids)?;
        self.encode_context(context)?;
        let emb = self.config.emb;
        let shape = [1, self.encodings.len() / emb, emb];
        let encodings = self.memory.input(&shape, &self.encodings)?;
        let heard = self.threads.scope(|| self.memory.run(tvec![encodings]))?;
        let wanted = 2 * self.config.decoder_layers;
        if heard.len() != wanted {
            return Err(DenoiseError::Graph {
                graph: GraphKind::Memory.name(),
                found: format!("{} results", heard.len()),
                wanted: format!("{wanted}"),
            });
        }
        self.step.hear(heard);
        Ok(())
    }

    /// Sets the note prior of the hop: `frames` [L, mel_bins] in network scale. All steps use it
    /// until the next call.
    ///
    /// # Errors
    /// [`DenoiseError::Length`] if there is an incomplete frame.
    pub fn set_prior(&mut self, frames: &[f32]) -> Result<(), DenoiseError> {
        if !frames.len().is_multiple_of(self.config.mel_bins) {
            let wanted = format!("frames of {}", self.config.mel_bins);
            return Err(DenoiseError::Length { what: "prior", found: frames.len(), wanted });
        }
        let prior = self.prior.get_or_insert_default();
        prior.clear();
        prior.extend_from_slice(frames);
        Ok(())
    }

    /// Runs only the note encoder, with `ids` as in [`Self::encode`]. The result is [N, emb].
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn notes(&mut self, ids: &[u32]) -> Result<&[f32], DenoiseError> {
        self.encodings.clear();
        self.encode_notes(ids)?;
        Ok(&self.encodings)
    }

    /// Runs only the context encoder, with `context` as in [`Self::encode`]. The result is [C,
    /// emb].
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn context(&mut self, context: &[f32]) -> Result<&[f32], DenoiseError> {
        self.encodings.clear();
        self.encode_context(context)?;
        Ok(&self.encodings)
    }

    fn encode_notes(&mut self, ids: &[u32]) -> Result<(), DenoiseError> {
        let NetworkConfig { vocab_size, max_tokens, emb, .. } = self.config;
        if ids.is_empty() || ids.len() > max_tokens {
            let wanted = format!("1 to {max_tokens}");
            return Err(DenoiseError::Length { what: "note tokens", found: ids.len(), wanted });
        }
        if let Some(position) = ids.iter().position(|id| *id as usize >= vocab_size) {
            return Err(DenoiseError::Token { id: ids[position], position, vocab_size });
        }
        self.ids.clear();
        self.ids.extend(ids.iter().map(|id| i64::from(*id)));
        let input = self.note_encoder.input(&[1, ids.len()], &self.ids)?;
        let notes = self.threads.scope(|| self.note_encoder.run(tvec![input]))?;
        self.encodings.extend(self.note_encoder.floats(&notes[0], ids.len() * emb)?);
        Ok(())
    }

    fn encode_context(&mut self, context: &[f32]) -> Result<(), DenoiseError> {
        let NetworkConfig { mel_bins, emb, context_frames, .. } = self.config;
        if context.is_empty() {
            return Ok(());
        }
        let length = |wanted: String| DenoiseError::Length {
            what: "context values",
            found: context.len(),
            wanted,
        };
        let Some(encoder) = &mut self.context_encoder else {
            return Err(length("0, as this network has no context".to_owned()));
        };
        let frames = context.len() / mel_bins;
        if !context.len().is_multiple_of(mel_bins) || frames > context_frames {
            return Err(length(format!("0 to {context_frames} frames of {mel_bins}")));
        }
        let input = encoder.input(&[1, frames, mel_bins], context)?;
        let encoded = self.threads.scope(|| encoder.run(tvec![input]))?;
        self.encodings.extend(encoder.floats(&encoded[0], frames * emb)?);
        Ok(())
    }

    /// Computes the scales and shifts for every step of `schedule`. [`Denoiser::predict`] takes the
    /// index of a step.
    ///
    /// # Errors
    /// The inference engine failed. Then the last table stays.
    pub fn film_table(&mut self, schedule: &Schedule) -> Result<(), DenoiseError> {
        let times: Vec<f32> = schedule.steps().iter().map(|step| step.from.t as f32).collect();
        self.film_times(&times)
    }

    /// As [`Self::film_table`], for any times in [0, 1]; step i has the time `times[i]`.
    ///
    /// # Errors
    /// As [`Self::film_table`].
    pub fn film_times(&mut self, times: &[f32]) -> Result<(), DenoiseError> {
        let len = self.config.decoder_layers * 4 * self.config.emb;
        let mut films = Vec::with_capacity(times.len());
        for time in times {
            let input = self.film.input(&[1], &[*time])?;
            let mut result = self.threads.scope(|| self.film.run(tvec![input]))?;
            self.film.floats(&result[0], len)?;
            films.push(result.remove(0));
        }
        self.step.set_films(films)
    }
}

impl Network {
    /// Evaluates the decoder once, for one branch of guidance or for both.
    fn step(&mut self, step: usize, z: &[f32], branches: Branches<'_>) -> Result<(), DenoiseError> {
        let NetworkConfig { mel_bins, target_frames, .. } = self.config;
        let frames = z.len() / mel_bins;
        if !z.len().is_multiple_of(mel_bins) || !(1..=target_frames).contains(&frames) {
            let wanted = format!("1 to {target_frames} frames of {mel_bins}");
            return Err(DenoiseError::Length { what: "z", found: z.len(), wanted });
        }
        let found = match &branches {
            Branches::Heard(out) | Branches::Unheard(out) => [out.len(), z.len()],
            Branches::Both(heard, unheard) => [heard.len(), unheard.len()],
        };
        if let Some(found) = found.into_iter().find(|len| *len != z.len()) {
            let wanted = format!("{}, as z", z.len());
            return Err(DenoiseError::Length { what: "out", found, wanted });
        }
        let prior = match (self.config.prior, &self.prior) {
            (false, _) => None,
            (true, None) => return Err(DenoiseError::NotReady { missing: "set_prior" }),
            (true, Some(prior)) if prior.len() != z.len() => {
                let wanted = format!("{}, as z", z.len());
                return Err(DenoiseError::Length { what: "prior", found: prior.len(), wanted });
            }
            (true, Some(prior)) => Some(prior.as_slice()),
        };
        self.step.run(&self.threads, step, z, prior, branches)
    }
}

impl Denoiser for Network {
    fn predict(
        &mut self,
        step: usize,
        z: &[f32],
        conditioned: bool,
        out: &mut [f32],
    ) -> Result<(), DenoiseError> {
        let branch = if conditioned { Branches::Heard } else { Branches::Unheard };
        self.step(step, z, branch(out))
    }

    fn predict_both(
        &mut self,
        step: usize,
        z: &[f32],
        conditional: &mut [f32],
        unconditional: &mut [f32],
    ) -> Result<(), DenoiseError> {
        self.step(step, z, Branches::Both(conditional, unconditional))
    }
}

#[cfg(test)]
#[path = "network_tests.rs"]
pub(super) mod tests;
