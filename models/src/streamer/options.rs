//! The options of a stream, and its errors. It knows no stream.

use crate::bundle::{Bundle, BundleError};
use crate::denoise::sampler::SamplerKind;
use crate::denoise::schedule::Spacing;
use crate::denoise::{Arithmetic, DenoiseError};
use crate::parts::Buses;

/// The options of a stream. The manifest of a model has the defaults.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StreamOptions {
    /// Frames of 20 ms in a hop, 1..= the target frames of the network.
    pub hop_frames: usize,
    /// Denoising steps for a hop, 1..=1000. For a model with a note prior it may also be 0: then
    /// the prior is played as it is, without the denoiser.
    pub steps: usize,
    /// Frames of context, that is of sound already played, which the network gets; at most the
    /// context frames of the network.
    pub context_frames: usize,
    /// The method of a step.
    pub sampler: SamplerKind,
    /// How the steps are spaced.
    pub spacing: Spacing,
    /// Guidance weight. With 1, a step is one call of the network, otherwise two.
    pub guidance: f64,
    /// Whether sound may wait for later frames, if the vocoder is a mel decoder that uses them.
    /// Then [`super::Streamer::finish`] gives the last samples. It takes effect when a stream
    /// starts.
    pub looks_ahead: bool,
    /// Whether to make the band above 8 kHz, too, at 48,000 Hz, if the model knows it. It takes
    /// effect when a stream starts.
    pub is_wide: bool,
    /// The buses to make. It takes effect when a stream starts.
    pub buses: Buses,
    /// Whether hops are taken from a sliding window of full targets. Then the velocity of notes is
    /// applied to the mel if the network does not hear velocity. It takes effect when a stream
    /// starts.
    pub window: bool,
    /// The form of the weights while the network runs. It takes effect when a stream starts.
    pub arithmetic: Arithmetic,
    /// The seed of all noise. The same events, options and seed give the same samples on the same
    /// machine.
    pub seed: u64,
}

impl StreamOptions {
    /// The options of the model for whole songs.
    pub fn song(bundle: &Bundle) -> Self {
        let m = bundle.manifest();
        let song = Self::with(bundle, m.song.hop_frames, m.song.steps, m.song.context_frames);
        Self { looks_ahead: true, ..song }
    }

    /// The options of the model for playing live; none if it cannot.
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
    /// The inference engine failed, or an option does not fit.
    #[error(transparent)]
    Denoise(#[from] DenoiseError),
    /// The model cannot make hops of this length.
    #[error(
        "a hop of {found} frames ({ms} ms); this model makes 1 to {max} frames of 20 ms",
        ms = found * 20
    )]
    Hop {
        /// The frames of the hop in the options.
        found: usize,
        /// The target frames of the network.
        max: usize,
    },
}
