//! The model that plays, and the sources that play it: its pace, and the change to another model.
//! It lives in the inference thread and knows no device and no thread.

use std::time::Duration;

use timbre_control::settings::Settings;
use timbre_models::ledger::Sounding;
use timbre_models::streamer::Streamer;

use super::model::Model;
use super::pacing::{Governor, HOP_MARGIN, HopLength, Margin, TICK_MARGIN};
use super::players::Players;
use super::quality::Quality;
use crate::error::Error;
use crate::recording::Tap;

/// A lead longer than this (seconds) is not real: the clock stood still.
const MOST_USED_S: f64 = 0.03;
/// By which share a lead that is longer than needed falls within a second.
const LEAD_FALL: f64 = 0.01;

/// The model that plays, and the sources that play it.
pub(super) struct Engine {
    model: Model,
    pub(super) players: Players,
    governor: Governor,
    hop_length: HopLength,
    /// The lead in force, without the buffer of the device, which may change between callbacks.
    lead_s: f64,
    /// The smoothed share of time that making pieces takes; none before the first piece.
    pub(super) load: Option<f64>,
    /// The stream second of the newest event: even if the lead falls, a key must not be released
    /// before it is struck.
    pub(super) heard_s: f64,
    /// The way to the recorder.
    pub(super) tap: Tap,
}

impl Engine {
    pub(super) fn new(model: Model, tap: Tap) -> Self {
        let governor = model.governor();
        Self {
            model,
            players: Players::new(),
            governor,
            hop_length: HopLength::default(),
            lead_s: 0.0,
            load: None,
            heard_s: 0.0,
            tap,
        }
    }

    /// Goes on with another model, from stream second 0 and without any notes. Programs and sources
    /// stay. Returns the old model, which is to be freed in another thread.
    pub(super) fn change(&mut self, model: Model) -> Model {
        self.governor = model.governor();
        self.hop_length = HopLength::default();
        self.heard_s = 0.0;
        // The new model has heard no notes, so it needs no releases.
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

    /// The stream, the sources, and the tap.
    pub(super) fn parts(&mut self) -> (&mut Streamer, &mut Players, &mut Tap) {
        (&mut self.model.streamer, &mut self.players, &mut self.tap)
    }

    /// Denoising steps of the next hop.
    pub(super) fn steps(&self) -> usize {
        self.model.streamer.options().steps
    }

    /// The stream second at which the next piece begins.
    pub(super) fn next_s(&self) -> f64 {
        self.model.streamer.next_s()
    }

    /// The lead: the time for computing with some reserve, the margin, and the buffer of the
    /// device. It rises when reserve and margin are used up, and falls slowly, so that neighbouring
    /// events have the same delay.
    pub(super) fn lead_s(&mut self, buffer_s: f64) -> f64 {
        let Margin { whole, least, room } = match self.model.frames {
            Some(_) => TICK_MARGIN,
            None => HOP_MARGIN,
        };
        let longest_s = match self.model.frames {
            Some(_) => f64::INFINITY,
            None => self.piece_s(),
        };
        let compute_s = self.model.times.nearly_longest().as_secs_f64();
        let lead_s =
            |compute_s: f64, margin: Duration| compute_s.min(longest_s) + margin.as_secs_f64();
        let with_room_s = lead_s(room * compute_s, whole);
        if lead_s(compute_s, least) > self.lead_s {
            self.lead_s = with_room_s;
        } else if with_room_s < self.lead_s {
            self.lead_s += LEAD_FALL * self.piece_s() * (with_room_s - self.lead_s);
        }
        self.lead_s + buffer_s
    }

    /// Samples a second of the hops.
    pub(super) fn rate_hz(&self) -> u32 {
        self.model.streamer.sample_rate_hz()
    }

    /// The length of a hop, and how many times longer it is than asked for.
    pub(super) fn hop(&self) -> (Duration, usize) {
        (self.model.hop(), self.hop_length.factor())
    }

    /// The length of a piece, seconds.
    pub(super) fn piece_s(&self) -> f64 {
        self.model.piece().as_secs_f64()
    }

    /// Makes the next piece and returns the samples of every bus.
    pub(super) fn make(&mut self, is_governed: bool) -> Result<&[Vec<f32>], Error> {
        let Model { streamer, frames, .. } = &mut self.model;
        match frames {
            Some(frames) => {
                let took = frames.exchange(streamer);
                if took.is_some() {
                    frames.expect(streamer, &self.players.instruments());
                }
                streamer.tick()?;
                if let Some(took) = took.filter(|_| is_governed) {
                    if self.governor.steps() <= 1 {
                        self.hop_length.hop(took, self.model.hop());
                    }
                    self.governor.hop(took, self.model.hop());
                }
            }
            None => {
                streamer.hop()?;
            }
        }
        Ok(self.model.streamer.buses())
    }

    /// Takes how long a piece took to make and, if the device has called back since the piece
    /// before, how much was left in the ring then. For ticks the latter is what counts: it shows
    /// how much of the lead was used by computing, by late wake-ups, and by a device that takes
    /// much at once.
    pub(super) fn made(&mut self, compute: Duration, left_s: Option<f64>, is_governed: bool) {
        if self.model.streamer.is_idle() {
            return;
        }
        if self.model.frames.is_some() {
            if let Some(left_s) = left_s {
                let used_s = (self.lead_s - left_s).clamp(0.0, MOST_USED_S);
                self.model.times.push(Duration::from_secs_f64(used_s));
            }
            return;
        }
        self.model.times.push(compute);
        if is_governed {
            self.governor.hop(compute, self.model.hop());
        }
    }

    /// Applies settings while the sound goes on.
    pub(super) fn apply(&mut self, settings: &Settings) -> Result<(), Error> {
        let mut wanted = self.model.options(settings)?;
        let quality = Quality::of(&wanted);
        self.governor.want(quality.rung());
        if settings.engine.governor {
            let Quality { steps, is_guided } = quality.at(self.governor.steps());
            wanted.steps = steps;
            wanted.guidance = if is_guided { wanted.guidance } else { 1.0 };
            if settings.engine.hop_ms.is_none() {
                let longest = self.model.longest_hop();
                wanted.hop_frames = (self.hop_length.factor() * wanted.hop_frames).min(longest);
            }
        }
        if wanted != *self.model.streamer.options() {
            self.model.streamer.set(wanted)?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {

    use super::*;
    use crate::bus::queues::{Midi, SourceId};
    use crate::live::model::Preparation;

    #[test]
    fn another_model_begins_at_0_with_nobodys_notes() {
        let model = || {
            Model::prepare(
                crate::models::bundled().unwrap(),
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
        // Releasing the key that was held has no effect, and the next key is heard.
        note(&mut engine, [0x80, 60, 0]);
        note(&mut engine, [0x90, 64, 100]);
        assert_eq!(engine.players.held(), 1);
        assert!(loudest(&mut engine) > 0.01);
    }
}
