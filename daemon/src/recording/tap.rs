//! The end of a recording in the thread `timbred-inference`: puts sound and notes into bounded
//! queues. It knows no file.
//!
//! # Real time
//! It allocates nothing and never waits. If a queue is full, what is lost is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam::channel::{Receiver, Sender, bounded};
use ringbuf::traits::{Observer, Producer, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};
use timbre_models::event::{Control, Event, Glide, NoteId, Part, What};
use timbre_models::notes::{NoteEvent, Voice};

use crate::mix::Frame;

/// How many frames can wait for the disk: 20 s at 48 kHz.
const RING: usize = 1 << 20;
/// How many notes and pieces of sound can wait.
const MARKS: usize = 8192;
const KEYS: usize = 128;
const PARTS: usize = 16;
/// How many notes can be held. If there are more, the oldest is forgotten.
const NOTES: usize = 512;

/// An entry of the queue. Samples go through a ring of their own, in the same order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Mark {
    /// A recording begins, or continues with sound of another rate.
    Begin(Begin),
    /// A note, or a control that moves.
    Played { take: u64, played: Played },
    /// There are `count` samples in the ring, the first of which is sample `at` since [`Begin`].
    Sound { take: u64, at: u64, count: usize },
}

/// What a part plays.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Played {
    /// A note begins or ends.
    Note(Part, NoteEvent),
    /// A control moves, at this second.
    Control(Part, f64, Control, f32),
    /// Something happens to a key, at this second.
    Key(Part, f64, u8, OfKey),
}

/// What happens to a key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum OfKey {
    /// Pressure on it, 0..=1.
    Pressure(f32),
    /// Its tuning, semitones beside equal temperament.
    Tuning(f32),
    /// The next note of the part glides from this key to its own within some seconds.
    GlideFrom(f32),
    /// The next note of the part is this key, and goes on from the one before.
    Legato,
}

impl Played {
    /// Its time, seconds.
    pub(super) fn time_s(&self) -> f64 {
        match self {
            Self::Note(_, event) => event.time_s,
            Self::Control(_, time_s, ..) | Self::Key(_, time_s, ..) => *time_s,
        }
    }

    /// The same at another time.
    pub(super) fn at(self, time_s: f64) -> Self {
        match self {
            Self::Note(part, event) => Self::Note(part, NoteEvent { time_s, ..event }),
            Self::Control(part, _, control, value) => Self::Control(part, time_s, control, value),
            Self::Key(part, _, key, what) => Self::Key(part, time_s, key, what),
        }
    }
}

/// The place of sample 0 of a recording in the stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Begin {
    /// The number of the recording, counted from 1.
    pub(super) take: u64,
    /// Samples a second.
    pub(super) rate_hz: u32,
    /// Stream second of the beginning.
    pub(super) start_s: f64,
    /// By how many seconds the sound is later than its notes, which is the delay of the converter.
    pub(super) delay_s: f64,
}

/// What both ends share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// The number of the recording that is wanted, counted from 1; 0 for none.
    pub(super) take: AtomicU64,
    /// How many samples have found the ring full.
    pub(super) lost_samples: AtomicU64,
    /// How many notes have found the queue full.
    pub(super) lost_notes: AtomicU64,
}

/// The ends of the queues for the recorder.
pub(super) struct Taken {
    pub(super) marks: Receiver<Mark>,
    pub(super) ring: HeapCons<Frame>,
    pub(super) shared: Arc<Shared>,
}

/// The ends of the queues for inference.
pub struct Tap {
    shared: Arc<Shared>,
    marks: Sender<Mark>,
    ring: HeapProd<Frame>,
    /// Program and velocity of every key that is held, by part * 128 + key; velocity 0 for none.
    held: Box<[(u8, u8)]>,
    /// The notes that are held.
    notes: Vec<(NoteId, Part, Voice)>,
    /// The controls of every part.
    controls: Box<[[f32; Control::COUNT]; PARTS]>,
    /// The last tuning of every key, on whatever part: a recording has one for all of them.
    tunings: Box<[f32; KEYS]>,
    /// Rate and delay of the device; none before the first.
    device: Option<(u32, f64)>,
    begun: Option<Begin>,
    /// How many samples there were since the beginning, including lost ones.
    written: u64,
    /// Stream second of the hop that is being made.
    now_s: f64,
}

impl std::fmt::Debug for Tap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tap").field("begun", &self.begun).finish_non_exhaustive()
    }
}

/// Both ends of the queues of a recording.
pub(super) fn queues() -> (Tap, Taken) {
    let (ring, samples) = HeapRb::new(RING).split();
    let (sender, marks) = bounded(MARKS);
    let shared = Arc::new(Shared::default());
    let tap = Tap {
        shared: shared.clone(),
        marks: sender,
        ring,
        held: vec![(0, 0); PARTS * KEYS].into_boxed_slice(),
        notes: Vec::with_capacity(NOTES),
        controls: Box::new([Control::REST; PARTS]),
        tunings: Box::new([0.0; KEYS]),
        device: None,
        begun: None,
        written: 0,
        now_s: 0.0,
    };
    (tap, Taken { marks, ring: samples, shared })
}

impl Tap {
    /// Takes that sound goes to a new device from stream second `now_s` on. The recording
    /// continues, as the time of the stream stood still in between.
    pub fn device(&mut self, rate_hz: u32, delay_s: f64, now_s: f64) {
        self.device = Some((rate_hz, delay_s));
        self.begun = self.begun.filter(|begun| begun.rate_hz == rate_hz);
        if let Some(begun) = &self.begun {
            let at = ((now_s - begun.start_s) * f64::from(rate_hz)).round().max(0.0) as u64;
            self.written = self.written.max(at);
        }
    }

    /// Takes that the stream begins again at second 0 without any notes, because another model
    /// plays. A recording continues in its next file.
    pub fn restart(&mut self) {
        self.held.fill((0, 0));
        self.notes.clear();
        self.begun = None;
    }

    /// Takes that a hop begins at stream second `now_s`. Recordings begin only at such places.
    pub fn hop(&mut self, now_s: f64) {
        self.now_s = now_s;
        let take = self.shared.take.load(Ordering::Acquire);
        if self.begun.map_or(0, |begun| begun.take) == take {
            return;
        }
        self.begun = None;
        let Some((rate_hz, delay_s)) = self.device.filter(|_| take > 0) else { return };
        let begin = Begin { take, rate_hz, start_s: now_s, delay_s };
        // If the queue is full, the next hop tries again.
        if self.marks.try_send(Mark::Begin(begin)).is_ok() {
            (self.begun, self.written) = (Some(begin), 0);
            self.tell_what_is(take);
        }
    }

    /// Sends the controls and the notes that are held where a recording begins.
    fn tell_what_is(&self, take: u64) {
        let now_s = self.now_s;
        for (part, values) in (0..).zip(self.controls.iter()) {
            for control in Control::ALL {
                let value = values[control as usize];
                if value != control.rest() {
                    self.send(take, Played::Control(Part(part), now_s, control, value));
                }
            }
        }
        for (key, tuning) in (0..).zip(self.tunings.iter()).filter(|(_, tuning)| **tuning != 0.0) {
            self.send(take, Played::Key(Part(0), now_s, key, OfKey::Tuning(*tuning)));
        }
        for (place, (program, velocity)) in self.held.iter().enumerate().filter(|(_, h)| h.1 > 0) {
            let (part, key) = (Part((place / KEYS) as u8), (place % KEYS) as u8);
            let voice = Voice { is_drum: false, program: *program, key };
            let event = NoteEvent { time_s: now_s, voice, velocity: *velocity };
            self.send(take, Played::Note(part, event));
        }
    }

    /// Takes an event on its way to the model.
    pub fn event(&mut self, event: &Event) {
        let (part, time_s) = (event.part, event.at_s);
        match event.what {
            What::On(strike) => {
                if !strike.voice.is_drum {
                    if self.notes.len() == NOTES {
                        self.notes.remove(0);
                    }
                    self.notes.push((strike.note, part, strike.voice));
                    self.tune(part, time_s, strike.voice.key, strike.tuning);
                    if let Some(Glide { from, seconds }) = strike.glide {
                        let from = f32::from(strike.voice.key) + from;
                        let from = from.round().clamp(0.0, (KEYS - 1) as f32) as u8;
                        self.played(Played::Key(part, time_s, from, OfKey::GlideFrom(seconds)));
                    }
                }
                if strike.is_legato {
                    self.played(Played::Key(part, time_s, strike.voice.key, OfKey::Legato));
                }
                let (voice, velocity) = (strike.voice, strike.velocity);
                self.note(part, NoteEvent { time_s, voice, velocity });
            }
            What::Off(note) => {
                if let Some(at) = self.notes.iter().position(|(id, ..)| *id == note) {
                    let (_, part, voice) = self.notes.remove(at);
                    self.note(part, NoteEvent { time_s, voice, velocity: 0 });
                }
            }
            What::Control(control, value) => {
                if let Some(values) = self.controls.get_mut(usize::from(part.0)) {
                    values[control as usize] = value;
                }
                self.played(Played::Control(part, time_s, control, value));
            }
            What::KeyPressure(note, value) => {
                if let Some((part, voice)) = self.of_note(note) {
                    let pressure = OfKey::Pressure(value);
                    self.played(Played::Key(part, time_s, voice.key, pressure));
                }
            }
            What::Retune(note, tuning) => {
                if let Some((part, voice)) = self.of_note(note) {
                    self.tune(part, time_s, voice.key, tuning);
                }
            }
            What::Silence => {}
        }
    }

    /// The part and the voice of a note that is held; none of a drum.
    fn of_note(&self, note: NoteId) -> Option<(Part, Voice)> {
        let held = self.notes.iter().find(|(id, ..)| *id == note);
        held.map(|(_, part, voice)| (*part, *voice))
    }

    /// Takes the tuning of a key, if it is another one than before.
    fn tune(&mut self, part: Part, time_s: f64, key: u8, tuning: f32) {
        let Some(before) = self.tunings.get_mut(usize::from(key)) else { return };
        if std::mem::replace(before, tuning) != tuning {
            self.played(Played::Key(part, time_s, key, OfKey::Tuning(tuning)));
        }
    }

    /// Takes a note on its way to the model.
    fn note(&mut self, part: Part, event: NoteEvent) {
        let Voice { is_drum, program, key } = event.voice;
        let place = usize::from(part.0) * KEYS + usize::from(key);
        if let Some(held) = self.held.get_mut(place).filter(|_| !is_drum) {
            *held = (program, event.velocity);
        }
        self.played(Played::Note(part, event));
    }

    /// Puts a note or a control into the recording, if there is one. Late ones count from the
    /// beginning of the hop, where they sound.
    fn played(&self, played: Played) {
        if let Some(begun) = &self.begun {
            self.send(begun.take, played.at(played.time_s().max(self.now_s)));
        }
    }

    fn send(&self, take: u64, played: Played) {
        if self.marks.try_send(Mark::Played { take, played }).is_err() {
            self.shared.lost_notes.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes sound at the rate of the device.
    pub fn sound(&mut self, samples: &[Frame]) {
        let Some(begun) = &self.begun else { return };
        let (at, count) = (self.written, samples.len());
        self.written += count as u64;
        // Only this end fills the queue, so that what fits now still fits below.
        if self.ring.vacant_len() < count || self.marks.is_full() {
            self.shared.lost_samples.fetch_add(count as u64, Ordering::Relaxed);
            return;
        }
        self.ring.push_slice(samples);
        let _ = self.marks.try_send(Mark::Sound { take: begun.take, at, count });
    }
}

#[cfg(test)]
#[path = "tap_tests.rs"]
mod tests;
