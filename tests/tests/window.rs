//! Live mode of a model that only knows full targets, with the golden checkpoint, both streamed and
//! in the real daemon.
#![allow(clippy::unwrap_used)]

use timbre_models::bundle::Bundle;
use timbre_models::bundle::manifest::Manifest;
use timbre_models::denoise::held::Held;
use timbre_models::denoise::noise::SeededNoise;
use timbre_models::denoise::sampler::{Sampler, SamplerKind, SamplerOptions};
use timbre_models::denoise::schedule::Schedule;
use timbre_models::denoise::step::Prediction;
use timbre_models::mel::FeatureRange;
use timbre_models::notes::{NoteEvent, Voice};
use timbre_models::streamer::{StreamOptions, Streamer};
use timbre_models::timeline::Timeline;
use timbre_models::tokens::encode_segment;
use timbred_tests::bundle::{random_bundle, tiny_manifest};
use timbred_tests::golden_dir;
use timbred_tests::live::{Daemon, control, wait_for};
use timbred_tests::npz::worst;
use timbred_tests::program::Folder;

/// The golden checkpoint as a model, in a folder that exists as long as the test.
fn model() -> (Folder, Bundle) {
    let folder = Folder::new();
    let zip = golden_dir().join("checkpoint/tiny_with_context.zip");
    folder.run(&format!("import {} --out golden", zip.display())).well();
    let bundle = Bundle::open(folder.path("golden")).unwrap();
    (folder, bundle)
}

fn options(bundle: &Bundle) -> StreamOptions {
    StreamOptions { hop_frames: 3, steps: 2, seed: 3, ..StreamOptions::live(bundle).unwrap() }
}

/// Eight notes, each softer than the one before, some of which are longer than a window.
fn events() -> Vec<NoteEvent> {
    let note = |n: u8| {
        let voice = Voice { is_drum: n == 3, program: 5 * n, key: 50 + 3 * n };
        let at = |time_s, velocity| NoteEvent { time_s, voice, velocity };
        let start_s = 0.11 * f64::from(n);
        [at(start_s, 120 - 14 * n), at(start_s + 0.07 * f64::from(n + 1), 0)]
    };
    let all = (0..8).flat_map(note);
    let mut all: Vec<_> = all.filter(|e| !(e.voice.is_drum && e.velocity == 0)).collect();
    all.sort_by(|a, b| a.time_s.total_cmp(&b.time_s));
    all
}

#[test]
fn each_hop_is_what_a_full_target_has_behind_the_frames_already_played() {
    let (_folder, bundle) = model();
    let options = options(&bundle);
    let target = bundle.manifest().network.target_frames;
    let mut streamer = Streamer::new(&bundle, options).unwrap();
    events().into_iter().for_each(|event| streamer.push(event));
    let mut network = bundle.network().unwrap();
    let schedule = Schedule::new(options.steps, options.spacing).unwrap();
    network.film_table(&schedule).unwrap();
    assert_eq!((options.sampler, options.guidance), (SamplerKind::Ddim, 2.0));
    let mut played: Vec<f32> = vec![];
    for hop in 0..20 {
        let made = streamer.hop().unwrap().mel.to_vec();
        let position = hop * options.hop_frames;
        let start = (position + options.hop_frames).saturating_sub(target);
        let mut notes = Timeline::new(&bundle.manifest().tokens);
        let end_s = (position + options.hop_frames) as f64 * 0.02;
        let is_known = |e: &NoteEvent| (e.time_s * 100.0).round() < (end_s * 100.0).round();
        events().into_iter().filter(is_known).for_each(|event| notes.push(event));
        notes.cut(0, 2 * start as u64);
        let cut = notes.cut(2 * start as u64, 2 * (start + target) as u64);
        let mut ids = vec![];
        encode_segment(&cut, &bundle.manifest().tokens, &mut ids);
        let (context, held) = played.split_at(start * 128);
        let context = &context[context.len().saturating_sub(options.context_frames * 128)..];
        network.encode(&ids, context).unwrap();
        let mut sampler = Sampler::new(SamplerOptions {
            kind: options.sampler,
            prediction: Prediction::Eps,
            guidance_weight: options.guidance,
            clip_x0: true,
        });
        let mut noise = SeededNoise::new(options.seed, hop as u64);
        let (mut z, mut known) = (vec![0.0; target * 128], Held::new(held));
        let hold = &mut |level: &_, z: &mut [f32]| known.put(level, z);
        sampler.sample(&schedule, &mut network, &mut noise, &mut z, hold).unwrap();
        let mut wanted = z[held.len()..][..made.len()].to_vec();
        played.extend_from_slice(&wanted);
        FeatureRange::default().unscale_slice(&mut wanted, true);
        assert!(made == wanted, "hop {hop}: {:e} apart", worst(&made, &wanted));
    }
}

#[test]
fn events_fed_just_in_time_sound_the_same_and_what_is_played_stays() {
    let (_folder, bundle) = model();
    let options = options(&bundle);
    let play = |events: &[NoteEvent], just_in_time: bool| {
        let mut streamer = Streamer::new(&bundle, options).unwrap();
        let mut queue = events.iter().peekable();
        let mut samples = vec![];
        for hop in 1..25 {
            let end_s = f64::from(hop * options.hop_frames as u32) * 0.02;
            while let Some(event) = queue.next_if(|e| !just_in_time || e.time_s < end_s) {
                streamer.push(*event);
            }
            samples.extend_from_slice(streamer.hop().unwrap().samples);
        }
        samples
    };
    let (mut events, hop) = (events(), options.hop_frames * 320);
    let whole = play(&events, false);
    assert_eq!(whole, play(&events, true));
    // With another last note nothing before its hop differs, but its hop does.
    let last = events.len() - 1;
    let at = (events[last].time_s * 50.0) as usize / options.hop_frames;
    events[last].voice.key += 5;
    let other = play(&events, true);
    assert!(whole[..at * hop] == other[..at * hop] && whole[at * hop..] != other[at * hop..]);
}

#[test]
fn without_a_note_in_the_window_it_is_silent_and_idle() {
    let (_folder, bundle) = model();
    let mut streamer = Streamer::new(&bundle, options(&bundle)).unwrap();
    let silence = streamer.hop().unwrap().samples.to_vec();
    assert!(streamer.is_idle() && silence.iter().all(|s| s.abs() < 1e-3));
    events().into_iter().for_each(|event| streamer.push(event));
    streamer.hop().unwrap();
    assert!(!streamer.is_idle());
    for _ in 0..60 {
        streamer.hop().unwrap();
    }
    assert!(streamer.is_idle(), "the last note is more than a window ago");
}

#[test]
fn a_soft_note_is_softer_though_the_network_does_not_hear_it() {
    let (_folder, bundle) = model();
    let power = |velocity| {
        let mut streamer = Streamer::new(&bundle, options(&bundle)).unwrap();
        let voice = Voice { is_drum: false, program: 0, key: 60 };
        streamer.push(NoteEvent { time_s: 0.0, voice, velocity });
        let hops = (0..8).flat_map(|_| streamer.hop().unwrap().samples.to_vec());
        hops.map(|s| s * s).sum::<f32>()
    };
    let db = 10.0 * (power(100) / power(50)).log10();
    // The vocoder distorts a mel that is not from music.
    assert!((8.0..14.0).contains(&db), "{db} dB for half the velocity, wanted about 12");
}

#[test]
fn hops_longer_than_a_second_play_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut manifest = Manifest { prior: None, ..tiny_manifest() };
    manifest.network.prior = false;
    let live = manifest.live.as_mut().unwrap();
    (live.window, live.max_hop_frames) = (true, manifest.network.target_frames);
    random_bundle(folder.path(), manifest);
    let daemon = Daemon::start(|command| {
        command.args(["--audio", "null", "--hop-ms", "1280", "--model"]).arg(folder.path());
    });
    assert!(daemon.log().contains("hops of 1280 ms"), "{}", daemon.log());
    // What the device took, and what of it was from the stream.
    let played = || {
        let (_, said) = control(&daemon, &["--json", "status"]);
        let status: serde_json::Value = serde_json::from_str(&said).unwrap();
        ["frames_played", "stream_frames"].map(|name| status[name].as_u64().unwrap())
    };
    wait_for("the stream", || played()[1] > 0);
    let before = played();
    wait_for("the third hop", || played()[1] > 3 * 48_000);
    let after = played();
    let [device, stream] = [0, 1].map(|n| (after[n] - before[n]) as f64);
    // A busy machine wakes the model late now and then, which is a gap of milliseconds. What a ring
    // for one second of a longer hop cannot take would be a quarter of the sound.
    assert!(stream > 0.95 * device, "{stream} of {device} frames: {}", daemon.log());
}

#[test]
fn the_daemon_plays_an_imported_model() {
    let (_folder, bundle) = model();
    let location = bundle.location();
    let daemon = Daemon::start(|command| {
        command.args(["--audio", "null", "--model", &location]);
    });
    assert!(daemon.log().contains("hops of 160 ms"), "{}", daemon.log());
    let (code, said) = control(&daemon, &["note", "1", "c4", "100"]);
    assert_eq!(code, Some(0), "{said}");
    let peak_db = || {
        let (_, said) = control(&daemon, &["--json", "status"]);
        let status: serde_json::Value = serde_json::from_str(&said).unwrap();
        status["peak_dbfs"].as_f64().unwrap()
    };
    wait_for("the note", || peak_db() > -60.0);
}
