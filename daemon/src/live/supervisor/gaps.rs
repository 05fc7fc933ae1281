//! Tells of gaps in the sound as they happen, and not more often than somebody can read. Knows no
//! device.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::live::queues::Telemetry;

/// How often gaps are told of at most.
const EVERY: Duration = Duration::from_secs(10);

/// What was told last.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    device: u64,
    stream: u64,
    told: Option<Instant>,
}

impl Gaps {
    /// Looks, and logs what is new.
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

    /// What is to be told of the gaps since the last time.
    fn news(&mut self, device: u64, stream: u64) -> Option<String> {
        let (by_device, by_stream) =
            (device.saturating_sub(self.device), stream.saturating_sub(self.stream));
        (self.device, self.stream) = (device, stream);
        let times = |n: u64| if n == 1 { "once".to_owned() } else { format!("{n} times") };
        match (by_device, by_stream) {
            (0, 0) => None,
            (0, n) => Some(format!(
                "the sound had gaps {}: the model was late; a larger hop or fewer steps help",
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
