//! The keys and pedals of one source, and which notes they hold. It knows no sound controller.

use super::channels::{CHANNELS, Channels, Emit, ON};
use crate::event::{Event, NoteId, Strike, What};

const KEYS: usize = 128;

/// A key of one channel.
#[derive(Debug, Clone, Copy)]
struct Key {
    /// Whether a finger holds it.
    down: bool,
    /// Whether its note sounds, held by finger or pedal.
    holds: bool,
    /// Whether the sostenuto pedal holds it.
    caught: bool,
    /// The velocity of its strike, and the place of the strike among all strikes, for monophonic
    /// channels.
    velocity: u8,
    order: u64,
    /// The note that it holds.
    note: NoteId,
}

const UP: Key =
    Key { down: false, holds: false, caught: false, velocity: 0, order: 0, note: NoteId(0) };

#[derive(Debug, Clone, Copy)]
struct Pedals {
    sustain: bool,
    sostenuto: bool,
}

/// The keys of a source.
///
/// # Real time
/// No call allocates. A message gives at most one event per held key, plus three.
#[derive(Debug, Clone)]
pub struct Keys {
    keys: Box<[[Key; KEYS]]>,
    pedals: Box<[Pedals]>,
    /// The upper bits of the ids of its notes, which differ from those of other sources.
    source: u64,
    /// The number of notes so far.
    count: u64,
}

impl Keys {
    /// All keys and pedals of some channels, which are up. Each source of a stream needs its own
    /// number.
    pub fn new(channels: usize, source: u32) -> Self {
        let up = Pedals { sustain: false, sostenuto: false };
        Self {
            keys: vec![[UP; KEYS]; channels].into_boxed_slice(),
            pedals: vec![up; channels].into_boxed_slice(),
            source: u64::from(source) << 32,
            count: 0,
        }
    }

    /// The number of notes that are held.
    pub fn held(&self) -> usize {
        self.keys.iter().flatten().filter(|key| key.holds).count()
    }

    /// Takes the press of a key with a velocity of 1..=127.
    pub(super) fn strike<F: FnMut(Event)>(
        &mut self,
        channels: &mut Channels,
        channel: usize,
        key: u8,
        velocity: u8,
        emit: &mut Emit<'_, F>,
    ) {
        let velocity = channels.velocity(channel, velocity);
        let Some(voice) = channels.voice(channel, key) else { return };
        if voice.is_drum {
            return self.begin(channels, channel, key, velocity, false, emit);
        }
        let was_sounding = match channels.is_mono(channel) {
            true => self.silence_others(channel, key, emit),
            false => false,
        };
        let order = self.count;
        let Some(state) = self.key_mut(channel, key) else { return };
        let before = state.holds.then_some(state.note);
        (state.down, state.velocity, state.order) = (true, velocity, order);
        if let Some(note) = before {
            emit.what(channel, What::Off(note));
        }
        self.begin(channels, channel, key, velocity, was_sounding, emit);
    }

    /// Takes the release of a key.
    pub(super) fn lift<F: FnMut(Event)>(
        &mut self,
        channels: &mut Channels,
        channel: usize,
        key: u8,
        emit: &mut Emit<'_, F>,
    ) {
        let Some(state) = self.key_mut(channel, key) else { return };
        let was_down = std::mem::take(&mut state.down);
        let sounded = state.holds;
        self.settle(channels, channel, emit, Some(key));
        if !(was_down && sounded && channels.is_mono(channel)) {
            return;
        }
        // The last pressed of the keys that are still down sounds again.
        let others = self.keys.get(channel).into_iter().flatten().zip(0u8..);
        let last = others.filter(|(other, _)| other.down).max_by_key(|(other, _)| other.order);
        if let Some((Key { velocity, holds: false, .. }, other)) = last.map(|(key, n)| (*key, n)) {
            let is_held = self.key_mut(channel, key).is_some_and(|state| state.holds);
            if is_held {
                self.let_go(channel, key, emit);
            }
            self.begin(channels, channel, other, velocity, true, emit);
        }
    }

    /// Takes a pedal or mode message.
    pub(super) fn control<F: FnMut(Event)>(
        &mut self,
        channels: &Channels,
        channel: usize,
        controller: u8,
        value: u8,
        emit: &mut Emit<'_, F>,
    ) {
        let Some(pedals) = self.pedals.get_mut(channel) else { return };
        let down = value >= ON;
        match controller {
            64 => {
                pedals.sustain = down;
                self.settle_zone(channels, channel, emit);
            }
            66 => {
                let pressed = down && !pedals.sostenuto;
                pedals.sostenuto = down;
                for key in self.keys.get_mut(channel).into_iter().flatten() {
                    key.caught = down && (key.caught || (pressed && key.down && key.holds));
                }
                self.settle(channels, channel, emit, None);
            }
            120 => {
                self.silence(channel, emit);
                emit.what(channel, What::Silence);
            }
            121 => self.pedals_up(channels, channel, emit),
            123..=127 => {
                for key in self.keys.get_mut(channel).into_iter().flatten() {
                    key.down = false;
                }
                self.settle(channels, channel, emit, None);
            }
            _ => {}
        }
    }

    /// Releases all keys and lifts all pedals.
    pub(super) fn release_all<F: FnMut(Event)>(&mut self, emit: &mut Emit<'_, F>) {
        for channel in 0..self.keys.len() {
            self.silence(channel, emit);
            if let Some(pedals) = self.pedals.get_mut(channel) {
                *pedals = Pedals { sustain: false, sostenuto: false };
            }
        }
    }

    /// Releases the keys of a channel, but leaves its pedals.
    pub(super) fn silence<F: FnMut(Event)>(&mut self, channel: usize, emit: &mut Emit<'_, F>) {
        for key in 0..KEYS as u8 {
            let Some(state) = self.key_mut(channel, key) else { return };
            let was = std::mem::replace(state, UP);
            if was.holds {
                emit.what(channel, What::Off(was.note));
            }
        }
    }

    /// Sends the current tuning to the notes that sound.
    pub(super) fn retune<F: FnMut(Event)>(&self, channels: &Channels, emit: &mut Emit<'_, F>) {
        for (channel, keys) in self.keys.iter().enumerate() {
            for (state, key) in keys.iter().zip(0u8..).filter(|(state, _)| state.holds) {
                let tuning = channels.tuning(channel, key);
                emit.what(channel, What::Retune(state.note, tuning));
            }
        }
    }

    /// Takes pressure on one key.
    pub(super) fn pressure<F: FnMut(Event)>(
        &self,
        channel: usize,
        key: u8,
        value: f32,
        emit: &mut Emit<'_, F>,
    ) {
        let state = self.keys.get(channel).and_then(|keys| keys.get(usize::from(key)));
        if let Some(state) = state.filter(|state| state.holds) {
            emit.what(channel, What::KeyPressure(state.note, value));
        }
    }

    fn key_mut(&mut self, channel: usize, key: u8) -> Option<&mut Key> {
        self.keys.get_mut(channel)?.get_mut(usize::from(key))
    }

    /// Begins a note of a key.
    fn begin<F: FnMut(Event)>(
        &mut self,
        channels: &mut Channels,
        channel: usize,
        key: u8,
        velocity: u8,
        is_legato: bool,
        emit: &mut Emit<'_, F>,
    ) {
        let Some(voice) = channels.voice(channel, key) else { return };
        self.count += 1;
        let note = NoteId(self.source | self.count & u64::from(u32::MAX));
        let tuning = channels.tuning(channel, key);
        let glide = channels.glide(channel, key);
        // It must be asked in any case, as it holds for one note only.
        let is_legato = channels.goes_on(channel) || is_legato;
        if let (Some(state), false) = (self.key_mut(channel, key), voice.is_drum) {
            (state.holds, state.note) = (true, note);
        }
        let strike = Strike { note, voice, velocity, tuning, glide, is_legato };
        emit.what(channel, What::On(strike));
    }

    /// Ends all notes of a channel except that of one key. Returns whether another key was down.
    fn silence_others<F: FnMut(Event)>(
        &mut self,
        channel: usize,
        key: u8,
        emit: &mut Emit<'_, F>,
    ) -> bool {
        let mut any = false;
        for other in (0..KEYS as u8).filter(|other| *other != key) {
            let Some(state) = self.key_mut(channel, other) else { return any };
            if state.holds {
                any |= state.down;
                self.let_go(channel, other, emit);
            }
        }
        any
    }

    fn let_go<F: FnMut(Event)>(&mut self, channel: usize, key: u8, emit: &mut Emit<'_, F>) {
        if let Some(state) = self.key_mut(channel, key) {
            state.holds = false;
            let note = state.note;
            emit.what(channel, What::Off(note));
        }
    }

    fn pedals_up<F: FnMut(Event)>(
        &mut self,
        channels: &Channels,
        channel: usize,
        emit: &mut Emit<'_, F>,
    ) {
        if let Some(pedals) = self.pedals.get_mut(channel) {
            *pedals = Pedals { sustain: false, sostenuto: false };
        }
        for key in self.keys.get_mut(channel).into_iter().flatten() {
            key.caught = false;
        }
        self.settle_zone(channels, channel, emit);
    }

    /// Ends the notes that nothing holds any more, on a channel and on the members of its zone.
    fn settle_zone<F: FnMut(Event)>(
        &mut self,
        channels: &Channels,
        channel: usize,
        emit: &mut Emit<'_, F>,
    ) {
        let port = channel - channel % CHANNELS;
        for other in port..port + CHANNELS {
            if other == channel || channels.master(other) == Some(channel) {
                self.settle(channels, other, emit, None);
            }
        }
    }

    /// Ends the notes that neither finger nor pedal holds any more, of one key if `only` is set.
    fn settle<F: FnMut(Event)>(
        &mut self,
        channels: &Channels,
        channel: usize,
        emit: &mut Emit<'_, F>,
        only: Option<u8>,
    ) {
        let is_down = |channel: usize| self.pedals.get(channel).is_some_and(|p| p.sustain);
        if is_down(channel) || channels.master(channel).is_some_and(is_down) {
            return;
        }
        let keys = only.map_or(0..KEYS as u8, |key| key..key.saturating_add(1));
        for key in keys {
            let Some(state) = self.key_mut(channel, key) else { return };
            if state.holds && !state.down && !state.caught {
                self.let_go(channel, key, emit);
            }
        }
    }
}
