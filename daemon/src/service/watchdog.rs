//! Tells the service manager that we are alive, but only while every thread moves on. Knows no
//! thread, only counters.
//!
//! Ticked by the supervisor's thread.

use std::time::Duration;

use super::notify::Notifier;

/// What a tick did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feed {
    /// The manager was told.
    Fed,
    /// A counter stands where it stood at the tick before: the manager was not told.
    Stalled,
}

/// A thread's name, and a number that differs from tick to tick while it is well.
pub type Pulse = (&'static str, u64);

/// Feeds the watchdog as long as all counters move. A callback that hangs, or a thread, stops the
/// feeding, so the manager restarts us.
#[derive(Debug)]
pub struct Watchdog {
    notifier: Notifier,
    last: Vec<Pulse>,
    /// Who stood still at the tick before, so that it is told once.
    stalled: Vec<&'static str>,
}

impl Watchdog {
    /// One that has not looked yet.
    pub fn new(notifier: Notifier) -> Self {
        Self { notifier, last: Vec::new(), stalled: Vec::new() }
    }

    /// Looks at the counters and feeds if each moved; one that is new is taken as well. Call it
    /// every [`period`].
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
                "{name} stands still; the service manager is not told that all is well"
            );
        }
        if !self.stalled.is_empty() {
            return Feed::Stalled;
        }
        self.notifier.feed_watchdog();
        Feed::Fed
    }
}

/// Time between ticks for a manager that wants to hear of us every `interval`: a third of it, so
/// that one tick that finds nothing moved does no harm.
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
