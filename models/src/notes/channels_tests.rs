//! Tests of channels: bends, tunings, resets, banks, mono, portamento and zones.
#![allow(clippy::unwrap_used)]

use super::midi_write::track_head;
use super::{FileRead, GrowingTrack, Keyboard, NoteEvent, Voice, read_mended};
use crate::event::{Control, Event, Part, What};

/// The events of messages, without their times.
fn events(messages: &[&[u8]]) -> Vec<(Part, What)> {
    let (mut keyboard, mut all) = (Keyboard::new(), vec![]);
    for bytes in messages {
        keyboard.feed_bytes(0.0, bytes, &mut |e: Event| all.push((e.part, e.what))).unwrap();
    }
    all
}

/// The last value of a control of the first part.
fn control(messages: &[&[u8]], wanted: Control) -> Option<f32> {
    let mut found = events(messages).into_iter().filter_map(|(part, what)| match what {
        What::Control(control, value) if control == wanted && part == Part(0) => Some(value),
        _ => None,
    });
    found.next_back()
}

#[test]
fn a_bend_is_as_wide_as_its_range() {
    let up: &[u8] = &[0xE0, 0x7F, 0x7F];
    assert_eq!(control(&[up], Control::Bend), Some(2.0));
    assert_eq!(control(&[&[0xE0, 0, 0]], Control::Bend), Some(-2.0));
    let range: [&[u8]; 4] = [&[0xB0, 101, 0], &[0xB0, 100, 0], &[0xB0, 6, 12], &[0xB0, 38, 50]];
    let wide: Vec<&[u8]> = range.into_iter().chain([up]).collect();
    assert_eq!(control(&wide, Control::Bend), Some(12.5));
    // Half of a number selects nothing, and neither does the null parameter.
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
    let volume: &[u8] = &[0xF0, 0x7F, 0x7F, 4, 1, 0, 127, 0xF7];
    assert_eq!(control(&[volume], Control::MasterVolume), Some(1.0));
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

/// The notes as (key, velocity or 0, whether it continues another note).
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
    // A note that is announced to go on, and does so anyway, says nothing of the next one.
    let goes_on = [[0xB0, 99, 116], [0xB0, 98, 6], [0xB0, 6, 0]];
    let mut played: Vec<&[u8]> = vec![mono, &[0x90, 60, 90]];
    played.extend(goes_on.iter().map(|message| message.as_slice()));
    played.extend([&[0x90, 64, 80][..], &[0x80, 64, 0], &[0x80, 60, 0], &[0x90, 65, 70]]);
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
        let mut strikes = events(messages).into_iter().filter_map(|(_, what)| match what {
            What::On(strike) => Some(strike.glide),
            _ => None,
        });
        strikes.next_back().unwrap().map(|glide| (glide.from, glide.seconds))
    };
    let (first, second): (&[u8], &[u8]) = (&[0x90, 60, 90], &[0x90, 67, 90]);
    assert_eq!(glide(&[first, second]), None);
    let on: [&[u8]; 3] = [&[0xB0, 65, 127], &[0xB0, 5, 1], &[0xB0, 37, 72]];
    let both: Vec<&[u8]> = on.into_iter().chain([first, second]).collect();
    assert_eq!(glide(&both), Some((-7.0, 0.2)));
    // CC 84 sets the key for one note, even with portamento off.
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
    // The upper zone takes the members that overlap.
    let upper = zone(15, 14);
    let both: Vec<&[u8]> = lower.iter().chain(&upper).map(|m| m.as_slice()).collect();
    assert_eq!(masters(&both)[..3], [-1.0, 15.0, 15.0]);
}

#[test]
fn a_bank_that_is_not_there_is_known_until_another_program_is_chosen() {
    let missing = |messages: &[&[u8]]| {
        let mut keyboard = Keyboard::new();
        for bytes in messages {
            keyboard.feed_bytes(0.0, bytes, &mut |_| {}).unwrap();
        }
        [0, 9].map(|channel| keyboard.channels().missing_bank(channel).map(|m| m.bank))
    };
    let program: &[u8] = &[0xC0, 4];
    assert_eq!(missing(&[&[0xB0, 0, 8]]), [None, None], "no program was chosen yet");
    assert_eq!(missing(&[&[0xB0, 0, 8], program]), [Some(8), None]);
    assert_eq!(missing(&[&[0xB0, 0, 127], program]), [Some(127), None]);
    for bank in [0, 120, 121] {
        let messages: [&[u8]; 4] = [&[0xB0, 0, 8], program, &[0xB0, 0, bank], program];
        assert_eq!(missing(&messages), [None, None], "{bank}");
    }
    let xg: &[u8] = &[0xF0, 0x43, 0x10, 0x4C, 0, 0, 0x7E, 0, 0xF7];
    assert_eq!(missing(&[&[0xB0, 0, 8], program, xg]), [None, None]);
    assert_eq!(missing(&[xg, &[0xB0, 0, 127], program]), [None, None], "drums");
    assert_eq!(missing(&[&[0xB9, 0, 8], &[0xC9, 4]]), [None, None], "drums are of no bank");
}

/// What the file of a track has.
fn read_back(track: &mut GrowingTrack) -> FileRead {
    let (events, end) = track.piece(2.0).unwrap();
    let length = events.len() + end.len();
    read_mended(&[track_head(length).unwrap(), events, end].concat()).unwrap()
}

#[test]
fn what_is_recorded_of_controls_is_what_they_were() {
    let wanted = [
        (Control::Gain, -17.3f32),
        (Control::Gain, 12.0),
        (Control::Gain, -60.0),
        (Control::MorphProgram, 127.0),
        (Control::MorphAmount, 0.37),
        (Control::MorphPressure, 1.0),
        (Control::Breath, 0.25),
        (Control::MasterVolume, 64.0 / 127.0),
        (Control::Volume, 20.0 / 127.0),
        (Control::Bend, 7.5),
    ];
    for (control, value) in wanted {
        let mut track = GrowingTrack::new();
        for part in 0..16 {
            // Master volume is sent for every part.
            if part == 3 || control == Control::MasterVolume {
                track.control(Part(part), 0.5, control, value);
            }
        }
        let voice = Voice { is_drum: false, program: 4, key: 60 };
        track.push_to(Part(3), &NoteEvent { time_s: 1.0, voice, velocity: 80 });
        let read = read_back(&mut track);
        let found = read.events.iter().rev().find_map(|event| match event.what {
            What::Control(known, value) if known == control && event.part == Part(3) => Some(value),
            _ => None,
        });
        let apart = (found.unwrap() - value).abs();
        assert!(apart < 0.01, "{control:?}: {found:?} of {value}");
        assert_eq!(read.mended.count, 0);
    }
}

#[test]
fn what_is_recorded_of_zones_and_of_legato_is_what_they_were() {
    let zone = |channel: u8, count: u8| {
        [[0xB0 | channel, 101, 0], [0xB0 | channel, 100, 6], [0xB0 | channel, 6, count]]
    };
    let both = zone(0, 3).into_iter().chain(zone(15, 13));
    let both: Vec<[u8; 3]> = both.chain(zone(0, 2)).collect();
    let mut played: Vec<&[u8]> = both.iter().map(|message| message.as_slice()).collect();
    played.extend([&[0xC0, 40][..], &[0xE1, 0, 0], &[0x91, 60, 90], &[0xEE, 0, 96]]);
    played.extend([&[0xB2, 126, 1][..], &[0x92, 62, 90], &[0x92, 64, 80], &[0x82, 64, 0]]);
    let all = events(&played);
    let mut track = GrowingTrack::new();
    let mut voices = std::collections::HashMap::new();
    for (part, what) in &all {
        let note = |voice, velocity| NoteEvent { time_s: 0.5, voice, velocity };
        match what {
            What::Control(control, value) => track.control(*part, 0.5, *control, *value),
            What::On(strike) => {
                voices.insert(strike.note, strike.voice);
                if strike.is_legato {
                    track.legato(*part, 0.5);
                }
                track.push_to(*part, &note(strike.voice, strike.velocity));
            }
            What::Off(id) => track.push_to(*part, &note(voices[id], 0)),
            _ => {}
        }
    }
    let read: Vec<_> =
        read_back(&mut track).events.iter().map(|event| (event.part, event.what)).collect();
    let strikes = |all: &[(Part, What)]| -> Vec<_> {
        let strikes = all.iter().filter_map(|(part, what)| match what {
            What::On(strike) => Some((*part, strike.voice, strike.velocity, strike.is_legato)),
            _ => None,
        });
        strikes.collect()
    };
    assert_eq!(strikes(&read), strikes(&all));
    assert_eq!(strikes(&all).iter().filter(|strike| strike.3).count(), 2);
    for part in (0..16).map(Part) {
        for control in [Control::Master, Control::Bend] {
            let last = |all: &[(Part, What)]| {
                all.iter().rev().find_map(|(of, what)| match what {
                    What::Control(known, value) if (*of, *known) == (part, control) => Some(*value),
                    _ => None,
                })
            };
            let [ours, theirs] = [last(&read), last(&all)].map(|v| v.unwrap_or(control.rest()));
            assert!((ours - theirs).abs() < 0.01, "{part:?} {control:?}: {ours}, {theirs}");
        }
    }
}
