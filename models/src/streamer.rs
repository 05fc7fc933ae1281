//! Turns events into sound: events are cut into hops and encoded as tokens, the denoiser makes a
//! mel, and the vocoder makes samples. It knows no device, no thread and no clock.
//!
//! A model with a note prior is played tick by tick (`ticks`): the sound of the notes themselves is
//! known at once, and the residual of the denoiser is made ahead. Any other model is played hop by
//! hop (`hops`): the mel of the last hops is the context of the next one, so the sound continues
//! without cross-fades. A network that knows only full targets plays live through a sliding
//! `window`. Song mode and live mode differ only in the length of a hop.

use crate::bundle::Bundle;
use crate::event::Event;
use crate::ledger::{Ledger, Sounding};
use crate::mel::FeatureRange;
use crate::notes::{Kits, NoteEvent};
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

/// The result of one hop, borrowed until the next hop.
#[derive(Debug, Clone, Copy)]
pub struct Hop<'a> {
    /// The first frame of the hop.
    pub start: FrameIdx,
    /// Natural-log mel [hop_frames, 128].
    pub mel: &'a [f32],
    /// The samples of the first bus, hop_frames * 20 ms at [`Streamer::sample_rate_hz`]. If the
    /// stream looks ahead, these are the samples that are ready so far.
    pub samples: &'a [f32],
    /// The samples of every bus, in the order of [`crate::parts::Buses::list`].
    pub buses: &'a [Vec<f32>],
    /// The number of tokens, and what was left out because of their limit.
    pub report: EncodeReport,
}

/// What makes the mel.
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
    kits: Kits,
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
    /// The natural-log mel of the hop. A stream made hop by hop holds it in network scale until it
    /// is denoised.
    frames: Vec<f32>,
    /// The samples of the hop or tick, for each bus.
    samples: Vec<Vec<f32>>,
    report: EncodeReport,
}

impl Streamer {
    /// Loads the model and prepares the noise schedule.
    ///
    /// # Errors
    /// [`StreamError`] names what does not fit.
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
            kits: manifest.kits.clone(),
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

    /// Removes all events and all sound, and starts again at time 0 with other options.
    ///
    /// # Errors
    /// [`StreamError`] if an option does not fit.
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

    /// Changes the options from the next hop on. The vocoder keeps the seed that it was started
    /// with.
    ///
    /// # Errors
    /// [`StreamError`] if an option does not fit. Then nothing has changed.
    pub fn set(&mut self, options: StreamOptions) -> Result<(), StreamError> {
        match &mut self.maker {
            Maker::Ticks(ticks) => ticks.set(options)?,
            Maker::Hops(hops) => hops.set(options)?,
        }
        self.options = options;
        Ok(())
    }

    /// The current options.
    pub fn options(&self) -> &StreamOptions {
        &self.options
    }

    /// Sets the threads that the network may use; by default it uses one. The sound is the same
    /// either way.
    pub fn set_threads(&mut self, threads: Threads) {
        match &mut self.maker {
            Maker::Ticks(ticks) => ticks.set_threads(threads),
            Maker::Hops(hops) => hops.denoiser.set_threads(threads),
        }
    }

    /// The sample rate of the sound: 48,000 Hz if [`StreamOptions::is_wide`] is set and the model
    /// knows the band above 8 kHz, else 16,000 Hz.
    pub fn sample_rate_hz(&self) -> u32 {
        self.vocoder.sample_rate_hz()
    }

    /// The first frame of the next hop. If ticks are made one by one, the frame of the next tick.
    pub fn position(&self) -> FrameIdx {
        self.position
    }

    /// Whether the last hop is silence that was made without the network, because its window has no
    /// note. The time such a hop took says nothing about other hops.
    pub fn is_idle(&self) -> bool {
        matches!(&self.maker, Maker::Hops(hops) if hops.is_idle)
    }

    /// Adds a note event that belongs to no part. Events may be added in any order; one that is too
    /// late takes effect at once.
    pub fn push(&mut self, event: NoteEvent) {
        self.queue.push(&self.tokens, event.time_s, Item::Note(event));
    }

    /// Adds an event of a part; otherwise as [`Self::push`]. Events of the same time take effect in
    /// the order in which they were added.
    pub fn event(&mut self, event: Event) {
        self.queue.push(&self.tokens, event.at_s, Item::Event(event));
    }

    /// The number of notes that were ended early because too many sounded at the same time.
    pub fn stolen(&self) -> u64 {
        self.ledger.stolen()
    }

    /// The notes that are held or ring out.
    pub fn notes(&self) -> &[Sounding] {
        self.ledger.notes()
    }

    /// Makes the next hop.
    ///
    /// # Errors
    /// The inference engine failed.
    pub fn hop(&mut self) -> Result<Hop<'_>, StreamError> {
        self.encode()?;
        self.denoise()?;
        self.vocode()
    }

    /// The first of the three stages of [`Self::hop`], which can be called one by one to measure
    /// them: encodes notes and context into the memory of the network. For streams made tick by
    /// tick it does nothing, because [`Self::vocode`] does all the work.
    ///
    /// # Errors
    /// The inference engine failed.
    pub fn encode(&mut self) -> Result<(), StreamError> {
        if self.is_in_ticks() { Ok(()) } else { self.encode_hop() }
    }

    /// The second stage: makes the frames of the hop from noise, in all denoising steps.
    ///
    /// # Errors
    /// The inference engine failed.
    pub fn denoise(&mut self) -> Result<(), StreamError> {
        if self.is_in_ticks() { Ok(()) } else { self.denoise_hop() }
    }

    /// The third stage: makes samples from frames and notes.
    ///
    /// # Errors
    /// The inference engine failed.
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

    /// The last samples of a stream that looks ahead, which waited for later frames. It is empty
    /// for other streams. After this call the stream must not be used without a restart.
    ///
    /// # Errors
    /// The inference engine failed.
    pub fn finish(&mut self) -> Result<&[Vec<f32>], StreamError> {
        self.vocoder.finish(self.mix.noise(), &mut self.samples)?;
        Ok(&self.samples)
    }
}
