//! Inputs that once failed (`tests/cases`, each with a line that says what is right), and how they
//! must be read now.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;

use timbre_models::notes::{FileRead, read_mended};

fn case(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/cases")).join(name)
}

/// Every MIDI file, its number of strikes, and whether it is a complete file of format 0 or 1.
const FILES: [(&str, usize, bool); 22] = [
    ("controller_2_hours_after_song.mid", 8, true),
    ("cut_off_before_end_of_track.mid", 8, false),
    ("cut_off_inside_an_event.mid", 8, false),
    ("databyte_80_in_note.mid", 9, false),
    ("databyte_ff_in_program_change.mid", 8, false),
    ("end_of_track_at_16_days.mid", 8, false),
    ("format2_one_pattern.mid", 8, false),
    ("header_says_5_tracks_has_2.mid", 8, false),
    ("key_signature_of_0_bytes.mid", 8, false),
    ("last_sysex_longer_than_track.mid", 8, false),
    ("macbinary_header_128_bytes.mid", 8, false),
    ("mix_channel_volume_127.mid", 8, true),
    ("mix_channel_volume_20.mid", 8, true),
    ("realtime_f8_inside_a_track.mid", 8, false),
    ("riff_rmid_wrapper.mid", 8, false),
    ("running_status_kept_over_lyric.mid", 2, false),
    ("smpte_offset_hour_31.mid", 8, false),
    ("tempo_0.mid", 8, false),
    ("tempo_event_at_16_days.mid", 8, false),
    ("track_length_3_too_many.mid", 8, false),
    ("track_length_6_too_few.mid", 8, false),
    ("two_ports_ff21_unison.mid", 16, true),
];

#[test]
fn every_file_is_heard_whole() {
    for (name, strikes, is_whole) in FILES {
        let bytes = std::fs::read(case(name)).unwrap();
        let FileRead { song, mended, .. } =
            read_mended(&bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        println!("{name}: {} strikes, {mended}", song.notes.len());
        assert_eq!(song.notes.len(), strikes, "{name}: {mended}");
        assert_eq!(mended.strictly().is_ok(), is_whole, "{name}: {mended}");
        assert!(song.total_time_s < 60.0, "{name} lasts {} s", song.total_time_s);
    }
}
