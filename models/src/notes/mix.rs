//! What channel volume and expression make of a strike, where a note has no level but its velocity.

/// General MIDI volume (controller 7) where nobody has set any.
pub const DEFAULT_VOLUME: u8 = 100;
/// The same of expression (controller 11).
pub const DEFAULT_EXPRESSION: u8 = 127;

/// By how much a velocity is multiplied; 1 at the defaults. Amplitude goes with the square of volume, of expression
/// and of velocity alike (General MIDI level 1 sound levels), so a note struck that much softer is as loud.
pub fn share(volume: u8, expression: u8) -> f32 {
    let part = |of: u8, full: u8| f32::from(of) / f32::from(full);
    part(volume, DEFAULT_VOLUME) * part(expression, DEFAULT_EXPRESSION)
}
