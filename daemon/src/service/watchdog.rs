//! Tells the service manager that we are alive, but only while sound moves on. Knows no audio thread, only a counter.
//!
//! Ticked by the supervisor's thread.

use std::time::Duration;

use super::notify::Notifier;

/// What a tick did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feed {
    /// The manager was told.
    Fed,
    /// The counter stands where it stood at the tick before: the manager was not told.
    Stalled,
}

/// Feeds the watchdog as long as a counter moves. A callback that hangs stops the feeding, so the manager restarts us.
pub struct Watchdog<F> {
    notifier: Notifier,
    progress: F,
    last: Option<u64>,
}

impl<F> std::fmt::Debug for Watchdog<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watchdog").field("last", &self.last).finish_non_exhaustive()
    }
}

impl<F: Fn() -> u64> Watchdog<F> {
    /// `progress` is a number that differs from tick to tick while all is well: frames of the stream played, plus attempts to get
    /// a lost device back, so that a device that is unplugged is no reason to be killed.
    pub fn new(notifier: Notifier, progress: F) -> Self {
        Self { notifier, progress, last: None }
    }

    /// Looks at the counter and feeds if it moved; the first tick always feeds. Call it every [`period`].
    pub fn tick(&mut self) -> Feed {
        let now = (self.progress)();
        if self.last.replace(now) == Some(now) {
            return Feed::Stalled;
        }
        self.notifier.feed_watchdog();
        Feed::Fed
    }
}

/// Time between ticks for a manager that wants to hear of us every `interval`: a third of it, so that one tick that finds
/// nothing moved does no harm.
pub fn period(interval: Duration) -> Duration {
    interval / 3
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::super::notify::tests::Listener;
    use super::*;

    #[test]
    fn a_stalled_callback_stops_the_feeding() {
        let listener = Listener::new();
        let frames = AtomicU64::new(0);
        let mut watchdog =
            Watchdog::new(listener.notifier.clone(), || frames.load(Ordering::Relaxed));
        let fed = || Some("WATCHDOG=1\n".to_owned());
        assert_eq!((watchdog.tick(), listener.heard()), (Feed::Fed, fed()));
        assert_eq!((watchdog.tick(), listener.heard()), (Feed::Stalled, None));
        frames.store(256, Ordering::Relaxed);
        assert_eq!((watchdog.tick(), listener.heard()), (Feed::Fed, fed()));
        assert_eq!((watchdog.tick(), listener.heard()), (Feed::Stalled, None));
        assert_eq!((watchdog.tick(), listener.heard()), (Feed::Stalled, None));
        frames.store(0, Ordering::Relaxed);
        assert_eq!(
            (watchdog.tick(), listener.heard()),
            (Feed::Fed, fed()),
            "a new device counts anew"
        );
    }

    #[test]
    fn a_tick_is_missed_without_harm() {
        assert!(period(Duration::from_secs(10)) * 2 < Duration::from_secs(10));
    }
}
