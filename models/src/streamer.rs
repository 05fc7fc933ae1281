//! Events in, sound out: cut -> tokens -> encode -> denoise -> vocode. Knows no device, no thread
//! and no clock.
//!
//! A model with a note prior is played tick by tick (`ticks`): what the notes sound like is known
//! at once, and what the denoiser adds is made ahead. Any other is played hop by hop (`hops`): the
//! mel of the last hops is the context of the next, so the sound goes on without cross-fades, and a
//! network that only knows full targets plays live out of a sliding `window`. Song mode and live
//! mode are the same thing with hops of another length.

use crate::bundle::Bundle;
use crate::event::Event;
use crate::ledger::{Ledger, Sounding};
use crate::mel::FeatureRange;
use crate::notes::NoteEvent;
use crate::parts::Parts;
use crate::threads::Threads;
use crate::timeline::Timeline;
use crate::tokens::merge::Merge;
use crate::tokens::{EncodeReport, TokenOptions};
use crate::units::FrameIdx;
use crate::vocoder::inverter::Inverter;
use crate::vocoder::tables::Tables;
use std::sync::Arc;

mod denoiser;
mod hops;
mod mix;
mod options;
mod players;
mod queue;
mod ticks;

use hops::Hops;
use mix::Mix;
use queue::{Item, Queue};
use ticks::Ticks;

pub use denoiser::{Answer, Denoiser, Question};
pub use options::{StreamError, StreamOptions};

/// One hop's result; borrowed until the next.
#[derive(Debug, Clone, Copy)]
pub struct Hop<'a> {
    /// The hop's first frame.
    pub start: FrameIdx,
    /// Natural-log mel [hop_frames, 128].
    pub mel: &'a [f32],
    /// hop_frames * 20 ms of samples of the first bus at [`Streamer::sample_rate_hz`]; in a stream
    /// that looks ahead those that are ready.
    pub samples: &'a [f32],
    /// The same of every bus ([`crate::parts::Buses::list`]).
    pub buses: &'a [Vec<f32>],
    /// What the token limit cost.
    pub report: EncodeReport,
}

/// Who makes the mel.
#[derive(Debug)]
enum Maker {
    Ticks(Box<Ticks>),
    Hops(Box<Hops>),
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
    maker: Maker,
    vocoder: Inverter,
    position: FrameIdx,
    /// The hop's mel in nats; while it is made hop by hop, in network scale.
    frames: Vec<f32>,
    /// The sound of the hop, or of the tick, bus by bus.
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
        let tables = Arc::new(Tables::new());
        let denoiser = Denoiser::new(bundle, options)?;
        let lives = Arc::new(bundle.lives()?);
        let maker = match bundle.prior(tables.clone(), lives.clone())? {
            Some(prior) => Maker::Ticks(Box::new(Ticks::new(prior, denoiser))),
            None => Maker::Hops(Box::new(Hops::new(denoiser, tables.clone()))),
        };
        let mut streamer = Self {
            tokens: manifest.tokens.clone(),
            range: manifest.mel.range,
            queue: Queue::default(),
            merge: Merge::default(),
            ledger: Ledger::new(),
            parts: Parts::new(),
            mix: Mix::default(),
            timeline: Timeline::new(&manifest.tokens),
            vocoder: bundle.vocoder(tables, lives)?,
            maker,
            frames: vec![],
            samples: vec![],
            position: FrameIdx(0),
            report: EncodeReport::default(),
            options,
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
        self.samples = vec![vec![]; buses.list().len()];
        self.position = FrameIdx(0);
        match &mut self.maker {
            Maker::Ticks(ticks) => ticks.restart(),
            Maker::Hops(hops) => hops.restart(&options, &self.tokens),
        }
        Ok(())
    }

    /// Goes on with other options from the next hop on; the vocoder keeps the seed it was started
    /// with.
    ///
    /// # Errors
    /// [`StreamError`] for an option that does not fit; nothing has changed then.
    pub fn set(&mut self, options: StreamOptions) -> Result<(), StreamError> {
        match &mut self.maker {
            Maker::Ticks(ticks) => ticks.set(options)?,
            Maker::Hops(hops) => hops.set(options)?,
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
        match &mut self.maker {
            Maker::Ticks(ticks) => ticks.set_threads(threads),
            Maker::Hops(hops) => hops.denoiser.set_threads(threads),
        }
    }

    /// Samples a second of the sound: 48,000 if it is wide and the model knows what lies above 8
    /// kHz, else 16,000.
    pub fn sample_rate_hz(&self) -> u32 {
        self.vocoder.sample_rate_hz()
    }

    /// The first frame of the next hop; where ticks are made one by one, the frame of the next
    /// tick.
    pub fn position(&self) -> FrameIdx {
        self.position
    }

    /// Whether the last hop is silence that took no network: a window without any note. It says
    /// nothing of how long hops take.
    pub fn is_idle(&self) -> bool {
        matches!(&self.maker, Maker::Hops(hops) if hops.is_idle)
    }

    /// Adds a note event that belongs to no part, in any order; one that comes too late happens at
    /// once.
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

    /// The first third of [`Self::hop`], for who measures them apart: notes and past -> the
    /// network's memory. What is made tick by tick is made by [`Self::vocode`] alone.
    ///
    /// # Errors
    /// Whatever the engine says.
    pub fn encode(&mut self) -> Result<(), StreamError> {
        if self.is_in_ticks() { Ok(()) } else { self.encode_hop() }
    }

    /// The second third: noise -> the hop's frames, K steps.
    ///
    /// # Errors
    /// Whatever the engine says.
    pub fn denoise(&mut self) -> Result<(), StreamError> {
        if self.is_in_ticks() { Ok(()) } else { self.denoise_hop() }
    }

    /// The last third: frames and notes -> samples.
    ///
    /// # Errors
    /// Whatever the engine says.
    pub fn vocode(&mut self) -> Result<Hop<'_>, StreamError> {
        let start = self.position;
        if self.is_in_ticks() {
            self.hop_of_ticks()?;
        } else {
            self.vocode_hop()?;
        }
        let buses = self.samples.as_slice();
        let samples = buses.first().map(Vec::as_slice).unwrap_or_default();
        Ok(Hop { start, mel: &self.frames, samples, buses, report: self.report })
    }

    /// The samples that waited for frames behind them, of a stream that looks ahead; none else.
    /// Nothing may come after.
    ///
    /// # Errors
    /// Whatever the engine says.
    pub fn finish(&mut self) -> Result<&[Vec<f32>], StreamError> {
        self.vocoder.finish(self.mix.noise(), &mut self.samples)?;
        Ok(&self.samples)
    }
}
