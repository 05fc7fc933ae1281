//! The inference thread takes MIDI and settings and puts samples into the ring, one piece at a
//! time. A piece is a tick of 2.5 ms, or a hop for models that are made hop by hop. It knows no
//! port and no device.
//!
//! Every event has the same delay: an event that arrives while the device plays stream second p
//! sounds at p + lead + length of a piece. Computing of a piece begins when the device is `lead`
//! before the start of the piece, so that all its events have arrived by then. The lead is the sum
//! of the measured time for computing and for waking up, the buffer of the device, and a margin.
//! The callback of the device wakes the thread, so that the thread reads a clock that was just set.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use crossbeam::channel::Receiver;
use ringbuf::HeapProd;
use ringbuf::traits::Producer;
use timbre_control::settings::Settings;
use timbre_models::bundle::Bundle;
use timbre_models::event::Event;

use super::callback::Level;
use super::clock::PlayPosition;
use super::engine::Engine;
use super::loading::NextModel;
use super::model::{Model, Preparation};
use super::resampler::HopResampler;
use super::stems::PartsSink;
use crate::bus::priority::ask_for_realtime;
use crate::bus::queues::{Midi, MidiReceiver, Pulses, SourceId, Telemetry};
use crate::error::Error;
use crate::mix::{Frame, Mix, MixSettings};
use crate::recording::Tap;

/// The longest that the thread sleeps before it looks for something to do.
const NAP: Duration = Duration::from_millis(5);
/// Seconds of a frame.
const FRAME_S: f64 = 0.02;
/// The share of the lead that must be in the ring before a stream that ran dry goes on.
const REFILL: f64 = 0.5;
/// The weight of the last second in the published load.
const LOAD_SHARE: f64 = 0.9;

/// One opened device, as inference sees it; a new one replaces it.
pub struct Sink {
    /// The ring for samples; the callback reads the other end.
    pub ring: HeapProd<Frame>,
    /// The position of the device in the stream.
    pub position: Arc<PlayPosition>,
    /// What the callback reads.
    pub level: Arc<Level>,
    /// The device's rate.
    pub rate_hz: u32,
    /// The ring for the sound of each part, if parts have ports of their own.
    pub parts: Option<PartsSink>,
}

/// Everything the thread needs.
pub struct Inference {
    /// The model to begin with.
    pub bundle: Bundle,
    /// How models are prepared.
    pub preparation: Preparation,
    /// Messages of all sources.
    pub midi: MidiReceiver,
    /// Models that are ready; each replaces the one before.
    pub models: Receiver<NextModel>,
    /// Devices; each replaces the one before.
    pub sinks: Receiver<Sink>,
    /// The settings.
    pub settings: Arc<ArcSwap<Settings>>,
    /// What the thread publishes about itself.
    pub telemetry: Arc<Telemetry>,
    /// A fixed lead in place of the measured one.
    pub lead: Option<Duration>,
    /// Real-time priority of the thread; 0: ordinary.
    pub realtime_priority: u8,
    /// Ends the thread when it is set.
    pub stop: Arc<AtomicBool>,
}

/// A device that plays, and its place in the stream.
struct Playing {
    sink: Sink,
    resampler: HopResampler,
    mix: Mix,
    mixed: Vec<Frame>,
    /// Stream seconds of the ring's first sample.
    origin_s: f64,
    /// Whether the ring is as full as it should be. Until then every piece counts as late, so
    /// delays are not judged.
    is_steady: bool,
}

impl Playing {
    /// Makes the device play what `engine` makes from now on.
    fn new(sink: Sink, engine: &mut Engine) -> Result<Self, Error> {
        let resampler = resampler(&sink, engine)?;
        let origin_s = engine.next_s();
        sink.level.wake(thread::current());
        engine.tap.device(sink.rate_hz, resampler.delay_s(), origin_s);
        let mix = Mix::new(MixSettings::default(), engine.rate_hz());
        Ok(Self { sink, resampler, mix, mixed: vec![], origin_s, is_steady: false })
    }

    /// The stream second that the device plays at `at`.
    fn stream_s(&self, at: Instant) -> f64 {
        self.origin_s + self.sink.position.sample_at(at) / f64::from(self.sink.rate_hz)
    }

    /// Adapts to the sample rate of a model that has just begun.
    fn follow(&mut self, engine: &mut Engine) -> Result<(), Error> {
        if engine.rate_hz() != self.resampler.from_hz() {
            self.resampler = resampler(&self.sink, engine)?;
            self.mix = Mix::new(MixSettings::default(), engine.rate_hz());
            engine.tap.device(self.sink.rate_hz, self.resampler.delay_s(), engine.next_s());
        }
        Ok(())
    }

    /// How much the device takes at a time, according to its last callbacks, in seconds.
    fn buffer_s(&self) -> f64 {
        self.sink.level.frames() as f64 / f64::from(self.sink.rate_hz)
    }
}

/// The conversion from the rate of the model to that of the device.
fn resampler(sink: &Sink, engine: &Engine) -> Result<HopResampler, Error> {
    Ok(HopResampler::new(engine.rate_hz(), sink.rate_hz)?)
}

impl Inference {
    /// Runs until `stop` is set. All sound goes to the recording tap, too.
    ///
    /// # Errors
    /// A model without a live mode, or whatever the engine says.
    pub fn run(self, tap: Tap) -> Result<(), Error> {
        let settings = self.settings.load_full();
        ask_for_realtime(self.realtime_priority);
        let model = Model::prepare(self.bundle.clone(), &settings, &self.preparation)?;
        let mut engine = Engine::new(model, tap);
        self.telemetry.is_prepared.store(true, Ordering::Release);
        let mut playing: Option<Playing> = None;
        while !self.stop.load(Ordering::Acquire) {
            Pulses::beat(&self.telemetry.pulses.inference);
            if let Some(sink) = self.next_sink(playing.is_some()) {
                playing = Some(Playing::new(sink, &mut engine)?);
            }
            let settings = self.settings.load_full();
            engine.apply(&settings)?;
            let next = self.models.try_recv().ok();
            match &mut playing {
                None => self.listen(&mut engine),
                Some(playing) => self.turn(&mut engine, playing, &settings, next.is_some())?,
            }
            if let Some(NextModel { model, before }) = next {
                if let Some(playing) = &mut playing {
                    // The new stream begins where the old one ends.
                    playing.origin_s -= engine.next_s();
                }
                let _ = before.send(engine.change(model));
                if let Some(playing) = &mut playing {
                    playing.follow(&mut engine)?;
                }
            }
        }
        Ok(())
    }

    /// Takes the newest device, if there is a new one. Without any device it waits a little.
    fn next_sink(&self, has_one: bool) -> Option<Sink> {
        let mut newest = self.sinks.try_iter().last();
        if newest.is_none() && !has_one {
            newest = self.sinks.recv_timeout(NAP).ok();
        }
        newest
    }

    /// Takes messages while there is no device: time stands still, but keys are released and
    /// sources go away.
    fn listen(&self, engine: &mut Engine) {
        let now_s = engine.next_s();
        self.receive(engine, |_| now_s);
    }

    /// Handles one piece: waits for its time, takes events, makes sound, and passes it on. The last
    /// piece of a model fades out.
    fn turn(
        &self,
        engine: &mut Engine,
        playing: &mut Playing,
        settings: &Settings,
        is_last: bool,
    ) -> Result<(), Error> {
        let piece_s = engine.piece_s();
        let lead_s = match self.lead {
            // Less than the device takes at a time is never enough.
            Some(lead) => lead.as_secs_f64().max(playing.buffer_s()),
            None => engine.lead_s(playing.buffer_s()),
        };
        let gain = match settings.master.mute {
            true => 0.0,
            false => 10f32.powf(settings.master.gain as f32 / 20.0),
        };
        playing.sink.level.set_gain(gain);
        let refill = (REFILL * lead_s).max(playing.buffer_s()) * f64::from(playing.sink.rate_hz);
        playing.sink.level.set_refill(refill as usize);
        let late_s = loop {
            Pulses::beat(&self.telemetry.pulses.inference);
            let early_s = engine.next_s() - playing.stream_s(Instant::now()) - lead_s;
            if early_s <= 0.0 || self.stop.load(Ordering::Acquire) || !self.sinks.is_empty() {
                break (-early_s).max(0.0);
            }
            playing.is_steady = true;
            thread::park_timeout(Duration::from_secs_f64(early_s).min(NAP));
        };
        engine.tap.hop(engine.next_s());
        let delay_s = lead_s + piece_s;
        self.receive(engine, |at| playing.stream_s(at) + delay_s);
        let begun = Instant::now();
        if playing.is_steady && late_s > piece_s {
            self.telemetry.misses.fetch_add(1, Ordering::Relaxed);
        }
        let buses = engine.make(settings.engine.governor)?;
        let Playing { mix, mixed, .. } = playing;
        mix.set(&settings.reverb, &settings.chorus);
        mixed.clear();
        mix.push(buses, mixed);
        if is_last {
            fade(mixed);
        }
        if let Some(parts) = &mut playing.sink.parts {
            parts.push(buses, playing.resampler.from_hz(), is_last)?;
        }
        let (samples, tap) = (&playing.mixed, &mut engine.tap);
        let ring = &mut playing.sink.ring;
        // If something does not fit, the device stands still and did not ask for it.
        playing.resampler.push(samples, |samples| {
            ring.push_slice(samples);
            tap.sound(samples);
        })?;
        let compute = begun.elapsed();
        let left = playing.sink.level.take_least_left().filter(|_| playing.is_steady);
        let left_s = left.map(|left| left as f64 / f64::from(playing.sink.rate_hz));
        engine.made(compute, left_s, settings.engine.governor);
        let device_s = playing.sink.level.delay_s().unwrap_or(playing.buffer_s());
        let sound_s = delay_s + playing.resampler.delay_s() + device_s;
        self.publish(engine, compute, sound_s);
        Ok(())
    }

    /// Takes all messages that have arrived; `when` gives the stream second of each.
    fn receive(&self, engine: &mut Engine, when: impl Fn(Instant) -> f64) {
        let mut heard_s = engine.heard_s;
        let (streamer, players, tap) = engine.parts();
        let mut push = |event: Event| {
            tap.event(&event);
            streamer.event(event);
        };
        if self.midi.overflowed() {
            self.telemetry.overflows.fetch_add(1, Ordering::Relaxed);
            players.release_all(when(Instant::now()), &mut push);
        }
        let settings = self.settings.load();
        players.strips(when(Instant::now()), &settings.channels, &mut push);
        while let Some(input) = self.midi.next() {
            if let Midi::Message([status, controller, value]) = input.midi
                && status & 0xF0 == 0xB0
                && input.source != SourceId::OSC
            {
                let channel = usize::from(status & 0x0F);
                self.telemetry.controllers.set(channel, controller, value);
            }
            // The order of messages stays, even if the lead has become shorter in between.
            heard_s = heard_s.max(when(input.at));
            players.input(heard_s, input.source, input.midi, &mut push);
        }
        engine.heard_s = heard_s;
    }

    /// Publishes the level and the number of notes of each channel. The level of the hop is divided
    /// among the parts by the power of their notes.
    fn publish_parts(&self, engine: &Engine) {
        let t = &self.telemetry;
        let mut notes = [0u32; 16];
        for note in engine.notes() {
            if let Some(count) = notes.get_mut(usize::from(note.part.0)) {
                *count += 1;
            }
        }
        let levels = engine.part_levels();
        for (n, (level, notes)) in levels.iter().zip(notes).enumerate() {
            if let (Some(to), Some(count)) = (t.part_levels.get(n), t.part_notes.get(n)) {
                to.store(level.to_bits(), Ordering::Relaxed);
                count.store(notes, Ordering::Relaxed);
            }
        }
        t.stolen.store(engine.stolen(), Ordering::Relaxed);
    }

    fn publish(&self, engine: &mut Engine, compute: Duration, sound_s: f64) {
        let t = &self.telemetry;
        let piece_s = engine.piece_s();
        let load = compute.as_secs_f64() / piece_s;
        let share = 1.0 - (1.0 - LOAD_SHARE).powf(piece_s);
        let smooth = engine.load.map_or(load, |before| before + share * (load - before));
        engine.load = Some(smooth);
        t.load_permille.store((1e3 * smooth).round() as u32, Ordering::Relaxed);
        t.latency_us.store((sound_s * 1e6) as u64, Ordering::Relaxed);
        // Nobody reads the other values more often than once a frame.
        if (engine.next_s() / FRAME_S).fract() * FRAME_S > piece_s {
            return;
        }
        t.steps_now.store(engine.steps() as u32, Ordering::Relaxed);
        let (hop, longer) = engine.hop();
        t.hop_us.store(hop.as_micros() as u32, Ordering::Relaxed);
        t.hop_longer.store(longer as u32, Ordering::Relaxed);
        t.notes.store(engine.players.held() as u32, Ordering::Relaxed);
        t.programs.set(&engine.players.programs());
        t.missing_banks.set(&engine.players.missing_banks());
        t.places.take(engine.players.controllers());
        self.publish_parts(engine);
    }
}

/// Fades the frames out to silence.
pub(super) fn fade(frames: &mut [Frame]) {
    let length = frames.len() as f32;
    for (n, frame) in frames.iter_mut().enumerate() {
        let level = 1.0 - (n + 1) as f32 / length;
        frame.iter_mut().for_each(|side| *side *= level);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_hop_of_a_model_ends_in_silence() {
        let mut frames = [[1.0, 2.0], [1.0, 0.0], [-1.0, 0.0], [1.0, 1.0]];
        fade(&mut frames);
        assert_eq!(frames, [[0.75, 1.5], [0.5, 0.0], [-0.25, 0.0], [0.0, 0.0]]);
        fade(&mut []);
    }
}
