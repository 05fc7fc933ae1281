//! The audio callback allocates nothing: in gaps, changes of level, clipping, every sample format,
//! buffers that grow and shrink, and at the end.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use assert_no_alloc::{AllocDisabler, assert_no_alloc};
use ringbuf::HeapRb;
use ringbuf::traits::{Producer, Split};
use timbred::bus::queues::Telemetry;
use timbred::live::callback::{Level, Player};
use timbred::live::clock::PlayPosition;
use timbred::live::stems::{PARTS, PartsFrame, PartsPlayer};
use timbred::mix::{Frame, SIDES};

/// Ends the process if memory is allocated or freed where that is not allowed.
#[global_allocator]
static ALLOCATOR: AllocDisabler = AllocDisabler;

#[test]
fn the_callback_neither_allocates_nor_frees() {
    let (mut ring, consumer) = HeapRb::<Frame>::new(48_000).split();
    let (level, position) = (Arc::new(Level::default()), Arc::new(PlayPosition::default()));
    let telemetry = Arc::new(Telemetry::default());
    let (mut parts, of_parts) = HeapRb::<PartsFrame>::new(48_000).split();
    let player = Player::new(consumer, 48_000, level.clone(), position, telemetry.clone());
    let mut player = player.with_parts(PartsPlayer::new(of_parts));
    let mut buffers = vec![[[0.0f32; 64]; SIDES]; PARTS];
    let mut tells_what_is_left = false;
    level.wake(std::thread::current());
    let (mut floats, mut shorts) = ([0.0f32; 256], [0i16; 512]);
    let mut now = Instant::now();
    for n in 0..4_000u32 {
        // Every fifth buffer finds the ring empty, and sometimes the device itself is late.
        if n % 5 != 0 {
            parts.push_slice(&[[[0.2; SIDES]; PARTS]; 400]);
            ring.push_slice(&[[1.5 * (n as f32).sin(), 0.3]; 400]);
        }
        level.set_gain((n % 7) as f32);
        level.set_refill((n % 300) as usize);
        if n == 3_900 {
            level.close();
        }
        now += Duration::from_millis(if n % 1_000 == 999 { 500 } else { 5 });
        assert_no_alloc(|| {
            player.fill(now, &mut floats, 1);
            player.fill(now, &mut shorts, 2);
            let (left, right) = floats.split_at_mut(128);
            player.fill_sides(now, left, right);
            let mut of = buffers.iter_mut();
            let ports = std::array::from_fn(|_| {
                let [left, right] = of.next().unwrap();
                [left.as_mut_slice(), right.as_mut_slice()]
            });
            player.fill_parts(now, [&mut left[..64], &mut right[..64]], ports);
            player.fill(now, &mut floats[..(n % 256) as usize], 1);
            level.note_delay(Duration::from_micros(u64::from(n)));
        });
        tells_what_is_left |= level.take_least_left().is_some();
    }
    assert!(tells_what_is_left);
    assert!(telemetry.underruns.load(std::sync::atomic::Ordering::Relaxed) > 10);
}
