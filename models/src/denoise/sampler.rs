//! The loop over steps: makes predicted clean mel frames from noise, with a schedule, a sampler and
//! a denoiser. It knows no inference engine: the denoiser and the noise are traits, and frames are
//! slices [L * 128].
//!
//! The order of a step is the published one: call the denoiser (twice with guidance), guide its
//! output, predict x0, clip it, recompute eps, and step.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::DenoiseError;
use super::noise::NoiseSource;
use super::schedule::{Level, Schedule, Step};
use super::step::{self, LogVar, Prediction};

/// The method of a step from one level to the next. Its names are `ddpm`, `ddpm:small`,
/// `ddpm:medium:0.5`, `ddim` and `dpm++2m`; `ddpm` alone is `ddpm:large`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SamplerKind {
    /// Ancestral sampling (Ho et al. 2020). It is the only one that draws noise at every step.
    Ddpm {
        /// The amount of noise.
        log_var: LogVar,
    },
    /// Deterministic sampling (Song et al. 2021, eta = 0).
    Ddim,
    /// DPM-Solver++(2M), which is deterministic and of second order (Lu et al. 2022).
    DpmSolverPp2M,
}

impl SamplerKind {
    /// The published sampler, `ddpm:large`.
    pub const DDPM: Self = Self::Ddpm { log_var: LogVar::Large };
}

impl fmt::Display for SamplerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ddpm { log_var: LogVar::Large } => f.pad("ddpm"),
            Self::Ddpm { log_var: LogVar::Small } => f.pad("ddpm:small"),
            Self::Ddpm { log_var: LogVar::Medium(share) } => write!(f, "ddpm:medium:{share}"),
            Self::Ddim => f.pad("ddim"),
            Self::DpmSolverPp2M => f.pad("dpm++2m"),
        }
    }
}

impl FromStr for SamplerKind {
    type Err = DenoiseError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let medium = |share: &str| {
            let share = share.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share))?;
            Some(Self::Ddpm { log_var: LogVar::Medium(share) })
        };
        let found = match s {
            "ddpm" | "ddpm:large" => Some(Self::DDPM),
            "ddpm:small" => Some(Self::Ddpm { log_var: LogVar::Small }),
            "ddim" => Some(Self::Ddim),
            "dpm++2m" => Some(Self::DpmSolverPp2M),
            _ => s.strip_prefix("ddpm:medium:").and_then(medium),
        };
        found.ok_or_else(|| DenoiseError::Name {
            what: "sampler",
            found: s.to_owned(),
            wanted: "ddpm, ddpm:small, ddpm:medium:<0 to 1>, ddim or dpm++2m",
        })
    }
}

impl TryFrom<String> for SamplerKind {
    type Error = DenoiseError;

    fn try_from(s: String) -> Result<Self, Self::Error> {
        s.parse()
    }
}

impl From<SamplerKind> for String {
    fn from(kind: SamplerKind) -> Self {
        kind.to_string()
    }
}

/// A network that predicts from noisy frames.
pub trait Denoiser {
    /// Writes the output of the network for `z` [L * 128] at step `step` of its schedule to `out`
    /// [L * 128]. If `conditioned` is false, the network gets neither notes nor context.
    ///
    /// # Errors
    /// Those of the network. Then the step is not taken.
    fn predict(
        &mut self,
        step: usize,
        z: &[f32],
        conditioned: bool,
        out: &mut [f32],
    ) -> Result<(), DenoiseError>;

    /// Both outputs of [`Self::predict`] for the same `z`, as guidance needs them. Denoisers that
    /// are faster when they compute both at once override it.
    ///
    /// # Errors
    /// As [`Self::predict`].
    fn predict_both(
        &mut self,
        step: usize,
        z: &[f32],
        conditional: &mut [f32],
        unconditional: &mut [f32],
    ) -> Result<(), DenoiseError> {
        self.predict(step, z, true, conditional)?;
        self.predict(step, z, false, unconditional)
    }
}

/// The options of sampling. All of them may change from one run to the next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SamplerOptions {
    /// The method of a step.
    pub kind: SamplerKind,
    /// The meaning of the output of the network.
    pub prediction: Prediction,
    /// The weight w of eps = w * conditional + (1 - w) * unconditional. With exactly 1 there is one
    /// call of the network a step.
    pub guidance_weight: f64,
    /// Whether x0 is clipped to [-1, 1].
    pub clip_x0: bool,
}

impl Default for SamplerOptions {
    /// The published notebook: DDPM large, eps, weight 2, clipped.
    fn default() -> Self {
        Self {
            kind: SamplerKind::DDPM,
            prediction: Prediction::Eps,
            guidance_weight: 2.0,
            clip_x0: true,
        }
    }
}

/// The loop over steps with its buffers. After the first run of a length, a run allocates nothing
/// here.
#[derive(Debug, Clone, Default)]
pub struct Sampler {
    /// The options of the next step.
    pub options: SamplerOptions,
    output: Vec<f32>,
    eps: Vec<f32>,
    next: Vec<f32>,
    noise: Vec<f32>,
    x0: Vec<f32>,
    x0_before: Vec<f32>,
    before: Option<Step>,
}

impl Sampler {
    /// A sampler whose buffers are still empty.
    pub fn new(options: SamplerOptions) -> Self {
        Self { options, ..Self::default() }
    }

    /// Makes room for `len` = L * 128 values and removes the last run. [`Self::sample`] calls it.
    /// Callers of [`Self::step`] must call it before the first step.
    pub fn begin(&mut self, len: usize) {
        for scratch in [
            &mut self.output,
            &mut self.eps,
            &mut self.next,
            &mut self.noise,
            &mut self.x0,
            &mut self.x0_before,
        ] {
            scratch.resize(len, 0.0);
        }
        self.before = None;
    }

    /// The x0 that the last step predicted, [L * 128].
    pub fn x0(&self) -> &[f32] {
        &self.x0
    }

    /// Takes step `index` of `schedule`: replaces `z` [L * 128] by the frames at the next level, or
    /// in the last step by x0.
    ///
    /// # Errors
    /// [`DenoiseError::Length`] if `z` has another length than in [`Self::begin`], or if `index` is
    /// beyond the schedule; those of the denoiser.
    pub fn step(
        &mut self,
        schedule: &Schedule,
        index: usize,
        denoiser: &mut dyn Denoiser,
        noise: &mut dyn NoiseSource,
        z: &mut [f32],
    ) -> Result<(), DenoiseError> {
        if z.len() != self.next.len() {
            let wanted = format!("{}, as begun", self.next.len());
            return Err(DenoiseError::Length { what: "z", found: z.len(), wanted });
        }
        let Some(step) = schedule.steps().get(index) else {
            let wanted = format!("below {}", schedule.len());
            return Err(DenoiseError::Length { what: "step index", found: index, wanted });
        };
        let SamplerOptions { kind, prediction, guidance_weight, clip_x0 } = self.options;
        if guidance_weight == 1.0 {
            denoiser.predict(index, z, true, &mut self.output)?;
        } else {
            denoiser.predict_both(index, z, &mut self.output, &mut self.next)?;
            step::guide(guidance_weight, &mut self.output, &self.next);
        }
        std::mem::swap(&mut self.x0, &mut self.x0_before);
        step::predict(
            prediction,
            &step.from,
            clip_x0,
            z,
            &self.output,
            &mut self.x0,
            &mut self.eps,
        );
        match kind {
            SamplerKind::Ddpm { log_var } => {
                if !step.is_last {
                    noise.fill(index, &mut self.noise);
                }
                step::ddpm(step, log_var, z, &self.x0, &self.noise, &mut self.next);
            }
            SamplerKind::Ddim => step::ddim(step, &self.x0, &self.eps, &mut self.next),
            SamplerKind::DpmSolverPp2M => {
                let before = self.before.as_ref().map(|before| (before, &*self.x0_before));
                step::dpm_solver_pp_2m(step, z, &self.x0, before, &mut self.next);
            }
        }
        self.before = Some(*step);
        z.copy_from_slice(&self.next);
        Ok(())
    }

    /// A whole run: fills `z` [L * 128] with noise and takes all steps. At the end `z` holds x0.
    /// `before_step` gets the level of each step and the frames at it (pure noise the first time),
    /// and may change the frames ([`super::held`]).
    ///
    /// # Errors
    /// Those of the denoiser.
    pub fn sample(
        &mut self,
        schedule: &Schedule,
        denoiser: &mut dyn Denoiser,
        noise: &mut dyn NoiseSource,
        z: &mut [f32],
        before_step: &mut dyn FnMut(&Level, &mut [f32]),
    ) -> Result<(), DenoiseError> {
        self.begin(z.len());
        noise.start(z);
        for (index, step) in schedule.steps().iter().enumerate() {
            before_step(&step.from, z);
            self.step(schedule, index, denoiser, noise, z)?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "sampler_tests.rs"]
mod tests;
