//! Sixteen MIDI channels: keys, pedals and panic messages in, note events out. Knows no device and no clock.

use midly::MidiMessage;
use midly::live::{LiveEvent, SystemRealtime};

use super::{NoteEvent, Voice};

/// Channels of one port.
const CHANNELS: usize = 16;
/// Ports that one keyboard can have: channels are counted in a byte.
const MOST_PORTS: usize = 16;
const KEYS: usize = 128;
const PROGRAMS: usize = 128;
/// MIDI channel 10, counted from 0.
const DRUM_CHANNEL: u8 = 9;
/// Pedal values from here on mean "down".
const PEDAL_DOWN: u8 = 64;

/// A message that is no complete MIDI message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{length} bytes starting with {first:#04x} are not one MIDI message; wanted a status byte \
     (0x80 or more) and all its data bytes, without running status"
)]
pub struct BadMessage {
    /// How many bytes there were.
    pub length: usize,
    /// The first of them, 0 if there was none.
    pub first: u8,
}

/// A key of one channel.
#[derive(Debug, Clone, Copy, Default)]
struct Key {
    /// The finger is on it.
    down: bool,
    /// It holds its voice, by finger or pedal.
    holds: bool,
    /// The sostenuto pedal caught it.
    caught: bool,
    /// The program it was struck with: a program change does not move a sounding note.
    program: u8,
}

#[derive(Debug, Clone, Copy)]
struct Channel {
    keys: [Key; KEYS],
    program: u8,
    sustain: bool,
    sostenuto: bool,
}

/// What sounds under one (program, key), whoever plays it.
#[derive(Debug, Clone, Copy)]
struct Sounding {
    /// Channels that hold it; drums hold nothing, so 240 at most.
    holders: u8,
    /// Time of its last event, seconds.
    last_s: f64,
}

/// The state of one MIDI source.
///
/// * Velocity 0 is a release. Channel 10 is drums: strikes only.
/// * A key struck while its voice sounds (held or under a pedal) gives a release and a strike at one time.
/// * Several channels may hold one (program, key): it is released when the last of them lets go.
/// * CC64 sustain and CC66 sostenuto, down from 64 on. Sostenuto catches the keys down when it is pressed.
/// * CC120 silences at once; CC123 (and the mode messages 124..=127, which imply it) lifts all fingers and leaves
///   what a pedal holds; CC121 lifts the pedals.
/// * A release never has the time of its strike: it is put one representable number later, because at equal
///   times releases sort first and the note would hang. The events of a voice never run backwards.
///
/// # Real time
/// No call allocates; the state (some 300 kB) is allocated by [`Keyboard::new`]. At most one event per held
/// key is emitted per message, plus one.
#[derive(Debug, Clone)]
pub struct Keyboard {
    channels: Box<[Channel]>,
    /// Indexed by program * 128 + key.
    sounding: Box<[Sounding]>,
}

impl Default for Keyboard {
    fn default() -> Self {
        Self::new()
    }
}

impl Keyboard {
    /// All keys up, all pedals up, program 0 everywhere.
    pub fn new() -> Self {
        Self::with_ports(1)
    }

    /// A keyboard with sixteen channels for each of up to 16 ports. Channel `n` of port `p`, both
    /// counted from 0, is channel `16 * p + n` of [`Keyboard::feed`].
    pub fn with_ports(ports: usize) -> Self {
        let channel =
            Channel { keys: [Key::default(); KEYS], program: 0, sustain: false, sostenuto: false };
        let silent = Sounding { holders: 0, last_s: f64::NEG_INFINITY };
        Self {
            channels: vec![channel; CHANNELS * ports.clamp(1, MOST_PORTS)].into_boxed_slice(),
            sounding: vec![silent; PROGRAMS * KEYS].into_boxed_slice(),
        }
    }

    /// One complete message as a MIDI port delivers it. Everything but channel messages and system reset
    /// (which releases all) is ignored.
    ///
    /// # Errors
    /// [`BadMessage`] if the bytes are no complete message; nothing has changed then.
    pub fn feed_bytes(
        &mut self,
        time_s: f64,
        bytes: &[u8],
        out: &mut impl FnMut(NoteEvent),
    ) -> Result<(), BadMessage> {
        let first = bytes.first().copied().unwrap_or(0);
        let bad = BadMessage { length: bytes.len(), first };
        if first < 0x80 {
            return Err(bad);
        }
        let event = LiveEvent::parse(bytes).map_err(|_| bad)?;
        self.feed_live(time_s, event, out);
        Ok(())
    }

    /// One live event of `midly`; see [`Keyboard::feed_bytes`].
    pub fn feed_live(
        &mut self,
        time_s: f64,
        event: LiveEvent<'_>,
        out: &mut impl FnMut(NoteEvent),
    ) {
        match event {
            LiveEvent::Midi { channel, message } => {
                self.feed(time_s, channel.as_int(), message, out);
            }
            LiveEvent::Realtime(SystemRealtime::Reset) => self.release_all(time_s, out),
            LiveEvent::Common(_) | LiveEvent::Realtime(_) => {}
        }
    }

    /// One channel message at `time_s` seconds; `channel` counts from 0; one that the keyboard
    /// does not have is ignored.
    pub fn feed(
        &mut self,
        time_s: f64,
        channel: u8,
        message: MidiMessage,
        out: &mut impl FnMut(NoteEvent),
    ) {
        match message {
            MidiMessage::NoteOn { key, vel } if vel.as_int() > 0 => {
                self.strike(time_s, channel, key.as_int(), vel.as_int(), out);
            }
            MidiMessage::NoteOn { key, .. } | MidiMessage::NoteOff { key, .. } => {
                self.lift(time_s, channel, key.as_int(), out);
            }
            MidiMessage::ProgramChange { program } => {
                if let Some(state) = self.channels.get_mut(usize::from(channel)) {
                    state.program = program.as_int();
                }
            }
            MidiMessage::Controller { controller, value } => {
                self.control(time_s, channel, controller.as_int(), value.as_int(), out);
            }
            MidiMessage::Aftertouch { .. }
            | MidiMessage::ChannelAftertouch { .. }
            | MidiMessage::PitchBend { .. } => {}
        }
    }

    /// Releases everything and lifts all pedals: the source is gone, or messages were lost. Programs stay.
    pub fn release_all(&mut self, time_s: f64, out: &mut impl FnMut(NoteEvent)) {
        for channel in 0..=u8::MAX {
            if usize::from(channel) >= self.channels.len() {
                break;
            }
            self.silence(time_s, channel, out);
            self.pedals_up(time_s, channel, out);
        }
    }

    fn key_mut(&mut self, channel: u8, key: u8) -> Option<&mut Key> {
        self.channels.get_mut(usize::from(channel))?.keys.get_mut(usize::from(key))
    }

    fn strike(
        &mut self,
        time_s: f64,
        channel: u8,
        key: u8,
        velocity: u8,
        out: &mut impl FnMut(NoteEvent),
    ) {
        let Some(program) = self.channels.get(usize::from(channel)).map(|c| c.program) else {
            return;
        };
        let is_drum = channel % CHANNELS as u8 == DRUM_CHANNEL;
        let voice = Voice { is_drum, program, key };
        if voice.is_drum {
            return out(NoteEvent { time_s, voice, velocity });
        }
        let Some(state) = self.key_mut(channel, key) else { return };
        let held_program = state.holds.then_some(state.program);
        state.down = true;
        state.holds = true;
        state.program = program;
        if let Some(other) = held_program.filter(|&other| other != program) {
            self.let_go(time_s, Voice { program: other, ..voice }, out);
        }
        let Some(sounding) = self.sounding.get_mut(sounding_index(voice)) else { return };
        if sounding.holders > 0 {
            out(sounding.event(time_s, voice, 0));
        }
        if held_program != Some(program) {
            sounding.holders += 1;
        }
        out(sounding.event(time_s, voice, velocity));
    }

    fn lift(&mut self, time_s: f64, channel: u8, key: u8, out: &mut impl FnMut(NoteEvent)) {
        if let Some(state) = self.key_mut(channel, key) {
            state.down = false;
            self.settle(time_s, channel, out, Some(key));
        }
    }

    fn control(
        &mut self,
        time_s: f64,
        channel: u8,
        controller: u8,
        value: u8,
        out: &mut impl FnMut(NoteEvent),
    ) {
        let Some(state) = self.channels.get_mut(usize::from(channel)) else { return };
        let down = value >= PEDAL_DOWN;
        match controller {
            64 => {
                state.sustain = down;
                self.settle(time_s, channel, out, None);
            }
            66 => {
                let pressed = down && !state.sostenuto;
                state.sostenuto = down;
                for key in &mut state.keys {
                    key.caught = down && (key.caught || (pressed && key.down && key.holds));
                }
                self.settle(time_s, channel, out, None);
            }
            120 => self.silence(time_s, channel, out),
            121 => self.pedals_up(time_s, channel, out),
            123..=127 => {
                for key in &mut state.keys {
                    key.down = false;
                }
                self.settle(time_s, channel, out, None);
            }
            _ => {}
        }
    }

    fn silence(&mut self, time_s: f64, channel: u8, out: &mut impl FnMut(NoteEvent)) {
        for key in 0..KEYS as u8 {
            let Some(state) = self.key_mut(channel, key) else { return };
            let was = std::mem::take(state);
            if was.holds {
                self.let_go(time_s, Voice { is_drum: false, program: was.program, key }, out);
            }
        }
    }

    fn pedals_up(&mut self, time_s: f64, channel: u8, out: &mut impl FnMut(NoteEvent)) {
        if let Some(state) = self.channels.get_mut(usize::from(channel)) {
            state.sustain = false;
            state.sostenuto = false;
            for key in &mut state.keys {
                key.caught = false;
            }
            self.settle(time_s, channel, out, None);
        }
    }

    /// Lets go of what neither finger nor pedal holds any more: of `only` this key, or of all.
    fn settle(
        &mut self,
        time_s: f64,
        channel: u8,
        out: &mut impl FnMut(NoteEvent),
        only: Option<u8>,
    ) {
        let Some(sustain) = self.channels.get(usize::from(channel)).map(|c| c.sustain) else {
            return;
        };
        let keys = only.map_or(0..KEYS as u8, |key| key..key.saturating_add(1));
        for key in keys {
            let Some(state) = self.key_mut(channel, key) else { return };
            if state.holds && !state.down && !state.caught && !sustain {
                state.holds = false;
                let voice = Voice { is_drum: false, program: state.program, key };
                self.let_go(time_s, voice, out);
            }
        }
    }

    /// One holder less; the last one releases the voice.
    fn let_go(&mut self, time_s: f64, voice: Voice, out: &mut impl FnMut(NoteEvent)) {
        let Some(sounding) = self.sounding.get_mut(sounding_index(voice)) else { return };
        sounding.holders = sounding.holders.saturating_sub(1);
        if sounding.holders == 0 {
            out(sounding.event(time_s, voice, 0));
        }
    }
}

impl Sounding {
    /// An event of this voice, after the one before: a release strictly, a strike at the same time or later.
    fn event(&mut self, time_s: f64, voice: Voice, velocity: u8) -> NoteEvent {
        let earliest_s = if velocity == 0 { self.last_s.next_up() } else { self.last_s };
        self.last_s = if time_s >= earliest_s { time_s } else { earliest_s };
        NoteEvent { time_s: self.last_s, voice, velocity }
    }
}

fn sounding_index(voice: Voice) -> usize {
    usize::from(voice.program) * KEYS + usize::from(voice.key)
}
