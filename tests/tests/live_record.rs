//! Recordings of the real daemon: the sound of a note, and the note, at the same time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use timbre_models::notes::{Song, read_song_file};
use timbred_tests::live::{Daemon, control};
use timbred_tests::onsets::onset;
use timbred_tests::program::timbred;

const RATE_HZ: u32 = 44_100;

fn daemon() -> Daemon {
    Daemon::start(|command| {
        command.args(["--audio", "null", "--rate", &RATE_HZ.to_string()]);
    })
}

/// The output of `timbrectl`, which must succeed.
fn said(daemon: &Daemon, arguments: &[&str]) -> String {
    let (code, text) = control(daemon, arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {text}");
    text.trim().to_owned()
}

fn samples(wav: &Path) -> Vec<f32> {
    let reader = hound::WavReader::open(wav).unwrap();
    let spec = reader.spec();
    assert_eq!((spec.sample_rate, spec.bits_per_sample, spec.channels), (RATE_HZ, 24, 2));
    let left = reader.into_samples::<i32>().step_by(2);
    left.map(|s| s.unwrap() as f32 / 8_388_608.0).collect()
}

fn song(wav: &Path) -> Song {
    read_song_file(wav.with_extension("mid")).unwrap()
}

#[test]
fn a_note_is_in_both_files_at_the_time_of_its_sound() {
    let mut daemon = daemon();
    // The master does not affect the recording.
    said(&daemon, &["set", "/master/mute", "on"]);
    said(&daemon, &["program", "3", "Harpsichord"]);
    let wav = PathBuf::from(said(&daemon, &["record", "start"]));
    let folder = daemon.home().join(".local/share/timbred/recordings");
    assert_eq!(wav.parent(), Some(folder.as_path()));
    assert_eq!(said(&daemon, &["record", "status"]), format!("on {}", wav.display()));
    std::thread::sleep(Duration::from_millis(700));
    said(&daemon, &["note", "3", "69", "110", "--ms", "600"]);
    std::thread::sleep(Duration::from_millis(500));
    said(&daemon, &["record", "stop"]);
    assert_eq!(said(&daemon, &["record", "status"]), "off");

    let (sound, song) = (samples(&wav), song(&wav));
    let [note] = song.notes.as_slice() else { panic!("{song:?}") };
    assert_eq!((note.voice.program, note.voice.key), (6, 69));
    assert!((0.5..0.75).contains(&(note.end_s - note.start_s)), "{note:?}");
    let rate_hz = RATE_HZ as usize;
    let at = onset(&sound, 0, sound.len() - rate_hz / 10, rate_hz).expect("a sound");
    let late_s = at as f64 / f64::from(RATE_HZ) - note.start_s;
    assert!((-0.015..0.06).contains(&late_s), "the sound is {late_s} s after its note");

    // A name that exists already, and the end of the program.
    let again = wav.display().to_string();
    let (code, text) = control(&daemon, &["record", "start", &again]);
    assert!(code == Some(1) && text.contains("nothing is overwritten"), "{text}");
    let wav = PathBuf::from(said(&daemon, &["record", "start", "second"]));
    said(&daemon, &["note", "3", "60", "110", "--ms", "300"]);
    daemon.signal("TERM");
    assert_eq!(daemon.ended(), Some(0), "{}", daemon.log());
    assert!(samples(&wav).iter().any(|s| s.abs() > 0.001));
    assert_eq!(self::song(&wav).notes.len(), 1);
}

#[test]
fn a_crash_loses_seconds_at_most() {
    let mut daemon = daemon();
    let wav = PathBuf::from(said(&daemon, &["record", "start", "take.wav"]));
    said(&daemon, &["note", "1", "60", "110", "--ms", "300"]);
    let patience = Instant::now();
    // The file is flushed to the disk every two seconds.
    while samples(&wav).len() < 4 * RATE_HZ as usize {
        assert!(patience.elapsed() < Duration::from_secs(15), "{}", daemon.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    daemon.signal("KILL");
    daemon.ended();
    assert!(samples(&wav).iter().any(|s| s.abs() > 0.001));
    assert_eq!(song(&wav).notes.len(), 1);
}

/// The level of a part of a file, dB.
fn level(wav: &Path, from_s: f64, to_s: f64) -> f64 {
    let all = samples(wav);
    let at = |s: f64| (s * f64::from(RATE_HZ)) as usize;
    let piece = &all[at(from_s)..at(to_s)];
    let power: f64 = piece.iter().map(|x| f64::from(*x).powi(2)).sum();
    10.0 * (power / piece.len() as f64 + 1e-20).log10()
}

#[test]
fn a_recording_renders_as_loud_as_it_was_played() {
    let daemon = daemon();
    let folder = tempfile::tempdir().unwrap();
    said(&daemon, &["program", "1", "Flute"]);
    let mut levels = vec![];
    for (n, settings) in [
        // The level is below the threshold of the leveler, which depends on the sound before.
        &[("/ch/1/gain", "-12")][..],
        &[("/ch/1/gain", "-26.5")],
        &[("/ch/1/gain", "-12"), ("/ch/1/morph/program", "56"), ("/ch/1/morph/amount", "1")],
    ]
    .iter()
    .enumerate()
    {
        settings.iter().for_each(|(address, value)| drop(said(&daemon, &["set", address, value])));
        let path = folder.path().join(format!("take-{n}.wav"));
        let wav = PathBuf::from(said(&daemon, &["record", "start", path.to_str().unwrap()]));
        said(&daemon, &["note", "1", "69", "100", "--ms", "1500"]);
        said(&daemon, &["record", "stop"]);
        let start_s = song(&wav).notes[0].start_s;
        let rendered = folder.path().join(format!("again-{n}.wav"));
        let mut command = Command::new(timbred());
        command.arg("render").arg(wav.with_extension("mid")).arg(&rendered);
        let rate = RATE_HZ.to_string();
        command.args(["--live", "--quiet", "--format", "24", "--rate", &rate]);
        assert!(command.status().unwrap().success());
        let both = [&wav, &rendered].map(|wav| level(wav, start_s + 0.4, start_s + 1.3));
        assert!((both[0] - both[1]).abs() < 0.5, "{settings:?}: {both:?}");
        levels.push(both[0]);
    }
    assert!((levels[0] - levels[1] - 14.5).abs() < 1.0, "{levels:?}");
    assert!((levels[0] - levels[2]).abs() > 1.0, "a trumpet is not as loud as a flute: {levels:?}");
}
