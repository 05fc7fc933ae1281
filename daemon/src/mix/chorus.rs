//! The chorus: one by fundsp for each side. It knows no bus.

use fundsp::prelude32::{AudioUnit, BufferVec, MAX_BUFFER_SIZE, chorus};
use timbre_control::settings::Chorus;

use super::{SIDES, amplitude};

/// The delay of the voices, seconds.
const SEPARATION_S: f32 = 0.015;
/// The length of the fade-in of a new chorus, seconds.
const FADE_S: f32 = 0.05;

/// The chorus.
pub struct ChorusUnit {
    rate_hz: u32,
    settings: Chorus,
    units: [Box<dyn AudioUnit>; SIDES],
    /// The fade-in: 0 is silence, 1 the full level.
    is_in: f32,
    level: [f32; 2],
    input: BufferVec,
    output: BufferVec,
}

impl ChorusUnit {
    /// A chorus whose delay lines are empty.
    pub fn new(settings: &Chorus, rate_hz: u32) -> Self {
        Self {
            rate_hz,
            units: units(settings, rate_hz),
            is_in: 1.0,
            level: [amplitude(settings.level); 2],
            settings: settings.clone(),
            input: BufferVec::new(1),
            output: BufferVec::new(1),
        }
    }

    /// Applies settings. If more than the level changes, a new chorus fades in.
    pub fn set(&mut self, settings: &Chorus) {
        self.level[1] = amplitude(settings.level);
        let is_same = Chorus { level: self.settings.level, ..settings.clone() } == self.settings;
        self.settings = settings.clone();
        if !is_same {
            self.units = units(settings, self.rate_hz);
            self.is_in = 0.0;
        }
    }

    /// Adds the chorus of `send` to both sides, which are as long as `send`.
    pub fn add(&mut self, send: &[f32], sides: &mut [Vec<f32>; SIDES]) {
        let step = 1.0 / (FADE_S * self.rate_hz as f32);
        let mut at = 0;
        for block in send.chunks(MAX_BUFFER_SIZE) {
            for (n, sample) in block.iter().enumerate() {
                self.input.set_f32(0, n, *sample);
            }
            let [from, to] = self.level;
            for (unit, out) in self.units.iter_mut().zip(&mut *sides) {
                unit.process(block.len(), &self.input.buffer_ref(), &mut self.output.buffer_mut());
                let out = out.get_mut(at..at + block.len()).unwrap_or_default();
                let voices = self.output.channel_f32(0);
                for (n, (out, voices)) in out.iter_mut().zip(voices).enumerate() {
                    let level = from + (to - from) * n as f32 / block.len() as f32;
                    *out += voices * level * (self.is_in + step * n as f32).min(1.0);
                }
            }
            self.is_in = (self.is_in + step * block.len() as f32).min(1.0);
            self.level[0] = self.level[1];
            at += block.len();
        }
    }
}

/// The chorus of each side. Their voices move differently.
fn units(settings: &Chorus, rate_hz: u32) -> [Box<dyn AudioUnit>; SIDES] {
    [0, 1].map(|side| {
        let (depth_s, rate) = (settings.depth as f32 / 1000.0, settings.rate as f32);
        let unit = chorus(side, SEPARATION_S, depth_s, rate);
        let mut unit: Box<dyn AudioUnit> = Box::new(unit);
        unit.set_sample_rate(f64::from(rate_hz));
        unit.allocate();
        unit
    })
}
