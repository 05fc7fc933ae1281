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

/// Drums with a tone: the key, the time in which the tone falls by the factor e in seconds, and the
/// partials in Hz, measured in the soundfont of the training.
#[rustfmt::skip]
pub const DRUM_TONES: [(u8, f64, &[f64]); 21] = [
    // Toms.
    (41, 0.25, &[53.0, 105.0, 148.0]),
    (43, 0.2, &[77.0, 133.0, 225.0]),
    (45, 0.3, &[78.0, 118.0]),
    (47, 0.3, &[97.0]),
    (48, 0.25, &[103.0]),
    (50, 0.25, &[114.0]),
    // Ride bell, cowbell.
    (53, 0.4, &[
        1582.0, 1953.0, 1991.0, 2596.0, 2636.0, 2710.0, 2869.0, 3415.0, 3445.0, 3503.0, 3601.0,
        4277.0, 4354.0, 5977.0,
    ]),
    (56, 0.08, &[471.0, 507.0, 1982.0, 2494.0, 2655.0]),
    // Bongos, congas, timbales, agogos.
    (60, 0.05, &[888.0, 1327.0, 1353.0]),
    (61, 0.06, &[593.0, 903.0, 1255.0, 1372.0]),
    (63, 0.15, &[293.0, 519.0, 726.0]),
    (64, 0.15, &[213.0, 260.0, 404.0, 553.0]),
    (65, 0.2, &[270.0, 535.0, 766.0, 969.0, 1166.0, 1375.0, 1568.0, 1760.0, 2150.0]),
    (66, 0.2, &[204.0, 398.0, 573.0, 725.0, 874.0, 1030.0, 1174.0, 1607.0]),
    (67, 0.12, &[1500.0, 7682.0]),
    (68, 0.12, &[1001.0, 5127.0]),
    // Claves, wood blocks, triangles.
    (75, 0.03, &[2146.0, 2180.0]),
    (76, 0.06, &[668.0, 710.0, 747.0, 1490.0, 1637.0]),
    (77, 0.06, &[500.0, 532.0, 560.0, 1117.0, 1226.0]),
    (80, 0.1, &[
        1206.0, 2166.0, 3944.0, 4423.0, 4755.0, 5959.0, 9757.0, 10525.0, 11210.0, 13382.0, 14630.0,
        15110.0, 15532.0,
    ]),
    (81, 0.4, &[
        1206.0, 2165.0, 3943.0, 4423.0, 4754.0, 5958.0, 9757.0, 10525.0, 11210.0, 15110.0, 15532.0,
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
