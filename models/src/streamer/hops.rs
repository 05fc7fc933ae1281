//! Streams made hop by hop, for models without a note prior, whose network makes the whole mel. It
//! knows no tick.

use super::denoiser::Denoiser;
use super::{Maker, StreamError, StreamOptions, Streamer};
use crate::denoise::held::Held;
use crate::denoise::schedule::Level;
use crate::dynamics::Dynamics;
use crate::tokens::{TokenOptions, encode_segment};
use crate::units::{FrameIdx, MEL_BINS, TICKS_PER_FRAME};
use crate::vocoder::Playing;
use crate::vocoder::life::unknown_noise;
use crate::vocoder::tables::Tables;
use crate::window::Window;
use std::sync::Arc;

/// The network, and the state of a stream made with it.
#[derive(Debug)]
pub(super) struct Hops {
    pub(super) denoiser: Denoiser,
    tables: Arc<Tables>,
    window: Option<Window>,
    /// A full target in network scale, used with a window.
    target: Vec<f32>,
    /// The loudness of the notes.
    dynamics: Dynamics,
    /// Whether the window has no note.
    pub(super) is_idle: bool,
    ids: Vec<u32>,
    count: u64,
    /// The level of the noise in each bus before the hop and at the end of each of its frames,
    /// [frames + 1, buses].
    noise: Vec<f32>,
}

impl Hops {
    /// The state before anything was played.
    pub(super) fn new(denoiser: Denoiser, tables: Arc<Tables>) -> Self {
        Self {
            denoiser,
            dynamics: Dynamics::new(tables.clone(), true),
            tables,
            window: None,
            target: vec![],
            is_idle: false,
            ids: vec![],
            count: 0,
            noise: vec![],
        }
    }

    /// Changes the options.
    pub(super) fn set(&mut self, options: StreamOptions) -> Result<(), StreamError> {
        self.denoiser.set(options)
    }

    /// Removes everything that was played.
    pub(super) fn restart(&mut self, options: &StreamOptions, tokens: &TokenOptions) {
        self.denoiser.context.clear();
        let network = self.denoiser.network.config();
        let window = || Window::new(tokens, network.target_frames, network.context_frames);
        self.window = options.window.then(window);
        let hears_velocity = !options.window || tokens.velocity_bins > 1;
        self.dynamics = Dynamics::new(self.tables.clone(), hears_velocity);
        (self.count, self.is_idle) = (0, false);
    }

    /// Makes the frames of the hop, in network scale.
    fn denoise(&mut self, frames: &mut Vec<f32>) -> Result<(), StreamError> {
        let options = self.denoiser.options;
        frames.resize(options.hop_frames * MEL_BINS, 0.0);
        let Some(window) = &mut self.window else {
            // Without a window the hop is the target, and it becomes the end of the context.
            self.denoiser.sample(self.count, frames, &mut |_, _| {})?;
            self.denoiser.remember(frames);
            return Ok(());
        };
        if self.is_idle {
            frames.fill(-1.0);
            window.play(frames);
            return Ok(());
        }
        // With a window the hop is the part of the full target behind the frames that were played.
        let played = window.held(options.hop_frames);
        let mut held = Held::new(played);
        let full = self.denoiser.network.config().target_frames;
        self.target.resize(full * MEL_BINS, 0.0);
        let hold = &mut |level: &Level, z: &mut [f32]| held.put(level, z);
        self.denoiser.sample(self.count, &mut self.target, hold)?;
        let made = self.target.get(played.len()..).unwrap_or_default();
        frames.iter_mut().zip(made).for_each(|(frame, made)| *frame = *made);
        window.play(frames);
        Ok(())
    }
}

impl Streamer {
    pub(super) fn encode_hop(&mut self) -> Result<(), StreamError> {
        let StreamOptions { hop_frames, context_frames, .. } = self.options;
        let end = FrameIdx(self.position.0 + hop_frames as u64);
        self.listen_to_steps(end.step())?;
        self.parts.advance(self.position.tick(), hop_frames * TICKS_PER_FRAME);
        let Maker::Hops(hops) = &mut self.maker else { return Ok(()) };
        let cut = self.timeline.cut(self.position.step(), end.step());
        match &mut hops.window {
            None => {
                self.report = encode_segment(&cut, &self.tokens, &mut hops.ids);
                let denoiser = &mut hops.denoiser;
                denoiser.network.encode(&hops.ids, &denoiser.context)?;
            }
            Some(window) => {
                let cut = window.hear(cut.events, self.position, hop_frames);
                self.report = encode_segment(&cut, &self.tokens, &mut hops.ids);
                hops.is_idle = cut.held.is_empty() && cut.events.is_empty();
                if !hops.is_idle {
                    let context = window.context(hop_frames, context_frames);
                    hops.denoiser.network.encode(&hops.ids, context)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn denoise_hop(&mut self) -> Result<(), StreamError> {
        let Maker::Hops(hops) = &mut self.maker else { return Ok(()) };
        hops.denoise(&mut self.frames)?;
        self.range.unscale_slice(&mut self.frames, true);
        Ok(())
    }

    pub(super) fn vocode_hop(&mut self) -> Result<(), StreamError> {
        let Maker::Hops(hops) = &mut self.maker else { return Ok(()) };
        self.samples.iter_mut().for_each(Vec::clear);
        hops.noise.clear();
        hops.noise.extend_from_slice(self.mix.noise_before());
        let mut voiced = self.frames.clone();
        for (n, mel) in voiced.chunks_exact_mut(MEL_BINS).enumerate() {
            let start = FrameIdx(self.position.0 + n as u64);
            let parts = &self.parts;
            let at = |part| parts.at_frame(part, n);
            hops.dynamics.apply(start, &self.ledger, at, mel);
            self.mix.share(hops.dynamics.shares(), &self.ledger, at);
            hops.noise.extend_from_slice(self.mix.noise());
            let first_tick = n * TICKS_PER_FRAME;
            let (ledger, noise) = (&self.ledger, self.mix.noise());
            let reference = [1.0; 2];
            let log_share = &unknown_noise();
            let playing = Playing {
                start,
                ledger,
                parts,
                first_tick,
                reference,
                noise,
                log_share,
                tones: &[],
            };
            self.vocoder.frame(&playing, mel, &mut self.samples)?;
            self.mix.next_frame();
        }
        let buses = self.samples.len();
        if hops.noise.len() < (self.options.hop_frames + 1) * buses {
            // Before the first hop the noise has the level of the end of its first frame.
            hops.noise.splice(..0, hops.noise[..buses].to_vec());
        }
        self.vocoder.hop(&voiced, &hops.noise, &mut self.samples)?;
        hops.count += 1;
        self.position.0 += self.options.hop_frames as u64;
        self.forget();
        Ok(())
    }
}
