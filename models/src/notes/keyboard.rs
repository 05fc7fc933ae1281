//! One MIDI source: turns its messages into events of parts. It knows no device and no clock.

use midly::MidiMessage;
use midly::live::{LiveEvent, SystemCommon, SystemRealtime};

use super::channels::{CHANNELS, Channels, EQUAL, Emit, Tuning};
use super::keys::Keys;
use super::sysex::{Standard, SysEx, decode};
use crate::event::Event;

/// The most ports of one keyboard, because channels are counted in a byte.
const MOST_PORTS: usize = 16;

/// The bytes are not one complete MIDI message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{length} bytes starting with {first:#04x} are not one MIDI message; wanted a status byte \
     (0x80 or more) and all its data bytes, without running status"
)]
pub struct BadMessage {
    /// The number of bytes.
    pub length: usize,
    /// The first byte, or 0 if there is none.
    pub first: u8,
}

/// The state of one MIDI source.
///
/// * Velocity 0 is a release. Drums are only struck: those of channel 10, and of every channel that
///   a bank or a system exclusive message makes a drum channel.
/// * Striking a key whose note sounds (held or under a pedal) gives a release and a strike at the
///   same time. Every strike has its own id.
/// * The pedals CC64 (sustain) and CC66 (sostenuto) are down from 64 on. Sostenuto holds the keys
///   that are down when it is pressed. From 40 on CC64 lifts the dampers a little, so that releases
///   take longer.
/// * A monophonic channel (CC126, or CC68 while it is down) plays the key that was pressed last. If
///   it takes over from another key, it has no attack.
/// * CC120 silences at once. CC123 (and the mode messages 124..=127, which imply it) releases all
///   keys, but leaves what a pedal holds. CC121 lifts the pedals and resets controllers (RP-015).
/// * All other controllers become [`crate::event::Control`]s.
///
/// # Real time
/// Channel messages allocate nothing. A message gives at most one event per held key, plus three. A
/// reset gives about twenty per channel.
#[derive(Debug, Clone)]
pub struct Keyboard {
    channels: Channels,
    keys: Keys,
}

impl Default for Keyboard {
    fn default() -> Self {
        Self::new()
    }
}

impl Keyboard {
    /// All keys and pedals are up, and all channels have program 0.
    pub fn new() -> Self {
        Self::with_ports(1, &EQUAL)
    }

    /// A keyboard with sixteen channels for each of up to 16 ports, and with a tuning. Channel `n`
    /// of port `p`, both counted from 0, is channel and part `16 * p + n`.
    pub fn with_ports(ports: usize, tuning: &Tuning) -> Self {
        let ports = ports.clamp(1, MOST_PORTS);
        let mut channels = Channels::new(ports);
        for (key, semitones) in (0..).zip(tuning) {
            channels.tune_key(key, *semitones);
        }
        Self { channels, keys: Keys::new(CHANNELS * ports, 0) }
    }

    /// The settings of the channels.
    pub fn channels(&self) -> &Channels {
        &self.channels
    }

    /// Takes one complete message as a MIDI port delivers it. Messages that do not matter to a
    /// synthesizer are ignored.
    ///
    /// # Errors
    /// [`BadMessage`] if the bytes are no complete message. Then nothing has changed.
    pub fn feed_bytes(
        &mut self,
        time_s: f64,
        bytes: &[u8],
        out: &mut impl FnMut(Event),
    ) -> Result<(), BadMessage> {
        let first = bytes.first().copied().unwrap_or(0);
        let bad = BadMessage { length: bytes.len(), first };
        if first < 0x80 {
            return Err(bad);
        }
        if first == 0xF0 {
            self.feed_exclusive(time_s, 0, bytes, out);
            return Ok(());
        }
        match LiveEvent::parse(bytes).map_err(|_| bad)? {
            LiveEvent::Midi { channel, message } => {
                self.feed(time_s, channel.as_int(), message, out);
            }
            LiveEvent::Realtime(SystemRealtime::Reset) => {
                self.exclusive(time_s, 0, &SysEx::Reset(Standard::Gm), out);
            }
            LiveEvent::Common(SystemCommon::SysEx(_))
            | LiveEvent::Common(_)
            | LiveEvent::Realtime(_) => {}
        }
        Ok(())
    }

    /// Takes a system exclusive message from `port`, with or without its F0 and F7. Returns whether
    /// it was understood; if not, nothing has changed.
    pub fn feed_exclusive(
        &mut self,
        time_s: f64,
        port: usize,
        bytes: &[u8],
        out: &mut impl FnMut(Event),
    ) -> bool {
        decode(bytes, &mut |message| self.exclusive(time_s, port, &message, out))
    }

    fn exclusive(
        &mut self,
        time_s: f64,
        port: usize,
        message: &SysEx,
        out: &mut impl FnMut(Event),
    ) {
        let sources = std::iter::once(&mut self.keys);
        exclusive(&mut self.channels, sources, port, message, time_s, out);
    }

    /// Takes one channel message at `time_s` seconds. `channel` counts from 0; channels that the
    /// keyboard does not have are ignored.
    pub fn feed(
        &mut self,
        time_s: f64,
        channel: u8,
        message: MidiMessage,
        out: &mut impl FnMut(Event),
    ) {
        let channel = usize::from(channel);
        feed(&mut self.channels, &mut self.keys, channel, message, time_s, out);
    }

    /// Releases all keys and lifts all pedals, because the source is gone or messages were lost.
    /// Programs stay.
    pub fn release_all(&mut self, time_s: f64, out: &mut impl FnMut(Event)) {
        release_all(&mut self.keys, time_s, out);
    }
}

/// Takes a channel message at `at_s` seconds from the source that has these keys.
pub fn feed(
    channels: &mut Channels,
    keys: &mut Keys,
    channel: usize,
    message: MidiMessage,
    at_s: f64,
    out: &mut impl FnMut(Event),
) {
    let mut emit = Emit { at_s, out };
    match message {
        MidiMessage::NoteOn { key, vel } if vel.as_int() > 0 => {
            keys.strike(channels, channel, key.as_int(), vel.as_int(), &mut emit);
        }
        MidiMessage::NoteOn { key, .. } | MidiMessage::NoteOff { key, .. } => {
            keys.lift(channels, channel, key.as_int(), &mut emit);
        }
        MidiMessage::Aftertouch { key, vel } => {
            let pressure = f32::from(vel.as_int()) / 127.0;
            keys.pressure(channel, key.as_int(), pressure, &mut emit);
        }
        MidiMessage::Controller { controller, value } => {
            let (controller, value) = (controller.as_int(), value.as_int());
            channels.message(channel, message, &mut emit);
            keys.control(channels, channel, controller, value, &mut emit);
        }
        _ => channels.message(channel, message, &mut emit),
    }
}

/// Takes a system exclusive message from `port`, for all sources that share the channels.
pub fn exclusive<'a>(
    channels: &mut Channels,
    sources: impl Iterator<Item = &'a mut Keys>,
    port: usize,
    message: &SysEx,
    at_s: f64,
    out: &mut impl FnMut(Event),
) {
    let mut emit = Emit { at_s, out };
    channels.exclusive(port, message, &mut emit);
    for keys in sources {
        match message {
            SysEx::Reset(_) => keys.release_all(&mut emit),
            SysEx::KeyTuning { .. } | SysEx::OctaveTuning { .. } => {
                keys.retune(channels, &mut emit);
            }
            _ => {}
        }
    }
}

/// Changes the tuning of a key, also after resets, for all sources that share the channels.
pub fn tune_key<'a>(
    channels: &mut Channels,
    sources: impl Iterator<Item = &'a mut Keys>,
    (key, semitones): (u8, f32),
    at_s: f64,
    out: &mut impl FnMut(Event),
) {
    channels.tune_key(key, semitones);
    sources.for_each(|keys| keys.retune(channels, &mut Emit { at_s, out }));
}

/// Releases all keys of a source and lifts its pedals.
pub fn release_all(keys: &mut Keys, at_s: f64, out: &mut impl FnMut(Event)) {
    keys.release_all(&mut Emit { at_s, out });
}

/// Releases the keys of a source on a channel.
pub fn silence(keys: &mut Keys, at_s: f64, channel: usize, out: &mut impl FnMut(Event)) {
    keys.silence(channel, &mut Emit { at_s, out });
}
