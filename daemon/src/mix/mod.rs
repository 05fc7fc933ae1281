//! Mixes the buses of a stream to stereo: level, chorus, reverb, and the leveler and limiter that
//! keep the sum below full scale. It knows no device and no file.
//!
//! Rendering, recordings and devices get the same mix. The master volume of a device is applied
//! after it.

mod chorus;
mod leveler;
pub mod limiter;
mod reverb;

use timbre_control::settings::{Chorus, Reverb};

use chorus::ChorusUnit;
use leveler::Leveler;
use limiter::Limiter;
use reverb::ReverbUnit;

/// The number of channels of the mix.
pub const SIDES: usize = 2;

/// How many buses of a stream come before those of its parts: left, right, reverb, chorus.
pub const MIX_BUSES: usize = 4;

/// One sample of the left side and one of the right.
pub type Frame = [f32; SIDES];

/// The gain that is applied to all sound of the model, dB. A piano key struck at 100 then peaks
/// near -18 dBFS at the master volume of a first start, -6 dB.
const MAKE_UP_DB: f32 = 13.0;

/// The gain that is applied to all sound of the model, as an amplitude.
pub fn make_up() -> f32 {
    10f32.powf(MAKE_UP_DB / 20.0)
}

/// The settings of the mix.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MixSettings {
    /// The reverb.
    pub reverb: Reverb,
    /// The chorus.
    pub chorus: Chorus,
}

/// A level this low or lower is silence, dB.
const NONE_DB: f64 = -60.0;

/// The amplitude of a level in dB.
fn amplitude(level_db: f64) -> f32 {
    if level_db <= NONE_DB { 0.0 } else { 10f32.powf(level_db as f32 / 20.0) }
}

/// A mix with its state.
pub struct Mix {
    settings: MixSettings,
    rate_hz: f32,
    reverb: ReverbUnit,
    chorus: ChorusUnit,
    leveler: Leveler,
    limiter: Limiter,
    wet: [Vec<f32>; SIDES],
}

impl std::fmt::Debug for Mix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mix").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Mix {
    /// A mix for buses at this rate, without any sound yet.
    pub fn new(settings: MixSettings, rate_hz: u32) -> Self {
        Self {
            reverb: ReverbUnit::new(&settings.reverb, rate_hz),
            chorus: ChorusUnit::new(&settings.chorus, rate_hz),
            leveler: Leveler::new(rate_hz),
            limiter: Limiter::default(),
            rate_hz: rate_hz as f32,
            settings,
            wet: [vec![], vec![]],
        }
    }

    /// Applies settings while the sound goes on.
    pub fn set(&mut self, reverb: &Reverb, chorus: &Chorus) {
        if *reverb != self.settings.reverb {
            self.reverb.set(reverb);
            self.settings.reverb = reverb.clone();
        }
        if *chorus != self.settings.chorus {
            self.chorus.set(chorus);
            self.settings.chorus = chorus.clone();
        }
    }

    /// Mixes the next samples of the buses left, right, reverb and chorus, which have the same
    /// length, and appends the result to `out`.
    pub fn push(&mut self, buses: &[Vec<f32>], out: &mut Vec<Frame>) {
        let bus = |n: usize| buses.get(n).map(Vec::as_slice).unwrap_or_default();
        let (left, right) = (bus(0), bus(1));
        self.wet.iter_mut().for_each(|wet| {
            wet.clear();
            wet.resize(left.len(), 0.0);
        });
        self.chorus.add(bus(3), &mut self.wet);
        self.reverb.add(bus(2), &mut self.wet);
        let gain = make_up();
        let [wet_left, wet_right] = &self.wet;
        let wet = wet_left.iter().zip(wet_right);
        for ((left, right), (wet_left, wet_right)) in left.iter().zip(right).zip(wet) {
            let both = [(left + wet_left) * gain, (right + wet_right) * gain];
            let both = self.leveler.next(both);
            out.push(self.limiter.next(both, self.rate_hz));
        }
    }
}

#[cfg(test)]
mod tests;
