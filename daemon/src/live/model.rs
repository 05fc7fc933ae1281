//! A model that is ready to play: loaded, prepared, and measured. Knows no device and no MIDI.

use std::time::{Duration, Instant};

use timbre_control::settings::Settings;
use timbre_models::bundle::Bundle;
use timbre_models::notes::{NoteEvent, Voice};
use timbre_models::parts::Buses;
use timbre_models::streamer::{StreamOptions, Streamer};
use timbre_models::threads::Threads;
use timbre_models::units::{HOP_SAMPLES, SAMPLE_RATE_HZ, TICK_SAMPLES, TICKS_PER_FRAME};

use super::arithmetic::Forms;
use super::fit::Costs;
use super::frames::Frames;
use super::pacing::{ComputeTimes, Governor};
use super::quality::Quality;
use crate::error::Error;

/// How many hops are made before the first is heard. They measure how long a hop takes, and bring
/// all of the model into memory.
const WARM_UP_HOPS: usize = 30;
/// How the configuration wants models to be prepared.
#[derive(Debug, Clone, Default)]
pub struct Preparation {
    /// The form of the weights in which the network runs.
    pub forms: Forms,
    /// Whether the sound above 8 kHz is made too, if the model knows it.
    pub upper_band: bool,
    /// Whether the sound of each part is made separately, too.
    pub has_parts: bool,
    /// Real-time priority of the denoiser's thread; 0: none.
    pub frames_priority: u8,
}

/// A model that can play at once: loaded, prepared, and measured.
pub struct Model {
    pub(super) bundle: Bundle,
    pub(super) streamer: Streamer,
    pub(super) times: ComputeTimes,
    /// The thread of the denoiser, for models that are made tick by tick.
    pub(super) frames: Option<Frames>,
    /// The cost of a hop, for models where it decides how long hops must be.
    costs: Option<Costs>,
}

impl Model {
    /// Loads a model and plays silently for a while, so that the time for a hop with many notes is
    /// known before the first is heard.
    ///
    /// # Errors
    /// The model has no live mode, or its network fails.
    pub fn prepare(
        bundle: Bundle,
        settings: &Settings,
        preparation: &Preparation,
    ) -> Result<Self, Error> {
        let mut options = live_options(&bundle, settings)?;
        options.is_wide = preparation.upper_band;
        options.buses = if preparation.has_parts { Buses::Stems } else { Buses::Stereo };
        let window = bundle.manifest().live.filter(|live| live.window);
        let (frames, threads) = match window {
            // Every hop is a full target, which is too much work for one core, and enough for
            // several.
            Some(_) => {
                let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
                (bundle.manifest().network.target_frames, Threads::new(cores))
            }
            None => (options.hop_frames, Threads::default()),
        };
        options.arithmetic = preparation.forms.choose(&bundle, frames, &threads)?;
        let mut streamer = Streamer::new(&bundle, options)?;
        streamer.set_threads(threads);
        let mut times = ComputeTimes::of_hops();
        if let Some(live) = window {
            let hops = live.min_hop_frames..=live.max_hop_frames;
            let costs = Costs::measure(&mut streamer, options, frames, hops)?;
            let mut model = Self { bundle, streamer, times, frames: None, costs: Some(costs) };
            let options = model.options(settings)?;
            model.streamer.restart(options)?;
            // A hop without notes, so that the vocoder sees the length of its hops.
            model.streamer.hop()?;
            let quality = Quality::of(&options).at(model.governor().steps());
            let expected = costs.hop(quality);
            // Twice, because the longest time does not count.
            [expected; 2].into_iter().for_each(|time| model.times.push(time));
            tracing::info!(
                "model {}: hops of {} ms, each of which takes {} ms to make with {} steps",
                model.name(),
                model.hop().as_millis(),
                expected.as_millis(),
                quality.steps
            );
            return Ok(model);
        }
        warm_up(&mut streamer, &mut times, &mut None)?;
        streamer.restart(options)?;
        let mut frames = Frames::start(&mut streamer, preparation.frames_priority)?;
        if frames.is_some() {
            times = ComputeTimes::of_ticks();
            warm_up(&mut streamer, &mut times, &mut frames)?;
            streamer.restart(options)?;
        }
        Ok(Self { bundle, streamer, times, frames, costs: None })
    }

    /// Applies settings, on top of the defaults of the model and within what this machine can do.
    pub(super) fn options(&self, settings: &Settings) -> Result<StreamOptions, Error> {
        let mut options = live_options(&self.bundle, settings)?;
        // These options cannot change in a running stream.
        let StreamOptions { is_wide, arithmetic, buses, .. } = *self.streamer.options();
        (options.is_wide, options.arithmetic, options.buses) = (is_wide, arithmetic, buses);
        if let (Some(costs), Some(live), None) =
            (&self.costs, self.bundle.manifest().live, settings.engine.hop_ms)
        {
            let hops = live.min_hop_frames..=live.max_hop_frames;
            options.hop_frames = costs.shortest_hop(Quality::of(&options), hops);
        }
        Ok(options)
    }

    /// A governor for the current options of the stream.
    pub(super) fn governor(&self) -> Governor {
        Quality::of(self.streamer.options()).governor(self.costs.as_ref(), self.hop())
    }

    /// The length of a hop.
    pub(super) fn hop(&self) -> Duration {
        let frames = self.streamer.options().hop_frames;
        seconds(frames * HOP_SAMPLES)
    }

    /// The length of a piece, which is a tick or a hop.
    pub(super) fn piece(&self) -> Duration {
        if self.frames.is_some() { seconds(TICK_SAMPLES) } else { self.hop() }
    }

    /// The longest hop that the model can make, in frames.
    pub(super) fn longest_hop(&self) -> usize {
        let now = self.streamer.options().hop_frames;
        self.bundle.manifest().live.map_or(now, |live| live.max_hop_frames)
    }

    /// The name of the model.
    pub fn name(&self) -> &str {
        &self.bundle.manifest().name
    }
}

/// The length of a number of samples at the rate of the model.
fn seconds(samples: usize) -> Duration {
    Duration::from_secs_f64(samples as f64 / f64::from(SAMPLE_RATE_HZ))
}

/// Plays a chord silently and measures the times, tick by tick if the denoiser has its own thread.
fn warm_up(
    streamer: &mut Streamer,
    times: &mut ComputeTimes,
    frames: &mut Option<Frames>,
) -> Result<(), Error> {
    for key in 48..56 {
        let voice = Voice { is_drum: false, program: 0, key };
        streamer.push(NoteEvent { time_s: 0.05, voice, velocity: 90 });
    }
    let pieces = if frames.is_some() { WARM_UP_HOPS * TICKS_PER_FRAME } else { WARM_UP_HOPS };
    for n in 0..pieces {
        let begun = Instant::now();
        match frames {
            Some(frames) => {
                frames.exchange(streamer);
                streamer.tick()?;
            }
            None => {
                streamer.hop()?;
            }
        }
        if n > pieces / 3 {
            times.push(begun.elapsed());
        }
    }
    Ok(())
}

/// The live mode of the model with the settings on top.
fn live_options(bundle: &Bundle, settings: &Settings) -> Result<StreamOptions, Error> {
    let manifest = bundle.manifest();
    let (Some(mut options), Some(live)) = (StreamOptions::live(bundle), manifest.live) else {
        return Err(Error::Usage(format!(
            "model `{}` has no live mode; choose another model",
            manifest.name
        )));
    };
    let engine = &settings.engine;
    if let Some(hop_ms) = engine.hop_ms {
        let frames = (hop_ms / 20.0).round() as usize;
        options.hop_frames = frames.clamp(live.min_hop_frames, live.max_hop_frames);
    }
    if engine.steps > 0 {
        options.steps = engine.steps as usize;
    }
    // The model crate knows all names of the table, as a test checks.
    let sampler = engine.sampler.as_ref().and_then(|name| name.parse().ok());
    options.sampler = sampler.unwrap_or(options.sampler);
    options.guidance = engine.guidance.unwrap_or(options.guidance);
    options.seed = engine.seed;
    Ok(options)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use timbre_control::parameters::SAMPLER;
    use timbre_models::denoise::sampler::SamplerKind;

    use super::*;

    #[test]
    fn every_sampler_of_the_table_is_one_of_the_models() {
        let bundle = crate::models::bundled().unwrap();
        let of_the_model = live_options(&bundle, &Settings::default()).unwrap();
        assert_eq!(Some(of_the_model), StreamOptions::live(&bundle));
        let mut seen: Vec<SamplerKind> = vec![];
        for name in SAMPLER.choices {
            let mut settings = Settings::default();
            settings.engine.sampler = Some((*name).to_owned());
            let sampler = live_options(&bundle, &settings).unwrap().sampler;
            assert_eq!(sampler.to_string(), *name);
            assert!(!seen.contains(&sampler));
            seen.push(sampler);
        }
    }
}
