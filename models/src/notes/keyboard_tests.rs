//! The keyboard: pedals, repeated keys, several holders, panic messages.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::keyboard::BadMessage;
use super::{Keyboard, NoteEvent};
use crate::event::{Control, Event, Part, What};
use crate::tokens::merge::Merge;

/// A keyboard whose notes are heard as voices.
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

/// What messages become, without their times.
fn events(messages: &[&[u8]]) -> Vec<(Part, What)> {
    let (mut keyboard, mut all) = (Keyboard::new(), vec![]);
    for bytes in messages {
        keyboard.feed_bytes(0.0, bytes, &mut |e: Event| all.push((e.part, e.what))).unwrap();
    }
    all
}

/// The last value of a control of the first part.
fn control(messages: &[&[u8]], wanted: Control) -> Option<f32> {
    let found = events(messages).into_iter().filter_map(|(part, what)| match what {
        What::Control(control, value) if control == wanted && part == Part(0) => Some(value),
        _ => None,
    });
    found.last()
}

#[test]
fn a_bend_is_as_wide_as_its_range() {
    let up: &[u8] = &[0xE0, 0x7F, 0x7F];
    assert_eq!(control(&[up], Control::Bend), Some(2.0));
    assert_eq!(control(&[&[0xE0, 0, 0]], Control::Bend), Some(-2.0));
    let range: [&[u8]; 4] = [&[0xB0, 101, 0], &[0xB0, 100, 0], &[0xB0, 6, 12], &[0xB0, 38, 50]];
    let wide: Vec<&[u8]> = range.into_iter().chain([up]).collect();
    assert_eq!(control(&wide, Control::Bend), Some(12.5));
    // Half of a number, and a null parameter, select nothing.
    let half: [&[u8]; 3] = [&[0xB0, 101, 0], &[0xB0, 6, 24], up];
    assert_eq!(control(&half, Control::Bend), Some(2.0));
    let null: [&[u8]; 4] = [&[0xB0, 101, 127], &[0xB0, 100, 127], &[0xB0, 6, 24], up];
    assert_eq!(control(&null, Control::Bend), Some(2.0));
}

#[test]
fn tunings_of_a_channel_and_of_all_add_up() {
    let coarse: [&[u8]; 3] = [&[0xB0, 101, 0], &[0xB0, 100, 2], &[0xB0, 6, 66]];
    assert_eq!(control(&coarse, Control::Tuning), Some(2.0));
    let fine: [&[u8]; 3] = [&[0xB0, 101, 0], &[0xB0, 100, 1], &[0xB0, 6, 32]];
    let master: &[u8] = &[0xF0, 0x7F, 0x7F, 4, 4, 0, 63, 0xF7];
    let all: Vec<&[u8]> = coarse.into_iter().chain(fine).chain([master]).collect();
    assert_eq!(control(&all, Control::Tuning), Some(0.5));
}

#[test]
fn a_reset_puts_back_what_rp_015_says_and_no_more() {
    let reset: &[u8] = &[0xB0, 121, 0];
    let set: [&[u8]; 4] = [&[0xB0, 1, 127], &[0xB0, 7, 10], &[0xB0, 10, 0], reset];
    assert_eq!(control(&set, Control::Vibrato), Some(0.0));
    assert_eq!(control(&set, Control::Volume), Some(10.0 / 127.0));
    assert_eq!(control(&set, Control::Pan), Some(-1.0));
    let gm: &[u8] = &[0xF0, 0x7E, 0x7F, 9, 1, 0xF7];
    assert_eq!(control(&[&[0xB0, 7, 10], gm], Control::Volume), Some(100.0 / 127.0));
}

#[test]
fn drums_are_where_a_bank_or_gs_says() {
    let is_drum = |messages: &[&[u8]]| {
        let strike = events(messages).into_iter().find_map(|(_, what)| match what {
            What::On(strike) => Some(strike.voice.is_drum),
            _ => None,
        });
        strike.unwrap()
    };
    let key: &[u8] = &[0x90, 60, 90];
    assert!(!is_drum(&[key]));
    assert!(is_drum(&[&[0xB0, 0, 120], &[0xC0, 0], key]));
    let gs: &[u8] = &[0xF0, 0x41, 0x10, 0x42, 0x12, 0x40, 0x11, 0x15, 1, 0x19, 0xF7];
    assert!(is_drum(&[gs, key]));
    assert!(!is_drum(&[gs, &[0xFF], key]), "a reset");
    assert!(!is_drum(&[&[0xB9, 0, 121], &[0xC9, 0], &[0x99, 60, 90]]));
}

/// (key, velocity or 0, whether it goes on from another) of the notes.
fn notes(messages: &[&[u8]]) -> Vec<(u8, u8, bool)> {
    let mut keys = std::collections::HashMap::new();
    let all = events(messages).into_iter().filter_map(|(_, what)| match what {
        What::On(strike) => {
            keys.insert(strike.note, strike.voice.key);
            Some((strike.voice.key, strike.velocity, strike.is_legato))
        }
        What::Off(note) => Some((keys[&note], 0, false)),
        _ => None,
    });
    all.collect()
}

#[test]
fn one_note_at_a_time_goes_back_to_the_key_that_is_still_down() {
    let mono: &[u8] = &[0xB0, 126, 1];
    let played: [&[u8]; 6] =
        [mono, &[0x90, 60, 90], &[0x90, 64, 80], &[0x80, 64, 0], &[0x80, 60, 0], &[0x90, 65, 70]];
    let wanted = [
        (60, 90, false),
        (60, 0, false),
        (64, 80, true),
        (64, 0, false),
        (60, 90, true),
        (60, 0, false),
        (65, 70, false),
    ];
    assert_eq!(notes(&played), wanted);
    let up: &[u8] = &[0xB0, 68, 0];
    let legato: [&[u8]; 5] =
        [&[0xB0, 68, 127], &[0x90, 60, 90], &[0x90, 64, 80], up, &[0x90, 67, 80]];
    let last = notes(&legato);
    assert_eq!(last[2..], [(64, 80, true), (67, 80, false)]);
}

#[test]
fn portamento_glides_from_the_last_key_in_its_time() {
    let glide = |messages: &[&[u8]]| {
        let strikes = events(messages).into_iter().filter_map(|(_, what)| match what {
            What::On(strike) => Some(strike.glide),
            _ => None,
        });
        strikes.last().unwrap().map(|glide| (glide.from, glide.seconds))
    };
    let (first, second): (&[u8], &[u8]) = (&[0x90, 60, 90], &[0x90, 67, 90]);
    assert_eq!(glide(&[first, second]), None);
    let on: [&[u8]; 3] = [&[0xB0, 65, 127], &[0xB0, 5, 1], &[0xB0, 37, 72]];
    let both: Vec<&[u8]> = on.into_iter().chain([first, second]).collect();
    assert_eq!(glide(&both), Some((-7.0, 0.2)));
    // CC 84 names the key once, with the pedal up.
    let from: [&[u8]; 4] = [&[0xB0, 5, 1], &[0xB0, 37, 72], &[0xB0, 84, 72], second];
    assert_eq!(glide(&from), Some((5.0, 0.2)));
}

#[test]
fn members_of_a_zone_obey_its_master() {
    let zone = |channel: u8, count: u8| {
        [[0xB0 | channel, 101, 0], [0xB0 | channel, 100, 6], [0xB0 | channel, 6, count]]
    };
    let lower = zone(0, 3);
    let mut messages: Vec<&[u8]> = lower.iter().map(|m| m.as_slice()).collect();
    let masters = |messages: &[&[u8]]| {
        let mut masters = [-1.0; 16];
        for (part, what) in events(messages) {
            if let What::Control(Control::Master, master) = what {
                masters[usize::from(part.0)] = master;
            }
        }
        masters
    };
    assert_eq!(masters(&messages)[..5], [-1.0, 0.0, 0.0, 0.0, -1.0]);
    messages.extend([&[0xC0, 40][..], &[0xE1, 0, 0], &[0x91, 60, 90], &[0xB0, 64, 127]]);
    messages.extend([&[0x81, 60, 0][..], &[0xB0, 64, 0]]);
    let all = events(&messages);
    let bend = all.iter().find(|(part, what)| {
        *part == Part(1) && matches!(what, What::Control(Control::Bend, value) if *value < 0.0)
    });
    assert!(matches!(bend, Some((_, What::Control(_, value))) if *value == -48.0));
    let strike = all.iter().find_map(|(_, what)| match what {
        What::On(strike) => Some(strike.voice.program),
        _ => None,
    });
    assert_eq!(strike, Some(40), "the program is the master's");
    let off = all.iter().position(|(_, what)| matches!(what, What::Off(_))).unwrap();
    assert_eq!(off, all.len() - 1, "the master's pedal holds it");
    // The upper zone takes what overlaps.
    let upper = zone(15, 14);
    let both: Vec<&[u8]> = lower.iter().chain(&upper).map(|m| m.as_slice()).collect();
    assert_eq!(masters(&both)[..3], [-1.0, 15.0, 15.0]);
}

/// Feeds (time, bytes) and gives (time, program, key, velocity).
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

proptest! {
    /// Whatever is played: strikes and releases of a voice alternate but for drums, time does not run backwards
    /// within a voice, and after `release_all` nothing sounds.
    #[test]
    fn nothing_ever_hangs(messages in prop::collection::vec((0u8..4, 0u8..8, 0u8..128, 58u8..62), 0..80)) {
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
            let (on, last_s) = sounding.insert(event.voice, (event.velocity > 0, event.time_s)).unwrap_or((false, -1.0));
            prop_assert!(on != (event.velocity > 0) && event.time_s >= last_s);
            prop_assert!(event.velocity > 0 || event.time_s > last_s);
        }
        prop_assert!(sounding.values().all(|(on, _)| !on));
    }
}
