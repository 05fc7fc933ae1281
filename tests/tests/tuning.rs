//! Scala files in the real program: the pitch of keys in rendered files and live, and later changes
//! by MIDI.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::Duration;

use midly::num::{u4, u7, u15, u28};
use midly::{Format, Header, MidiMessage, Smf, Timing, TrackEvent, TrackEventKind};
use timbred_tests::live::{Daemon, control};
use timbred_tests::pitch::cents;
use timbred_tests::program::Folder;

/// A scale in which A is 40 cents higher than in equal temperament on C.
const SCALE: &str = "! high_a.scl\n!\nA high A\n12\n100.\n200.\n300.\n400.\n500.\n600.\n700.\n\
                     800.\n940.\n1000.\n1100.\n2/1\n";
/// A map of the same keys with A4 at 430 Hz.
const MAP: &str = "12\n0\n127\n60\n69\n430.0\n12\n0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n";
const FLUTE: u8 = 73;
const A4: u8 = 69;
/// The message that tunes A4 a quarter tone higher (MIDI tuning standard, single note).
const QUARTER_TONE: [u8; 11] = [0x7F, 0x7F, 0x08, 0x02, 0, 1, A4, A4, 64, 0, 0xF7];

/// A MIDI file with A4 for two seconds after each of these system exclusive messages; an empty one
/// is left out.
fn song(messages: &[&[u8]]) -> Vec<u8> {
    let header = Header::new(Format::SingleTrack, Timing::Metrical(u15::new(500)));
    let mut smf = Smf::new(header);
    let channel = u4::new(0);
    let midi = |delta, message| TrackEvent {
        delta: u28::new(delta),
        kind: TrackEventKind::Midi { channel, message },
    };
    let mut track = vec![midi(0, MidiMessage::ProgramChange { program: u7::new(FLUTE) })];
    for message in messages {
        if !message.is_empty() {
            track.push(TrackEvent { delta: u28::new(0), kind: TrackEventKind::SysEx(message) });
        }
        let (key, vel) = (u7::new(A4), u7::new(100));
        track.push(midi(0, MidiMessage::NoteOn { key, vel }));
        track.push(midi(2000, MidiMessage::NoteOff { key, vel }));
    }
    smf.tracks.push(track);
    let mut bytes = vec![];
    smf.write_std(&mut bytes).unwrap();
    bytes
}

/// The left side of a WAV file, and its sample rate.
fn left(path: &Path) -> (Vec<f32>, f64) {
    let reader = hound::WavReader::open(path).unwrap();
    let (full, spec) = (2f32.powi(i32::from(reader.spec().bits_per_sample) - 1), reader.spec());
    let left = reader.into_samples::<i32>().step_by(usize::from(spec.channels));
    (left.map(|s| s.unwrap() as f32 / full).collect(), f64::from(spec.sample_rate))
}

/// The pitch of A4 in the sound from a time on, in cents relative to 440 Hz.
fn pitch(sound: &[f32], rate_hz: f64, from_s: f64) -> f64 {
    let piece = &sound[((from_s + 0.6) * rate_hz) as usize..((from_s + 1.8) * rate_hz) as usize];
    cents(piece, rate_hz, 440.0)
}

#[test]
fn a_rendered_file_is_tuned_until_midi_says_otherwise() {
    let folder = Folder::new();
    let reset: &[u8] = &[0x7E, 0x7F, 9, 1, 0xF7];
    folder.write("a.mid", &song(&[&[], &QUARTER_TONE, reset]));
    folder.write("high.scl", SCALE.as_bytes());
    std::fs::create_dir_all(folder.path("data/timbred/tunings")).unwrap();
    folder.write("data/timbred/tunings/low.scl", SCALE.as_bytes());
    folder.write("data/timbred/tunings/low.kbm", MAP.as_bytes());
    let low = 1200.0 * (430.0f64 / 440.0).log2();
    // The recorded flute itself is some cents sharp.
    let mut own = None;
    for (arguments, wanted) in [
        ("", [0.0, 50.0, 0.0]),
        ("--tuning high.scl", [40.0, 50.0, 40.0]),
        ("--tuning low", [low, 50.0, low]),
    ] {
        folder.run(&format!("render a.mid a.wav --rate 16000 --model live {arguments}")).well();
        let (sound, rate_hz) = left(&folder.path("a.wav"));
        for (n, wanted) in wanted.iter().enumerate() {
            let found = pitch(&sound, rate_hz, 2.0 * n as f64);
            let own = *own.get_or_insert(found);
            let moved = found - own;
            assert!(own.abs() < 8.0, "{own}");
            assert!((moved - wanted).abs() < 3.0, "{arguments}, note {n}: {moved} of {wanted}");
        }
    }
    folder.write("bad.scl", b"bad\n2\n9/8\ntwo\n");
    let words = ["bad.scl", "line 4", "\"two\"", "wanted a whole number"];
    folder.run("render a.mid b.wav --tuning bad.scl").failed(3, &words);
    folder.run("render a.mid b.wav --tuning none").failed(3, &["none", "no such file", "tunings"]);
}

#[test]
fn the_daemon_plays_the_scale_of_its_configuration_and_takes_another() {
    let scales = tempfile::tempdir().unwrap();
    let path = scales.path().join("high.scl");
    std::fs::write(&path, SCALE).unwrap();
    let daemon = Daemon::start(|command| {
        command.args(["--audio", "null", "--rate", "48000"]).env("TIMBRED_MIDI__TUNING", &path);
    });
    let say = |arguments: &[&str]| {
        let (code, text) = control(&daemon, arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {text}");
        text.trim().to_owned()
    };
    say(&["program", "1", "Flute"]);
    let played = |name: &str| {
        let wav = say(&["record", "start", name]);
        say(&["note", "1", &A4.to_string(), "100", "--ms", "2200"]);
        std::thread::sleep(Duration::from_millis(200));
        say(&["record", "stop"]);
        let (sound, rate_hz) = left(Path::new(&wav));
        pitch(&sound, rate_hz, 0.2)
    };
    let high = played("high.wav");
    assert!((high - 40.0).abs() < 8.0, "{high}");
    std::fs::write(&path, SCALE.replace("940.", "870.")).unwrap();
    say(&["reload"]);
    let low = played("low.wav");
    assert!((high - low - 70.0).abs() < 3.0, "{high} {low}");
    // A file that cannot be read changes nothing.
    std::fs::write(&path, "twelve").unwrap();
    let (code, text) = control(&daemon, &["reload"]);
    assert!(code != Some(0) && text.contains("midi.tuning"), "{text}");
    let found = played("still.wav");
    assert!((found - low).abs() < 3.0, "{found} {low}");
}
