//! Drums with a tone in the soundfont of the training, as printed by `partials.py` in
//! models/training/timbre_training. All other drums are noise. Python twin: `drum_tones.py` there.
//!
//! The body of bass and snare drums is a tone, too, although its pitch falls and its partials are
//! too close to be told apart. As noise it would be a few random periods, 3 dB softer or louder at
//! each stroke.

use crate::graph::NOISE_BANDS;
use crate::notes::Voice;

/// The share of noise in a body.
const BODY_NOISE: f32 = 0.15;
/// The share of noise of drums with a tone but without a body.
const TONAL_NOISE: f32 = 0.5;

/// A drum with a tone.
#[derive(Debug, Clone, Copy)]
pub struct DrumTone {
    /// The program of its kit.
    pub kit: u8,
    /// Its key.
    pub key: u8,
    /// The time in which the tone falls by the factor e, seconds.
    pub fall_s: f64,
    /// In so many groups of four mel bands, from the lowest, nearly everything is tone, and above
    /// them everything is noise. With 0, half of the sound is noise in all bands.
    body: usize,
    /// Its partials, Hz.
    pub partials_hz: &'static [f64],
}

/// The tone of a drum; most have none.
pub fn tone_of(voice: Voice) -> Option<&'static DrumTone> {
    let is_it = |tone: &&DrumTone| (tone.kit, tone.key) == (voice.program, voice.key);
    DRUM_TONES.iter().find(is_it).filter(|_| voice.is_drum)
}

/// The share of noise in the power of a drum, for each group of four mel bands.
pub fn noise(voice: Voice) -> [f32; NOISE_BANDS] {
    match tone_of(voice) {
        None => [1.0; NOISE_BANDS],
        Some(tone) if tone.body == 0 => [TONAL_NOISE; NOISE_BANDS],
        Some(tone) => std::array::from_fn(|band| if band < tone.body { BODY_NOISE } else { 1.0 }),
    }
}

const fn tone(kit: u8, key: u8, fall_s: f64, partials_hz: &'static [f64]) -> DrumTone {
    DrumTone { kit, key, fall_s, body: 0, partials_hz }
}

const fn snare(kit: u8, key: u8, fall_s: f64, partials_hz: &'static [f64]) -> DrumTone {
    DrumTone { body: 6, ..tone(kit, key, fall_s, partials_hz) }
}

const fn bass_drum(kit: u8, key: u8) -> DrumTone {
    let tone = tone(kit, key, 0.06, &[38.0, 54.0, 70.0, 86.0, 102.0, 118.0, 134.0, 150.0]);
    DrumTone { body: 3, ..tone }
}

const fn ride_bell(kit: u8) -> DrumTone {
    tone(
        kit,
        53,
        0.4,
        &[
            1582.0, 1953.0, 1991.0, 2596.0, 2636.0, 2710.0, 2869.0, 3415.0, 3445.0, 3503.0, 3601.0,
            4277.0, 4354.0, 5977.0,
        ],
    )
}

/// All drums with a tone.
#[rustfmt::skip]
pub const DRUM_TONES: [DrumTone; 88] = [
    // Standard kit.
    tone(0, 34, 0.08, &[5555.8]),
    bass_drum(0, 35),
    bass_drum(0, 36),
    snare(0, 38, 0.06, &[154.0, 174.0, 193.6, 214.0, 234.0, 254.0, 271.0, 289.3, 310.0, 330.0]),
    snare(0, 40, 0.06, &[194.0, 214.0, 234.0, 254.0, 278.0, 302.0, 324.4, 346.0]),
    tone(0, 41, 0.25, &[53.0, 105.0, 148.0]),
    tone(0, 43, 0.2, &[77.0, 133.0, 225.0]),
    tone(0, 45, 0.3, &[78.0, 118.0]),
    tone(0, 47, 0.3, &[97.0]),
    tone(0, 48, 0.25, &[103.0]),
    tone(0, 50, 0.25, &[114.0]),
    ride_bell(0),
    tone(0, 56, 0.08, &[471.0, 507.0, 1982.0, 2494.0, 2655.0]),
    tone(0, 60, 0.05, &[888.0, 1327.0, 1353.0]),
    tone(0, 61, 0.06, &[593.0, 903.0, 1255.0, 1372.0]),
    tone(0, 63, 0.15, &[293.0, 519.0, 726.0]),
    tone(0, 64, 0.15, &[213.0, 260.0, 404.0, 553.0]),
    tone(0, 65, 0.2, &[270.0, 535.0, 766.0, 969.0, 1166.0, 1375.0, 1568.0, 1760.0, 2150.0]),
    tone(0, 66, 0.2, &[204.0, 398.0, 573.0, 725.0, 874.0, 1030.0, 1174.0, 1607.0]),
    tone(0, 67, 0.12, &[1500.0, 7682.0]),
    tone(0, 68, 0.12, &[1001.0, 5127.0]),
    tone(0, 75, 0.03, &[2146.0, 2180.0]),
    tone(0, 76, 0.06, &[668.0, 710.0, 747.0, 1490.0, 1637.0]),
    tone(0, 77, 0.06, &[500.0, 532.0, 560.0, 1117.0, 1226.0]),
    tone(0, 79, 0.13, &[288.1, 571.7]),
    tone(0, 80, 0.1, &[
        1206.0, 2166.0, 3944.0, 4423.0, 4755.0, 5959.0, 9757.0, 10525.0, 11210.0, 13382.0, 14630.0,
        15110.0, 15532.0,
    ]),
    tone(0, 81, 0.4, &[
        1206.0, 2165.0, 3943.0, 4423.0, 4754.0, 5958.0, 9757.0, 10525.0, 11210.0, 15110.0, 15532.0,
    ]),
    tone(0, 86, 0.14, &[44.4, 90.7]),
    tone(0, 87, 0.14, &[89.3, 135.9]),
    // Room kit.
    bass_drum(8, 35),
    bass_drum(8, 36),
    ride_bell(8),
    // Power kit.
    bass_drum(16, 35),
    bass_drum(16, 36),
    snare(16, 38, 0.11, &[185.6, 203.1, 233.1, 256.3, 287.1, 308.6, 326.5, 350.9]),
    snare(16, 40, 0.11, &[184.4, 233.2, 258.0, 284.0, 310.0, 345.0, 379.2]),
    tone(16, 41, 0.19, &[70.9]),
    tone(16, 43, 0.17, &[79.4]),
    tone(16, 45, 0.18, &[99.8]),
    tone(16, 47, 0.17, &[119.0]),
    tone(16, 48, 0.14, &[131.8]),
    tone(16, 50, 0.11, &[155.4]),
    ride_bell(16),
    // Electronic kit.
    bass_drum(24, 35),
    bass_drum(24, 36),
    snare(24, 38, 0.08, &[76.0, 92.0, 108.2, 124.0, 139.6, 158.2, 174.0]),
    snare(24, 40, 0.07, &[130.0, 146.9, 164.0, 181.5, 209.9, 228.1, 254.8]),
    ride_bell(24),
    // TR-808.
    tone(25, 35, 0.04, &[48.0]),
    tone(25, 36, 0.04, &[52.4]),
    tone(25, 41, 0.08, &[93.0]),
    tone(25, 43, 0.06, &[116.1]),
    tone(25, 45, 0.05, &[135.6]),
    tone(25, 47, 0.08, &[172.0]),
    tone(25, 48, 0.07, &[206.9]),
    tone(25, 50, 0.04, &[260.4]),
    ride_bell(25),
    tone(25, 56, 0.09, &[510.4, 759.3, 1020.9]),
    tone(25, 62, 0.04, &[412.4]),
    tone(25, 63, 0.04, &[265.1]),
    tone(25, 64, 0.06, &[189.4]),
    tone(25, 75, 0.03, &[2218.0]),
    // Jazz kit.
    bass_drum(32, 35),
    bass_drum(32, 36),
    snare(32, 38, 0.05, &[194.0, 212.2, 234.0, 254.0, 278.0, 302.0, 324.4, 346.0]),
    snare(32, 40, 0.05, &[194.0, 214.0, 234.0, 254.0, 278.0, 302.0, 324.4, 346.0]),
    ride_bell(32),
    // Brush kit.
    bass_drum(40, 35),
    bass_drum(40, 36),
    snare(40, 38, 0.05, &[191.6, 207.2, 225.7, 242.1, 259.8, 294.8, 309.8, 339.7]),
    ride_bell(40),
    // Orchestra kit: bass drums, snares, timpani.
    tone(48, 35, 0.27, &[43.6, 131.9]),
    tone(48, 36, 0.25, &[46.1, 139.7]),
    snare(48, 38, 0.09, &[176.8, 195.8, 211.2, 231.5, 251.1, 267.7, 339.1, 380.1]),
    snare(48, 40, 0.09, &[176.2, 195.3, 210.7, 230.9, 250.4, 267.0, 338.1, 379.0]),
    tone(48, 41, 0.29, &[87.4, 135.8, 154.7, 265.8]),
    tone(48, 42, 0.27, &[92.7, 144.1, 164.0, 281.6]),
    tone(48, 43, 0.26, &[97.6, 148.4, 172.3, 192.4, 284.6, 302.0, 322.3, 337.6]),
    tone(48, 44, 0.25, &[103.5, 157.0, 182.6, 204.5, 301.6, 319.9, 341.1, 357.5]),
    tone(48, 45, 0.24, &[109.7, 166.1, 193.7, 218.8, 319.6, 338.7, 361.2, 378.6]),
    tone(48, 46, 0.23, &[116.4, 175.8, 205.4, 232.1, 338.7, 358.6, 382.5, 400.9]),
    tone(48, 47, 0.23, &[123.4, 186.0, 217.6, 245.9, 358.7, 379.8, 405.1, 424.5]),
    tone(48, 48, 0.22, &[131.0, 196.9, 214.6, 230.6, 260.6, 379.9, 429.2, 449.7]),
    tone(48, 49, 0.22, &[139.1, 208.6, 227.4, 244.4, 275.9, 402.4, 454.7, 476.3]),
    tone(48, 50, 0.21, &[147.8, 221.0, 241.1, 258.9, 292.3, 426.2, 481.7, 504.5]),
    tone(48, 51, 0.2, &[157.1, 234.2, 255.4, 274.3, 309.6, 451.4, 534.6, 637.8]),
    tone(48, 52, 0.19, &[167.2, 248.2, 270.7, 290.6, 327.9, 478.0, 566.3, 675.8]),
    tone(48, 53, 0.18, &[177.7, 263.0, 287.0, 307.8, 347.4, 497.4, 517.9, 599.9]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_vectors::{array, open};
    use ndarray::ArrayD;

    #[test]
    fn the_python_twin_has_the_same_drums() {
        let theirs: ArrayD<f64> = array(&mut open("excitation"), "drum_tones");
        let ours = DRUM_TONES.iter().map(|tone| {
            let mut row = vec![f64::from(tone.kit), f64::from(tone.key), tone.fall_s];
            row.push(tone.body as f64);
            row.extend(tone.partials_hz);
            row.resize(theirs.shape()[1], 0.0);
            row
        });
        let theirs: Vec<Vec<f64>> =
            theirs.outer_iter().map(|row| row.iter().copied().collect()).collect();
        assert_eq!(ours.collect::<Vec<_>>(), theirs);
    }
}
