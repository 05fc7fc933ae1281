//! Denoising steps and guidance as one ladder, on which the governor moves: going down, steps are
//! saved first and guidance last. It knows no clock.

use std::time::Duration;

use timbre_models::streamer::StreamOptions;

use super::fit::{Costs, SHARE};
use super::pacing::Governor;

/// How much work goes into a hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quality {
    /// Denoising steps; 0 where the denoiser is not asked.
    pub steps: usize,
    /// Whether each step is guided, which takes two calls of the network instead of one.
    pub is_guided: bool,
}

impl Quality {
    /// The quality that the options of a stream ask for.
    pub fn of(options: &StreamOptions) -> Self {
        Self { steps: options.steps, is_guided: options.guidance != 1.0 }
    }

    /// Its rung on the ladder, counted from 1, as the governor counts.
    pub fn rung(self) -> usize {
        self.steps + usize::from(self.is_guided)
    }

    /// The quality at a rung, where this one is wanted.
    pub fn at(self, rung: usize) -> Self {
        if self.steps == 0 {
            return self;
        }
        let is_guided = self.is_guided && rung > 1;
        Self { steps: (rung - usize::from(is_guided)).max(1), is_guided }
    }

    /// A governor where this quality is wanted. If the costs of steps are known, it starts at a
    /// rung that is fast enough for hops of length `hop`.
    pub fn governor(self, costs: Option<&Costs>, hop: Duration) -> Governor {
        let wanted = Governor::new(self.rung());
        let Some(costs) = costs else { return wanted };
        let in_time = |rung: &usize| costs.hop(self.at(*rung)) <= hop.mul_f64(SHARE);
        wanted.beginning_with((1..=self.rung()).rev().find(in_time).unwrap_or(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_go_first_and_guidance_last() {
        let guided = Quality { steps: 4, is_guided: true };
        let ladder: Vec<_> = (1..=guided.rung()).map(|rung| guided.at(rung)).collect();
        let of = |steps, is_guided| Quality { steps, is_guided };
        assert_eq!(ladder, [of(1, false), of(1, true), of(2, true), of(3, true), guided]);
        let plain = of(3, false);
        assert_eq!(
            (1..=plain.rung()).map(|rung| plain.at(rung).steps).collect::<Vec<_>>(),
            [1, 2, 3]
        );
        assert_eq!(of(0, true).at(of(0, true).rung()), of(0, true));
    }

    #[test]
    fn a_governor_begins_with_what_will_be_in_time() {
        let ms = Duration::from_millis;
        let costs = Costs { once: ms(100), step: ms(50), guidance: ms(40) };
        let wanted = Quality { steps: 8, is_guided: true };
        let begins = |hop| wanted.at(wanted.governor(Some(&costs), ms(hop)).steps());
        assert_eq!(begins(2000), wanted);
        // 350 ms: two guided steps take 280, three 370.
        assert_eq!(begins(500), Quality { steps: 2, is_guided: true });
        assert_eq!(begins(20), Quality { steps: 1, is_guided: false });
        assert_eq!(wanted.governor(None, ms(20)).steps(), wanted.rung());
    }
}
