//! How the controls of a part change one of its notes: its pitch, colour and times. It makes no
//! sound.

use super::at::sides;
use super::{At, Bus, Morph};
use crate::ledger::{Sounding, Touch};
use crate::units::MEL_BINS;

/// The semitones of vibrato that full pressure adds (SoundFont 2.04, default modulators).
const PRESSURE_SEMITONES: f32 = 0.5;
/// The time in which a vibrato reaches its depth after its delay, seconds.
const VIBRATO_COMES_S: f64 = 0.1;
/// The slope above the pitch of a note at the brightest and at the darkest setting, dB per octave.
const BRIGHTER_DB: f32 = 4.0;
const DARKER_DB: f32 = -8.0;
/// The most that colour changes a band, dB.
const MOST_DB: f32 = 24.0;
/// A resonance: its height in dB, its width in octaves, and its place above the pitch of the note
/// in octaves.
const RESONANCE_DB: f32 = 12.0;
const RESONANCE_WIDTH: f32 = 0.35;
const RESONANCE_PLACE: f32 = 2.5;
/// The programs whose keys or bars lie in a row (pianos to dulcimer), the middle of the row, and
/// half of its length, keys.
const IN_A_ROW: std::ops::Range<u8> = 0..16;
const MIDDLE_KEY: f32 = 64.5;
const HALF_ROW: f32 = 43.5;
/// Nepers of power in one decibel.
const POWER_DB: f32 = std::f32::consts::LN_10 / 10.0;
/// The length of the attack of a note, seconds. Its time can be changed.
const ATTACK_S: f64 = 0.08;
/// The age at which a note begins that continues another one, seconds.
const LEGATO_S: f64 = 0.15;

/// The semitones that a note is above its key `age_s` seconds after its press, with the tuning and
/// pressure of `touch`.
pub fn semitones(note: &Sounding, touch: Touch, at: &At, age_s: f64) -> f32 {
    let glide = note.glide.map_or(0.0, |glide| {
        let left = 1.0 - age_s / f64::from(glide.seconds.max(1e-3));
        glide.from * left.clamp(0.0, 1.0) as f32
    });
    let pressure = (1.0 - at.morph.by_pressure) * (at.pressure + touch.pressure);
    let depth = at.vibrato[0] + PRESSURE_SEMITONES * pressure;
    let vibrato = if depth > 0.0 {
        let comes = (age_s - f64::from(at.vibrato_delay_s)) / VIBRATO_COMES_S;
        let comes = if at.vibrato_delay_s > 0.0 { comes.clamp(0.0, 1.0) } else { 1.0 };
        depth * at.vibrato[1] * comes as f32
    } else {
        0.0
    };
    at.semitones + touch.tuning + glide + vibrato
}

/// The program that a note turns into, and how far it does, 0..=1; none if it does not.
pub fn morph(note: &Sounding, touch: Touch, at: &At) -> Option<(u8, f32)> {
    let Morph { program, amount, by_pressure } = at.morph;
    let amount = amount + by_pressure * (at.pressure + touch.pressure);
    let turns = amount > 0.0 && !note.voice.is_drum && program != note.voice.program;
    turns.then_some((program, amount.min(1.0)))
}

/// The age that the model is asked for, `age_s` seconds after the press of a note.
pub fn age(note: &Sounding, at: &At, age_s: f64) -> f64 {
    if note.is_legato {
        return age_s + LEGATO_S;
    }
    let [attack, decay, _] = at.times.map(|octaves| f64::from(octaves).exp2());
    if at.times[0] == 0.0 && at.times[1] == 0.0 {
        return age_s;
    }
    let attack_s = attack * ATTACK_S;
    if age_s < attack_s { age_s / attack } else { ATTACK_S + (age_s - attack_s) / decay }
}

/// The weight of a note in a bus, with the level of its part.
pub fn weight(note: &Sounding, at: &At, bus: Bus) -> f32 {
    at.gain * share(note, at, bus)
}

/// The weight of a note in a bus, without the level of its part.
pub fn share(note: &Sounding, at: &At, bus: Bus) -> f32 {
    match bus {
        Bus::Mono => 1.0,
        Bus::Side(side) => side_of(note, at, side),
        Bus::Reverb => at.reverb,
        Bus::Chorus => at.chorus,
        Bus::Part(of, side) if of == note.part => side_of(note, at, side),
        Bus::Part(..) => 0.0,
    }
}

/// The amplitude of a note on a side, by the pan of its part and the place of its key in the row.
fn side_of(note: &Sounding, at: &At, side: usize) -> f32 {
    let voice = note.voice;
    let sides = match at.spread > 0.0 && !voice.is_drum && IN_A_ROW.contains(&voice.program) {
        true => sides(at.pan + at.spread * (f32::from(voice.key) - MIDDLE_KEY) / HALF_ROW),
        false => at.sides,
    };
    sides.get(side).copied().unwrap_or(0.0)
}

/// The factor by which a release is longer.
pub fn release(at: &At) -> f64 {
    f64::from(at.times[2] + at.damper).exp2()
}

/// The factors of power of all bands; none if the part has no colour. `octaves` \[128\] are the
/// frequencies of the bands in octaves above 1 Hz, and `pitch` is that of the note.
pub fn colour(at: &At, octaves: &[f32], pitch: f32) -> Option<[f32; MEL_BINS]> {
    let [bright, resonance] = at.colour;
    if bright == 0.0 && resonance == 0.0 {
        return None;
    }
    let slope = if bright > 0.0 { bright * BRIGHTER_DB } else { -bright * DARKER_DB };
    let place = RESONANCE_PLACE + 2.0 * bright;
    let mut factors = [1.0; MEL_BINS];
    for (factor, octave) in factors.iter_mut().zip(octaves) {
        let above = octave - pitch;
        let bump = (-0.5 * ((above - place) / RESONANCE_WIDTH).powi(2)).exp();
        let decibels = slope * above.max(0.0) + resonance * RESONANCE_DB * bump;
        *factor = (POWER_DB * decibels.clamp(-MOST_DB, MOST_DB)).exp();
    }
    Some(factors)
}
