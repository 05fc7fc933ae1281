//! The step loop: noise in, predicted clean mel frames out, by a schedule, a sampler and a
//! denoiser. Knows no engine: the denoiser is a trait, the noise is a trait, and frames are slices
//! [L * 128].
//!
//! Order of a step, as published: ask the denoiser (twice when guided), guide its output, predict
//! x0, clip it, recompute eps, step.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::DenoiseError;
use super::noise::NoiseSource;
use super::schedule::{Level, Schedule, Step};
use super::step::{self, LogVar, Prediction};

/// How a step goes from one level to the next. Written `ddpm`, `ddpm:small`, `ddpm:medium:0.5`,
/// `ddim` or `dpm++2m`; `ddpm` alone is `ddpm:large`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SamplerKind {
    /// Ancestral sampling (Ho et al. 2020): the only one that draws noise at every step.
    Ddpm {
        /// How much noise.
        log_var: LogVar,
    },
    /// Deterministic (Song et al. 2021, eta = 0).
    Ddim,
    /// DPM-Solver++(2M), deterministic, of second order (Lu et al. 2022).
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

/// What a network says of noisy frames.
pub trait Denoiser {
    /// The network's output for `z` [L * 128] at step `step` of the schedule it was prepared for,
    /// into `out` [L * 128]. `conditioned` false is the same network hearing neither notes nor
    /// context.
    ///
    /// # Errors
    /// Whatever stops the network; the step is then not taken.
    fn predict(
        &mut self,
        step: usize,
        z: &[f32],
        conditioned: bool,
        out: &mut [f32],
    ) -> Result<(), DenoiseError>;

    /// Both outputs of [`Self::predict`] for the same `z`, as guidance needs them; whoever is
    /// faster at once than twice says so.
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

/// How to sample; all of it may change from one run to the next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SamplerOptions {
    /// How a step is taken.
    pub kind: SamplerKind,
    /// What the network's output means.
    pub prediction: Prediction,
    /// w of eps = w * conditional + (1 - w) * unconditional; exactly 1 asks the network once a
    /// step.
    pub guidance_weight: f64,
    /// Hold x0 inside [-1, 1].
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

/// The step loop with its scratch; after the first run of a length, a run allocates nothing here.
#[derive(Debug, Clone, Default)]
pub struct Sampler {
    /// How the next step is taken.
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
    /// A sampler without scratch yet.
    pub fn new(options: SamplerOptions) -> Self {
        Self { options, ..Self::default() }
    }

    /// Makes room for `len` = L * 128 values and forgets the previous run. [`Self::sample`] calls
    /// it; a caller of [`Self::step`] calls it before the first step.
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

    /// The x0 that the last step predicted [L * 128].
    pub fn x0(&self) -> &[f32] {
        &self.x0
    }

    /// Takes step `index` of `schedule`: `z` [L * 128] is replaced by the frames at the next level,
    /// after the last step by x0.
    ///
    /// # Errors
    /// [`DenoiseError::Length`] when `z` is not what [`Self::begin`] made room for or `index` is
    /// beyond the schedule; whatever the denoiser says.
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

    /// A whole run: `z` [L * 128] is filled with noise, taken through every step, and holds x0 at
    /// the end. `before_step` sees the level of each step and the frames at it, the first time pure
    /// noise, and may change them ([`super::held`]).
    ///
    /// # Errors
    /// Whatever the denoiser says.
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
