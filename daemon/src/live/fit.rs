//! Finds how long hops must be so that this machine makes them in time, for models whose network
//! always makes a full target. This is measured once, when the model is loaded. It knows no thread
//! and no device.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use timbre_models::notes::{NoteEvent, Voice};
use timbre_models::streamer::{StreamOptions, Streamer};
use timbre_models::units::{HOP_SAMPLES, SAMPLE_RATE_HZ};

use super::quality::Quality;
use crate::error::Error;

/// The share of a hop that computing it may take. It lies between what the governor calls
/// comfortable and what it calls tight.
pub(super) const SHARE: f64 = 0.7;
/// How many measurements are made; the longest counts.
const TRIALS: usize = 2;
/// How many steps are measured together.
const STEPS: usize = 2;

/// The time that a hop takes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Costs {
    /// For the encoders and the vocoder, once a hop.
    pub(super) once: Duration,
    /// For one denoising step.
    pub(super) step: Duration,
    /// For the guidance of one step.
    pub(super) guidance: Duration,
}

impl Costs {
    /// Plays silently until the window and its context are full, then measures the shortest hop.
    /// The stream has to be restarted afterwards.
    ///
    /// # Errors
    /// The network fails.
    pub fn measure(
        streamer: &mut Streamer,
        options: StreamOptions,
        target_frames: usize,
        hops: RangeInclusive<usize>,
    ) -> Result<Self, Error> {
        let plain = StreamOptions { steps: 1, guidance: 1.0, ..options };
        streamer.restart(StreamOptions { hop_frames: target_frames, ..plain })?;
        for key in 48..56 {
            let voice = Voice { is_drum: false, program: 0, key };
            streamer.push(NoteEvent { time_s: 0.05, voice, velocity: 90 });
        }
        let full = target_frames + options.context_frames;
        while streamer.position().0 < full as u64 {
            streamer.hop()?;
        }
        let hop_frames = *hops.start();
        // A mel decoder plans its graph once for each length of hop, which must not be measured.
        streamer.set(StreamOptions { hop_frames, ..plain })?;
        streamer.hop()?;
        let mut costs = Self::default();
        for guidance in [1.0, 2.0] {
            streamer.set(StreamOptions { hop_frames, steps: STEPS, guidance, ..plain })?;
            for _ in 0..TRIALS {
                let begun = Instant::now();
                streamer.encode()?;
                let encoded = Instant::now();
                streamer.denoise()?;
                let denoised = Instant::now();
                streamer.vocode()?;
                costs.once = costs.once.max((encoded - begun) + denoised.elapsed());
                let step = (denoised - encoded) / STEPS as u32;
                match guidance == 1.0 {
                    true => costs.step = costs.step.max(step),
                    false => costs.guidance = costs.guidance.max(step.saturating_sub(costs.step)),
                }
            }
        }
        Ok(costs)
    }

    /// The time that a hop of any length takes.
    pub fn hop(&self, quality: Quality) -> Duration {
        let guidance = if quality.is_guided { self.guidance } else { Duration::ZERO };
        self.once + (self.step + guidance) * u32::try_from(quality.steps).unwrap_or(u32::MAX)
    }

    /// The shortest of `hops`, in frames, for which there is time with that quality; the longest if
    /// there is none.
    pub fn shortest_hop(&self, quality: Quality, hops: RangeInclusive<usize>) -> usize {
        let frame_s = HOP_SAMPLES as f64 / f64::from(SAMPLE_RATE_HZ);
        let needed = (self.hop(quality).as_secs_f64() / SHARE / frame_s).ceil();
        (needed as usize).clamp(*hops.start(), *hops.end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hop_is_as_long_as_its_computation_and_a_margin() {
        let ms = Duration::from_millis;
        let costs = Costs { once: ms(100), step: ms(50), guidance: ms(40) };
        let of = |steps, is_guided| Quality { steps, is_guided };
        assert_eq!(costs.hop(of(4, true)), ms(460));
        assert_eq!(costs.hop(of(4, false)), ms(300));
        // 300 ms of 429.
        assert_eq!(costs.shortest_hop(of(4, false), 8..=128), 22);
        assert_eq!(costs.shortest_hop(of(1, false), 8..=128), 11);
        assert_eq!(Costs::default().shortest_hop(of(4, true), 8..=128), 8);
        assert_eq!(costs.shortest_hop(of(100, true), 8..=128), 128);
    }
}
