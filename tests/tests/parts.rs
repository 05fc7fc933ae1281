//! Parts in the bundled model: the effect of each control on the sound, which no division into hops
//! changes.
#![allow(clippy::unwrap_used)]

use std::f64::consts::TAU;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;
use timbre_models::bundle::Bundle;
use timbre_models::event::{Control, Event, Glide, NoteId, Part, Strike, What};
use timbre_models::notes::Voice;
use timbre_models::parts::Buses;
use timbre_models::streamer::{StreamOptions, Streamer};
use timbre_models::units::TICK_SAMPLES;
use timbred_tests::{BUNDLED as LIVE, bundled, pitch};

const RATE_HZ: f64 = 16_000.0;

/// The bundled model without its denoiser, whose noise depends on the length of hops.
static BUNDLE: LazyLock<(tempfile::TempDir, Bundle)> = LazyLock::new(|| changed(str::to_owned));

/// The same model with notes that do not move, so that the effect of controls can be measured.
static STILL: LazyLock<(tempfile::TempDir, Bundle)> = LazyLock::new(|| {
    changed(|manifest| {
        let (before, life) = manifest.split_once("[files.life]").unwrap();
        let (_, after) = life.split_once("\n\n").unwrap();
        format!("{before}{after}")
    })
});

fn changed(manifest_of: impl Fn(&str) -> String) -> (tempfile::TempDir, Bundle) {
    let folder = tempfile::tempdir().unwrap();
    for file in fs::read_dir(LIVE).unwrap() {
        let file = file.unwrap().path();
        fs::copy(&file, folder.path().join(file.file_name().unwrap())).unwrap();
    }
    let manifest = folder.path().join("manifest.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    let still = text.replace("residual_nats = 2.0", "residual_nats = 0.0");
    assert_ne!(text, still);
    fs::write(&manifest, manifest_of(&still)).unwrap();
    let bundle = Bundle::open(Path::new(folder.path())).unwrap();
    (folder, bundle)
}

fn options(hop_frames: usize, buses: Buses) -> StreamOptions {
    let live = StreamOptions::live(&BUNDLE.1).unwrap();
    StreamOptions { hop_frames, is_wide: false, buses, ..live }
}

/// The bundled model as it is.
static BUNDLED: LazyLock<Bundle> = LazyLock::new(bundled);

/// The sound of `frames` frames, bus by bus, without the denoiser.
fn sound(options: StreamOptions, events: &[Event], frames: usize) -> Vec<Vec<f32>> {
    sound_of(&BUNDLE.1, options, events, frames)
}

/// The same of a model.
fn sound_of(
    bundle: &Bundle,
    options: StreamOptions,
    events: &[Event],
    frames: usize,
) -> Vec<Vec<f32>> {
    let mut streamer = Streamer::new(bundle, options).unwrap();
    events.iter().for_each(|event| streamer.event(*event));
    let mut out: Vec<Vec<f32>> = vec![];
    for _ in 0..frames.div_ceil(options.hop_frames) {
        let hop = streamer.hop().unwrap();
        out.resize(hop.buses.len(), vec![]);
        out.iter_mut().zip(hop.buses).for_each(|(out, bus)| out.extend_from_slice(bus));
    }
    out
}

fn strike(at_s: f64, note: u64, part: u8, program: u8, key: u8) -> Event {
    let voice = Voice { is_drum: false, program, key };
    let note = NoteId(note);
    let strike = Strike { note, voice, velocity: 100, tuning: 0.0, glide: None, is_legato: false };
    Event { at_s, part: Part(part), what: What::On(strike) }
}

fn control(at_s: f64, part: u8, control: Control, value: f32) -> Event {
    Event { at_s, part: Part(part), what: What::Control(control, value) }
}

/// A dry note of two seconds, with events, in the model whose notes do not move.
fn note(program: u8, key: u8, events: &[Event]) -> Vec<Vec<f32>> {
    note_of(&STILL.1, program, key, events)
}

/// The same of a model.
fn note_of(bundle: &Bundle, program: u8, key: u8, events: &[Event]) -> Vec<Vec<f32>> {
    let mut all = vec![strike(0.1, 1, 0, program, key)];
    all.extend_from_slice(events);
    all.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
    sound_of(bundle, options(1, Buses::Stereo), &all, 100)
}

fn part_of(sound: &[f32], from_s: f64, to_s: f64) -> &[f32] {
    &sound[(from_s * RATE_HZ) as usize..(to_s * RATE_HZ) as usize]
}

fn db(sound: &[f32]) -> f64 {
    let power = sound.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / sound.len() as f64;
    10.0 * (power + 1e-30).log10()
}

fn power_at(sound: &[f32], hz: f64) -> f64 {
    pitch::power_at(sound, RATE_HZ, hz)
}

fn cents(sound: &[f32], hz: f64) -> f64 {
    pitch::cents(sound, RATE_HZ, hz)
}

const A4: f64 = 440.0;

#[test]
fn a_bend_moves_a_note_that_sounds() {
    for program in [19, 73, 80] {
        for semitones in [2.0f32, -1.0, 0.5, 7.0] {
            let bent = note(program, 69, &[control(0.8, 0, Control::Bend, semitones)]);
            let (before, after) = (part_of(&bent[0], 0.3, 0.8), part_of(&bent[0], 1.0, 1.9));
            let wanted = A4 * (f64::from(semitones) / 12.0).exp2();
            let (own, moved) = (cents(before, A4), cents(after, wanted));
            assert!(own.abs() < 8.0 && moved.abs() < 8.0, "{program} {semitones}: {own} {moved}");
        }
    }
}

#[test]
fn volume_and_expression_act_on_a_note_that_sounds() {
    for program in [0, 19, 40, 73] {
        let plain = note(program, 60, &[]);
        for (which, value, wanted) in [
            (Control::Volume, 50.0 / 127.0, -12.04),
            (Control::Expression, 0.5, -12.04),
            (Control::Expression, 0.1, -40.0),
            (Control::Gain, -20.0, -20.0),
            (Control::Gain, 6.0, 6.0),
        ] {
            let moved = note(program, 60, &[control(0.8, 0, which, value)]);
            let change = db(part_of(&moved[0], 1.0, 2.0)) - db(part_of(&plain[0], 1.0, 2.0));
            assert!((change - wanted).abs() < 0.5, "{program} {which:?} {value}: {change} dB");
            let before = db(part_of(&moved[0], 0.2, 0.7)) - db(part_of(&plain[0], 0.2, 0.7));
            assert!(before.abs() < 0.01, "{program} {which:?}: {before} dB before");
        }
    }
}

/// The loudest power outside of the bands around the partials (within 100 Hz) of a note of 440 Hz,
/// in dB relative to its loudest partial.
fn beside_the_note(piece: &[f32]) -> f64 {
    let loudest = |all: &mut dyn Iterator<Item = f64>| {
        all.map(|hz| power_at(piece, hz)).fold(0.0f64, f64::max)
    };
    let partials = loudest(&mut (1..18).map(|n| A4 * f64::from(n)));
    let places = (0..17).flat_map(|n| (105..=335).step_by(10).map(move |hz| (n, hz)));
    let beside = loudest(&mut places.map(|(n, hz)| A4 * f64::from(n) + f64::from(hz)));
    10.0 * (beside / partials).log10()
}

#[test]
fn a_fader_that_is_swept_in_50_ms_is_heard_in_the_bands_of_the_note_only() {
    let piece =
        |events: &[Event]| note(71, 69, events)[0][RATE_HZ as usize * 5 / 8..][..6400].to_vec();
    let plain = beside_the_note(&piece(&[]));
    assert!(plain < -65.0, "the note by itself: {plain} dB");
    for (which, from, to) in [
        (Control::Volume, 1.0, 0.2),
        (Control::Volume, 0.2, 1.0),
        (Control::Expression, 1.0, 0.1),
        (Control::Gain, 0.0, -20.0),
        (Control::Gain, -40.0, 6.0),
    ] {
        // As many messages as a MIDI cable carries in that time.
        let moved = (0..=20u8).map(|n| {
            let way = f32::from(n) / 20.0;
            control(0.8 + f64::from(way) * 0.05, 0, which, from + way * (to - from))
        });
        let start = control(0.0, 0, which, from);
        let events: Vec<Event> = std::iter::once(start).chain(moved).collect();
        let swept = beside_the_note(&piece(&events));
        assert!(swept < -60.0, "{which:?} from {from} to {to}: {swept} dB");
    }
}

#[test]
fn pan_is_where_it_is_and_sends_are_what_they_are() {
    let sides = |pan: f32| {
        let events = [control(0.0, 0, Control::Pan, pan), control(0.0, 0, Control::Chorus, 0.5)];
        let sound = note(73, 69, &events);
        [0, 1, 2, 3].map(|bus| db(part_of(&sound[bus], 0.5, 1.9)))
    };
    let [left, right, reverb, chorus] = sides(0.0);
    assert!((left - right).abs() < 0.3);
    assert!((chorus - left + 6.02).abs() < 0.5, "{chorus} of {left}");
    assert!((reverb - left - 20.0 * (40.0f64 / 127.0).log10()).abs() < 0.5, "{reverb} of {left}");
    let [left, right, ..] = sides(-1.0);
    assert!(left - right > 60.0, "{left} {right}");
    let [left, right, ..] = sides(0.5);
    let wanted = 20.0 * (0.75 * TAU / 4.0).tan().log10();
    assert!((right - left - wanted).abs() < 0.3, "{} for {wanted}", right - left);
}

#[test]
fn vibrato_brightness_and_release_do_what_they_say() {
    let held = note(80, 69, &[control(0.3, 0, Control::Vibrato, 0.5)]);
    // A tone that swings by half a semitone has little power left at its nominal pitch.
    let still = note(80, 69, &[]);
    let at_pitch = |s: &[f32]| power_at(part_of(s, 0.5, 1.9), A4);
    let left = at_pitch(&held[0]) / at_pitch(&still[0]);
    assert!(left < 0.4, "{left}");
    let high = |sound: &[f32]| {
        let piece = part_of(sound, 0.5, 1.9);
        let partials = (6..12).map(|n| power_at(piece, A4 * f64::from(n))).sum::<f64>();
        10.0 * (partials / power_at(piece, A4)).log10()
    };
    let bright = |b: f32| high(&note(80, 69, &[control(0.0, 0, Control::Brightness, b)])[0]);
    let (dark, own, sharp) = (bright(-1.0), bright(0.0), bright(1.0));
    assert!(own - dark > 12.0 && sharp - own > 6.0, "{dark} {own} {sharp}");
    let off = Event { at_s: 0.6, part: Part(0), what: What::Off(NoteId(1)) };
    let tail = |octaves: f32| {
        let sound = note(48, 60, &[off, control(0.0, 0, Control::Release, octaves)]);
        db(part_of(&sound[0], 1.0, 1.4))
    };
    assert!(tail(2.0) > tail(0.0) + 3.0 && tail(-2.0) < tail(0.0) - 3.0);
}

#[test]
fn a_morph_ends_as_the_other_program() {
    let morph = |amount: f32| {
        let events = [
            control(0.0, 0, Control::MorphProgram, 73.0),
            control(0.0, 0, Control::MorphAmount, amount),
        ];
        note(56, 69, &events)[0].clone()
    };
    let timbre = |sound: &[f32]| {
        let piece = part_of(sound, 0.5, 1.9);
        let of = |n: u32| 10.0 * (power_at(piece, A4 * f64::from(n)) + 1e-20).log10();
        [2, 3, 4, 5].map(|n| of(n) - of(1))
    };
    let apart =
        |a: [f64; 4], b: [f64; 4]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>() / 4.0;
    let (trumpet, flute) = (timbre(&note(56, 69, &[])[0]), timbre(&note(73, 69, &[])[0]));
    assert!(apart(trumpet, flute) > 4.0);
    assert!(apart(timbre(&morph(0.0)), trumpet) < 0.01);
    assert!(apart(timbre(&morph(1.0)), flute) < 2.0, "{}", apart(timbre(&morph(1.0)), flute));
    let pressed = |pressure: Event| {
        let events = [
            control(0.0, 0, Control::MorphProgram, 73.0),
            control(0.0, 0, Control::MorphPressure, 1.0),
            pressure,
        ];
        timbre(&note(56, 69, &events)[0])
    };
    let key = What::KeyPressure(NoteId(1), 1.0);
    for pressure in
        [control(0.3, 0, Control::Pressure, 1.0), Event { at_s: 0.3, part: Part(0), what: key }]
    {
        // The pressure causes no vibrato, which would have moved the partials.
        let sound = pressed(pressure);
        assert!(apart(sound, flute) < 2.0, "{pressure:?}: {}", apart(sound, flute));
    }
    assert!(apart(pressed(control(0.3, 0, Control::Pressure, 0.0)), trumpet) < 0.01);
    let half = timbre(&morph(0.5));
    assert!(apart(half, trumpet) < apart(flute, trumpet));
    assert!(apart(half, flute) < apart(flute, trumpet));
}

/// The loudest power between the harmonics of a note, in dB relative to the loudest: half way
/// between two of them, and below the first.
fn beside(sound: &[f32]) -> f64 {
    let piece = part_of(sound, 0.7, 1.1);
    let loudest = (1..8).map(|n| power_at(piece, A4 * f64::from(n))).fold(0.0, f64::max);
    let between = (0..16).map(|n| A4 * (f64::from(n) + 0.5));
    let most = between.map(|hz| power_at(piece, hz)).fold(0.0, f64::max);
    10.0 * (most / loudest).log10()
}

#[test]
fn a_fader_or_pan_moved_end_to_end_in_50_ms_is_not_heard_beside_the_note() {
    let sweep = |which: Control, from: f32, to: f32| -> Vec<Event> {
        let value = |n: u32| from + (to - from) * n as f32 / 50.0;
        let moves = (0..=50).map(|n| control(0.85 + f64::from(n) / 1000.0, 0, which, value(n)));
        std::iter::once(control(0.0, 0, which, from)).chain(moves).collect()
    };
    for program in [80, 56] {
        let plain = beside(&note_of(&BUNDLE.1, program, 69, &[])[0]);
        for (which, from, to) in [
            (Control::Volume, 0.0, 1.0),
            (Control::Volume, 1.0, 0.0),
            (Control::Expression, 0.0, 1.0),
            (Control::Pan, -1.0, 1.0),
        ] {
            let moved = note_of(&BUNDLE.1, program, 69, &sweep(which, from, to));
            let moved = beside(&moved[0]);
            // The noise of the note itself is there, too.
            assert!(moved < (plain + 3.0).max(-60.0), "{program} {which:?}: {moved} ({plain})");
        }
    }
}

fn what() -> impl Strategy<Value = What> {
    let value = -1.0f32..1.0;
    prop_oneof![
        4 => (0u64..12, 40u8..80, 1u8..127, any::<bool>(), value.clone()).prop_map(
            |(note, key, velocity, is_legato, tuning)| What::On(Strike {
                note: NoteId(note),
                voice: Voice { is_drum: key < 44, program: 4 * (key % 20), key },
                velocity,
                tuning: tuning.max(0.0),
                glide: (tuning < -0.5).then_some(Glide { from: 5.0, seconds: 0.1 }),
                is_legato,
            })
        ),
        3 => (0u64..12).prop_map(|note| What::Off(NoteId(note))),
        1 => Just(What::Silence),
        1 => (0u64..12, 0.0f32..1.0).prop_map(|(note, p)| What::KeyPressure(NoteId(note), p)),
        1 => (0u64..12, value.clone()).prop_map(|(note, t)| What::Retune(NoteId(note), t)),
        6 => (0usize..24, value).prop_map(|(n, v)| {
            use Control::*;
            let all = [
                Volume, Expression, Breath, Gain, Pan, Bend, Tuning, Vibrato, Pressure,
                VibratoRate, VibratoDepth, VibratoDelay, Brightness, Resonance, Attack, Decay,
                Release, Damper, Reverb, Chorus, MorphProgram, MorphAmount, MorphPressure,
                Spread,
            ];
            let control = all[n];
            let value = match control {
                Volume | Expression | Breath | Reverb | Chorus | MorphAmount | MorphPressure
                | Damper | Spread | VibratoDelay => v.abs(),
                MorphProgram => (127.0 * v.abs()).round(),
                Gain => 12.0 * v,
                Bend => 4.0 * v,
                _ => v,
            };
            What::Control(control, value)
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    /// The same events give the same samples in every bus, whatever the division into hops.
    #[test]
    fn any_cut_of_any_events_sounds_the_same(
        rows in prop::collection::vec((0u32..600, 0u8..3, what()), 1..60),
        hop_frames in 2usize..9,
    ) {
        let mut events: Vec<Event> = rows
            .into_iter()
            .map(|(ms, part, what)| Event { at_s: f64::from(ms) / 1000.0, part: Part(part), what })
            .collect();
        events.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        let frames = 72;
        let whole = sound(options(1, Buses::Stereo), &events, frames);
        let cut = sound(options(hop_frames, Buses::Stereo), &events, frames);
        for (bus, (whole, cut)) in whole.iter().zip(&cut).enumerate() {
            let loudest = whole.iter().fold(1e-3f32, |a, b| a.max(b.abs()));
            let apart = whole.iter().zip(cut).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            let allowed = 1e-5 * loudest;
            prop_assert!(apart < allowed, "bus {bus}: {apart} of {loudest}");
        }
    }

    /// A sample depends on the events up to the end of its tick of 2.5 ms, and on nothing later.
    #[test]
    fn nothing_is_heard_before_the_tick_in_which_it_happens(
        rows in prop::collection::vec((0u32..600, 0u8..3, what()), 1..40),
        last in 0usize..40,
    ) {
        let mut events: Vec<Event> = rows
            .into_iter()
            .map(|(ms, part, what)| Event { at_s: f64::from(ms) / 1000.0, part: Part(part), what })
            .collect();
        events.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        let last = last.min(events.len() - 1);
        let first = (events[last].at_s * RATE_HZ) as usize / TICK_SAMPLES * TICK_SAMPLES;
        let known = events.iter().take_while(|event| event.at_s * RATE_HZ < first as f64);
        let known: Vec<Event> = known.copied().collect();
        for with_denoiser in [false, true] {
            let [all, known] = [&events, &known].map(|events| match with_denoiser {
                true => sound_of(&BUNDLED, options(1, Buses::Stereo), events, 72),
                false => sound(options(1, Buses::Stereo), events, 72),
            });
            for (all, known) in all.iter().zip(&known) {
                prop_assert!(all[..first] == known[..first]);
            }
        }
    }
}
