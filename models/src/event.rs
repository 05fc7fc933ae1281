//! What flows into the engine: events of parts. Knows no MIDI byte and no sound.
//!
//! Live ports, OSC, recordings and MIDI files all become these, so what a file renders is what was
//! heard. `crate::notes` makes them.

use crate::notes::{NoteEvent, Voice};

/// An instrument under somebody's hands: a MIDI channel counted from 0; of a file with several
/// ports, port * 16 + channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Part(pub u8);

/// One press of a key. Two presses of one key, on two parts or of two sources, never share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NoteId(pub u64);

/// Something that happens to a part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Event {
    /// Seconds from the start of the stream, exact.
    pub at_s: f64,
    /// To which part.
    pub part: Part,
    /// What.
    pub what: What,
}

impl Event {
    /// A note event that belongs to nobody, as an event of the first part, or of the drums' part: a
    /// voice has one note at a time.
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

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum What {
    /// A key goes down. A note that still has this id is released first.
    On(Strike),
    /// A key is let go, by finger and pedals. Drums are never released.
    Off(NoteId),
    /// All notes of the part end at once, those that ring out too.
    Silence,
    /// Pressure on one key, 0..=1.
    KeyPressure(NoteId, f32),
    /// Another tuning of one note, semitones beside equal temperament.
    Retune(NoteId, f32),
    /// A control of the part has this value from now on, in the unit of the control.
    Control(Control, f32),
}

/// How a note begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Strike {
    /// Its name from now on.
    pub note: NoteId,
    /// Instrument and key.
    pub voice: Voice,
    /// 1..=127: what the model hears.
    pub velocity: u8,
    /// Semitones beside equal temperament.
    pub tuning: f32,
    /// Where its pitch comes from, if it glides.
    pub glide: Option<Glide>,
    /// It goes on from another note: its attack is left out.
    pub is_legato: bool,
}

/// A glide to a note's own pitch, even in semitones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Glide {
    /// How far away it begins, semitones.
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
    /// The level of everything (system exclusive), 0..=1; 1. Amplitude goes with its square.
    MasterVolume,
    /// The strip's level, dB; 0.
    Gain,
    /// From left, -1, to right, 1; 0.
    Pan,
    /// How far from the middle the outer keys of a keyboard are, 0..=1; 0.3.
    Spread,
    /// Bend wheel, semitones; 0.
    Bend,
    /// Tuning of the part (RPN 1 and 2, master tuning), semitones; 0.
    Tuning,
    /// Modulation wheel (CC 1), semitones of vibrato; 0.
    Vibrato,
    /// Channel pressure, 0..=1; 0. It adds vibrato, or morphs.
    Pressure,
    /// Vibrato's rate, octaves beside the usual (CC 76); 0.
    VibratoRate,
    /// Vibrato that is always there, semitones (CC 77); 0.
    VibratoDepth,
    /// Seconds from the key press until vibrato begins (CC 78); 0.
    VibratoDelay,
    /// How bright (CC 74), -1..=1; 0.
    Brightness,
    /// A resonance where brightness turns (CC 71), -1..=1; 0.
    Resonance,
    /// Times of attack (CC 73), as octaves of the instrument's own; 0.
    Attack,
    /// Times of decay (CC 75), as octaves of the instrument's own; 0.
    Decay,
    /// Times of release (CC 72), as octaves of the instrument's own; 0.
    Release,
    /// How far a damper pedal that does not hold lifts the dampers, octaves of release time; 0.
    Damper,
    /// Send to the reverb (CC 91), 0..=1; 40 / 127.
    Reverb,
    /// Send to the chorus (CC 93), 0..=1; 0.
    Chorus,
    /// The program that the part's notes turn into, 0..=127; 0.
    MorphProgram,
    /// How far they have turned into it, 0..=1; 0.
    MorphAmount,
    /// How far full pressure turns them into it, 0..=1; 0. The rest of it adds vibrato.
    MorphPressure,
    /// The part whose controls act on this one too (MPE), -1 for none; -1.
    Master,
}

impl Control {
    /// How many there are.
    pub const COUNT: usize = Self::Master as usize + 1;

    /// Their values at rest.
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

    /// All of them, in their order.
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

    /// Its value at rest.
    pub fn rest(self) -> f32 {
        Self::REST[self as usize]
    }
}
