//! The noise of each bus. All buses share one source, but the two sides differ. It knows no filter.

use super::filter::Ramp;
use crate::parts::Bus;
use crate::units::{HOP_SAMPLES, TICK_SAMPLES};

/// The angle by which the noise of each side is rotated, in opposite directions, cycles. The
/// correlation of the sides is the cosine of twice that angle, which is one half.
const WIDTH_TURNS: f32 = 1.0 / 12.0;

/// The noise of a frame, tick by tick.
#[derive(Debug)]
pub struct BusNoise {
    /// Two noises of variance 1.
    drawn: [Vec<f32>; 2],
    /// The level of each bus where the last fade began, and its target.
    levels: [Vec<f32>; 2],
    ramp: Ramp,
}

impl BusNoise {
    /// The state without noise.
    pub fn new() -> Self {
        let drawn = [0, 1].map(|_| vec![0.0; HOP_SAMPLES]);
        Self { drawn, levels: [vec![], vec![]], ramp: Ramp::over(HOP_SAMPLES) }
    }

    /// Begins the next frame; `noise_of` fills both noises.
    pub fn next_frame(&mut self, noise_of: impl Fn([&mut [f32]; 2])) {
        let [first, second] = &mut self.drawn;
        noise_of([first, second]);
        self.reach(HOP_SAMPLES);
        let press = self.ramp.press_at(HOP_SAMPLES).map(|press| press - HOP_SAMPLES as isize);
        self.ramp = Ramp { press, ..Ramp::over(HOP_SAMPLES) };
    }

    /// Sets the targets of all buses to `levels`, from `ramp.from` on.
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

    /// Makes the levels before sample `n` the start of the next fade.
    fn reach(&mut self, n: usize) {
        let share = n.checked_sub(1).map_or(0.0, |n| self.ramp.at(n));
        let [from, to] = &mut self.levels;
        from.iter_mut().zip(to).for_each(|(from, to)| *from += share * (*to - *from));
    }

    /// The noise of a bus in the tick from the sample `at` of the frame. `begins` has the factor of
    /// its attack in each sample.
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
