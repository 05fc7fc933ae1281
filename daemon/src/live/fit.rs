//! How long a hop must be so that this machine makes it in time, for models that make a full target
//! whatever the hop. Measured once, when the model is loaded. Knows no thread and no device.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use timbre_models::notes::{NoteEvent, Voice};
use timbre_models::streamer::{StreamOptions, Streamer};
use timbre_models::units::{HOP_SAMPLES, SAMPLE_RATE_HZ};

use super::quality::Quality;
use crate::error::Error;

/// Share of a hop that its computation may take: less than what the governor calls tight, more than
/// what it calls comfortable.
pub(super) const SHARE: f64 = 0.7;
/// Measurements, of which the longest counts.
const TRIALS: usize = 2;
/// Steps that are measured at once.
const STEPS: usize = 2;

/// What a hop costs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Costs {
    /// Notes and past, and the sound: once a hop.
    pub(super) once: Duration,
    /// One denoising step.
    pub(super) step: Duration,
    /// What guidance adds to it.
    pub(super) guidance: Duration,
}

impl Costs {
    /// Plays to itself until the window and its context are full, then measures the shortest hop.
    /// The stream is to be started again.
    ///
    /// # Errors
    /// Whatever the engine says.
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
        // A mel decoder plans its graph for each new length of hop, which is no cost of a hop.
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

    /// What a hop takes, however short it is.
    pub fn hop(&self, quality: Quality) -> Duration {
        let guidance = if quality.is_guided { self.guidance } else { Duration::ZERO };
        self.once + (self.step + guidance) * u32::try_from(quality.steps).unwrap_or(u32::MAX)
    }

    /// The frames of the shortest of `hops` that leaves room for that quality, the longest if none
    /// does.
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
