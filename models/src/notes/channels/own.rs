//! Unregistered parameters of this project (116 and a number), for controls without a MIDI message,
//! so that recordings have them and sequencers can change them. It knows no channel.

use crate::event::Control;

/// The first half of their numbers.
pub(in crate::notes) const OWN: u8 = 116;

/// The number of the parameter that makes the next note go on from the one before, without an
/// attack.
pub(in crate::notes) const LEGATO: u8 = 6;

/// By number: a control, its value at 0, and what each step of fourteen bits adds.
const CONTROLS: [(Control, f32, f32); 6] = [
    (Control::Gain, -60.0, 72.0 / 16383.0),
    // The program is the upper half.
    (Control::MorphProgram, 0.0, 1.0 / 128.0),
    (Control::MorphAmount, 0.0, 1.0 / 16383.0),
    (Control::MorphPressure, 0.0, 1.0 / 16383.0),
    (Control::Breath, 0.0, 1.0 / 16383.0),
    (Control::Spread, 0.0, 1.0 / 16383.0),
];

/// The control of a number, and the value for its data.
pub(super) fn control_of(number: u8, data: [u8; 2]) -> Option<(Control, f32)> {
    let (control, first, step) = CONTROLS.get(usize::from(number)).copied()?;
    let steps = u16::from(data[0]) << 7 | u16::from(data[1]);
    Some((control, first + step * f32::from(steps)))
}

/// The number of a control, and the data for a value.
pub(in crate::notes) fn data_of(control: Control, value: f32) -> Option<(u8, [u8; 2])> {
    let (number, (_, first, step)) =
        (0..).zip(CONTROLS).find(|(_, (known, ..))| *known == control)?;
    let steps = ((value - first) / step).round().clamp(0.0, 16383.0) as u16;
    Some((number, [(steps >> 7) as u8, (steps & 0x7F) as u8]))
}
