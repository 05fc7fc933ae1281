//! Measures the pitch of a tone, and the power at a frequency. This file knows no instrument.

use std::f64::consts::TAU;

/// The power of a piece of sound around a frequency, with a Hann window.
pub fn power_at(sound: &[f32], rate_hz: f64, hz: f64) -> f64 {
    let n = sound.len() as f64;
    let (mut re, mut im) = (0.0, 0.0);
    for (i, x) in sound.iter().enumerate() {
        let window = 0.5 - 0.5 * (TAU * i as f64 / n).cos();
        let turn = TAU * hz * i as f64 / rate_hz;
        re += f64::from(*x) * window * turn.cos();
        im += f64::from(*x) * window * turn.sin();
    }
    re * re + im * im
}

/// The deviation of the first partial of a piece from `hz`, within 120 cents.
pub fn cents(sound: &[f32], rate_hz: f64, hz: f64) -> f64 {
    let at = |cents: f64| power_at(sound, rate_hz, hz * (cents / 1200.0).exp2());
    let best = |all: &mut dyn Iterator<Item = f64>| {
        all.map(|cents| (cents, at(cents))).fold((0.0, 0.0), |a, b| if b.1 > a.1 { b } else { a }).0
    };
    let coarse = best(&mut (-60..=60).map(|c| f64::from(c) * 2.0));
    best(&mut (-20..=20).map(|c| coarse + f64::from(c) * 0.1))
}
