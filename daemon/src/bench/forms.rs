//! What weights in another form change: the mel of the same hop from the same noise. Knows no speed.

use std::fmt;

use serde_json::json;
use timbre_models::bundle::Bundle;
use timbre_models::denoise::network::{Network, RunOptions};
use timbre_models::denoise::noise::SeededNoise;
use timbre_models::denoise::sampler::{Sampler, SamplerOptions};
use timbre_models::denoise::schedule::Schedule;
use timbre_models::mel::FeatureRange;
use timbre_models::units::MEL_BINS;

use super::compare::{engine, hear, noise};
use crate::error::Error;

/// Hops that are compared.
const HOPS: u64 = 8;

/// A model and another with the same network in another form.
pub struct Forms {
    sizes: [u64; 2],
    /// Of one evaluation of the network.
    step: Apart,
    /// Of the log-mel of hops as the model makes them.
    mel: Apart,
}

/// How far two vectors are apart.
#[derive(Debug, Clone, Copy)]
struct Apart {
    /// The root of the summed squares of the difference, as a part of that of the second.
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

/// Compares `bundle` with `against`.
///
/// # Errors
/// Models whose networks differ in size.
pub fn compare(bundle: &Bundle, against: &Bundle) -> Result<Forms, Error> {
    let sizes = &bundle.manifest().network;
    if *sizes != against.manifest().network {
        return Err(Error::Usage(format!(
            "--against {}: its network is of another size; wanted another form of {}",
            against.location(),
            bundle.location()
        )));
    }
    let hop = bundle.manifest().song;
    let mut results: [Vec<Vec<f32>>; 2] = [vec![], vec![]];
    for (bundle, result) in [bundle, against].into_iter().zip(&mut results) {
        let mut network = bundle.network_with(RunOptions::default())?;
        let heard = (sizes.max_tokens + sizes.context_frames).min(320);
        hear(&mut network, heard)?;
        network.set_prior(&noise(hop.hop_frames * MEL_BINS, 3)).map_err(engine)?;
        result.push(steps(&mut network, hop.hop_frames)?);
        result.push(mel(bundle, &mut network, hop.hop_frames, hop.steps)?);
    }
    let [found, wanted] = &results;
    Ok(Forms {
        sizes: [bundle.size()?, against.size()?],
        step: Apart::of(&found[0], &wanted[0]),
        mel: Apart::of(&found[1], &wanted[1]),
    })
}

/// The network's own output at four levels, one after the other.
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

/// Log-mel of some hops, each from its own noise, with the model's sampler.
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
    /// The same as JSON.
    pub fn json(&self) -> serde_json::Value {
        let apart = |a: &Apart| json!({"relative_error": a.relative, "cosine": a.cosine});
        json!({"bytes": self.sizes, "step": apart(&self.step), "mel": apart(&self.mel)})
    }
}

impl fmt::Display for Forms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [own, against] = self.sizes.map(|bytes| bytes as f64 / 1e6);
        writeln!(f, "{own:.1} MB against {against:.1} MB")?;
        for (what, apart) in [("network's output", &self.step), ("log-mel of hops", &self.mel)] {
            let Apart { relative, cosine } = apart;
            writeln!(f, "{what}: relative error {relative:.2e}, cosine {cosine:.6}")?;
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
