//! The network run by tract: encode once a hop, FiLM once a schedule, one decoder call per step.
//! Knows no files and no manifest: it takes the bytes of five ONNX graphs and the size they should have.
//!
//! Runs on whatever thread calls it, and on that thread only.

use tract_onnx::prelude::*;

use super::DenoiseError;
use super::sampler::Denoiser;
use super::schedule::Schedule;
use crate::engine::Plan;
use crate::graph::{GraphKind, NetworkConfig, check_signature};

/// The five graphs of a network as ONNX bytes, from [`crate::graph::build`] or a training export.
#[derive(Debug, Clone, Copy)]
pub struct NetworkGraphs<'a> {
    /// Token ids to encodings.
    pub note_encoder: &'a [u8],
    /// Past frames to encodings; none where the network has no context.
    pub context_encoder: Option<&'a [u8]>,
    /// Encodings to keys and values.
    pub memory: &'a [u8],
    /// Time to scales and shifts.
    pub film: &'a [u8],
    /// The decoder.
    pub step: &'a [u8],
}

/// A loaded network with what it keeps between calls: the memory of this hop and the FiLM of this schedule.
#[derive(Debug)]
pub struct Network {
    config: NetworkConfig,
    note_encoder: Plan,
    context_encoder: Option<Plan>,
    memory: Plan,
    film: Plan,
    step: Plan,
    /// k_0.., v_0.. of what is heard; empty before the first [`Network::encode`].
    heard: TVec<TValue>,
    /// k_0.., v_0.. of hearing nothing: zeros for M = 1, so that cross-attention adds exactly nothing.
    unheard: TVec<TValue>,
    /// What the note prior says of this hop, [1, L, mel_bins]; never asked for where there is none.
    prior: Option<TValue>,
    /// One [1, layers, 2, 2 emb] for each step of the schedule.
    films: Vec<TValue>,
    ids: Vec<i64>,
    encodings: Vec<f32>,
}

impl Network {
    /// Loads and plans the five graphs (seconds for a large network).
    ///
    /// # Errors
    /// [`DenoiseError::Graph`] when a graph is not the piece that `config` describes or the context encoder is
    /// missing or too much, [`DenoiseError::Engine`] when tract refuses it.
    pub fn load(config: NetworkConfig, graphs: NetworkGraphs<'_>) -> Result<Self, DenoiseError> {
        if let Some(problem) = config.problem() {
            return Err(DenoiseError::Other(format!("network sizes: {problem}").into()));
        }
        let load = |kind: GraphKind, bytes| {
            Plan::load(kind.name(), bytes, |model| check_signature(kind, &config, model))
        };
        let context_encoder = match (config.has_context, graphs.context_encoder) {
            (true, Some(bytes)) => Some(load(GraphKind::ContextEncoder, bytes)?),
            (false, None) => None,
            (wanted, _) => {
                let name = |there: bool| if there { "a graph" } else { "none" }.to_owned();
                return Err(DenoiseError::Graph {
                    graph: GraphKind::ContextEncoder.name(),
                    found: name(!wanted),
                    wanted: name(wanted),
                });
            }
        };
        let memory = load(GraphKind::Memory, graphs.memory)?;
        let NetworkConfig { heads, head_dim, decoder_layers, .. } = config;
        let zeros = vec![0.0f32; heads * head_dim];
        let key = memory.input(&[1, heads, head_dim, 1], &zeros)?;
        let value = memory.input(&[1, heads, 1, head_dim], &zeros)?;
        let unheard = std::iter::repeat_n(key, decoder_layers)
            .chain(std::iter::repeat_n(value, decoder_layers))
            .collect();
        Ok(Self {
            note_encoder: load(GraphKind::NoteEncoder, graphs.note_encoder)?,
            context_encoder,
            film: load(GraphKind::Film, graphs.film)?,
            step: load(GraphKind::Step, graphs.step)?,
            memory,
            heard: tvec![],
            unheard,
            prior: None,
            films: vec![],
            ids: vec![],
            encodings: vec![],
            config,
        })
    }

    /// The size this network was loaded with.
    pub fn config(&self) -> &NetworkConfig {
        &self.config
    }

    /// Hears the notes and the past of one hop: `ids` [1..=max_tokens] tokens without padding, `context`
    /// [C, mel_bins] past frames in network scale, oldest first, C at most `context_frames` and 0 where there
    /// is no past. Every conditioned step hears this until the next call.
    ///
    /// # Errors
    /// [`DenoiseError::Token`] and [`DenoiseError::Length`] for what the network cannot take; the previous
    /// memory then stays.
    pub fn encode(&mut self, ids: &[u32], context: &[f32]) -> Result<(), DenoiseError> {
        self.encodings.clear();
        self.encode_notes(ids)?;
        self.encode_context(context)?;
        let emb = self.config.emb;
        let shape = [1, self.encodings.len() / emb, emb];
        let encodings = self.memory.input(&shape, &self.encodings)?;
        let heard = self.memory.run(tvec![encodings])?;
        if heard.len() != self.unheard.len() {
            return Err(DenoiseError::Graph {
                graph: GraphKind::Memory.name(),
                found: format!("{} results", heard.len()),
                wanted: format!("{}", self.unheard.len()),
            });
        }
        self.heard = heard;
        Ok(())
    }

    /// Takes what the note prior says of this hop: `frames` [L, mel_bins] in network scale. Every step sees it until the
    /// next call.
    ///
    /// # Errors
    /// Whatever the engine says.
    pub fn set_prior(&mut self, frames: &[f32]) -> Result<(), DenoiseError> {
        let mel_bins = self.config.mel_bins;
        self.prior = Some(self.step.input(&[1, frames.len() / mel_bins, mel_bins], frames)?);
        Ok(())
    }

    /// The note encoder alone: `ids` as [`Self::encode`], result [N, emb].
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn notes(&mut self, ids: &[u32]) -> Result<&[f32], DenoiseError> {
        self.encodings.clear();
        self.encode_notes(ids)?;
        Ok(&self.encodings)
    }

    /// The context encoder alone: `context` as [`Self::encode`], result [C, emb].
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
        let notes = self.note_encoder.run(tvec![input])?;
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
        let encoded = encoder.run(tvec![input])?;
        self.encodings.extend(encoder.floats(&encoded[0], frames * emb)?);
        Ok(())
    }

    /// Prepares the scales and shifts of every step of `schedule`; [`Denoiser::predict`] counts its steps.
    ///
    /// # Errors
    /// Whatever the engine says; the previous table then stays.
    pub fn film_table(&mut self, schedule: &Schedule) -> Result<(), DenoiseError> {
        let times: Vec<f32> = schedule.steps().iter().map(|step| step.from.t as f32).collect();
        self.film_times(&times)
    }

    /// [`Self::film_table`] for any times in [0, 1], step i being `times[i]`.
    ///
    /// # Errors
    /// As [`Self::film_table`].
    pub fn film_times(&mut self, times: &[f32]) -> Result<(), DenoiseError> {
        let len = self.config.decoder_layers * 4 * self.config.emb;
        let mut films = Vec::with_capacity(times.len());
        for time in times {
            let input = self.film.input(&[1], &[*time])?;
            let mut result = self.film.run(tvec![input])?;
            self.film.floats(&result[0], len)?;
            films.push(result.remove(0));
        }
        self.films = films;
        Ok(())
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
        let NetworkConfig { mel_bins, target_frames, .. } = self.config;
        let frames = z.len() / mel_bins;
        if !z.len().is_multiple_of(mel_bins) || !(1..=target_frames).contains(&frames) {
            let wanted = format!("1 to {target_frames} frames of {mel_bins}");
            return Err(DenoiseError::Length { what: "z", found: z.len(), wanted });
        }
        if out.len() != z.len() {
            let wanted = format!("{}, as z", z.len());
            return Err(DenoiseError::Length { what: "out", found: out.len(), wanted });
        }
        let Some(film) = self.films.get(step) else {
            return Err(DenoiseError::NotReady { missing: "film_table of this schedule" });
        };
        let memory = if conditioned { &self.heard } else { &self.unheard };
        if memory.is_empty() {
            return Err(DenoiseError::NotReady { missing: "encode" });
        }
        let mut inputs = tvec![self.step.input(&[1, frames, mel_bins], z)?];
        if self.config.prior {
            let Some(prior) = self.prior.clone() else {
                return Err(DenoiseError::NotReady { missing: "set_prior" });
            };
            inputs.push(prior);
        }
        inputs.push(film.clone());
        inputs.extend(memory.iter().cloned());
        let result = self.step.run(inputs)?;
        out.copy_from_slice(self.step.floats(&result[0], z.len())?);
        Ok(())
    }
}

#[cfg(test)]
#[path = "network_tests.rs"]
mod tests;
