//! Chooses the form in which the weights of a model are multiplied: the configured one, or the one
//! that a measurement found fastest on this machine. The measurement is saved. It knows no sound.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use timbre_models::bundle::Bundle;
use timbre_models::denoise::Arithmetic;
use timbre_models::threads::Threads;

use crate::error::Error;
use crate::state;

/// The most frames of a measured step. More would take longer and give the same order.
const FRAMES: usize = 64;
/// How many rounds are measured. For each form the fastest counts, because other work of the
/// machine only makes a round slower.
const TURNS: usize = 7;
/// Another form than the usual one is chosen only if it takes at most this share of the time,
/// because it needs more memory or rounds more.
const WORTH_IT: f64 = 0.9;

/// The form that is wanted, and where measurements are saved.
#[derive(Debug, Clone, Default)]
pub struct Forms {
    /// None for the fastest.
    pub wanted: Option<Arithmetic>,
    /// None if each start measures again.
    pub remembered: Option<PathBuf>,
}

/// Measurements, by machine and network.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Remembered {
    /// The milliseconds of a step, by the name of the form.
    #[serde(default)]
    step_ms: BTreeMap<String, BTreeMap<String, f64>>,
}

impl Forms {
    /// The form for hops of `frames` frames on `threads` threads.
    ///
    /// # Errors
    /// The step cannot be loaded or run. If the file cannot be read or written, the log says so.
    pub fn choose(
        &self,
        bundle: &Bundle,
        frames: usize,
        threads: &Threads,
    ) -> Result<Arithmetic, Error> {
        if let Some(wanted) = self.wanted {
            return Ok(wanted);
        }
        let key = key(bundle, frames, threads);
        let mut remembered = self.remembered.as_deref().map(read).unwrap_or_default();
        if let Some(times) = remembered.step_ms.get(&key) {
            return Ok(fastest(times));
        }
        let times = measure(bundle, frames.min(FRAMES), threads)?;
        let chosen = fastest(&times);
        if times.is_empty() {
            return Ok(chosen);
        }
        let said: Vec<String> = times.iter().map(|(name, ms)| format!("{name} {ms} ms")).collect();
        tracing::info!("weights as {}, the step takes: {}", chosen.name(), said.join(", "));
        if let Some(path) = &self.remembered {
            // Measurements of other machines and earlier versions are not needed any more.
            remembered.step_ms.retain(|key, _| key.starts_with(&machine()));
            remembered.step_ms.insert(key, times);
            state::save(path, &remembered).unwrap_or_else(|e| tracing::warn!("{e}"));
        }
        Ok(chosen)
    }
}

fn read(path: &Path) -> Remembered {
    let read = state::load(path).unwrap_or_else(|e| {
        tracing::warn!("{e}");
        None
    });
    read.unwrap_or_default()
}

/// The program and the processor, with which every key begins.
fn machine() -> String {
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = |name: &str| processor.lines().find(|line| line.starts_with(name));
    let line =
        line("model name").or_else(|| line("CPU part")).and_then(|line| line.split(':').nth(1));
    let name = line.map_or(std::env::consts::ARCH, str::trim);
    format!("timbred {}, {name}, ", env!("CARGO_PKG_VERSION"))
}

fn key(bundle: &Bundle, frames: usize, threads: &Threads) -> String {
    let manifest = bundle.manifest();
    let step = manifest.files.get("step").map_or("", |file| &file.sha256);
    let step = step.get(..12).unwrap_or_default();
    let count = threads.count();
    format!("{}{} {step}, {frames} frames, {count} threads", machine(), manifest.name)
}

/// The milliseconds of a step in each form for which this machine has vector instructions; empty if
/// there is nothing to choose.
fn measure(
    bundle: &Bundle,
    frames: usize,
    threads: &Threads,
) -> Result<BTreeMap<String, f64>, Error> {
    let mut trials = vec![];
    for form in Arithmetic::ALL.into_iter().filter(|form| form.is_native()) {
        if let Some(trial) = bundle.step_trial(form, frames, threads.clone())? {
            trials.push((form, trial, Duration::MAX));
        }
    }
    let stream = |e: timbre_models::denoise::DenoiseError| Error::Stream(e.into());
    for turn in 0..=TURNS {
        for (_, trial, best) in &mut trials {
            // A first run fills the caches, as for steps that follow each other.
            trial.run().map_err(stream)?;
            let begun = Instant::now();
            trial.run().map_err(stream)?;
            if turn > 0 {
                *best = begun.elapsed().min(*best);
            }
        }
    }
    let ms = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
    Ok(trials.into_iter().map(|(form, _, best)| (form.name().to_owned(), ms(best))).collect())
}

/// The usual form, unless another is clearly faster.
fn fastest(times: &BTreeMap<String, f64>) -> Arithmetic {
    let time = |form: Arithmetic| times.get(form.name()).copied();
    let usual = Arithmetic::default();
    let Some(limit) = time(usual).map(|ms| ms * WORTH_IT) else { return usual };
    let others = Arithmetic::ALL.into_iter().filter_map(|form| time(form).map(|ms| (form, ms)));
    let fast = others.filter(|(_, ms)| *ms <= limit);
    fast.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(usual, |(form, _)| form)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn times(list: &[(&str, f64)]) -> BTreeMap<String, f64> {
        list.iter().map(|(name, ms)| ((*name).to_owned(), *ms)).collect()
    }

    #[test]
    fn another_form_must_be_clearly_faster() {
        let of = |list: &[(&str, f64)]| fastest(&times(list));
        assert_eq!(of(&[]), Arithmetic::Int8Weights);
        assert_eq!(of(&[("f32", 0.95), ("int8", 1.0)]), Arithmetic::Int8Weights);
        assert_eq!(of(&[("f32", 0.89), ("int8", 1.0)]), Arithmetic::F32);
        assert_eq!(of(&[("f32", 0.8), ("int8", 1.0), ("bf16", 0.5)]), Arithmetic::Bf16);
        assert_eq!(of(&[("bf16", 0.5)]), Arithmetic::Int8Weights);
        assert_eq!(of(&[("int8", 1.0), ("of another version", 0.1)]), Arithmetic::Int8Weights);
    }

    #[test]
    fn what_was_measured_is_remembered_and_not_measured_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("arithmetic.toml");
        let forms = Forms { wanted: None, remembered: Some(path.clone()) };
        let (bundle, threads) = (crate::models::bundled().unwrap(), Threads::default());
        let chosen = forms.choose(&bundle, 2, &threads).unwrap();
        let written = read(&path);
        let found = written.step_ms.get(&key(&bundle, 2, &threads)).unwrap();
        assert!(found.contains_key("int8") && found.values().all(|ms| *ms > 0.0), "{found:?}");
        assert_eq!(fastest(found), chosen);
        // A saved measurement is trusted even if it is wrong, and those of other machines are
        // removed with the next measurement.
        let mut other = Remembered::default();
        other.step_ms.insert(key(&bundle, 2, &threads), times(&[("int8", 9.0), ("f32", 1.0)]));
        other.step_ms.insert("timbred 0.0.1, another, live".to_owned(), times(&[("int8", 9.0)]));
        state::save(&path, &other).unwrap();
        assert_eq!(forms.choose(&bundle, 2, &threads).unwrap(), Arithmetic::F32);
        forms.choose(&bundle, 1, &threads).unwrap();
        assert_eq!(read(&path).step_ms.len(), 2);
        let wanted = Forms { wanted: Some(Arithmetic::Bf16), remembered: Some(path) };
        assert_eq!(wanted.choose(&bundle, 2, &threads).unwrap(), Arithmetic::Bf16);
    }

    #[test]
    fn a_memory_that_cannot_be_kept_stops_nothing() {
        let folder = tempfile::tempdir().unwrap();
        // A folder can neither be read nor replaced.
        let forms = Forms { wanted: None, remembered: Some(folder.path().to_owned()) };
        forms.choose(&crate::models::bundled().unwrap(), 1, &Threads::default()).unwrap();
    }
}
