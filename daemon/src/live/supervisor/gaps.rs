//! Logs gaps in the sound as they happen, but not more often than somebody can read, and banks that
//! do not exist. It knows no device.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use timbre_models::notes::MissingBank;

use crate::bus::queues::Telemetry;

/// How often gaps are logged at most.
const EVERY: Duration = Duration::from_secs(10);

/// How long a device is watched, and how often it may run dry in that time. If it does so more
/// often, its buffer is too small.
const DRY_LOOK: Duration = Duration::from_secs(2);
const DRY_MOST: u64 = 10;
/// The most frames at a time that are tried.
const FRAMES_MOST: u32 = 2048;

/// Finds devices that run dry again and again, and how many frames they should get instead.
#[derive(Debug, Default)]
pub(super) struct Dry {
    look: Option<(Instant, u64)>,
    /// The number of frames at a time in place of the configured one, if there is one.
    pub(super) grown: Option<u32>,
}

impl Dry {
    /// How many frames at a time to ask for.
    pub(super) fn frames(&self, wanted: u32) -> u32 {
        self.grown.unwrap_or(wanted).max(wanted)
    }

    /// Starts again, for another device or after another wish.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Takes how often a device that takes `frames` at a time has run dry. Returns whether it
    /// should be opened with more frames.
    pub(super) fn look(&mut self, now: Instant, dry: u64, frames: u32) -> bool {
        let (since, before) = *self.look.get_or_insert((now, dry));
        if now.duration_since(since) < DRY_LOOK {
            return false;
        }
        self.look = Some((now, dry));
        let more = frames.saturating_mul(2).min(FRAMES_MOST);
        // If the device did not take more frames before, it will not do so now.
        let can_grow = more > frames && self.grown.is_none_or(|grown| grown < more);
        let is_dry = dry.saturating_sub(before) > DRY_MOST && can_grow;
        if is_dry {
            self.grown = Some(more);
        }
        is_dry
    }
}

/// The banks that do not exist, each of which is logged once.
#[derive(Debug, Default)]
pub(super) struct Banks(BTreeSet<MissingBank>);

impl Banks {
    /// Logs what is new since the last call.
    pub(super) fn look(&mut self, telemetry: &Telemetry) {
        for channel in 0..16 {
            let bank = telemetry.missing_banks.get(usize::from(channel));
            let missing = MissingBank { channel, bank };
            if bank > 0 && self.0.insert(missing) {
                tracing::warn!("{missing}");
            }
        }
    }
}

/// The state of the gaps at the last line in the log.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    device: u64,
    stream: u64,
    told: Option<Instant>,
}

impl Gaps {
    /// Logs what is new since the last call.
    pub(super) fn look(&mut self, telemetry: &Telemetry) {
        if self.told.is_some_and(|told| told.elapsed() < EVERY) {
            return;
        }
        let [device, stream] = [&telemetry.device_underruns, &telemetry.underruns]
            .map(|count| count.load(Ordering::Relaxed));
        if let Some(text) = self.news(device, stream) {
            tracing::warn!("{text}");
            self.told = Some(Instant::now());
        }
    }

    /// The line for the gaps since the last one.
    fn news(&mut self, device: u64, stream: u64) -> Option<String> {
        let (by_device, by_stream) =
            (device.saturating_sub(self.device), stream.saturating_sub(self.stream));
        (self.device, self.stream) = (device, stream);
        let times = |n: u64| if n == 1 { "once".to_owned() } else { format!("{n} times") };
        match (by_device, by_stream) {
            (0, 0) => None,
            (0, n) => Some(format!(
                "the sound had gaps {}: the model was late; fewer other programs or a larger \
                 audio.buffer_frames help, and with imported models longer hops",
                times(n)
            )),
            (n, _) => Some(format!(
                "the sound device ran dry {}: it was not served in time; a larger \
                 audio.buffer_frames or real-time priority helps",
                times(n)
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_runs_dry_all_the_time_gets_more_frames() {
        let (mut dry, mut now) = (Dry::default(), Instant::now());
        let mut look = |dry: &mut Dry, count: u64, frames: u32| {
            now += DRY_LOOK;
            dry.look(now, count, frames)
        };
        assert!(!look(&mut dry, 500, 256), "the first look");
        assert!(!look(&mut dry, 505, 256), "an accident");
        assert!(look(&mut dry, 600, 256));
        assert_eq!(dry.frames(256), 512);
        assert!(!look(&mut dry, 601, 512));
        assert!(look(&mut dry, 700, 512) && dry.frames(256) == 1024);
        assert!(!look(&mut dry, 800, 512), "it did not take them");
        assert!(look(&mut dry, 900, 1024) && dry.frames(256) == 2048);
        assert!(!look(&mut dry, 1_000, 2048) && dry.frames(4096) == 4096);
        dry.forget();
        assert_eq!(dry.frames(256), 256);
    }

    #[test]
    fn a_bank_that_is_not_there_is_told_of_once() {
        let (mut banks, telemetry) = (Banks::default(), Telemetry::default());
        let mut missing = [0; 16];
        for (channel, bank, told) in
            [(2, 0, 0), (2, 8, 1), (2, 8, 1), (2, 0, 1), (2, 8, 1), (3, 8, 2)]
        {
            missing[channel] = bank;
            telemetry.missing_banks.set(&missing);
            banks.look(&telemetry);
            assert_eq!(banks.0.len(), told, "{channel} {bank}");
        }
    }

    #[test]
    fn only_what_is_new_is_told() {
        let mut gaps = Gaps::default();
        assert_eq!(gaps.news(0, 0), None);
        assert!(gaps.news(0, 1).is_some_and(|text| text.contains("gaps once: the model")));
        assert!(gaps.news(40, 2).is_some_and(|text| text.contains("ran dry 40 times")));
        assert_eq!(gaps.news(40, 2), None);
        let telemetry = Telemetry::default();
        telemetry.device_underruns.store(43, Ordering::Relaxed);
        gaps.look(&telemetry);
        assert!(gaps.told.is_some() && gaps.device == 43);
        telemetry.device_underruns.store(50, Ordering::Relaxed);
        gaps.look(&telemetry);
        assert_eq!(gaps.device, 43, "not more than once in ten seconds");
    }
}
