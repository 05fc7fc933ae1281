//! The clocks of clients that send bundles, as far as they are known. It knows neither socket nor
//! clock, and the thread `timbred-osc` uses it.
//!
//! A time tag counts by the clock of the sender, which may differ from ours: that of a Raspberry Pi
//! without a battery can be years off. If a tag is far from now, it is ignored, and the bundle is
//! applied at once. If the clock of the sender is a little slow, every bundle would be late and be
//! applied as it arrives, with the jitter of the network. So the delay of each sender is measured,
//! and its bundles wait as if its clock were right.

use std::time::Duration;

use super::clients::ClientId;

/// If a tag is further from now than this (seconds), the clock of the sender cannot be used.
const FARTHEST_S: f64 = 1.0;
/// The longest time that a late bundle waits so as to be as late as earlier ones (seconds): more
/// than the jitter of a network.
const LONGEST_WAIT_S: f64 = 0.02;
/// By which share one bundle that is less late than expected lowers the expected delay.
const SHARE: f64 = 0.05;
/// How many senders are remembered. The one that was silent for longest is forgotten first.
const MOST_SENDERS: usize = 64;

/// A sender, and how late its bundles come.
#[derive(Debug)]
struct Sender {
    client: ClientId,
    late_s: f64,
    /// Whether the log already says that its clock cannot be used.
    is_told: bool,
}

/// All senders of bundles with time tags, the most recent one last.
#[derive(Debug, Default)]
pub struct Senders(Vec<Sender>);

/// The decision about a bundle.
#[derive(Debug, Clone, Copy, PartialEq)]
struct When {
    /// How long it waits.
    delay: Duration,
    /// Its time tag is so far away (in seconds, negative for the past) that it is ignored, and the
    /// log does not say so yet.
    is_far_s: Option<f64>,
}

impl Senders {
    /// How long a bundle waits whose tag is `ahead_s` seconds ahead of our clock. If the clock of
    /// the sender is far off, the log says so once.
    pub fn delay(&mut self, from: ClientId, ahead_s: f64) -> Duration {
        let when = self.when(from, ahead_s);
        if let Some(far_s) = when.is_far_s {
            let side = if far_s > 0.0 { "ahead of" } else { "behind" };
            tracing::warn!(
                "OSC: the bundles of {from} are stamped {:.0} s {side} the clock of this machine; \
                 they are done as soon as they come. Set both clocks right if they shall wait for \
                 their time",
                far_s.abs()
            );
        }
        when.delay
    }

    /// When a bundle is due whose tag is `ahead_s` seconds ahead of our clock.
    fn when(&mut self, from: ClientId, ahead_s: f64) -> When {
        let sender = self.sender(from);
        if ahead_s.abs() > FARTHEST_S {
            let was_told = std::mem::replace(&mut sender.is_told, true);
            return When { delay: Duration::ZERO, is_far_s: (!was_told).then_some(ahead_s) };
        }
        let wait_s = if ahead_s >= 0.0 {
            ahead_s
        } else {
            let late_s = -ahead_s;
            // It waits until it is as late as the latest bundle of this sender; that measure falls
            // slowly.
            sender.late_s = late_s.max(sender.late_s + SHARE * (late_s - sender.late_s));
            (sender.late_s - late_s).min(LONGEST_WAIT_S)
        };
        When { delay: Duration::from_secs_f64(wait_s), is_far_s: None }
    }

    /// The entry of a sender, which becomes the most recent one.
    fn sender(&mut self, client: ClientId) -> &mut Sender {
        let known = self.0.iter().position(|sender| sender.client == client);
        let sender = match known {
            Some(place) => self.0.remove(place),
            None => Sender { client, late_s: 0.0, is_told: false },
        };
        if self.0.len() >= MOST_SENDERS {
            self.0.remove(0);
        }
        self.0.push(sender);
        let last = self.0.len() - 1;
        &mut self.0[last]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(number: u64) -> ClientId {
        ClientId::Connection(number)
    }

    #[test]
    fn another_clock_does_not_count_and_is_told_once() {
        let mut senders = Senders::default();
        for ahead_s in [7200.0, 5.0, -3600.0, 1e9] {
            let when = senders.when(from(1), ahead_s);
            assert_eq!(when.delay, Duration::ZERO);
            assert_eq!(when.is_far_s, (ahead_s == 7200.0).then_some(7200.0));
        }
        assert!(senders.when(from(2), 30.0).is_far_s.is_some());
        for port in 3..200 {
            senders.when(from(port), 2.0);
        }
        assert_eq!(senders.0.len(), MOST_SENDERS);
    }

    #[test]
    fn what_is_ahead_waits_and_what_is_late_keeps_its_distance() {
        let mut senders = Senders::default();
        assert_eq!(senders.when(from(1), 0.25).delay, Duration::from_millis(250));
        assert_eq!(senders.when(from(2), -0.4).delay, Duration::ZERO);
        // A clock that is 0.4 s slow, with packets that take up to 10 ms: all become as late
        // as the latest.
        for jitter_s in [0.01, 0.004, 0.0, 0.007] {
            let when = senders.when(from(2), -0.4 - jitter_s);
            let late_s = 0.4 + jitter_s + when.delay.as_secs_f64();
            assert!((0.409..=0.4101).contains(&late_s), "{jitter_s}: {late_s}");
        }
        // One bundle that was delayed for long does not make others wait for long.
        senders.when(from(2), -0.9);
        assert_eq!(senders.when(from(2), -0.4).delay, Duration::from_secs_f64(LONGEST_WAIT_S));
        for _ in 0..200 {
            senders.when(from(2), -0.4);
        }
        assert!(senders.when(from(2), -0.4).delay < Duration::from_millis(1));
    }
}
