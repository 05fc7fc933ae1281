//! A part at one moment: what its controls make of the sound. Knows no time.

use std::f32::consts::{FRAC_PI_4, SQRT_2};

use crate::event::Control;

/// A part at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct At {
    /// Amplitude of its notes; 1 at rest.
    pub gain: f32,
    /// From left, -1, to right, 1, and how far from there the outer keys of a keyboard are.
    pub pan: f32,
    /// See `pan`.
    pub spread: f32,
    /// The shares of the sides, where all keys are in one place.
    pub sides: [f32; 2],
    /// Send to the reverb.
    pub reverb: f32,
    /// Send to the chorus.
    pub chorus: f32,
    /// Semitones that all its notes are higher, without vibrato.
    pub semitones: f32,
    /// Semitones of vibrato, and where it is, -1..=1.
    pub vibrato: [f32; 2],
    /// Seconds from a key press until vibrato begins.
    pub vibrato_delay_s: f32,
    /// How bright, and how much of a resonance, -1..=1.
    pub colour: [f32; 2],
    /// Octaves by which attack, decay and release are longer.
    pub times: [f32; 3],
    /// Octaves by which a release is longer under a half pedal.
    pub damper: f32,
    /// Channel pressure, 0..=1.
    pub pressure: f32,
    /// Another instrument that its notes turn into.
    pub morph: Morph,
}

/// Into which program notes turn, how far, and how far full pressure turns them, 0..=1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Morph {
    /// General MIDI program.
    pub program: u8,
    /// Without pressure.
    pub amount: f32,
    /// What full pressure adds.
    pub by_pressure: f32,
}

/// Where a vibrato is after so many turns, -1..=1: a triangle (SoundFont 2.04, its oscillators).
fn swing(turns: f64) -> f32 {
    (1.0 - 4.0 * ((turns + 0.25).fract() - 0.5).abs()) as f32
}

/// Share of the left side, and of the right: 1 each in the middle, of constant power.
pub fn sides(pan: f32) -> [f32; 2] {
    let (sin, cos) = ((pan.clamp(-1.0, 1.0) + 1.0) * FRAC_PI_4).sin_cos();
    [SQRT_2 * cos, SQRT_2 * sin]
}

impl At {
    /// A part that nobody has touched.
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

    /// Of the values of the controls, and the turns of the vibrato.
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

    /// The same with the controls of another part on top (MPE): levels, bends, pressures and
    /// colours add up; place, sends, times and morph are the other's.
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
