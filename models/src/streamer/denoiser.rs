//! The network with its sampler. The stream sends it questions about the residual, which it adds to
//! the note prior, and receives answers, so that the stream need not wait. It knows no note and no
//! sound.

use super::{StreamError, StreamOptions};
use crate::bundle::Bundle;
use crate::denoise::network::{Network, RunOptions};
use crate::denoise::noise::SeededNoise;
use crate::denoise::sampler::{Sampler, SamplerOptions};
use crate::denoise::schedule::{Level, Schedule};
use crate::mel::FeatureRange;
use crate::threads::Threads;
use crate::units::MEL_BINS;

/// The distance from the floor, in network scale, up to which a value still counts as the floor,
/// because of rounding.
const SILENCE: f32 = 1e-5;

/// A request to the denoiser for one hop of a model with a note prior.
#[derive(Debug, Clone)]
pub struct Question {
    /// The index of the hop. The first question of a stream is about hop 1, because hop 0 has begun
    /// before any note is known.
    pub hop: u64,
    pub(super) options: StreamOptions,
    pub(super) ids: Vec<u32>,
    /// The note prior of the hop, natural-log mel [hop_frames, 128].
    pub(super) prior: Vec<f32>,
    /// The frames played since the last question, natural-log mel [frames, 128].
    pub(super) played: Vec<f32>,
}

/// The residual of one hop, which the denoiser adds to the note prior.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The index of the hop.
    pub hop: u64,
    /// The note prior that came with the question, natural-log mel [hop_frames, 128].
    pub(super) prior: Vec<f32>,
    /// The residual in nats, [hop_frames, 128]; empty if no step was taken.
    pub(super) residual: Vec<f32>,
}

/// The network and its sampler.
#[derive(Debug)]
pub struct Denoiser {
    pub(super) network: Network,
    sampler: Sampler,
    schedule: Schedule,
    pub(super) options: StreamOptions,
    range: FeatureRange,
    /// The nats by which one unit of the output of the network changes a note prior; 0 for a model
    /// without one.
    residual_nats: f32,
    /// The last frames in network scale, at most `context_frames`. It is not used with a window.
    pub(super) context: Vec<f32>,
}

impl Denoiser {
    /// Loads the network.
    ///
    /// # Errors
    /// [`StreamError`] names what does not fit.
    pub fn new(bundle: &Bundle, options: StreamOptions) -> Result<Self, StreamError> {
        let manifest = bundle.manifest();
        let sampler = Sampler::new(SamplerOptions {
            prediction: manifest.sampling.prediction,
            clip_x0: manifest.sampling.clip_x0,
            ..SamplerOptions::default()
        });
        let mut denoiser = Self {
            network: bundle.network_with(RunOptions::of(options.arithmetic))?,
            sampler,
            schedule: Schedule::new(options.steps.max(1), options.spacing)?,
            options,
            range: manifest.mel.range,
            residual_nats: manifest.prior.map_or(0.0, |p| p.residual_nats),
            context: vec![],
        };
        denoiser.set(options)?;
        Ok(denoiser)
    }

    /// Changes the options.
    ///
    /// # Errors
    /// [`StreamError`] if an option does not fit. Then nothing has changed.
    pub(super) fn set(&mut self, options: StreamOptions) -> Result<(), StreamError> {
        let config = self.network.config();
        let schedule = Self::check(&options, config.target_frames, config.prior)?;
        self.network.film_table(&schedule)?;
        self.schedule = schedule;
        self.sampler.options.kind = options.sampler;
        self.sampler.options.guidance_weight = options.guidance;
        self.options = options;
        Ok(())
    }

    /// Checks options for a network with `max` target frames, which adds to a note prior if
    /// `has_prior` is set and otherwise makes the whole mel. Returns their noise schedule.
    pub(super) fn check(
        options: &StreamOptions,
        max: usize,
        has_prior: bool,
    ) -> Result<Schedule, StreamError> {
        if !(1..=max).contains(&options.hop_frames) {
            return Err(StreamError::Hop { found: options.hop_frames, max });
        }
        Ok(Schedule::new(options.steps.max(usize::from(has_prior)), options.spacing)?)
    }

    /// Sets the threads that the network may use; by default it uses one. The frames are the same
    /// either way.
    pub fn set_threads(&mut self, threads: Threads) {
        self.network.set_threads(threads);
    }

    /// Answers a question. Questions must come in the order of their hops. With 0 steps the
    /// residual is empty.
    ///
    /// # Errors
    /// The inference engine failed.
    pub fn answer(&mut self, question: Question) -> Result<Answer, StreamError> {
        let Question { hop, options, ids, mut prior, mut played } = question;
        if options != self.options {
            self.set(options)?;
        }
        if options.steps == 0 {
            return Ok(Answer { hop, prior, residual: vec![] });
        }
        if hop == 1 {
            self.context.clear();
        }
        self.range.scale_slice(&mut played, true);
        self.remember(&played);
        self.network.encode(&ids, &self.context)?;
        let mut scaled = prior.clone();
        self.range.scale_slice(&mut scaled, true);
        self.network.set_prior(&scaled)?;
        let mut residual = vec![0.0; prior.len()];
        self.sample(hop, &mut residual, &mut |_, _| {})?;
        let frames = residual.chunks_exact_mut(MEL_BINS).zip(scaled.chunks_exact(MEL_BINS));
        for (residual, prior) in frames {
            // The sound stays silent where no note sounds.
            let is_silent = prior.iter().all(|v| *v < -1.0 + SILENCE);
            let by = if is_silent { 0.0 } else { self.residual_nats };
            residual.iter_mut().for_each(|x| *x *= by);
        }
        prior.truncate(residual.len());
        Ok(Answer { hop, prior, residual })
    }

    /// Samples `frames` [T, 128], in network scale, with the noise of a hop. `hold` may change the
    /// input of each step.
    pub(super) fn sample(
        &mut self,
        hop: u64,
        frames: &mut [f32],
        hold: &mut dyn FnMut(&Level, &mut [f32]),
    ) -> Result<(), StreamError> {
        let mut noise = SeededNoise::new(self.options.seed, hop);
        let (schedule, network) = (&self.schedule, &mut self.network);
        self.sampler.sample(schedule, network, &mut noise, frames, hold)?;
        Ok(())
    }

    /// Adds frames that were played, in network scale, to the end of the context.
    pub(super) fn remember(&mut self, frames: &[f32]) {
        let most = self.options.context_frames.min(self.network.config().context_frames);
        self.context.extend_from_slice(frames);
        let excess = self.context.len().saturating_sub(most * MEL_BINS);
        self.context.drain(..excess);
    }
}
