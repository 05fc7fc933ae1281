//! The events of parts, which are the only input of a stream. It knows no MIDI bytes and no sound.
//!
//! Messages of live ports, of OSC, of recordings and of MIDI files all become these events, so that
//! a recorded file renders as it was heard. `crate::notes` makes them.

use crate::notes::{NoteEvent, Voice};

/// A part, which is one instrument that is played: a MIDI channel counted from 0, or for files with
/// several ports, port * 16 + channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Part(pub u8);

/// The identity of one press of a key. Two presses of a key on two parts or by two sources have
/// different ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NoteId(pub u64);

/// Something that happens to a part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Event {
    /// Seconds from the start of the stream, exact.
    pub at_s: f64,
    /// The part.
    pub part: Part,
    /// What happens.
    pub what: What,
}

impl Event {
    /// Turns a note event without a part into an event of the first part, or of the part of drums.
    /// A voice has one note at a time.
    pub fn of(event: &NoteEvent) -> Self {
        let NoteEvent { time_s, voice, velocity } = *event;
        let Voice { is_drum, program, key } = voice;
        let number = u64::from(is_drum) << 16 | u64::from(program) << 8 | u64::from(key);
        let note = NoteId(u64::MAX - number);
        let what = match velocity {
            0 => What::Off(note),
            _ => What::On(Strike {
                note,
                voice,
                velocity,
                tuning: 0.0,
                glide: None,
                is_legato: false,
            }),
        };
        Self { at_s: time_s, part: Part(if is_drum { 9 } else { 0 }), what }
    }
}

/// Something that happens to a part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum What {
    /// A note begins. If another note still has this id, it is released first.
    On(Strike),
    /// A note is released by finger and pedals. Drums are never released.
    Off(NoteId),
    /// All notes of the part end at once, also those that ring out.
    Silence,
    /// Pressure on one key, 0..=1.
    KeyPressure(NoteId, f32),
    /// The tuning of one note changes, in semitones beside equal temperament.
    Retune(NoteId, f32),
    /// A control of the part gets a new value, in the unit of the control.
    Control(Control, f32),
}

/// How a note begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Strike {
    /// The identity of the note.
    pub note: NoteId,
    /// The instrument and the key.
    pub voice: Voice,
    /// The velocity that the model hears, 1..=127.
    pub velocity: u8,
    /// Semitones beside equal temperament.
    pub tuning: f32,
    /// The glide to its pitch, if there is one.
    pub glide: Option<Glide>,
    /// Whether it continues another note, so that its attack is left out.
    pub is_legato: bool,
}

/// A glide to the pitch of a note, which is linear in semitones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Glide {
    /// How far from the pitch of the note it begins, semitones.
    pub from: f32,
    /// How long it takes, seconds.
    pub seconds: f32,
}

/// A control of a part, with its unit and its value at rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Control {
    /// Channel volume (CC 7), 0..=1; 100 / 127. Amplitude goes with its square (GM level 1).
    Volume,
    /// Expression (CC 11), 0..=1; 1. Amplitude goes with its square.
    Expression,
    /// Breath (CC 2), where it is a volume, 0..=1; 1. Amplitude goes with its square.
    Breath,
    /// The level of all parts (system exclusive), 0..=1; 1. Amplitude goes with its square.
    MasterVolume,
    /// The level of the channel strip, dB; 0.
    Gain,
    /// The place between left, -1, and right, 1; 0.
    Pan,
    /// How far from the middle the outer keys of a keyboard are, 0..=1; 0.3.
    Spread,
    /// The bend wheel, semitones; 0.
    Bend,
    /// The tuning of the part (RPN 1 and 2, master tuning), semitones; 0.
    Tuning,
    /// The modulation wheel (CC 1), semitones of vibrato; 0.
    Vibrato,
    /// Channel pressure, 0..=1; 0. It adds vibrato, or morphs.
    Pressure,
    /// The rate of the vibrato (CC 76), octaves beside the usual one; 0.
    VibratoRate,
    /// The depth of a vibrato that is always there (CC 77), semitones; 0.
    VibratoDepth,
    /// The time from the key press until vibrato begins (CC 78), seconds; 0.
    VibratoDelay,
    /// The brightness (CC 74), -1..=1; 0.
    Brightness,
    /// The resonance at the corner frequency of the brightness (CC 71), -1..=1; 0.
    Resonance,
    /// The time of the attack (CC 73), octaves beside that of the instrument; 0.
    Attack,
    /// The time of the decay (CC 75), octaves beside that of the instrument; 0.
    Decay,
    /// The time of the release (CC 72), octaves beside that of the instrument; 0.
    Release,
    /// How far a half-pressed damper pedal makes the release longer, octaves; 0.
    Damper,
    /// Send to the reverb (CC 91), 0..=1; 40 / 127.
    Reverb,
    /// Send to the chorus (CC 93), 0..=1; 0.
    Chorus,
    /// The program that the notes of the part turn into, 0..=127; 0.
    MorphProgram,
    /// How far they have turned into it, 0..=1; 0.
    MorphAmount,
    /// How far full pressure turns them into it, 0..=1; 0. The rest of it adds vibrato.
    MorphPressure,
    /// The part whose controls also act on this one (MPE), -1 for none; -1.
    Master,
}

impl Control {
    /// The number of controls.
    pub const COUNT: usize = Self::Master as usize + 1;

    /// The values of all controls at rest.
    pub const REST: [f32; Self::COUNT] = {
        let mut rest = [0.0; Self::COUNT];
        rest[Self::Volume as usize] = 100.0 / 127.0;
        rest[Self::Expression as usize] = 1.0;
        rest[Self::Breath as usize] = 1.0;
        rest[Self::MasterVolume as usize] = 1.0;
        rest[Self::Reverb as usize] = 40.0 / 127.0;
        rest[Self::Master as usize] = -1.0;
        rest
    };

    /// All controls, in order.
    pub const ALL: [Self; Self::COUNT] = {
        use Control::*;
        [
            Volume,
            Expression,
            Breath,
            MasterVolume,
            Gain,
            Pan,
            Spread,
            Bend,
            Tuning,
            Vibrato,
            Pressure,
            VibratoRate,
            VibratoDepth,
            VibratoDelay,
            Brightness,
            Resonance,
            Attack,
            Decay,
            Release,
            Damper,
            Reverb,
            Chorus,
            MorphProgram,
            MorphAmount,
            MorphPressure,
            Master,
        ]
    };

    /// The value at rest.
    pub fn rest(self) -> f32 {
        Self::REST[self as usize]
    }
}
