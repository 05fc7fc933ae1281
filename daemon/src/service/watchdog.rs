//! Tells the service manager that the program is alive, but only while every thread makes progress.
//! It knows no threads, only counters. The thread of the supervisor calls it.

use std::time::Duration;

use super::notify::Notifier;

/// The result of a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feed {
    /// The manager got the message.
    Fed,
    /// A counter has not moved since the tick before, so the manager got no message.
    Stalled,
}

/// The name of a thread, and a number that changes from tick to tick while the thread is well.
pub type Pulse = (&'static str, u64);

/// Feeds the watchdog as long as all counters move. If a callback or a thread hangs, the feeding
/// stops, and the manager restarts the program.
#[derive(Debug)]
pub struct Watchdog {
    notifier: Notifier,
    last: Vec<Pulse>,
    /// The threads that stood still at the tick before, so that each is logged once.
    stalled: Vec<&'static str>,
}

impl Watchdog {
    /// A watchdog before its first tick.
    pub fn new(notifier: Notifier) -> Self {
        Self { notifier, last: Vec::new(), stalled: Vec::new() }
    }

    /// Compares the counters with those of the tick before, and feeds if all have moved. A new
    /// counter counts as moved. It has to be called every [`period`].
    pub fn tick(&mut self, pulses: &[Pulse]) -> Feed {
        let stalled: Vec<_> = pulses
            .iter()
            .filter(|pulse| self.last.contains(pulse))
            .map(|(name, _)| *name)
            .collect();
        self.last = pulses.to_vec();
        let told = std::mem::replace(&mut self.stalled, stalled);
        for name in self.stalled.iter().filter(|name| told.contains(name)) {
            tracing::error!(
                "{name} makes no progress; the watchdog of the service manager gets no message"
            );
        }
        if !self.stalled.is_empty() {
            return Feed::Stalled;
        }
        self.notifier.feed_watchdog();
        Feed::Fed
    }
}

/// The time between ticks for a manager that wants a message every `interval`. It is a third of
/// that, so that a single tick without progress does no harm.
pub fn period(interval: Duration) -> Duration {
    interval / 3
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::super::notify::tests::Listener;
    use super::*;

    #[test]
    fn whoever_stands_still_stops_the_feeding() {
        let listener = Listener::new();
        let mut watchdog = Watchdog::new(listener.notifier.clone());
        let mut tick = |device: u64, osc: u64| {
            let feed = watchdog.tick(&[("the sound device", device), ("timbred-osc", osc)]);
            assert_eq!(listener.heard().is_some(), feed == Feed::Fed);
            feed
        };
        assert_eq!(tick(0, 0), Feed::Fed, "the first look");
        assert_eq!(tick(0, 1), Feed::Stalled);
        assert_eq!(tick(256, 2), Feed::Fed);
        assert_eq!(tick(512, 2), Feed::Stalled);
        assert_eq!(tick(768, 2), Feed::Stalled);
        assert_eq!(tick(0, 3), Feed::Fed, "a new device counts anew");
    }

    #[test]
    fn a_thread_that_is_not_there_is_not_waited_for() {
        let mut watchdog = Watchdog::new(Notifier::default());
        assert_eq!(watchdog.tick(&[("a", 1), ("b", 1)]), Feed::Fed);
        assert_eq!(watchdog.tick(&[("a", 2)]), Feed::Fed);
        assert_eq!(watchdog.tick(&[("a", 3), ("b", 1)]), Feed::Fed, "started again");
        assert_eq!(watchdog.tick(&[("a", 4), ("b", 1)]), Feed::Stalled);
    }

    #[test]
    fn a_tick_is_missed_without_harm() {
        assert!(period(Duration::from_secs(10)) * 2 < Duration::from_secs(10));
    }
}
