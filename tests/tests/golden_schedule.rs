//! Schedule and step arithmetic against the original `diffusion_utils`: log-SNR, DDPM and DDIM
//! steps, guidance.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use timbre_models::denoise::DenoiseError;
use timbre_models::denoise::noise::NoiseSource;
use timbre_models::denoise::sampler::{Denoiser, Sampler, SamplerOptions};
use timbre_models::denoise::schedule::{Level, Schedule, Spacing, Step, log_snr};
use timbre_models::denoise::step::{LogVar, Prediction, ddim, ddpm, ddpm_mean, ddpm_std, predict};
use timbred_tests::golden::{golden, log_snr_tolerance};
use timbred_tests::npz::{Npz, worst};

#[test]
fn log_snr_of_the_original() {
    let Some(file) = golden("schedule/logsnr.npz") else { return };
    let mut npz = Npz::open(&file);
    let (t, float, exact) =
        (npz.numbers("t"), npz.numbers("logsnr"), npz.numbers("logsnr_float64"));
    assert!(!t.is_empty(), "no case");
    let (mut worst_float, mut worst_exact) = (0.0f64, 0.0f64);
    for ((t, float), exact) in t.iter().zip(&float).zip(&exact) {
        let found = log_snr(*t);
        let apart = (found - float).abs();
        assert!(apart <= log_snr_tolerance(found), "t = {t}: {found} not {float}");
        assert!((found - exact).abs() <= 1e-6, "t = {t}: {found} not {exact}");
        worst_float = worst_float.max(apart);
        worst_exact = worst_exact.max((found - exact).abs());
    }
    println!("log-SNR: {} cases, worst {worst_float:.2e}, float64 {worst_exact:.2e}", t.len());
}

/// The step of a case in the trailing schedule, which must have the golden times and log-SNRs.
fn step_of(npz: &mut Npz, case: &str) -> (Schedule, usize) {
    let (i, n) = (npz.number(&format!("{case}_i")), npz.number(&format!("{case}_num_steps")));
    let (i, n) = (i as usize, n as usize);
    (Schedule::new(n, Spacing::Trailing).unwrap(), n - 1 - i)
}

/// The largest error, relative to `tolerance`, and to the value itself if that is above 1.
fn check(what: &str, found: &[f32], wanted: &[f32], tolerance: f64) -> f64 {
    assert_eq!(found.len(), wanted.len(), "{what}");
    let share = found.iter().zip(wanted).fold(0.0f64, |worst, (f, w)| {
        let scale = f64::from(w.abs()).max(1.0);
        let apart = (f64::from(*f) - f64::from(*w)).abs() / scale;
        assert!(apart <= tolerance, "{what}: {f} instead of {w}");
        worst.max(apart)
    });
    assert!(found.iter().all(|v| !v.is_nan()), "{what}");
    share
}

#[test]
fn steps_of_the_original() {
    let Some(file) = golden("schedule/steps.npz") else { return };
    let mut npz = Npz::open(&file);
    let cases = npz.cases("z_t");
    assert!(!cases.is_empty(), "no case");
    let mut worst_of_all = 0.0f64;
    for case in &cases {
        let (schedule, index) = step_of(&mut npz, case);
        let step: &Step = &schedule.steps()[index];
        let mut values = |name: &str| -> Vec<f32> {
            npz.f32(&format!("{case}_{name}")).iter().copied().collect()
        };
        let (z, x0, eps, noise) =
            (values("z_t"), values("pred_x0"), values("pred_eps"), values("noise"));
        // The original's float32 log-SNR differs from its own formula, and so do the levels of
        // signal and noise.
        let off = log_snr_tolerance(log_snr(step.from.t));
        let close = 2e-5 + off / 50.0;
        let mut out = vec![0.0; z.len()];
        let mut note = |what: &str, found: &[f32], wanted: &[f32], tolerance: f64| {
            let apart = check(&format!("case {case} {what}"), found, wanted, tolerance);
            worst_of_all = worst_of_all.max(apart);
        };
        for (name, log_var) in [
            ("ddpm_large", LogVar::Large),
            ("ddpm_small", LogVar::Small),
            ("ddpm_medium_0.5", LogVar::Medium(0.5)),
        ] {
            ddpm(step, log_var, &z, &x0, &noise, &mut out);
            note(name, &out, &values(name), close);
        }
        ddim(step, &x0, &eps, &mut out);
        note("ddim", &out, &values("ddim"), close);
        ddpm_mean(step, &z, &x0, &mut out);
        note("reverse_mean", &out, &values("reverse_mean"), close);
        let std = [ddpm_std(step, LogVar::Large) as f32];
        note("reverse_std_large", &std, &values("reverse_std_large")[..1], close);
        // Near t = 1 x0 is computed from z and eps times up to 22026, so that errors are fully
        // visible.
        let loose = 1e-4 + off;
        let (mut x, mut e) = (vec![0.0; z.len()], vec![0.0; z.len()]);
        predict(Prediction::Eps, &step.from, false, &z, &eps, &mut x, &mut e);
        check(&format!("case {case} x0_from_eps"), &x, &values("x0_from_eps"), loose);
        assert_eq!(worst(&e, &eps), 0.0);
        let Level { alpha, sigma, .. } = step.from;
        let rest: Vec<f32> = z
            .iter()
            .zip(&x0)
            .map(|(z, x)| ((f64::from(*z) - alpha * f64::from(*x)) / sigma) as f32)
            .collect();
        check(&format!("case {case} eps_from_x0"), &rest, &values("eps_from_x0"), 1e-4);
    }
    println!("steps: {} cases, worst error {worst_of_all:.2e}", cases.len());
}

/// A network with fixed outputs.
struct Given {
    conditional: Vec<f32>,
    unconditional: Vec<f32>,
    calls: Vec<bool>,
}

impl Denoiser for Given {
    fn predict(
        &mut self,
        _step: usize,
        _z: &[f32],
        conditioned: bool,
        out: &mut [f32],
    ) -> Result<(), DenoiseError> {
        self.calls.push(conditioned);
        out.copy_from_slice(if conditioned { &self.conditional } else { &self.unconditional });
        Ok(())
    }
}

struct Replay(Vec<f32>);

impl NoiseSource for Replay {
    fn start(&mut self, _out: &mut [f32]) {}

    fn fill(&mut self, _step: usize, out: &mut [f32]) {
        out.copy_from_slice(&self.0);
    }
}

#[test]
fn guided_steps_of_the_original() {
    let Some(file) = golden("schedule/guided_steps.npz") else { return };
    let mut npz = Npz::open(&file);
    let cases = npz.cases("z_t");
    assert!(!cases.is_empty(), "no case");
    let mut worst_of_all = 0.0f64;
    for case in &cases {
        let (schedule, index) = step_of(&mut npz, case);
        let time = npz.number(&format!("{case}_time_fed_to_model"));
        assert!((schedule.steps()[index].from.t - time).abs() < 1e-6, "case {case}");
        let options = SamplerOptions {
            kind: npz.string(&format!("{case}_sampler")).parse().unwrap(),
            prediction: Prediction::Eps,
            guidance_weight: npz.number(&format!("{case}_weight")),
            clip_x0: npz.number(&format!("{case}_clip_x0")) != 0.0,
        };
        let calls: Vec<bool> =
            npz.numbers(&format!("{case}_calls_conditioned")).iter().map(|v| *v != 0.0).collect();
        let mut values = |name: &str| -> Vec<f32> {
            npz.f32(&format!("{case}_{name}")).iter().copied().collect()
        };
        let mut denoiser = Given {
            conditional: values("eps_cond"),
            unconditional: values("eps_uncond"),
            calls: vec![],
        };
        let (mut z, mut noise) = (values("z_t"), Replay(values("noise")));
        let mut sampler = Sampler::new(options);
        sampler.begin(z.len());
        sampler.step(&schedule, index, &mut denoiser, &mut noise, &mut z).unwrap();
        assert_eq!(denoiser.calls, calls, "case {case}");
        let apart = check(&format!("case {case}"), &z, &values("z_s"), 1e-4);
        worst_of_all = worst_of_all.max(apart);
    }
    println!("guided steps: {} cases, worst error {worst_of_all:.2e}", cases.len());
}
