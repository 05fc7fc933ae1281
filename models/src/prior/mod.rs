//! The note prior: what each sounding note adds to a mel frame, by itself; the denoiser says what
//! then is missing.
//!
//! Sounds add up in power, so a frame's mel is the root of the sum of its notes' mel powers. A
//! small network sees one note at a time (instrument, key, velocity, age, time since release) and
//! gives the gains of a tone, whose harmonics the key fixes, and the levels of a noise. It hears no
//! past sound, so nothing drifts, and a frame hears no note that comes after it, so hops of any
//! length say the same. Starting a diffusion from such a mean is Grad-TTS (Popov et al. 2021).

mod course;
mod features;
mod grid;
mod rows;

use std::sync::Arc;

use crate::denoise::DenoiseError;
use crate::event::Part;
use crate::graph::{GAINS, NOISE_BANDS};
use crate::ledger::{Ledger, NOTES, Sounding, Touch};
use crate::notes::Voice;
use crate::parts::{At, of_note};
use crate::units::{FrameIdx, MEL_BINS};
use crate::vocoder::life::{LifeTable, unknown_noise};
use crate::vocoder::shares::NoteTone;
use crate::vocoder::tables::Tables;
use course::{ATTACK_S, FAINT_POWER, Kept, coverage, fade, frame_start_s, morph};
use grid::Place;
use rows::{Asked, Rows, halves};

pub use rows::{FilledRows, RowNetwork};

/// The front end's floor, squared.
const FLOOR_POWER: f32 = 1e-10;
/// A band's share of noise counts as no less.
const LEAST_NOISE: f32 = 1e-6;
/// A note is not forgotten before this, seconds: it may have a slow attack.
const FAINT_AFTER_S: f64 = 0.3;
/// How much later than now rows are looked for, seconds, and up to which of these for a release.
const SOON_S: [f64; 6] = [0.02, 0.05, 0.1, 0.2, 0.35, 0.5];
const ENDS_S: f64 = 0.15;

/// What a note adds to a frame.
#[derive(Debug, Clone, Copy)]
struct Sound {
    /// Its place in the ledger.
    note: usize,
    own: Asked,
    /// Of the program that it turns into, and how far it has.
    other: Option<(Asked, f32)>,
    /// How much of the power.
    weight: f32,
    /// Semitones by which it is higher than its key.
    semitones: f32,
    /// Its part.
    at: At,
    /// Of a note that the frame hears only a part of.
    struck: Option<Struck>,
}

/// How loud a note is that has just been pressed: as loud as what the frame hears of it, had it
/// sounded in all of the window, but not louder than it is once a frame hears it wholly. The former
/// alone would be too loud where the cut splashes over the bands, the latter where a note comes
/// slowly.
#[derive(Debug, Clone, Copy)]
struct Struck {
    /// The note as it is when a frame first hears it wholly.
    whole: Asked,
    /// What makes the power of the part that is heard that of the whole.
    scale: f32,
}

/// The mean power of a note in a frame, as it counts among the others.
#[derive(Debug, Clone, Copy)]
pub struct NotePower {
    /// The note's place in the ledger.
    pub note: usize,
    /// Of the note.
    pub power: f32,
    /// Of its noise, the sum over all bands.
    pub noise: f32,
}

/// The notes as they are known, with the parts at the end of the frame that is asked for.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// The notes.
    pub ledger: &'a Ledger,
    /// What a part is at the end of the frame.
    pub at: &'a dyn Fn(Part) -> At,
    /// The level that their loudness is beside.
    pub reference: f32,
}

/// The note prior with what it keeps for the notes.
#[derive(Debug)]
pub struct NotePrior {
    tables: Arc<Tables>,
    lives: Arc<LifeTable>,
    rows: Rows,
    kept: Vec<Kept>,
    /// What the rows asked for add to the frame.
    sounds: Vec<Sound>,
    /// Mel power [128] of the frame, and how much more it is struck.
    power: [f32; MEL_BINS],
    rise: [f32; MEL_BINS],
    /// What of the power is noise, and the logarithm of its share.
    noise: [f32; MEL_BINS],
    log_share: [f32; MEL_BINS],
    powers: Vec<NotePower>,
    tones: Vec<NoteTone>,
}

impl NotePrior {
    /// Loads the network from ONNX bytes; `tables` and `lives` are those of the vocoder.
    ///
    /// # Errors
    /// As [`crate::denoise::network::Network::load`], for the graph `prior`.
    pub fn load(
        bytes: &[u8],
        tables: Arc<Tables>,
        lives: Arc<LifeTable>,
    ) -> Result<Self, DenoiseError> {
        Ok(Self {
            tables,
            lives,
            rows: Rows::load(bytes)?,
            kept: vec![Kept::default(); NOTES],
            sounds: vec![],
            power: [0.0; MEL_BINS],
            rise: [0.0; MEL_BINS],
            noise: [0.0; MEL_BINS],
            log_share: unknown_noise(),
            powers: vec![],
            tones: vec![],
        })
    }

    /// Writes the natural-log mel \[128\] that a frame will have if nothing happens to the notes
    /// that are known; a frame without notes is the floor. `struck` \[128\] is the same, but notes
    /// that the frame hears only a part of, as they have just been pressed, are as loud as the
    /// vocoder must make them from the key press on. A note counts as loud as its part is beside
    /// the reference. The frame may be asked for again, and others after it, until
    /// [`Self::next_frame`].
    ///
    /// # Errors
    /// Whatever the engine says; nothing else can fail.
    pub fn frame(
        &mut self,
        frame: FrameIdx,
        known: Known<'_>,
        log_mel: &mut [f32],
        struck: &mut [f32],
    ) -> Result<(), DenoiseError> {
        self.sounds.clear();
        self.powers.clear();
        self.tones.clear();
        self.power.fill(0.0);
        self.rise.fill(0.0);
        self.noise.fill(0.0);
        let now_s = frame_start_s(frame.0 + 1);
        for (place, note) in known.ledger.notes().iter().enumerate() {
            let at = (known.at)(note.part);
            let touch = known.ledger.touch_at(note, now_s);
            self.ask(note, place, (&at, touch), now_s, known.reference);
        }
        self.rows.answer()?;
        let sounds = std::mem::take(&mut self.sounds);
        for sound in &sounds {
            if let Some(note) = known.ledger.notes().get(sound.note) {
                self.add(sound, note);
            }
        }
        self.sounds = sounds;
        let log_of = |power: f32| 0.5 * (power + FLOOR_POWER).ln();
        let powers = self.power.iter().zip(&self.rise);
        for ((log_mel, struck), (power, rise)) in log_mel.iter_mut().zip(struck).zip(powers) {
            (*log_mel, *struck) = (log_of(*power), log_of(power + rise));
        }
        let noises = self.noise.iter().zip(&self.power);
        for (log_share, (noise, power)) in self.log_share.iter_mut().zip(noises) {
            let share = (noise + FLOOR_POWER) / (power + FLOOR_POWER);
            *log_share = share.max(LEAST_NOISE).ln();
        }
        Ok(())
    }

    /// The logarithm of the share of each band's power that is noise, \[128\], in the frame that
    /// was asked for last.
    pub fn log_share(&self) -> &[f32; MEL_BINS] {
        &self.log_share
    }

    /// How loud the notes are in the frame that was asked for last.
    pub fn powers(&self) -> &[NotePower] {
        &self.powers
    }

    /// The tones of the notes in the frame that was asked for last.
    pub fn tones(&self) -> &[NoteTone] {
        &self.tones
    }

    /// A frame is over, with all that happened in it.
    pub fn next_frame(&mut self, frame: FrameIdx, ledger: &Ledger, at: impl Fn(Part) -> At) {
        let now_s = frame_start_s(frame.0 + 1);
        for note in ledger.notes().iter().filter(|note| note.start_s < now_s) {
            let mut kept = self.kept_of(note);
            kept.rung_s = kept.rung_s(note, &at(note.part), now_s);
            kept.until_s = now_s;
            if let Some(to) = self.kept.get_mut(note.slot) {
                *to = kept;
            }
        }
    }

    /// Whether a note is over at the end of the frame before `next`, or rings below hearing.
    pub fn is_over(&self, note: &Sounding, next: FrameIdx) -> bool {
        let now_s = frame_start_s(next.0);
        let kept = self.kept_of(note);
        if note.start_s >= now_s {
            return false;
        }
        let rings_out = note.voice.is_drum || note.end_s.is_some_and(|end_s| end_s < now_s);
        fade(note, kept.rung_s, now_s) == 0.0
            || (rings_out && kept.is_faint && note.start_s + FAINT_AFTER_S < now_s)
    }

    /// What is kept for a note; nothing yet for a new one.
    fn kept_of(&self, note: &Sounding) -> Kept {
        let kept = self.kept.get(note.slot).filter(|kept| kept.serial == note.serial);
        let new = Kept { serial: note.serial, until_s: note.start_s, ..Kept::default() };
        kept.copied().unwrap_or(new)
    }

    /// Asks for what a note adds to the frame that ends at `now_s`, if it sounds there.
    fn ask(
        &mut self,
        note: &Sounding,
        place: usize,
        (at, touch): (&At, Touch),
        now_s: f64,
        reference: f32,
    ) {
        let rung_s = self.kept_of(note).rung_s(note, at, now_s);
        let fade = fade(note, rung_s, now_s);
        if note.start_s >= now_s || fade == 0.0 {
            return;
        }
        let age_s = now_s - note.start_s;
        let velocity = note.velocity;
        let rows = &mut self.rows;
        let mut ask = |program: u8, age_s: f64| {
            let program = if note.voice.is_drum { 0 } else { program };
            let voice = Voice { program, ..note.voice };
            rows.ask(voice, &Place { velocity, age_s, release_s: rung_s })
        };
        let sounds_s = of_note::age(note, at, age_s);
        let own = ask(note.voice.program, sounds_s);
        let other = of_note::morph(note, touch, at)
            .map(|(program, amount)| (ask(program, sounds_s), amount));
        let struck = (age_s < ATTACK_S && !note.is_legato).then(|| Struck {
            whole: ask(note.voice.program, ATTACK_S),
            scale: coverage(age_s).powi(-2) as f32,
        });
        let semitones = of_note::semitones(note, touch, at, age_s);
        let weight = fade * (at.gain / reference).powi(2);
        let sound = Sound { note: place, own, other, weight, semitones, at: *at, struck };
        self.sounds.push(sound);
    }

    /// Adds one note to the frame.
    fn add(&mut self, sound: &Sound, note: &Sounding) {
        let mut row = [0.0; GAINS];
        self.rows.read(&sound.own, &mut row);
        if let Some((other, amount)) = &sound.other {
            let mut to = [0.0; GAINS];
            self.rows.read(other, &mut to);
            morph(&mut row, &to, *amount);
        }
        let (tone, noise) = halves(&row);
        let key = note.voice.key;
        let bent = (sound.semitones != 0.0 && !note.voice.is_drum)
            .then(|| self.tables.bent_profile(key, sound.semitones));
        let moved = bent.map(|_| self.tables.moved(tone, sound.semitones));
        let tone = moved.as_ref().map_or(tone, |moved| moved.as_slice());
        let profile = bent.as_ref().map_or(self.tables.profile(key), |bent| bent.as_slice());
        let pitch = self.tables.octave_of(key) + sound.semitones / 12.0;
        let colour = of_note::colour(&sound.at, &self.tables.octaves, pitch);
        let colour = colour.unwrap_or([1.0; MEL_BINS]);
        let own: [f32; MEL_BINS] =
            std::array::from_fn(|band| tone[band] * profile[band] * profile[band] + noise[band]);
        let (mut all, mut hiss) = (0.0, 0.0);
        let shares = self.noise_of(sound, note);
        let mut tones = [0.0; MEL_BINS];
        let sums = self.power.iter_mut().zip(&mut self.noise).zip(&mut tones).zip(&shares);
        for ((((sum, noises), tone), share), (own, colour)) in sums.zip(own.iter().zip(&colour)) {
            let power = sound.weight * colour * own;
            hiss += share * power;
            all += power;
            *sum += power;
            *noises += share * power;
            *tone = (1.0 - share) * power;
        }
        let kept = self.kept_of(note);
        if let Some(to) = self.kept.get_mut(note.slot) {
            *to = Kept { is_faint: own.iter().all(|power| *power < FAINT_POWER), ..kept };
        }
        let power = all / MEL_BINS as f32;
        self.powers.push(NotePower { note: sound.note, power, noise: hiss });
        if let Some(Struck { whole, scale }) = &sound.struck {
            let mut row = [0.0; GAINS];
            self.rows.read(whole, &mut row);
            let (tone, noise) = halves(&row);
            let moved = bent.map(|_| self.tables.moved(tone, sound.semitones));
            let tone = moved.as_ref().map_or(tone, |moved| moved.as_slice());
            for (band, sum) in self.rise.iter_mut().enumerate() {
                let whole = tone[band] * profile[band] * profile[band] + noise[band];
                let rise = (whole.min(scale * own[band]) - own[band]).max(0.0);
                let rise = sound.weight * colour[band] * rise;
                *sum += rise;
                tones[band] += (1.0 - shares[band]) * rise;
            }
        }
        self.tones.push(NoteTone { note: sound.note, power: tones });
    }

    /// The share of each band's power of a note that is noise.
    fn noise_of(&self, sound: &Sound, note: &Sounding) -> [f32; MEL_BINS] {
        let voice = note.voice;
        let rings = voice.is_drum && self.tables.steady(voice).is_some();
        let mut shares = self.lives.noise(voice, rings);
        if let Some((other, amount)) = &sound.other {
            let other = self.lives.noise(other.voice(), false);
            morph(&mut shares, &other, *amount);
        }
        std::array::from_fn(|band| shares[band * NOISE_BANDS / MEL_BINS])
    }

    /// Rows that will be needed of the notes that sound, at most `count` and a few: as they go on
    /// in the next half second, and as held ones begin to end.
    pub fn wanted(
        &mut self,
        frame: FrameIdx,
        ledger: &Ledger,
        at: impl Fn(Part) -> At,
        count: usize,
    ) -> Vec<(Voice, u16)> {
        let mut wanted = vec![];
        let now_s = frame_start_s(frame.0);
        for note in ledger.notes().iter().rev() {
            if wanted.len() >= count {
                break;
            }
            let part = at(note.part);
            let program = if note.voice.is_drum { 0 } else { note.voice.program };
            let voice = Voice { program, ..note.voice };
            for later_s in SOON_S {
                let then_s = now_s + later_s;
                let rung_s = self.kept_of(note).rung_s(note, &part, then_s);
                let age_s = of_note::age(note, &part, then_s - note.start_s);
                let place = Place { velocity: note.velocity, age_s, release_s: rung_s };
                wanted.extend(self.rows.unknown_around(voice, &place));
                if note.end_s.is_none() && !note.voice.is_drum && later_s < ENDS_S {
                    let place = Place { age_s, release_s: later_s, ..place };
                    wanted.extend(self.rows.unknown_around(voice, &place));
                }
            }
        }
        wanted.sort_unstable();
        wanted.dedup();
        wanted
    }

    /// What the network says of single notes at single times.
    pub fn rows(&mut self) -> &mut Rows {
        &mut self.rows
    }

    /// Forgets every note at once.
    pub fn clear(&mut self) {
        self.kept.fill(Kept::default());
        self.powers.clear();
        self.tones.clear();
    }
}

#[cfg(test)]
mod tests;
