//! The score-informed excitation: the tones of all sounding notes, made from the notes alone, and
//! the attack of the noise. It knows no network and no mel frame.
//!
//! Python twin: `models/training/timbre_training/excitation.py`. `tests/vectors/excitation.npz`
//! tests both.

use super::Playing;
use super::attack::{SHAPED, Shape};
use super::envelope::{DRUM_S, Envelope, RATE, fall};
use super::excited::Excited;
use super::lanes::{EVEN, Lanes, nearer};
use super::life::LifeTable;
use super::profiles::Profiles;
use super::shares::Shares;
use super::tables::Tables;
use super::voice::{Doing, Heard, Room, Voicing, Warp};
use crate::ledger::{Ledger, NOTES, Sounding};
use crate::parts::{At, Bus, of_note};
use crate::units::{FrameIdx, HOP_SAMPLES, MEL_BINS, SAMPLE_RATE_HZ, SamplePos};
use crate::units::{TICK_SAMPLES, TICKS_PER_FRAME};
use std::sync::Arc;

/// The samples of one block of gains (10 ms).
pub const BLOCK: usize = 160;
/// The samples until the rest of a note whose key is struck again is over.
const RESTRUCK: u64 = 2210;
/// The mel magnitude below which tones count as absent.
pub const LEVEL_FLOOR: f32 = 0.02;

/// The state of the tone of a note.
#[derive(Debug, Clone, Copy)]
struct Tone {
    /// The serial number of the note; 0 for none.
    serial: u64,
    /// The shape of its attack.
    shape: Shape,
    /// The samples since its release, as its envelope counts them.
    rung: f64,
    /// The samples that have been made.
    heard: u64,
    /// How bending has moved it in time.
    warp: Warp,
    /// The weights of its groups of partials at the end of the tick, once they are known, and the
    /// target of the weights.
    weights: Option<Lanes>,
    aim: Lanes,
    /// Whether it cannot be heard any more.
    is_over: bool,
}

impl Tone {
    /// Whether it is the tone of this note, and not over.
    fn is_of(&self, note: &Sounding) -> bool {
        self.serial == note.serial && !self.is_over
    }

    /// The samples since its release, `n` samples after its press, as its envelope counts them:
    /// `stretch` real samples count as one.
    fn rung_at(&self, note: &Sounding, n: u64, stretch: f64) -> f64 {
        let since = note.down().unwrap_or(u64::MAX).max(self.heard);
        self.rung + n.saturating_sub(since) as f64 / stretch
    }
}

/// The power of all notes in each sample of a tick, without and with their attacks.
#[derive(Debug)]
struct Powers {
    whole: [f64; TICK_SAMPLES],
    begun: [f64; TICK_SAMPLES],
}

impl Default for Powers {
    fn default() -> Self {
        Self { whole: [0.0; TICK_SAMPLES], begun: [0.0; TICK_SAMPLES] }
    }
}

/// Makes the tones of all notes, tick by tick.
#[derive(Debug)]
pub struct Excitation {
    tables: Arc<Tables>,
    lives: Arc<LifeTable>,
    tones: Vec<Tone>,
    /// The first samples of the notes pressed in this frame.
    presses: Vec<u64>,
    /// The first samples of the recent drum strokes.
    strokes: Vec<u64>,
    shares: Shares,
    room: Room,
}

impl Excitation {
    /// The state without notes; `lives` has the movement of notes.
    pub fn new(tables: Arc<Tables>, lives: Arc<LifeTable>) -> Self {
        let nothing = Tone {
            serial: 0,
            shape: Shape::NONE,
            rung: 0.0,
            heard: 0,
            warp: Warp::default(),
            weights: None,
            aim: EVEN,
            is_over: true,
        };
        let shares = Shares::default();
        Self {
            tables,
            lives,
            tones: vec![nothing; NOTES],
            presses: vec![],
            strokes: vec![],
            shares,
            room: Room::new(),
        }
    }

    /// Begins a note of the ledger, with the shape of its attack.
    pub fn strike(&mut self, note: &Sounding, shape: Shape) {
        self.presses.push(note.first.0);
        self.strokes.extend(note.voice.is_drum.then_some(note.first.0));
        if let Some(tone) = self.tones.get_mut(note.slot) {
            let shape = if note.is_legato { Shape::NONE } else { shape };
            let warp = Warp::default();
            let serial = note.serial;
            let (weights, aim) = (None, EVEN);
            *tone = Tone { serial, shape, rung: 0.0, heard: 0, warp, weights, aim, is_over: false };
        }
    }

    /// Computes the mel magnitudes [blocks, 128] of the tones at the end of each block of the
    /// frame, with the notes known so far. Attacks are left out, and each note is as loud as its
    /// part relative to the reference.
    pub fn levels(&self, playing: &Playing<'_>, profiles: &mut Profiles, levels: &mut [f32]) {
        levels.fill(LEVEL_FLOOR * LEVEL_FLOOR);
        let marks = marks(playing.reference);
        for (block, (levels, mark)) in levels.chunks_exact_mut(MEL_BINS).zip(marks).enumerate() {
            let end = playing.start.start().0 + ((block + 1) * BLOCK) as u64;
            let tick = (block + 1) * BLOCK / TICK_SAMPLES - 1;
            for note in playing.ledger.notes().iter().filter(|note| note.first.0 < end) {
                let (_, at) = playing.part(note.part, tick);
                if let Some(heard) = self.heard(end, note, playing.ledger, &at, mark) {
                    self.voicing(note).add_profile(levels, &heard, profiles);
                }
            }
        }
        levels.iter_mut().for_each(|l| *l = l.sqrt());
    }

    /// Sets the targets of the weights of each note at the end of the frame: the shares of its
    /// groups of partials in their bands.
    pub fn weigh(&mut self, playing: &Playing<'_>, profiles: &mut Profiles) {
        let tick = TICKS_PER_FRAME - 1;
        let end = FrameIdx(playing.start.0 + 1).start().0;
        let mut shares = std::mem::take(&mut self.shares);
        shares.clear();
        for tone in playing.tones {
            let Some(note) = playing.ledger.notes().get(tone.note) else { continue };
            let (_, at) = playing.part(note.part, tick);
            let mark = playing.reference[1].max(f32::MIN_POSITIVE);
            if let Some(heard) = self.heard(end, note, playing.ledger, &at, mark) {
                shares.add(&self.voicing(note), (&heard, profiles), &tone.power, note.slot);
            }
        }
        for (slot, aim) in shares.weights(&self.tables) {
            if let Some(tone) = self.tones.get_mut(slot) {
                tone.aim = aim;
                tone.weights = tone.weights.or(Some(aim));
            }
        }
        self.shares = shares;
    }

    fn voicing(&self, note: &Sounding) -> Voicing<'_> {
        Voicing::new(&self.tables, &self.lives, note.voice)
    }

    /// A note at the sample `end`, with the part `at` relative to the reference `mark`. None if it
    /// is over.
    fn heard(
        &self,
        end: u64,
        note: &Sounding,
        ledger: &Ledger,
        at: &At,
        mark: f32,
    ) -> Option<Heard> {
        let tone = self.tones.get(note.slot).filter(|tone| tone.is_of(note))?;
        let stretch = of_note::release(at);
        let n = end - note.first.0;
        let rung = tone.rung_at(note, n, stretch);
        if rung > fall(note) || note.again.is_some_and(|again| end >= again.0 + RESTRUCK) {
            return None;
        }
        let level = Envelope::new(note, n, rung, stretch).next() as f32;
        let touch = ledger.touch_at(note, end as f64 / RATE);
        let semitones = of_note::semitones(note, touch, at, n as f64 / RATE);
        let power = (level * at.gain / mark).powi(2);
        Some(Heard { power, semitones, morph: of_note::morph(note, touch, at) })
    }

    /// Makes the tick `tick` of the frame: the tones and upper tones of each bus, and the attack of
    /// the noise.
    pub fn tick(&mut self, playing: &Playing<'_>, tick: usize, buses: &[Bus], out: &mut Excited) {
        out.clear(buses);
        let start = playing.start.start().0 + (tick * TICK_SAMPLES) as u64;
        let mut powers = Powers::default();
        for note in playing.ledger.notes() {
            let part = playing.part(note.part, tick);
            self.note(start, note, (playing.ledger, part, buses), &mut powers, out);
        }
        out.finish();
        let powers = powers.whole.iter().zip(&powers.begun);
        for (begins, (whole, begun)) in out.begins.iter_mut().zip(powers) {
            *begins = if *whole > 0.0 { (begun / whole).sqrt() as f32 } else { 1.0 };
        }
    }

    /// Adds a note to the tick that begins at `start`.
    fn note(
        &mut self,
        start: u64,
        note: &Sounding,
        (ledger, (from, to), buses): (&Ledger, (At, At), &[Bus]),
        powers: &mut Powers,
        out: &mut Excited,
    ) {
        let end = start + TICK_SAMPLES as u64;
        let Some(tone) = self.tones.get_mut(note.slot) else { return };
        if !tone.is_of(note) || note.first.0 >= end {
            return;
        }
        let voicing = Voicing::new(&self.tables, &self.lives, note.voice);
        let down = note.down().unwrap_or(u64::MAX);
        let again = note.again.map_or(u64::MAX, |again| again.0 - note.first.0 + RESTRUCK);
        let at = note.first.0.max(start);
        let n = at - note.first.0;
        let stretch = of_note::release(&to);
        // Where the note ends in this tick.
        let left = ((fall(note) - tone.rung).max(0.0) * stretch) as u64;
        let last = down.max(n).saturating_add(left).min(again);
        let stop = end.min(note.first.0.saturating_add(last)).max(at);
        let (offset, count) = ((at - start) as usize, (stop - at) as usize);
        let mut envelope = Envelope::new(note, n, tone.rung, stretch);
        let mut levels = [0.0f64; TICK_SAMPLES];
        let gain = f64::from(to.gain);
        let slower = if to.times[0] == 0.0 { 1.0 } else { f64::from(-to.times[0]).exp2() };
        let late = (n as f64 * slower >= SHAPED as f64).then(|| tone.shape.at(SHAPED));
        let since = |i: usize| ((start + i as u64).saturating_sub(note.first.0)) as f64 * slower;
        let shape: [f64; TICK_SAMPLES] = match late {
            Some(late) => [late; TICK_SAMPLES],
            None => std::array::from_fn(|i| tone.shape.at(since(i) as u64)),
        };
        envelope.fill(&mut levels[offset..offset + count]);
        let mut shaped = [0.0; TICK_SAMPLES];
        for n in 0..TICK_SAMPLES {
            let plain = gain * levels[n];
            let begun = plain * shape[n];
            powers.whole[n] += plain * plain;
            powers.begun[n] += begun * begun;
            shaped[n] = (levels[n] * shape[n]) as f32;
        }
        let bends = [(from, at), (to, end)].map(|(part, at)| {
            let touch = ledger.touch_at(note, at as f64 / RATE);
            of_note::semitones(note, touch, &part, (at - note.first.0) as f64 / RATE)
        });
        let before = tone.weights.unwrap_or(EVEN);
        let weights = [before, nearer(&before, &tone.aim)];
        tone.weights = tone.weights.map(|_| weights[1]);
        let doing = Doing {
            first: n,
            weights: &weights,
            count,
            bends,
            morph: of_note::morph(note, ledger.touch_at(note, end as f64 / RATE), &to),
            has_sides: buses.iter().any(|bus| bus.side().is_some()),
        };
        out.begin(note, [&from, &to], &shaped, offset..offset + count);
        voicing.sound(&doing, &mut tone.warp, &mut self.room, out);
        tone.rung = tone.rung_at(note, stop - note.first.0, stretch);
        (tone.heard, tone.is_over) = (stop - note.first.0, stop < end);
    }

    /// Ends the frame before `start`.
    pub fn next_frame(&mut self, start: SamplePos) {
        self.presses.retain(|press| *press >= start.0);
        let lately = start.0.saturating_sub((DRUM_S * RATE) as u64);
        self.strokes.retain(|stroke| *stroke >= lately);
    }

    /// Whether the tone of a note cannot be heard any more.
    pub fn is_over(&self, note: &Sounding) -> bool {
        !self.tones.get(note.slot).is_some_and(|tone| tone.is_of(note))
    }

    /// The offset of the first key press in the tick from `start`, which must lie in this frame.
    pub fn press_in(&self, start: SamplePos) -> Option<usize> {
        let tick = start.0..start.0 + TICK_SAMPLES as u64;
        let first = self.presses.iter().filter(|press| tick.contains(press)).min();
        first.map(|press| (press - start.0) as usize)
    }

    /// Whether the frame from `start` has a drum stroke, or comes so soon after one that its mel
    /// may be that of the drum.
    pub fn is_drummed(&self, start: SamplePos) -> bool {
        let near = (DRUM_S * f64::from(SAMPLE_RATE_HZ)) as u64;
        let near = start.0.saturating_sub(near)..start.0 + HOP_SAMPLES as u64;
        self.strokes.iter().any(|stroke| near.contains(stroke))
    }

    /// Removes all notes at once.
    pub fn clear(&mut self) {
        self.presses.clear();
        self.strokes.clear();
        self.tones.iter_mut().for_each(|tone| (tone.serial, tone.is_over) = (0, true));
    }
}

/// The reference at the end of each block. It moves evenly in decibels from frame to frame, like
/// the gains.
fn marks(reference: [f32; 2]) -> [f32; HOP_SAMPLES / BLOCK] {
    let [before, now] = reference.map(|reference| reference.max(f32::MIN_POSITIVE));
    let blocks = (HOP_SAMPLES / BLOCK) as f32;
    std::array::from_fn(|block| before * (now / before).powf((block + 1) as f32 / blocks))
}
