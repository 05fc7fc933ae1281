//! The sound of one note in one tick: its wave, bent and alive, at the levels given. Knows no stream.

use super::life::Life;
use super::tables::{Tables, bent_key, single};
use super::tone::{SteadyTone, tone_key};
use crate::notes::Voice;
use crate::units::{MEL_BINS, SAMPLE_RATE_HZ, TICK_SAMPLES};
use realfft::num_complex::Complex;

/// What bending has done to a note's time: it is played `ahead` samples further on than it is old.
#[derive(Debug, Clone, Copy, Default)]
pub struct Warp {
    ahead: f64,
}

/// The sound of a note in a tick, or in its end.
#[derive(Debug)]
pub struct TickSound {
    /// Samples that count.
    pub count: usize,
    /// Below 8 kHz.
    pub tone: [Complex<f32>; TICK_SAMPLES],
    /// Above, upside down.
    pub upper: [f32; TICK_SAMPLES],
}

/// How the sound of a note is made.
#[derive(Debug)]
pub struct Voicing<'a> {
    tables: &'a Tables,
    voice: Voice,
    steady: Option<SteadyTone<'a>>,
    life: Life,
    key: u8,
}

impl<'a> Voicing<'a> {
    /// Of a voice that lives so.
    pub fn new(tables: &'a Tables, voice: Voice, life: &Life) -> Self {
        let key = if voice.is_drum { voice.key } else { tone_key(voice.program, voice.key) };
        Self { tables, voice, steady: tables.steady(voice), life: *life, key }
    }

    /// Its pitch, Hz.
    pub fn hz(&self) -> f64 {
        Tables::turns_per_sample(self.key) * f64::from(SAMPLE_RATE_HZ)
    }

    /// Its sound from `n` samples after the press on, at `levels`; it is bent by `bends` semitones
    /// at its first sample and at the end of the tick. `swing` gives what its life does to each sample.
    pub fn sound(
        &self,
        n: u64,
        levels: &[f64],
        bends: [f32; 2],
        warp: &mut Warp,
        swing: &mut impl Iterator<Item = (f64, f64)>,
    ) -> TickSound {
        let mut out = TickSound {
            count: levels.len(),
            tone: [Complex::ZERO; TICK_SAMPLES],
            upper: [0.0; TICK_SAMPLES],
        };
        let Some(steady) = &self.steady else { return out };
        let ratios = bends.map(|bend| (f64::from(bend) / 12.0).exp2());
        let bent = self.bent(steady, (bends[0] + bends[1]) / 2.0);
        let lives = !self.life.is_still() && steady.sound.lives();
        let step = (ratios[1] - ratios[0]) / TICK_SAMPLES as f64;
        for (i, level) in levels.iter().enumerate() {
            let at = (n + i as u64) as f64 + warp.ahead;
            let swung = if lives { swing.next() } else { None };
            let read = |tone: &SteadyTone<'_>| match swung {
                Some(swung) => (
                    tone.sound.living(at, &self.life, swung),
                    tone.upper.living(at, &self.life, swung).re,
                ),
                None => (tone.sound.at(at), tone.upper.at(at).re),
            };
            let (mut tone, mut upper) = read(bent.as_ref().map_or(steady, |(tone, ..)| tone));
            if let Some((_, next, share)) = bent.as_ref().filter(|(.., share)| *share > 0.0) {
                let (other, other_upper) = read(next);
                tone += (other - tone) * share;
                upper += (other_upper - upper) * share;
            }
            if let (Some(to), Some(above)) = (out.tone.get_mut(i), out.upper.get_mut(i)) {
                *to = single(tone * *level);
                *above = (upper * level) as f32;
            }
            if ratios != [1.0; 2] {
                warp.ahead += ratios[0] + step * (i as f64 + 0.5) - 1.0;
            }
        }
        out
    }

    /// Adds the mel power [128] of the tone, bent by so many semitones, times `power`.
    pub fn add_profile(&self, levels: &mut [f32], power: f32, semitones: f32) {
        let Some(steady) = &self.steady else { return };
        let add = |levels: &mut [f32], profile: &[f32], power: f32| {
            levels.iter_mut().zip(profile).for_each(|(l, p)| *l += power * p * p);
        };
        match self.bent(steady, semitones) {
            Some((lower, next, share)) => {
                add(levels, lower.profile, power * (1.0 - share as f32));
                add(levels, next.profile, power * share as f32);
            }
            None => add(levels, steady.profile.get(..MEL_BINS).unwrap_or_default(), power),
        }
    }

    /// The tones of the keys between which it lies, bent by so many semitones, played at its own
    /// pitch, and how far it is from the first to the second; none where it is not bent, or has
    /// partials of its own.
    fn bent(
        &self,
        steady: &SteadyTone<'a>,
        semitones: f32,
    ) -> Option<(SteadyTone<'a>, SteadyTone<'a>, f64)> {
        if semitones == 0.0 || self.voice.is_drum {
            return None;
        }
        let (lower, share) = bent_key(self.voice.key, semitones);
        let of = |key: u8| {
            let other = self.tables.steady(Voice { key, ..self.voice })?;
            let sound = steady.sound.with_wave_of(&other.sound);
            let upper = steady.upper.with_wave_of(&other.upper);
            Some(SteadyTone { sound, upper, profile: other.profile })
        };
        Some((of(lower)?, of(lower.saturating_add(1).min(127))?, f64::from(share)))
    }
}
