//! How the network's corrections become a path that does not hum, and how loud a tone may be where
//! it has no partial. Knows no notes.

use super::BLOCKS;
use super::excitation::LEVEL_FLOOR;

/// The most that a tone's gain may be in bands where it has no partial, nats: what leaks into those
/// when a key is struck must not be raised by the new note's mel.
const UNHEARD_GAIN: f32 = -1.0;
/// The limit goes up as fast once the level, in nats, is `UNHEARD_LEAST` above its floor.
const UNHEARD_SLOPE: f32 = 10.0;
const UNHEARD_LEAST: f32 = 0.2;

/// The most that the gain of a tone may be whose level in a band is `log_level`, nats.
pub fn most_tone(log_level: f32) -> f32 {
    let above = log_level - LEVEL_FLOOR.ln() - UNHEARD_LEAST;
    UNHEARD_GAIN + UNHEARD_SLOPE * above.max(0.0)
}

/// Makes corrections go evenly from frame to frame where nothing is struck: two blocks that differ
/// in every frame alike would be heard as a line 50 Hz beside every partial. There both count as
/// one, their mean, and the first block is halfway to it.
#[derive(Debug, Default)]
pub struct Even {
    /// With what the last frame ended, of both bands; empty before the first.
    ends: [Vec<f32>; 2],
}

impl Even {
    /// Makes a frame even, in place: corrections of both bands [2 blocks, ...], the second empty
    /// where it is not made.
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

    /// A frame is over, with these corrections as they were made even.
    pub fn next_frame(&mut self, all: [&[f32]; 2]) {
        for (frame, end) in all.into_iter().zip(&mut self.ends) {
            end.clear();
            end.extend_from_slice(frame.get(frame.len() / BLOCKS..).unwrap_or_default());
        }
    }

    /// Forgets the past.
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
