//! `timbred demo`: the piece that ships with the program, to the sound device or into a file.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ringbuf::traits::{Observer, Producer, Split};
use ringbuf::{HeapProd, HeapRb};
use timbre_models::bundle::Bundle;
use timbre_models::notes::{Song, read_song};
use timbre_models::streamer::{StreamOptions, Streamer};
use timbre_models::units::SAMPLE_RATE_HZ;

use crate::audio::device::{Playback, Speaker};
use crate::audio::resample::{ResampleError, StreamResampler};
use crate::cli::{DemoArgs, SampleFormat};
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::models;
use crate::options::stream_options;
use crate::render::job::Part;
use crate::render::output::Kind;
use crate::render::progress::Progress;
use crate::render::{Plan, render_song};
use crate::whole_file::WholeFile;

/// J. S. Bach, Prelude in C major, BWV 846; see `assets/make_demo.py`.
const PIECE: &[u8] = include_bytes!("../assets/demo.mid");
/// What the piece is called.
const NAME: &str = "Bach, Prelude in C major";
/// Seconds the last notes ring out.
const TAIL_S: f64 = 2.0;
/// Sample rate of the file.
const FILE_RATE_HZ: u32 = 48_000;
/// Sound made before the first is heard: this many seconds, or this share of the piece where that is more.
const START_S: f64 = 1.0;
const START_SHARE: f64 = 0.2;
/// How often the two sides look at each other.
const POLL: Duration = Duration::from_millis(5);
/// What the device still holds when the ring is empty.
const LAST_BUFFER: Duration = Duration::from_millis(300);

/// The piece that ships with the program.
///
/// # Errors
/// None with a program that was built whole.
pub fn song() -> Result<Song, Error> {
    read_song(PIECE).map_err(|e| Error::input(Path::new("demo.mid (bundled)"), e))
}

/// Plays the piece, or writes it where nothing can play it.
///
/// # Errors
/// A model that cannot be used, a file that cannot be written, a device that fails while playing.
pub fn run(args: &DemoArgs) -> Result<(), Error> {
    let kind = match Kind::of(&args.out) {
        Some(kind @ (Kind::Wav | Kind::Flac)) => kind,
        _ => {
            return Err(Error::Usage(format!(
                "--out {}: wanted a .wav or .flac file",
                args.out.display()
            )));
        }
    };
    let bundle = models::find(args.engine.model.as_deref())?;
    let options = stream_options(&args.engine, &bundle)?;
    let song = song()?;
    let interrupt = Interrupt::install();
    let speaker = match args.no_device {
        true => Err(Error::Audio("no sound device wanted".to_owned())),
        false => Speaker::find(),
    };
    match speaker {
        Ok(speaker) => play(&song, &bundle, options, &speaker, &interrupt),
        Err(reason) => {
            println!("{reason}; writing {} instead", args.out.display());
            write(&song, &bundle, options, args, kind, interrupt)
        }
    }
}

fn write(
    song: &Song,
    bundle: &Bundle,
    options: StreamOptions,
    args: &DemoArgs,
    kind: Kind,
    interrupt: Interrupt,
) -> Result<(), Error> {
    let part = Part { from_s: 0.0, to_s: None, tail_s: TAIL_S };
    let progress = Progress::new(false);
    let (rate_hz, format) = (FILE_RATE_HZ, SampleFormat::I16);
    let plan = Plan { options, part, rate_hz, format, interrupt, progress };
    let file = WholeFile::create(&args.out)?;
    let mut streamer = Streamer::new(bundle, options)?;
    render_song(song, file, kind, &plan, &mut streamer, &args.out)?;
    let path = args.out.canonicalize().unwrap_or_else(|_| args.out.clone());
    let path = path.display();
    println!("wrote {path} ({NAME}, {:.1} s)", song.total_time_s + TAIL_S);
    println!("play it with any player, as `aplay {path}`, here or on a machine with speakers");
    Ok(())
}

/// One thread makes sound, the device's own plays it, this one watches.
fn play(
    song: &Song,
    bundle: &Bundle,
    options: StreamOptions,
    speaker: &Speaker,
    interrupt: &Interrupt,
) -> Result<(), Error> {
    let rate_hz = speaker.rate_hz();
    let length_s = song.total_time_s + TAIL_S;
    let frames = |seconds: f64| (seconds * f64::from(rate_hz)).ceil() as usize;
    // The whole piece fits: nobody waits for room, and a slow machine can be ahead before the first sound.
    let (producer, consumer) = HeapRb::<f32>::new(frames(length_s) + 1).split();
    let state = Arc::new(Playback::default());
    let mut maker = Maker { ring: producer, rate_hz, length_s, interrupt };
    let mut streamer = Streamer::new(bundle, options)?;
    let start = frames((START_SHARE * length_s).max(START_S).min(length_s));
    let made = AtomicBool::new(false);
    println!("{NAME}, {length_s:.0} s, on {}; Ctrl-C ends it", speaker.name);
    let (ready, level) = std::sync::mpsc::channel::<usize>();
    thread::scope(|scope| {
        let making = scope.spawn(|| {
            let result = maker.make(song, &mut streamer, options, ready);
            state.complete.store(result.is_ok(), Ordering::Release);
            made.store(true, Ordering::Release);
            (result, maker.ring)
        });
        // Ends when enough is there, or when nothing more comes.
        while level.recv().is_ok_and(|level| level < start) {}
        interrupt.check()?;
        let playing = speaker.play(consumer, state.clone()).inspect_err(|_| interrupt.raise())?;
        while !made.load(Ordering::Acquire) {
            watch(&state, interrupt)?;
        }
        let Ok((result, ring)) = making.join() else {
            return Err(Error::Audio("the thread that makes sound ended too early".to_owned()));
        };
        result?;
        while !ring.is_empty() {
            watch(&state, interrupt)?;
        }
        thread::sleep(LAST_BUFFER);
        drop(playing);
        Ok(())
    })?;
    let missing = state.missing_frames.load(Ordering::Relaxed);
    if missing > 0 {
        println!(
            "the model was too slow for {:.1} s of silence in between; fewer --steps are faster",
            missing as f64 / f64::from(rate_hz)
        );
    }
    Ok(())
}

/// A short wait; an error when the device is gone or the user wants the end.
fn watch(state: &Playback, interrupt: &Interrupt) -> Result<(), Error> {
    if state.lost.load(Ordering::Acquire) {
        interrupt.raise();
        return Err(Error::Audio(
            "the sound device went away; try again, or use --no-device".to_owned(),
        ));
    }
    thread::sleep(POLL);
    interrupt.check()
}

/// Fills the ring, whose other end is the device's callback.
struct Maker<'a> {
    ring: HeapProd<f32>,
    rate_hz: u32,
    length_s: f64,
    interrupt: &'a Interrupt,
}

impl Maker<'_> {
    /// Makes the whole song; tells after each hop how many samples there are.
    fn make(
        &mut self,
        song: &Song,
        streamer: &mut Streamer,
        options: StreamOptions,
        level: std::sync::mpsc::Sender<usize>,
    ) -> Result<(), Error> {
        let failed = |e: ResampleError| Error::Audio(e.to_string());
        let mut converter = StreamResampler::new(SAMPLE_RATE_HZ, self.rate_hz).map_err(failed)?;
        streamer.restart(options)?;
        song.events().into_iter().for_each(|event| streamer.push(event));
        let mut left = (self.length_s * f64::from(SAMPLE_RATE_HZ)).round() as usize;
        let mut made = 0;
        let mut samples = vec![];
        while left > 0 {
            self.interrupt.check()?;
            let hop = streamer.hop()?;
            let here = hop.samples.get(..left).unwrap_or(hop.samples);
            left -= here.len();
            converter.push(here, &mut samples).map_err(failed)?;
            if left == 0 {
                converter.finish(&mut samples).map_err(failed)?;
            }
            made += samples.len();
            self.give(&samples)?;
            samples.clear();
            // Nobody listens any more once it plays.
            let _ = level.send(made);
        }
        Ok(())
    }

    fn give(&mut self, mut samples: &[f32]) -> Result<(), Error> {
        let patience = Instant::now();
        while !samples.is_empty() {
            let given = self.ring.push_slice(samples);
            samples = samples.get(given..).unwrap_or_default();
            if !samples.is_empty() {
                self.interrupt.check()?;
                if patience.elapsed().as_secs_f64() > self.length_s {
                    return Err(Error::Audio("the sound device plays nothing".to_owned()));
                }
                thread::sleep(POLL);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    #[test]
    fn the_piece_is_whole() {
        let song = super::song().unwrap();
        assert!(song.notes.len() > 200 && song.total_time_s > 20.0);
    }
}
