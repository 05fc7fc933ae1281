//! Finds a known sound in a recording by cross-correlation. This file knows no server and no
//! daemon.
#![allow(clippy::expect_used)]

use realfft::RealFftPlanner;

/// The position in `recording`, from `from` to `latest` samples later, at which `wanted` begins,
/// and the normalized correlation there (1: the same sound).
///
/// # Panics
/// It does not panic for finite lengths.
pub fn find(recording: &[f32], from: usize, latest: usize, wanted: &[f32]) -> (usize, f64) {
    let size = (latest + 2 * wanted.len()).next_power_of_two();
    let mut planner = RealFftPlanner::<f64>::new();
    let (forward, inverse) = (planner.plan_fft_forward(size), planner.plan_fft_inverse(size));
    let spectrum = |samples: &[f32]| {
        let mut input = forward.make_input_vec();
        input.iter_mut().zip(samples).for_each(|(to, from)| *to = f64::from(*from));
        let mut output = forward.make_output_vec();
        forward.process(&mut input, &mut output).expect("lengths of the plan");
        output
    };
    let end = (from + latest + wanted.len()).min(recording.len());
    let heard = recording.get(from..end).unwrap_or_default();
    let mut product = spectrum(heard);
    product.iter_mut().zip(spectrum(wanted)).for_each(|(a, b)| *a *= b.conj());
    // Rounding must not leave an imaginary part in real values.
    if let Some(first) = product.first_mut() {
        first.im = 0.0;
    }
    if let Some(last) = product.last_mut() {
        last.im = 0.0;
    }
    let mut correlation = inverse.make_output_vec();
    inverse.process(&mut product, &mut correlation).expect("lengths of the plan");
    let lags = correlation.iter().take(latest);
    let (at, best) =
        lags.enumerate().fold(
            (0, f64::MIN),
            |best, (lag, value)| {
                if *value > best.1 { (lag, *value) } else { best }
            },
        );
    let energy = |samples: &[f32]| samples.iter().map(|s| f64::from(s * s)).sum::<f64>();
    let there = heard.get(at..(at + wanted.len()).min(heard.len())).unwrap_or_default();
    let scale = (energy(there) * energy(wanted)).sqrt().max(1e-12) * size as f64;
    (from + at, best / scale)
}

/// The position after `from` at which a sound begins: the first sample at which the mean of the
/// last millisecond is above the level before and at least a quarter of the loudest such mean until
/// `latest` samples later.
pub fn onset(recording: &[f32], from: usize, latest: usize, rate_hz: usize) -> Option<usize> {
    let width = (rate_hz / 1000).max(1);
    let means = |from: usize, to: usize| -> Vec<f32> {
        let part = recording.get(from..to.min(recording.len())).unwrap_or_default();
        part.windows(width).map(|w| w.iter().map(|s| s.abs()).sum::<f32>() / width as f32).collect()
    };
    let loudest = |means: &[f32]| means.iter().copied().fold(0.0, f32::max);
    let before = loudest(&means(from.saturating_sub(10 * width), from));
    let after = means(from, from + latest);
    let least = (0.25 * loudest(&after)).max(1.2 * before).max(1e-4);
    after.iter().position(|mean| *mean >= least).map(|at| from + at + width - 1)
}

/// The value below which a share of all values are.
pub fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (share * (sorted.len().saturating_sub(1)) as f64).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_is_found_where_it_was_put() {
        let wanted: Vec<f32> = (0..4_000).map(|n| (n as f32 * n as f32 * 1e-4).sin()).collect();
        let mut recording = vec![0.01f32; 30_000];
        recording[12_345..16_345].iter_mut().zip(&wanted).for_each(|(r, w)| *r += 0.3 * w);
        let (at, likeness) = find(&recording, 10_000, 5_000, &wanted);
        assert_eq!(at, 12_345);
        assert!(likeness > 0.95 && likeness < 1.05, "{likeness}");
        let found = onset(&recording, 10_000, 5_000, 48_000);
        assert!(found.is_some_and(|at| at.abs_diff(12_345) < 96), "{found:?}");
        assert_eq!(onset(&[0.0; 9_000], 1_000, 5_000, 48_000), None);
    }
}
