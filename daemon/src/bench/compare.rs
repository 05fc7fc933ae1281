//! `timbred bench --compare` measures the denoising step on packed operands, with plain tract, and
//! with another engine that runs the same file. It reports the times and does not choose.
//!
//! The engines take turns at each point, so that other load on the machine affects all of them
//! alike. In a turn the step runs twice and the second run counts, because the first has filled the
//! caches. Ratios are those of medians.

use std::time::Instant;

use serde_json::json;
use timbre_models::bundle::Bundle;
use timbre_models::denoise::Arithmetic;
use timbre_models::denoise::network::{Network, RunOptions};
use timbre_models::denoise::noise::{NoiseSource, SeededNoise};
use timbre_models::denoise::sampler::Denoiser;
use timbre_models::graph::NetworkConfig;
use timbre_models::threads::Threads;
use timbre_models::units::MEL_BINS;

use super::forms;
use super::reference::Reference;
use crate::cli::BenchArgs;
use crate::error::Error;
use crate::models;

/// The numbers of target frames L, and the numbers M of tokens and context frames that the step
/// attends to.
const FRAMES: [usize; 4] = [4, 16, 64, 256];
const HEARD: [usize; 3] = [320, 512, 2304];
const THREADS: [usize; 2] = [1, 2];
/// How many turns come before those that count.
const WARM_UP: usize = 2;
/// A token that is in every vocabulary: more silence.
const TOKEN: u32 = 4;

/// The ways to run the step inside this program.
const ENGINES: [(&str, RunOptions); 4] = [
    ("plain", RunOptions { arithmetic: Arithmetic::F32, is_plain: true }),
    ("packed", RunOptions { arithmetic: Arithmetic::F32, is_plain: false }),
    ("int8", RunOptions { arithmetic: Arithmetic::Int8Weights, is_plain: false }),
    ("bf16", RunOptions { arithmetic: Arithmetic::Bf16, is_plain: false }),
];

/// Prints the table of speeds, and the table of what each form of the weights changes.
///
/// # Errors
/// The model cannot be used, or the reference does not answer.
pub fn run(args: &BenchArgs) -> Result<(), Error> {
    let bundle = models::find(args.model.as_deref())?;
    let against = args.against.as_deref().map(|name| models::find(Some(name))).transpose()?;
    let mut networks = ENGINES
        .iter()
        .map(|(_, options)| network(&bundle, *options))
        .collect::<Result<Vec<_>, _>>()?;
    let mut reference =
        args.reference.as_deref().map(|command| Reference::start(command, &bundle)).transpose()?;
    let manifest = bundle.manifest();
    if !args.json {
        println!("model {} {}, medians of {} runs, ms", manifest.name, manifest.version, args.runs);
        println!(
            "threads    L    M |  plain packed   int8   bf16 reference | packed/plain \
             f32/reference bf16/reference"
        );
    }
    let mut rows = vec![];
    for (frames, heard) in sizes(args, &manifest.network)? {
        for network in &mut networks {
            hear(network, heard)?;
        }
        for threads in THREADS {
            let point = Point { threads, frames, heard };
            let times = point.measure(&mut networks, reference.as_mut(), args.runs as usize)?;
            if !args.json {
                println!("{}", point.line(&times));
            }
            rows.push(point.json(&times));
        }
    }
    drop(reference);
    // The effect of the forms does not depend on the sizes. Whoever asks for a few sizes wants a
    // quick answer, so the forms are left out then.
    let forms = match args.at.is_empty() {
        true => Some(forms::compare(&bundle, against.as_ref())?),
        false => None,
    };
    if args.json {
        let forms = forms.as_ref().map(|forms| forms.json());
        println!(
            "{}",
            json!({"model": manifest.name, "runs": args.runs, "rows": rows, "forms": forms})
        );
    } else if let Some(forms) = forms {
        print!("\n{forms}");
    }
    Ok(())
}

/// The pairs (frames, heard) that the arguments ask for, otherwise those of the table that fit into
/// the network.
///
/// # Errors
/// The network is too small for a pair that was asked for.
fn sizes(args: &BenchArgs, network: &NetworkConfig) -> Result<Vec<(usize, usize)>, Error> {
    let (most_frames, most_heard) =
        (network.target_frames, network.max_tokens + network.context_frames);
    let fits = |&(frames, heard): &(usize, usize)| frames <= most_frames && heard <= most_heard;
    if let Some((frames, heard)) = args.at.iter().find(|size| !fits(size)) {
        return Err(Error::Usage(format!(
            "--at {frames}x{heard}: this model has at most {most_frames}x{most_heard}"
        )));
    }
    let table = HEARD.iter().flat_map(|heard| FRAMES.map(|frames| (frames, *heard)));
    Ok(match args.at.is_empty() {
        true => table.filter(fits).collect(),
        false => args.at.clone(),
    })
}

/// The network of a bundle, prepared for one step at any noise level.
pub(super) fn network(bundle: &Bundle, options: RunOptions) -> Result<Network, Error> {
    let mut network = bundle.network_with(options)?;
    network.film_times(&[0.5]).map_err(engine)?;
    Ok(network)
}

/// Sets `heard` tokens and context frames as the input of the network: as many frames as it can
/// take, but at least one token.
pub(super) fn hear(network: &mut Network, heard: usize) -> Result<(), Error> {
    let sizes = network.config();
    let context = if sizes.has_context { sizes.context_frames.min(heard - 1) } else { 0 };
    let tokens = (heard - context).min(sizes.max_tokens);
    let frames = noise(context * MEL_BINS, 1);
    network.encode(&vec![TOKEN; tokens], &frames).map_err(engine)
}

/// `len` values of noise, which depend only on `seed`.
pub(super) fn noise(len: usize, seed: u64) -> Vec<f32> {
    let mut values = vec![0.0; len];
    SeededNoise::new(seed, 0).start(&mut values);
    values
}

/// Turns an error of the network into the error of a stream that runs the network.
pub(super) fn engine(e: timbre_models::denoise::DenoiseError) -> Error {
    Error::Stream(e.into())
}

/// The shape of a step to be measured.
#[derive(Debug, Clone, Copy)]
struct Point {
    threads: usize,
    frames: usize,
    heard: usize,
}

impl Point {
    /// The median milliseconds of each of [`ENGINES`] and of the reference.
    fn measure(
        &self,
        networks: &mut [Network],
        mut reference: Option<&mut Reference>,
        runs: usize,
    ) -> Result<Vec<f64>, Error> {
        let z = noise(self.frames * MEL_BINS, 2);
        let mut out = vec![0.0; z.len()];
        let threads = Threads::new(self.threads);
        for network in &mut *networks {
            network.set_threads(threads.clone());
            network.set_prior(&z).map_err(engine)?;
        }
        let mut times = vec![vec![]; networks.len() + usize::from(reference.is_some())];
        for turn in 0..WARM_UP + runs {
            let mut made = vec![];
            for network in &mut *networks {
                network.predict(0, &z, true, &mut out).map_err(engine)?;
                let begun = Instant::now();
                network.predict(0, &z, true, &mut out).map_err(engine)?;
                made.push(begun.elapsed().as_secs_f64() * 1e3);
            }
            if let Some(reference) = &mut reference {
                made.push(reference.time(self.frames, self.heard, self.threads)?);
            }
            if turn >= WARM_UP {
                times.iter_mut().zip(made).for_each(|(times, made)| times.push(made));
            }
        }
        Ok(times.into_iter().map(median).collect())
    }

    fn line(&self, times: &[f64]) -> String {
        let [plain, packed, int8, bf16, reference] =
            std::array::from_fn(|i| times.get(i).copied().unwrap_or(f64::NAN));
        let same = packed.min(int8);
        let over = |ours: f64| match reference.is_nan() {
            true => "-".to_owned(),
            false => format!("{:.2}", ours / reference),
        };
        let theirs = match reference.is_nan() {
            true => "-".to_owned(),
            false => format!("{reference:.2}"),
        };
        format!(
            "{:>7} {:>4} {:>4} | {plain:6.2} {packed:6.2} {int8:6.2} {bf16:6.2} {theirs:>9} | \
             {:12.2} {:>13} {:>14}",
            self.threads,
            self.frames,
            self.heard,
            packed / plain,
            over(same),
            over(bf16),
        )
    }

    fn json(&self, times: &[f64]) -> serde_json::Value {
        let names = ENGINES.iter().map(|(name, _)| *name).chain(["reference"]);
        let times: serde_json::Map<_, _> =
            names.zip(times).map(|(name, ms)| (name.to_owned(), json!(ms))).collect();
        json!({"threads": self.threads, "frames": self.frames, "heard": self.heard, "ms": times})
    }
}

pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
