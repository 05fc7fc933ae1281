//! The note prior: what each sounding note adds to a mel frame, by itself; the denoiser says what then is missing.
//!
//! Sounds add up in power, so a frame's mel is the root of the sum of its notes' mel powers. A small network sees one note at
//! a time (instrument, key, velocity, age, time since release) and gives the gains of a tone, whose harmonics the key fixes,
//! and the levels of a noise. It hears no past sound, so nothing drifts, and a frame hears no note that comes after it, so
//! hops of any length say the same. Starting a diffusion from such a mean is Grad-TTS (Popov et al. 2021).

mod between;
mod features;
mod knots;
mod rows;

use std::sync::Arc;

use crate::denoise::DenoiseError;
use crate::ledger::{Ledger, NOTES, Sounding, Touch};
use crate::parts::{At, Parts, of_note};
use crate::units::{FrameIdx, HOP_SAMPLES, MEL_BINS, SAMPLE_RATE_HZ};
use crate::vocoder::tables::Tables;
use between::{Between, Knots, between, mixed, morph};
use features::{DRUM_S, FADE_S, TAIL_S};
use rows::{ROWS, Rows};

/// The front end's floor, squared.
const FLOOR_POWER: f32 = 1e-10;
/// A frame, a window of 40 ms around its centre, hears no more than a part of a younger note, seconds.
const ATTACK_S: f64 = 0.02;
/// A note that rings out is forgotten once no band has more power than this: a hundredth of the floor's.
const FAINT_POWER: f32 = 1e-12;
/// A note is not forgotten before this, seconds: it may have a slow attack.
const FAINT_AFTER_S: f64 = 0.3;
/// A note that is silenced is gone after this time, seconds.
const CUT_S: f64 = 0.06;
/// Rows that are kept for each note: two for its program, two for the one that it turns into.
const KEPT: usize = 4;

/// What a note adds to a frame.
#[derive(Debug, Clone, Copy)]
struct Sound {
    frame: usize,
    /// Its place in the ledger.
    note: usize,
    own: Between,
    /// Of the program that it turns into, and how far it has.
    other: Option<(Between, f32)>,
    /// How much of the power.
    weight: f32,
    /// Semitones by which it is higher than its key.
    semitones: f32,
    /// Its part.
    at: At,
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

/// What is kept for a note.
#[derive(Debug, Clone, Copy, Default)]
struct Kept {
    /// The note's serial number; 0 for none.
    serial: u64,
    /// Of its program, and of the one that it turns into.
    knots: [Option<Knots>; 2],
    /// How long it has been released, as its sound is asked for, seconds.
    rung_s: f64,
    /// Until when that was counted.
    until_s: f64,
}

/// The power of a note's noise in a frame.
#[derive(Debug, Clone, Copy)]
pub struct NoisePower {
    /// The frame of the hop.
    pub frame: usize,
    /// The note's place in the ledger.
    pub note: usize,
    /// The sum over all bands, as it counts among the others of the frame.
    pub power: f32,
}

/// The note prior with what it keeps for the notes.
#[derive(Debug)]
pub struct NotePrior {
    tables: Arc<Tables>,
    rows: Rows,
    kept: Vec<Kept>,
    /// What the rows asked for add to the frames.
    sounds: Vec<Sound>,
    /// Mel power [frames, 128] of the hop, and how much more it is struck.
    power: Vec<f32>,
    rise: Vec<f32>,
    noises: Vec<NoisePower>,
}

impl NotePrior {
    /// Loads the network from ONNX bytes; `tables` are those of the vocoder.
    ///
    /// # Errors
    /// As [`crate::denoise::network::Network::load`], for the graph `prior`.
    pub fn load(bytes: &[u8], tables: Arc<Tables>) -> Result<Self, DenoiseError> {
        Ok(Self {
            tables,
            rows: Rows::load(bytes, KEPT * NOTES)?,
            kept: vec![Kept::default(); NOTES],
            sounds: vec![],
            power: vec![],
            rise: vec![],
            noises: vec![],
        })
    }

    /// Writes the natural-log mel [T, 128] of all notes together from frame `start` on; a frame without notes is the floor.
    /// `struck` [T, 128] is the same, but notes that a frame hears only a part of, as they have just been pressed, are as loud as the
    /// vocoder must make them from the key press on. A note counts as loud as its part is beside the
    /// `reference` (T values) of its frame.
    ///
    /// # Errors
    /// Whatever the engine says; nothing else can fail.
    pub fn render(
        &mut self,
        start: FrameIdx,
        (ledger, parts): (&mut Ledger, &Parts),
        reference: &[f32],
        log_mel: &mut [f32],
        struck: &mut [f32],
    ) -> Result<(), DenoiseError> {
        for sum in [&mut self.power, &mut self.rise] {
            sum.clear();
            sum.resize(log_mel.len(), 0.0);
        }
        self.noises.clear();
        for ((index, frame), reference) in (start.0..).zip(0..).zip(reference) {
            for (place, note) in ledger.notes().iter().enumerate() {
                let at = parts.at_frame(note.part, frame);
                let touch = ledger.touch_at(note, frame_start_s(index + 1));
                self.ask(note, place, (at, touch), [index, frame as u64], *reference);
            }
            if self.rows.asked() >= ROWS {
                self.add(ledger)?;
            }
        }
        self.add(ledger)?;
        let log_of = |power: f32| 0.5 * (power + FLOOR_POWER).ln();
        let powers = self.power.iter().zip(&self.rise);
        for ((log_mel, struck), (power, rise)) in log_mel.iter_mut().zip(struck).zip(powers) {
            (*log_mel, *struck) = (log_of(*power), log_of(power + rise));
        }
        Ok(())
    }

    /// How loud the notes' noises are in the frames of the last hop.
    pub fn noises(&self) -> &[NoisePower] {
        &self.noises
    }

    /// Whether a note is over at the end of the frame before `next`, or rings below hearing.
    pub fn is_over(&self, note: &Sounding, next: FrameIdx) -> bool {
        let now_s = frame_start_s(next.0);
        let Some(kept) = self.kept.get(note.slot).filter(|kept| kept.serial == note.serial) else {
            return false;
        };
        let rings_out = note.voice.is_drum || note.end_s.is_some_and(|end_s| end_s < now_s);
        let is_faint = kept.knots.iter().flatten().all(|knots| {
            let (tone, noise) = self.rows.power(knots.rows[1]);
            let profile = self.tables.profile(note.voice.key);
            let bands = tone.iter().zip(noise).zip(profile);
            bands.map(|((tone, noise), p)| tone * p * p + noise).all(|power| power < FAINT_POWER)
        });
        let is_known = kept.knots[0].is_some();
        fade(note, kept.rung_s, now_s) == 0.0
            || (rings_out && is_known && is_faint && note.start_s + FAINT_AFTER_S < now_s)
    }

    /// Asks for what a note adds to frame `index`, which is `frame` of the hop, if it sounds there.
    fn ask(
        &mut self,
        note: &Sounding,
        place: usize,
        (at, touch): (At, Touch),
        [index, frame]: [u64; 2],
        reference: f32,
    ) {
        let now_s = frame_start_s(index + 1);
        let Some(kept) = self.kept.get_mut(note.slot).filter(|_| note.start_s < now_s) else {
            return;
        };
        if kept.serial != note.serial {
            *kept = Kept { serial: note.serial, until_s: note.start_s, ..Kept::default() };
        }
        if let Some(end_s) = note.end_s.filter(|_| !note.voice.is_drum) {
            let since_s = (now_s - end_s.max(kept.until_s)).max(0.0);
            kept.rung_s += since_s / of_note::release(&at);
        }
        kept.until_s = now_s;
        let fade = fade(note, kept.rung_s, now_s);
        if fade == 0.0 {
            return;
        }
        let age_s = now_s - note.start_s;
        let rows = &mut self.rows;
        let own = between(rows, note, kept, 0, note.voice.program, &at, index);
        let other = of_note::morph(note, touch, &at)
            .map(|(program, amount)| (between(rows, note, kept, 1, program, &at, index), amount));
        let struck = (age_s < ATTACK_S && !note.is_legato).then(|| Struck {
            row: rows.ask(note.voice, note.velocity, ATTACK_S, kept.rung_s),
            scale: coverage(age_s).powi(-2) as f32,
        });
        let semitones = of_note::semitones(note, touch, &at, age_s);
        let weight = fade * (at.gain / reference).powi(2);
        let frame = frame as usize;
        self.sounds.push(Sound { frame, note: place, own, other, weight, semitones, at, struck });
    }

    /// Has the network answer and adds what it says to the frames' power.
    fn add(&mut self, ledger: &mut Ledger) -> Result<(), DenoiseError> {
        if let Err(e) = self.rows.answer() {
            // Nothing may wait for answers that do not come.
            self.rows.forget();
            self.sounds.clear();
            self.kept.iter_mut().for_each(|kept| kept.knots = [None; 2]);
            return Err(e);
        }
        let mut sounds = std::mem::take(&mut self.sounds);
        for sound in sounds.drain(..) {
            self.add_one(&sound, ledger);
        }
        self.sounds = sounds;
        for (slot, kept) in self.kept.iter_mut().enumerate().filter(|(_, kept)| kept.serial > 0) {
            for (which, knots) in kept.knots.iter_mut().enumerate() {
                let Some(knots) = knots else { continue };
                // In this order: the second of the last hop may be the first of this one.
                for (i, row) in knots.rows.iter_mut().enumerate() {
                    let to = KEPT * slot + 2 * which + i;
                    self.rows.keep(*row, to);
                    *row = to;
                }
            }
        }
        Ok(())
    }

    /// Adds one note to one frame.
    fn add_one(&mut self, sound: &Sound, ledger: &mut Ledger) {
        let Some(note) = ledger.notes_mut().get_mut(sound.note) else { return };
        let mut tone = [0.0; MEL_BINS];
        let mut noise = [0.0; MEL_BINS];
        mixed(&self.rows, sound.own, &mut tone, &mut noise);
        if let Some((other, amount)) = sound.other {
            let (mut other_tone, mut other_noise) = ([0.0; MEL_BINS], [0.0; MEL_BINS]);
            mixed(&self.rows, other, &mut other_tone, &mut other_noise);
            morph(&mut tone, &other_tone, amount);
            morph(&mut noise, &other_noise, amount);
        }
        let key = note.voice.key;
        let bent = (sound.semitones != 0.0 && !note.voice.is_drum)
            .then(|| self.tables.bent_profile(key, sound.semitones));
        if bent.is_some() {
            tone = self.tables.moved(&tone, sound.semitones);
        }
        let profile = bent.as_ref().map_or(self.tables.profile(key), |bent| bent.as_slice());
        let pitch = self.tables.octave_of(key) + sound.semitones / 12.0;
        let colour = of_note::colour(&sound.at, &self.tables.octaves, pitch);
        let colour_of = |band: usize| colour.as_ref().map_or(1.0, |c| c[band]);
        let bands = sound.frame * MEL_BINS..(sound.frame + 1) * MEL_BINS;
        let sum = self.power.get_mut(bands.clone()).unwrap_or_default();
        let (mut all, mut hiss) = (0.0, 0.0);
        for (band, (sum, p)) in sum.iter_mut().zip(profile).enumerate() {
            let by = sound.weight * colour_of(band);
            let power = by * (tone[band] * p * p + noise[band]);
            hiss += by * noise[band];
            all += power;
            *sum += power;
        }
        note.power = all / MEL_BINS as f32;
        self.noises.push(NoisePower { frame: sound.frame, note: sound.note, power: hiss });
        if let Some(Struck { row, scale }) = sound.struck {
            let (whole_tone, whole_noise) = self.rows.power(row);
            let moved = bent.map(|_| self.tables.moved(whole_tone, sound.semitones));
            let whole_tone = moved.as_ref().map_or(whole_tone, |moved| moved.as_slice());
            let sums = self.rise.get_mut(bands).unwrap_or_default().iter_mut();
            let whole = whole_tone.iter().zip(whole_noise).zip(profile);
            for (band, (sum, ((t, n), p))) in sums.zip(whole).enumerate() {
                let here = tone[band] * p * p + noise[band];
                let rise = ((t * p * p + n).min(scale * here) - here).max(0.0);
                *sum += sound.weight * colour_of(band) * rise;
            }
        }
    }

    /// Forgets every note at once.
    pub fn clear(&mut self) {
        self.kept.fill(Kept::default());
        self.noises.clear();
    }
}

/// What a note's power is multiplied with at `now_s`: its amplitude goes evenly to zero.
fn fade(note: &Sounding, rung_s: f64, now_s: f64) -> f32 {
    let cut = note.cut_s.map_or(1.0, |cut_s| 1.0 - (now_s - cut_s) / CUT_S).clamp(0.0, 1.0);
    let left_s = match (note.voice.is_drum, note.end_s) {
        (true, _) => note.start_s + DRUM_S - now_s,
        (false, None) => f64::INFINITY,
        (false, Some(_)) => TAIL_S - rung_s,
    };
    (cut * (left_s / FADE_S).clamp(0.0, 1.0)).powi(2) as f32
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
