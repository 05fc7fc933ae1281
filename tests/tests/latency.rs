//! Measures the delay of keys on a real JACK server with a dummy driver, here and in FluidSynth.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use timbre_control::status::Status;
use timbre_models::notes::{Note, Song, Voice, write_song_file};
use timbred_tests::chords;
use timbred_tests::heard::{Heard, daemon, level_db, probe, probe_ports};
use timbred_tests::jack::JackServer;
use timbred_tests::live::control;
use timbred_tests::onsets::{find, onset, percentile};
use timbred_tests::program::timbred;

const RATE_HZ: usize = 48_000;
/// The silence before the keys in offline renderings, seconds.
const BEFORE_S: f64 = 0.5;

/// From this correlation on two sounds count as the same.
const SAME: f64 = 0.8;

/// Only one server runs at a time, because two daemons on two cores would disturb each other.
static ALONE: Mutex<()> = Mutex::new(());

/// The chords, at the same distances, as a program renders them offline; the first [`BEFORE_S`] are
/// silent. `make` gets a MIDI file and the path of the sound.
fn rendered(folder: &Path, chords: &[(String, usize)], make: impl Fn(&Path, &Path)) -> Vec<f32> {
    let notes = chords.iter().flat_map(|(chord, frame)| {
        let (channel, keys) = chord.split_once(':').unwrap();
        let channel: u8 = channel.parse().unwrap();
        let (is_drum, program) = (channel == 9, chords::program(channel));
        let start_s = BEFORE_S + *frame as f64 / RATE_HZ as f64;
        keys.split('+').map(move |key| {
            let voice = Voice { is_drum, program, key: key.parse().unwrap() };
            Note { voice, velocity: 100, start_s, end_s: start_s + chords::DOWN_S }
        })
    });
    let notes: Vec<Note> = notes.collect();
    let total_time_s = notes.last().unwrap().end_s + 1.0;
    let song = folder.join("chords.mid");
    write_song_file(&Song { notes, total_time_s }, &song).unwrap();
    let wav = song.with_extension("wav");
    make(&song, &wav);
    // The left side is the one that is compared.
    let mut wav = hound::WavReader::open(wav).unwrap();
    wav.samples().step_by(2).map(Result::unwrap).collect()
}

/// `timbred render --live`.
fn render(hop_ms: &str, song: &Path, wav: &Path) {
    let ran = Command::new(timbred())
        .args(["render", "--live", "--hop-ms", hop_ms, "--quiet", "--format", "32f"])
        .args([song, wav])
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

fn ms(samples: usize) -> f64 {
    samples as f64 / RATE_HZ as f64 * 1000.0
}

/// The delays of keys.
struct Lateness {
    /// The time from a key press to the beginning of its sound, less the same time in the
    /// rendering, and whether the sound is as rendered, which makes the time exact.
    times_ms: Vec<(bool, f64)>,
    /// The attack time of the instrument, which comes in addition, by key.
    attacks_ms: Vec<f64>,
    /// The delay that the daemon reports, ms.
    published_ms: Option<f64>,
    /// How many keys were not found in the recording, and how many sounded as in the rendering.
    missing: usize,
    same: usize,
    /// The gaps that the daemon counted, and the late cycles of the server. If there are any, the
    /// times have no meaning.
    gaps: u64,
    xruns: u64,
}

impl Lateness {
    fn percentile(&self, share: f64) -> f64 {
        percentile(&self.times_ms.iter().map(|(_, time)| *time).collect::<Vec<_>>(), share)
    }

    fn print(&self, name: &str) {
        let print = |of: &str, times_ms: Vec<f64>| {
            let [p5, median, p95] = [0.05, 0.5, 0.95].map(|share| percentile(&times_ms, share));
            let jitter = p95 - p5;
            println!("{name}{of} median {median:.1} ms p95 {p95:.1} ms jitter {jitter:.1} ms");
        };
        print("", self.times_ms.iter().map(|(_, time)| *time).collect());
        let exact = self.times_ms.iter().filter(|(is_same, _)| *is_same);
        print(", those as rendered:", exact.map(|(_, time)| *time).collect());
        println!(
            "{name} {} as rendered, {} not found, {} gaps, {} late cycles of the server",
            self.same, self.missing, self.gaps, self.xruns
        );
        if let Some(published_ms) = self.published_ms {
            println!("{name} latency_ms as published: {published_ms:.1}");
        }
        let [first, last] = [0.0, 1.0].map(|share| percentile(&self.attacks_ms, share));
        println!("{name} the instruments' own attacks, not counted: {first:.1} to {last:.1} ms");
    }
}

/// Plays `notes` to the daemon, finds each rendered chord in the recording, and compares the times
/// at which both begin.
fn key_to_sound(notes: u32, hop_ms: &str, lead_ms: Option<&str>, mode: &[&str]) -> Lateness {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let server = JackServer::start(128);
    let daemon = daemon(&server, &["--hop-ms", hop_ms], lead_ms);
    let status =
        || -> Status { serde_json::from_str(&control(&daemon, &["--json", "status"]).1).unwrap() };
    let folder = tempfile::tempdir().unwrap();
    let before = status();
    let heard = probe(&server, folder.path(), notes, mode);
    let after = status();
    let end = level_db(&heard.sound[heard.sound.len() - RATE_HZ / 10..]);
    assert!(end < -40.0, "{end} dBFS a second after the last note");
    let mut lateness = lateness(&heard, folder.path(), |song, wav| render(hop_ms, song, wav));
    lateness.gaps = after.underruns - before.underruns;
    lateness.published_ms = Some(after.latency_ms);
    lateness
}

/// The delay of each chord of a recording, compared with the rendering by `make`. What is compared
/// begins with the key press and includes the ends of chords before.
fn lateness(heard: &Heard, folder: &Path, make: impl Fn(&Path, &Path)) -> Lateness {
    let Heard { keys, sound, xruns } = heard;
    let whole = rendered(folder, keys, make);
    let (mut times_ms, mut attacks_ms) = (vec![], vec![]);
    let (mut missing, mut same) = (0, 0);
    for (chord, frame) in keys {
        let start = frame + (BEFORE_S * RATE_HZ as f64) as usize;
        let key_sound = &whole[start..start + RATE_HZ / 10];
        let (at, likeness) = find(sound, *frame, RATE_HZ / 2, key_sound);
        // A sound that is the same as in the rendering is where the correlation is highest. If the
        // noise is different, that position may be off by a period, so the onsets of both are
        // compared instead.
        let is_same = likeness >= SAME;
        let begins = onset(&whole, start, RATE_HZ / 10, RATE_HZ).map(|at| ms(at - start));
        let heard_begins = onset(sound, *frame, RATE_HZ / 5, RATE_HZ).map(|at| ms(at - frame));
        let late_ms = match (is_same, heard_begins, begins) {
            (true, ..) => Some(ms(at - frame)),
            (false, Some(heard_ms), Some(begins_ms)) => Some(heard_ms - begins_ms),
            _ => None,
        };
        // Drums are noise, which is different each time.
        let is_found = likeness >= if chord.starts_with("9:") { 0.1 } else { 0.2 };
        let Some(late_ms) = late_ms.filter(|_| is_found) else {
            println!("{chord} at {frame} is not found: likeness {likeness:.2}");
            missing += 1;
            continue;
        };
        times_ms.push((is_same, late_ms));
        attacks_ms.extend(begins);
        same += usize::from(is_same);
    }
    let xruns = (*xruns).into();
    Lateness { times_ms, attacks_ms, published_ms: None, missing, same, gaps: 0, xruns }
}

/// FluidSynth on the same kind of server with the same notes. Its file player begins late by an
/// unknown time, by which the delays are too short, so only their spread can be compared.
fn fluidsynth(notes: u32, mode: &[&str]) -> Lateness {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let server = JackServer::start(128);
    let soundfont = "/usr/share/sounds/sf2/FluidR3_GM.sf2";
    let settings = ["-r", "48000", "-o", "synth.midi-channels=16"];
    let mut synth = server
        .in_env(&mut Command::new("fluidsynth"))
        .args(["-a", "jack", "-m", "jack", "-o", "audio.jack.autoconnect=0"])
        .args(settings)
        .arg(soundfont)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("fluidsynth, which `make latency` installs");
    let input = server.wait_for_port("fluidsynth", "midi_00");
    let output = server.wait_for_port("fluidsynth", "left");
    let folder = tempfile::tempdir().unwrap();
    let heard = probe_ports(&server, folder.path(), [&input, &output], notes, mode);
    synth.kill().unwrap();
    synth.wait().unwrap();
    lateness(&heard, folder.path(), |song, wav| {
        let mut offline = Command::new("fluidsynth");
        offline.args(["-ni", "-O", "float", "-T", "wav", "-F"]).arg(wav).args(settings);
        assert!(offline.arg(soundfont).arg(song).output().unwrap().status.success());
    })
}

#[test]
fn every_key_is_heard() {
    // With a lead that is long enough for a busy machine, every key has the same delay. If the
    // server itself was late, the test is repeated.
    for _ in 0..3 {
        let heard = key_to_sound(20, "20", Some("120"), &[]);
        heard.print("H = 1");
        assert!(heard.missing <= 10, "{} of 20 are missing", heard.missing);
        if heard.gaps + heard.xruns > 0 {
            continue;
        }
        let [low, median, high] = [0.25, 0.5, 0.75].map(|share| heard.percentile(share));
        let (times_ms, published_ms) = (&heard.times_ms, heard.published_ms.unwrap());
        assert!(heard.missing <= 2, "{} of 20 are missing", heard.missing);
        assert!(
            (median - published_ms).abs() < 5.0,
            "{median} for {published_ms} ms: {times_ms:?}"
        );
        assert!(high - low < 3.0, "{times_ms:?}");
        return;
    }
    println!(
        "this machine lost time in every attempt: keys were found, how late they were is not judged"
    );
}

/// `make latency`: 400 chords of one to eight keys.
#[test]
#[ignore = "a measurement: make latency"]
fn latency() {
    key_to_sound(400, "20", None, &["mixed"]).print("H = 1");
    fluidsynth(400, &["mixed"]).print("FluidSynth");
}
