//! `timbred bench` measures how long each stage of a hop takes on this machine. It does not judge
//! the results.

mod compare;
mod forms;
mod reference;
mod ticks;

use std::time::{Duration, Instant};

use serde_json::json;
use timbre_models::bundle::Bundle;
use timbre_models::notes::Song;
use timbre_models::streamer::{StreamOptions, Streamer};

use crate::cli::BenchArgs;
use crate::error::Error;
use crate::{demo, models};

/// The measured hop lengths in frames, and numbers of steps K.
const HOPS: [usize; 4] = [1, 2, 4, 16];
const STEPS: [usize; 4] = [1, 2, 4, 8];
/// How many hops are made before the measured ones, until the context is full and buffers have
/// their final size.
const WARM_UP: usize = 70;

/// The time of one stage in each of many hops, milliseconds.
struct Stage(Vec<f64>);

impl Stage {
    fn percentile(&mut self, share: f64) -> f64 {
        self.0.sort_by(f64::total_cmp);
        let at = (share * (self.0.len().saturating_sub(1)) as f64).round() as usize;
        self.0.get(at).copied().unwrap_or(0.0)
    }

    fn show(&mut self) -> String {
        format!("{:6.2} {:6.2}", self.percentile(0.5), self.percentile(0.99))
    }

    fn json(&mut self) -> serde_json::Value {
        json!({"p50_ms": self.percentile(0.5), "p99_ms": self.percentile(0.99)})
    }
}

/// Measures the model on one thread and prints a table (or JSON): ticks with many notes, or hops of
/// the demo piece; with `--compare` the denoising step alone, with several engines.
///
/// # Errors
/// The model cannot be used.
pub fn run(args: &BenchArgs) -> Result<(), Error> {
    if args.compare {
        return compare::run(args);
    }
    let bundle = models::find(args.model.as_deref())?;
    let song = demo::song()?;
    let mut streamer = Streamer::new(&bundle, StreamOptions::song(&bundle))?;
    if !args.json {
        println!("model {} {}", bundle.manifest().name, bundle.manifest().version);
    }
    let rows = match streamer.is_in_ticks() {
        true => ticks::run(&bundle, args.hops, !args.json)?,
        false => hops(&mut streamer, &bundle, &song, args)?,
    };
    let speed = render_speed(&mut streamer, StreamOptions::song(&bundle), &song)?;
    let live = StreamOptions::live(&bundle)
        .map(|live| render_speed(&mut streamer, live, &song))
        .transpose()?;
    if args.json {
        println!(
            "{}",
            json!({
                "model": bundle.manifest().name, "rows": rows,
                "render_x_real_time": speed, "live_x_real_time": live,
            })
        );
    } else {
        println!("render, song mode: {speed:.2} x real time on one core");
        live.into_iter().for_each(|l| {
            println!("render, live mode as the model has it: {l:.2} x real time on one core")
        });
    }
    Ok(())
}

/// Measures a model that is made hop by hop, for several hop lengths and numbers of steps.
fn hops(
    streamer: &mut Streamer,
    bundle: &Bundle,
    song: &Song,
    args: &BenchArgs,
) -> Result<Vec<serde_json::Value>, Error> {
    let mut rows = vec![];
    if !args.json {
        println!("hops of H frames with K steps, one thread, demo piece");
        println!(
            "{:>3} {:>3} | {:^13} | {:^13} | {:^13} | {:^13} | x real",
            "H", "K", "encode ms", "steps ms", "vocoder ms", "hop ms"
        );
        println!(
            "{:>3} {:>3} |    p50    p99 |    p50    p99 |    p50    p99 |    p50    p99 | time",
            "", ""
        );
    }
    let most = bundle.manifest().network.target_frames;
    for hop_frames in HOPS.into_iter().filter(|h| *h <= most) {
        for steps in STEPS {
            let options = StreamOptions { hop_frames, steps, ..StreamOptions::song(bundle) };
            streamer.restart(options)?;
            song.events().into_iter().for_each(|e| streamer.push(e));
            let mut stages = [vec![], vec![], vec![], vec![]].map(Stage);
            let hops = args.hops as usize;
            let warm_up = WARM_UP.div_ceil(hop_frames);
            for hop in 0..warm_up + hops {
                let times = timed_hop(streamer)?;
                if hop >= warm_up {
                    let total: Duration = times.iter().sum();
                    for (stage, time) in stages.iter_mut().zip(times.into_iter().chain([total])) {
                        stage.0.push(time.as_secs_f64() * 1e3);
                    }
                }
            }
            let [encode, denoise, vocode, total] = &mut stages;
            let speed = hop_frames as f64 * 20.0 / (total.0.iter().sum::<f64>() / hops as f64);
            if !args.json {
                println!(
                    "{hop_frames:>3} {steps:>3} | {} | {} | {} | {} | {speed:5.2}",
                    encode.show(),
                    denoise.show(),
                    vocode.show(),
                    total.show()
                );
            }
            rows.push(json!({"hop_frames": hop_frames, "steps": steps,
                "encode": encode.json(), "steps_ms": denoise.json(),
                "vocoder": vocode.json(), "hop": total.json(), "x_real_time": speed}));
        }
    }
    Ok(rows)
}

/// Makes one hop and returns the times of its stages: encode, denoise, vocode.
fn timed_hop(streamer: &mut Streamer) -> Result<[Duration; 3], Error> {
    let start = Instant::now();
    streamer.encode()?;
    let encoded = Instant::now();
    streamer.denoise()?;
    let denoised = Instant::now();
    streamer.vocode()?;
    Ok([encoded - start, denoised - encoded, denoised.elapsed()])
}

/// Returns how many seconds of sound are rendered in a second, over the whole song.
fn render_speed(
    streamer: &mut Streamer,
    options: StreamOptions,
    song: &Song,
) -> Result<f64, Error> {
    streamer.restart(options)?;
    song.events().into_iter().for_each(|e| streamer.push(e));
    let frames = (song.total_time_s * 50.0).ceil() as usize;
    let hops = frames.div_ceil(options.hop_frames);
    let start = Instant::now();
    for _ in 0..hops {
        streamer.hop()?;
    }
    Ok((hops * options.hop_frames) as f64 / 50.0 / start.elapsed().as_secs_f64())
}
