//! The bundled model is small enough, becomes silent, and plays every live hop. `make evaluate`
//! measures its quality.
#![allow(clippy::unwrap_used)]

use timbre_models::bundle::Bundle;
use timbre_models::mel::MelFrontEnd;
use timbre_models::notes::{FileRead, NoteEvent, Voice, read_mended};
use timbre_models::streamer::{StreamOptions, Streamer};
use timbre_models::units::{FRAME_SAMPLES, HOP_SAMPLES, MEL_BINS, SAMPLE_RATE_HZ};
use timbred_tests::{BUNDLED, bundled};

/// How much louder than its mel a sound may be, dB.
const LOUDER_DB: f32 = 8.0;
/// How far the levels of strokes of one drum may lie apart, dB.
const STROKES_DB: f64 = 4.0;

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

/// The loudness of a mel frame, dB.
fn mel_db(log_mel: &[f32]) -> f32 {
    10.0 * log_mel.iter().map(|v| (2.0 * v).exp()).sum::<f32>().max(1e-6).log10()
}

/// A key that is struck must not bang: the sound is at most a little louder than the mel from which
/// it is made.
#[test]
fn no_key_of_any_program_is_louder_than_its_mel() {
    let bundle = bundled();
    let live =
        StreamOptions { hop_frames: 1, is_wide: false, ..StreamOptions::live(&bundle).unwrap() };
    let mut streamer = Streamer::new(&bundle, live).unwrap();
    let (mut front_end, mut louder) = (MelFrontEnd::new(), vec![]);
    for program in 0..128 {
        for key in [36 + program % 24, 60 + program % 12, 72 + program % 24] {
            streamer.restart(live).unwrap();
            let voice = Voice { is_drum: false, program, key };
            let press_s = 0.1 + 0.001 * f64::from(key % 20);
            streamer.push(NoteEvent { time_s: press_s, voice, velocity: 100 });
            streamer.push(NoteEvent { time_s: press_s + 0.25, voice, velocity: 0 });
            let (mut asked, mut sound) = (vec![], vec![]);
            for _ in 0..25 {
                let hop = streamer.hop().unwrap();
                asked.push(mel_db(hop.mel));
                sound.extend_from_slice(hop.samples);
            }
            // The frame and those around it, as a filter may ring for 60 ms.
            for (n, asked) in asked.windows(5).enumerate() {
                let end = (n + 4) * HOP_SAMPLES;
                let mut mel = [0.0; MEL_BINS];
                front_end.frame_into(&sound[end - FRAME_SAMPLES..end], &mut mel);
                let by = mel_db(&mel) - asked.iter().fold(-30f32, |a, b| a.max(*b));
                if by > LOUDER_DB {
                    louder.push(format!("program {program}, key {key}, frame {}: {by:.1}", n + 3));
                }
            }
        }
    }
    assert!(louder.is_empty(), "dB louder than its mel:\n{}", louder.join("\n"));
}

/// The loudest 10 ms after a key press `at_s` seconds after the start of a stream, dB.
fn attack_db(streamer: &mut Streamer, options: StreamOptions, voice: Voice, at_s: f64) -> f64 {
    streamer.restart(options).unwrap();
    streamer.push(NoteEvent { time_s: at_s, voice, velocity: 100 });
    let mut sound = vec![];
    while sound.len() < at(at_s + 0.12) {
        sound.extend_from_slice(streamer.hop().unwrap().samples);
    }
    let parts = sound[at(at_s)..at(at_s + 0.12)].chunks(at(0.01));
    parts.map(level_db).fold(f64::MIN, f64::max)
}

/// Neither the beginning of a stream nor the place in a frame changes how loud a note begins.
#[test]
fn a_key_sounds_the_same_whenever_it_is_pressed() {
    let bundle = bundled();
    let live = StreamOptions { is_wide: false, ..StreamOptions::live(&bundle).unwrap() };
    let mut streamer = Streamer::new(&bundle, live).unwrap();
    for (program, key) in [(0, 60), (0, 72), (4, 55), (19, 60), (27, 65), (48, 60)] {
        let voice = Voice { is_drum: false, program, key };
        let later = attack_db(&mut streamer, live, voice, 1.0);
        for at_s in [0.0, 0.01, 0.04, 1.005, 1.01, 1.015, 1.0175, 1.02] {
            let by = attack_db(&mut streamer, live, voice, at_s) - later;
            assert!(by.abs() < 3.0, "program {program}, key {key}, {at_s} s: {by:.1} dB");
        }
    }
}

/// The 0.3 s after a drum was struck `at_s` seconds after the start of a stream.
fn stroke(streamer: &mut Streamer, options: StreamOptions, drum: (u8, u8), at_s: f64) -> Vec<f32> {
    streamer.restart(options).unwrap();
    let voice = Voice { is_drum: true, program: drum.0, key: drum.1 };
    streamer.push(NoteEvent { time_s: at_s, voice, velocity: 100 });
    let mut sound = vec![];
    while sound.len() < at(at_s + 0.3) {
        sound.extend_from_slice(streamer.hop().unwrap().samples);
    }
    sound[at(at_s)..at(at_s + 0.3)].to_vec()
}

/// The body of these drums is a few periods, which would have another level in each stroke if they
/// were noise.
#[test]
fn strokes_of_a_drum_are_equally_loud() {
    let bundle = bundled();
    let live = StreamOptions { is_wide: false, ..StreamOptions::live(&bundle).unwrap() };
    let mut streamer = Streamer::new(&bundle, live).unwrap();
    for drum in [(0, 35), (0, 36), (0, 38), (0, 40), (16, 36), (24, 38), (25, 36), (40, 38)] {
        let times = (0..16).map(|n| 0.3 + 0.0513 * f64::from(n));
        let levels = times.map(|at_s| level_db(&stroke(&mut streamer, live, drum, at_s)));
        let (least, most) =
            levels.fold((f64::MAX, f64::MIN), |(a, b), level| (a.min(level), b.max(level)));
        assert!(most - least < STROKES_DB, "{drum:?}: {:.1} dB", most - least);
    }
}

#[test]
fn a_kit_has_drums_of_its_own_and_shares_the_others() {
    let bundle = bundled();
    let live = StreamOptions { is_wide: false, ..StreamOptions::live(&bundle).unwrap() };
    let mut streamer = Streamer::new(&bundle, live).unwrap();
    let mut of = |kit, key| stroke(&mut streamer, live, (kit, key), 0.1);
    for kit in [8, 16, 24, 25, 32, 40, 48] {
        assert_ne!(of(kit, 36), of(0, 36), "the bass drum of kit {kit}");
        assert_eq!(of(kit, 70), of(0, 70), "the maracas of kit {kit}");
    }
    assert_eq!(of(19, 38), of(16, 38), "a variation");
    assert_eq!(of(60, 38), of(0, 38), "a kit that does not exist");
}

#[test]
fn a_manifest_with_more_drums_than_the_tables_is_refused() {
    let to = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(BUNDLED).unwrap().map(|entry| entry.unwrap().path()) {
        std::fs::copy(&file, to.path().join(file.file_name().unwrap())).unwrap();
    }
    let manifest = to.path().join("manifest.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let more = text.replacen("[[kits]]", "[[kits]]\nprogram = 1\nkeys = [35]\n\n[[kits]]", 1);
    assert_ne!(more, text);
    std::fs::write(&manifest, more).unwrap();
    let bundle = Bundle::open(to.path()).unwrap();
    let live = StreamOptions::live(&bundle).unwrap();
    let error = Streamer::new(&bundle, live).unwrap_err().to_string();
    assert!(error.contains("which the kits of the manifest need"), "{error}");
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
