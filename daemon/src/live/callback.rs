//! What the device's thread does: takes samples from the ring, sets their level, fades over gaps,
//! meters. Knows no device.
//!
//! # Real time
//! Allocates nothing, locks nothing, logs nothing, waits for nothing; held by
//! `daemon/tests/realtime.rs`.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::{Duration, Instant};

use cpal::{FromSample, SizedSample};
use ringbuf::HeapCons;
use ringbuf::traits::{Consumer, Observer};

use super::clock::{PlayPosition, TimeFilter};
use super::queues::Telemetry;
use crate::mix::limiter::Limiter;
use crate::mix::{Frame, SIDES};

/// A gap is faded into and out of in this time, seconds.
const FADE_S: f32 = 0.004;
/// The gain reaches a new value within about this time, seconds.
const GAIN_S: f32 = 0.010;
/// The meters cover this time, seconds.
const METER_S: f32 = 0.1;
/// A device that takes fewer frames at a time than before has done so for this long before it is
/// believed, seconds.
const FEWER_S: f32 = 0.5;
/// The share of the last callback in the smoothed delay of the device.
const DELAY_SHARE: f64 = 0.05;

/// What is set from outside and read once a callback, and what the callback says of the device.
#[derive(Debug)]
pub struct Level {
    /// Bits of the linear master gain (f32).
    gain: AtomicU32,
    /// Set to fade out for good.
    closing: AtomicBool,
    /// Samples that must wait in the ring before a stream that ran dry goes on.
    refill: AtomicUsize,
    /// Frames that the device takes at a time now (written by the callback).
    frames: AtomicUsize,
    /// From a callback to the sound of its first frame, in microseconds as the device says; 0 where
    /// it does not (written by the callback).
    delay_us: AtomicU64,
    /// Whom the callback wakes.
    listener: OnceLock<Thread>,
}

impl Default for Level {
    fn default() -> Self {
        Self {
            gain: AtomicU32::new(1.0f32.to_bits()),
            closing: AtomicBool::new(false),
            refill: AtomicUsize::new(1),
            frames: AtomicUsize::new(0),
            delay_us: AtomicU64::new(0),
            listener: OnceLock::new(),
        }
    }
}

impl Level {
    /// Sets the linear master gain; 0 is silence.
    pub fn set_gain(&self, gain: f32) {
        self.gain.store(gain.to_bits(), Ordering::Relaxed);
    }

    /// Every callback wakes this thread from now on; only the first that asks.
    pub fn wake(&self, thread: Thread) {
        let _ = self.listener.set(thread);
    }

    /// Fades out, for good.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// How many frames the device takes at a time now: a JACK server may change it while it runs.
    pub fn frames(&self) -> usize {
        self.frames.load(Ordering::Relaxed)
    }

    /// What is expected before the first callback.
    pub fn set_frames(&self, frames: usize) {
        self.frames.store(frames, Ordering::Relaxed);
    }

    /// From a callback to the sound of its first frame, seconds; None where the device does not
    /// say.
    pub fn delay_s(&self) -> Option<f64> {
        let us = self.delay_us.load(Ordering::Relaxed);
        (us > 0).then_some(us as f64 / 1e6)
    }

    /// The device says how far the first frame of this callback is from its sound. Called by the
    /// callback; smoothed.
    pub fn note_delay(&self, delay: Duration) {
        let now_us = delay.as_micros() as f64;
        let before_us = self.delay_us.load(Ordering::Relaxed) as f64;
        let share = if before_us == 0.0 { 1.0 } else { DELAY_SHARE };
        let smooth_us = before_us + share * (now_us - before_us);
        self.delay_us.store(smooth_us.round() as u64, Ordering::Relaxed);
    }

    /// Sets how many samples must wait before a stream that ran dry goes on.
    pub fn set_refill(&self, samples: usize) {
        self.refill.store(samples.max(1), Ordering::Relaxed);
    }
}

/// Everything the callback owns.
pub struct Player {
    ring: HeapCons<Frame>,
    level: Arc<Level>,
    position: Arc<PlayPosition>,
    telemetry: Arc<Telemetry>,
    filter: TimeFilter,
    rate_hz: f32,
    /// Frames taken from the ring so far.
    taken: u64,
    is_running: bool,
    gain: f32,
    /// 0 in a gap, 1 in the sound, moved by `1 / (FADE_S * rate)` a sample.
    fade: f32,
    /// The last frame before a gap, which the fade-out goes on from.
    last: Frame,
    limiter: Limiter,
    /// The most frames of one callback since the number that is published was last reached, and
    /// frames since then.
    fewer: (usize, usize),
    meter_peak: f32,
    meter_power: f32,
    meter_count: u32,
}

impl Player {
    /// A player of a ring at the device's rate.
    pub fn new(
        ring: HeapCons<Frame>,
        rate_hz: u32,
        level: Arc<Level>,
        position: Arc<PlayPosition>,
        telemetry: Arc<Telemetry>,
    ) -> Self {
        Self {
            ring,
            level,
            position,
            telemetry,
            filter: TimeFilter::new(rate_hz),
            rate_hz: rate_hz as f32,
            taken: 0,
            is_running: false,
            gain: 0.0,
            fade: 0.0,
            last: [0.0; SIDES],
            limiter: Limiter::default(),
            fewer: (0, 0),
            meter_peak: 0.0,
            meter_power: 0.0,
            meter_count: 0,
        }
    }

    /// Fills a device buffer: of several channels every second is the right side, one is both.
    pub fn fill<T: SizedSample + FromSample<f32>>(
        &mut self,
        now: Instant,
        out: &mut [T],
        channels: usize,
    ) {
        let channels = channels.max(1);
        let frames = out.len() / channels;
        let mut device = out.chunks_mut(channels);
        self.play(now, frames, |[left, right]| {
            let Some(frame) = device.next() else { return };
            match frame {
                [mono] => *mono = T::from_sample((left + right) / SIDES as f32),
                all => {
                    for (n, sample) in all.iter_mut().enumerate() {
                        *sample = T::from_sample(if n % 2 == 0 { left } else { right });
                    }
                }
            }
        });
    }

    /// Fills the buffers of the two sides, which are as long as each other.
    pub fn fill_sides(&mut self, now: Instant, left: &mut [f32], right: &mut [f32]) {
        let frames = left.len();
        let mut sides = left.iter_mut().zip(right);
        self.play(now, frames, |frame| {
            if let Some((left, right)) = sides.next() {
                [*left, *right] = frame;
            }
        });
    }

    /// Plays so many frames, each at its final level.
    fn play(&mut self, now: Instant, frames: usize, mut put: impl FnMut(Frame)) {
        self.note_frames(frames);
        let (start_s, s_per_frame) = self.filter.callback(self.position.seconds(now), frames);
        self.start_or_wait();
        let taken_before = self.taken;
        let closing = self.level.closing.load(Ordering::Relaxed);
        let wanted = match closing {
            true => 0.0,
            false => f32::from_bits(self.level.gain.load(Ordering::Relaxed)),
        };
        let per_sample = 1.0 - (-1.0 / (GAIN_S * self.rate_hz)).exp();
        for _ in 0..frames {
            self.gain += (wanted - self.gain) * per_sample;
            put(self.next());
        }
        let moves = if self.is_running { s_per_frame } else { 0.0 };
        let taken = if self.is_running { taken_before } else { self.taken };
        self.position.publish(taken, start_s, moves);
        let streamed = self.taken - taken_before;
        self.telemetry.stream_frames.fetch_add(streamed, Ordering::Relaxed);
        self.telemetry.frames_played.fetch_add(frames as u64, Ordering::Relaxed);
        // The clock is set: who waits for it may look. This neither locks nor waits.
        if let Some(listener) = self.level.listener.get() {
            listener.unpark();
        }
    }

    /// Publishes how many frames the device takes at a time: more at once, fewer after a while, as
    /// some devices take turns.
    fn note_frames(&mut self, frames: usize) {
        let published = self.level.frames();
        let (most, since) = self.fewer;
        let (most, since) = (most.max(frames), since + frames);
        let is_over = since as f32 > FEWER_S * self.rate_hz;
        if frames >= published || is_over {
            self.level.set_frames(if frames >= published { frames } else { most });
            self.fewer = (0, 0);
        } else {
            self.fewer = (most, since);
        }
    }

    /// A stream that ran dry goes on once enough waits in the ring.
    fn start_or_wait(&mut self) {
        if !self.is_running {
            let enough = self.level.refill.load(Ordering::Relaxed);
            self.is_running = self.ring.occupied_len() >= enough;
        }
    }

    /// The next frame at its final level.
    fn next(&mut self) -> Frame {
        let step = 1.0 / (FADE_S * self.rate_hz);
        let next = if self.is_running { self.ring.try_pop() } else { None };
        let raw = match next {
            Some(frame) => {
                self.taken += 1;
                self.fade = (self.fade + step).min(1.0);
                self.last = frame;
                frame
            }
            None => {
                if self.is_running {
                    self.is_running = false;
                    self.telemetry.underruns.fetch_add(1, Ordering::Relaxed);
                }
                self.fade = (self.fade - step).max(0.0);
                self.last
            }
        };
        let gain = self.fade * self.gain;
        let frame = self.limiter.next(raw.map(|side| side * gain), self.rate_hz);
        self.meter(frame);
        frame
    }

    /// The louder side is what peaks; the power is the mean of both.
    fn meter(&mut self, [left, right]: Frame) {
        self.meter_peak = self.meter_peak.max(left.abs()).max(right.abs());
        self.meter_power += (left * left + right * right) / SIDES as f32;
        self.meter_count += 1;
        if self.meter_count as f32 >= METER_S * self.rate_hz {
            let rms = (self.meter_power / self.meter_count as f32).sqrt();
            self.telemetry.peak.store(self.meter_peak.to_bits(), Ordering::Relaxed);
            self.telemetry.rms.store(rms.to_bits(), Ordering::Relaxed);
            (self.meter_peak, self.meter_power, self.meter_count) = (0.0, 0.0, 0);
        }
    }
}

#[cfg(test)]
mod tests {
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
        // A device that takes turns is as large as its largest turn.
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
}
