//! Which controller sets which control. It knows no channel.

use super::{DAMPER_LIFTS, DELAY_S, ON, TIME_OCTAVES, VIBRATO_SEMITONES};
use crate::event::Control;

/// The controls that messages can set.
pub(super) const RESET: [Control; 21] = {
    use Control::*;
    [
        Volume,
        Expression,
        Breath,
        MasterVolume,
        Pan,
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
        Master,
    ]
};

/// The controller for a control, and its value for this value of the control. None for controls
/// that are set in other ways.
pub(in crate::notes) fn controller_of(control: Control, value: f32) -> Option<(u8, u8)> {
    let aside = |share: f32| 64.0 + share * if share > 0.0 { 63.0 } else { 64.0 };
    let time = |octaves: f32| aside(octaves / TIME_OCTAVES);
    let (number, place) = match control {
        Control::Volume => (7, 127.0 * value),
        Control::Expression => (11, 127.0 * value),
        Control::Pan => (10, 64.0 + 63.0 * value),
        Control::Vibrato => (1, 127.0 * value / VIBRATO_SEMITONES),
        Control::VibratoRate => (76, aside(value)),
        Control::VibratoDepth => (77, aside(value / VIBRATO_SEMITONES)),
        Control::VibratoDelay => (78, aside(value / DELAY_S)),
        Control::Brightness => (74, aside(value)),
        Control::Resonance => (71, aside(value)),
        Control::Attack => (73, time(value)),
        Control::Decay => (75, time(value)),
        Control::Release => (72, time(value)),
        Control::Reverb => (91, 127.0 * value),
        Control::Chorus => (93, 127.0 * value),
        // A pedal that holds notes is part of the ends of the notes; one that is pressed less is a
        // control.
        Control::Damper => {
            let lift = value / TIME_OCTAVES * f32::from(ON - DAMPER_LIFTS);
            (64, (f32::from(DAMPER_LIFTS) + lift).min(f32::from(ON - 1)))
        }
        _ => return None,
    };
    Some((number, place.round().clamp(0.0, 127.0) as u8))
}
