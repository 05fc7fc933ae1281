//! What can be chosen for a stream, and why one cannot start or go on. Knows no stream.

use crate::bundle::{Bundle, BundleError};
use crate::denoise::sampler::SamplerKind;
use crate::denoise::schedule::Spacing;
use crate::denoise::{Arithmetic, DenoiseError};
use crate::parts::Buses;

/// What can be chosen for a stream; a model's manifest has the defaults.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StreamOptions {
    /// Frames of 20 ms made per turn, 1..=the network's target frames.
    pub hop_frames: usize,
    /// Denoising steps per turn, 1..=1000; with 0 a note prior is heard as it is, and the denoiser is
    /// not asked.
    pub steps: usize,
    /// Frames of its own past the model hears, at most the network's context frames.
    pub context_frames: usize,
    /// How a step is taken.
    pub sampler: SamplerKind,
    /// Where the steps lie.
    pub spacing: Spacing,
    /// Guidance weight; 1 is one network call a step.
    pub guidance: f64,
    /// Sound may wait for the frames behind it, where the vocoder is a mel decoder that hears them;
    /// [`super::Streamer::finish`] then gives the last. Only a new stream takes it.
    pub looks_ahead: bool,
    /// What lies above 8 kHz is made too, if the model knows it: 48,000 samples a second. Only a
    /// new stream takes it.
    pub is_wide: bool,
    /// Which buses are made. Only a new stream takes it.
    pub buses: Buses,
    /// Hops are taken out of a sliding window of full targets, and notes are as loud as they were
    /// struck even where the network does not hear velocity. Only a new stream takes it.
    pub window: bool,
    /// What the weights are while the network runs. Only a new stream takes it.
    pub arithmetic: Arithmetic,
    /// Fixes all noise: the same events, options and seed give the same samples on the same
    /// machine.
    pub seed: u64,
}

impl StreamOptions {
    /// The model's own choice for whole songs.
    pub fn song(bundle: &Bundle) -> Self {
        let m = bundle.manifest();
        let song = Self::with(bundle, m.song.hop_frames, m.song.steps, m.song.context_frames);
        Self { looks_ahead: true, ..song }
    }

    /// The model's own choice for playing live, if it can.
    pub fn live(bundle: &Bundle) -> Option<Self> {
        let live = bundle.manifest().live?;
        let options = Self::with(bundle, live.hop_frames, live.steps, live.context_frames);
        Some(Self { window: live.window, ..options })
    }

    fn with(
        bundle: &Bundle,
        hop_frames: usize,
        steps: usize,
        context_frames: Option<usize>,
    ) -> Self {
        let context_frames = context_frames.unwrap_or(bundle.manifest().network.context_frames);
        let s = bundle.manifest().sampling;
        let (sampler, spacing, guidance) = (s.sampler, s.spacing, s.guidance);
        Self {
            hop_frames,
            steps,
            context_frames,
            sampler,
            spacing,
            guidance,
            looks_ahead: false,
            is_wide: true,
            buses: Buses::Mono,
            window: false,
            arithmetic: Arithmetic::default(),
            seed: 0,
        }
    }
}

/// Why a stream cannot start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The model cannot be loaded.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The engine or an option refused.
    #[error(transparent)]
    Denoise(#[from] DenoiseError),
    /// A hop the model was not made for.
    #[error(
        "a hop of {found} frames ({ms} ms); this model makes 1 to {max} frames of 20 ms",
        ms = found * 20
    )]
    Hop {
        /// Frames asked for.
        found: usize,
        /// The network's target frames.
        max: usize,
    },
}
