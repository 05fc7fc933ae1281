//! One hop after the other: cut -> tokens -> encode -> denoise -> vocode. Knows no device, no thread and no clock.
//!
//! Song mode and live mode are the same thing with hops of another length: the mel of the last hops is the context of the
//! next, so the sound goes on without cross-fades. A network that only knows full targets plays live out of a sliding `window`.

use crate::bundle::Bundle;
use crate::denoise::held::Held;
use crate::denoise::network::{Network, RunOptions};
use crate::denoise::noise::SeededNoise;
use crate::denoise::sampler::{Sampler, SamplerOptions};
use crate::denoise::schedule::{Level, Schedule};
use crate::dynamics::Dynamics;
use crate::event::Event;
use crate::ledger::{Ledger, Sounding};
use crate::mel::FeatureRange;
use crate::notes::NoteEvent;
use crate::parts::Parts;
use crate::prior::NotePrior;
use crate::threads::Threads;
use crate::timeline::Timeline;
use crate::tokens::merge::Merge;
use crate::tokens::{EncodeReport, TokenOptions, encode_segment};
use crate::units::{FrameIdx, MEL_BINS};
use crate::vocoder::Playing;
use crate::vocoder::inverter::Inverter;
use crate::vocoder::tables::Tables;
use crate::window::Window;
use std::sync::Arc;

mod mix;
mod options;
mod players;
mod queue;

use mix::Mix;
use queue::{Item, Queue};

pub use options::{StreamError, StreamOptions};

/// How far above the floor, in network scale, still is the floor: what rounding leaves.
const SILENCE: f32 = 1e-5;

/// One hop's result; borrowed until the next.
#[derive(Debug, Clone, Copy)]
pub struct Hop<'a> {
    /// The hop's first frame.
    pub start: FrameIdx,
    /// Natural-log mel [hop_frames, 128].
    pub mel: &'a [f32],
    /// hop_frames * 20 ms of samples of the first bus at [`Streamer::sample_rate_hz`]; in a stream that looks ahead those that are ready.
    pub samples: &'a [f32],
    /// The same of every bus ([`crate::parts::Buses::list`]).
    pub buses: &'a [Vec<f32>],
    /// What the token limit cost.
    pub report: EncodeReport,
}

/// A stream of sound from a stream of note events.
#[derive(Debug)]
pub struct Streamer {
    options: StreamOptions,
    tokens: TokenOptions,
    range: FeatureRange,
    queue: Queue,
    merge: Merge,
    ledger: Ledger,
    parts: Parts,
    mix: Mix,
    timeline: Timeline,
    network: Network,
    sampler: Sampler,
    schedule: Schedule,
    vocoder: Inverter,
    prior: Option<NotePrior>,
    /// The hop as the note prior hears it, in nats, plain and struck; empty without one.
    prior_mel: Vec<f32>,
    struck_mel: Vec<f32>,
    /// The same in network scale.
    prior_frames: Vec<f32>,
    /// Nats that one unit of the denoiser's output adds to it.
    residual_nats: f32,
    position: FrameIdx,
    hops: u64,
    ids: Vec<u32>,
    /// The last frames in network scale, at most `context_frames`; not used with a window.
    context: Vec<f32>,
    window: Option<Window>,
    /// A full target in network scale, with a window.
    target: Vec<f32>,
    /// Without a note prior: how loud notes are.
    dynamics: Option<Dynamics>,
    /// Whether no note is in the window.
    is_idle: bool,
    tables: Arc<Tables>,
    /// The hop in network scale, later its mel in nats.
    frames: Vec<f32>,
    /// The hop as the vocoder gets it, in nats: its notes struck.
    voiced: Vec<f32>,
    /// The hop's sound, bus by bus.
    samples: Vec<Vec<f32>>,
    report: EncodeReport,
}

impl Streamer {
    /// Loads the model and prepares the schedule.
    ///
    /// # Errors
    /// [`StreamError`] naming what does not fit.
    pub fn new(bundle: &Bundle, options: StreamOptions) -> Result<Self, StreamError> {
        let manifest = bundle.manifest();
        let max = manifest.network.target_frames;
        let sampler = Sampler::new(SamplerOptions {
            prediction: manifest.sampling.prediction,
            clip_x0: manifest.sampling.clip_x0,
            ..SamplerOptions::default()
        });
        let tables = Arc::new(Tables::new());
        let mut streamer = Self {
            tokens: manifest.tokens.clone(),
            range: manifest.mel.range,
            queue: Queue::default(),
            merge: Merge::default(),
            ledger: Ledger::new(),
            parts: Parts::new(),
            mix: Mix::default(),
            timeline: Timeline::new(&manifest.tokens),
            vocoder: bundle.vocoder(tables.clone())?,
            prior: bundle.prior(tables.clone())?,
            tables,
            window: None,
            target: vec![],
            dynamics: None,
            is_idle: false,
            prior_mel: vec![],
            struck_mel: vec![],
            voiced: vec![],
            prior_frames: vec![],
            residual_nats: manifest.prior.map_or(0.0, |p| p.residual_nats),
            context: Vec::with_capacity((manifest.network.context_frames + max) * MEL_BINS),
            frames: vec![],
            samples: vec![],
            position: FrameIdx(0),
            hops: 0,
            ids: Vec::with_capacity(manifest.network.max_tokens),
            report: EncodeReport::default(),
            network: bundle.network_with(RunOptions::of(options.arithmetic))?,
            schedule: Schedule::new(options.steps, options.spacing)?,
            options,
            sampler,
        };
        streamer.restart(options)?;
        Ok(streamer)
    }

    /// Forgets every event and all sound, and starts again at 0 with other options.
    ///
    /// # Errors
    /// [`StreamError`] for an option that does not fit.
    pub fn restart(&mut self, options: StreamOptions) -> Result<(), StreamError> {
        self.set(options)?;
        let StreamOptions { seed, looks_ahead, is_wide, buses, .. } = options;
        self.vocoder.restart(seed, looks_ahead, is_wide, buses)?;
        self.queue.clear();
        self.merge.clear();
        self.ledger.clear();
        self.parts = Parts::new();
        self.mix = Mix::new(buses);
        self.timeline = Timeline::new(&self.tokens);
        if let Some(prior) = &mut self.prior {
            prior.clear();
        }
        self.context.clear();
        let network = self.network.config();
        let window = || Window::new(&self.tokens, network.target_frames, network.context_frames);
        self.window = options.window.then(window);
        let hears_velocity = !options.window || self.tokens.velocity_bins > 1;
        let dynamics = || Dynamics::new(self.tables.clone(), hears_velocity);
        self.dynamics = self.prior.is_none().then(dynamics);
        (self.position, self.hops, self.is_idle) = (FrameIdx(0), 0, false);
        Ok(())
    }

    /// Goes on with other options from the next hop on; the vocoder keeps the seed it was started with.
    ///
    /// # Errors
    /// [`StreamError`] for an option that does not fit; nothing has changed then.
    pub fn set(&mut self, options: StreamOptions) -> Result<(), StreamError> {
        let max = self.network.config().target_frames;
        if !(1..=max).contains(&options.hop_frames) {
            return Err(StreamError::Hop { found: options.hop_frames, max });
        }
        let schedule = Schedule::new(options.steps, options.spacing)?;
        self.network.film_table(&schedule)?;
        self.schedule = schedule;
        self.sampler.options.kind = options.sampler;
        self.sampler.options.guidance_weight = options.guidance;
        self.frames.resize(options.hop_frames * MEL_BINS, 0.0);
        if self.prior.is_some() {
            self.prior_mel.resize(options.hop_frames * MEL_BINS, 0.0);
            self.struck_mel.resize(options.hop_frames * MEL_BINS, 0.0);
        }
        self.options = options;
        Ok(())
    }

    /// The options in force.
    pub fn options(&self) -> &StreamOptions {
        &self.options
    }

    /// Lets the network use these threads, one without this; the same sound either way.
    pub fn set_threads(&mut self, threads: Threads) {
        self.network.set_threads(threads);
    }

    /// Samples a second of the sound: 48,000 if it is wide and the model knows what lies above 8 kHz, else 16,000.
    pub fn sample_rate_hz(&self) -> u32 {
        self.vocoder.sample_rate_hz()
    }

    /// The first frame of the next hop.
    pub fn position(&self) -> FrameIdx {
        self.position
    }

    /// Whether the last hop is silence that took no network: a window without any note. It says nothing of how long hops take.
    pub fn is_idle(&self) -> bool {
        self.is_idle
    }

    /// Adds a note event that belongs to no part, in any order; one that comes too late happens at the start of the next hop.
    pub fn push(&mut self, event: NoteEvent) {
        self.queue.push(&self.tokens, event.time_s, Item::Note(event));
    }

    /// Adds an event of a part, as [`Self::push`]; of events at one time the first comes first.
    pub fn event(&mut self, event: Event) {
        self.queue.push(&self.tokens, event.at_s, Item::Event(event));
    }

    /// How many notes gave way because more sounded than there is room for.
    pub fn stolen(&self) -> u64 {
        self.ledger.stolen()
    }

    /// The notes that sound or ring out.
    pub fn notes(&self) -> &[Sounding] {
        self.ledger.notes()
    }

    /// Makes the next hop.
    ///
    /// # Errors
    /// Whatever the engine says.
    pub fn hop(&mut self) -> Result<Hop<'_>, StreamError> {
        self.encode()?;
        self.denoise()?;
        self.vocode()
    }

    /// The first third of [`Self::hop`], for who measures them apart: notes and past -> the network's memory.
    ///
    /// # Errors
    /// Whatever the engine says.
    pub fn encode(&mut self) -> Result<(), StreamError> {
        let end = FrameIdx(self.position.0 + self.options.hop_frames as u64);
        self.listen(end)?;
        let cut = self.timeline.cut(self.position.step(), end.step());
        let StreamOptions { hop_frames, context_frames, .. } = self.options;
        match &mut self.window {
            None => {
                self.report = encode_segment(&cut, &self.tokens, &mut self.ids);
                self.network.encode(&self.ids, &self.context)?;
            }
            Some(window) => {
                let cut = window.hear(cut.events, self.position, hop_frames);
                self.report = encode_segment(&cut, &self.tokens, &mut self.ids);
                self.is_idle = cut.held.is_empty() && cut.events.is_empty();
                if !self.is_idle {
                    self.network.encode(&self.ids, window.context(hop_frames, context_frames))?;
                }
            }
        }
        if let Some(prior) = &mut self.prior {
            let notes = (&mut self.ledger, &self.parts);
            let reference = self.mix.reference().get(1..).unwrap_or_default();
            let mels = [&mut self.prior_mel, &mut self.struck_mel];
            let [plain, struck] = mels.map(Vec::as_mut_slice);
            prior.render(self.position, notes, reference, plain, struck)?;
            self.mix.share(prior.noises(), &self.ledger, &self.parts);
            self.prior_frames.clone_from(&self.prior_mel);
            self.range.scale_slice(&mut self.prior_frames, true);
            self.network.set_prior(&self.prior_frames)?;
        }
        Ok(())
    }

    /// The second third: noise -> the hop's frames, K steps.
    ///
    /// # Errors
    /// Whatever the engine says.
    pub fn denoise(&mut self) -> Result<(), StreamError> {
        match self.window.is_some() {
            true => self.denoise_window()?,
            false => self.denoise_hop()?,
        }
        self.range.unscale_slice(&mut self.frames, true);
        Ok(())
    }

    /// The hop is the target; it becomes the end of the context.
    fn denoise_hop(&mut self) -> Result<(), StreamError> {
        let mut noise = SeededNoise::new(self.options.seed, self.hops);
        let (schedule, network) = (&self.schedule, &mut self.network);
        self.sampler.sample(schedule, network, &mut noise, &mut self.frames, &mut |_, _| {})?;
        if self.prior.is_some() {
            self.add_prior();
        }
        let limit =
            self.options.context_frames.min(self.network.config().context_frames) * MEL_BINS;
        self.context.extend_from_slice(&self.frames);
        let excess = self.context.len().saturating_sub(limit);
        self.context.drain(..excess);
        Ok(())
    }

    /// The hop is what a full target has behind the frames that were played.
    fn denoise_window(&mut self) -> Result<(), StreamError> {
        let Some(window) = &mut self.window else { return Ok(()) };
        if self.is_idle {
            self.frames.fill(-1.0);
            window.play(&self.frames);
            return Ok(());
        }
        let played = window.held(self.options.hop_frames);
        let mut held = Held::new(played);
        let mut noise = SeededNoise::new(self.options.seed, self.hops);
        self.target.resize(self.network.config().target_frames * MEL_BINS, 0.0);
        let hold = &mut |level: &Level, z: &mut [f32]| held.put(level, z);
        let (schedule, network) = (&self.schedule, &mut self.network);
        self.sampler.sample(schedule, network, &mut noise, &mut self.target, hold)?;
        let made = self.target.get(played.len()..).unwrap_or_default();
        self.frames.iter_mut().zip(made).for_each(|(frame, made)| *frame = *made);
        window.play(&self.frames);
        Ok(())
    }

    /// What the denoiser made is added to what the note prior said; where no note sounds it stays silent. In network scale.
    fn add_prior(&mut self) {
        let by = self.residual_nats * 2.0 / (self.range.max - self.range.min) as f32;
        let frames = self.frames.chunks_exact_mut(MEL_BINS);
        for (frame, prior) in frames.zip(self.prior_frames.chunks_exact(MEL_BINS)) {
            let is_silent = prior.iter().all(|v| *v < -1.0 + SILENCE);
            for (x, prior) in frame.iter_mut().zip(prior) {
                *x = if is_silent { -1.0 } else { (prior + *x * by).clamp(-1.0, 1.0) };
            }
        }
    }

    /// The last third: frames and notes -> samples.
    ///
    /// # Errors
    /// Whatever the engine says.
    pub fn vocode(&mut self) -> Result<Hop<'_>, StreamError> {
        let start = self.position;
        self.voiced.clone_from(&self.frames);
        let struck = self.struck_mel.iter().zip(&self.prior_mel);
        self.voiced.iter_mut().zip(struck).for_each(|(v, (struck, plain))| *v += struck - plain);
        if let Some(dynamics) = &mut self.dynamics {
            dynamics.apply(start, &self.ledger, &self.parts, &mut self.voiced);
            self.mix.share(dynamics.shares(), &self.ledger, &self.parts);
        }
        let (ledger, parts) = (&self.ledger, &self.parts);
        let (reference, noise) = (self.mix.reference(), self.mix.noise());
        let playing = Playing { start, ledger, parts, reference, noise };
        self.vocoder.render(playing, &self.voiced, &mut self.samples)?;
        self.position = FrameIdx(start.0 + self.options.hop_frames as u64);
        self.hops += 1;
        self.forget();
        let buses = self.samples.as_slice();
        let samples = buses.first().map(Vec::as_slice).unwrap_or_default();
        Ok(Hop { start, mel: &self.frames, samples, buses, report: self.report })
    }

    /// The samples that waited for frames behind them, of a stream that looks ahead; none else. Nothing may come after.
    ///
    /// # Errors
    /// Whatever the engine says.
    pub fn finish(&mut self) -> Result<&[Vec<f32>], StreamError> {
        self.vocoder.finish(self.mix.last(), &mut self.samples)?;
        Ok(&self.samples)
    }
}
