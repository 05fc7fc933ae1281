//! The clock of the stream, which the callback of the device sets and other threads read. It knows
//! no audio.
//!
//! The device leads: its frames are the clock, and wall time is converted to frames only here.
//! The callback's wake-ups are smoothed by a delay-locked loop (Adriaensen, "Using a DLL to filter
//! time", LAC 2005).

use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::time::Instant;

/// Bandwidth of the loop once it has settled, Hz.
const BANDWIDTH_HZ: f64 = 0.5;
/// Bandwidth during the first callbacks, Hz: a wrong start is soon corrected.
const SETTLING_HZ: f64 = 4.0;
/// How many callbacks the loop takes to settle.
const SETTLING: u32 = 200;
/// If a wake-up is further off than this (seconds) and two buffers, the device stood still, and the
/// loop restarts.
const LOST_S: f64 = 0.01;

/// The side of the callback, which smooths the times of its wake-ups.
#[derive(Debug)]
pub struct TimeFilter {
    nominal_s_per_frame: f64,
    s_per_frame: f64,
    /// When the next callback should come, in seconds of the shared clock; none before the first.
    next_s: Option<f64>,
    callbacks: u32,
}

impl TimeFilter {
    /// A filter for a device with this nominal rate.
    pub fn new(rate_hz: u32) -> Self {
        let nominal_s_per_frame = 1.0 / f64::from(rate_hz.max(1));
        Self { nominal_s_per_frame, s_per_frame: nominal_s_per_frame, next_s: None, callbacks: 0 }
    }

    /// Takes a callback at `now_s` that plays `frames`. Returns the smoothed time of its first
    /// frame, and the seconds per frame.
    pub fn callback(&mut self, now_s: f64, frames: usize) -> (f64, f64) {
        let frames = frames as f64;
        let start_s = match self.next_s {
            Some(next_s)
                if (now_s - next_s).abs() < LOST_S + 2.0 * frames * self.nominal_s_per_frame =>
            {
                let hz = if self.callbacks < SETTLING { SETTLING_HZ } else { BANDWIDTH_HZ };
                let omega = std::f64::consts::TAU * hz * frames * self.nominal_s_per_frame;
                let error_s = now_s - next_s;
                let correction_s = (std::f64::consts::SQRT_2 * omega).min(1.0) * error_s;
                self.s_per_frame += (omega * omega).min(1.0) * error_s / frames.max(1.0);
                next_s + correction_s
            }
            _ => {
                self.s_per_frame = self.nominal_s_per_frame;
                self.callbacks = 0;
                now_s
            }
        };
        // The rates of sound devices are off by about 0.01 %. More than that is lost time, which
        // says nothing about the rate and must not make the loop swing.
        let nominal = self.nominal_s_per_frame;
        self.s_per_frame = self.s_per_frame.clamp(0.999 * nominal, 1.001 * nominal);
        self.callbacks = self.callbacks.saturating_add(1);
        self.next_s = Some(start_s + frames * self.s_per_frame);
        (start_s, self.s_per_frame)
    }
}

/// The position of the device in the stream, which the callback writes and inference reads.
///
/// # Real time
/// Neither side waits for the other: if the writer was busy while the reader read, it reads again.
#[derive(Debug)]
pub struct PlayPosition {
    epoch: Instant,
    version: AtomicU64,
    /// Stream samples that the device had taken before its last callback.
    taken: AtomicU64,
    /// Bits of the smoothed time of that callback, seconds since `epoch`.
    at_s: AtomicU64,
    /// Bits of seconds per frame; 0 while the stream stands still.
    s_per_frame: AtomicU64,
}

impl Default for PlayPosition {
    fn default() -> Self {
        Self {
            epoch: Instant::now(),
            version: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            at_s: AtomicU64::new(0),
            s_per_frame: AtomicU64::new(0),
        }
    }
}

impl PlayPosition {
    /// Seconds of the shared clock at `at`.
    pub fn seconds(&self, at: Instant) -> f64 {
        match at.checked_duration_since(self.epoch) {
            Some(since) => since.as_secs_f64(),
            None => -self.epoch.duration_since(at).as_secs_f64(),
        }
    }

    /// Publishes that at `at_s` the device had taken `taken` samples and takes one more every
    /// `s_per_frame` seconds (0: it waits).
    pub fn publish(&self, taken: u64, at_s: f64, s_per_frame: f64) {
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        self.taken.store(taken, Ordering::Relaxed);
        self.at_s.store(at_s.to_bits(), Ordering::Relaxed);
        self.s_per_frame.store(s_per_frame.to_bits(), Ordering::Relaxed);
        self.version.store(version + 2, Ordering::Release);
    }

    /// The stream sample that the device plays at `at`, which may lie between two callbacks.
    pub fn sample_at(&self, at: Instant) -> f64 {
        loop {
            let before = self.version.load(Ordering::Acquire);
            let taken = self.taken.load(Ordering::Relaxed) as f64;
            let at_s = f64::from_bits(self.at_s.load(Ordering::Relaxed));
            let s_per_frame = f64::from_bits(self.s_per_frame.load(Ordering::Relaxed));
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && before == self.version.load(Ordering::Relaxed) {
                let since_s = self.seconds(at) - at_s;
                return taken + if s_per_frame > 0.0 { since_s / s_per_frame } else { 0.0 };
            }
            std::hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn jittery_wake_ups_become_a_steady_clock() {
        let mut filter = TimeFilter::new(48_000);
        let true_s_per_frame = 1.0 / 48_010.0;
        let mut worst_late = 0.0f64;
        for n in 0..20_000u32 {
            let true_s = f64::from(n) * 128.0 * true_s_per_frame;
            let jitter_s = f64::from(n.wrapping_mul(2_654_435_761) >> 16) / 65_536.0 * 0.002;
            let (start_s, _) = filter.callback(true_s + jitter_s, 128);
            if n > 10_000 {
                worst_late = worst_late.max((start_s - true_s - 0.001).abs());
            }
        }
        assert!(worst_late < 0.0002, "{worst_late} s");
    }

    #[test]
    fn a_long_gap_starts_it_anew() {
        let mut filter = TimeFilter::new(48_000);
        filter.callback(0.0, 128);
        assert_eq!(filter.callback(5.0, 128).0, 5.0);
    }

    #[test]
    fn positions_lie_between_callbacks_and_stand_still_when_told() {
        let position = PlayPosition::default();
        let at = position.epoch + Duration::from_millis(1_000);
        position.publish(480, 1.0, 1.0 / 48_000.0);
        assert!((position.sample_at(at + Duration::from_millis(10)) - 960.0).abs() < 1e-3);
        assert!((position.sample_at(at - Duration::from_millis(5)) - 240.0).abs() < 1e-3);
        position.publish(480, 1.0, 0.0);
        assert_eq!(position.sample_at(at + Duration::from_secs(9)), 480.0);
    }
}
