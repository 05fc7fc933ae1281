//! The noise schedule: the noise levels of a target from pure noise to clean. It knows no network
//! and no sampler. It computes in float64; the network gets t rounded to float32.
//!
//! Source: `music_spectrogram_diffusion/models/diffusion/diffusion_utils.py`, which is the cosine
//! schedule of Nichol & Dhariwal 2021 in the log-SNR form of Kingma et al. 2021.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::DenoiseError;

/// The most steps in a schedule, as published.
pub const MAX_STEPS: usize = 1000;
/// The smallest t that the published network was trained on: the last of 1000 steps.
pub const T_MIN: f64 = 0.001;
/// The log-SNR at t = 0. At t = 1 it is the negative of this.
pub const LOG_SNR_MAX: f64 = 20.0;

/// log(signal / noise power) at time t in [0, 1]: -2 ln tan(a t + b), b = atan(e^-10), a =
/// atan(e^10) - b.
pub fn log_snr(t: f64) -> f64 {
    let (a, b) = cosine_coefficients();
    -2.0 * (a * t + b).tan().ln()
}

/// The time in [0, 1] at which [`log_snr`] is `log_snr`.
pub fn time_of(log_snr: f64) -> f64 {
    let (a, b) = cosine_coefficients();
    (((-0.5 * log_snr).exp().atan() - b) / a).clamp(0.0, 1.0)
}

fn cosine_coefficients() -> (f64, f64) {
    let b = (-0.5 * LOG_SNR_MAX).exp().atan();
    ((0.5 * LOG_SNR_MAX).exp().atan() - b, b)
}

/// 1 / (1 + e^-x).
pub(crate) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The power of the signal at t = 0, 0.001, .. 0.999 in the schedulers of diffusers with the
/// `beta_schedule` called `squaredcos_cap_v2`: the cosine of Nichol & Dhariwal 2021 in 1000 steps,
/// where each step keeps at least a thousandth of the signal. Their K steps are `leading`: t = (K -
/// 1 - i) * floor(1000 / K) / 1000. So the first step is not pure noise, and a single step is
/// hardly any noise.
///
/// It is close to the schedule on which the published models were trained, but not the same.
fn squared_cosine() -> Vec<f64> {
    let bar = |t: f64| ((t + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2).cos().powi(2);
    let time = |i: usize| i as f64 / MAX_STEPS as f64;
    let kept = (0..MAX_STEPS).map(|i| (bar(time(i + 1)) / bar(time(i))).max(0.001));
    kept.scan(1.0, |power, kept| {
        *power *= kept;
        Some(*power)
    })
    .collect()
}

/// How the K steps of a schedule are spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spacing {
    /// t = (i + 1) / K, the grid of the published sampler.
    #[default]
    Trailing,
    /// K values, evenly spaced in t from 1 to 0.001, and then clean.
    UniformT,
    /// K values, evenly spaced in log-SNR from t = 1 to t = 0.001, and then clean.
    UniformLogSnr,
    /// The grid and the noise levels of the schedulers of diffusers, for comparisons; see
    /// `squared_cosine` in this file.
    Diffusers,
}

impl Spacing {
    /// All spacings, in the order of the documentation.
    pub const ALL: [Self; 4] =
        [Self::Trailing, Self::UniformT, Self::UniformLogSnr, Self::Diffusers];

    /// The name in manifests and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trailing => "trailing",
            Self::UniformT => "uniform_t",
            Self::UniformLogSnr => "uniform_log_snr",
            Self::Diffusers => "diffusers",
        }
    }
}

impl fmt::Display for Spacing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Spacing {
    type Err = DenoiseError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|spacing| spacing.name() == s).ok_or_else(|| {
            DenoiseError::Name {
                what: "spacing",
                found: s.to_owned(),
                wanted: "trailing, uniform_t, uniform_log_snr or diffusers",
            }
        })
    }
}

/// The amounts of signal and noise at one time, where alpha^2 + sigma^2 = 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// The time in [0, 1]; 1 is pure noise.
    pub t: f64,
    /// ln(alpha^2 / sigma^2).
    pub log_snr: f64,
    /// The factor of the signal.
    pub alpha: f64,
    /// The factor of the noise.
    pub sigma: f64,
}

impl Level {
    /// The level at time `t` in [0, 1].
    pub fn at(t: f64) -> Self {
        Self::of(t, log_snr(t))
    }

    /// The level with a log-SNR, from any schedule.
    pub fn of(t: f64, log_snr: f64) -> Self {
        Self { t, log_snr, alpha: sigmoid(log_snr).sqrt(), sigma: sigmoid(-log_snr).sqrt() }
    }
}

/// One denoising step, from a noisier level to a cleaner one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The level where the step starts, at which the network is called.
    pub from: Level,
    /// The level where it ends; t = 0 for the last step.
    pub to: Level,
    /// Whether it is the last step. Its result is the predicted clean frame itself, not a frame at
    /// level `to`.
    pub is_last: bool,
}

/// The steps of one denoising run, noisiest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    spacing: Spacing,
    steps: Vec<Step>,
}

impl Schedule {
    /// `steps` (1..=1000) steps, spaced by `spacing`.
    ///
    /// # Errors
    /// [`DenoiseError::Steps`] if `steps` is out of range.
    pub fn new(steps: usize, spacing: Spacing) -> Result<Self, DenoiseError> {
        if !(1..=MAX_STEPS).contains(&steps) {
            return Err(DenoiseError::Steps { found: steps, max: MAX_STEPS });
        }
        // 0 at the first step and 1 at the last. A single step is the first.
        let progress = |i: usize| i as f64 / (steps.max(2) - 1) as f64;
        let squared_cosine = match spacing {
            Spacing::Diffusers => squared_cosine(),
            _ => vec![],
        };
        let mut levels: Vec<Level> = (0..steps)
            .map(|i| match spacing {
                Spacing::Trailing => Level::at((steps - i) as f64 / steps as f64),
                Spacing::UniformT => Level::at(1.0 + (T_MIN - 1.0) * progress(i)),
                Spacing::UniformLogSnr => {
                    let wanted = -LOG_SNR_MAX + (log_snr(T_MIN) + LOG_SNR_MAX) * progress(i);
                    Level::of(time_of(wanted), wanted)
                }
                Spacing::Diffusers => {
                    let at = (steps - 1 - i) * (MAX_STEPS / steps);
                    let signal = squared_cosine.get(at).copied().unwrap_or(0.5);
                    Level::of(at as f64 / MAX_STEPS as f64, (signal / (1.0 - signal)).ln())
                }
            })
            .collect();
        levels.push(Level::at(0.0));
        let steps = levels
            .windows(2)
            .enumerate()
            .map(|(i, pair)| Step { from: pair[0], to: pair[1], is_last: i + 1 == steps })
            .collect();
        Ok(Self { spacing, steps })
    }

    /// The steps, noisiest first; never empty.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The number of steps, 1..=1000.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Always false, because a schedule has at least one step.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// How the steps are spaced.
    pub fn spacing(&self) -> Spacing {
        self.spacing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_snr_has_its_ends_and_its_inverse() {
        assert!((log_snr(0.0) - 20.0).abs() < 1e-9);
        assert!((log_snr(1.0) + 20.0).abs() < 1e-9);
        for t in [0.001, 0.1, 0.5, 0.9, 0.999] {
            assert!((time_of(log_snr(t)) - t).abs() < 1e-12);
        }
    }

    #[test]
    fn every_schedule_goes_from_noise_to_clean() {
        for spacing in Spacing::ALL {
            for k in [1, 2, 3, 8, 1000] {
                let schedule = Schedule::new(k, spacing).unwrap();
                let steps = schedule.steps();
                assert_eq!(steps.len(), k);
                let first = match spacing {
                    Spacing::Diffusers => ((k - 1) * (1000 / k)) as f64 / 1000.0,
                    _ => 1.0,
                };
                assert!((steps[0].from.t - first).abs() < 1e-12, "{spacing} {k}");
                assert!(steps.iter().all(|s| s.to.log_snr > s.from.log_snr));
                assert_eq!(steps.iter().filter(|s| s.is_last).count(), 1);
                assert_eq!(steps[k - 1].to.t, 0.0);
            }
        }
    }

    #[test]
    fn the_levels_of_diffusers_are_its_own() {
        // `DDPMScheduler(beta_schedule="squaredcos_cap_v2").alphas_cumprod` of diffusers 0.27.2.
        let schedule = Schedule::new(10, Spacing::Diffusers).unwrap();
        let levels: Vec<_> = schedule.steps().iter().map(|s| (s.from.t, s.from.alpha)).collect();
        assert_eq!((levels[0].0, levels[9].0), (0.9, 0.0));
        for ((_, alpha), wanted) in levels.iter().zip(ALPHAS_CUMPROD) {
            assert!((alpha * alpha - wanted).abs() < 1e-5, "{levels:?}");
        }
        let all = Schedule::new(1000, Spacing::Diffusers).unwrap();
        assert!((all.steps()[0].from.alpha.powi(2) / 2.428_7e-9 - 1.0).abs() < 1e-3);
    }

    /// At t = 0.9, 0.8, .. 0.
    const ALPHAS_CUMPROD: [f64; 10] = [
        0.023_616_107,
        0.093_137_778,
        0.201_868_892,
        0.339_332_938,
        0.492_285_043,
        0.645_988_047,
        0.785_632_432,
        0.897_763_014,
        0.971_575_618,
        0.999_958_694,
    ];

    #[test]
    fn out_of_range_is_refused() {
        assert!(Schedule::new(0, Spacing::Trailing).is_err());
        assert!(Schedule::new(1001, Spacing::Trailing).is_err());
    }

    #[test]
    fn names_come_back() {
        for spacing in Spacing::ALL {
            assert_eq!(spacing.to_string().parse::<Spacing>().unwrap(), spacing);
            let json = serde_json::to_string(&spacing).unwrap();
            assert_eq!(json, format!("\"{spacing}\""));
        }
        assert!("linear".parse::<Spacing>().is_err());
    }
}
