//! The noise of each bus: one source for all, as loud as the notes are there, with sides of its own.
//! Knows no filter.

use crate::parts::Bus;
use crate::units::{FrameIdx, HOP_SAMPLES};

/// How far the noises of the two sides are turned away from each other, turns of a circle: they are
/// alike to the cosine of twice that, a half.
const WIDTH_TURNS: f32 = 1.0 / 12.0;
/// Samples in which the levels of a frame come in once a key is pressed.
const ATTACK: usize = 16;

/// The noise of a hop.
#[derive(Debug, Default)]
pub struct BusNoise {
    drawn: [Vec<f32>; 2],
    buses: Vec<Vec<f32>>,
}

impl BusNoise {
    /// Draws noise for `frames` frames from `start` on, of variance 1.
    pub fn draw(
        &mut self,
        start: FrameIdx,
        frames: usize,
        buses: &[Bus],
        noise_of: impl Fn(u64, [&mut [f32]; 2]),
    ) {
        let samples = frames * HOP_SAMPLES;
        self.drawn.iter_mut().for_each(|noise| noise.resize(samples, 0.0));
        self.buses.resize_with(buses.len(), Vec::new);
        self.buses.iter_mut().for_each(|noise| noise.resize(samples, 0.0));
        let [first, second] = &mut self.drawn;
        let both = first.chunks_exact_mut(HOP_SAMPLES).zip(second.chunks_exact_mut(HOP_SAMPLES));
        for (frame, (first, second)) in (start.0..).zip(both) {
            noise_of(frame, [first, second]);
        }
    }

    /// Makes frame `at` of the hop for every bus: `begins` is how softly each sample of the hop
    /// begins, `levels` [frames + 1, buses] how loud each bus is at the start of the hop and at the
    /// end of each frame. It goes evenly there, but where a key is pressed at a sample of the frame
    /// it goes there then.
    pub fn frame(
        &mut self,
        at: usize,
        press: Option<usize>,
        begins: &[f32],
        levels: &[f32],
        buses: &[Bus],
    ) {
        let range = at * HOP_SAMPLES..(at + 1) * HOP_SAMPLES;
        let [first, second] = [0, 1].map(|n| self.drawn[n].get(range.clone()).unwrap_or_default());
        let begins = begins.get(range.clone()).unwrap_or_default();
        let share = |n: usize| match press {
            Some(press) => (n + 1).saturating_sub(press).min(ATTACK) as f32 / ATTACK as f32,
            None => (n + 1) as f32 / HOP_SAMPLES as f32,
        };
        let (sin, cos) = (WIDTH_TURNS * std::f32::consts::TAU).sin_cos();
        for (i, (bus, out)) in buses.iter().zip(&mut self.buses).enumerate() {
            let level = |row: usize| levels.get(row * buses.len() + i).copied().unwrap_or(0.0);
            let (from, to) = (level(at), level(at + 1));
            let [own, apart] = match bus.side() {
                Some(0) => [cos, sin],
                Some(_) => [cos, -sin],
                None => [1.0, 0.0],
            };
            let Some(out) = out.get_mut(range.clone()) else { continue };
            let drawn = first.iter().zip(second).zip(begins);
            for (n, (out, ((a, b), begins))) in out.iter_mut().zip(drawn).enumerate() {
                let level = from + share(n) * (to - from);
                *out = (own * a + apart * b) * begins * level;
            }
        }
    }

    /// The noise of a bus.
    pub fn of(&self, bus: usize) -> &[f32] {
        self.buses.get(bus).map(Vec::as_slice).unwrap_or_default()
    }
}
