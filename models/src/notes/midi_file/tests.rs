//! Tests of the MIDI reader: songs, tempo, damaged files, and that no bytes make it panic.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::{Damage, FileRead, Mend, MidiFileError, read_mended, read_song};
use crate::event::{Control, What};
use crate::notes::{MIN_NOTE_S, Note, Song, Voice, write_song};

const ONE_NOTE: &[u8] = &[0x00, 0x90, 60, 100, 0x60, 0x80, 60, 0, 0x00, 0xFF, 0x2F, 0];

fn file(format: u16, division: u16, tracks: &[&[u8]]) -> Vec<u8> {
    let mut bytes = b"MThd\0\0\0\x06".to_vec();
    for field in [format, tracks.len() as u16, division] {
        bytes.extend(field.to_be_bytes());
    }
    for track in tracks {
        bytes.extend(b"MTrk");
        bytes.extend((track.len() as u32).to_be_bytes());
        bytes.extend(*track);
    }
    bytes
}

fn note(program: u8, key: u8, velocity: u8, start_s: f64, end_s: f64) -> Note {
    Note { voice: Voice { is_drum: false, program, key }, velocity, start_s, end_s }
}

fn close(song: &Song, notes: &[Note]) {
    assert_eq!(song.notes.len(), notes.len(), "{song:?}");
    for (ours, wanted) in song.notes.iter().zip(notes) {
        assert_eq!((ours.voice, ours.velocity), (wanted.voice, wanted.velocity));
        let far = (ours.start_s - wanted.start_s).abs().max((ours.end_s - wanted.end_s).abs());
        assert!(far < 1e-4, "{ours:?}, wanted {wanted:?}");
    }
}

#[test]
fn one_note_at_the_default_tempo() {
    let song = read_song(&file(0, 96, &[ONE_NOTE])).unwrap();
    close(&song, &[note(0, 60, 100, 0.0, 0.5)]);
    assert!((song.total_time_s - 0.5).abs() < 1e-9);
}

#[test]
fn the_tempo_of_one_track_rules_all() {
    // 250 ms from tick 96 on.
    let tempo: &[u8] = &[0x60, 0xFF, 0x51, 3, 0x03, 0xD0, 0x90, 0, 0xFF, 0x2F, 0];
    let notes: &[u8] = &[0x60, 0x90, 60, 9, 0x60, 60, 0, 0, 0xFF, 0x2F, 0];
    let song = read_song(&file(1, 96, &[tempo, notes])).unwrap();
    close(&song, &[note(0, 60, 9, 0.5, 0.75)]);
}

#[test]
fn smpte_time_is_frames_times_ticks() {
    let division = u16::from_be_bytes([(-25i8) as u8, 40]);
    close(&read_song(&file(0, division, &[ONE_NOTE])).unwrap(), &[note(0, 60, 100, 0.0, 0.096)]);
}

#[test]
fn the_pedal_and_the_end_of_the_file_end_notes() {
    let track: &[u8] = &[
        0, 0xB0, 64, 127, 0, 0x90, 60, 9, 0x60, 60, 0, 0x60, 0xB0, 64, 0, 0, 0x90, 62, 9, 0x60,
        0xFF, 0x2F, 0,
    ];
    let song = read_song(&file(0, 96, &[track])).unwrap();
    close(&song, &[note(0, 60, 9, 0.0, 1.0), note(0, 62, 9, 1.0, 1.5)]);
    assert!((song.total_time_s - 1.5).abs() < 1e-9);
}

#[test]
fn notes_without_length_get_one() {
    let alone: &[u8] = &[0, 0x90, 60, 9, 0, 60, 0];
    close(&read_song(&file(0, 96, &[alone])).unwrap(), &[note(0, 60, 9, 0.0, MIN_NOTE_S)]);
    let again: &[u8] = &[0, 0x90, 60, 9, 0, 60, 0, 0, 60, 8, 0x60, 60, 0];
    close(&read_song(&file(0, 96, &[again])).unwrap(), &[note(0, 60, 8, 0.0, 0.5)]);
}

/// Found by the fuzz target midi_file.
#[test]
fn a_drum_struck_twice_at_one_time_is_two_notes_with_length() {
    let twice: &[u8] = &[0, 0x99, 40, 1, 0, 40, 2];
    let song = read_song(&file(0, 96, &[twice])).unwrap();
    assert_eq!(song.notes.iter().map(|n| n.velocity).collect::<Vec<_>>(), [1, 2]);
    assert!(song.notes.iter().all(|n| n.end_s == MIN_NOTE_S));
}

/// Checks that a strict reader refuses the file for this damage at this byte, and that its message
/// says so.
fn refused(bytes: &[u8], offset: usize, damage: Damage) {
    let mended = read_mended(bytes).unwrap().mended;
    let error = mended.strictly().unwrap_err();
    assert_eq!(mended.first.or(mended.unusual), Some(Mend { offset, damage }));
    let message = error.to_string();
    assert!(message.contains(&format!("at byte {offset}: {damage}")), "{message}");
}

#[test]
fn what_holds_no_note_is_refused_with_the_reason() {
    use MidiFileError as E;
    let said = |bytes: &[u8]| read_song(bytes).unwrap_err();
    assert!(matches!(said(b""), E::NotMidi { .. }));
    assert!(said(b"RIFFxxxx").to_string().contains("give a standard MIDI file"));
    assert!(matches!(said(b"MThd\0\0\0\x02\0\0"), E::Empty { .. }));
    assert!(matches!(said(&file(0, 96, &[])), E::Empty { .. }));
    let silent: &[u8] = &[0, 0xFF, 0x2F, 0];
    assert_eq!(said(&file(0, 96, &[silent])).to_string(), "the file has no notes; nothing to play");
    let cut = file(0, 96, &[ONE_NOTE]);
    let message = said(&cut[..24]).to_string();
    assert!(message.contains("2 events mended, the first at byte 14"), "{message}");
    let far: &[u8] = &[0xFF, 0xFF, 0xFF, 0x7F, 0x90, 60, 9];
    assert!(said(&file(0, 96, &[far])).to_string().contains("24 hours"));
}

#[test]
fn a_damaged_header_does_not_cost_the_tracks() {
    let good = file(0, 96, &[ONE_NOTE]);
    let whole = [note(0, 60, 100, 0.0, 0.5)];
    let check = |bytes: &[u8], offset, damage| {
        close(&read_song(bytes).unwrap(), &whole);
        refused(bytes, offset, damage);
    };
    check(&file(2, 96, &[ONE_NOTE]), 0, Damage::Patterns);
    check(&file(7, 96, &[ONE_NOTE]), 8, Damage::Format(7));
    check(&[b"junk".as_slice(), &good].concat(), 0, Damage::Before);
    check(&[b"RIFF\0\0\0\0RMIDdata\0\0\0\0".as_slice(), &good].concat(), 0, Damage::Riff);
    check(&[[0; 128].as_slice(), &good].concat(), 0, Damage::MacBinary);
    check(&good[10..], 0, Damage::Header);
    let mut short = good.clone();
    short[7] = 2;
    check(&short, 0, Damage::Header);
    for length in [0, 5, 11, 13, 400] {
        let mut wrong = good.clone();
        wrong[20..22].copy_from_slice(&u16::to_be_bytes(length));
        check(&wrong, 14, Damage::TrackLength { announced: length.into() });
    }
    let mut many = good.clone();
    many[11] = 5;
    check(&many, 0, Damage::TrackCount { declared: 5, found: 1 });
    for division in [0, 0xE700, 0x8001] {
        let song = read_song(&file(0, division, &[ONE_NOTE])).unwrap();
        close(&song, &[note(0, 60, 100, 0.0, 0.1)]);
        refused(&file(0, division, &[ONE_NOTE]), 12, Damage::Division(division));
    }
}

#[test]
fn damaged_events_cost_themselves_alone() {
    let one = |before: &[u8], damage| {
        let track = [before, ONE_NOTE].concat();
        let bytes = file(0, 96, &[&track]);
        let FileRead { song, mended, .. } = read_mended(&bytes).unwrap();
        close(&song, &[note(0, 60, 100, 0.0, 0.5)]);
        assert_eq!((mended.count, mended.first.map(|m| m.damage)), (1, Some(damage)), "{before:?}");
    };
    one(&[0, 0x91, 0x80, 9], Damage::DataByte(0x80));
    one(&[0, 0xC1, 0xFF], Damage::DataByte(0xFF));
    one(&[0, 60, 9], Damage::NoStatus);
    one(&[0x80, 0x80, 0x80, 0x80, 0, 0xB0, 1, 1], Damage::Number);
    one(&[0, 0xFF, 0x59, 0], Damage::Meta(0x59));
    one(&[0, 0xFF, 0x51, 3, 0, 0, 0], Damage::ZeroTempo);
    one(&[0, 0xF0, 100, 1, 2, 0xF7], Damage::TooLongEvent);
    for system in (0xF1..=0xF6).chain(0xF8..=0xFE) {
        one(&[0, system], Damage::System(system));
    }
    one(&[0, 0xF2, 1, 1], Damage::System(0xF2));
    let loud: &[u8] = &[0, 0x90, 60, 0x80, 0x60, 0x80, 60, 0];
    close(&read_song(&file(0, 96, &[loud])).unwrap(), &[note(0, 60, 127, 0.0, 0.5)]);
    let clock_inside: &[u8] = &[0, 0x90, 0xF8, 60, 9, 0x60, 0x80, 60, 0, 0, 0xFF, 0x2F, 0];
    close(&read_song(&file(0, 96, &[clock_inside])).unwrap(), &[note(0, 60, 9, 0.0, 0.5)]);
    let lyric: &[u8] = &[0, 0x90, 60, 9, 0, 0xFF, 5, 1, b'a', 0x60, 60, 0];
    close(&read_song(&file(0, 96, &[lyric])).unwrap(), &[note(0, 60, 9, 0.0, 0.5)]);
    refused(&file(0, 96, &[lyric]), 31, Damage::Running);
}

#[test]
fn a_file_full_of_data_bytes_over_127_is_heard() {
    // songwrite3 writes files like this, with velocities of 0xCC and 0xFF.
    let track: &[u8] = &[
        0, 0xB0, 7, 0xFF, 0, 0xC0, 24, 0, 0x90, 45, 0xFF, 0x2F, 0xB1, 0x7B, 0x78, 1, 0x91, 55,
        0xCC, 0x60, 0x81, 55, 0xCC, 0, 0x90, 59, 0xFF, 0x48, 0x80, 45, 0xFF, 0x18, 0x80, 59, 0xFF,
        0, 0xFF, 0x2F, 0,
    ];
    let FileRead { song, mended, strikes, .. } = read_mended(&file(0, 90, &[track])).unwrap();
    let keys: Vec<(u8, u8)> = song.notes.iter().map(|n| (n.voice.key, n.velocity)).collect();
    assert_eq!(keys, [(45, 127), (55, 127), (59, 127)]);
    assert_eq!((mended.count, strikes), (7, 3));
}

#[test]
fn ports_have_channels_of_their_own() {
    let violin: &[u8] = &[0, 0xC0, 40, 0, 0x90, 60, 9, 0x60, 0x80, 60, 0];
    let flute: &[u8] =
        &[0, 0xFF, 0x21, 1, 1, 0, 0xC0, 73, 0, 0x90, 60, 9, 0x30, 0x80, 60, 0, 0, 0x99, 36, 9];
    let song = read_song(&file(1, 96, &[violin, flute])).unwrap();
    let drum = Voice { is_drum: true, program: 0, key: 36 };
    let voices: Vec<Voice> = song.notes.iter().map(|n| n.voice).collect();
    assert_eq!(voices[..2], [note(40, 60, 9, 0.0, 0.0).voice, note(73, 60, 9, 0.0, 0.0).voice]);
    assert_eq!(voices[2], drum);
    assert!((song.notes[1].end_s - 0.25).abs() < 1e-4 && (song.notes[0].end_s - 0.5).abs() < 1e-4);
    // With many more ports than possible nothing breaks.
    let mut many = vec![];
    for port in 0..128 {
        many.extend([0, 0xFF, 0x21, 1, port, 0, 0x90, port, 9]);
    }
    assert_eq!(read_song(&file(0, 96, &[&many])).unwrap().notes.len(), 128);
}

#[test]
fn volume_and_expression_are_controls_and_velocity_is_the_hands() {
    let track: &[u8] = &[
        0, 0xB0, 7, 50, 0, 0x90, 60, 100, 0, 0xB0, 11, 64, 0x10, 0x90, 62, 100, 0x10, 0xB0, 121, 0,
        0, 0x90, 64, 100, 0, 0xB0, 7, 0, 0x10, 0x90, 65, 100, 0, 0x91, 67, 100,
    ];
    let FileRead { song, events, .. } = read_mended(&file(0, 96, &[track])).unwrap();
    assert!(song.notes.iter().all(|n| n.velocity == 100));
    let of = |wanted: Control| -> Vec<f32> {
        let values = events.iter().filter_map(|event| match event.what {
            What::Control(control, value) if control == wanted => Some(value),
            _ => None,
        });
        values.collect()
    };
    assert_eq!(of(Control::Volume), [50.0 / 127.0, 0.0]);
    assert_eq!(of(Control::Expression), [64.0 / 127.0, 1.0]);
}

#[test]
fn patterns_are_played_one_after_the_other() {
    let song = read_song(&file(2, 96, &[ONE_NOTE, ONE_NOTE])).unwrap();
    close(&song, &[note(0, 60, 100, 0.0, 0.5), note(0, 60, 100, 0.5, 1.0)]);
}

#[test]
fn what_lies_far_away_makes_no_song_longer() {
    let far = [0xFF, 0xFF, 0xFF, 0x7F];
    for event in [&[0xFF, 0x2F, 0][..], &[0xFF, 0x51, 3, 7, 0, 0], &[0xFF, 1, 0], &[0xB0, 7, 9]] {
        let track = [&ONE_NOTE[..8], &far, event].concat();
        let FileRead { song, mended, .. } = read_mended(&file(0, 96, &[&track])).unwrap();
        close(&song, &[note(0, 60, 100, 0.0, 0.5)]);
        assert_eq!(song.total_time_s, song.notes[0].end_s);
        assert_eq!(mended.first.map(|m| m.damage), Some(Damage::TooLate), "{event:?}");
    }
    let hanging = [&ONE_NOTE[..4], &far, &[0xFF, 0x2F, 0]].concat();
    close(&read_song(&file(0, 96, &[&hanging])).unwrap(), &[note(0, 60, 100, 0.0, 60.0)]);
}

#[test]
fn a_written_song_is_read_back() {
    let mut notes: Vec<Note> = (0..40u8)
        .map(|n| {
            let start_s = f64::from(n) * 0.3;
            note(n % 20, 40 + n, 1 + n * 3, start_s, start_s + 0.5)
        })
        .collect();
    notes.push(note(3, 90, 64, 12.5, 13.0));
    let song = Song { notes: notes.clone(), total_time_s: 20.0 };
    let mut bytes = Vec::new();
    write_song(&song, &mut bytes).unwrap();
    close(&read_song(&bytes).unwrap(), &notes);
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(
        cuts in prop::collection::vec((0usize..200, any::<u8>()), 0..6),
        length in 0usize..200,
        tail in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let notes = (0..8).map(|n| note(n, 60, 9, f64::from(n), f64::from(n) + 0.5)).collect();
        let song = Song { notes, total_time_s: 9.0 };
        let mut bytes = Vec::new();
        write_song(&song, &mut bytes).unwrap();
        for (at, value) in cuts {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        bytes.truncate(length);
        bytes.extend(tail);
        if let Ok(song) = read_song(&bytes) {
            let end_s = song.total_time_s;
            prop_assert!(song.notes.iter().all(|n| n.end_s > n.start_s && n.end_s <= end_s));
        }
    }
}
