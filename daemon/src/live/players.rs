//! From MIDI messages of many sources to the events of one stream. Knows no thread, no device and
//! no model.
//!
//! Every source has its own keys and pedals, while programs and controllers belong to the channel,
//! whichever source sends them. Each setting of a channel strip acts at its own place: transpose
//! and velocity curve on the keys, mute, solo and enable on whether they are heard, gain and morph
//! on the part. No change of them leaves a note behind: a key is released with the transposition
//! with which it was struck, and a channel that is muted releases its notes.

use midly::live::LiveEvent;
use timbre_control::settings::{Channel, Settings};
use timbre_models::event::{Control, Event, Part, What};
use timbre_models::notes::sysex::{Standard, SysEx};
use timbre_models::notes::{Channels, Keys, Voice, keyboard};

use crate::bus::controllers::Controllers;
use crate::bus::queues::{Midi, SourceId};

const CHANNELS: usize = 16;
const KEYS: usize = 128;

/// The keys of one source.
#[derive(Debug)]
struct Source {
    id: SourceId,
    keys: Keys,
    /// [channel][key]: the key it was struck as, 255 for not struck.
    struck_as: Box<[[u8; KEYS]; CHANNELS]>,
}

/// All sources together.
#[derive(Debug)]
pub struct Players {
    channels: Channels,
    sources: Vec<Source>,
    /// How many sources there were so far. The ids of notes contain the number of their source.
    count: u32,
    controllers: Controllers,
    strips: [Channel; CHANNELS],
    /// Level of everything (system exclusive), 0..=1.
    master: f32,
}

/// A control that a strip sets, and how its value follows from the strip.
type OfStrip = (Control, fn(&Channel) -> f32);

/// The controls of parts that strips set.
const OF_STRIPS: [OfStrip; 5] = [
    (Control::Gain, |strip| strip.gain as f32),
    (Control::Spread, |strip| strip.spread as f32),
    (Control::MorphProgram, |strip| strip.morph.program as f32),
    (Control::MorphAmount, |strip| strip.morph.amount as f32),
    (Control::MorphPressure, |strip| strip.morph.pressure as f32),
];

impl Players {
    /// The state at the start: no sources, and program 0 on every channel.
    pub fn new() -> Self {
        Self {
            channels: Channels::new(1),
            sources: Vec::with_capacity(16),
            count: 0,
            controllers: Controllers::new(),
            strips: Settings::default().channels,
            master: 1.0,
        }
    }

    /// Where the controllers of each channel are.
    pub fn controllers(&self) -> &Controllers {
        &self.controllers
    }

    /// General MIDI program of each channel.
    pub fn programs(&self) -> [u8; CHANNELS] {
        std::array::from_fn(|channel| self.channels.program(channel))
    }

    /// The instruments of all channels, each once and drum kits last, as voices of their lowest
    /// keys.
    pub fn instruments(&self) -> Vec<Voice> {
        let mut all: Vec<Voice> = vec![];
        for voice in (0..CHANNELS).filter_map(|channel| self.channels.voice(channel, 0)) {
            if !all.contains(&voice) {
                all.push(voice);
            }
        }
        all.sort_by_key(|voice| voice.is_drum);
        all
    }

    /// For each channel the bank that was asked for and does not exist; 0 where nothing is missing.
    pub fn missing_banks(&self) -> [u8; CHANNELS] {
        let bank = |channel| self.channels.missing_bank(channel).map_or(0, |missing| missing.bank);
        std::array::from_fn(bank)
    }

    /// Notes that are held, by finger or pedal.
    pub fn held(&self) -> usize {
        self.sources.iter().map(|source| source.keys.held()).sum()
    }

    /// Events that set everything that is set on parts, for a new stream.
    pub fn controls(&self, time_s: f64, out: &mut impl FnMut(Event)) {
        for (channel, controls) in self.controllers.controls().enumerate() {
            let part = Part(channel as u8);
            let master = What::Control(Control::MasterVolume, self.master);
            for what in controls.into_iter().chain([master]) {
                out(Event { at_s: time_s, part, what });
            }
        }
        for (channel, strip) in self.strips.iter().enumerate() {
            for (control, of) in OF_STRIPS {
                let (part, what) = (Part(channel as u8), What::Control(control, of(strip)));
                out(Event { at_s: time_s, part, what });
            }
        }
    }

    /// Takes a message that a source sends at `time_s` of the stream; `out` gets the events that
    /// follow from it.
    ///
    /// # Real time
    /// It allocates only for the first message of a new source.
    pub fn input(
        &mut self,
        time_s: f64,
        source: SourceId,
        midi: Midi,
        out: &mut impl FnMut(Event),
    ) {
        match midi {
            Midi::Message(bytes) => self.message(time_s, source, bytes, out),
            Midi::Exclusive(message) => self.exclusive(time_s, message, out),
            Midi::Tuning { key, semitones } => {
                let sources = self.sources.iter_mut().map(|source| &mut source.keys);
                let tuning = (key, semitones);
                keyboard::tune_key(&mut self.channels, sources, tuning, time_s, out);
            }
            Midi::Gone => {
                for source in self.sources.iter_mut().filter(|s| s.id == source) {
                    keyboard::release_all(&mut source.keys, time_s, out);
                }
                self.sources.retain(|s| s.id != source);
            }
        }
    }

    /// Releases every note of every source.
    pub fn release_all(&mut self, time_s: f64, out: &mut impl FnMut(Event)) {
        for source in &mut self.sources {
            keyboard::release_all(&mut source.keys, time_s, out);
            source.struck_as.iter_mut().for_each(|keys| keys.fill(NOT_STRUCK));
        }
    }

    /// Takes new channel strips. Channels that fall silent release their notes.
    pub fn strips(
        &mut self,
        time_s: f64,
        strips: &[Channel; CHANNELS],
        out: &mut impl FnMut(Event),
    ) {
        if *strips == self.strips {
            return;
        }
        let before: [bool; CHANNELS] = std::array::from_fn(|c| self.is_audible(c));
        let old = std::mem::replace(&mut self.strips, strips.clone());
        for (channel, (old, new)) in old.iter().zip(strips).enumerate() {
            for (control, of) in OF_STRIPS.iter().filter(|(_, of)| of(old) != of(new)) {
                let (part, what) = (Part(channel as u8), What::Control(*control, of(new)));
                out(Event { at_s: time_s, part, what });
            }
            self.channels.set_breath(channel, new.breath);
            if before.get(channel) == Some(&true) && !self.is_audible(channel) {
                for source in &mut self.sources {
                    keyboard::silence(&mut source.keys, time_s, channel, out);
                }
            }
        }
    }

    fn is_audible(&self, channel: usize) -> bool {
        let any_solo = self.strips.iter().any(|s| s.solo);
        self.strips.get(channel).is_some_and(|s| s.enable && !s.mute && (s.solo || !any_solo))
    }

    fn message(&mut self, time_s: f64, id: SourceId, bytes: [u8; 3], out: &mut impl FnMut(Event)) {
        let [status, data, value] = bytes;
        let channel = usize::from(status & 0x0F);
        match status & 0xF0 {
            0xF0 => self.exclusive(time_s, SysEx::Reset(Standard::Gm), out),
            0x90 if value > 0 => {
                let Some(velocity) = self.velocity(channel, value) else { return };
                let is_drum = self.channels.voice(channel, data).is_some_and(|v| v.is_drum);
                let transpose = match is_drum {
                    true => 0,
                    false => self.strips.get(channel).map_or(0, |s| s.transpose),
                };
                let Ok(key) = u8::try_from(i32::from(data & 0x7F) + transpose) else { return };
                if usize::from(key) >= KEYS {
                    return;
                }
                let before = self.source(id).swap(channel, data, key);
                if let Some(before) = before.filter(|before| *before != key) {
                    self.feed(id, time_s, [0x80 | channel as u8, before, 0], out);
                }
                self.feed(id, time_s, [status, key, velocity], out);
            }
            0x80 | 0x90 => {
                let key = self.source(id).swap(channel, data, NOT_STRUCK);
                if let Some(key) = key {
                    self.feed(id, time_s, [0x80 | channel as u8, key, 0], out);
                }
            }
            0xA0 => {
                let key = self.source(id).struck_as[channel][usize::from(data & 0x7F)];
                if key != NOT_STRUCK {
                    self.feed(id, time_s, [status, key, value], out);
                }
            }
            0xB0 => {
                self.controllers.message(channel, data, value);
                let is_mode = matches!(data, 120 | 121 | 123..=127);
                self.source(id);
                // A mode message from OSC concerns the keys of all sources.
                match is_mode && id == SourceId::OSC {
                    true => {
                        let all: Vec<SourceId> = self.sources.iter().map(|s| s.id).collect();
                        all.into_iter().for_each(|id| self.feed(id, time_s, bytes, out));
                    }
                    false => self.feed(id, time_s, bytes, out),
                }
            }
            _ => {
                self.source(id);
                self.controllers.wheel(bytes);
                self.feed(id, time_s, bytes, out);
            }
        }
    }

    /// Takes a system exclusive message. One that resets ends the notes of all sources.
    fn exclusive(&mut self, time_s: f64, message: SysEx, out: &mut impl FnMut(Event)) {
        match message {
            SysEx::MasterVolume(level) => self.master = level,
            SysEx::Reset(_) => {
                self.master = Control::MasterVolume.rest();
                self.controllers = Controllers::new();
                let up = |source: &mut Source| {
                    source.struck_as.iter_mut().for_each(|keys| keys.fill(NOT_STRUCK));
                };
                self.sources.iter_mut().for_each(up);
            }
            _ => {}
        }
        let sources = self.sources.iter_mut().map(|source| &mut source.keys);
        keyboard::exclusive(&mut self.channels, sources, 0, &message, time_s, out);
    }

    /// The velocity of a strike, None where the channel is silent.
    fn velocity(&self, channel: usize, velocity: u8) -> Option<u8> {
        let strip = self.strips.get(channel).filter(|_| self.is_audible(channel))?;
        let curved = (f32::from(velocity) / 127.0).powf(strip.velocity_curve as f32);
        Some((127.0 * curved).round().clamp(1.0, 127.0) as u8)
    }

    fn feed(&mut self, id: SourceId, time_s: f64, bytes: [u8; 3], out: &mut impl FnMut(Event)) {
        // Program change and channel pressure have one data byte.
        let length = if matches!(bytes[0] & 0xF0, 0xC0 | 0xD0) { 2 } else { 3 };
        // Bytes that are no message change nothing.
        if let (Some(source), Ok(LiveEvent::Midi { channel, message })) = (
            self.sources.iter_mut().find(|s| s.id == id),
            LiveEvent::parse(bytes.get(..length).unwrap_or_default()),
        ) {
            let channel = usize::from(channel.as_int());
            keyboard::feed(&mut self.channels, &mut source.keys, channel, message, time_s, out);
        }
    }

    /// The keys of a source, which are made for its first message.
    fn source(&mut self, id: SourceId) -> &mut Source {
        let at = self.sources.iter().position(|s| s.id == id).unwrap_or_else(|| {
            self.count = self.count.wrapping_add(1);
            self.sources.push(Source {
                id,
                keys: Keys::new(CHANNELS, self.count),
                struck_as: Box::new([[NOT_STRUCK; KEYS]; CHANNELS]),
            });
            self.sources.len() - 1
        });
        &mut self.sources[at]
    }
}

impl Default for Players {
    fn default() -> Self {
        Self::new()
    }
}

/// No key is struck as this one.
const NOT_STRUCK: u8 = 255;

impl Source {
    /// Remembers that `key` now sounds as `sounding`; returns as which key it sounded before, if it
    /// did.
    fn swap(&mut self, channel: usize, key: u8, sounding: u8) -> Option<u8> {
        let slot = self.struck_as.get_mut(channel)?.get_mut(usize::from(key))?;
        Some(std::mem::replace(slot, sounding)).filter(|before| *before != NOT_STRUCK)
    }
}

#[cfg(test)]
mod tests;
