//! The wavetables of the harmonics of every key, by group. It knows no note.
//!
//! A table holds one period, and for each sample the values of all groups. So a tone reads all
//! groups at one place, side by side, which processors can do for several groups at once.

use super::lanes::Row;
use super::life::GROUP_FIRST;
use super::tables::{HARMONIC_AMPLITUDE, LOWER_HZ, Tables, UPPER_HZ, single, start_turn};
use crate::graph::LIFE_GROUPS;
use crate::units::SAMPLE_RATE_HZ;
use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner};
use std::collections::HashMap;
use std::f64::consts::PI;
use std::ops::Range;
use std::sync::Arc;

/// The least number of samples in the period of the highest partial of a table, except for the
/// lowest keys.
const FINEST: usize = 16;
/// The most samples in a table.
const LONGEST: usize = 4096;

/// One period of the tone of every key.
#[derive(Debug)]
pub struct Waves {
    /// For each key, [samples of a period + 1]. The last repeats the first, for interpolation.
    keys: Vec<Vec<Row>>,
}

impl Waves {
    /// Computes all wavetables, which take 25 MB.
    pub fn new() -> Self {
        let mut periods = Periods::default();
        Self { keys: (0..128).map(|key| periods.of_key(key)).collect() }
    }

    /// One period of a key.
    pub fn of(&self, key: u8) -> &[Row] {
        self.keys.get(usize::from(key)).map(Vec::as_slice).unwrap_or_default()
    }
}

/// The samples in the table of a key: the smallest power of two that is enough for its highest
/// partial.
fn length(key_hz: f64) -> usize {
    let partials = (UPPER_HZ.end() / key_hz) as usize;
    (FINEST * partials.max(1)).next_power_of_two().min(LONGEST)
}

/// The first partial of a group, the end of its range, and the length of its table.
type Group = (u32, u32, usize);

/// The real and the imaginary parts of one period.
type Period = [Vec<f64>; 2];

/// Periods that were computed already. Keys share equal ones.
#[derive(Default)]
struct Periods {
    planner: RealFftPlanner<f64>,
    known: HashMap<Group, Arc<Period>>,
}

impl Periods {
    fn of_key(&mut self, key: u8) -> Vec<Row> {
        let key_hz = Tables::turns_per_sample(key) * f64::from(SAMPLE_RATE_HZ);
        let length = length(key_hz);
        let end = (LOWER_HZ.end() / key_hz) as u32 + 1;
        let upper = [UPPER_HZ.start() / key_hz, UPPER_HZ.end() / key_hz];
        let mut rows = vec![Row::default(); length + 1];
        for group in 0..LIFE_GROUPS {
            let harmonics = match GROUP_FIRST.get(group) {
                Some(&first) => first..GROUP_FIRST.get(group + 1).copied().unwrap_or(end).min(end),
                None => upper[0].ceil() as u32..upper[1] as u32 + 1,
            };
            if harmonics.is_empty() {
                continue;
            }
            let period = self.of_harmonics(&harmonics, length);
            let [tone, behind] = &*period;
            let values = tone.iter().zip(behind).map(|(re, im)| Complex::new(*re, *im));
            let values = values.cycle().map(single);
            rows.iter_mut().zip(values).for_each(|(row, value)| row.set(group, value));
        }
        rows
    }

    fn of_harmonics(&mut self, harmonics: &Range<u32>, length: usize) -> Arc<Period> {
        let group = (harmonics.start, harmonics.end, length);
        if let Some(period) = self.known.get(&group) {
            return period.clone();
        }
        let fft = self.planner.plan_fft_inverse(length);
        let made = Arc::new([0.0, -0.25].map(|ahead| period(&*fft, harmonics, ahead)));
        self.known.insert(group, made.clone());
        made
    }
}

/// One period of the sum of these harmonics, each moved ahead by some cycles.
fn period(fft: &dyn ComplexToReal<f64>, harmonics: &Range<u32>, ahead: f64) -> Vec<f64> {
    let (mut spectrum, mut wave) = (fft.make_input_vec(), fft.make_output_vec());
    for (h, value) in (0..).zip(spectrum.iter_mut()) {
        let amplitude = if harmonics.contains(&h) { HARMONIC_AMPLITUDE / 2.0 } else { 0.0 };
        *value = Complex::from_polar(amplitude, 2.0 * PI * (start_turn(h) + ahead));
    }
    // The buffers come from the plan, so their lengths fit and the transform cannot fail.
    let _ = fft.process(&mut spectrum, &mut wave);
    wave
}
