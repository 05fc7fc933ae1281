//! The settings of MIDI channels, and how controllers become controls of parts. It knows no held
//! key.
//!
//! Sources: General MIDI 2 and its recommended practices RP-015, RP-018, RP-021 and RP-024; MPE
//! 1.0. The portamento time is that of FluidSynth: milliseconds in fourteen bits.

mod banks;
mod controllers;
mod own;
mod registered;
mod tunings;

use midly::MidiMessage;

use super::Voice;
use super::sysex::{Standard, SysEx};
use crate::event::{Control, Event, Glide, Part, What};
pub use banks::MissingBank;
use controllers::RESET;
pub(super) use controllers::controller_of;
pub(super) use own::{LEGATO, OWN, data_of};
use tunings::Tunings;
pub use tunings::{EQUAL, Tuning};

/// The channels of one port.
pub const CHANNELS: usize = 16;
/// MIDI channel 10, counted from 0.
const DRUM_CHANNEL: usize = 9;
/// The value from which on switches are on.
pub const ON: u8 = 64;
/// The semitones of a full pitch bend, for a channel and for a member of an MPE zone.
pub(super) const BEND_SEMITONES: f32 = 2.0;
pub(super) const MEMBER_BEND_SEMITONES: f32 = 48.0;
/// The semitones of vibrato of a full modulation wheel (SoundFont 2.04, default modulators).
const VIBRATO_SEMITONES: f32 = 0.5;
/// The most by which the times of attack, decay and release change, octaves.
const TIME_OCTAVES: f32 = 3.0;
/// The longest delay of vibrato, seconds.
const DELAY_S: f32 = 2.0;
/// The value of a damper pedal from which on it begins to lift the dampers. From [`ON`] on it holds
/// notes.
const DAMPER_LIFTS: u8 = 40;
/// The factor of velocity with the soft pedal down.
const SOFT: f32 = 0.7;

/// The settings of a channel.
#[derive(Debug, Clone, Copy)]
struct Channel {
    program: u8,
    bank: u8,
    /// The bank of its program, if there is no such bank.
    missing: Option<u8>,
    is_rhythm: bool,
    /// The registered parameter for data entry. It is none if only half of its number was sent, or
    /// if the last one was unregistered.
    registered: [Option<u8>; 2],
    /// The unregistered parameter for data entry.
    unregistered: [Option<u8>; 2],
    /// The upper half of the last data entry.
    data: u8,
    bend_semitones: f32,
    /// The position of the wheel, -1..=1.
    bend: f32,
    fine: f32,
    coarse: f32,
    wheel: f32,
    vibrato_semitones: f32,
    has_portamento: bool,
    portamento_ms: [u8; 2],
    /// The key that the next note glides from.
    from_key: Option<u8>,
    /// Whether the next note goes on from the one before.
    goes_on: bool,
    last_key: Option<u8>,
    is_mono: bool,
    is_legato: bool,
    is_soft: bool,
    /// Whether breath acts as a volume.
    has_breath: bool,
    /// The tuning of the twelve notes of the octave, semitones.
    scale: [f32; 12],
    /// The channel whose zone it is a member of.
    master: Option<u8>,
}

impl Channel {
    fn new(channel: usize) -> Self {
        Self {
            program: 0,
            bank: 0,
            missing: None,
            is_rhythm: channel % CHANNELS == DRUM_CHANNEL,
            registered: [None; 2],
            unregistered: [None; 2],
            data: 0,
            bend_semitones: BEND_SEMITONES,
            bend: 0.0,
            fine: 0.0,
            coarse: 0.0,
            wheel: 0.0,
            vibrato_semitones: VIBRATO_SEMITONES,
            has_portamento: false,
            portamento_ms: [0; 2],
            from_key: None,
            goes_on: false,
            last_key: None,
            is_mono: false,
            is_legato: false,
            is_soft: false,
            has_breath: false,
            scale: [0.0; 12],
            master: None,
        }
    }
}

/// The settings of the channels of all ports.
#[derive(Debug, Clone)]
pub struct Channels {
    channels: Vec<Channel>,
    tunings: Tunings,
    /// The master tuning, semitones: fine and coarse.
    master: [f32; 2],
    standard: Standard,
}

/// Emits the events of one message.
pub(super) struct Emit<'a, F: FnMut(Event)> {
    /// The time, seconds.
    pub at_s: f64,
    /// The receiver.
    pub out: &'a mut F,
}

impl<F: FnMut(Event)> Emit<'_, F> {
    /// Emits something that happens to the part of a channel.
    pub fn what(&mut self, channel: usize, what: What) {
        (self.out)(Event { at_s: self.at_s, part: Part(channel as u8), what });
    }

    fn control(&mut self, channel: usize, control: Control, value: f32) {
        self.what(channel, What::Control(control, value));
    }
}

impl Channels {
    /// Sixteen channels for each of `ports` ports, with the settings of General MIDI at the start.
    pub fn new(ports: usize) -> Self {
        Self {
            channels: (0..CHANNELS * ports).map(Channel::new).collect(),
            tunings: Tunings::new(),
            master: [0.0; 2],
            standard: Standard::Gm,
        }
    }

    /// The number of channels.
    pub fn count(&self) -> usize {
        self.channels.len()
    }

    /// The program of a channel.
    pub fn program(&self, channel: usize) -> u8 {
        self.channels.get(channel).map_or(0, |c| c.program)
    }

    /// The instrument and the key of a key of a channel; none if there is no such channel.
    pub fn voice(&self, channel: usize, key: u8) -> Option<Voice> {
        let own = self.channels.get(channel)?;
        let owner = own.master.and_then(|m| self.channels.get(usize::from(m))).unwrap_or(own);
        Some(Voice { is_drum: owner.is_rhythm, program: owner.program, key })
    }

    /// The tuning of a key of a channel, semitones beside equal temperament. Drums are never tuned.
    pub fn tuning(&self, channel: usize, key: u8) -> f32 {
        let is_drum = self.voice(channel, key).is_some_and(|voice| voice.is_drum);
        let Some(channel) = self.channels.get(channel).filter(|_| !is_drum) else { return 0.0 };
        self.tunings.of(key) + channel.scale[usize::from(key) % 12]
    }

    /// Sets the tuning of a key so that it stays after a reset.
    pub(super) fn tune_key(&mut self, key: u8, semitones: f32) {
        self.tunings.keep(key, semitones);
    }

    /// Sets whether breath (CC 2) acts as a volume of a channel.
    pub fn set_breath(&mut self, channel: usize, is_volume: bool) {
        if let Some(channel) = self.channels.get_mut(channel) {
            channel.has_breath = is_volume;
        }
    }

    /// Whether a channel plays one note at a time.
    pub fn is_mono(&self, channel: usize) -> bool {
        self.channels.get(channel).is_some_and(|c| c.is_mono || c.is_legato)
    }

    /// The channel whose pedals also hold the keys of this one.
    pub fn master(&self, channel: usize) -> Option<usize> {
        self.channels.get(channel)?.master.map(usize::from)
    }

    /// The velocity of a strike, with the soft pedal.
    pub fn velocity(&self, channel: usize, velocity: u8) -> u8 {
        match self.channels.get(channel) {
            Some(state) if state.is_soft => (f32::from(velocity) * SOFT).round().max(1.0) as u8,
            _ => velocity,
        }
    }

    /// The glide of a note that begins now. The next note can glide from this one.
    pub fn glide(&mut self, channel: usize, key: u8) -> Option<Glide> {
        let state = self.channels.get_mut(channel)?;
        let last = state.last_key.replace(key);
        let from = state.from_key.take().or(last.filter(|_| state.has_portamento))?;
        let [msb, lsb] = state.portamento_ms.map(f32::from);
        let seconds = (128.0 * msb + lsb) / 1000.0;
        let from = f32::from(from) - f32::from(key);
        (seconds > 0.0 && from != 0.0).then_some(Glide { from, seconds })
    }

    /// Whether the note that begins now was announced to go on from the one before.
    pub fn goes_on(&mut self, channel: usize) -> bool {
        self.channels.get_mut(channel).is_some_and(|state| std::mem::take(&mut state.goes_on))
    }

    /// Takes a message that is not one of a key, a pedal or a mode.
    pub(super) fn message<F: FnMut(Event)>(
        &mut self,
        channel: usize,
        message: MidiMessage,
        emit: &mut Emit<'_, F>,
    ) {
        let Some(state) = self.channels.get_mut(channel) else { return };
        match message {
            MidiMessage::ProgramChange { program } => self.select(channel, program.as_int()),
            MidiMessage::Controller { controller, value } => {
                self.control(channel, controller.as_int(), value.as_int(), emit);
            }
            MidiMessage::ChannelAftertouch { vel } => {
                emit.control(channel, Control::Pressure, unit(vel.as_int()));
            }
            MidiMessage::PitchBend { bend } => {
                let raw = f32::from(bend.0.as_int()) - 8192.0;
                state.bend = if raw > 0.0 { raw / 8191.0 } else { raw / 8192.0 };
                self.bend(channel, emit);
            }
            _ => {}
        }
    }

    fn control<F: FnMut(Event)>(
        &mut self,
        channel: usize,
        controller: u8,
        value: u8,
        emit: &mut Emit<'_, F>,
    ) {
        let Some(state) = self.channels.get_mut(channel) else { return };
        let on = value >= ON;
        let aside = (f32::from(value) - 64.0) / if value > 64 { 63.0 } else { 64.0 };
        let control = match controller {
            0 => return state.bank = value,
            1 => {
                state.wheel = unit(value);
                let depth = state.wheel * state.vibrato_semitones;
                return emit.control(channel, Control::Vibrato, depth);
            }
            2 if !state.has_breath => return,
            2 => (Control::Breath, unit(value)),
            5 => return state.portamento_ms[0] = value,
            37 => return state.portamento_ms[1] = value,
            6 | 38 | 96 | 97 => return self.data(channel, controller, value, emit),
            7 => (Control::Volume, unit(value)),
            10 => (Control::Pan, (f32::from(value.max(1)) - 64.0) / 63.0),
            11 => (Control::Expression, unit(value)),
            64 => {
                let lift = f32::from(value.clamp(DAMPER_LIFTS, ON)) - f32::from(DAMPER_LIFTS);
                let range = f32::from(ON - DAMPER_LIFTS);
                (Control::Damper, TIME_OCTAVES * lift / range)
            }
            65 => return state.has_portamento = on,
            67 => return state.is_soft = on,
            68 => return state.is_legato = on,
            71 => (Control::Resonance, aside),
            72 => (Control::Release, TIME_OCTAVES * aside),
            73 => (Control::Attack, TIME_OCTAVES * aside),
            74 => (Control::Brightness, aside),
            75 => (Control::Decay, TIME_OCTAVES * aside),
            76 => (Control::VibratoRate, aside),
            77 => (Control::VibratoDepth, VIBRATO_SEMITONES * aside),
            78 => (Control::VibratoDelay, DELAY_S * aside.max(0.0)),
            84 => return state.from_key = Some(value),
            91 => (Control::Reverb, unit(value)),
            93 => (Control::Chorus, unit(value)),
            98 | 99 => {
                state.registered = [None; 2];
                return state.unregistered[usize::from(99 - controller)] = Some(value);
            }
            100 | 101 => {
                state.unregistered = [None; 2];
                return state.registered[usize::from(101 - controller)] = Some(value);
            }
            121 => return self.reset_controllers(channel, emit),
            126 => return state.is_mono = true,
            127 => return state.is_mono = false,
            _ => return,
        };
        emit.control(channel, control.0, control.1);
    }

    fn bend<F: FnMut(Event)>(&self, channel: usize, emit: &mut Emit<'_, F>) {
        if let Some(state) = self.channels.get(channel) {
            emit.control(channel, Control::Bend, state.bend * state.bend_semitones);
        }
    }

    fn tune<F: FnMut(Event)>(&self, channel: usize, emit: &mut Emit<'_, F>) {
        if let Some(state) = self.channels.get(channel) {
            let coarse = if state.is_rhythm { 0.0 } else { state.coarse + self.master[1] };
            let semitones = state.fine + coarse + self.master[0];
            emit.control(channel, Control::Tuning, semitones);
        }
    }

    /// Resets all controllers (RP-015). Volume, pan, sends, sounds and programs stay.
    fn reset_controllers<F: FnMut(Event)>(&mut self, channel: usize, emit: &mut Emit<'_, F>) {
        let Some(state) = self.channels.get_mut(channel) else { return };
        (state.registered, state.unregistered) = ([None; 2], [None; 2]);
        (state.bend, state.wheel) = (0.0, 0.0);
        (state.has_portamento, state.from_key, state.goes_on) = (false, None, false);
        (state.is_soft, state.is_legato) = (false, false);
        use Control::{Bend, Breath, Damper, Expression, Pressure, Vibrato};
        for control in [Bend, Vibrato, Expression, Breath, Pressure, Damper] {
            emit.control(channel, control, control.rest());
        }
    }

    /// Takes a system exclusive message that was understood; `port` is its port.
    pub(super) fn exclusive<F: FnMut(Event)>(
        &mut self,
        port: usize,
        message: &SysEx,
        emit: &mut Emit<'_, F>,
    ) {
        match *message {
            SysEx::Reset(standard) => self.reset(standard, emit),
            SysEx::Rhythm { channel, is_rhythm } => {
                let channel = port * CHANNELS + usize::from(channel);
                if let Some(state) = self.channels.get_mut(channel) {
                    state.is_rhythm = is_rhythm;
                }
            }
            SysEx::MasterVolume(level) => {
                for channel in 0..self.channels.len() {
                    emit.control(channel, Control::MasterVolume, level);
                }
            }
            SysEx::MasterTuning { semitones, is_coarse } => {
                self.master[usize::from(is_coarse)] = semitones;
                (0..self.channels.len()).for_each(|channel| self.tune(channel, emit));
            }
            SysEx::KeyTuning { key, semitones } => self.tunings.set(key, semitones),
            SysEx::OctaveTuning { channels, semitones } => {
                let here = self.channels.iter_mut().skip(port * CHANNELS).take(CHANNELS);
                let tuned = here.enumerate().filter(|(n, _)| channels >> n & 1 == 1);
                tuned.for_each(|(_, state)| state.scale = semitones);
            }
        }
    }

    /// Resets everything.
    fn reset<F: FnMut(Event)>(&mut self, standard: Standard, emit: &mut Emit<'_, F>) {
        self.standard = standard;
        self.tunings.reset();
        self.master = [0.0; 2];
        for (channel, state) in self.channels.iter_mut().enumerate() {
            *state = Channel { has_breath: state.has_breath, ..Channel::new(channel) };
            for control in RESET {
                emit.control(channel, control, control.rest());
            }
        }
    }
}

/// A value of seven bits as a share of 1.
fn unit(value: u8) -> f32 {
    f32::from(value) / 127.0
}
