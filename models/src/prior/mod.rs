//! The note prior: what each sounding note adds to a mel frame, by itself; the denoiser says what then is missing.
//!
//! Sounds add up in power, so a frame's mel is the root of the sum of its notes' mel powers. A small network sees one note at
//! a time (instrument, key, velocity, age, time since release) and gives the gains of a tone, whose harmonics the key fixes,
//! and the levels of a noise. It hears no past sound, so nothing drifts, and a frame hears no note that comes after it, so
//! hops of any length say the same. Starting a diffusion from such a mean is Grad-TTS (Popov et al. 2021).

mod features;
mod knots;
mod rows;

use std::sync::Arc;

use crate::denoise::DenoiseError;
use crate::notes::{NoteEvent, Voice};
use crate::units::{FrameIdx, HOP_SAMPLES, MEL_BINS, SAMPLE_RATE_HZ};
use crate::vocoder::tables::Tables;
use features::{DRUM_S, FADE_S, TAIL_S};
use knots::stride;
use rows::{ROWS, Rows};

/// The front end's floor, squared.
const FLOOR_POWER: f32 = 1e-10;
/// Notes that can sound together; past that the one that was pressed first gives way.
const NOTES: usize = 128;
/// A frame, a window of 40 ms around its centre, hears no more than a part of a younger note, seconds.
const ATTACK_S: f64 = 0.02;
/// A note that rings out is forgotten once no band has more power than this: a hundredth of the floor's.
const FAINT_POWER: f32 = 1e-12;
/// A note is not forgotten before this, seconds: it may have a slow attack.
const FAINT_AFTER_S: f64 = 0.3;

/// What a row adds to a frame.
#[derive(Debug, Clone, Copy)]
struct Part {
    frame: usize,
    row: usize,
    /// How much of the row's power.
    share: f32,
    /// Of a note that the frame hears only a part of.
    struck: Option<Struck>,
}

/// How loud a note is that has just been pressed: as loud as what the frame hears of it, had it sounded in all of the window, but not
/// louder than it is once a frame hears it wholly. The former alone would be too loud where the cut splashes over the bands, the latter
/// where a note comes slowly.
#[derive(Debug, Clone, Copy)]
struct Struck {
    /// The row of the note as it is when a frame first hears it wholly.
    row: usize,
    /// What makes the power of the part that is heard that of the whole.
    scale: f32,
}

/// Two frames for which the network was asked, between which a note goes evenly.
#[derive(Debug, Clone, Copy)]
struct Knots {
    is_released: bool,
    frames: [u64; 2],
    rows: [usize; 2],
}

/// A note that sounds or rings out.
#[derive(Debug, Clone, Copy)]
struct Sounding {
    voice: Voice,
    velocity: u8,
    start_s: f64,
    /// When it was released, once that is known. Drums are never released.
    end_s: Option<f64>,
    /// Where its knots are kept.
    slot: usize,
    knots: Option<Knots>,
}

impl Sounding {
    /// From when on it is silence, seconds.
    fn over_s(&self) -> f64 {
        if self.voice.is_drum {
            return self.start_s + DRUM_S;
        }
        self.end_s.map_or(f64::INFINITY, |end| end + TAIL_S)
    }

    /// What its power is multiplied with at `now_s`: its amplitude goes evenly to zero.
    fn fade(&self, now_s: f64) -> f32 {
        ((self.over_s() - now_s) / FADE_S).clamp(0.0, 1.0).powi(2) as f32
    }

    /// How long ago it was released at `now_s`, seconds, 0 while it is held.
    fn release_s(&self, now_s: f64) -> f64 {
        match self.end_s {
            Some(end_s) if !self.voice.is_drum => (now_s - end_s).max(0.0),
            _ => 0.0,
        }
    }

    /// The rows in which its knots are kept from hop to hop.
    fn kept(&self) -> [usize; 2] {
        [2 * self.slot, 2 * self.slot + 1]
    }
}

/// The note prior with the notes it knows.
#[derive(Debug)]
pub struct NotePrior {
    rows: Rows,
    notes: Vec<Sounding>,
    free_slots: Vec<usize>,
    /// What the rows asked for add to the frames.
    parts: Vec<Part>,
    /// Mel power [frames, 128] of the hop, and how much more it is struck.
    power: Vec<f32>,
    rise: Vec<f32>,
}

impl NotePrior {
    /// Loads the network from ONNX bytes; `tables` are those of the vocoder.
    ///
    /// # Errors
    /// As [`crate::denoise::network::Network::load`], for the graph `prior`.
    pub fn load(bytes: &[u8], tables: Arc<Tables>) -> Result<Self, DenoiseError> {
        Ok(Self {
            rows: Rows::load(bytes, tables, 2 * NOTES)?,
            notes: Vec::with_capacity(NOTES),
            free_slots: (0..NOTES).collect(),
            parts: vec![],
            power: vec![],
            rise: vec![],
        })
    }

    /// Takes a note event, in order of time, before the hop it lies in is rendered.
    pub fn event(&mut self, event: &NoteEvent) {
        let NoteEvent { time_s, voice, velocity } = *event;
        if !voice.is_drum {
            let open = |n: &&mut Sounding| n.voice == voice && n.end_s.is_none();
            self.notes.iter_mut().filter(open).for_each(|n| n.end_s = Some(time_s));
        }
        if velocity > 0 {
            if self.free_slots.is_empty() {
                let oldest = self.notes.remove(0);
                self.free_slots.push(oldest.slot);
            }
            let Some(slot) = self.free_slots.pop() else { return };
            let note =
                Sounding { voice, velocity, start_s: time_s, end_s: None, slot, knots: None };
            self.notes.push(note);
        }
    }

    /// Writes the natural-log mel [T, 128] of all notes together from frame `start` on; a frame without notes is the floor.
    /// `struck` [T, 128] is the same, but notes that a frame hears only a part of, as they have just been pressed, are as loud as the
    /// vocoder must make them from the key press on.
    ///
    /// # Errors
    /// Whatever the engine says; nothing else can fail.
    pub fn render(
        &mut self,
        start: FrameIdx,
        log_mel: &mut [f32],
        struck: &mut [f32],
    ) -> Result<(), DenoiseError> {
        self.power.clear();
        self.power.resize(log_mel.len(), 0.0);
        self.rise.clear();
        self.rise.resize(log_mel.len(), 0.0);
        let frames = log_mel.len() / MEL_BINS;
        for (index, frame) in (start.0..).zip(0..frames) {
            let now_s = frame_start_s(index + 1);
            let sounds = |note: &Sounding| note.start_s < now_s && now_s <= note.over_s();
            for note in self.notes.iter_mut().filter(|note| sounds(note)) {
                note_parts(&mut self.rows, &mut self.parts, note, index, frame);
            }
            if self.rows.asked() >= ROWS {
                self.add_parts()?;
            }
        }
        self.add_parts()?;
        let log_of = |power: f32| 0.5 * (power + FLOOR_POWER).ln();
        let powers = self.power.iter().zip(&self.rise);
        for ((log_mel, struck), (power, rise)) in log_mel.iter_mut().zip(struck).zip(powers) {
            (*log_mel, *struck) = (log_of(*power), log_of(power + rise));
        }
        self.forget_ended(frame_start_s(start.0 + frames as u64));
        Ok(())
    }

    /// Has the network answer and adds what it says to the frames' power.
    fn add_parts(&mut self) -> Result<(), DenoiseError> {
        if let Err(e) = self.rows.answer() {
            // Nothing may wait for answers that do not come.
            self.rows.forget();
            self.parts.clear();
            self.notes.iter_mut().for_each(|note| note.knots = None);
            return Err(e);
        }
        for Part { frame, row, share, struck } in self.parts.drain(..) {
            let bands = frame * MEL_BINS..(frame + 1) * MEL_BINS;
            let here = self.rows.power(row);
            let sum = self.power.get_mut(bands.clone()).unwrap_or_default();
            sum.iter_mut().zip(here).for_each(|(sum, here)| *sum += share * here);
            if let Some(Struck { row, scale }) = struck {
                let sums = self.rise.get_mut(bands).unwrap_or_default().iter_mut();
                for ((sum, here), whole) in sums.zip(here).zip(self.rows.power(row)) {
                    *sum += (whole.min(scale * here) - here).max(0.0);
                }
            }
        }
        for note in &mut self.notes {
            let kept = note.kept();
            if let Some(knots) = &mut note.knots {
                // In this order: the second of the last hop may be the first of this one.
                for (row, kept) in knots.rows.iter_mut().zip(kept) {
                    self.rows.keep(*row, kept);
                    *row = kept;
                }
            }
        }
        Ok(())
    }

    /// Forgets the notes that are over at `now_s` or ring below hearing.
    fn forget_ended(&mut self, now_s: f64) {
        let (free_slots, rows) = (&mut self.free_slots, &self.rows);
        self.notes.retain(|note| {
            let rings_out = note.voice.is_drum || note.end_s.is_some_and(|end_s| end_s < now_s);
            let is_faint = note.knots.is_some_and(|knots| {
                rows.power(knots.rows[1]).iter().all(|power| *power < FAINT_POWER)
            });
            let stays = note.over_s() > now_s
                && !(rings_out && is_faint && note.start_s + FAINT_AFTER_S < now_s);
            if !stays {
                free_slots.push(note.slot);
            }
            stays
        });
    }

    /// Forgets every note at once.
    pub fn clear(&mut self) {
        self.notes.clear();
        self.free_slots.clear();
        self.free_slots.extend(0..NOTES);
    }
}

/// Adds what a note that sounds in frame `index`, `frame` of the hop, adds to it, and asks for the rows that are not there yet.
fn note_parts(
    rows: &mut Rows,
    parts: &mut Vec<Part>,
    note: &mut Sounding,
    index: u64,
    frame: usize,
) {
    let Sounding { voice, velocity, start_s, .. } = *note;
    let now_s = frame_start_s(index + 1);
    let (release_s, fade) = (note.release_s(now_s), note.fade(now_s));
    let is_released = release_s > 0.0;
    let mut ask = |knot: u64| {
        let now_s = frame_start_s(knot + 1);
        let release_s = if is_released { note.release_s(now_s) } else { 0.0 };
        rows.ask(voice, velocity, now_s - start_s, release_s)
    };
    let age_s = now_s - start_s;
    let known = note.knots.filter(|knots| {
        let [from, to] = knots.frames;
        knots.is_released == is_released && (from..=to).contains(&index)
    });
    let knots = match known {
        Some(knots) if index < knots.frames[1] => knots,
        _ => {
            let since_s = if is_released { release_s } else { age_s };
            let next = index + stride(index, since_s, u64::from(voice.key));
            let first = known.map_or_else(|| ask(index), |knots| knots.rows[1]);
            Knots { is_released, frames: [index, next], rows: [first, ask(next)] }
        }
    };
    let Knots { frames: [from, to], rows: [before, after], .. } = knots;
    let share = (index - from) as f32 / (to - from) as f32;
    let struck = (age_s < ATTACK_S).then(|| Struck {
        row: rows.ask(voice, velocity, ATTACK_S, release_s),
        scale: coverage(age_s).powi(-2) as f32,
    });
    parts.push(Part { frame, row: before, share: (1.0 - share) * fade, struck });
    if share > 0.0 {
        parts.push(Part { frame, row: after, share: share * fade, struck: None });
    }
    note.knots = Some(knots);
}

/// The share of the front end's Hann window that hears a note, `age_s` seconds, 0..=[`ATTACK_S`], before the window's centre.
fn coverage(age_s: f64) -> f64 {
    let turn = age_s / (2.0 * ATTACK_S);
    0.5 + turn + (std::f64::consts::TAU * turn).sin() / std::f64::consts::TAU
}

/// The time at which a frame begins, which is the centre of the frame before.
fn frame_start_s(index: u64) -> f64 {
    index as f64 * (HOP_SAMPLES as f64 / f64::from(SAMPLE_RATE_HZ))
}

#[cfg(test)]
mod tests;
