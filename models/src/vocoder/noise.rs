//! The noise of each bus: one source for all, as loud as the notes are there, with sides of its
//! own. Knows no filter.

use super::filter::Ramp;
use crate::parts::Bus;
use crate::units::{HOP_SAMPLES, TICK_SAMPLES};

/// How far the noises of the two sides are turned away from each other, turns of a circle: they are
/// alike to the cosine of twice that, a half.
const WIDTH_TURNS: f32 = 1.0 / 12.0;

/// The noise of a frame, tick by tick.
#[derive(Debug)]
pub struct BusNoise {
    /// Of variance 1.
    drawn: [Vec<f32>; 2],
    /// How loud each bus is where the levels last changed their way, and where they go.
    levels: [Vec<f32>; 2],
    ramp: Ramp,
}

impl BusNoise {
    /// Silence.
    pub fn new() -> Self {
        let drawn = [0, 1].map(|_| vec![0.0; HOP_SAMPLES]);
        Self { drawn, levels: [vec![], vec![]], ramp: Ramp::over(HOP_SAMPLES) }
    }

    /// Goes on to the next frame, of which `noise_of` fills both noises.
    pub fn next_frame(&mut self, noise_of: impl Fn([&mut [f32]; 2])) {
        let [first, second] = &mut self.drawn;
        noise_of([first, second]);
        self.reach(HOP_SAMPLES);
        let press = self.ramp.press_at(HOP_SAMPLES).map(|press| press - HOP_SAMPLES as isize);
        self.ramp = Ramp { press, ..Ramp::over(HOP_SAMPLES) };
    }

    /// From `ramp.from` on each bus goes to another level of `levels`.
    pub fn aim(&mut self, levels: &[f32], ramp: Ramp) {
        self.reach(ramp.from);
        let [from, to] = &mut self.levels;
        to.clear();
        to.extend_from_slice(levels);
        if from.is_empty() {
            from.extend_from_slice(levels);
        }
        let press = ramp.press.or(self.ramp.press_at(ramp.from));
        self.ramp = Ramp { press, ..ramp };
    }

    /// The levels before sample `n` are where they go on from.
    fn reach(&mut self, n: usize) {
        let share = n.checked_sub(1).map_or(0.0, |n| self.ramp.at(n));
        let [from, to] = &mut self.levels;
        from.iter_mut().zip(to).for_each(|(from, to)| *from += share * (*to - *from));
    }

    /// The noise of a bus in the tick from sample `at` of the frame: `begins` is how softly each of
    /// its samples begins.
    pub fn tick(
        &self,
        at: usize,
        (index, bus): (usize, Bus),
        begins: &[f32; TICK_SAMPLES],
    ) -> [f32; TICK_SAMPLES] {
        let (sin, cos) = (WIDTH_TURNS * std::f32::consts::TAU).sin_cos();
        let [own, apart] = match bus.side() {
            Some(0) => [cos, sin],
            Some(_) => [cos, -sin],
            None => [1.0, 0.0],
        };
        let [from, to] = [0, 1].map(|n| self.levels[n].get(index).copied().unwrap_or(0.0));
        let [first, second] = &self.drawn;
        std::array::from_fn(|i| {
            let level = from + self.ramp.at(at + i) * (to - from);
            (own * first[at + i] + apart * second[at + i]) * begins[i] * level
        })
    }
}
