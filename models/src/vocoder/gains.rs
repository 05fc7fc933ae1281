//! Smooths the corrections of the network so that they do not hum, and limits the gain of tones in
//! bands without a partial. It knows no notes.

use super::BLOCKS;
use super::excitation::LEVEL_FLOOR;
use crate::units::MEL_BINS;

/// The limit of the gain of tones in bands without a partial, nats. When a key is struck, the mel
/// of the new note must not raise what leaks into those bands.
const UNHEARD_GAIN: f32 = -1.0;
/// The limit rises with this slope from the level (in nats) on that is `UNHEARD_LEAST` above the
/// floor.
const UNHEARD_SLOPE: f32 = 10.0;
const UNHEARD_LEAST: f32 = 0.2;

/// The highest gain in nats of a tone whose level in the band is `log_level`.
pub fn most_tone(log_level: f32) -> f32 {
    let above = log_level - LEVEL_FLOOR.ln() - UNHEARD_LEAST;
    UNHEARD_GAIN + UNHEARD_SLOPE * above.max(0.0)
}

/// How much the gain of a tone may lie above that of the partials around, nats.
const ABOVE_PARTIALS: f32 = 0.5;
/// What remains of the weight of a partial from band to band.
const NEARNESS: f32 = 0.5;

/// Limits the gains of tones [128], nats, where the tone is softer than around: to the mean gain of
/// the bands around, weighted by their power and nearness. A note that begins at once is wider than
/// a steady one in its first frame, in the mel and in the excitation too, so the gains must not
/// rise between its partials. `log_levels` [128] are the levels of the tones, nats.
pub fn smooth_tones(gains: &mut [f32; MEL_BINS], log_levels: &[f32; MEL_BINS]) {
    let weights = log_levels.map(|level| (2.0 * level).exp());
    let weighted: [f32; MEL_BINS] = std::array::from_fn(|b| weights[b] * gains[b]);
    let [all, sums] = [weights, weighted].map(|values| spread(&values));
    for (gain, (all, sum)) in gains.iter_mut().zip(all.iter().zip(&sums)) {
        *gain = gain.min(sum / all + ABOVE_PARTIALS);
    }
}

/// Adds to each value what remains of all others.
fn spread(values: &[f32; MEL_BINS]) -> [f32; MEL_BINS] {
    let mut sums = *values;
    let mut from_below = 0.0;
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += from_below;
        from_below = NEARNESS * (from_below + value);
    }
    let mut from_above = 0.0;
    for (sum, value) in sums.iter_mut().zip(values).rev() {
        *sum += from_above;
        from_above = NEARNESS * (from_above + value);
    }
    sums
}

/// Makes corrections move evenly from frame to frame if nothing is struck. Otherwise two blocks
/// that differ in the same way in every frame would be heard as lines 50 Hz beside every partial.
/// The second block becomes the mean of both, and the first is halfway to it from the last frame.
#[derive(Debug, Default)]
pub struct Even {
    /// The corrections at the end of the last frame, of both bands; empty before the first frame.
    ends: [Vec<f32>; 2],
}

impl Even {
    /// Smooths the corrections of a frame in place, of both bands, [2 blocks, ...] each. The second
    /// is empty if there is no upper band.
    pub fn frame(&self, all: [&mut [f32]; 2]) {
        for (frame, end) in all.into_iter().zip(&self.ends) {
            let (first, second) = frame.split_at_mut(frame.len() / BLOCKS);
            let means = first.iter().zip(&mut *second);
            means.for_each(|(first, second)| *second = (first + *second) / 2.0);
            let end = if end.is_empty() { &*second } else { end.as_slice() };
            let path = first.iter_mut().zip(end.iter().zip(&*second));
            path.for_each(|(first, (before, now))| *first = (before + now) / 2.0);
        }
    }

    /// Ends a frame with these smoothed corrections.
    pub fn next_frame(&mut self, all: [&[f32]; 2]) {
        for (frame, end) in all.into_iter().zip(&mut self.ends) {
            end.clear();
            end.extend_from_slice(frame.get(frame.len() / BLOCKS..).unwrap_or_default());
        }
    }

    /// Removes the past.
    pub fn reset(&mut self) {
        self.ends.iter_mut().for_each(Vec::clear);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::OUTPUTS;

    #[test]
    fn a_steady_difference_of_the_blocks_is_not_heard() {
        let mut even = Even::default();
        for _ in 0..3 {
            let mut frame = [[1.0; OUTPUTS / 2], [2.0; OUTPUTS / 2]].concat();
            even.frame([&mut frame, &mut []]);
            even.next_frame([&frame, &[]]);
            assert!(frame.iter().all(|v| *v == 1.5));
        }
    }

    #[test]
    fn a_frame_goes_on_from_one_that_was_struck() {
        let mut even = Even::default();
        let mut frame = [[1.0; OUTPUTS / 2], [3.0; OUTPUTS / 2]].concat();
        even.next_frame([&frame, &[]]);
        even.frame([&mut frame, &mut []]);
        let blocks: Vec<f32> = frame.chunks_exact(OUTPUTS / 2).map(|block| block[0]).collect();
        assert_eq!(blocks, [2.5, 2.0]);
    }

    #[test]
    fn between_partials_gains_stay_at_those_of_the_partials() {
        // Partials at every tenth band, between which the mel would have much more.
        let is_partial = |b: usize| b.is_multiple_of(10);
        let levels = std::array::from_fn(|b| if is_partial(b) { 2.0 } else { -3.5 });
        let mut gains = std::array::from_fn(|b| if is_partial(b) { -1.0 } else { 3.0 });
        smooth_tones(&mut gains, &levels);
        for (b, gain) in gains.iter().enumerate() {
            assert!(*gain < -1.0 + ABOVE_PARTIALS + 0.1, "{b}: {gain}");
            assert!(!is_partial(b) || (*gain + 1.0).abs() < 1e-6, "{b}: {gain}");
        }
    }

    #[test]
    fn only_where_it_has_no_partial_is_a_tone_held_down() {
        assert_eq!(most_tone(LEVEL_FLOOR.ln()), UNHEARD_GAIN);
        assert!(most_tone(LEVEL_FLOOR.ln() + 1.0) > 6.0);
    }
}
