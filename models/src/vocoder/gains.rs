//! Smooths the corrections of the network so that they do not hum, and limits the gain of tones in
//! bands without a partial. It knows no notes.

use super::BLOCKS;
use super::excitation::LEVEL_FLOOR;

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
    fn only_where_it_has_no_partial_is_a_tone_held_down() {
        assert_eq!(most_tone(LEVEL_FLOOR.ln()), UNHEARD_GAIN);
        assert!(most_tone(LEVEL_FLOOR.ln() + 1.0) > 6.0);
    }
}
