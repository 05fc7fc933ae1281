//! Any bytes as a MIDI file, as live messages and as a song to encode give errors, but no panic and
//! not too much output.
#![no_main]

use libfuzzer_sys::fuzz_target;
use timbre_models::event::{Event, What};
use timbre_models::notes::{Keyboard, read_song, write_song};
use timbre_models::tokens::{HeldStyle, Rounding, TokenOptions, song_segments};

fuzz_target!(|bytes: &[u8]| {
    let mut keyboard = Keyboard::new();
    let mut sounding = std::collections::HashSet::new();
    let mut keep = |event: Event| match event.what {
        What::On(strike) if strike.voice.is_drum => {}
        What::On(strike) => assert!(sounding.insert(strike.note), "struck twice"),
        What::Off(note) => assert!(sounding.remove(&note), "released twice"),
        What::Control(_, value) | What::KeyPressure(_, value) | What::Retune(_, value) => {
            assert!(value.is_finite());
        }
        What::Silence => {}
    };
    // Messages of any length, which the first byte of each gives, so that system exclusive messages
    // are complete, cut off, too long, or have real-time bytes in them.
    let mut rest = bytes;
    while let Some((length, after)) = rest.split_first() {
        let (message, after) = after.split_at(after.len().min(1 + usize::from(length % 32)));
        let _ = keyboard.feed_bytes(0.0, message, &mut keep);
        rest = after;
    }
    keyboard.release_all(1.0, &mut keep);
    assert!(sounding.is_empty(), "a note hangs");

    let Ok(song) = read_song(bytes) else { return };
    for note in &song.notes {
        assert!(
            note.start_s >= 0.0 && note.end_s > note.start_s && note.end_s <= song.total_time_s
        );
    }
    // After writing and reading there are as many notes, unless rounding to 0.1 ms joined some.
    let mut written = Vec::new();
    if song.total_time_s < 3600.0 && write_song(&song, &mut written).is_ok() {
        let again = read_song(&written);
        assert!(again.is_ok_and(|again| again.notes.len() <= song.notes.len()));
    }
    let options = TokenOptions {
        max_tokens: 64,
        velocity_bins: 127,
        rounding: Rounding::Floor,
        held: HeldStyle::KeyVelocityAge,
        ..TokenOptions::default()
    };
    let total_time_s = song.total_time_s.min(60.0);
    for segment in song_segments(&song.notes, total_time_s, 256, &options) {
        assert!(segment.ids.len() <= 65 && segment.ids.last() == Some(&1));
    }
});
