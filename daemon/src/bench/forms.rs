//! Measures what each form of the weights changes, by the mel of the same hops from the same noise.
//! It knows no speed.

use std::fmt;

use serde_json::json;
use timbre_models::bundle::Bundle;
use timbre_models::denoise::Arithmetic;
use timbre_models::denoise::network::{Network, RunOptions};
use timbre_models::denoise::noise::SeededNoise;
use timbre_models::denoise::sampler::{Sampler, SamplerOptions};
use timbre_models::denoise::schedule::Schedule;
use timbre_models::mel::FeatureRange;
use timbre_models::units::MEL_BINS;

use super::compare::{engine, hear, noise};
use crate::error::Error;

/// How many hops are compared.
const HOPS: u64 = 8;

/// How much the result changes with each form in which the weights of a model can be multiplied,
/// compared with float32.
pub struct Forms {
    /// The size of the model in bytes, and that of the float32 model if it is another one.
    sizes: (u64, Option<u64>),
    rows: Vec<Form>,
}

/// The result for one form.
struct Form {
    arithmetic: Arithmetic,
    /// The difference between evaluations of the network.
    step: Apart,
    /// The difference between the log-mel of hops made with the settings of the model.
    mel: Apart,
}

/// The difference between two vectors.
#[derive(Debug, Clone, Copy)]
struct Apart {
    /// The root of the summed squares of the difference, divided by that of the second vector.
    relative: f64,
    cosine: f64,
}

impl Apart {
    fn of(found: &[f32], wanted: &[f32]) -> Self {
        let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
            found.iter().zip(wanted).map(|(a, b)| f(f64::from(*a), f64::from(*b))).sum()
        };
        let (found, wanted) = (sum(&|a, _| a * a), sum(&|_, b| b * b));
        Self {
            relative: (sum(&|a, b| (a - b).powi(2)) / wanted).sqrt(),
            cosine: sum(&|a, b| a * b) / (found * wanted).sqrt(),
        }
    }
}

/// Compares the forms of `bundle` with float32: that of `against`, the same network with weights of
/// more bits, if it is given.
///
/// # Errors
/// The networks of the models differ in size.
pub fn compare(bundle: &Bundle, against: Option<&Bundle>) -> Result<Forms, Error> {
    if let Some(other) = against
        && bundle.manifest().network != other.manifest().network
    {
        return Err(Error::Usage(format!(
            "--against {}: its network is of another size; wanted another form of {}",
            other.location(),
            bundle.location()
        )));
    }
    let [step, mel] = outputs(bundle, against.unwrap_or(bundle), Arithmetic::F32)?;
    let mut rows = vec![];
    for arithmetic in Arithmetic::ALL {
        let found = outputs(bundle, bundle, arithmetic)?;
        let (step, mel) = (Apart::of(&found[0], &step), Apart::of(&found[1], &mel));
        rows.push(Form { arithmetic, step, mel });
    }
    Ok(Forms { sizes: (bundle.size()?, against.map(Bundle::size).transpose()?), rows })
}

/// Runs the network of `bundle` in one form, with the hop length and steps of `choices`, and
/// returns its direct output and the log-mel of hops.
fn outputs(
    choices: &Bundle,
    bundle: &Bundle,
    arithmetic: Arithmetic,
) -> Result<[Vec<f32>; 2], Error> {
    let sizes = &bundle.manifest().network;
    let hop = choices.manifest().song;
    let mut network = bundle.network_with(RunOptions::of(arithmetic))?;
    hear(&mut network, (sizes.max_tokens + sizes.context_frames).min(320))?;
    network.set_prior(&noise(hop.hop_frames * MEL_BINS, 3)).map_err(engine)?;
    let step = steps(&mut network, hop.hop_frames)?;
    Ok([step, mel(choices, &mut network, hop.hop_frames, hop.steps)?])
}

/// The direct output of the network at four noise levels, one after the other.
fn steps(network: &mut Network, frames: usize) -> Result<Vec<f32>, Error> {
    use timbre_models::denoise::sampler::Denoiser as _;
    let times = [1.0, 0.75, 0.5, 0.25];
    network.film_times(&times).map_err(engine)?;
    let mut all = vec![];
    for step in 0..times.len() {
        let z = noise(frames * MEL_BINS, step as u64);
        let mut out = vec![0.0; z.len()];
        network.predict(step, &z, true, &mut out).map_err(engine)?;
        all.extend(out);
    }
    Ok(all)
}

/// The log-mel of some hops, each from its own noise, by the sampler of the model.
fn mel(
    bundle: &Bundle,
    network: &mut Network,
    frames: usize,
    steps: usize,
) -> Result<Vec<f32>, Error> {
    let sampling = bundle.manifest().sampling;
    let schedule = Schedule::new(steps, sampling.spacing).map_err(engine)?;
    network.film_table(&schedule).map_err(engine)?;
    let mut sampler = Sampler::new(SamplerOptions {
        kind: sampling.sampler,
        prediction: sampling.prediction,
        guidance_weight: sampling.guidance,
        clip_x0: sampling.clip_x0,
    });
    let mut all = vec![];
    for hop in 0..HOPS.min(256 / frames as u64).max(1) {
        let mut noise = SeededNoise::new(1, hop);
        let mut z = vec![0.0; frames * MEL_BINS];
        sampler.sample(&schedule, network, &mut noise, &mut z, &mut |_, _| {}).map_err(engine)?;
        FeatureRange::default().unscale_slice(&mut z, true);
        all.extend(z);
    }
    Ok(all)
}

impl Forms {
    /// The results as JSON.
    pub fn json(&self) -> serde_json::Value {
        let apart = |a: &Apart| json!({"relative_error": a.relative, "cosine": a.cosine});
        let row = |form: &Form| {
            let (step, mel) = (apart(&form.step), apart(&form.mel));
            json!({"form": form.arithmetic.name(), "step": step, "mel": mel})
        };
        let rows: Vec<_> = self.rows.iter().map(row).collect();
        json!({"bytes": self.sizes.0, "bytes_against": self.sizes.1, "rows": rows})
    }
}

impl fmt::Display for Forms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mb = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
        let of = self.sizes.1.map_or("of the same file".to_owned(), |b| format!("of {}", mb(b)));
        writeln!(f, "forms of {} against float32 {of}: relative error, cosine", mb(self.sizes.0))?;
        writeln!(f, "      network's output      log-mel of hops")?;
        for Form { arithmetic, step, mel } in &self.rows {
            let apart = |a: &Apart| format!("{:8.1e} {:9.6}", a.relative, a.cosine);
            writeln!(f, "{:<5} {}   {}", arithmetic.name(), apart(step), apart(mel))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Apart;

    #[test]
    fn apart_is_of_the_second() {
        let apart = Apart::of(&[3.0, 0.0], &[0.0, 4.0]);
        assert!((apart.relative - 1.25).abs() < 1e-12 && apart.cosine == 0.0);
        let same = Apart::of(&[1.0, -2.0], &[1.0, -2.0]);
        assert!(same.relative == 0.0 && (same.cosine - 1.0).abs() < 1e-12);
    }
}
