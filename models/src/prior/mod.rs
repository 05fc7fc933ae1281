//! The note prior: the part of a mel frame that comes from the sounding notes themselves. The
//! denoiser adds what is missing.
//!
//! Sounds add up in power, so the mel of a frame is the square root of the sum of the mel powers of
//! its notes. A small network takes one note at a time (instrument, key, velocity, age, time since
//! the release). It gives the gains of a tone, whose harmonics follow from the key, and the levels
//! of a noise. Its input has no past sound, so nothing drifts, and no later note, so hops of any
//! length give the same result. Starting a diffusion from such a mean is the idea of Grad-TTS
//! (Popov et al. 2021).

mod course;
mod features;
mod grid;
mod rows;

use std::sync::Arc;

use crate::denoise::DenoiseError;
use crate::event::Part;
use crate::graph::{GAINS, NOISE_BANDS};
use crate::ledger::{Ledger, NOTES, Sounding, Touch};
use crate::notes::{Kits, Voice};
use crate::parts::{At, of_note};
use crate::units::{FrameIdx, MEL_BINS};
use crate::vocoder::life::{LifeTable, unknown_noise};
use crate::vocoder::shares::NoteTone;
use crate::vocoder::tables::Tables;
use course::{ATTACK_S, FAINT_POWER, Kept, coverage, fade, frame_start_s, morph};
use grid::Place;
use rows::{Asked, Rows, halves};

pub use rows::{FilledRows, RowNetwork};

/// The floor of the front end, squared.
const FLOOR_POWER: f32 = 1e-10;
/// The smallest share of noise in a band.
const LEAST_NOISE: f32 = 1e-6;
/// The age before which a note is never removed, seconds, because it may have a slow attack.
const FAINT_AFTER_S: f64 = 0.3;
/// The times ahead for which rows are prepared, seconds. The release of a note is prepared for
/// those below `ENDS_S`.
const SOON_S: [f64; 6] = [0.02, 0.05, 0.1, 0.2, 0.35, 0.5];
const ENDS_S: f64 = 0.15;

/// What a note adds to a frame.
#[derive(Debug, Clone, Copy)]
struct Sound {
    /// The index of the note in the ledger.
    note: usize,
    own: Asked,
    /// The sound of the program that it turns into, and how far it does.
    other: Option<(Asked, f32)>,
    /// The factor of its power.
    weight: f32,
    /// The semitones above its key.
    semitones: f32,
    /// The state of its part.
    at: At,
    /// Set if the frame covers only a part of the note.
    struck: Option<Struck>,
}

/// The level of a note that has just been pressed: that of the part in the frame, as if it filled
/// the whole window, but not more than that of the first frame that covers the note completely. The
/// former alone would be too loud where the sudden start spreads over the bands, and the latter
/// alone if the note begins slowly.
#[derive(Debug, Clone, Copy)]
struct Struck {
    /// The sound in the first frame that covers the note completely.
    whole: Asked,
    /// The factor from the power of the covered part to the power of a whole window.
    scale: f32,
}

/// The power of a note in a frame, relative to the reference.
#[derive(Debug, Clone, Copy)]
pub struct NotePower {
    /// The index of the note in the ledger.
    pub note: usize,
    /// The mean power over all bands.
    pub power: f32,
    /// The power of its noise, summed over all bands.
    pub noise: f32,
}

/// The notes known so far, and the parts at the end of the frame that is asked for.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// The notes.
    pub ledger: &'a Ledger,
    /// The state of a part at the end of the frame.
    pub at: &'a dyn Fn(Part) -> At,
    /// The reference to which loudness is relative.
    pub reference: f32,
}

/// The note prior with the state of all notes.
#[derive(Debug)]
pub struct NotePrior {
    tables: Arc<Tables>,
    lives: Arc<LifeTable>,
    rows: Rows,
    kept: Vec<Kept>,
    /// The sounds of the current frame.
    sounds: Vec<Sound>,
    /// The mel power [128] of the frame, and how much attacks (`struck`) add to it.
    power: [f32; MEL_BINS],
    rise: [f32; MEL_BINS],
    /// The power of the noise, and the logarithm of its share.
    noise: [f32; MEL_BINS],
    log_share: [f32; MEL_BINS],
    powers: Vec<NotePower>,
    tones: Vec<NoteTone>,
}

impl NotePrior {
    /// Loads the network from ONNX bytes. `tables` and `lives` are those of the vocoder.
    ///
    /// # Errors
    /// As [`crate::denoise::network::Network::load`], for the graph `prior`.
    pub fn load(
        bytes: &[u8],
        kits: Kits,
        tables: Arc<Tables>,
        lives: Arc<LifeTable>,
    ) -> Result<Self, DenoiseError> {
        Ok(Self {
            tables,
            lives,
            rows: Rows::load(bytes, kits)?,
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

    /// Writes the natural-log mel \[128\] that a frame will have if no more events come. A frame
    /// without notes is the floor. `struck` \[128\] is the same with attacks: notes that the frame
    /// covers only partly, because they have just been pressed, are as loud as the vocoder must
    /// make them from the key press on. The loudness of a note is relative to the reference. The
    /// same frame or later ones can be computed again, until [`Self::next_frame`].
    ///
    /// # Errors
    /// The inference engine failed.
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

    /// The logarithm of the share of noise in the power of each band, \[128\], in the last computed
    /// frame.
    pub fn log_share(&self) -> &[f32; MEL_BINS] {
        &self.log_share
    }

    /// The powers of the notes in the last computed frame.
    pub fn powers(&self) -> &[NotePower] {
        &self.powers
    }

    /// The tones of the notes in the last computed frame.
    pub fn tones(&self) -> &[NoteTone] {
        &self.tones
    }

    /// Ends a frame with all of its events.
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

    /// Whether a note is over, or too faint to be heard, at the end of the frame before `next`.
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

    /// The state of a note, which is that of a new one if there is none yet.
    fn kept_of(&self, note: &Sounding) -> Kept {
        let kept = self.kept.get(note.slot).filter(|kept| kept.serial == note.serial);
        let new = Kept { serial: note.serial, until_s: note.start_s, ..Kept::default() };
        kept.copied().unwrap_or(new)
    }

    /// Requests the rows of a note for the frame that ends at `now_s`, if it sounds there.
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

    /// The share of noise in the power of each band of a note.
    fn noise_of(&self, sound: &Sound, note: &Sounding) -> [f32; MEL_BINS] {
        let mut shares = self.lives.noise(note.voice);
        if let Some((other, amount)) = &sound.other {
            let other = self.lives.noise(other.voice());
            morph(&mut shares, &other, *amount);
        }
        std::array::from_fn(|band| shares[band * NOISE_BANDS / MEL_BINS])
    }

    /// Rows that the sounding notes will need and that are not known yet, at most `count` and a few
    /// more: for the next half second of each note, and for the start of the release of held ones.
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
            let voice = note.voice;
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

    /// The rows of the network: its results for single notes at single times.
    pub fn rows(&mut self) -> &mut Rows {
        &mut self.rows
    }

    /// Removes the state of all notes.
    pub fn clear(&mut self) {
        self.kept.fill(Kept::default());
        self.powers.clear();
        self.tones.clear();
    }
}

#[cfg(test)]
mod tests;
