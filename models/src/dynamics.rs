//! Velocity and part levels for networks that make the whole mel. If the network does not hear
//! velocity, each band of a frame is made as loud as its notes were struck. It knows no network.
//!
//! Such a network makes every note equally loud. The gain of a band is the mean of the gains of its
//! notes, weighted by the power that each note has there: most of it at its own partials, and a
//! little everywhere.

use std::sync::Arc;

use crate::event::Part;
use crate::ledger::{Ledger, Sounding};
use crate::parts::At;
use crate::prior::NotePower;
use crate::units::{FrameIdx, HOP_SAMPLES, MEL_BINS, SAMPLE_RATE_HZ};
use crate::vocoder::tables::Tables;

/// The velocity at which the gain is 1. Amplitude goes with the square of velocity (General MIDI
/// level 1, as in the channel strips).
const PLAIN_VELOCITY: f64 = 100.0;
/// The share of its mean power that a note has in bands without one of its partials.
const EVERYWHERE: f64 = 0.01;
/// The time in which the amplitude of a released note falls by the factor e, seconds. That of a
/// drum falls from its stroke on.
const FALL_S: f64 = 0.25;
/// A note whose power has fallen below this share does not count any more.
const FORGET: f64 = 1e-6;

/// The gains of bands by the loudness of notes.
#[derive(Debug)]
pub struct Dynamics {
    tables: Arc<Tables>,
    /// Whether the network hears velocity itself.
    hears_velocity: bool,
    /// The last gain of each band, nats. It stays while earlier notes ring out.
    gains: Vec<f32>,
    shares: Vec<NotePower>,
}

/// The power of a note at `time_s`; 1 while it is held.
fn power(note: &Sounding, time_s: f64) -> f64 {
    let falls_s = match note.voice.is_drum {
        true => note.start_s,
        false => note.end_s.unwrap_or(f64::INFINITY),
    };
    (-2.0 * (time_s - falls_s).max(0.0) / FALL_S).exp()
}

impl Dynamics {
    /// The state before any note. `hears_velocity` says whether the network hears velocity itself.
    pub fn new(tables: Arc<Tables>, hears_velocity: bool) -> Self {
        Self { tables, hears_velocity, gains: vec![0.0; MEL_BINS], shares: vec![] }
    }

    /// Whether a note does not count any more from the frame `next` on.
    pub fn is_over(note: &Sounding, next: FrameIdx) -> bool {
        power(note, next.start().seconds()) <= FORGET
    }

    /// The power of each note in the last frame.
    pub fn shares(&self) -> &[NotePower] {
        &self.shares
    }

    /// Adds the gains in nats to the natural-log `mel` \[128\] of a frame. `at` gives the state of
    /// each part at the end of the frame.
    pub fn apply(
        &mut self,
        frame: FrameIdx,
        ledger: &Ledger,
        at: impl Fn(Part) -> At,
        mel: &mut [f32],
    ) {
        let frame_s = HOP_SAMPLES as f64 / f64::from(SAMPLE_RATE_HZ);
        self.shares.clear();
        let at_s = frame.0 as f64 * frame_s;
        let (mut wanted, mut plain) = ([0.0f64; MEL_BINS], [0.0f64; MEL_BINS]);
        for (place, note) in ledger.notes().iter().enumerate() {
            let power = power(note, at_s);
            if note.start_s >= at_s + frame_s || power <= FORGET {
                continue;
            }
            let gain = self.gain(note, f64::from(at(note.part).gain));
            let heard = (power * gain) as f32;
            self.shares.push(NotePower { note: place, power: heard, noise: heard });
            let profile = match note.voice.is_drum {
                true => None,
                false => Some(self.tables.profile(note.voice.key)),
            };
            let mean = profile.map_or(1.0, mean_power);
            for (band, (wanted, plain)) in wanted.iter_mut().zip(&mut plain).enumerate() {
                let own = profile.and_then(|profile| profile.get(band)).copied();
                let own = own.map_or(1.0, |p| f64::from(p).powi(2) / mean);
                let here = power * (own + EVERYWHERE);
                *wanted += gain * here;
                *plain += here;
            }
        }
        for (gain, (wanted, plain)) in self.gains.iter_mut().zip(wanted.iter().zip(&plain)) {
            if *plain > 0.0 {
                *gain = (0.5 * (wanted / plain).max(FORGET * FORGET).ln()) as f32;
            }
        }
        mel.iter_mut().zip(&self.gains).for_each(|(v, gain)| *v += gain);
    }

    /// The power of a note relative to the power that the network gives it.
    fn gain(&self, note: &Sounding, part: f64) -> f64 {
        let velocity = match self.hears_velocity {
            true => 1.0,
            false => (f64::from(note.velocity) / PLAIN_VELOCITY).powi(4),
        };
        velocity * part.powi(2)
    }
}

/// The mean power of a profile [128] of magnitudes.
fn mean_power(profile: &[f32]) -> f64 {
    profile.iter().map(|p| f64::from(*p).powi(2)).sum::<f64>() / profile.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notes::{NoteEvent, Voice};

    fn event(time_s: f64, key: u8, velocity: u8) -> NoteEvent {
        NoteEvent { time_s, voice: Voice { is_drum: false, program: 0, key }, velocity }
    }

    fn gains(events: &[NoteEvent], start: FrameIdx) -> Vec<f32> {
        let mut dynamics = Dynamics::new(Arc::new(Tables::new()), false);
        let mut mel = vec![0.0; 20 * MEL_BINS];
        let mut ledger = Ledger::new();
        events.iter().for_each(|event| {
            ledger.note_event(event);
        });
        for (frame, mel) in (start.0..).map(FrameIdx).zip(mel.chunks_exact_mut(MEL_BINS)) {
            dynamics.apply(frame, &ledger, |_| At::REST, mel);
        }
        mel
    }

    #[test]
    fn a_note_alone_is_as_loud_as_it_was_struck_in_every_band() {
        for (velocity, db) in [(100, 0.0), (50, -12.04), (25, -24.08), (127, 4.15)] {
            let mel = gains(&[event(0.0, 60, velocity)], FrameIdx(0));
            let nats = db / 8.686;
            assert!(mel.iter().all(|v| (v - nats).abs() < 0.01), "{velocity}: {}", mel[0]);
        }
        assert!(gains(&[], FrameIdx(5)).iter().all(|v| *v == 0.0));
    }

    #[test]
    fn soft_and_loud_notes_are_each_themselves_where_they_are() {
        let both = gains(&[event(0.0, 36, 30), event(0.0, 96, 120)], FrameIdx(0));
        let low = gains(&[event(0.0, 36, 30)], FrameIdx(0))[0];
        let high = gains(&[event(0.0, 96, 120)], FrameIdx(0))[0];
        let tables = Tables::new();
        let strongest = |key| {
            let profile = tables.profile(key);
            (0..MEL_BINS).max_by(|a, b| profile[*a].total_cmp(&profile[*b])).unwrap()
        };
        assert!((both[strongest(96)] - high).abs() < 0.2, "{} {high}", both[strongest(96)]);
        assert!((both[strongest(36)] - low).abs() < 0.4, "{} {low}", both[strongest(36)]);
        assert!(high - low > 2.0);
    }

    #[test]
    fn what_rings_out_stays_as_soft_as_it_was() {
        let soft = [event(0.0, 60, 30), event(0.1, 60, 0)];
        let mel = gains(&soft, FrameIdx(0));
        assert_eq!(mel[..MEL_BINS], mel[19 * MEL_BINS..]);
    }

    #[test]
    fn a_note_counts_from_its_frame_on() {
        let mel = gains(&[event(0.2, 60, 30)], FrameIdx(0));
        assert!(mel[..10 * MEL_BINS].iter().all(|v| *v == 0.0));
        assert!(mel[10 * MEL_BINS..].iter().all(|v| *v < -1.0));
    }
}
