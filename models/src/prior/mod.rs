//! The note prior: what each sounding note adds to a mel frame, by itself; the denoiser says what then is missing.
//!
//! Sounds add up in power, so a frame's mel is the root of the sum of its notes' mel powers. A small network sees one note at
//! a time (instrument, key, velocity, age, time since release) and gives the gains of a tone, whose harmonics the key fixes,
//! and the levels of a noise. It hears no past sound, so nothing drifts, and a frame hears no note that comes after it, so
//! hops of any length say the same. Starting a diffusion from such a mean is Grad-TTS (Popov et al. 2021).

mod features;

use std::sync::Arc;

use tract_onnx::prelude::*;

use crate::denoise::DenoiseError;
use crate::engine::Plan;
use crate::graph::{FEATURES, GAINS, check_prior};
use crate::notes::{NoteEvent, Voice};
use crate::units::{FrameIdx, HOP_SAMPLES, MEL_BINS, SAMPLE_RATE_HZ};
use crate::vocoder::tables::Tables;
use features::{DRUM_S, TAIL_S};

/// The front end's floor, squared.
const FLOOR_POWER: f32 = 1e-10;
/// Gains stay in this range of nats.
const GAIN_RANGE: (f32, f32) = (-16.0, 8.0);
/// The row of the instrument table where drums begin.
const DRUMS: i64 = 128;
/// Notes that can sound together; past that the one that was pressed first gives way.
const NOTES: usize = 128;
/// Rows (frames of notes) of one network call, so that memory stays small whatever is played.
const ROWS: usize = 1024;
/// A frame, a window of 40 ms around its centre, hears no more than a part of a younger note, seconds.
const ATTACK_S: f64 = 0.02;
/// A note that rings out is forgotten once no band has more power than this: a hundredth of the floor's.
const FAINT_POWER: f32 = 1e-12;
/// A note is not forgotten before this, seconds: it may have a slow attack.
const FAINT_AFTER_S: f64 = 0.3;

/// One frame of one note in a network call.
#[derive(Debug, Clone, Copy)]
struct Row {
    frame: usize,
    slot: usize,
    heard: Heard,
}

/// What a row is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    /// The mel, struck and not.
    Wholly,
    /// The mel only: the frame hears a part of the note.
    Partly,
    /// The struck mel in place of the above.
    Struck,
}

/// A note that sounds or rings out.
#[derive(Debug, Clone, Copy)]
struct Sounding {
    voice: Voice,
    velocity: u8,
    start_s: f64,
    /// When it was released, once that is known. Drums are never released.
    end_s: Option<f64>,
    /// Where its loudness is kept.
    slot: usize,
}

impl Sounding {
    /// From when on it is silence, seconds.
    fn over_s(&self) -> f64 {
        if self.voice.is_drum {
            return self.start_s + DRUM_S;
        }
        self.end_s.map_or(f64::INFINITY, |end| end + TAIL_S)
    }

    fn instrument(&self) -> i64 {
        let Voice { is_drum, program, key } = self.voice;
        if is_drum { DRUMS + i64::from(key) } else { i64::from(program) }
    }
}

/// The note prior with the notes it knows.
#[derive(Debug)]
pub struct NotePrior {
    plan: Plan,
    tables: Arc<Tables>,
    notes: Vec<Sounding>,
    free_slots: Vec<usize>,
    /// [slots]: the highest power of any band in the slot's last frame.
    loudest: Vec<f32>,
    /// One network call's rows: frame and slot of each, and what the network hears of it.
    rows: Vec<Row>,
    instruments: Vec<i64>,
    keys: Vec<i64>,
    features: Vec<f32>,
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
            plan: Plan::load("prior", bytes, check_prior)?,
            tables,
            notes: Vec::with_capacity(NOTES),
            free_slots: (0..NOTES).collect(),
            loudest: vec![0.0; NOTES],
            rows: Vec::with_capacity(ROWS),
            instruments: Vec::with_capacity(ROWS),
            keys: Vec::with_capacity(ROWS),
            features: Vec::with_capacity(ROWS * FEATURES),
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
            self.notes.push(Sounding { voice, velocity, start_s: time_s, end_s: None, slot });
        }
    }

    /// Writes the natural-log mel [T, 128] of all notes together from frame `start` on; a frame without notes is the floor.
    /// `struck` [T, 128] is the same, but for notes that a frame hears only a part of, as they have just been pressed: those are
    /// as if it heard them wholly, which is how loud the vocoder must make them from the key press on.
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
            let end_s = frame_start_s(index + 1);
            for n in 0..self.notes.len() {
                let Some(note) = self.notes.get(n).copied() else { break };
                if note.start_s < end_s && end_s <= note.over_s() {
                    let age_s = end_s - note.start_s;
                    let is_young = age_s < ATTACK_S;
                    let heard = if is_young { Heard::Partly } else { Heard::Wholly };
                    self.push_row(Row { frame, slot: note.slot, heard }, &note, end_s, age_s);
                    if is_young {
                        let row = Row { frame, slot: note.slot, heard: Heard::Struck };
                        self.push_row(row, &note, end_s, ATTACK_S);
                    }
                }
                if self.rows.len() + 1 >= ROWS {
                    self.add_rows()?;
                }
            }
        }
        self.add_rows()?;
        let log_of = |power: f32| 0.5 * (power + FLOOR_POWER).ln();
        let powers = self.power.iter().zip(&self.rise);
        for ((log_mel, struck), (power, rise)) in log_mel.iter_mut().zip(struck).zip(powers) {
            (*log_mel, *struck) = (log_of(*power), log_of(power + rise.max(0.0)));
        }
        self.forget_ended(frame_start_s(start.0 + frames as u64));
        Ok(())
    }

    /// One more row: a frame whose centre lies at `now_s`, of one note, as it sounds at `age_s`.
    fn push_row(&mut self, row: Row, note: &Sounding, now_s: f64, age_s: f64) {
        let release_s = match note.end_s {
            Some(end_s) if !note.voice.is_drum => (now_s - end_s).max(0.0),
            _ => 0.0,
        };
        self.rows.push(row);
        self.instruments.push(note.instrument());
        self.keys.push(i64::from(note.voice.key));
        features::push(&mut self.features, note.velocity, age_s, release_s);
    }

    /// Runs the network over the rows and adds what they say to the frames' power.
    fn add_rows(&mut self) -> Result<(), DenoiseError> {
        let count = self.rows.len();
        if count == 0 {
            return Ok(());
        }
        let inputs = tvec![
            self.plan.input(&[count], &self.instruments)?,
            self.plan.input(&[count], &self.keys)?,
            self.plan.input(&[count, FEATURES], &self.features)?,
        ];
        let result = self.plan.run(inputs)?;
        let gains = self.plan.floats(&result[0], count * GAINS)?.chunks_exact(GAINS);
        for ((row, key), gains) in self.rows.iter().zip(&self.keys).zip(gains) {
            let (tone, noise) = gains.split_at(MEL_BINS);
            let profile = self.tables.key(*key as u8).map_or(&[][..], |(_, profile)| profile);
            let frame = row.frame * MEL_BINS..(row.frame + 1) * MEL_BINS;
            let power = self.power.get_mut(frame.clone()).unwrap_or_default();
            let rise = self.rise.get_mut(frame).unwrap_or_default();
            let (plain, struck) = match row.heard {
                Heard::Wholly => (1.0, 0.0),
                Heard::Partly => (1.0, -1.0),
                Heard::Struck => (0.0, 1.0),
            };
            let mut loudest = 0.0f32;
            for (((power, rise), profile), (tone, noise)) in
                power.iter_mut().zip(rise).zip(profile).zip(tone.iter().zip(noise))
            {
                let [tone, noise] =
                    [tone, noise].map(|g| g.clamp(GAIN_RANGE.0, GAIN_RANGE.1).exp());
                let here = (profile * tone).powi(2) + noise * noise;
                loudest = loudest.max(here);
                *power += plain * here;
                *rise += struck * here;
            }
            if let Some(slot) = self.loudest.get_mut(row.slot) {
                *slot = loudest;
            }
        }
        self.rows.clear();
        self.instruments.clear();
        self.keys.clear();
        self.features.clear();
        Ok(())
    }

    /// Forgets the notes that are over at `now_s` or ring below hearing.
    fn forget_ended(&mut self, now_s: f64) {
        let (free_slots, loudest) = (&mut self.free_slots, &self.loudest);
        self.notes.retain(|note| {
            let rings_out = note.voice.is_drum || note.end_s.is_some_and(|end_s| end_s < now_s);
            let is_faint = loudest.get(note.slot).is_some_and(|power| *power < FAINT_POWER);
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

/// The time at which a frame begins, which is the centre of the frame before.
fn frame_start_s(index: u64) -> f64 {
    index as f64 * (HOP_SAMPLES as f64 / f64::from(SAMPLE_RATE_HZ))
}

#[cfg(test)]
mod tests;
