//! The steady tones of notes before any filter: equal harmonics of the key, or the partials of the
//! instrument or drum if they are not harmonic. It knows no time and no level.
//!
//! Python twin: `models/training/timbre_training/excitation.py`.

/// Organs with a sixteen foot stop, and leads and pads of the same kind, have partials at multiples
/// of half the frequency of the key.
const OCTAVE_LOWER: [u8; 5] = [16, 17, 18, 86, 97];

/// The partials of bars, bells and drumheads as multiples of the frequency of the key, measured in
/// the soundfont of the training (FluidR3 GM). They are the loudest over several octaves, as
/// `python -m timbre_training.partials PROGRAM` in `models/training` shows them.
#[rustfmt::skip]
pub const PARTIALS: [(u8, &[f64]); 6] = [
    // Glockenspiel, xylophone, tubular bells, timpani, tinkle bell, agogo.
    (9, &[
        1.0, 2.745, 5.307, 6.905, 7.949, 12.08, 12.805, 12.856, 16.594, 17.152, 17.653, 39.656,
        43.393,
    ]),
    (13, &[1.0, 2.995, 5.66, 5.702, 5.76, 5.797, 5.838, 5.92, 8.444, 10.914]),
    (14, &[
        0.618, 1.207, 1.219, 1.982, 1.993, 2.913, 2.924, 3.977, 4.018, 5.117, 5.138, 5.243, 6.348,
        6.381, 6.584, 7.692, 8.021, 9.05, 9.539,
    ]),
    (47, &[
        1.012, 1.028, 1.06, 1.5, 1.517, 1.543, 1.653, 1.705, 1.765, 1.82, 1.93, 1.978, 2.836, 2.898,
        2.96, 3.335, 3.377, 3.437, 4.099, 5.209, 5.77,
    ]),
    (112, &[
        0.999, 1.287, 1.788, 2.001, 2.882, 3.63, 3.918, 4.18, 5.455, 6.37, 6.702, 8.195, 8.53,
        9.444,
    ]),
    (113, &[
        2.026, 4.052, 4.568, 5.166, 7.548, 8.355, 10.381, 12.406, 13.09, 13.967, 15.076, 15.32,
        16.07, 17.825, 19.11, 21.144,
    ]),
];

/// The key whose tone is used for a key of a program.
pub fn tone_key(program: u8, key: u8) -> u8 {
    if OCTAVE_LOWER.contains(&program) { key.checked_sub(12).unwrap_or(key) } else { key }
}

/// A tone at full level.
#[derive(Debug, Clone, Copy)]
pub struct SteadyTone<'a> {
    /// Its partials.
    pub sound: Sound<'a>,
    /// Its mel magnitude [128 bands].
    pub profile: &'a [f32],
}

/// The partials of a tone.
#[derive(Debug, Clone, Copy)]
pub enum Sound<'a> {
    /// The harmonics of its key.
    Harmonics,
    /// The frequency (cycles per sample) and the starting phase (cycles) of every partial below 8
    /// kHz, and of those above.
    Partials([&'a [(f64, f64)]; 2]),
}
