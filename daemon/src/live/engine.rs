//! The model that plays and everyone who plays it, on the inference thread: options, pace, and the change to another model. Knows
//! no device and no thread.

use std::time::{Duration, Instant};

use timbre_control::settings::Settings;
use timbre_models::bundle::Bundle;
use timbre_models::ledger::Sounding;
use timbre_models::notes::{NoteEvent, Voice};
use timbre_models::parts::Buses;
use timbre_models::streamer::{StreamOptions, Streamer};
use timbre_models::threads::Threads;
use timbre_models::units::{HOP_SAMPLES, SAMPLE_RATE_HZ};

use super::arithmetic::Forms;
use super::fit::Costs;
use super::pacing::{ComputeTimes, Governor, LEAST_MARGIN, MARGIN};
use super::players::Players;
use super::quality::Quality;
use crate::error::Error;
use crate::recording::Tap;

/// Hops made before the first is heard: they measure what a hop takes, and everything is touched once.
const WARM_UP_HOPS: usize = 30;
/// A new lead has room for hops that take so much longer than those so far: every rise is a change of the delay.
const ROOM: f64 = 1.3;
/// Share by which a lead that is longer than needed falls in a hop.
const LEAD_FALL: f64 = 0.0002;

/// What the configuration says of how a model is made ready.
#[derive(Debug, Clone, Default)]
pub struct Preparation {
    /// In which form it is to run.
    pub forms: Forms,
    /// Whether what lies above 8 kHz is made too, if the model knows it.
    pub upper_band: bool,
    /// Whether each part is made for itself too.
    pub has_parts: bool,
}

/// A model that can play at once: loaded, prepared, and measured.
pub struct Model {
    bundle: Bundle,
    streamer: Streamer,
    times: ComputeTimes,
    /// What a hop costs, where that says how long it must be.
    costs: Option<Costs>,
}

impl Model {
    /// Loads a model and plays to itself for a while: what a hop takes with many notes is known before the first is heard.
    ///
    /// # Errors
    /// A model without a live mode, or whatever the engine says.
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
            // Every hop is a full target: more work than a core has time for, and enough to share.
            Some(_) => {
                let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
                (bundle.manifest().network.target_frames, Threads::new(cores))
            }
            None => (options.hop_frames, Threads::default()),
        };
        options.arithmetic = preparation.forms.choose(&bundle, frames, &threads)?;
        let mut streamer = Streamer::new(&bundle, options)?;
        streamer.set_threads(threads);
        let mut times = ComputeTimes::default();
        if let Some(live) = window {
            let hops = live.min_hop_frames..=live.max_hop_frames;
            let costs = Costs::measure(&mut streamer, options, frames, hops)?;
            let mut model = Self { bundle, streamer, times, costs: Some(costs) };
            let options = model.options(settings)?;
            model.streamer.restart(options)?;
            // A hop without notes: the vocoder meets the length it will have.
            model.streamer.hop()?;
            let quality = Quality::of(&options).at(model.governor().steps());
            let expected = costs.hop(quality);
            // Twice, as the longest of all times does not count.
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
        for key in 48..56 {
            let voice = Voice { is_drum: false, program: 0, key };
            streamer.push(NoteEvent { time_s: 0.05, voice, velocity: 90 });
        }
        for n in 0..WARM_UP_HOPS {
            let begun = Instant::now();
            streamer.hop()?;
            if n > WARM_UP_HOPS / 3 {
                times.push(begun.elapsed());
            }
        }
        streamer.restart(options)?;
        Ok(Self { bundle, streamer, times, costs: None })
    }

    /// What is set, on top of the model's own choice and of what this machine can do.
    fn options(&self, settings: &Settings) -> Result<StreamOptions, Error> {
        let mut options = live_options(&self.bundle, settings)?;
        // What a stream keeps.
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

    /// A governor for the stream as it is.
    fn governor(&self) -> Governor {
        Quality::of(self.streamer.options()).governor(self.costs.as_ref(), self.hop())
    }

    /// How long a hop sounds.
    fn hop(&self) -> Duration {
        let frames = self.streamer.options().hop_frames;
        Duration::from_secs_f64((frames * HOP_SAMPLES) as f64 / f64::from(SAMPLE_RATE_HZ))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.bundle.manifest().name
    }
}

/// The model and everyone who plays it.
pub(super) struct Engine {
    model: Model,
    pub(super) players: Players,
    governor: Governor,
    /// The lead in force, less the device's buffer, which may change from one callback to the next.
    lead_s: f64,
    /// The stream second of the newest event: a lead that falls must not let a key go up before it
    /// came down.
    pub(super) heard_s: f64,
    /// What is recorded goes here.
    pub(super) tap: Tap,
}

impl Engine {
    pub(super) fn new(model: Model, tap: Tap) -> Self {
        let governor = model.governor();
        Self { model, players: Players::new(), governor, lead_s: 0.0, heard_s: 0.0, tap }
    }

    /// Goes on with another model, from stream second 0 again, with nobody's notes; programs and pedals' owners stay. Gives the
    /// model before back, which is to be freed elsewhere.
    pub(super) fn change(&mut self, model: Model) -> Model {
        self.governor = model.governor();
        self.heard_s = 0.0;
        // Releases are no news to a model that has heard no note.
        self.players.release_all(0.0, &mut |_| {});
        self.tap.restart();
        let before = std::mem::replace(&mut self.model, model);
        let streamer = &mut self.model.streamer;
        self.players.controls(0.0, &mut |event| streamer.event(event));
        before
    }

    /// The notes that sound or ring out.
    pub(super) fn notes(&self) -> &[Sounding] {
        self.model.streamer.notes()
    }

    /// Level of each of the first sixteen parts in the last hop, root of the mean square.
    pub(super) fn part_levels(&self) -> [f32; 16] {
        self.model.streamer.part_levels()
    }

    /// How many notes gave way because more sounded than there is room for.
    pub(super) fn stolen(&self) -> u64 {
        self.model.streamer.stolen()
    }

    /// What makes hops, who plays, and who records.
    pub(super) fn parts(&mut self) -> (&mut Streamer, &mut Players, &mut Tap) {
        (&mut self.model.streamer, &mut self.players, &mut self.tap)
    }

    /// Denoising steps of the next hop.
    pub(super) fn steps(&self) -> usize {
        self.model.streamer.options().steps
    }

    /// The stream second at which the next hop begins.
    pub(super) fn next_s(&self) -> f64 {
        self.model.streamer.position().start().seconds()
    }

    /// What computing takes, with room, the margin and the device's buffer. It rises once room and margin are used up, and falls slowly:
    /// the delay of an event is that of its neighbours.
    pub(super) fn lead_s(&mut self, buffer_s: f64) -> f64 {
        let compute_s = self.model.times.nearly_longest().as_secs_f64();
        let lead_s =
            |compute_s: f64, margin: Duration| compute_s.min(self.hop_s()) + margin.as_secs_f64();
        let with_room_s = lead_s(ROOM * compute_s, MARGIN);
        if lead_s(compute_s, LEAST_MARGIN) > self.lead_s {
            self.lead_s = with_room_s;
        } else if with_room_s < self.lead_s {
            self.lead_s += LEAD_FALL * (with_room_s - self.lead_s);
        }
        self.lead_s + buffer_s
    }

    /// Samples a second of the hops.
    pub(super) fn rate_hz(&self) -> u32 {
        self.model.streamer.sample_rate_hz()
    }

    pub(super) fn hop_s(&self) -> f64 {
        self.model.hop().as_secs_f64()
    }

    /// A hop was made in that time.
    pub(super) fn made(&mut self, compute: Duration, is_governed: bool) {
        if self.model.streamer.is_idle() {
            return;
        }
        self.model.times.push(compute);
        if is_governed {
            self.governor.hop(compute, self.model.hop());
        }
    }

    /// Takes what is set; the sound goes on.
    pub(super) fn apply(&mut self, settings: &Settings) -> Result<(), Error> {
        let mut wanted = self.model.options(settings)?;
        let quality = Quality::of(&wanted);
        self.governor.want(quality.rung());
        if settings.engine.governor {
            let Quality { steps, is_guided } = quality.at(self.governor.steps());
            wanted.steps = steps;
            wanted.guidance = if is_guided { wanted.guidance } else { 1.0 };
        }
        if wanted != *self.model.streamer.options() {
            self.model.streamer.set(wanted)?;
        }
        Ok(())
    }
}

/// The model's live mode with what is set on top.
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
    // The table offers no name that the model crate does not know; a test holds that.
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
    use crate::live::queues::{Midi, SourceId};

    #[test]
    fn every_sampler_of_the_table_is_one_of_the_models() {
        let bundle = Bundle::bundled().unwrap();
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

    #[test]
    fn another_model_begins_at_0_with_nobodys_notes() {
        let model = || {
            Model::prepare(
                Bundle::bundled().unwrap(),
                &Settings::default(),
                &Preparation::default(),
            )
            .unwrap()
        };
        let (_recorder, tap) = crate::recording::start().unwrap();
        let mut engine = Engine::new(model(), tap);
        let note = |engine: &mut Engine, bytes| {
            let (streamer, players, _) = engine.parts();
            let midi = Midi::Message(bytes);
            players.input(0.0, SourceId(1), midi, &mut |event| streamer.event(event));
        };
        let loudest = |engine: &mut Engine| {
            let mut peak = 0f32;
            for _ in 0..10 {
                let hop = engine.parts().0.hop().unwrap();
                peak = hop.samples.iter().fold(peak, |peak, s| peak.max(s.abs()));
            }
            peak
        };
        note(&mut engine, [0xC0, 19, 0]);
        note(&mut engine, [0x90, 60, 100]);
        assert!(loudest(&mut engine) > 0.01);
        assert_eq!((engine.players.held(), engine.next_s() > 0.0), (1, true));
        let before = engine.change(model());
        assert_eq!(before.name(), "live");
        assert_eq!((engine.players.held(), engine.next_s()), (0, 0.0));
        assert_eq!(engine.players.programs()[0], 19);
        assert!(loudest(&mut engine) < 1e-3, "silent without notes");
        // The key that was held goes up as if nothing had been, and the next is heard.
        note(&mut engine, [0x80, 60, 0]);
        note(&mut engine, [0x90, 64, 100]);
        assert_eq!(engine.players.held(), 1);
        assert!(loudest(&mut engine) > 0.01);
    }
}
