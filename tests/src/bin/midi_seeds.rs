//! Writes a few small MIDI files into the folder given as argument. They are the seeds of the fuzz
//! target midi_file.

use std::error::Error;
use std::path::PathBuf;

use timbre_models::notes::{Note, Song, Voice, write_song_file};

/// Two tracks with tempo, pedal, running status, a text, system exclusive and a drum, in SMPTE or
/// musical time.
fn two_tracks(division: u16) -> Vec<u8> {
    let tempo: &[u8] =
        &[0, 0xFF, 0x51, 3, 7, 0xA1, 0x20, 0, 0xFF, 1, 2, b'h', b'i', 0x60, 0xFF, 0x2F, 0];
    let notes: &[u8] = &[
        0, 0xC0, 5, 0, 0xB0, 64, 127, 0, 0x90, 60, 9, 0x30, 64, 9, 0, 60, 0, 0, 0x99, 36, 99, 0x10,
        0xB0, 66, 127, 0, 0xB0, 64, 0, 0, 0xF0, 2, 1, 0xF7, 0x81, 0, 0x80, 64, 0, 0, 0xB0, 123, 0,
        0, 0xFF, 0x2F, 0,
    ];
    let mut bytes = b"MThd\0\0\0\x06\0\x01\0\x02".to_vec();
    bytes.extend(division.to_be_bytes());
    for track in [tempo, notes] {
        bytes.extend(b"MTrk");
        bytes.extend((track.len() as u32).to_be_bytes());
        bytes.extend(track);
    }
    bytes
}

fn main() -> Result<(), Box<dyn Error>> {
    let dir = PathBuf::from(std::env::args_os().nth(1).ok_or("give the folder to write to")?);
    std::fs::create_dir_all(&dir)?;
    std::fs::write(dir.join("quarters.mid"), two_tracks(96))?;
    std::fs::write(dir.join("smpte.mid"), two_tracks(0xE728))?;
    let note = |n: u8| Note {
        voice: Voice { is_drum: n.is_multiple_of(5), program: n, key: 40 + n },
        velocity: 1 + n,
        start_s: f64::from(n) * 0.2,
        end_s: f64::from(n) * 0.2 + 0.5,
    };
    let song = Song { notes: (0..20).map(note).collect(), total_time_s: 6.0 };
    write_song_file(&song, dir.join("twenty_programs.mid"))?;
    Ok(())
}
