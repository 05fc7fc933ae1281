#![allow(clippy::unwrap_used)]

use timbre_models::notes::Keyboard;

use super::*;

fn strike(key: u8, time_s: f64) -> NoteEvent {
    let voice = Voice { is_drum: false, program: 3, key };
    NoteEvent { time_s, voice, velocity: 90 }
}

#[test]
fn a_recording_begins_with_a_hop_and_with_what_is_held() {
    let (mut tap, taken) = queues();
    tap.device(48_000, 0.002, 0.0);
    tap.hop(0.0);
    tap.note(Part(0), strike(60, 0.01));
    tap.sound(&[[0.5; 2]; 320]);
    assert!(taken.marks.is_empty(), "nobody records");
    taken.shared.take.store(7, Ordering::Release);
    tap.note(Part(0), strike(61, 0.03));
    tap.hop(0.02);
    tap.note(Part(0), strike(62, 0.0));
    tap.sound(&[[0.5; 2]; 320]);
    tap.sound(&[[0.5; 2]; 300]);
    let begin = Begin { take: 7, rate_hz: 48_000, start_s: 0.02, delay_s: 0.002 };
    let note = |key| {
        let played = Played::Note(Part(0), strike(key, 0.02));
        Mark::Played { take: 7, played }
    };
    let sound = |at, count| Mark::Sound { take: 7, at, count };
    let wanted = [Mark::Begin(begin), note(60), note(61), note(62), sound(0, 320), sound(320, 300)];
    assert_eq!(taken.marks.try_iter().collect::<Vec<_>>(), wanted);
    taken.shared.take.store(0, Ordering::Release);
    tap.hop(0.04);
    tap.sound(&[[0.5; 2]; 320]);
    assert!(taken.marks.is_empty());
}

#[test]
fn a_full_queue_is_counted_and_the_place_of_what_is_lost_is_kept() {
    let (mut tap, taken) = queues();
    tap.device(48_000, 0.0, 0.0);
    taken.shared.take.store(1, Ordering::Release);
    tap.hop(0.0);
    let piece = vec![[0.1; 2]; RING / 4];
    for _ in 0..5 {
        tap.sound(&piece);
    }
    assert_eq!(taken.shared.lost_samples.load(Ordering::Relaxed), piece.len() as u64);
    assert_eq!(taken.marks.len(), 5);
    (0..MARKS).for_each(|_| tap.note(Part(0), strike(60, 1.0)));
    assert_eq!(taken.shared.lost_notes.load(Ordering::Relaxed), 5);
    tap.sound(&piece[..0]);
    assert_eq!(tap.written, 5 * piece.len() as u64);
}

#[test]
fn another_device_goes_on_and_another_rate_begins_anew() {
    let (mut tap, taken) = queues();
    tap.device(48_000, 0.0, 0.0);
    taken.shared.take.store(1, Ordering::Release);
    tap.hop(1.0);
    tap.sound(&[[0.0; 2]; 957]);
    tap.device(48_000, 0.0, 1.02);
    tap.hop(1.02);
    tap.sound(&[[0.0; 2]; 10]);
    tap.device(44_100, 0.0, 1.04);
    tap.hop(1.04);
    let marks: Vec<Mark> = taken.marks.try_iter().collect();
    assert_eq!(marks.len(), 4);
    assert_eq!(marks[2], Mark::Sound { take: 1, at: 960, count: 10 });
    let begin = Begin { take: 1, rate_hz: 44_100, start_s: 1.04, delay_s: 0.0 };
    assert_eq!(marks[3], Mark::Begin(begin));
}

#[test]
fn pressure_tunings_glides_and_legato_are_recorded_of_the_notes_that_have_them() {
    let (mut tap, taken) = queues();
    tap.device(48_000, 0.0, 0.0);
    let mut keyboard = Keyboard::new();
    let mut play = |tap: &mut Tap, bytes: &[u8]| {
        keyboard.feed_bytes(0.5, bytes, &mut |event| tap.event(&event)).unwrap();
    };
    // A quarter tone above middle C, before the recording begins.
    play(&mut tap, &[0xF0, 0x7F, 0x7F, 8, 2, 0, 1, 60, 60, 64, 0, 0xF7]);
    play(&mut tap, &[0x92, 60, 100]);
    taken.shared.take.store(1, Ordering::Release);
    tap.hop(1.0);
    let bytes: [&[u8]; 8] = [
        &[0xA2, 60, 127],
        &[0xB2, 5, 1],
        &[0xB2, 84, 48],
        &[0x92, 67, 90],
        &[0xA2, 61, 9],
        &[0xB2, 126, 1],
        &[0x92, 70, 90],
        &[0x92, 72, 90],
    ];
    bytes.into_iter().for_each(|bytes| play(&mut tap, bytes));
    let of_keys = taken.marks.try_iter().filter_map(|mark| match mark {
        Mark::Played { played: Played::Key(part, _, key, what), .. } => Some((part.0, key, what)),
        _ => None,
    });
    let keys: Vec<_> = of_keys.collect();
    let wanted = [
        (0, 60, OfKey::Tuning(0.5)),
        (2, 60, OfKey::Pressure(1.0)),
        (2, 48, OfKey::GlideFrom(0.128)),
        (2, 72, OfKey::Legato),
    ];
    assert_eq!(keys, wanted);
}
