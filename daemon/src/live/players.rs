//! From MIDI messages of many sources to the note events of one stream. Knows no thread, no device and no model.
//!
//! Every source has its own keys and pedals; programs and channel volume belong to the channel, whoever sets them. The channel
//! strip (transpose, velocity curve, gain, mute, solo, enable) acts on the notes, which the model hears. Nothing it does can
//! leave a note behind: a key is released as the key it was struck as, and a muted channel lets go.

use timbre_control::settings::{Channel, Settings};
use timbre_models::notes::mix::{DEFAULT_EXPRESSION, DEFAULT_VOLUME, share};
use timbre_models::notes::{Keyboard, NoteEvent, Voice};

use super::queues::{Midi, SourceId};

const CHANNELS: usize = 16;
const KEYS: usize = 128;
/// Decibels of level for a factor of ten in velocity: amplitude goes with its square (General MIDI level 1 sound levels,
/// FluidSynth's default modulators).
const DB_PER_DECADE: f32 = 40.0;

/// One keyboard of one source.
#[derive(Debug)]
struct Source {
    id: SourceId,
    keyboard: Keyboard,
    /// [channel][key]: the key it was struck as, 255 for not struck.
    struck_as: Box<[[u8; KEYS]; CHANNELS]>,
}

/// All sources together.
#[derive(Debug)]
pub struct Players {
    sources: Vec<Source>,
    programs: [u8; CHANNELS],
    volumes: [u8; CHANNELS],
    expressions: [u8; CHANNELS],
    strips: [Channel; CHANNELS],
    /// Sources that hold a voice, by program * 128 + key.
    holders: Box<[u8]>,
}

impl Players {
    /// Nobody plays, program 0 everywhere.
    pub fn new() -> Self {
        Self {
            sources: Vec::with_capacity(16),
            programs: [0; CHANNELS],
            volumes: [DEFAULT_VOLUME; CHANNELS],
            expressions: [DEFAULT_EXPRESSION; CHANNELS],
            strips: Settings::default().channels,
            holders: vec![0; KEYS * KEYS].into_boxed_slice(),
        }
    }

    /// Channel volume of each channel, 0 to 127.
    pub fn volumes(&self) -> &[u8; CHANNELS] {
        &self.volumes
    }

    /// Expression of each channel, 0 to 127.
    pub fn expressions(&self) -> &[u8; CHANNELS] {
        &self.expressions
    }

    /// General MIDI program of each channel.
    pub fn programs(&self) -> &[u8; CHANNELS] {
        &self.programs
    }

    /// Notes that are held, by finger or pedal.
    pub fn held(&self) -> usize {
        self.holders.iter().filter(|n| **n > 0).count()
    }

    /// What a source says at `time_s` of the stream; the note events it leads to go to `out`.
    ///
    /// # Real time
    /// Allocates only when a new source first speaks.
    pub fn input(
        &mut self,
        time_s: f64,
        source: SourceId,
        midi: Midi,
        out: &mut impl FnMut(NoteEvent),
    ) {
        match midi {
            Midi::Message(bytes) => self.message(time_s, source, bytes, out),
            Midi::Gone => {
                let holders = &mut self.holders;
                for source in self.sources.iter_mut().filter(|s| s.id == source) {
                    source.keyboard.release_all(time_s, &mut |e| merge(holders, e, out));
                }
                self.sources.retain(|s| s.id != source);
            }
        }
    }

    /// Releases every note of everyone.
    pub fn release_all(&mut self, time_s: f64, out: &mut impl FnMut(NoteEvent)) {
        for source in &mut self.sources {
            let holders = &mut self.holders;
            source.keyboard.release_all(time_s, &mut |e| merge(holders, e, out));
            source.struck_as.iter_mut().for_each(|keys| keys.fill(NOT_STRUCK));
        }
    }

    /// Takes new channel strips; channels that fall silent let go of their notes.
    pub fn strips(
        &mut self,
        time_s: f64,
        strips: &[Channel; CHANNELS],
        out: &mut impl FnMut(NoteEvent),
    ) {
        if *strips == self.strips {
            return;
        }
        let before: Vec<bool> = (0..CHANNELS).map(|c| self.is_audible(c)).collect();
        self.strips.clone_from(strips);
        for (channel, was) in before.into_iter().enumerate() {
            if was && !self.is_audible(channel) {
                for source in &mut self.sources {
                    let all_sound_off = [0xB0 | channel as u8, 120, 0];
                    source.feed(time_s, all_sound_off, &mut self.holders, out);
                }
            }
        }
    }

    fn is_audible(&self, channel: usize) -> bool {
        let any_solo = self.strips.iter().any(|s| s.solo);
        self.strips.get(channel).is_some_and(|s| s.enable && !s.mute && (s.solo || !any_solo))
    }

    fn message(
        &mut self,
        time_s: f64,
        id: SourceId,
        bytes: [u8; 3],
        out: &mut impl FnMut(NoteEvent),
    ) {
        let [status, data, value] = bytes;
        let channel = usize::from(status & 0x0F);
        match status & 0xF0 {
            0xF0 => self.reset(time_s, id, out),
            0x90 if value > 0 => {
                let Some(velocity) = self.velocity(channel, value) else { return };
                let transpose = match channel {
                    9 => 0,
                    _ => self.strips.get(channel).map_or(0, |s| s.transpose),
                };
                let Ok(key) = u8::try_from(i32::from(data & 0x7F) + transpose) else { return };
                if usize::from(key) >= KEYS {
                    return;
                }
                let before = self.source(id).swap(channel, data, key);
                if let Some(before) = before.filter(|before| *before != key) {
                    self.feed_from(id, time_s, [0x80 | channel as u8, before, 0], out);
                }
                self.feed_from(id, time_s, [status, key, velocity], out);
            }
            0x80 | 0x90 => {
                let key = self.source(id).swap(channel, data, NOT_STRUCK);
                if let Some(key) = key {
                    self.feed_from(id, time_s, [0x80 | channel as u8, key, 0], out);
                }
            }
            0xB0 if data == 7 => set(&mut self.volumes, channel, value),
            0xB0 if data == 11 => set(&mut self.expressions, channel, value),
            // Reset all controllers (RP-015): expression is full again, volume stays.
            0xB0 if data == 121 => {
                set(&mut self.expressions, channel, DEFAULT_EXPRESSION);
                self.mode(time_s, id, bytes, out);
            }
            0xB0 if matches!(data, 120 | 123..=127) => self.mode(time_s, id, bytes, out),
            0xC0 => {
                set(&mut self.programs, channel, data & 0x7F);
                self.source(id);
                for source in &mut self.sources {
                    source.feed(time_s, [status, data & 0x7F, 0], &mut self.holders, out);
                }
            }
            _ => {
                self.source(id);
                self.feed_from(id, time_s, bytes, out);
            }
        }
    }

    /// A channel mode message. From OSC it means everyone, whoever holds the keys.
    fn mode(&mut self, time_s: f64, id: SourceId, bytes: [u8; 3], out: &mut impl FnMut(NoteEvent)) {
        self.source(id);
        for source in self.sources.iter_mut().filter(|s| id == SourceId::OSC || s.id == id) {
            source.feed(time_s, bytes, &mut self.holders, out);
        }
    }

    /// A reset (FF): the source's notes and pedals end, the controllers of all channels are as at
    /// the start.
    fn reset(&mut self, time_s: f64, id: SourceId, out: &mut impl FnMut(NoteEvent)) {
        self.volumes.fill(DEFAULT_VOLUME);
        self.expressions.fill(DEFAULT_EXPRESSION);
        for status in 0xB0..=0xBF {
            self.feed_from(id, time_s, [status, 120, 0], out);
            self.feed_from(id, time_s, [status, 121, 0], out);
        }
    }

    /// The velocity the model hears, None where the channel is silent.
    fn velocity(&self, channel: usize, velocity: u8) -> Option<u8> {
        let strip = self.strips.get(channel).filter(|_| self.is_audible(channel))?;
        let volume = share(*self.volumes.get(channel)?, *self.expressions.get(channel)?);
        let gain = 10f32.powf(strip.gain as f32 / DB_PER_DECADE) * volume;
        let curved = (f32::from(velocity) / 127.0).powf(strip.velocity_curve as f32);
        let heard = (127.0 * curved * gain).round();
        (heard >= 1.0).then(|| heard.min(127.0) as u8)
    }

    fn feed_from(
        &mut self,
        id: SourceId,
        time_s: f64,
        bytes: [u8; 3],
        out: &mut impl FnMut(NoteEvent),
    ) {
        if let Some(source) = self.sources.iter_mut().find(|s| s.id == id) {
            source.feed(time_s, bytes, &mut self.holders, out);
        }
    }

    /// The keyboard of a source, made when it first speaks.
    fn source(&mut self, id: SourceId) -> &mut Source {
        let at = self.sources.iter().position(|s| s.id == id).unwrap_or_else(|| {
            let mut source = Source {
                id,
                keyboard: Keyboard::new(),
                struck_as: Box::new([[NOT_STRUCK; KEYS]; CHANNELS]),
            };
            for (channel, program) in self.programs.iter().enumerate() {
                let change = [0xC0 | channel as u8, *program, 0];
                source.feed(0.0, change, &mut self.holders, &mut |_| {});
            }
            self.sources.push(source);
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
    /// Remembers that `key` now sounds as `sounding`; what it sounded as before, if it did.
    fn swap(&mut self, channel: usize, key: u8, sounding: u8) -> Option<u8> {
        let slot = self.struck_as.get_mut(channel)?.get_mut(usize::from(key))?;
        Some(std::mem::replace(slot, sounding)).filter(|before| *before != NOT_STRUCK)
    }

    fn feed(
        &mut self,
        time_s: f64,
        bytes: [u8; 3],
        holders: &mut [u8],
        out: &mut impl FnMut(NoteEvent),
    ) {
        // Program change and channel pressure have one data byte.
        let length = if matches!(bytes[0] & 0xF0, 0xC0 | 0xD0) { 2 } else { 3 };
        let bytes = bytes.get(..length).unwrap_or_default();
        // Bytes that are no message change nothing.
        let _ = self.keyboard.feed_bytes(time_s, bytes, &mut |e| merge(holders, e, out));
    }
}

fn set(values: &mut [u8; CHANNELS], channel: usize, value: u8) {
    if let Some(slot) = values.get_mut(channel) {
        *slot = value;
    }
}

/// One event of one source into the stream: a voice that several hold is released by the last of them.
fn merge(holders: &mut [u8], event: NoteEvent, out: &mut impl FnMut(NoteEvent)) {
    let Voice { is_drum, program, key } = event.voice;
    let Some(count) = holders.get_mut(usize::from(program) * KEYS + usize::from(key)) else {
        return;
    };
    if is_drum {
        return out(event);
    }
    if event.velocity > 0 {
        if *count > 0 {
            out(NoteEvent { velocity: 0, ..event });
        }
        *count = count.saturating_add(1);
        out(event);
    } else {
        *count = count.saturating_sub(1);
        if *count == 0 {
            out(event);
        }
    }
}

#[cfg(test)]
mod tests;
