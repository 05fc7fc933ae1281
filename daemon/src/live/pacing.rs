//! When the next tick or hop must be begun, with how many steps, and how long hops are. Knows no
//! audio and no network.

use std::time::Duration;

/// Times that are remembered: of hops 5 s and more, of ticks as much.
const HOPS: usize = 256;
const TICKS: usize = 2048;

/// What is added to the times that were measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Margin {
    /// For a thread that wakes late, and so that what takes longer than before does not change the
    /// delay.
    pub whole: Duration,
    /// What must be left of it, or the lead rises.
    pub least: Duration,
    /// By how much a new lead is longer than what it has to be: every rise is a change of the
    /// delay.
    pub room: f64,
}

/// Of hops, of which no more is known than how long they took.
pub const HOP_MARGIN: Margin =
    Margin { whole: Duration::from_millis(8), least: Duration::from_millis(3), room: 1.3 };
/// Of ticks, of which is known how much of the lead was used.
pub const TICK_MARGIN: Margin =
    Margin { whole: Duration::from_millis(1), least: Duration::from_micros(400), room: 1.1 };
/// Hops in a row that must have been comfortable before the steps are raised again.
const CALM_HOPS: u32 = 100;
/// A hop that took more of its time than this is tight, less than that is comfortable.
const TIGHT: f64 = 0.85;
const COMFORTABLE: f64 = 0.5;

/// How long the last hops or ticks took.
#[derive(Debug)]
pub struct ComputeTimes {
    times_s: Vec<f64>,
    count: usize,
}

impl ComputeTimes {
    /// Of hops.
    pub fn of_hops() -> Self {
        Self { times_s: vec![0.0; HOPS], count: 0 }
    }

    /// Of ticks.
    pub fn of_ticks() -> Self {
        Self { times_s: vec![0.0; TICKS], count: 0 }
    }

    /// One more.
    pub fn push(&mut self, time: Duration) {
        let at = self.count % self.times_s.len();
        if let Some(slot) = self.times_s.get_mut(at) {
            *slot = time.as_secs_f64();
        }
        self.count += 1;
    }

    /// The longest but one of those remembered: one stray does not count.
    pub fn nearly_longest(&self) -> Duration {
        let (mut longest, mut second) = (0.0f64, 0.0f64);
        for time in &self.times_s {
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

/// Makes hops longer where even with one step the denoiser takes much of their time, and shorter
/// again after a calm while: what it adds changes slowly, and a machine has other things to do.
#[derive(Debug)]
pub struct HopLength {
    factor: usize,
    /// Answers that took much, lately, and calm ones since.
    costly: u32,
    calm: u32,
}

/// An answer that takes more of a hop's time is costly; one that takes less than the second would
/// not be costly in a hop half as long either.
const COSTLY: f64 = 0.2;
const CHEAP: f64 = 0.06;
/// Costly answers before hops are made longer: one is forgiven.
const COSTLY_ANSWERS: u32 = 3;
/// Calm ones before they are made shorter.
const CALM_ANSWERS: u32 = 1_000;
/// Hops are never made longer by more than this.
const LONGEST: usize = 16;

impl Default for HopLength {
    /// As long as they are wanted.
    fn default() -> Self {
        Self { factor: 1, costly: 0, calm: 0 }
    }
}

impl HopLength {
    /// By how much hops are longer.
    pub fn factor(&self) -> usize {
        self.factor
    }

    /// A hop of `hop` took `compute` with as few steps as there can be.
    pub fn hop(&mut self, compute: Duration, hop: Duration) {
        let share = compute.as_secs_f64() / hop.as_secs_f64().max(1e-6);
        if share > COSTLY {
            (self.costly, self.calm) = (self.costly + 1, 0);
            if self.costly >= COSTLY_ANSWERS {
                (self.factor, self.costly) = ((2 * self.factor).min(LONGEST), 0);
            }
        } else {
            self.calm += 1;
            if self.calm.is_multiple_of(CALM_HOPS) {
                self.costly = 0;
            }
            if self.factor > 1 && self.calm >= CALM_ANSWERS && share < CHEAP {
                (self.factor, self.calm) = (self.factor / 2, 0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOP: Duration = Duration::from_millis(40);

    #[test]
    fn one_stray_hop_is_not_the_longest() {
        let mut times = ComputeTimes::of_hops();
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
    fn hops_grow_where_answers_are_costly_and_shrink_after_a_calm_while() {
        let mut length = HopLength::default();
        length.hop(HOP, HOP);
        (0..200).for_each(|_| length.hop(HOP / 10, HOP));
        assert_eq!(length.factor(), 1, "one is forgiven");
        (0..6).for_each(|_| length.hop(HOP, HOP));
        assert_eq!(length.factor(), 4);
        (0..5_000).for_each(|_| length.hop(HOP / 10, HOP));
        assert_eq!(length.factor(), 4, "half as long would be too short");
        (0..5_000).for_each(|_| length.hop(HOP / 20, HOP));
        assert_eq!(length.factor(), 1);
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
