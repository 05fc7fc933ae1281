//! Tests of the timeline: no event is lost or doubled, and the held voices are right.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::Timeline;
use crate::notes::{NoteEvent, Voice};
use crate::tokens::{ProgramMap, Rounding, TokenOptions};

fn event(time_s: f64, key: u8, velocity: u8) -> NoteEvent {
    NoteEvent { time_s, voice: Voice { is_drum: key < 40, program: 1, key }, velocity }
}

fn floor() -> TokenOptions {
    TokenOptions { rounding: Rounding::Floor, ..TokenOptions::default() }
}

#[test]
fn equal_times_sort_releases_first_and_then_by_voice() {
    let mut timeline = Timeline::new(&floor());
    for (key, velocity) in [(64, 9), (60, 9), (62, 0), (61, 0)] {
        timeline.push(event(0.5, key, velocity));
    }
    let keys: Vec<u8> = timeline.cut(0, 100).events.iter().map(|(_, e)| e.voice.key).collect();
    assert_eq!(keys, [61, 62, 60, 64]);
}

#[test]
fn late_events_are_moved_to_the_cut_in_their_order_and_counted() {
    let mut timeline = Timeline::new(&floor());
    timeline.cut(0, 100);
    timeline.push(event(0.95, 60, 0));
    timeline.push(event(0.9, 60, 7));
    timeline.push(event(1.0, 62, 7));
    let cut = timeline.cut(100, 102);
    let seen: Vec<_> = cut.events.iter().map(|(s, e)| (*s, e.voice.key, e.velocity)).collect();
    assert_eq!(seen, [(100, 60, 7), (100, 60, 0), (100, 62, 7)]);
    assert!(cut.events.iter().all(|(_, e)| e.time_s == 1.0));
    assert_eq!(timeline.late_events(), 2);
    let cut = timeline.cut(110, 112);
    assert_eq!(cut.held.iter().map(|h| h.voice.key).collect::<Vec<_>>(), [62]);
}

#[test]
fn skipped_and_repeated_ranges_lose_and_double_nothing() {
    let mut timeline = Timeline::new(&floor());
    timeline.push(event(0.5, 60, 7));
    assert_eq!(timeline.cut(60, 70).events.first().unwrap().0, 60);
    assert_eq!(timeline.cut(0, 70).events.len(), 0);
    assert_eq!(timeline.cut(0, 80).held.len(), 1);
}

#[test]
fn programs_are_mapped_on_the_way_in_but_not_those_of_drums() {
    let options = TokenOptions { program_map: ProgramMap::Slakh, ..floor() };
    let mut timeline = Timeline::new(&options);
    timeline.push(event(0.0, 60, 7));
    timeline.push(event(0.0, 36, 7));
    let programs: Vec<u8> = timeline.cut(0, 1).events.iter().map(|e| e.1.voice.program).collect();
    assert_eq!(programs, [0, 1]);
}

#[test]
fn a_nearest_event_belongs_to_the_cut_of_its_rounded_step() {
    let mut timeline = Timeline::new(&TokenOptions::default());
    timeline.push(event(5.114, 60, 7));
    assert_eq!(timeline.cut(0, 512).events.len(), 1);
    timeline.push(event(10.236, 62, 7));
    assert_eq!(timeline.cut(512, 1024).events.len(), 0);
    assert_eq!(timeline.cut(1024, 1536).events, [(1024, event(10.236, 62, 7))]);
}

fn events() -> impl Strategy<Value = Vec<NoteEvent>> {
    prop::collection::vec((0u32..3000, 36u8..44, 0u8..3), 0..60).prop_map(|raw| {
        raw.into_iter().map(|(t, k, v)| event(f64::from(t) / 1000.0, k, v)).collect()
    })
}

proptest! {
    #[test]
    fn any_borders_give_every_event_once_and_the_right_held_keys(
        events in events(),
        lengths in prop::collection::vec(0u64..40, 1..40),
        nearest in any::<bool>(),
    ) {
        let rounding = if nearest { Rounding::Nearest } else { Rounding::Floor };
        let options = TokenOptions { rounding, ..TokenOptions::default() };
        let mut whole = Timeline::new(&options);
        let mut parts = Timeline::new(&options);
        for &event in &events {
            whole.push(event);
            parts.push(event);
        }
        let all = whole.cut(0, 1000).events.to_vec();
        let mut seen = Vec::new();
        let mut held = std::collections::BTreeMap::new();
        let mut start = 0;
        for length in lengths.iter().copied().chain([1000]) {
            let cut = parts.cut(start, start + length);
            let cut_held = cut.held.iter();
            let ours: Vec<_> = cut_held.map(|h| (h.voice, (h.velocity, h.onset_step))).collect();
            prop_assert_eq!(ours, held.clone().into_iter().collect::<Vec<_>>());
            for &(step, event) in cut.events {
                prop_assert!((start..start + length).contains(&step));
                match event.velocity {
                    _ if event.voice.is_drum => None,
                    0 => held.remove(&event.voice),
                    velocity => held.insert(event.voice, (velocity, step)),
                };
            }
            seen.extend_from_slice(cut.events);
            start += length;
        }
        prop_assert_eq!(seen, all);
        prop_assert_eq!(whole.late_events() + parts.late_events(), 0);
    }

    #[test]
    fn the_order_of_pushing_does_not_matter(
        events in events().prop_map(|mut events| {
            events.sort_by(|a, b| a.time_s.total_cmp(&b.time_s));
            events.dedup_by(|a, b| a.time_s == b.time_s);
            events
        }),
        shuffle in any::<u64>(),
    ) {
        let mut shuffled = events.clone();
        let key = |time_s: f64| (time_s.to_bits() ^ shuffle).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        shuffled.sort_by_key(|e| key(e.time_s));
        let (mut a, mut b) = (Timeline::new(&floor()), Timeline::new(&floor()));
        events.into_iter().for_each(|e| a.push(e));
        shuffled.into_iter().for_each(|e| b.push(e));
        prop_assert_eq!(a.cut(0, 1000), b.cut(0, 1000));
    }
}
