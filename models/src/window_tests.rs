//! Tests of the notes and frames of a window without a network, and of a hop after held frames.

use super::*;
use crate::denoise::DenoiseError;
use crate::denoise::held::Held;
use crate::denoise::noise::{NoiseSource, SeededNoise};
use crate::denoise::sampler::{Denoiser, Sampler, SamplerKind, SamplerOptions};
use crate::denoise::schedule::{Schedule, Spacing};
use crate::denoise::step::Prediction;
use crate::notes::Voice;
use crate::tokens::{Vocabulary, encode_segment};

const TARGET: usize = 16;

fn window() -> Window {
    Window::new(&TokenOptions::default(), TARGET, TARGET)
}

fn event(time_s: f64, key: u8, velocity: u8) -> (u64, NoteEvent) {
    let voice = Voice { is_drum: false, program: 0, key };
    ((time_s * 100.0).round() as u64, NoteEvent { time_s, voice, velocity })
}

/// Frames in which every value is the number of the frame.
fn frames(numbers: std::ops::Range<usize>) -> Vec<f32> {
    numbers.flat_map(|n| [n as f32; MEL_BINS]).collect()
}

fn words(cut: &Cut<'_>) -> String {
    let mut ids = vec![];
    encode_segment(cut, &TokenOptions::default(), &mut ids);
    let vocabulary = Vocabulary::new(1);
    ids.iter().map(|id| vocabulary.describe(*id)).collect::<Vec<_>>().join(", ")
}

#[test]
fn the_frames_before_the_hop_are_held_and_those_before_them_are_the_context() {
    let mut window = window();
    for hop in 0..10 {
        let made = 4 * hop;
        let held = made.min(TARGET - 4);
        assert_eq!(window.held(4), frames(made - held..made));
        let before = made - held;
        assert_eq!(window.context(4, 8), frames(before.saturating_sub(8)..before));
        window.play(&frames(made..made + 4));
    }
    assert_eq!(window.held(1).len(), 15 * MEL_BINS, "a shorter hop holds more");
    assert!(window.held(TARGET).is_empty());
}

#[test]
fn the_notes_of_a_window_are_those_of_one_cut_of_the_whole() {
    let events = [
        event(0.03, 60, 90),
        event(0.10, 64, 80),
        event(0.21, 60, 0),
        event(0.30, 67, 70),
        event(0.47, 64, 0),
    ];
    let mut window = window();
    for hop in 0..6u64 {
        let (start, end) = (hop * 8, hop * 8 + 8);
        let here: Vec<_> =
            events.iter().filter(|(step, _)| (start..end).contains(step)).copied().collect();
        let first = (end as usize).saturating_sub(2 * TARGET) as u64;
        let mut whole = Timeline::new(&TokenOptions::default());
        events.iter().filter(|(step, _)| *step < end).for_each(|(_, event)| whole.push(*event));
        whole.cut(0, first);
        let wanted = words(&whole.cut(first, first + 2 * TARGET as u64));
        let found = words(&window.hear(&here, FrameIdx(4 * hop), 4));
        assert_eq!(found, wanted, "hop {hop}");
        window.play(&frames(0..4));
    }
}

/// A denoiser that predicts the mean of the first `held` frames, without their noise, for every
/// frame.
struct Mean {
    schedule: Schedule,
    noise: Vec<f32>,
    held: usize,
}

impl Denoiser for Mean {
    fn predict(
        &mut self,
        step: usize,
        z: &[f32],
        _: bool,
        out: &mut [f32],
    ) -> Result<(), DenoiseError> {
        let level = self.schedule.steps()[step].from;
        let clean = |(z, noise): (&f32, &f32)| {
            (f64::from(*z) - level.sigma * f64::from(*noise)) / level.alpha
        };
        let known = z.iter().zip(&self.noise).take(self.held);
        let x0 = known.map(clean).sum::<f64>() / self.held as f64;
        for (out, z) in out.iter_mut().zip(z) {
            let eps = (f64::from(*z) - level.alpha * x0) / level.sigma;
            *out = (level.alpha * eps - level.sigma * x0) as f32;
        }
        Ok(())
    }
}

#[test]
fn what_is_made_behind_held_frames_follows_from_them() {
    let schedule = Schedule::new(4, Spacing::UniformLogSnr).unwrap();
    let known: Vec<f32> = (0..12 * MEL_BINS).map(|i| 0.5 * (i as f32 * 0.1).sin() + 0.2).collect();
    let mean = known.iter().sum::<f32>() / known.len() as f32;
    let mut z = vec![0.0; TARGET * MEL_BINS];
    SeededNoise::new(5, 1).start(&mut z);
    for kind in [SamplerKind::Ddim, SamplerKind::DpmSolverPp2M, SamplerKind::DDPM] {
        let mut network = Mean { schedule: schedule.clone(), noise: z.clone(), held: known.len() };
        let mut sampler = Sampler::new(SamplerOptions {
            kind,
            prediction: Prediction::V,
            guidance_weight: 1.0,
            clip_x0: false,
        });
        let (mut held, mut made) = (Held::new(&known), vec![0.0; z.len()]);
        let mut levels = 0;
        let mut hold = |level: &_, z: &mut [f32]| {
            levels += 1;
            held.put(level, z);
        };
        let mut noise = SeededNoise::new(5, 1);
        sampler.sample(&schedule, &mut network, &mut noise, &mut made, &mut hold).unwrap();
        assert_eq!(levels, 4, "held before every step");
        // At the first step there is almost no signal, so a float32 tells little about it. The last
        // step decides.
        let new = &made[known.len()..];
        assert!(new.iter().all(|v| (v - mean).abs() < 1e-4), "{kind}: {} {mean}", new[0]);
    }
}
