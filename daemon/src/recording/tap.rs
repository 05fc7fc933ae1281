//! Inference's end of a recording: sound and notes into bounded queues. Knows no file; used by the thread `timbred-inference`.
//!
//! # Real time
//! Allocates nothing and never waits: what finds its queue full is counted and left out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam::channel::{Receiver, Sender, bounded};
use ringbuf::traits::{Observer, Producer, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};
use timbre_models::event::Event;
use timbre_models::notes::{NoteEvent, Voice};
use timbre_models::tokens::merge::Merge;

use crate::mix::Frame;

/// Frames that can wait for the disk: 20 s at 48 kHz.
const RING: usize = 1 << 20;
/// Notes and pieces of sound that can wait.
const MARKS: usize = 8192;
const KEYS: usize = 128;

/// What goes through the queue; samples go through a ring of their own, in the same order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Mark {
    /// A recording begins, or goes on with sound of another rate.
    Begin(Begin),
    /// A note.
    Note { take: u64, event: NoteEvent },
    /// `count` samples lie in the ring; the first is sample `at` since [`Begin`].
    Sound { take: u64, at: u64, count: usize },
}

/// Where sample 0 of a recording lies in the stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Begin {
    /// Which recording, counted from 1.
    pub(super) take: u64,
    /// Samples a second.
    pub(super) rate_hz: u32,
    /// Stream second of the beginning.
    pub(super) start_s: f64,
    /// Seconds by which the sound is later than its notes: the delay of the converter.
    pub(super) delay_s: f64,
}

/// What both ends see.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Which recording is wanted, counted from 1; 0: none.
    pub(super) take: AtomicU64,
    /// Samples that found the ring full, since the start.
    pub(super) lost_samples: AtomicU64,
    /// Notes that found the queue full, since the start.
    pub(super) lost_notes: AtomicU64,
}

/// The recorder's ends of the queues.
pub(super) struct Taken {
    pub(super) marks: Receiver<Mark>,
    pub(super) ring: HeapCons<Frame>,
    pub(super) shared: Arc<Shared>,
}

/// Inference's end.
pub struct Tap {
    shared: Arc<Shared>,
    marks: Sender<Mark>,
    ring: HeapProd<Frame>,
    /// Velocity of every voice that is held, by program * 128 + key.
    held: Box<[u8]>,
    /// Rate and delay of the device; none before the first.
    device: Option<(u32, f64)>,
    begun: Option<Begin>,
    merge: Merge,
    /// Samples since the beginning, those that were lost among them.
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
        held: vec![0; KEYS * KEYS].into_boxed_slice(),
        device: None,
        begun: None,
        merge: Merge::default(),
        written: 0,
        now_s: 0.0,
    };
    (tap, Taken { marks, ring: samples, shared })
}

impl Tap {
    /// Sound goes to a new device from stream second `now_s` on. The recording goes on: time stood still in between.
    pub fn device(&mut self, rate_hz: u32, delay_s: f64, now_s: f64) {
        self.device = Some((rate_hz, delay_s));
        self.begun = self.begun.filter(|begun| begun.rate_hz == rate_hz);
        if let Some(begun) = &self.begun {
            let at = ((now_s - begun.start_s) * f64::from(rate_hz)).round().max(0.0) as u64;
            self.written = self.written.max(at);
        }
    }

    /// The stream begins again at second 0, with nothing held: another model. A recording goes on in its next file.
    pub fn restart(&mut self) {
        self.held.fill(0);
        self.merge.clear();
        self.begun = None;
    }

    /// A hop begins at stream second `now_s`: the place where a recording can begin.
    pub fn hop(&mut self, now_s: f64) {
        self.now_s = now_s;
        let take = self.shared.take.load(Ordering::Acquire);
        if self.begun.map_or(0, |begun| begun.take) == take {
            return;
        }
        self.begun = None;
        let Some((rate_hz, delay_s)) = self.device.filter(|_| take > 0) else { return };
        let begin = Begin { take, rate_hz, start_s: now_s, delay_s };
        // A full queue: the next hop tries again.
        if self.marks.try_send(Mark::Begin(begin)).is_ok() {
            (self.begun, self.written) = (Some(begin), 0);
            self.strike_what_is_held(take);
        }
    }

    fn strike_what_is_held(&self, take: u64) {
        for (place, velocity) in self.held.iter().enumerate().filter(|(_, v)| **v > 0) {
            let (program, key) = ((place / KEYS) as u8, (place % KEYS) as u8);
            let voice = Voice { is_drum: false, program, key };
            self.send(take, NoteEvent { time_s: self.now_s, voice, velocity: *velocity });
        }
    }

    /// An event on its way to the model.
    pub fn event(&mut self, event: &Event) {
        let mut merge = std::mem::take(&mut self.merge);
        merge.event(event, &mut |note| self.note(note));
        self.merge = merge;
    }

    /// A note on its way to the model.
    pub fn note(&mut self, event: NoteEvent) {
        let Voice { is_drum, program, key } = event.voice;
        let place = usize::from(program) * KEYS + usize::from(key);
        if let Some(held) = self.held.get_mut(place).filter(|_| !is_drum) {
            *held = event.velocity;
        }
        if let Some(begun) = &self.begun {
            // What comes late sounds at the beginning of the hop.
            self.send(begun.take, NoteEvent { time_s: event.time_s.max(self.now_s), ..event });
        }
    }

    fn send(&self, take: u64, event: NoteEvent) {
        if self.marks.try_send(Mark::Note { take, event }).is_err() {
            self.shared.lost_notes.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sound at the rate of the device.
    pub fn sound(&mut self, samples: &[Frame]) {
        let Some(begun) = &self.begun else { return };
        let (at, count) = (self.written, samples.len());
        self.written += count as u64;
        // Only the other end makes room less scarce: what fits now still fits below.
        if self.ring.vacant_len() < count || self.marks.is_full() {
            self.shared.lost_samples.fetch_add(count as u64, Ordering::Relaxed);
            return;
        }
        self.ring.push_slice(samples);
        let _ = self.marks.try_send(Mark::Sound { take: begun.take, at, count });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strike(key: u8, time_s: f64) -> NoteEvent {
        let voice = Voice { is_drum: false, program: 3, key };
        NoteEvent { time_s, voice, velocity: 90 }
    }

    #[test]
    fn a_recording_begins_with_a_hop_and_with_what_is_held() {
        let (mut tap, taken) = queues();
        tap.device(48_000, 0.002, 0.0);
        tap.hop(0.0);
        tap.note(strike(60, 0.01));
        tap.sound(&[[0.5; 2]; 320]);
        assert!(taken.marks.is_empty(), "nobody records");
        taken.shared.take.store(7, Ordering::Release);
        tap.note(strike(61, 0.03));
        tap.hop(0.02);
        tap.note(strike(62, 0.0));
        tap.sound(&[[0.5; 2]; 320]);
        tap.sound(&[[0.5; 2]; 300]);
        let begin = Begin { take: 7, rate_hz: 48_000, start_s: 0.02, delay_s: 0.002 };
        let note = |key| Mark::Note { take: 7, event: strike(key, 0.02) };
        let sound = |at, count| Mark::Sound { take: 7, at, count };
        let wanted =
            [Mark::Begin(begin), note(60), note(61), note(62), sound(0, 320), sound(320, 300)];
        assert_eq!(taken.marks.try_iter().collect::<Vec<_>>(), wanted);
        taken.shared.take.store(0, Ordering::Release);
        tap.hop(0.04);
        tap.sound(&[[0.5; 2]; 320]);
        assert!(taken.marks.is_empty());
    }

    #[test]
    fn a_full_queue_is_counted_and_the_place_of_what_is_lost_is_kept() {
        let (mut tap, taken) = queues();
        tap.device(48_000, 0.0, 0.0);
        taken.shared.take.store(1, Ordering::Release);
        tap.hop(0.0);
        let piece = vec![[0.1; 2]; RING / 4];
        for _ in 0..5 {
            tap.sound(&piece);
        }
        assert_eq!(taken.shared.lost_samples.load(Ordering::Relaxed), piece.len() as u64);
        assert_eq!(taken.marks.len(), 5);
        (0..MARKS).for_each(|_| tap.note(strike(60, 1.0)));
        assert_eq!(taken.shared.lost_notes.load(Ordering::Relaxed), 5);
        tap.sound(&piece[..0]);
        assert_eq!(tap.written, 5 * piece.len() as u64);
    }

    #[test]
    fn another_device_goes_on_and_another_rate_begins_anew() {
        let (mut tap, taken) = queues();
        tap.device(48_000, 0.0, 0.0);
        taken.shared.take.store(1, Ordering::Release);
        tap.hop(1.0);
        tap.sound(&[[0.0; 2]; 957]);
        tap.device(48_000, 0.0, 1.02);
        tap.hop(1.02);
        tap.sound(&[[0.0; 2]; 10]);
        tap.device(44_100, 0.0, 1.04);
        tap.hop(1.04);
        let marks: Vec<Mark> = taken.marks.try_iter().collect();
        assert_eq!(marks.len(), 4);
        assert_eq!(marks[2], Mark::Sound { take: 1, at: 960, count: 10 });
        let begin = Begin { take: 1, rate_hz: 44_100, start_s: 1.04, delay_s: 0.0 };
        assert_eq!(marks[3], Mark::Begin(begin));
    }
}
