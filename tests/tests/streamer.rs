//! Tests of the whole streamer on a tiny network: the same events give exactly the same sound,
//! however they are fed.
#![allow(clippy::unwrap_used)]

use std::sync::LazyLock;

use proptest::prelude::*;
use timbre_models::bundle::Bundle;
use timbre_models::notes::{NoteEvent, Voice};
use timbre_models::streamer::{StreamOptions, Streamer};
use timbred_tests::bundle::tiny_bundle;

/// One bundle for all cases, in a folder that exists as long as the tests.
static BUNDLE: LazyLock<(tempfile::TempDir, Bundle)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    tiny_bundle(folder.path());
    let bundle = Bundle::open(folder.path()).unwrap();
    (folder, bundle)
});

fn options(hop_frames: usize, seed: u64) -> StreamOptions {
    StreamOptions { hop_frames, steps: 2, seed, ..StreamOptions::song(&BUNDLE.1) }
}

/// The sound of `frames` frames; before each hop `feed` may push events.
fn sound(options: StreamOptions, frames: usize, mut feed: impl FnMut(&mut Streamer)) -> Vec<f32> {
    let mut streamer = Streamer::new(&BUNDLE.1, options).unwrap();
    let mut out = vec![];
    for _ in 0..frames.div_ceil(options.hop_frames) {
        feed(&mut streamer);
        let hop = streamer.hop().unwrap();
        assert_eq!(hop.samples.len(), options.hop_frames * 320);
        assert!(hop.samples.iter().all(|s| s.is_finite()));
        out.extend_from_slice(hop.samples);
    }
    out
}

/// Strikes and releases at distinct times within the first 0.4 s.
fn events() -> impl Strategy<Value = Vec<NoteEvent>> {
    let event = (0u32..400, 0u8..3, 40u8..80, any::<bool>(), 0u8..127);
    prop::collection::vec(event, 1..24).prop_map(|rows| {
        let mut events: Vec<NoteEvent> = rows
            .into_iter()
            .enumerate()
            .map(|(i, (ms, program, key, is_drum, velocity))| NoteEvent {
                time_s: f64::from(ms) / 1000.0 + i as f64 * 1e-6,
                voice: Voice { is_drum, program, key },
                velocity: if is_drum { velocity.max(1) } else { velocity },
            })
            .collect();
        events.sort_by(|a, b| a.time_s.total_cmp(&b.time_s));
        events
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn events_fed_at_once_or_just_in_time_or_in_any_order_sound_the_same(
        events in events(),
        hop_frames in 1usize..6,
        shuffle in any::<u64>(),
    ) {
        let frames = 24;
        let once = |events: &[NoteEvent]| {
            let mut waiting = events.to_vec();
            sound(options(hop_frames, 1), frames, |s| waiting.drain(..).for_each(|e| s.push(e)))
        };
        let whole = once(&events);
        let mut queue = events.iter().peekable();
        let just_in_time = sound(options(hop_frames, 1), frames, |s| {
            let end_s = (s.position().0 as usize + hop_frames) as f64 * 0.02;
            while let Some(event) = queue.next_if(|e| e.time_s < end_s) {
                s.push(*event);
            }
        });
        prop_assert_eq!(&whole, &just_in_time);
        let mut shuffled = events.clone();
        let key = |time_s: f64| (time_s.to_bits() ^ shuffle).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        shuffled.sort_by_key(|e| key(e.time_s));
        prop_assert_eq!(&whole, &once(&shuffled));
    }
}

#[test]
fn the_seed_decides_the_noise_and_a_restart_is_a_new_stream() {
    let note = NoteEvent {
        time_s: 0.05,
        voice: Voice { is_drum: false, program: 0, key: 60 },
        velocity: 100,
    };
    let play = |seed| {
        let mut first = true;
        sound(options(2, seed), 20, |s| {
            if std::mem::take(&mut first) {
                s.push(note);
            }
        })
    };
    let one = play(1);
    assert_eq!(one, play(1));
    assert_ne!(one, play(2));
    let mut streamer = Streamer::new(&BUNDLE.1, options(5, 9)).unwrap();
    streamer.push(note);
    streamer.hop().unwrap();
    streamer.restart(options(2, 1)).unwrap();
    streamer.push(note);
    let again: Vec<f32> = (0..10).flat_map(|_| streamer.hop().unwrap().samples.to_vec()).collect();
    assert_eq!(one, again);
}

#[test]
fn a_hop_beyond_the_network_is_refused() {
    let error = Streamer::new(&BUNDLE.1, options(65, 0)).map(|_| ()).map_err(|e| e.to_string());
    assert_eq!(
        error,
        Err("a hop of 65 frames (1300 ms); this model makes 1 to 64 frames of 20 ms".to_owned())
    );
}
