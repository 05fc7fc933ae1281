//! The bundled model is small enough, becomes silent, and plays every live hop. `make evaluate`
//! measures its quality.
#![allow(clippy::unwrap_used)]

use timbre_models::notes::{FileRead, NoteEvent, Voice, read_mended};
use timbre_models::streamer::{StreamOptions, Streamer};
use timbre_models::units::SAMPLE_RATE_HZ;
use timbred_tests::bundled;

/// Plays one key from 0.1 s to 0.6 s and returns `seconds` of sound.
fn one_key(
    streamer: &mut Streamer,
    options: StreamOptions,
    velocity: u8,
    seconds: f64,
) -> Vec<f32> {
    streamer.restart(options).unwrap();
    let voice = Voice { is_drum: false, program: 0, key: 60 };
    streamer.push(NoteEvent { time_s: 0.1, voice, velocity });
    streamer.push(NoteEvent { time_s: 0.6, voice, velocity: 0 });
    let mut out = vec![];
    while out.len() < at(seconds) {
        out.extend_from_slice(streamer.hop().unwrap().samples);
    }
    out.truncate(at(seconds));
    out
}

fn at(seconds: f64) -> usize {
    (seconds * f64::from(SAMPLE_RATE_HZ)) as usize
}

fn level_db(samples: &[f32]) -> f64 {
    let power = samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / samples.len() as f64;
    10.0 * power.max(1e-18).log10()
}

#[test]
fn it_is_small_enough_to_ship() {
    assert!(bundled().size().unwrap() <= 16 << 20);
}

#[test]
fn it_falls_silent_two_seconds_after_the_last_release() {
    let bundle = bundled();
    let live = StreamOptions::live(&bundle).unwrap();
    let mut streamer = Streamer::new(&bundle, live).unwrap();
    for velocity in [20, 60, 120] {
        let sound = one_key(&mut streamer, live, velocity, 3.6);
        let silence = level_db(&sound[at(2.6)..]);
        assert!(silence < -60.0, "velocity {velocity}: {silence} dBFS");
    }
}

#[test]
fn a_harder_key_press_is_louder() {
    let bundle = bundled();
    let live = StreamOptions::live(&bundle).unwrap();
    let mut streamer = Streamer::new(&bundle, live).unwrap();
    let mut before = f64::MIN;
    for velocity in [20, 40, 60, 80, 100, 120] {
        let sound = one_key(&mut streamer, live, velocity, 0.6);
        let level = level_db(&sound[at(0.1)..]);
        assert!(level > before + 0.5, "velocity {velocity}: {level} after {before} dBFS");
        before = level;
    }
}

#[test]
fn it_plays_every_live_hop() {
    let bundle = bundled();
    let live = StreamOptions::live(&bundle).unwrap();
    let mut streamer = Streamer::new(&bundle, live).unwrap();
    for hop_frames in [1, 2, 3, 4, 8, 16] {
        let sound = one_key(&mut streamer, StreamOptions { hop_frames, ..live }, 100, 0.8);
        assert!(sound.iter().all(|s| s.is_finite()));
        let (before, during) = (level_db(&sound[..at(0.08)]), level_db(&sound[at(0.2)..at(0.5)]));
        assert!(during > before + 10.0, "{hop_frames} frames: {before} then {during} dBFS");
    }
}

/// Two files that differ only in controller 7, 127 and 20. In General MIDI this is a difference of
/// 32 dB.
#[test]
fn the_mix_of_a_file_is_heard() {
    let bundle = bundled();
    let options = StreamOptions::live(&bundle).unwrap();
    let mut streamer = Streamer::new(&bundle, options).unwrap();
    let mut level = |name: &str| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/cases/");
        let bytes = std::fs::read(format!("{folder}{name}")).unwrap();
        let FileRead { song, events, .. } = read_mended(&bytes).unwrap();
        streamer.restart(options).unwrap();
        events.into_iter().for_each(|event| streamer.event(event));
        let mut sound = vec![];
        while sound.len() < at(song.total_time_s) {
            sound.extend_from_slice(streamer.hop().unwrap().samples);
        }
        level_db(&sound)
    };
    let apart = level("mix_channel_volume_127.mid") - level("mix_channel_volume_20.mid");
    println!("{apart:.1} dB");
    assert!((apart - 32.1).abs() < 1.0, "{apart} dB");
}
