//! `timbred render` turns MIDI files into sound files, several at once. This file has the order of
//! the work; the other files have the details.

pub mod job;
pub mod names;
pub mod output;
pub mod progress;
mod stems;

use std::num::NonZero;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use timbre_models::bundle::Bundle;
use timbre_models::notes::{EQUAL, Tuning};
use timbre_models::parts::Buses;
use timbre_models::streamer::{StreamOptions, Streamer};
use timbre_models::threads::Threads;
use timbre_models::units::SAMPLE_RATE_HZ;

use crate::audio::resample::{self, ResampleError, StreamResampler};
use crate::cli::{RenderArgs, SampleFormat};
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::mix::{Mix, MixSettings, SIDES};
use crate::options::stream_options;
use crate::songs::Piece;
use crate::whole_file::WholeFile;
use crate::{models, scale, songs};
use job::Part;
use names::Job;
use output::{Kind, Length, SoundFile};
use progress::Progress;
use stems::Stems;

/// The longest tail that can be asked for, seconds.
const MAX_TAIL_S: f64 = 600.0;

/// What all files of one command share.
#[derive(Debug)]
pub struct Plan {
    /// The settings of the stream and its sampler.
    pub options: StreamOptions,
    /// The part of each song that is rendered.
    pub part: Part,
    /// The sample rate of the files.
    pub rate_hz: u32,
    /// The sample format of the files.
    pub format: SampleFormat,
    /// The tuning of keys until a file sets another.
    pub tuning: Tuning,
    /// Whether damaged MIDI files are refused.
    pub is_strict: bool,
    /// Tells whether the user has interrupted the program.
    pub interrupt: Interrupt,
    /// The progress on the terminal.
    pub progress: Progress,
}

/// Renders every file. If one fails, the others are still rendered.
///
/// # Errors
/// The error of the file if there is only one; otherwise how many of them failed.
pub fn run(args: &RenderArgs) -> Result<(), Error> {
    let part = part(args)?;
    let jobs = names::jobs(args)?;
    let bundle = models::find(args.engine.model.as_deref())?;
    // A file with the rate of the model cannot hold frequencies above half of that rate.
    let is_wide = args.rate > SAMPLE_RATE_HZ;
    let buses = match (args.dry, args.stems) {
        (true, _) => Buses::Mono,
        (false, true) => Buses::Stems,
        (false, false) => Buses::Stereo,
    };
    let options = StreamOptions { is_wide, buses, ..stream_options(&args.engine, &bundle)? };
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder).map_err(|e| Error::output(folder, e))?;
    }
    let interrupt = Interrupt::install();
    let progress = Progress::new(args.quiet);
    let plan = Plan {
        options,
        part,
        rate_hz: args.rate,
        format: args.format,
        tuning: args.tuning.as_deref().map_or(Ok(EQUAL), scale::find)?,
        is_strict: args.strict,
        interrupt,
        progress,
    };
    // The model is loaded before the files, so that an error in it is reported once and not for
    // each file.
    let streamer = Streamer::new(&bundle, options)?;
    match jobs.as_slice() {
        [job] => {
            let mut streamer = streamer;
            streamer.set_threads(Threads::new(workers(args.jobs, usize::MAX)));
            render_file(job, &plan, &mut streamer)
        }
        jobs => render_all(jobs, workers(args.jobs, jobs.len()), &plan, &bundle, streamer),
    }
}

fn part(args: &RenderArgs) -> Result<Part, Error> {
    let usage = |text: String| Err(Error::Usage(text));
    let Part { from_s, to_s, tail_s } =
        Part { from_s: args.from, to_s: args.to, tail_s: args.tail };
    if !(from_s.is_finite() && from_s >= 0.0) {
        return usage(format!("--from {from_s}: wanted seconds from 0 on"));
    }
    if to_s.is_some_and(|to_s| !(to_s.is_finite() && to_s > from_s)) {
        let to_s = to_s.unwrap_or_default();
        return usage(format!("--to {to_s}: wanted seconds beyond --from, which is {from_s}"));
    }
    if !(0.0..=MAX_TAIL_S).contains(&tail_s) {
        return usage(format!("--tail {tail_s}: wanted 0 to {MAX_TAIL_S} seconds"));
    }
    if args.jobs == Some(0) {
        return usage("--jobs 0: wanted 1 or more".to_owned());
    }
    Ok(Part { from_s, to_s, tail_s })
}

fn workers(wanted: Option<usize>, files: usize) -> usize {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    wanted.unwrap_or(cores).clamp(1, files.max(1))
}

/// Renders the files on several threads. Each has a stream of its own, which it uses for one file
/// after the other.
fn render_all(
    jobs: &[Job],
    workers: usize,
    plan: &Plan,
    bundle: &Bundle,
    streamer: Streamer,
) -> Result<(), Error> {
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::<Error>::new());
    let failed = |e: Error| failures.lock().unwrap_or_else(|e| e.into_inner()).push(e);
    let work = |mut streamer: Streamer| {
        while plan.interrupt.check().is_ok()
            && let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed))
        {
            if let Err(e) = render_file(job, plan, &mut streamer) {
                if !matches!(e, Error::Interrupted) {
                    plan.progress.say(&format!("timbred: {}", e.about(&job.input)));
                }
                failed(e);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..workers {
            scope.spawn(|| match Streamer::new(bundle, plan.options) {
                Ok(streamer) => work(streamer),
                // If a thread cannot be started, those that run do its work.
                Err(e) => tracing::warn!("one thread less: {e}"),
            });
        }
        work(streamer);
    });
    plan.interrupt.check()?;
    let failures = failures.into_inner().unwrap_or_else(|e| e.into_inner());
    match failures.len() {
        0 => Ok(()),
        failed => Err(Error::Some { failed, all: jobs.len() }),
    }
}

/// Reads, renders and writes one file, and puts it in its place.
fn render_file(job: &Job, plan: &Plan, streamer: &mut Streamer) -> Result<(), Error> {
    let (piece, mended) = songs::read(&job.input, &plan.tuning, plan.is_strict)?;
    for missing in &piece.missing_banks {
        plan.progress.say(&format!("{}: {missing}", job.input.display()));
    }
    if let Some(mended) = mended {
        plan.progress.say(&format!("{}: {mended}", job.input.display()));
    }
    let file = WholeFile::create(&job.output)?;
    render_song(&piece, file, job.kind, plan, streamer, &job.input)
}

/// Renders a song into a file, which is written as the sound is made. `name` is its name on the
/// terminal.
///
/// # Errors
/// The engine, the part or the file fails, or [`Error::Interrupted`]. There is no file then.
pub fn render_song(
    piece: &Piece,
    file: WholeFile,
    kind: Kind,
    plan: &Plan,
    streamer: &mut Streamer,
    name: &Path,
) -> Result<(), Error> {
    let unfit = |e: ResampleError| Error::Usage(e.to_string());
    let extent = job::begin(piece, &plan.part, streamer, plan.options)?;
    let channels = if plan.options.buses == Buses::Mono { 1 } else { SIDES };
    let samples = resample::length(extent.samples, extent.rate_hz, plan.rate_hz);
    let length = Length { samples, channels, frames: extent.frames };
    if let Some(warning) = kind.warning(plan.format, length) {
        plan.progress.say(&format!("{}: {warning}", name.display()));
    }
    let path = file.path().to_owned();
    let mut file = SoundFile::begin(file, kind, plan.format, plan.rate_hz, length)?;
    let mut stems = match plan.options.buses {
        Buses::Stems => Stems::begin(piece, &path, plan, extent.rate_hz, length)?,
        _ => Stems::none(),
    };
    let shown = plan.progress.begin(name, extent.samples as f64 / f64::from(extent.rate_hz));
    let mut converter =
        StreamResampler::new(extent.rate_hz, plan.rate_hz, channels).map_err(unfit)?;
    let mut mix = Mix::new(MixSettings::default(), extent.rate_hz);
    let (mut mixed, mut converted) = (vec![], vec![]);
    let left_out = job::render(extent, streamer, &mut |buses, mel, done_s| {
        shown.at(done_s);
        plan.interrupt.check()?;
        file.mel(mel)?;
        match plan.options.buses {
            Buses::Mono => {
                let mono = buses.first().map(Vec::as_slice).unwrap_or_default();
                converter.push(mono, &mut converted).map_err(unfit)?;
            }
            Buses::Stereo | Buses::Stems => {
                mixed.clear();
                mix.push(buses, &mut mixed);
                converter.push(mixed.as_flattened(), &mut converted).map_err(unfit)?;
                stems.push(buses)?;
            }
        }
        file.samples(&converted)?;
        converted.clear();
        Ok(())
    })?;
    converter.finish(&mut converted).map_err(unfit)?;
    file.samples(&converted)?;
    plan.interrupt.check()?;
    let clipping = file.finish()?;
    stems.finish()?;
    shown.done(&path);
    for warning in job::left_out(&left_out).into_iter().chain(clipping.say()) {
        plan.progress.say(&format!("{}: {warning}", name.display()));
    }
    Ok(())
}
