//! Decides when the next tick or hop must be begun, with how many denoising steps, and how long
//! hops are. It knows no audio and no network.

use std::time::Duration;

/// How many times are remembered: those of 5 s or more, for hops and for ticks.
const HOPS: usize = 256;
const TICKS: usize = 2048;

/// The reserve that is added to measured times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Margin {
    /// The margin for late wake-ups and for pieces that take longer than those before, so that
    /// these do not change the delay.
    pub whole: Duration,
    /// If less than this is left of the margin, the lead rises.
    pub least: Duration,
    /// By how much a new lead exceeds the necessary one, so that it need not rise again soon: each
    /// rise changes the delay.
    pub room: f64,
}

/// The reserve for hops, of which only the time they took is known.
pub const HOP_MARGIN: Margin =
    Margin { whole: Duration::from_millis(8), least: Duration::from_millis(3), room: 1.3 };
/// The reserve for ticks, for which it is known how much of the lead was used.
pub const TICK_MARGIN: Margin =
    Margin { whole: Duration::from_millis(1), least: Duration::from_micros(400), room: 1.1 };
/// How many hops in a row must be comfortable before the number of steps rises again.
const CALM_HOPS: u32 = 100;
/// A hop is tight if making it took more than the first share of its length, and comfortable if it
/// took less than the second.
const TIGHT: f64 = 0.85;
const COMFORTABLE: f64 = 0.5;

/// The times that the last hops or ticks took.
#[derive(Debug)]
pub struct ComputeTimes {
    times_s: Vec<f64>,
    count: usize,
}

impl ComputeTimes {
    /// No times yet, for hops.
    pub fn of_hops() -> Self {
        Self { times_s: vec![0.0; HOPS], count: 0 }
    }

    /// No times yet, for ticks.
    pub fn of_ticks() -> Self {
        Self { times_s: vec![0.0; TICKS], count: 0 }
    }

    /// Adds the time of one more.
    pub fn push(&mut self, time: Duration) {
        let at = self.count % self.times_s.len();
        if let Some(slot) = self.times_s.get_mut(at) {
            *slot = time.as_secs_f64();
        }
        self.count += 1;
    }

    /// The second longest of the remembered times, so that a single stray does not count.
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

/// Lowers the number of steps when hops come late, and raises it again after a calm time.
#[derive(Debug)]
pub struct Governor {
    /// The number of steps that the player wants.
    wanted: usize,
    now: usize,
    calm: u32,
    /// How many calm hops are needed before a raise. It doubles after each raise that did not last,
    /// so that the number of steps does not swing.
    patience: u32,
    /// Hops since the last raise.
    since_raise: u32,
}

impl Governor {
    /// A governor that starts at the number that is wanted.
    pub fn new(wanted: usize) -> Self {
        Self { wanted, now: wanted, calm: 0, patience: CALM_HOPS, since_raise: u32::MAX }
    }

    /// The same governor, but it starts with `now` steps because more would be too slow.
    pub fn beginning_with(self, now: usize) -> Self {
        Self { now: now.clamp(1, self.wanted.max(1)), ..self }
    }

    /// The number of steps to take now.
    pub fn steps(&self) -> usize {
        self.now
    }

    /// Sets the number of steps that the player wants.
    pub fn want(&mut self, steps: usize) {
        if steps != self.wanted {
            *self = Self::new(steps);
        }
    }

    /// Takes that a hop of length `hop` took `compute`, where `budget` was available.
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

/// Makes hops longer if even with one step the denoiser takes much of their time, and shorter again
/// after a calm time. The sound hardly suffers, as what the denoiser adds changes slowly, and the
/// machine keeps time for other work.
#[derive(Debug)]
pub struct HopLength {
    factor: usize,
    /// How many answers were costly lately, and how many have been calm since.
    costly: u32,
    calm: u32,
}

/// An answer that takes more than the first share of a hop is costly. One that takes less than the
/// second would not be costly in a hop half as long either.
const COSTLY: f64 = 0.2;
const CHEAP: f64 = 0.06;
/// How many costly answers make hops longer: a single one does not.
const COSTLY_ANSWERS: u32 = 3;
/// How many calm answers make hops shorter.
const CALM_ANSWERS: u32 = 1_000;
/// Hops are never made longer by more than this.
const LONGEST: usize = 16;

impl Default for HopLength {
    /// Hops as long as wanted.
    fn default() -> Self {
        Self { factor: 1, costly: 0, calm: 0 }
    }
}

impl HopLength {
    /// How many times longer hops are than wanted.
    pub fn factor(&self) -> usize {
        self.factor
    }

    /// Takes that the denoiser took `compute` for a hop of length `hop`, with as few steps as
    /// possible.
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
