//! The score-informed excitation: a tone for every sounding note, from the notes alone. Knows no network and no mel frame.
//!
//! Python twin: `models/training/timbre_training/excitation.py`; both are held to `tests/vocoder/excitation.json`.

use super::tables::Tables;
use crate::notes::{NoteEvent, Voice};
use crate::units::{HOP_SAMPLES, MEL_BINS, SAMPLE_RATE_HZ, SamplePos};
use std::sync::Arc;

/// Samples of one gain step (10 ms).
pub const BLOCK: usize = 160;
/// A released note falls by a factor e in this time.
const RELEASE_S: f64 = 0.25;
/// A released note is forgotten below this level.
const FORGET: f64 = 1e-3;
/// A struck note does not fall below this level while it is held.
const HELD_FLOOR: f64 = 0.02;
/// Mel level below which the tones count as absent.
const LEVEL_FLOOR: f32 = 0.02;
/// A drum is loud for this time.
const DRUM_SAMPLES: u64 = 1600;
/// Notes that can sound (or ring out) together; past that the oldest gives way.
const VOICES: usize = 256;

/// One sounding or releasing note.
#[derive(Debug, Clone, Copy)]
struct Tone {
    voice: Voice,
    /// Level at the key press, 0..=1.
    level: f64,
    /// First sample.
    first: u64,
    /// Samples from the key press to the release, once it is known.
    down: Option<u64>,
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
        let decay = match self.struck() {
            true => 1.0 / (1.5 * rate * ((60.0 - f64::from(self.voice.key)) / 24.0).exp2()),
            false => 0.0,
        };
        let release = 1.0 / (RELEASE_S * rate);
        let down = self.down.unwrap_or(u64::MAX);
        let mut held = (-(n.min(down) as f64) * decay).exp();
        let mut released = (-(n.saturating_sub(down) as f64) * release).exp();
        let (held_by, released_by) = ((-decay).exp(), (-release).exp());
        let level = self.level;
        (n..).map(move |n| {
            let now = level * held.max(HELD_FLOOR) * released;
            if n < down {
                held *= held_by;
            } else {
                released *= released_by;
            }
            now
        })
    }

    /// The sample after the last one, `u64::MAX` while the key is down.
    fn last(&self) -> u64 {
        let tail = (-FORGET.ln() * RELEASE_S * f64::from(SAMPLE_RATE_HZ)) as u64;
        self.down.map_or(u64::MAX, |down| self.first + down + tail)
    }
}

/// The tones of all notes, rendered hop by hop. The same events give the same samples however the stream is cut.
#[derive(Debug)]
pub struct Excitation {
    tables: Arc<Tables>,
    tones: Vec<Tone>,
    /// First samples of the notes pressed lately, drums apart.
    presses: Vec<u64>,
    strokes: Vec<u64>,
}

impl Excitation {
    /// Silence.
    pub fn new(tables: Arc<Tables>) -> Self {
        Self { tables, tones: Vec::with_capacity(VOICES), presses: vec![], strokes: vec![] }
    }

    /// Takes a note event that happens at `at`. Drums have no tone.
    pub fn event(&mut self, at: SamplePos, event: &NoteEvent) {
        if event.velocity > 0 {
            let list = if event.voice.is_drum { &mut self.strokes } else { &mut self.presses };
            list.push(at.0);
        }
        if event.voice.is_drum {
            return;
        }
        for tone in self.tones.iter_mut().filter(|t| t.voice == event.voice && t.down.is_none()) {
            tone.down = Some(at.0.saturating_sub(tone.first));
        }
        if event.velocity > 0 {
            if self.tones.len() == VOICES {
                self.tones.remove(0);
            }
            let level = f64::from(event.velocity) / 127.0;
            self.tones.push(Tone { voice: event.voice, level, first: at.0, down: None });
        }
    }

    /// Writes the tones of the next `tones.len()` samples from `start`, a multiple of [`BLOCK`], and their mel
    /// `levels` [blocks, 128] (magnitude, at each block's end).
    pub fn render(&mut self, start: SamplePos, tones: &mut [f32], levels: &mut [f32]) {
        let lately = start.0.saturating_sub(DRUM_SAMPLES);
        self.presses.retain(|press| *press >= lately);
        self.strokes.retain(|stroke| *stroke >= lately);
        tones.fill(0.0);
        levels.fill(LEVEL_FLOOR * LEVEL_FLOOR);
        let end = start.0 + tones.len() as u64;
        for tone in &self.tones {
            let Some((wave, profile)) = self.tables.key(tone.voice.key) else { continue };
            add_wave(tone, wave, start.0, tones);
            for (b, level) in levels.chunks_exact_mut(MEL_BINS).enumerate() {
                let block_end = start.0 + ((b + 1) * BLOCK) as u64;
                if block_end > tone.first && block_end <= tone.last() {
                    let power = tone.envelope(block_end - tone.first).powi(2) as f32;
                    level.iter_mut().zip(profile).for_each(|(l, p)| *l += power * p * p);
                }
            }
        }
        levels.iter_mut().for_each(|l| *l = l.sqrt());
        self.tones.retain(|t| t.last() > end);
    }

    /// Where in the block of [`BLOCK`] samples from `start`, which lies in the hop rendered last, the first key is pressed.
    pub fn press_in(&self, start: SamplePos) -> Option<usize> {
        let block = start.0..start.0 + BLOCK as u64;
        let all = self.presses.iter().chain(&self.strokes);
        let first = all.filter(|press| block.contains(press)).min();
        first.map(|press| (press - start.0) as usize)
    }

    /// Whether the frame from `start` lies so near after a drum stroke, or has one, that its mel may be the drum's.
    pub fn is_drummed(&self, start: SamplePos) -> bool {
        let near = start.0.saturating_sub(DRUM_SAMPLES)..start.0 + HOP_SAMPLES as u64;
        self.strokes.iter().any(|stroke| near.contains(stroke))
    }

    /// Forgets every note at once.
    pub fn clear(&mut self) {
        self.presses.clear();
        self.strokes.clear();
        self.tones.clear();
    }
}

/// Adds one tone's part of the samples from `start`.
fn add_wave(tone: &Tone, wave: &[f32], start: u64, out: &mut [f32]) {
    let step = Tables::turns_per_sample(tone.voice.key);
    let from = tone.first.max(start);
    let to = tone.last().min(start + out.len() as u64);
    if from >= to {
        return;
    }
    let first = from - tone.first;
    let samples = out.iter_mut().skip((from - start) as usize).take((to - from) as usize);
    for ((n, envelope), sample) in (first..).zip(tone.envelope_from(first)).zip(samples) {
        *sample += (envelope * Tables::read(wave, n as f64 * step)) as f32;
    }
}
