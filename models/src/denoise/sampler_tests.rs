//! Tests of the loop over steps with a denoiser that knows the answer, which every sampler must
//! reach.

use proptest::prelude::*;

use super::*;
use crate::denoise::noise::SeededNoise;
use crate::denoise::schedule::Spacing;

/// A denoiser that knows the clean frames, and gives exactly the noise in z.
struct Perfect {
    x0: Vec<f32>,
    schedule: Schedule,
    prediction: Prediction,
    calls: Vec<bool>,
}

impl Denoiser for Perfect {
    fn predict(
        &mut self,
        step: usize,
        z: &[f32],
        conditioned: bool,
        out: &mut [f32],
    ) -> Result<(), DenoiseError> {
        self.calls.push(conditioned);
        let level = self.schedule.steps()[step].from;
        for ((out, z), x0) in out.iter_mut().zip(z).zip(&self.x0) {
            let (z, x0) = (f64::from(*z), f64::from(*x0));
            let eps = (z - level.alpha * x0) / level.sigma;
            *out = match self.prediction {
                Prediction::Eps => eps,
                Prediction::V => level.alpha * eps - level.sigma * x0,
            } as f32;
        }
        Ok(())
    }
}

const KINDS: [SamplerKind; 4] = [
    SamplerKind::DDPM,
    SamplerKind::Ddpm { log_var: LogVar::Medium(0.3) },
    SamplerKind::Ddim,
    SamplerKind::DpmSolverPp2M,
];

fn run(
    k: usize,
    spacing: Spacing,
    options: SamplerOptions,
    x0: &[f32],
    seed: u64,
) -> (Vec<f32>, Vec<bool>) {
    let schedule = Schedule::new(k, spacing).unwrap();
    let mut denoiser = Perfect {
        x0: x0.to_vec(),
        schedule: schedule.clone(),
        prediction: options.prediction,
        calls: vec![],
    };
    let mut z = vec![0.0; x0.len()];
    let mut noise = SeededNoise::new(seed, 0);
    let mut sampler = Sampler::new(options);
    let mut seen = 0;
    sampler
        .sample(&schedule, &mut denoiser, &mut noise, &mut z, &mut |level, _| {
            assert_eq!(*level, schedule.steps()[seen].from);
            seen += 1;
        })
        .unwrap();
    assert_eq!(seen, k);
    assert_eq!(sampler.x0(), z);
    (z, denoiser.calls)
}

fn spacings() -> impl Strategy<Value = Spacing> {
    prop::sample::select(Spacing::ALL.to_vec())
}

proptest! {
    #[test]
    fn a_perfect_denoiser_gives_x0(
        k in 1usize..40,
        spacing in spacings(),
        kind in prop::sample::select(KINDS.to_vec()),
        x0 in prop::collection::vec(-1.0f32..1.0, 1..20),
        seed: u64,
        weight in prop::sample::select(vec![1.0, 2.0, 5.0]),
    ) {
        let options = SamplerOptions {
            kind,
            prediction: Prediction::V,
            guidance_weight: weight,
            clip_x0: false,
        };
        let (z, calls) = run(k, spacing, options, &x0, seed);
        for (z, x0) in z.iter().zip(&x0) {
            prop_assert!((z - x0).abs() < 1e-4, "{z} instead of {x0}");
        }
        let asked = if weight == 1.0 { k } else { 2 * k };
        prop_assert_eq!(calls.len(), asked);
    }

    #[test]
    fn eps_gives_x0_too_once_there_is_signal(
        k in 2usize..40,
        spacing in spacings(),
        kind in prop::sample::select(vec![SamplerKind::Ddim, SamplerKind::DpmSolverPp2M]),
        x0 in prop::collection::vec(-1.0f32..1.0, 1..20),
        seed: u64,
    ) {
        let options = SamplerOptions { kind, guidance_weight: 1.0, ..Default::default() };
        let (z, _) = run(k, spacing, options, &x0, seed);
        for (z, x0) in z.iter().zip(&x0) {
            prop_assert!((z - x0).abs() < 5e-3, "{z} instead of {x0}");
        }
    }

    #[test]
    fn sampler_names_come_back(share in 0.0f64..=1.0) {
        let kinds = KINDS.into_iter().chain([
            SamplerKind::Ddpm { log_var: LogVar::Small },
            SamplerKind::Ddpm { log_var: LogVar::Medium(share) },
        ]);
        for kind in kinds {
            prop_assert_eq!(kind.to_string().parse::<SamplerKind>().unwrap(), kind);
        }
    }
}

#[test]
fn one_step_works_for_every_sampler_and_spacing() {
    for spacing in Spacing::ALL {
        for kind in KINDS {
            for prediction in [Prediction::Eps, Prediction::V] {
                let options =
                    SamplerOptions { kind, prediction, guidance_weight: 1.0, clip_x0: true };
                let (z, calls) = run(1, spacing, options, &[0.5, -0.5], 3);
                assert_eq!(calls, [true]);
                assert!(z.iter().all(|z| (-1.0..=1.0).contains(z)));
            }
        }
    }
}

#[test]
fn wrong_names_and_lengths_are_errors() {
    for name in ["", "DDIM", "ddpm:medium:2", "ddpm:medium:NaN", "euler"] {
        assert!(name.parse::<SamplerKind>().is_err(), "{name}");
    }
    assert_eq!("ddpm:large".parse::<SamplerKind>().unwrap(), SamplerKind::DDPM);
    let json = serde_json::to_string(&SamplerKind::DpmSolverPp2M).unwrap();
    assert_eq!(json, "\"dpm++2m\"");
    let schedule = Schedule::new(2, Spacing::Trailing).unwrap();
    let mut denoiser = Perfect {
        x0: vec![0.0; 2],
        schedule: schedule.clone(),
        prediction: Prediction::Eps,
        calls: vec![],
    };
    let mut noise = SeededNoise::new(0, 0);
    let mut sampler = Sampler::default();
    sampler.begin(2);
    let mut z = [0.0; 2];
    assert!(sampler.step(&schedule, 2, &mut denoiser, &mut noise, &mut z).is_err());
    assert!(sampler.step(&schedule, 0, &mut denoiser, &mut noise, &mut [0.0]).is_err());
}
