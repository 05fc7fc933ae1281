//! When the next hop must be begun, and with how many steps. Knows no audio and no network.

use std::time::Duration;

/// Hops whose compute time is remembered.
const HISTORY: usize = 256;
/// Added to the compute time: for a thread that wakes late, and so that a hop that takes longer than those before does not change the delay.
pub const MARGIN: Duration = Duration::from_millis(8);
/// What must be left of it, or the lead rises.
pub const LEAST_MARGIN: Duration = Duration::from_millis(3);
/// Hops in a row that must have been comfortable before the steps are raised again.
const CALM_HOPS: u32 = 100;
/// A hop that took more of its time than this is tight, less than that is comfortable.
const TIGHT: f64 = 0.85;
const COMFORTABLE: f64 = 0.5;

/// The compute times of the last hops.
#[derive(Debug)]
pub struct ComputeTimes {
    times_s: [f64; HISTORY],
    count: usize,
}

impl Default for ComputeTimes {
    fn default() -> Self {
        Self { times_s: [0.0; HISTORY], count: 0 }
    }
}

impl ComputeTimes {
    /// One more.
    pub fn push(&mut self, time: Duration) {
        if let Some(slot) = self.times_s.get_mut(self.count % HISTORY) {
            *slot = time.as_secs_f64();
        }
        self.count += 1;
    }

    /// The longest but one of those remembered, of 256 the 99.6th percentile: one stray hop does not count.
    pub fn nearly_longest(&self) -> Duration {
        let (mut longest, mut second) = (0.0f64, 0.0f64);
        for time in self.times_s.iter().take(self.count) {
            if *time > longest {
                (longest, second) = (*time, longest);
            } else {
                second = second.max(*time);
            }
        }
        Duration::from_secs_f64(second)
    }
}

/// Lowers the steps when hops come late, and raises them again after a calm while.
#[derive(Debug)]
pub struct Governor {
    /// What the player wants.
    wanted: usize,
    now: usize,
    calm: u32,
    /// Calm hops needed, doubled by every raise that did not last, so that it does not swing.
    patience: u32,
    /// Hops since the last raise.
    since_raise: u32,
}

impl Governor {
    /// Starts at what is wanted.
    pub fn new(wanted: usize) -> Self {
        Self { wanted, now: wanted, calm: 0, patience: CALM_HOPS, since_raise: u32::MAX }
    }

    /// Itself, but beginning with `now` steps, where more would not be in time.
    pub fn beginning_with(self, now: usize) -> Self {
        Self { now: now.clamp(1, self.wanted.max(1)), ..self }
    }

    /// The steps to take now.
    pub fn steps(&self) -> usize {
        self.now
    }

    /// What the player wants from now on.
    pub fn want(&mut self, steps: usize) {
        if steps != self.wanted {
            *self = Self::new(steps);
        }
    }

    /// After a hop of `hop` that took `compute`, of which `budget` were there.
    pub fn hop(&mut self, compute: Duration, budget: Duration) {
        let share = compute.as_secs_f64() / budget.as_secs_f64().max(1e-6);
        self.since_raise = self.since_raise.saturating_add(1);
        if share > TIGHT && self.now > 1 {
            if self.since_raise < CALM_HOPS {
                self.patience = (self.patience * 2).min(CALM_HOPS * 64);
            }
            self.now = (self.now / 2).max(1);
            self.calm = 0;
        } else if share < COMFORTABLE && self.now < self.wanted {
            self.calm += 1;
            if self.calm >= self.patience {
                self.now += 1;
                (self.calm, self.since_raise) = (0, 0);
            }
        } else {
            self.calm = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOP: Duration = Duration::from_millis(40);

    #[test]
    fn one_stray_hop_is_not_the_longest() {
        let mut times = ComputeTimes::default();
        for ms in [8, 9, 80, 7, 8] {
            times.push(Duration::from_millis(ms));
        }
        assert_eq!(times.nearly_longest(), Duration::from_millis(9));
    }

    #[test]
    fn late_hops_lower_the_steps_and_calm_raises_them() {
        let mut governor = Governor::new(4);
        governor.hop(HOP, HOP);
        assert_eq!(governor.steps(), 2);
        governor.hop(HOP, HOP);
        governor.hop(HOP, HOP);
        assert_eq!(governor.steps(), 1);
        for _ in 0..2_000 {
            governor.hop(HOP / 4, HOP);
        }
        assert_eq!(governor.steps(), 4);
        governor.want(8);
        assert_eq!(governor.steps(), 8);
    }

    #[test]
    fn it_does_not_swing() {
        // One step fits, two do not.
        let mut governor = Governor::new(2);
        let mut changes = 0;
        for _ in 0..20_000 {
            let before = governor.steps();
            let compute = if before == 1 { HOP / 4 } else { HOP };
            governor.hop(compute, HOP);
            changes += usize::from(governor.steps() != before);
        }
        assert!(changes < 20, "{changes} changes in 20000 hops");
    }
}
