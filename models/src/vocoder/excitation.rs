//! The score-informed excitation: a tone for every sounding note, from the notes alone, and how noise begins with them. Knows no network and no
//! mel frame.
//!
//! Python twin: `models/training/timbre_training/excitation.py`; both are held to `tests/vectors/excitation.npz`.

use super::attack::Shape;
use super::life::Life;
use super::tables::{Tables, single};
use super::tone::{DRUM_TONES, tone_key};
use crate::notes::{NoteEvent, Voice};
use crate::units::{HOP_SAMPLES, MEL_BINS, SAMPLE_RATE_HZ, SamplePos};
use realfft::num_complex::Complex;
use std::sync::Arc;

/// Samples of one gain step (10 ms).
pub const BLOCK: usize = 160;
/// A released note falls by a factor e in this time.
const RELEASE_S: f64 = 0.25;
/// In this time the rest of a note falls by a factor e once its key is struck again.
const RESTRUCK_S: f64 = 0.02;
/// A released note is forgotten below this level.
const FORGET: f64 = 1e-3;
/// A struck note does not fall below this level while it is held.
const HELD_FLOOR: f64 = 0.02;
/// Mel level below which the tones count as absent.
pub const LEVEL_FLOOR: f32 = 0.02;
/// A drum falls by a factor e in this time.
const DRUM_S: f64 = 0.1;
/// Notes that can sound (or ring out) together; past that the oldest gives way.
const VOICES: usize = 256;

/// One sounding or releasing note; most drums have no tone, but noise begins with them.
#[derive(Debug, Clone, Copy)]
struct Tone {
    voice: Voice,
    /// Level at the key press, 0..=1.
    level: f64,
    /// First sample.
    first: u64,
    /// Samples from the key press to the release, once it is known.
    down: Option<u64>,
    /// Samples from the key press until its key was struck again.
    again: Option<u64>,
    /// How it begins.
    shape: Shape,
    /// How it lives.
    life: Life,
}

impl Tone {
    /// True for programs that fade while held: pianos, mallets, guitars, basses, plucked strings, percussion.
    fn struck(&self) -> bool {
        matches!(self.voice.program, 0..=15 | 24..=39 | 45..=47 | 104..=108 | 112..=119)
    }

    /// Level `n` samples after the key press.
    fn envelope(&self, n: u64) -> f64 {
        self.envelope_from(n).next().unwrap_or_default()
    }

    /// Levels of the samples from `n` after the key press on, without end. An exponential is computed once, then multiplied on.
    fn envelope_from(&self, n: u64) -> impl Iterator<Item = f64> {
        let rate = f64::from(SAMPLE_RATE_HZ);
        let decay = match self.struck() && !self.voice.is_drum {
            true => 1.0 / (1.5 * rate * ((60.0 - f64::from(self.voice.key)) / 24.0).exp2()),
            false => 0.0,
        };
        let release = 1.0 / (self.fall_s() * rate);
        let down = self.down.unwrap_or(u64::MAX);
        let mut held = (-(n.min(down) as f64) * decay).exp();
        let mut released = (-(n.saturating_sub(down) as f64) * release).exp();
        let restruck = 1.0 / (RESTRUCK_S * rate);
        let again = self.again.unwrap_or(u64::MAX);
        let mut rest = (-(n.saturating_sub(again) as f64) * restruck).exp();
        let [held_by, released_by, rest_by] = [decay, release, restruck].map(|by| (-by).exp());
        let level = self.level;
        (n..).map(move |n| {
            let now = level * held.max(HELD_FLOOR) * released * rest;
            if n >= again {
                rest *= rest_by;
            }
            if n < down {
                held *= held_by;
            } else {
                released *= released_by;
            }
            now
        })
    }

    /// In this time it falls by a factor e once it is over, seconds.
    fn fall_s(&self) -> f64 {
        let tone = DRUM_TONES.iter().find(|(key, ..)| *key == self.voice.key);
        match self.voice.is_drum {
            true => tone.map_or(DRUM_S, |(_, fall_s, _)| *fall_s),
            false => RELEASE_S,
        }
    }

    /// The sample after the last one, `u64::MAX` while the key is down.
    fn last(&self) -> u64 {
        let tail = |fall_s: f64| (-FORGET.ln() * fall_s * f64::from(SAMPLE_RATE_HZ)) as u64;
        let over = self.down.map_or(u64::MAX, |down| self.first + down + tail(self.fall_s()));
        let again = self.again.map_or(u64::MAX, |again| self.first + again + tail(RESTRUCK_S));
        over.min(again)
    }
}

/// The tones of all notes, rendered hop by hop. The same events give the same samples however the stream is cut.
#[derive(Debug)]
pub struct Excitation {
    tables: Arc<Tables>,
    tones: Vec<Tone>,
    /// First samples of the notes pressed since the last hop.
    presses: Vec<u64>,
    /// First samples of the drum strokes since shortly before it.
    strokes: Vec<u64>,
    /// Power of the notes in each sample of the hop, whole and as they begin.
    sounding: Vec<f64>,
    begun: Vec<f64>,
    /// Levels of one note in the samples of the hop, as it begins, and how vibrato and tremolo have
    /// moved it.
    shaped: Vec<f64>,
    swung: Vec<(f64, f64)>,
}

impl Excitation {
    /// Silence.
    pub fn new(tables: Arc<Tables>) -> Self {
        Self {
            tables,
            tones: Vec::with_capacity(VOICES),
            presses: vec![],
            strokes: vec![],
            sounding: vec![],
            begun: vec![],
            shaped: vec![],
            swung: vec![],
        }
    }

    /// Takes a note event that happens at `at`; a note that is pressed begins as `shape` says and
    /// lives as `life` does.
    pub fn event(&mut self, at: SamplePos, event: &NoteEvent, shape: Shape, life: Life) {
        for tone in self.tones.iter_mut().filter(|t| t.voice == event.voice && t.down.is_none()) {
            tone.down = Some(at.0.saturating_sub(tone.first));
        }
        if event.velocity > 0 {
            let before =
                |t: &&mut Tone| t.voice == event.voice && t.again.is_none() && !event.voice.is_drum;
            for tone in self.tones.iter_mut().filter(before) {
                tone.again = Some(at.0.saturating_sub(tone.first));
            }
            if self.tones.len() == VOICES {
                self.tones.remove(0);
            }
            self.presses.push(at.0);
            self.strokes.extend(event.voice.is_drum.then_some(at.0));
            let level = f64::from(event.velocity) / 127.0;
            let down = event.voice.is_drum.then_some(0);
            let (voice, first) = (event.voice, at.0);
            self.tones.push(Tone { voice, level, first, down, again: None, shape, life });
        }
    }

    /// Writes the tones of the next `tones.len()` samples from `start`, a multiple of [`BLOCK`], as [`super::tone::Sound::at`], the upper tones,
    /// unless `upper` is empty, and the mel of the tones, `levels` [blocks, 128] (magnitude, at each block's end, as if every note were at once as loud as its frame); `noise`, as long as
    /// `tones`, is made to begin as the notes do.
    pub fn render(
        &mut self,
        start: SamplePos,
        tones: &mut [Complex<f32>],
        upper: &mut [f32],
        levels: &mut [f32],
        noise: &mut [f32],
    ) {
        self.presses.retain(|press| *press >= start.0);
        let lately = start.0.saturating_sub((DRUM_S * f64::from(SAMPLE_RATE_HZ)) as u64);
        self.strokes.retain(|stroke| *stroke >= lately);
        for power in [&mut self.sounding, &mut self.begun] {
            power.clear();
            power.resize(tones.len(), 0.0);
        }
        tones.fill(Complex::ZERO);
        upper.fill(0.0);
        levels.fill(LEVEL_FLOOR * LEVEL_FLOOR);
        let end = start.0 + tones.len() as u64;
        for tone in &self.tones {
            let from = tone.first.max(start.0);
            let to = tone.last().min(end);
            if from >= to {
                continue;
            }
            let samples = (from - start.0) as usize..(to - start.0) as usize;
            let first = from - tone.first;
            let powers =
                self.sounding[samples.clone()].iter_mut().zip(&mut self.begun[samples.clone()]);
            self.shaped.clear();
            self.shaped.extend((first..).zip(tone.envelope_from(first)).zip(powers).map(
                |((n, level), (sounding, begun))| {
                    let shaped = level * tone.shape.at(n);
                    *sounding += level * level;
                    *begun += shaped * shaped;
                    shaped
                },
            ));
            let Some(steady) = self.tables.steady(tone.voice) else { continue };
            let shaped = || (first..).zip(&self.shaped);
            let above = upper.get_mut(samples.clone()).unwrap_or_default();
            if tone.life.is_still() || !steady.sound.lives() {
                for ((n, level), out) in shaped().zip(&mut tones[samples]) {
                    *out += single(steady.sound.at(n) * level);
                }
                for ((n, level), out) in shaped().zip(above) {
                    *out += (steady.upper.at(n).re * level) as f32;
                }
            } else {
                let key = tone_key(tone.voice.program, tone.voice.key);
                let hz = Tables::turns_per_sample(key) * f64::from(SAMPLE_RATE_HZ);
                self.swung.clear();
                self.swung.extend(tone.life.swing_from(first, hz).take(self.shaped.len()));
                let moved = || shaped().zip(&self.swung);
                for (((n, level), swung), out) in moved().zip(&mut tones[samples]) {
                    *out += single(steady.sound.living(n, &tone.life, *swung) * level);
                }
                for (((n, level), swung), out) in moved().zip(above) {
                    *out += (steady.upper.living(n, &tone.life, *swung).re * level) as f32;
                }
            }
            for (b, level) in levels.chunks_exact_mut(MEL_BINS).enumerate() {
                let block_end = start.0 + ((b + 1) * BLOCK) as u64;
                if block_end > tone.first && block_end <= tone.last() {
                    let power = tone.envelope(block_end - tone.first).powi(2) as f32;
                    level.iter_mut().zip(steady.profile).for_each(|(l, p)| *l += power * p * p);
                }
            }
        }
        levels.iter_mut().for_each(|l| *l = l.sqrt());
        for (noise, (sounding, begun)) in
            noise.iter_mut().zip(self.sounding.iter().zip(&self.begun))
        {
            if *sounding > 0.0 {
                *noise *= (begun / sounding).sqrt() as f32;
            }
        }
        self.tones.retain(|t| t.last() > end);
    }

    /// Where in the block of [`BLOCK`] samples from `start`, which lies in the hop rendered last, the first key is pressed.
    pub fn press_in(&self, start: SamplePos) -> Option<usize> {
        let block = start.0..start.0 + BLOCK as u64;
        let first = self.presses.iter().filter(|press| block.contains(press)).min();
        first.map(|press| (press - start.0) as usize)
    }

    /// Whether the frame from `start` has a drum stroke or lies so near after one that its mel may be the drum's.
    pub fn is_drummed(&self, start: SamplePos) -> bool {
        let near = (DRUM_S * f64::from(SAMPLE_RATE_HZ)) as u64;
        let near = start.0.saturating_sub(near)..start.0 + HOP_SAMPLES as u64;
        self.strokes.iter().any(|stroke| near.contains(stroke))
    }

    /// Forgets every note at once.
    pub fn clear(&mut self) {
        self.presses.clear();
        self.strokes.clear();
        self.tones.clear();
    }
}
