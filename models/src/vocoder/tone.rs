//! What sounds of a note before any filter: equal harmonics of its key, or the partials of its instrument where those are no harmonics. Knows
//! neither time nor level.
//!
//! Python twin: `models/training/timbre_training/excitation.py`.

use super::tables::{HARMONIC_AMPLITUDE, Tables};
use realfft::num_complex::Complex;

/// Organs with a sixteen foot stop, and leads and pads of the same kind, have partials at multiples of half the key's frequency.
const OCTAVE_LOWER: [u8; 5] = [16, 17, 18, 86, 97];

/// Bars, bells and drumheads: where their partials lie, as multiples of the key's frequency, in the soundfont of the training (FluidR3 GM);
/// the loudest over several octaves, as `python -m timbre_training.partials PROGRAM` in `models/training` shows them.
#[rustfmt::skip]
pub const PARTIALS: [(u8, &[f64]); 6] = [
    // Glockenspiel, xylophone, tubular bells, timpani, tinkle bell, agogo.
    (9, &[1.0, 2.745, 5.307, 6.905, 7.949, 12.08, 12.805, 12.856, 16.594, 17.152, 17.653, 39.656, 43.393]),
    (13, &[1.0, 2.995, 5.66, 5.702, 5.76, 5.797, 5.838, 5.92, 8.444, 10.914]),
    (14, &[0.618, 1.207, 1.219, 1.982, 1.993, 2.913, 2.924, 3.977, 4.018, 5.117, 5.138, 5.243, 6.348, 6.381, 6.584, 7.692, 8.021, 9.05, 9.539]),
    (47, &[1.012, 1.028, 1.06, 1.5, 1.517, 1.543, 1.653, 1.705, 1.765, 1.82, 1.93, 1.978, 2.836, 2.898, 2.96, 3.335, 3.377, 3.437, 4.099, 5.209, 5.77]),
    (112, &[0.999, 1.287, 1.788, 2.001, 2.882, 3.63, 3.918, 4.18, 5.455, 6.37, 6.702, 8.195, 8.53, 9.444]),
    (113, &[2.026, 4.052, 4.568, 5.166, 7.548, 8.355, 10.381, 12.406, 13.09, 13.967, 15.076, 15.32, 16.07, 17.825, 19.11, 21.144]),
];

/// The key whose tone a key of a program has.
pub fn tone_key(program: u8, key: u8) -> u8 {
    if OCTAVE_LOWER.contains(&program) { key.checked_sub(12).unwrap_or(key) } else { key }
}

/// A tone at full level.
#[derive(Debug, Clone, Copy)]
pub struct SteadyTone<'a> {
    /// What it sounds like, below 8 kHz.
    pub sound: Sound<'a>,
    /// Its upper tone, which lies above 8 kHz (upside down: [`super::tables`]).
    pub upper: Sound<'a>,
    /// Its mel magnitude [128 bands].
    pub profile: &'a [f32],
}

/// The sound of a tone at full level.
#[derive(Debug, Clone, Copy)]
pub struct Sound<'a> {
    /// Periods of the key in one sample.
    step: f64,
    wave: Wave<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Wave<'a> {
    /// One period [TABLE + 1].
    Harmonics(&'a [Complex<f32>]),
    /// A cosine [TABLE + 1], and the frequency (multiple of the key's) and starting phase (turns) of every partial.
    Partials(&'a [Complex<f32>], &'a [(f64, f64)]),
}

impl<'a> Sound<'a> {
    /// The harmonics of a key with one period of them [TABLE + 1].
    pub fn harmonics(key: u8, wave: &'a [Complex<f32>]) -> Self {
        Self { step: Tables::turns_per_sample(key), wave: Wave::Harmonics(wave) }
    }

    /// Of a key with one period of a cosine [TABLE + 1], and (multiple of the key's frequency, phase in turns) of every partial.
    pub fn partials(key: u8, cosine: &'a [Complex<f32>], partials: &'a [(f64, f64)]) -> Self {
        Self { step: Tables::turns_per_sample(key), wave: Wave::Partials(cosine, partials) }
    }

    /// Its value `n` samples after the key press; the imaginary part is a quarter turn behind.
    #[inline]
    pub fn at(&self, n: u64) -> Complex<f64> {
        let turns = n as f64 * self.step;
        match self.wave {
            Wave::Harmonics(wave) => Tables::read(wave, turns),
            Wave::Partials(cosine, partials) => {
                let partial = |(by, phase): &(f64, f64)| Tables::read(cosine, turns * by + phase);
                partials.iter().map(partial).sum::<Complex<f64>>() * HARMONIC_AMPLITUDE
            }
        }
    }
}
