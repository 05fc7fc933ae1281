//! The sound of each part on its way to ports of its own. Both sides are as loud as in the mix, but
//! without reverb, chorus, limiter and master volume. It knows no port.
//!
//! It goes through a ring beside that of the mix, frame by frame, so that parts and mix stay in
//! line.

use ringbuf::traits::{Consumer, Producer};
use ringbuf::{HeapCons, HeapProd};

use super::inference::fade;
use super::resampler::HopResampler;
use crate::audio::resample::ResampleError;
use crate::mix::{Frame, MIX_BUSES, SIDES, make_up};

/// How many parts have ports.
pub const PARTS: usize = 16;

/// One sample for both sides of every part.
pub type PartsFrame = [Frame; PARTS];

/// The end of the callback.
///
/// # Real time
/// It neither allocates nor waits.
pub struct PartsPlayer {
    ring: HeapCons<PartsFrame>,
    /// The last frame before a gap, and the current frame.
    last: PartsFrame,
    now: PartsFrame,
}

impl PartsPlayer {
    /// Reads from `ring`.
    pub fn new(ring: HeapCons<PartsFrame>) -> Self {
        let silence = [[0.0; SIDES]; PARTS];
        Self { ring, last: silence, now: silence }
    }

    /// Advances by a frame if the mix does. If the mix fades over a gap, the parts do too.
    pub fn next(&mut self, goes_on: bool, fade: f32) {
        if goes_on {
            self.last = self.ring.try_pop().unwrap_or([[0.0; SIDES]; PARTS]);
        }
        self.now = self.last.map(|sides| sides.map(|side| side * fade));
    }

    /// The current frame.
    pub fn now(&self) -> &PartsFrame {
        &self.now
    }
}

/// The end of inference.
pub struct PartsSink {
    ring: HeapProd<PartsFrame>,
    to_hz: u32,
    resamplers: Vec<HopResampler>,
    sides: Vec<Frame>,
    /// The next frames for the ring.
    frames: Vec<PartsFrame>,
}

impl PartsSink {
    /// Writes to `ring`, at the rate of the device.
    pub fn new(ring: HeapProd<PartsFrame>, to_hz: u32) -> Self {
        Self { ring, to_hz, resamplers: vec![], sides: vec![], frames: vec![] }
    }

    /// Puts the next samples of all buses, at `rate_hz`, into the ring. The last ones of a model
    /// fade out. It must be called before the mix of the same samples is passed on, so that the
    /// callback finds the parts of each frame of the mix.
    ///
    /// # Errors
    /// A rate that the converter refuses.
    pub fn push(
        &mut self,
        buses: &[Vec<f32>],
        rate_hz: u32,
        is_last: bool,
    ) -> Result<(), ResampleError> {
        if self.resamplers.first().is_none_or(|first| first.from_hz() != rate_hz) {
            let new = (0..PARTS).map(|_| HopResampler::new(rate_hz, self.to_hz));
            self.resamplers = new.collect::<Result<_, _>>()?;
        }
        let gain = make_up();
        self.frames.clear();
        for (part, resampler) in self.resamplers.iter_mut().enumerate() {
            let bus = MIX_BUSES + SIDES * part;
            let Some([left, right]) = buses.get(bus..bus + SIDES) else { continue };
            self.sides.clear();
            self.sides.extend(left.iter().zip(right).map(|(l, r)| [l * gain, r * gain]));
            if is_last {
                fade(&mut self.sides);
            }
            let (mut at, frames) = (0, &mut self.frames);
            resampler.push(&self.sides, |converted| {
                let end = at + converted.len();
                frames.resize(frames.len().max(end), [[0.0; SIDES]; PARTS]);
                let here = frames.get_mut(at..end).unwrap_or_default();
                here.iter_mut().zip(converted).for_each(|(frame, sides)| frame[part] = *sides);
                at = end;
            })?;
        }
        // As for the mix: if something does not fit, the device did not ask for it.
        self.ring.push_slice(&self.frames);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use ringbuf::HeapRb;
    use ringbuf::traits::{Observer, Split};

    use super::*;

    /// Every sample of a bus is the number of the bus divided by 100.
    fn buses(samples: usize) -> Vec<Vec<f32>> {
        (0..MIX_BUSES + SIDES * PARTS).map(|bus| vec![bus as f32 / 100.0; samples]).collect()
    }

    #[test]
    fn each_part_has_its_two_buses_at_the_rate_of_the_device() {
        for to_hz in [48_000, 44_100] {
            let (ring, mut heard) = HeapRb::new(100_000).split();
            let mut sink = PartsSink::new(ring, to_hz);
            for _ in 0..10 {
                sink.push(&buses(960), 48_000, false).unwrap();
            }
            let wanted = to_hz as usize / 5;
            assert!(heard.occupied_len().abs_diff(wanted) < 100, "{}", heard.occupied_len());
            let middle = heard.pop_iter().nth(wanted / 2).unwrap();
            for (part, sides) in middle.iter().enumerate() {
                for (side, found) in sides.iter().enumerate() {
                    let bus = (MIX_BUSES + SIDES * part + side) as f32 / 100.0 * make_up();
                    assert!((found - bus).abs() < 0.01, "part {part}: {found} of {bus}");
                }
            }
        }
    }

    #[test]
    fn the_last_hop_of_a_model_ends_in_silence_and_stereo_alone_says_nothing() {
        let (ring, mut heard) = HeapRb::new(10_000).split();
        let mut sink = PartsSink::new(ring, 48_000);
        sink.push(&buses(960), 48_000, true).unwrap();
        assert_eq!(heard.pop_iter().last(), Some([[0.0; SIDES]; PARTS]));
        sink.push(&buses(960)[..MIX_BUSES], 48_000, false).unwrap();
        assert_eq!(heard.occupied_len(), 0);
    }
}
