//! The work of the thread of the device: it takes samples from the ring, sets their level, fades
//! over gaps, and meters. It knows no device.
//!
//! # Real time
//! It allocates, locks, logs and waits for nothing, which `daemon/tests/realtime.rs` checks.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::{Duration, Instant};

use cpal::{FromSample, SizedSample};
use ringbuf::HeapCons;
use ringbuf::traits::{Consumer, Observer};

use super::clock::{PlayPosition, TimeFilter};
use super::stems::{PARTS, PartsFrame, PartsPlayer};
use crate::bus::queues::Telemetry;
use crate::mix::limiter::Limiter;
use crate::mix::{Frame, SIDES};

/// The length of a fade at the beginning and end of a gap, seconds.
const FADE_S: f32 = 0.004;
/// The time in which the gain reaches a new value, seconds.
const GAIN_S: f32 = 0.010;
/// The time that the meters cover, seconds.
const METER_S: f32 = 0.1;
/// How long a device must take fewer frames at a time than before until the lower number counts,
/// seconds.
const FEWER_S: f32 = 0.5;
/// Parts that are silent.
const SILENCE: PartsFrame = [[0.0; SIDES]; PARTS];
/// The weight of the last callback in the smoothed delay of the device.
const DELAY_SHARE: f64 = 0.05;

/// Values that others set and the callback reads, and those that the callback publishes about the
/// device.
#[derive(Debug)]
pub struct Level {
    /// Bits of the linear master gain (f32).
    gain: AtomicU32,
    /// Set to fade out for good.
    closing: AtomicBool,
    /// How many samples must be in the ring before a stream that ran dry goes on.
    refill: AtomicUsize,
    /// How many frames the device takes at a time now (written by the callback).
    frames: AtomicUsize,
    /// The time from a callback to the sound of its first frame, in microseconds, according to the
    /// device; 0 if the device does not know (written by the callback).
    delay_us: AtomicU64,
    /// The fewest frames that a callback left in the ring since this was last read; negative if
    /// some were missing (written by the callback).
    least_left: AtomicI64,
    /// The thread that the callback wakes.
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
            least_left: AtomicI64::new(i64::MAX),
            listener: OnceLock::new(),
        }
    }
}

impl Level {
    /// Sets the linear master gain; 0 is silence.
    pub fn set_gain(&self, gain: f32) {
        self.gain.store(gain.to_bits(), Ordering::Relaxed);
    }

    /// The fewest frames that a callback left in the ring since the last call, negative if some
    /// were missing; none if there was no callback.
    pub fn take_least_left(&self) -> Option<i64> {
        Some(self.least_left.swap(i64::MAX, Ordering::Relaxed)).filter(|left| *left < i64::MAX)
    }

    /// Makes every callback wake this thread. Only the first call counts.
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

    /// Sets the number of frames that is expected before the first callback.
    pub fn set_frames(&self, frames: usize) {
        self.frames.store(frames, Ordering::Relaxed);
    }

    /// The time from a callback to the sound of its first frame, seconds; none if the device does
    /// not know.
    pub fn delay_s(&self) -> Option<f64> {
        let us = self.delay_us.load(Ordering::Relaxed);
        (us > 0).then_some(us as f64 / 1e6)
    }

    /// Takes the time until the first frame of this callback sounds, and smooths it. The callback
    /// calls this.
    pub fn note_delay(&self, delay: Duration) {
        let now_us = delay.as_micros() as f64;
        let before_us = self.delay_us.load(Ordering::Relaxed) as f64;
        let share = if before_us == 0.0 { 1.0 } else { DELAY_SHARE };
        let smooth_us = before_us + share * (now_us - before_us);
        self.delay_us.store(smooth_us.round() as u64, Ordering::Relaxed);
    }

    /// Sets how many samples must be in the ring before a stream that ran dry goes on.
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
    /// How many frames have been taken from the ring.
    taken: u64,
    is_running: bool,
    gain: f32,
    /// The fade: 0 in a gap, 1 in the sound; it moves by `1 / (FADE_S * rate)` a sample.
    fade: f32,
    /// The last frame before a gap, which the fade-out continues.
    last: Frame,
    limiter: Limiter,
    /// The parts, if they have ports of their own.
    parts: Option<PartsPlayer>,
    /// The most frames of one callback since the published number was last reached, and how many
    /// frames have been played since then.
    fewer: (usize, usize),
    meter_peak: f32,
    meter_power: f32,
    meter_count: u32,
}

impl Player {
    /// A player that reads this ring at the rate of the device.
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
            parts: None,
            fewer: (0, 0),
            meter_peak: 0.0,
            meter_power: 0.0,
            meter_count: 0,
        }
    }

    /// The same for a stream whose parts come through a ring of their own.
    #[must_use]
    pub fn with_parts(self, parts: PartsPlayer) -> Self {
        Self { parts: Some(parts), ..self }
    }

    /// Fills a buffer of the device. Every second channel is the right side; a single channel gets
    /// both sides.
    pub fn fill<T: SizedSample + FromSample<f32>>(
        &mut self,
        now: Instant,
        out: &mut [T],
        channels: usize,
    ) {
        let channels = channels.max(1);
        let frames = out.len() / channels;
        let mut device = out.chunks_mut(channels);
        self.play(now, frames, |[left, right], _| {
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

    /// Fills the buffers of both sides, which have the same length.
    pub fn fill_sides(&mut self, now: Instant, left: &mut [f32], right: &mut [f32]) {
        let frames = left.len();
        let mut sides = left.iter_mut().zip(right);
        self.play(now, frames, |frame, _| {
            if let Some((left, right)) = sides.next() {
                [*left, *right] = frame;
            }
        });
    }

    /// The same, and also fills the buffers of both sides of each part, which have the same length.
    pub fn fill_parts(
        &mut self,
        now: Instant,
        mix: [&mut [f32]; SIDES],
        mut parts: [[&mut [f32]; SIDES]; PARTS],
    ) {
        let [left, right] = mix;
        let frames = left.len();
        let mut sides = left.iter_mut().zip(right).enumerate();
        self.play(now, frames, |frame, of_parts| {
            let Some((at, (left, right))) = sides.next() else { return };
            [*left, *right] = frame;
            let both = parts.as_flattened_mut().iter_mut();
            for (buffer, sample) in both.zip(of_parts.as_flattened()) {
                if let Some(to) = buffer.get_mut(at) {
                    *to = *sample;
                }
            }
        });
    }

    /// Plays a number of frames, each at its final level.
    fn play(&mut self, now: Instant, frames: usize, mut put: impl FnMut(Frame, &PartsFrame)) {
        self.note_frames(frames);
        let (start_s, s_per_frame) = self.filter.callback(self.position.seconds(now), frames);
        self.start_or_wait();
        if self.is_running {
            let left = self.ring.occupied_len() as i64 - frames as i64;
            self.level.least_left.fetch_min(left, Ordering::Relaxed);
        }
        let taken_before = self.taken;
        let closing = self.level.closing.load(Ordering::Relaxed);
        let wanted = match closing {
            true => 0.0,
            false => f32::from_bits(self.level.gain.load(Ordering::Relaxed)),
        };
        let per_sample = 1.0 - (-1.0 / (GAIN_S * self.rate_hz)).exp();
        for _ in 0..frames {
            self.gain += (wanted - self.gain) * per_sample;
            let frame = self.next();
            put(frame, self.parts.as_ref().map_or(&SILENCE, PartsPlayer::now));
        }
        let moves = if self.is_running { s_per_frame } else { 0.0 };
        let taken = if self.is_running { taken_before } else { self.taken };
        self.position.publish(taken, start_s, moves);
        let streamed = self.taken - taken_before;
        self.telemetry.stream_frames.fetch_add(streamed, Ordering::Relaxed);
        self.telemetry.frames_played.fetch_add(frames as u64, Ordering::Relaxed);
        // The clock is set now, so the thread that waits for it is woken. This neither locks nor
        // waits.
        if let Some(listener) = self.level.listener.get() {
            listener.unpark();
        }
    }

    /// Publishes how many frames the device takes at a time: a higher number at once, a lower one
    /// after a while, because some devices alternate between two numbers.
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

    /// Lets a stream that ran dry go on once enough is in the ring.
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
        if let Some(parts) = &mut self.parts {
            parts.next(next.is_some(), self.fade);
        }
        let gain = self.fade * self.gain;
        let frame = self.limiter.next(raw.map(|side| side * gain), self.rate_hz);
        self.meter(frame);
        frame
    }

    /// Takes the peak of the louder side, and the mean power of both.
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
#[path = "callback_tests.rs"]
mod tests;
