//! Bundles whose time has not come, in the order of their times. It knows neither socket nor clock,
//! and the thread `timbred-osc` uses it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use timbre_control::error::{Code, ControlError};
use timbre_control::osc::Request;

use super::clients::ClientId;

/// The most bundles that wait.
const MOST_BUNDLES: usize = 1024;
/// The most requests in all of them together.
const MOST_REQUESTS: usize = 65_536;

/// The bundles that wait.
#[derive(Debug, Default)]
pub struct Waiting {
    /// Sorted by time, then by arrival.
    bundles: BTreeMap<(Instant, u64), Bundle>,
    arrivals: u64,
    requests: usize,
}

/// Requests that are applied together.
#[derive(Debug)]
pub struct Bundle {
    /// The client that sent them.
    pub from: ClientId,
    /// The requests, in order.
    pub requests: Vec<Request>,
}

impl Waiting {
    /// Keeps a bundle until its time.
    ///
    /// # Errors
    /// Too many bundles wait already.
    pub fn push(
        &mut self,
        now: Instant,
        delay: Duration,
        bundle: Bundle,
    ) -> Result<(), ControlError> {
        let requests = self.requests + bundle.requests.len();
        if self.bundles.len() >= MOST_BUNDLES || requests > MOST_REQUESTS {
            let text = format!(
                "{MOST_BUNDLES} bundles or {MOST_REQUESTS} requests wait for their time; \
                 send them closer to it"
            );
            return Err(ControlError::new(Code::Full, text));
        }
        self.requests = requests;
        self.arrivals += 1;
        self.bundles.insert((now + delay, self.arrivals), bundle);
        Ok(())
    }

    /// The next bundle whose time has come.
    pub fn due(&mut self, now: Instant) -> Option<Bundle> {
        let first = self.bundles.first_entry()?;
        if first.key().0 > now {
            return None;
        }
        let bundle = first.remove();
        self.requests -= bundle.requests.len();
        Some(bundle)
    }

    /// When the next bundle is due.
    pub fn next(&self) -> Option<Instant> {
        self.bundles.keys().next().map(|&(at, _)| at)
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.bundles.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundles_come_in_the_order_of_their_times_and_no_more_than_fit() {
        let now = Instant::now();
        let from = ClientId::Connection(1);
        let bundle = |n| Bundle { from, requests: vec![Request::Status; n] };
        let mut waiting = Waiting::default();
        let second = Duration::from_secs(1);
        waiting.push(now, second * 2, bundle(2)).unwrap();
        waiting.push(now, second, bundle(1)).unwrap();
        waiting.push(now, second * 2, bundle(3)).unwrap();
        assert!(waiting.push(now, second, bundle(MOST_REQUESTS)).is_err());
        assert!(waiting.due(now).is_none());
        assert_eq!(waiting.next(), Some(now + second));
        let later = now + second * 2;
        let order: Vec<usize> =
            std::iter::from_fn(|| waiting.due(later).map(|b| b.requests.len())).collect();
        assert_eq!(order, [1, 2, 3]);
        assert_eq!((waiting.requests, waiting.len()), (0, 0));
        for _ in 0..MOST_BUNDLES {
            waiting.push(now, second, bundle(1)).unwrap();
        }
        assert_eq!(waiting.push(now, second, bundle(1)).unwrap_err().code, Code::Full);
    }
}
