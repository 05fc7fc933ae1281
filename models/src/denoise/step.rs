//! The arithmetic of one denoising step, as functions over slices of any shape. It knows no
//! network, no loop and no source of noise. Elements are independent and computed in float64.
//!
//! Sources: `diffusion_utils.py` of Spectrogram Diffusion for DDPM, DDIM, guidance and clipping (Ho
//! et al. 2020, Song et al. 2021); Lu et al. 2022, algorithm 2, in data prediction, for
//! DPM-Solver++(2M).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::DenoiseError;
use super::schedule::{Level, Step};

/// The meaning of the output of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prediction {
    /// The noise in z, as in the published models.
    #[default]
    Eps,
    /// v = alpha * eps - sigma * x0 (Salimans & Ho 2022). It is exact at t = 1, where eps says
    /// nothing about x0.
    V,
}

impl fmt::Display for Prediction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Eps => "eps",
            Self::V => "v",
        })
    }
}

impl FromStr for Prediction {
    type Err = DenoiseError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        match s {
            "eps" => Ok(Self::Eps),
            "v" => Ok(Self::V),
            _ => Err(DenoiseError::Name {
                what: "prediction",
                found: s.to_owned(),
                wanted: "eps or v",
            }),
        }
    }
}

/// The amount of noise that a DDPM step adds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum LogVar {
    /// The upper bound, (1 - r) sigma_t^2, which is the published choice.
    #[default]
    Large,
    /// The lower bound, (1 - r) sigma_s^2.
    Small,
    /// Between the two, in the logarithm: 0 is small, 1 is large.
    Medium(f64),
}

/// Moves the conditional output away from the unconditional one, in place in `conditional`: w *
/// conditional + (1 - w) * unconditional. Both may be eps or both v, because v is linear in eps for
/// a given z.
pub fn guide(weight: f64, conditional: &mut [f32], unconditional: &[f32]) {
    for (c, u) in conditional.iter_mut().zip(unconditional) {
        *c = (weight * f64::from(*c) + (1.0 - weight) * f64::from(*u)) as f32;
    }
}

/// Computes x0 and eps from the noisy `z` and the `output` of the network at `level`. With
/// `clip_x0`, x0 is clipped to [-1, 1], and eps is the rest of z. All slices have one length.
pub fn predict(
    prediction: Prediction,
    level: &Level,
    clip_x0: bool,
    z: &[f32],
    output: &[f32],
    x0: &mut [f32],
    eps: &mut [f32],
) {
    let Level { alpha, sigma, .. } = *level;
    let results = x0.iter_mut().zip(eps.iter_mut());
    for ((z, output), (x0, eps)) in z.iter().zip(output).zip(results) {
        let (z, output) = (f64::from(*z), f64::from(*output));
        let (mut x, mut e) = match prediction {
            Prediction::Eps => ((z - sigma * output) / alpha, output),
            Prediction::V => (alpha * z - sigma * output, sigma * z + alpha * output),
        };
        if clip_x0 {
            x = x.clamp(-1.0, 1.0);
            e = (z - alpha * x) / sigma;
        }
        *x0 = x as f32;
        *eps = e as f32;
    }
}

/// The mean of q(z_s | z_t, x0) as factors of z and x0, and 1 - r with r = SNR_t / SNR_s.
fn reverse_factors(step: &Step) -> (f64, f64, f64) {
    let log_r = step.from.log_snr - step.to.log_snr;
    let one_minus_r = -log_r.exp_m1();
    let alpha_st = ((1.0 + (-step.from.log_snr).exp()) / (1.0 + (-step.to.log_snr).exp())).sqrt();
    (log_r.exp() * alpha_st, one_minus_r * step.to.alpha, one_minus_r)
}

/// The standard deviation of a DDPM step.
pub fn ddpm_std(step: &Step, log_var: LogVar) -> f64 {
    let (_, _, one_minus_r) = reverse_factors(step);
    let large = step.from.sigma;
    let small = step.to.sigma;
    one_minus_r.sqrt()
        * match log_var {
            LogVar::Large => large,
            LogVar::Small => small,
            LogVar::Medium(share) => large.powf(share) * small.powf(1.0 - share),
        }
}

/// Writes the mean of a DDPM step, to which [`ddpm`] adds noise, to `out`.
pub fn ddpm_mean(step: &Step, z: &[f32], x0: &[f32], out: &mut [f32]) {
    let (of_z, of_x0, _) = reverse_factors(step);
    mix(out, [(of_z, z), (of_x0, x0)]);
}

/// Writes the result of one ancestral step to `out`: the mean plus the deviation times `noise`
/// (standard normal). The result of the last step is x0.
pub fn ddpm(step: &Step, log_var: LogVar, z: &[f32], x0: &[f32], noise: &[f32], out: &mut [f32]) {
    if step.is_last {
        return copy(x0, out);
    }
    let (of_z, of_x0, _) = reverse_factors(step);
    let std = ddpm_std(step, log_var);
    mix(out, [(of_z, z), (of_x0, x0), (std, noise)]);
}

/// Writes the result of one deterministic step to `out`: alpha_s x0 + sigma_s eps. The result of
/// the last step is x0.
pub fn ddim(step: &Step, x0: &[f32], eps: &[f32], out: &mut [f32]) {
    if step.is_last {
        return copy(x0, out);
    }
    mix(out, [(step.to.alpha, x0), (step.to.sigma, eps)]);
}

/// Writes the result of one step of DPM-Solver++(2M) to `out`. `previous` is the last step with its
/// x0. With it the step is of second order, and without it of first order (as at the start of a
/// run). The result of the last step is x0.
pub fn dpm_solver_pp_2m(
    step: &Step,
    z: &[f32],
    x0: &[f32],
    previous: Option<(&Step, &[f32])>,
    out: &mut [f32],
) {
    if step.is_last {
        return copy(x0, out);
    }
    let h = half_log_snr_gain(step);
    let of_z = step.to.sigma / step.from.sigma;
    let of_data = -step.to.alpha * (-h).exp_m1();
    match previous {
        None => mix(out, [(of_z, z), (of_data, x0)]),
        Some((before, x0_before)) => {
            let lean = 0.5 * h / half_log_snr_gain(before);
            mix(out, [(of_z, z), (of_data * (1.0 + lean), x0), (-of_data * lean, x0_before)]);
        }
    }
}

/// lambda_s - lambda_t of a step, lambda = ln(alpha / sigma).
fn half_log_snr_gain(step: &Step) -> f64 {
    0.5 * (step.to.log_snr - step.from.log_snr)
}

fn copy(from: &[f32], to: &mut [f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

/// out = sum of factor * slice.
fn mix<const N: usize>(out: &mut [f32], terms: [(f64, &[f32]); N]) {
    for (i, y) in out.iter_mut().enumerate() {
        let at = |x: &[f32]| x.get(i).copied().map_or(0.0, f64::from);
        *y = terms.iter().map(|(factor, x)| factor * at(x)).sum::<f64>() as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::denoise::schedule::{Schedule, Spacing};

    #[test]
    fn v_and_eps_mean_the_same() {
        for t in [0.001, 0.3, 0.7, 0.99] {
            let level = Level::at(t);
            let (x0, eps) = (0.25f32, -0.8f32);
            let z = (level.alpha * f64::from(x0) + level.sigma * f64::from(eps)) as f32;
            let v = (level.alpha * f64::from(eps) - level.sigma * f64::from(x0)) as f32;
            let (mut x, mut e) = ([0.0], [0.0]);
            predict(Prediction::V, &level, false, &[z], &[v], &mut x, &mut e);
            assert!((x[0] - x0).abs() < 1e-6 && (e[0] - eps).abs() < 1e-6);
            predict(Prediction::Eps, &level, false, &[z], &[eps], &mut x, &mut e);
            assert!((x[0] - x0).abs() < 1e-3);
        }
    }

    #[test]
    fn v_at_pure_noise_is_minus_x0() {
        let (mut x, mut e) = ([0.0], [0.0]);
        predict(Prediction::V, &Level::at(1.0), false, &[1.7], &[-0.5], &mut x, &mut e);
        assert!((x[0] - 0.5).abs() < 1e-3 && (e[0] - 1.7).abs() < 1e-3);
    }

    #[test]
    fn first_order_dpm_is_ddim() {
        let schedule = Schedule::new(6, Spacing::Trailing).unwrap();
        for step in schedule.steps() {
            let (z, x0) = ([0.9f32], [0.3f32]);
            let eps = [((0.9 - step.from.alpha * 0.3) / step.from.sigma) as f32];
            let (mut a, mut b) = ([0.0], [0.0]);
            ddim(step, &x0, &eps, &mut a);
            dpm_solver_pp_2m(step, &z, &x0, None, &mut b);
            assert!((a[0] - b[0]).abs() < 1e-6);
        }
    }
}
