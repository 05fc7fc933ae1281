//! The score-informed excitation: a tone for every sounding note, from the notes alone, and how noise begins with them. Knows no network and no
//! mel frame.
//!
//! Python twin: `models/training/timbre_training/excitation.py`; both are held to `tests/vectors/excitation.npz`.

use super::attack::{SHAPED, Shape};
use super::life::Life;
use super::tables::Tables;
use super::tone::DRUM_TONES;
use super::voice::{Voicing, Warp};
use crate::ledger::{Ledger, NOTES, Sounding};
use crate::parts::{At, Bus, Parts, of_note};
use crate::units::{HOP_SAMPLES, MEL_BINS, SAMPLE_RATE_HZ, SamplePos, TICK_SAMPLES};
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
const RATE: f64 = SAMPLE_RATE_HZ as f64;

/// True for programs that fade while held: pianos, mallets, guitars, basses, plucked strings, percussion.
fn fades(program: u8) -> bool {
    matches!(program, 0..=15 | 24..=39 | 45..=47 | 104..=108 | 112..=119)
}

/// In this time a note falls by a factor e once it is over, seconds.
fn fall_s(note: &Sounding) -> f64 {
    let tone = DRUM_TONES.iter().find(|(key, ..)| *key == note.voice.key);
    match note.voice.is_drum {
        true => tone.map_or(DRUM_S, |(_, fall_s, _)| *fall_s),
        false => RELEASE_S,
    }
}

/// What is kept for a note.
#[derive(Debug, Clone, Copy)]
struct Tone {
    /// The note's serial number; 0 for none.
    serial: u64,
    /// How it begins.
    shape: Shape,
    /// How it lives.
    life: Life,
    /// How long it has been released, in samples as its level counts them.
    rung: f64,
    /// What bending has done to its time.
    warp: Warp,
    /// Whether nothing of it is heard any more.
    is_over: bool,
}

/// How the level of a note goes on from a sample.
#[derive(Debug, Clone, Copy)]
struct Envelope {
    level: f64,
    /// Samples since the press.
    n: u64,
    down: u64,
    again: u64,
    held: [f64; 2],
    released: [f64; 2],
    rest: [f64; 2],
}

impl Envelope {
    /// Of a note `n` samples after its press, of which `rung` count as released and each further
    /// one as `1 / stretch`.
    fn new(note: &Sounding, n: u64, rung: f64, stretch: f64) -> Self {
        let decay = match fades(note.voice.program) && !note.voice.is_drum {
            true => 1.0 / (1.5 * RATE * ((60.0 - f64::from(note.voice.key)) / 24.0).exp2()),
            false => 0.0,
        };
        let release = 1.0 / (fall_s(note) * RATE);
        let restruck = 1.0 / (RESTRUCK_S * RATE);
        let down = note.down().unwrap_or(u64::MAX);
        let again = note.again.map_or(u64::MAX, |again| again.0.saturating_sub(note.first.0));
        Self {
            level: f64::from(note.velocity) / 127.0,
            n,
            down,
            again,
            held: [(-(n.min(down) as f64) * decay).exp(), (-decay).exp()],
            released: [(-rung * release).exp(), (-release / stretch).exp()],
            rest: [(-(n.saturating_sub(again) as f64) * restruck).exp(), (-restruck).exp()],
        }
    }

    /// The level of the next sample.
    fn next(&mut self) -> f64 {
        let now = self.level * self.held[0].max(HELD_FLOOR) * self.released[0] * self.rest[0];
        if self.n >= self.again {
            self.rest[0] *= self.rest[1];
        }
        let falls = if self.n < self.down { &mut self.held } else { &mut self.released };
        falls[0] *= falls[1];
        self.n += 1;
        now
    }
}

/// What the excitation makes of a hop.
#[derive(Debug, Default)]
pub struct Excited {
    /// The tones of each bus.
    pub tones: Vec<Vec<Complex<f32>>>,
    /// The upper tones of each bus that is wide, where the model has them.
    pub upper: Vec<Vec<f32>>,
    /// [blocks, 128]: the mel magnitude of the tones at each block's end, as if every note were at
    /// once as loud as its frame, each as loud as its part is beside the reference.
    pub levels: Vec<f32>,
    /// By how much the noise of each sample is softer as its notes begin.
    pub begins: Vec<f32>,
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
}

impl Excitation {
    /// Silence.
    pub fn new(tables: Arc<Tables>) -> Self {
        let nothing = Tone {
            serial: 0,
            shape: Shape::NONE,
            life: Life::STILL,
            rung: 0.0,
            warp: Warp::default(),
            is_over: true,
        };
        Self {
            tables,
            tones: vec![nothing; NOTES],
            presses: vec![],
            strokes: vec![],
            sounding: vec![],
            begun: vec![],
        }
    }

    /// A note of the ledger begins as `shape` says and lives as `life` does.
    pub fn strike(&mut self, note: &Sounding, shape: Shape, life: Life) {
        self.presses.push(note.first.0);
        self.strokes.extend(note.voice.is_drum.then_some(note.first.0));
        if let Some(tone) = self.tones.get_mut(note.slot) {
            let shape = if note.is_legato { Shape::NONE } else { shape };
            let warp = Warp::default();
            *tone = Tone { serial: note.serial, shape, life, rung: 0.0, warp, is_over: false };
        }
    }

    /// Makes the next `frames` frames from `start`, a multiple of [`BLOCK`]: the tones of each bus, with what `out` has
    /// of upper tones, and what is said there. `reference` [frames + 1] is that of the frame before
    /// and of each frame.
    pub fn render(
        &mut self,
        start: SamplePos,
        (ledger, parts, buses): (&Ledger, &Parts, &[Bus]),
        reference: &[f32],
        is_wide: bool,
        out: &mut Excited,
    ) {
        let frames = reference.len().saturating_sub(1);
        let samples = frames * HOP_SAMPLES;
        self.presses.retain(|press| *press >= start.0);
        let lately = start.0.saturating_sub((DRUM_S * RATE) as u64);
        self.strokes.retain(|stroke| *stroke >= lately);
        for power in [&mut self.sounding, &mut self.begun] {
            power.clear();
            power.resize(samples, 0.0);
        }
        out.clear(buses, samples, is_wide);
        let marks = marks(reference);
        out.levels.fill(LEVEL_FLOOR * LEVEL_FLOOR);
        for note in ledger.notes() {
            self.note(start, note, (ledger, parts, buses), &marks, out);
        }
        out.levels.iter_mut().for_each(|l| *l = l.sqrt());
        let powers = self.sounding.iter().zip(&self.begun);
        for (begins, (sounding, begun)) in out.begins.iter_mut().zip(powers) {
            *begins = if *sounding > 0.0 { (begun / sounding).sqrt() as f32 } else { 1.0 };
        }
    }

    /// Adds a note, tick by tick.
    fn note(
        &mut self,
        start: SamplePos,
        note: &Sounding,
        (ledger, parts, buses): (&Ledger, &Parts, &[Bus]),
        marks: &[f32],
        out: &mut Excited,
    ) {
        let Some(tone) = self.tones.get_mut(note.slot) else { return };
        if tone.serial != note.serial || tone.is_over {
            return;
        }
        let voicing = Voicing::new(&self.tables, note.voice, &tone.life);
        let fall = -FORGET.ln() * fall_s(note) * RATE;
        let restruck = (-FORGET.ln() * RESTRUCK_S * RATE) as u64;
        let down = note.down().unwrap_or(u64::MAX);
        let again = note.again.map_or(u64::MAX, |again| again.0 - note.first.0 + restruck);
        let end = start.0 + self.sounding.len() as u64;
        let mut at = note.first.0.max(start.0);
        let mut swing = tone.life.swing_from(at - note.first.0, voicing.hz());
        while at < end && !tone.is_over {
            let tick = (at - start.0) as usize / TICK_SAMPLES;
            let tick_end = start.0 + ((tick + 1) * TICK_SAMPLES) as u64;
            let (from, to) = of_tick(parts.of(note.part), tick);
            let n = at - note.first.0;
            let stretch = of_note::release(&to);
            // Where in this tick the note is over.
            let left = ((fall - tone.rung).max(0.0) * stretch) as u64;
            let last = down.max(n).saturating_add(left).min(again);
            let stop = tick_end.min(note.first.0.saturating_add(last)).max(at);
            let count = (stop - at) as usize;
            let mut envelope = Envelope::new(note, n, tone.rung, stretch);
            let mut levels = [0.0f64; TICK_SAMPLES];
            let offset = (at - start.0) as usize;
            let gain = f64::from(to.gain);
            let slower = f64::from(-to.times[0]).exp2();
            let late = (n as f64 * slower >= SHAPED as f64).then(|| tone.shape.at(SHAPED));
            for (i, level) in levels.iter_mut().take(count).enumerate() {
                let now = envelope.next();
                let since = || ((n + i as u64) as f64 * slower) as u64;
                *level = now * late.unwrap_or_else(|| tone.shape.at(since()));
                if let (Some(sounding), Some(begun)) =
                    (self.sounding.get_mut(offset + i), self.begun.get_mut(offset + i))
                {
                    *sounding += (gain * now).powi(2);
                    *begun += (gain * *level).powi(2);
                }
            }
            let age_s = |at: u64| (at - note.first.0) as f64 / RATE;
            let bends = [(from, at), (to, tick_end)].map(|(part, at)| {
                let touch = ledger.touch_at(note, at as f64 / RATE);
                of_note::semitones(note, touch, &part, age_s(at))
            });
            let within = at as usize % TICK_SAMPLES;
            let sound = voicing.sound(n, &levels[..count], bends, &mut tone.warp, &mut swing);
            add(&sound, [&from, &to], within, note, buses, offset, out);
            let released = (at + count as u64 - note.first.0).saturating_sub(down.max(n));
            if down != u64::MAX {
                tone.rung += released as f64 / stretch;
            }
            at = stop;
            if stop < tick_end {
                tone.is_over = true;
            } else if tick_end.is_multiple_of(BLOCK as u64) {
                let block = (tick_end - start.0) as usize / BLOCK - 1;
                let relative = to.gain / marks.get(block).copied().unwrap_or(1.0);
                let level = Envelope::new(note, tick_end - note.first.0, tone.rung, stretch).next();
                let power = (level as f32 * relative).powi(2);
                let levels = out.levels.chunks_exact_mut(MEL_BINS).nth(block).unwrap_or_default();
                voicing.add_profile(levels, power, bends[1]);
            }
        }
    }

    /// Whether nothing of a note's tone is heard any more.
    pub fn is_over(&self, note: &Sounding) -> bool {
        self.tones.get(note.slot).is_none_or(|tone| tone.serial != note.serial || tone.is_over)
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
        self.tones.iter_mut().for_each(|tone| (tone.serial, tone.is_over) = (0, true));
    }
}

impl Excited {
    /// Silence of so many samples.
    fn clear(&mut self, buses: &[Bus], samples: usize, is_wide: bool) {
        self.tones.resize_with(buses.len(), Vec::new);
        self.upper.resize_with(buses.len(), Vec::new);
        for ((tones, upper), bus) in self.tones.iter_mut().zip(&mut self.upper).zip(buses) {
            tones.clear();
            tones.resize(samples, Complex::ZERO);
            upper.clear();
            upper.resize(if is_wide && bus.is_wide() { samples } else { 0 }, 0.0);
        }
        self.levels.resize(samples / BLOCK * MEL_BINS, 0.0);
        self.begins.resize(samples, 1.0);
    }
}

/// The reference at the end of each block: evenly in decibels from frame to frame, as gains go.
fn marks(reference: &[f32]) -> Vec<f32> {
    let blocks = HOP_SAMPLES / BLOCK;
    let frames = reference.windows(2);
    frames
        .flat_map(|frame| {
            let (before, now) = (frame[0].max(f32::MIN_POSITIVE), frame[1].max(f32::MIN_POSITIVE));
            (1..=blocks).map(move |block| {
                let share = block as f32 / blocks as f32;
                before * (now / before).powf(share)
            })
        })
        .collect()
}

/// A part at the start of a tick of the hop and at its end.
fn of_tick(table: &[At], tick: usize) -> (At, At) {
    match table.get(tick..tick + 2) {
        Some(&[from, to]) => (from, to),
        _ => (At::REST, At::REST),
    }
}

/// Adds the sound of a note in a part of a tick, which begins `within` it, to the buses.
fn add(
    sound: &super::voice::TickSound,
    [from, to]: [&At; 2],
    within: usize,
    note: &Sounding,
    buses: &[Bus],
    offset: usize,
    out: &mut Excited,
) {
    let count = sound.count;
    for ((bus, tones), upper) in buses.iter().zip(&mut out.tones).zip(&mut out.upper) {
        let [a, b] = [from, to].map(|at| of_note::weight(note, at, *bus));
        if a == 0.0 && b == 0.0 {
            continue;
        }
        let step = (b - a) / TICK_SAMPLES as f32;
        let weight = |i: usize| a + step * (within + i + 1) as f32;
        let tones = tones.get_mut(offset..offset + count).unwrap_or_default();
        for (i, (tone, x)) in tones.iter_mut().zip(&sound.tone).enumerate() {
            *tone += x * weight(i);
        }
        let upper = upper.get_mut(offset..offset + count).unwrap_or_default();
        for (i, (tone, x)) in upper.iter_mut().zip(&sound.upper).enumerate() {
            *tone += x * weight(i);
        }
    }
}
