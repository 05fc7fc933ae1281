//! Segments that another program made from given noise, and the error of ours against them. This
//! file knows no format.
#![allow(clippy::unwrap_used)]

use timbre_models::denoise::noise::NoiseSource;

/// Noise from another program.
#[derive(Debug)]
pub struct Drawn(pub Vec<f32>);

impl NoiseSource for Drawn {
    fn start(&mut self, out: &mut [f32]) {
        out.copy_from_slice(&self.0);
    }

    fn fill(&mut self, _: usize, _: &mut [f32]) {}
}

/// The root of the summed squares of the difference, divided by that of `wanted`.
pub fn relative(found: &[f32], wanted: &[f32]) -> f64 {
    let power = |x: f32| f64::from(x).powi(2);
    let apart: f64 = found.iter().zip(wanted).map(|(f, w)| power(f - w)).sum();
    (apart / wanted.iter().map(|w| power(*w)).sum::<f64>()).sqrt()
}

/// The most memory that this process has used, as reported by the system.
pub fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("unknown");
    line.trim().to_owned()
}
