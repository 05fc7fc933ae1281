//! Tests of the callback: gaps, levels, sides, numbers of frames, delays, positions.
#![allow(clippy::unwrap_used)]

use ringbuf::traits::{Producer, Split};
use ringbuf::{HeapProd, HeapRb};

use super::*;
use crate::mix::limiter::CEILING;

fn player(refill: usize) -> (Player, HeapProd<Frame>, Arc<Level>, Arc<Telemetry>) {
    let (producer, ring) = HeapRb::new(48_000).split();
    let (level, telemetry) = (Arc::new(Level::default()), Arc::new(Telemetry::default()));
    level.set_refill(refill);
    let position = Arc::new(PlayPosition::default());
    let player = Player::new(ring, 48_000, level.clone(), position, telemetry.clone());
    (player, producer, level, telemetry)
}

fn largest_step(samples: &[f32]) -> f32 {
    samples.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max)
}

#[test]
fn a_gap_is_faded_counted_and_waits_for_the_refill() {
    let (mut player, mut ring, _, telemetry) = player(1_000);
    let mut out = vec![0.0f32; 4_800];
    ring.push_slice(&[[0.5; 2]; 999]);
    player.fill(Instant::now(), &mut out, 1);
    assert!(out.iter().all(|s| *s == 0.0), "it waits for 1000");
    ring.push_slice(&[[0.5; 2]; 2_001]);
    player.fill(Instant::now(), &mut out, 1);
    assert_eq!(telemetry.underruns.load(Ordering::Relaxed), 1);
    assert!(out[2_900] > 0.45 && out[4_700] == 0.0);
    assert!(largest_step(&out) < 0.01, "{}", largest_step(&out));
    player.fill(Instant::now(), &mut out, 1);
    assert_eq!(telemetry.underruns.load(Ordering::Relaxed), 1, "one gap is one underrun");
    assert_eq!(telemetry.frames_played.load(Ordering::Relaxed), 3 * 4_800);
    assert_eq!(telemetry.stream_frames.load(Ordering::Relaxed), 3_000);
}

#[test]
fn the_limiter_holds_and_the_gain_moves_smoothly() {
    let (mut player, mut ring, level, telemetry) = player(1);
    ring.push_slice(&[[0.9; 2]; 40_000]);
    let mut out = vec![0.0f32; 2 * 9_600];
    level.set_gain(8.0);
    player.fill(Instant::now(), &mut out, 2);
    assert!(out.iter().all(|s| s.abs() <= CEILING + 1e-6));
    assert!(out[19_000] > 0.9 && out[19_000] == out[19_001]);
    level.set_gain(0.0);
    player.fill(Instant::now(), &mut out, 2);
    assert!(largest_step(&out) < 0.05 && out[19_000] < 0.001);
    assert!(f32::from_bits(telemetry.peak.load(Ordering::Relaxed)) > 0.0);
}

#[test]
fn each_side_comes_out_of_its_channel_and_one_channel_has_both() {
    let (mut player, mut ring, ..) = player(1);
    ring.push_slice(&[[0.5, 0.1]; 40_000]);
    let mut out = vec![0.0f32; 4 * 4_800];
    player.fill(Instant::now(), &mut out, 4);
    assert!((out[4 * 4_700] - 0.5).abs() < 0.01 && (out[4 * 4_700 + 1] - 0.1).abs() < 0.01);
    assert_eq!(out[4 * 4_700..][..2], out[4 * 4_700 + 2..][..2]);
    player.fill(Instant::now(), &mut out[..480], 1);
    assert!((out[400] - 0.3).abs() < 0.01, "{}", out[400]);
    let (mut left, mut right) = ([0.0; 64], [0.0; 64]);
    player.fill_sides(Instant::now(), &mut left, &mut right);
    assert!((left[60] - 0.5).abs() < 0.01 && (right[60] - 0.1).abs() < 0.01);
}

#[test]
fn more_frames_at_a_time_count_at_once_and_fewer_after_a_while() {
    let (mut player, _ring, level, _) = player(1);
    let mut play = |frames: usize, times: usize| {
        let mut out = vec![0.0f32; frames];
        (0..times).for_each(|_| player.fill(Instant::now(), &mut out, 1));
        level.frames()
    };
    assert_eq!(play(256, 1), 256);
    assert_eq!(play(8_192, 1), 8_192);
    assert_eq!(play(16, 1_400), 8_192, "0.47 s of them are too few to believe");
    assert_eq!(play(16, 150), 16);
    // For a device that alternates between two numbers of frames the larger one counts.
    for _ in 0..200 {
        play(470, 1);
        assert!(play(512, 1) == 512);
    }
}

#[test]
fn the_delay_that_a_device_tells_is_smoothed() {
    let level = Level::default();
    assert_eq!(level.delay_s(), None);
    level.note_delay(Duration::from_millis(20));
    assert_eq!(level.delay_s(), Some(0.02));
    level.note_delay(Duration::from_millis(40));
    assert_eq!(level.delay_s(), Some(0.021));
}

#[test]
fn the_position_is_what_was_taken() {
    let (mut player, mut ring, ..) = player(1);
    ring.push_slice(&[[0.1; 2]; 2_000]);
    let mut out = vec![0i16; 2 * 480];
    let now = Instant::now();
    player.fill(now, &mut out, 2);
    assert!(player.position.sample_at(now).abs() < 1.0);
    let later = now + std::time::Duration::from_millis(10);
    assert!((player.position.sample_at(later) - 480.0).abs() < 1.0);
}

#[test]
fn parts_go_with_the_mix_and_fade_with_it_and_no_master_moves_them() {
    let (player, mut ring, level, _) = player(1);
    let (mut parts, of_parts) = HeapRb::new(48_000).split();
    let mut player = player.with_parts(PartsPlayer::new(of_parts));
    level.set_gain(0.0);
    for n in 0..1_000 {
        let mut frame = SILENCE;
        frame[3] = [0.25, n as f32 / 1_000.0];
        parts.try_push(frame).unwrap();
        ring.try_push([0.5; SIDES]).unwrap();
    }
    let mut mix = [[0.0f32; 1_200]; SIDES];
    let mut buffers = vec![[[0.0f32; 1_200]; SIDES]; PARTS];
    let [left, right] = &mut mix;
    let mut of = buffers.iter_mut().map(|[left, right]| [left.as_mut_slice(), right]);
    let ports = std::array::from_fn(|_| of.next().unwrap());
    player.fill_parts(Instant::now(), [left, right], ports);
    let [left, right] = &buffers[3];
    assert!((left[500] - 0.25).abs() < 1e-6 && (right[500] - 0.5).abs() < 1e-6);
    assert!(left[1_010] < 0.25 && left[1_199] == 0.0, "a gap fades");
    assert!(buffers[4].as_flattened().iter().all(|sample| *sample == 0.0));
    assert!(mix.as_flattened().iter().all(|sample| *sample == 0.0), "the master is down");
}
