//! Tests of the keyboard: pedals, repeated keys, several holders, panic messages.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::keyboard::BadMessage;
use super::{Keyboard, NoteEvent};
use crate::event::{Control, Event, Glide, Part, What};
use crate::tokens::merge::Merge;

/// A keyboard whose notes become events of voices.
#[derive(Default)]
struct Played {
    keyboard: Keyboard,
    merge: Merge,
}

impl Played {
    fn feed_bytes(
        &mut self,
        time_s: f64,
        bytes: &[u8],
        out: &mut impl FnMut(NoteEvent),
    ) -> Result<(), BadMessage> {
        let merge = &mut self.merge;
        self.keyboard.feed_bytes(time_s, bytes, &mut |event| merge.event(&event, out))
    }

    fn release_all(&mut self, time_s: f64, out: &mut impl FnMut(NoteEvent)) {
        let merge = &mut self.merge;
        self.keyboard.release_all(time_s, &mut |event| merge.event(&event, out));
    }
}

/// Feeds (time, bytes), and returns (time, program, key, velocity).
fn play(messages: &[(f64, &[u8])]) -> Vec<(f64, u8, u8, u8)> {
    let mut keyboard = Played::default();
    let mut events = Vec::new();
    for (time_s, bytes) in messages {
        let mut keep = |e: NoteEvent| {
            events.push((e.time_s, e.voice.program, e.voice.key, e.velocity));
        };
        keyboard.feed_bytes(*time_s, bytes, &mut keep).unwrap();
    }
    events
}

#[test]
fn velocity_zero_releases() {
    let events = play(&[(0.0, &[0x90, 60, 5]), (1.0, &[0x90, 60, 0]), (2.0, &[0x80, 60, 64])]);
    assert_eq!(events, [(0.0, 0, 60, 5), (1.0, 0, 60, 0)]);
}

#[test]
fn sustain_holds_until_it_is_lifted() {
    let events = play(&[
        (0.0, &[0xB0, 64, 64]),
        (0.1, &[0x90, 60, 5]),
        (0.2, &[0x90, 62, 5]),
        (0.3, &[0x80, 60, 0]),
        (0.4, &[0xB0, 64, 63]),
        (0.5, &[0x80, 62, 0]),
    ]);
    assert_eq!(events, [(0.1, 0, 60, 5), (0.2, 0, 62, 5), (0.4, 0, 60, 0), (0.5, 0, 62, 0)]);
}

#[test]
fn a_sustained_key_struck_again_is_released_and_struck_at_one_time() {
    let events = play(&[
        (0.0, &[0xB0, 64, 127]),
        (0.1, &[0x90, 60, 5]),
        (0.2, &[0x80, 60, 0]),
        (0.3, &[0x90, 60, 9]),
        (0.4, &[0xB0, 64, 0]),
        (0.5, &[0x80, 60, 0]),
    ]);
    assert_eq!(events, [(0.1, 0, 60, 5), (0.3, 0, 60, 0), (0.3, 0, 60, 9), (0.5, 0, 60, 0)]);
}

#[test]
fn sostenuto_holds_only_what_was_down() {
    let events = play(&[
        (0.1, &[0x90, 60, 5]),
        (0.2, &[0xB0, 66, 127]),
        (0.3, &[0x90, 62, 5]),
        (0.35, &[0xB0, 66, 100]),
        (0.4, &[0x80, 60, 0]),
        (0.5, &[0x80, 62, 0]),
        (0.6, &[0xB0, 66, 0]),
    ]);
    assert_eq!(events, [(0.1, 0, 60, 5), (0.3, 0, 62, 5), (0.5, 0, 62, 0), (0.6, 0, 60, 0)]);
}

#[test]
fn all_sound_off_ignores_the_pedal_and_all_notes_off_respects_it() {
    let held: [(f64, &[u8]); 2] = [(0.0, &[0xB0, 64, 127]), (0.1, &[0x90, 60, 5])];
    let with = |control: u8| {
        let mut messages = held.to_vec();
        let bytes = [0xB0, control, 0];
        messages.push((0.2, &bytes));
        messages.push((0.3, &[0xB0, 64, 0]));
        play(&messages)
    };
    assert_eq!(with(120), [(0.1, 0, 60, 5), (0.2, 0, 60, 0)]);
    assert_eq!(with(123), [(0.1, 0, 60, 5), (0.3, 0, 60, 0)]);
}

#[test]
fn reset_controllers_lifts_the_pedals_but_not_the_fingers() {
    let events = play(&[
        (0.0, &[0xB0, 64, 127]),
        (0.1, &[0x90, 60, 5]),
        (0.1, &[0x90, 62, 5]),
        (0.2, &[0x80, 60, 0]),
        (0.3, &[0xB0, 121, 0]),
        (0.4, &[0x80, 62, 0]),
    ]);
    assert_eq!(events, [(0.1, 0, 60, 5), (0.1, 0, 62, 5), (0.3, 0, 60, 0), (0.4, 0, 62, 0)]);
}

#[test]
fn two_channels_with_one_program_release_together() {
    let events = play(&[
        (0.1, &[0x90, 60, 5]),
        (0.2, &[0x91, 60, 6]),
        (0.3, &[0x80, 60, 0]),
        (0.4, &[0x81, 60, 0]),
    ]);
    assert_eq!(events, [(0.1, 0, 60, 5), (0.2, 0, 60, 0), (0.2, 0, 60, 6), (0.4, 0, 60, 0)]);
}

#[test]
fn a_program_change_leaves_the_sounding_note_where_it_is() {
    let events = play(&[
        (0.1, &[0x90, 60, 5]),
        (0.2, &[0xC0, 40]),
        (0.3, &[0x80, 60, 0]),
        (0.4, &[0x90, 60, 5]),
        (0.5, &[0xC0, 41]),
        (0.6, &[0x90, 60, 7]),
        (0.7, &[0x80, 60, 0]),
    ]);
    let wanted = [(0.1, 0, 60, 5), (0.3, 0, 60, 0), (0.4, 40, 60, 5), (0.6, 40, 60, 0)];
    assert_eq!(events[..4], wanted);
    assert_eq!(events[4..], [(0.6, 41, 60, 7), (0.7, 41, 60, 0)]);
}

#[test]
fn drums_are_struck_only() {
    let mut keyboard = Played::default();
    let mut events = Vec::new();
    for bytes in [[0x99, 36, 90], [0x89, 36, 0], [0x99, 36, 91]] {
        keyboard.feed_bytes(0.5, &bytes, &mut |event| events.push(event)).unwrap();
    }
    keyboard.release_all(1.0, &mut |event| events.push(event));
    assert_eq!(events.iter().map(|e| e.velocity).collect::<Vec<_>>(), [90, 91]);
    assert!(events.iter().all(|e| e.voice.is_drum));
}

#[test]
fn a_release_at_the_time_of_the_strike_comes_after_it() {
    let events = play(&[(1.0, &[0x90, 60, 5]), (1.0, &[0x80, 60, 0]), (1.0, &[0x90, 60, 6])]);
    assert_eq!(events.iter().map(|e| e.3).collect::<Vec<_>>(), [5, 0, 6]);
    assert!(events[1].0 > 1.0 && events[1].0 < 1.000_001 && events[2].0 == events[1].0);
}

#[test]
fn incomplete_messages_are_refused() {
    let mut keyboard = Keyboard::new();
    for bytes in [&[][..], &[60, 5], &[0x90, 60], &[0x90, 60, 0x80]] {
        assert!(keyboard.feed_bytes(0.0, bytes, &mut |_| ()).is_err(), "{bytes:?}");
    }
    for bytes in [&[0xF8][..], &[0xE0, 0, 64], &[0xF0, 1, 2, 0xF7]] {
        assert!(keyboard.feed_bytes(0.0, bytes, &mut |_| ()).is_ok(), "{bytes:?}");
    }
}

#[test]
fn a_recorded_part_is_read_as_it_was_played() {
    use super::{GrowingTrack, Voice, read_mended};
    let played = [
        (Control::Volume, 0.5),
        (Control::Pan, -1.0),
        (Control::Bend, 7.0),
        (Control::Bend, -0.5),
        (Control::Tuning, -3.25),
        (Control::Vibrato, 0.25),
        (Control::Release, -1.5),
        (Control::Brightness, 1.0),
        (Control::Reverb, 1.0),
    ];
    let mut track = GrowingTrack::new();
    let voice = Voice { is_drum: true, program: 8, key: 60 };
    track.push_to(Part(4), &NoteEvent { time_s: 0.0, voice, velocity: 90 });
    for (control, value) in played {
        track.control(Part(5), 0.5, control, value);
    }
    let (events, end) = track.piece(1.0).unwrap();
    let head = super::midi_write::track_head(events.len() + end.len()).unwrap();
    let read = read_mended(&[head, events, end].concat()).unwrap();
    assert_eq!(read.song.notes[0].voice, voice, "drums on any part");
    for (control, value) in played {
        let values = read.events.iter().filter_map(|event| match event.what {
            What::Control(found, found_value) if found == control => Some(found_value),
            _ => None,
        });
        let near = values.map(|found| (found - value).abs()).fold(f32::INFINITY, f32::min);
        assert!(near < 0.03, "{control:?} {value}: {near} away");
    }
}

#[test]
fn a_recorded_key_is_read_as_it_was_played() {
    use super::{GrowingTrack, Voice, read_mended};
    let mut track = GrowingTrack::new();
    let note = |time_s, key| {
        let voice = Voice { is_drum: false, program: 40, key };
        NoteEvent { time_s, voice, velocity: 90 }
    };
    track.tuning(0.0, 60, -0.31);
    track.push_to(Part(2), &note(0.1, 60));
    track.pressure(Part(2), 0.2, 60, 0.5);
    track.tuning(0.3, 60, 0.25);
    track.glide(Part(2), 0.4, 55, 0.35);
    track.push_to(Part(2), &note(0.4, 67));
    let (events, end) = track.piece(1.0).unwrap();
    let head = super::midi_write::track_head(events.len() + end.len()).unwrap();
    let read = read_mended(&[head, events, end].concat()).unwrap();
    assert_eq!(read.mended.count, 0);
    let of_notes = read.events.iter().filter(|event| event.part == Part(2));
    let of_notes = of_notes.filter_map(|event| match event.what {
        What::On(strike) => Some((event.at_s, "on", strike.tuning, strike.glide)),
        What::KeyPressure(_, pressure) => Some((event.at_s, "pressure", pressure, None)),
        What::Retune(_, tuning) => Some((event.at_s, "retune", tuning, None)),
        _ => None,
    });
    let glide = Some(Glide { from: -12.0, seconds: 0.35 });
    let wanted = [
        (0.1, "on", -0.31, None),
        (0.2, "pressure", 64.0 / 127.0, None),
        (0.3, "retune", 0.25, None),
        (0.4, "on", 0.0, glide),
    ];
    for (found, wanted) in of_notes.zip(wanted) {
        let is_near = (found.0 - wanted.0).abs() < 1e-4 && (found.2 - wanted.2).abs() < 1e-4;
        assert!(is_near && (found.1, found.3) == (wanted.1, wanted.3), "{found:?} {wanted:?}");
    }
}

/// Pseudo-random numbers, the same each time (Knuth's constants).
fn numbers() -> impl FnMut(u64) -> u8 {
    let mut state = 1u64;
    move |below| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % below) as u8
    }
}

#[test]
fn no_note_hangs_after_a_million_messages_of_all_kinds() {
    let mut keyboard = Keyboard::new();
    let mut sounding = std::collections::HashMap::new();
    let mut next = numbers();
    let mut play = |keyboard: &mut Keyboard, bytes: &[u8]| {
        let keep = &mut |event: Event| match event.what {
            What::On(strike) if strike.voice.is_drum => {}
            What::On(strike) => {
                let place = (event.part, strike.voice.key);
                assert_eq!(sounding.insert(strike.note, place), None, "struck twice");
            }
            What::Off(note) => assert!(sounding.remove(&note).is_some(), "released twice"),
            _ => {}
        };
        keyboard.feed_bytes(0.0, bytes, keep).unwrap();
        match bytes {
            // Only the last messages need the result.
            [status, 127, 0] if status & 0xF0 == 0x80 => sounding.values().copied().collect(),
            _ => vec![],
        }
    };
    // Pedals, portamento, legato, mono and poly, zones, banks, modes.
    let controllers = [64, 66, 64, 66, 65, 84, 68, 126, 127, 0, 121, 123, 101, 100, 6, 120, 5, 67];
    for _ in 0..1_000_000 {
        let channel = next(16);
        let message = match next(16) {
            0..=5 => [0x90 | channel, 40 + next(40), 1 + next(127)],
            6..=10 => [0x80 | channel, 40 + next(40), 0],
            11 => [0xC0 | channel, next(128), 0],
            12 => [0xA0 | channel, 40 + next(40), next(128)],
            _ => {
                let which = controllers[usize::from(next(controllers.len() as u64))];
                let value = if matches!(which, 6 | 100 | 101) { next(8) } else { next(128) };
                [0xB0 | channel, which, value]
            }
        };
        let length = if message[0] & 0xF0 == 0xC0 { 2 } else { 3 };
        play(&mut keyboard, &message[..length]);
    }
    // All keys and all pedals go up.
    let mut left = vec![];
    for channel in 0..16 {
        for controller in [64, 66] {
            play(&mut keyboard, &[0xB0 | channel, controller, 0]);
        }
        for key in 0..128 {
            left = play(&mut keyboard, &[0x80 | channel, key, 0]);
        }
    }
    assert_eq!(left, [], "notes hang");
}

proptest! {
    /// In any case strikes and releases of a voice alternate (except for drums), time does not run
    /// backwards within a voice, and after `release_all` nothing sounds.
    #[test]
    fn nothing_ever_hangs(
        messages in prop::collection::vec((0u8..4, 0u8..8, 0u8..128, 58u8..62), 0..80),
    ) {
        let mut keyboard = Played::default();
        let mut events: Vec<NoteEvent> = Vec::new();
        for (index, &(channel, kind, value, key)) in messages.iter().enumerate() {
            let bytes = match kind {
                0..=2 => [0x90 | channel, key, value],
                3 => [0x80 | channel, key, value],
                4 => [0xB0 | channel, 64, value],
                5 => [0xB0 | channel, 66, value],
                6 => [0xC0 | channel, value % 3, 0],
                _ => [0xB0 | channel, 120 + value % 8, 0],
            };
            let time_s = (index / 3) as f64;
            keyboard.feed_bytes(time_s, &bytes, &mut |event| events.push(event)).unwrap();
        }
        keyboard.release_all(1000.0, &mut |event| events.push(event));
        let mut sounding = std::collections::HashMap::new();
        for event in events {
            let now = (event.velocity > 0, event.time_s);
            let (on, last_s) = sounding.insert(event.voice, now).unwrap_or((false, -1.0));
            prop_assert!(on != (event.velocity > 0) && event.time_s >= last_s);
            prop_assert!(event.velocity > 0 || event.time_s > last_s);
        }
        prop_assert!(sounding.values().all(|(on, _)| !on));
    }
}
