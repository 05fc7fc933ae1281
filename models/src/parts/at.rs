//! The state of a part at one moment: how its controls change the sound. It knows no time.

use std::f32::consts::{FRAC_PI_4, SQRT_2};

use crate::event::Control;

/// The state of a part at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct At {
    /// The amplitude of its notes; 1 at rest.
    pub gain: f32,
    /// The place between left, -1, and right, 1. The outer keys of a keyboard are `spread` away
    /// from it.
    pub pan: f32,
    /// How far the outer keys of a keyboard are from `pan`, 0..=1.
    pub spread: f32,
    /// The amplitude on the left and on the right side, for instruments without spread.
    pub sides: [f32; 2],
    /// The send to the reverb.
    pub reverb: f32,
    /// The send to the chorus.
    pub chorus: f32,
    /// The transposition of all notes, semitones, without vibrato.
    pub semitones: f32,
    /// The depth of the vibrato, semitones, and its current position, -1..=1.
    pub vibrato: [f32; 2],
    /// The time from a key press until vibrato begins, seconds.
    pub vibrato_delay_s: f32,
    /// The brightness and the resonance, each -1..=1.
    pub colour: [f32; 2],
    /// By how much attack, decay and release are longer, octaves.
    pub times: [f32; 3],
    /// By how much a half-pressed damper pedal makes releases longer, octaves.
    pub damper: f32,
    /// The channel pressure, 0..=1.
    pub pressure: f32,
    /// The instrument that its notes turn into.
    pub morph: Morph,
}

/// The program that notes turn into, and how far they do, 0..=1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Morph {
    /// The General MIDI program.
    pub program: u8,
    /// How far notes turn into it without pressure.
    pub amount: f32,
    /// How much full pressure adds to that.
    pub by_pressure: f32,
}

/// The position of a vibrato after a number of cycles, -1..=1. It is a triangle, like the
/// oscillators of SoundFont 2.04.
fn swing(turns: f64) -> f32 {
    (1.0 - 4.0 * ((turns + 0.25).fract() - 0.5).abs()) as f32
}

/// The amplitude on the left and on the right side. The power is constant, and both are 1 in the
/// middle.
pub fn sides(pan: f32) -> [f32; 2] {
    let (sin, cos) = ((pan.clamp(-1.0, 1.0) + 1.0) * FRAC_PI_4).sin_cos();
    [SQRT_2 * cos, SQRT_2 * sin]
}

impl At {
    /// A part with all controls at rest.
    pub const REST: Self = Self {
        gain: 1.0,
        pan: 0.0,
        spread: Control::REST[Control::Spread as usize],
        sides: [1.0, 1.0],
        reverb: 40.0 / 127.0,
        chorus: 0.0,
        semitones: 0.0,
        vibrato: [0.0, 0.0],
        vibrato_delay_s: 0.0,
        colour: [0.0, 0.0],
        times: [0.0; 3],
        damper: 0.0,
        pressure: 0.0,
        morph: Morph { program: 0, amount: 0.0, by_pressure: 0.0 },
    };

    /// The state for the values of the controls and the cycles of the vibrato.
    pub fn new(values: &[f32; Control::COUNT], turns: f64) -> Self {
        let of = |control: Control| values[control as usize];
        let square = |x: f32| x * x;
        let loudness = of(Control::Volume) / Control::Volume.rest();
        let decibels = (of(Control::Gain) / 20.0 * std::f32::consts::LN_10).exp();
        let level = square(loudness)
            * square(of(Control::Expression))
            * square(of(Control::Breath))
            * square(of(Control::MasterVolume));
        let depth = of(Control::Vibrato) + of(Control::VibratoDepth);
        let morph = Morph {
            program: of(Control::MorphProgram) as u8,
            amount: of(Control::MorphAmount),
            by_pressure: of(Control::MorphPressure).clamp(0.0, 1.0),
        };
        Self {
            gain: level * decibels,
            pan: of(Control::Pan),
            spread: of(Control::Spread),
            sides: sides(of(Control::Pan)),
            reverb: of(Control::Reverb),
            chorus: of(Control::Chorus),
            semitones: of(Control::Bend) + of(Control::Tuning),
            vibrato: [depth, swing(turns)],
            vibrato_delay_s: of(Control::VibratoDelay),
            colour: [of(Control::Brightness), of(Control::Resonance)],
            times: [of(Control::Attack), of(Control::Decay), of(Control::Release)],
            damper: of(Control::Damper),
            pressure: of(Control::Pressure),
            morph,
        }
    }

    /// This part with the controls of a master part added (MPE). Levels, bends, pressures and
    /// colours add up; place, sends, times and morph are those of the master.
    #[must_use]
    pub fn under(&self, master: &Self) -> Self {
        let both = |a: f32, b: f32| (a + b).clamp(-1.0, 1.0);
        Self {
            gain: self.gain * master.gain,
            semitones: self.semitones + master.semitones,
            vibrato: [self.vibrato[0] + master.vibrato[0], master.vibrato[1]],
            colour: [
                both(self.colour[0], master.colour[0]),
                both(self.colour[1], master.colour[1]),
            ],
            pressure: self.pressure + master.pressure,
            ..*master
        }
    }
}
