//! The reverb, by fundsp. It knows no bus.

use fundsp::prelude32::{AudioUnit, BufferVec, MAX_BUFFER_SIZE, reverb_stereo};
use timbre_control::settings::Reverb;

use super::{SIDES, amplitude};

/// The length of the cross-fade to a new room, seconds.
const FADE_S: f32 = 0.1;

/// The size of a type of room in metres, and its gain.
fn kind(name: &str) -> (f32, f32) {
    match name {
        "hall" => (25.0, 1.0),
        "plate" => (10.5, 1.0),
        _ => (14.0, 1.0),
    }
}

/// A room with its state.
struct Room {
    unit: Box<dyn AudioUnit>,
    level: f32,
}

impl Room {
    fn new(settings: &Reverb, rate_hz: u32) -> Self {
        let (size, level) = kind(&settings.kind);
        let unit = reverb_stereo(size, settings.time as f32, settings.damping as f32);
        let mut unit: Box<dyn AudioUnit> = Box::new(unit);
        unit.set_sample_rate(f64::from(rate_hz));
        unit.allocate();
        Self { unit, level }
    }
}

/// The reverb.
pub struct ReverbUnit {
    rate_hz: u32,
    settings: Reverb,
    now: Room,
    /// The previous room while it fades out, and its share, 0..=1.
    before: Option<(Room, f32)>,
    /// The level now, and the level to move to, as amplitudes.
    level: [f32; 2],
    input: BufferVec,
    output: BufferVec,
}

impl ReverbUnit {
    /// A reverb whose room is silent.
    pub fn new(settings: &Reverb, rate_hz: u32) -> Self {
        Self {
            rate_hz,
            now: Room::new(settings, rate_hz),
            before: None,
            level: [amplitude(settings.level); 2],
            settings: settings.clone(),
            input: BufferVec::new(SIDES),
            output: BufferVec::new(SIDES),
        }
    }

    /// Applies settings. If more than the level changes, a new room fades in while the previous one
    /// fades out.
    pub fn set(&mut self, settings: &Reverb) {
        self.level[1] = amplitude(settings.level);
        let is_same = Reverb { level: self.settings.level, ..settings.clone() } == self.settings;
        self.settings = settings.clone();
        if !is_same {
            let room = Room::new(settings, self.rate_hz);
            self.before = Some((std::mem::replace(&mut self.now, room), 1.0));
        }
    }

    /// Adds the reverb of `send` to both sides, which are as long as `send`.
    pub fn add(&mut self, send: &[f32], sides: &mut [Vec<f32>; SIDES]) {
        let step = 1.0 / (FADE_S * self.rate_hz as f32);
        let mut at = 0;
        for block in send.chunks(MAX_BUFFER_SIZE) {
            for (n, sample) in block.iter().enumerate() {
                (0..SIDES).for_each(|side| self.input.set_f32(side, n, *sample));
            }
            let left = self.before.as_ref().map_or(0.0, |(_, left)| *left);
            self.room(block.len(), at, sides, |n| 1.0 - (left - step * n as f32).max(0.0), true);
            if self.before.is_some() {
                self.room(block.len(), at, sides, |n| (left - step * n as f32).max(0.0), false);
            }
            let rest = left - step * block.len() as f32;
            self.before = self.before.take().filter(|_| rest > 0.0).map(|(room, _)| (room, rest));
            self.level[0] = self.level[1];
            at += block.len();
        }
    }

    /// Adds the output of one of the rooms for a block to both sides, with the share of each
    /// sample.
    fn room(
        &mut self,
        count: usize,
        at: usize,
        sides: &mut [Vec<f32>; SIDES],
        share: impl Fn(usize) -> f32,
        is_new: bool,
    ) {
        let room = match (&mut self.before, is_new) {
            (Some((before, _)), false) => before,
            _ => &mut self.now,
        };
        room.unit.process(count, &self.input.buffer_ref(), &mut self.output.buffer_mut());
        let [from, to] = self.level.map(|level| level * room.level);
        for (side, out) in sides.iter_mut().enumerate() {
            let wet = self.output.channel_f32(side);
            let out = out.get_mut(at..at + count).unwrap_or_default();
            for (n, (out, wet)) in out.iter_mut().zip(wet).enumerate() {
                let level = from + (to - from) * n as f32 / count as f32;
                *out += wet * level * share(n);
            }
        }
    }
}
