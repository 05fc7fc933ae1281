//! The MIDI reader: songs, tempo, damaged files, and that no bytes make it panic.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::midi_file::MidiFileError;
use super::{MIN_NOTE_S, Note, Song, Voice, read_song, write_song};

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
    let tempo: &[u8] = &[0x60, 0xFF, 0x51, 3, 0x03, 0xD0, 0x90, 0, 0xFF, 0x2F, 0]; // 250 ms from tick 96 on
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

/// What the reader says, with the start of the message.
fn refused(bytes: &[u8], wanted: fn(&MidiFileError) -> bool, message: &str) {
    let error = read_song(bytes).unwrap_err();
    assert!(wanted(&error), "{error:?}");
    assert!(error.to_string().contains(message), "{error}");
}

#[test]
fn damaged_files_are_refused_with_the_reason() {
    use MidiFileError as E;
    let good = file(0, 96, &[ONE_NOTE]);
    refused(b"", |e| matches!(e, E::NotMidi { .. }), "not with \"MThd\"");
    refused(b"RIFFxxxx", |e| matches!(e, E::NotMidi { .. }), "standard MIDI file");
    refused(b"MThd\0\0\0\x02\0\0", |e| matches!(e, E::BadHeader { found: 2 }), "2 bytes long");
    refused(
        &good[..good.len() - 1],
        |e| matches!(e, E::Truncated { offset: 14, .. }),
        "ends early",
    );
    refused(&good[..17], |e| matches!(e, E::Truncated { .. }), "at byte 14");
    refused(&good[..14], |e| matches!(e, E::MissingTracks { found: 0, declared: 1 }), "0 tracks");
    refused(&file(0, 96, &[]), |e| matches!(e, E::MissingTracks { .. }), "0 tracks");
    refused(&file(2, 96, &[ONE_NOTE]), |e| matches!(e, E::Format { found: 2 }), "as format 1");
    refused(&file(0, 0, &[ONE_NOTE]), |e| matches!(e, E::Division { .. }), "0x0000");
    refused(&file(0, 0xE700, &[ONE_NOTE]), |e| matches!(e, E::Division { .. }), "SMPTE");
    refused(&file(0, 0x8001, &[ONE_NOTE]), |e| matches!(e, E::Division { .. }), "SMPTE");
    let mut huge = good.clone();
    huge[18..22].copy_from_slice(&(1u32 << 30).to_be_bytes());
    refused(&huge, |e| matches!(e, E::Truncated { announced: 0x4000_0000, .. }), "1073741824");
}

#[test]
fn damaged_tracks_are_refused_with_the_reason() {
    use MidiFileError as E;
    let running: &[u8] = &[0, 60, 0];
    let bad = |e: &E| matches!(e, E::BadEvent { track: 2, offset: 42 });
    refused(&file(1, 96, &[&ONE_NOTE[..12], running]), bad, "track 2");
    let bad = |e: &E| matches!(e, E::BadEvent { track: 1, .. });
    refused(&file(0, 96, &[&[0, 0x90, 60]]), bad, "no MIDI event at byte 22");
    refused(&file(0, 96, &[&[0, 0x90, 60, 0x90]]), bad, "no MIDI event");
    refused(&file(0, 96, &[&[0, 0xFF, 0x01, 0xFF, 0xFF, 0xFF, 0x7F]]), bad, "no MIDI event");
    let stop: &[u8] = &[0, 0xFF, 0x51, 3, 0, 0, 0, 0, 0x90, 60, 9];
    refused(&file(0, 96, &[stop]), |e| matches!(e, E::ZeroTempo { .. }), "tempo 0 at tick 0");
    let far: &[u8] = &[0xFF, 0xFF, 0xFF, 0x7F, 0x90, 60, 9];
    refused(&file(0, 96, &[far]), |e| matches!(e, E::TooLong { .. }), "24 h");
    let silent: &[u8] = &[0, 0xFF, 0x2F, 0];
    refused(&file(0, 96, &[silent]), |e| matches!(e, E::Empty), "no notes");
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
        let song = Song { notes: (0..8).map(|n| note(n, 60, 9, f64::from(n), f64::from(n) + 0.5)).collect(), total_time_s: 9.0 };
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
            prop_assert!(song.notes.iter().all(|n| n.end_s > n.start_s && n.end_s <= song.total_time_s));
        }
    }
}
