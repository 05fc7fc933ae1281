//! `timbred demo` plays the demo piece that is part of the program on the sound device, or writes
//! it into a file.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use ringbuf::traits::{Consumer, Observer, Producer, Split};
use ringbuf::{HeapProd, HeapRb};
use timbre_models::bundle::Bundle;
use timbre_models::notes::{EQUAL, Song, read_song};
use timbre_models::streamer::{StreamOptions, Streamer};

use crate::audio::resample::StreamResampler;
use crate::bus::queues::Telemetry;
use crate::cli::{DemoArgs, SampleFormat};
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::live::inference::Sink;
use crate::live::output::{Output, OutputOptions};
use crate::mix::{Frame, Mix, MixSettings, SIDES};
use crate::models;
use crate::options::stream_options;
use crate::render::job::Part;
use crate::render::output::Kind;
use crate::render::progress::Progress;
use crate::render::{Plan, render_song};
use crate::whole_file::WholeFile;

/// J. S. Bach, Prelude in C major, BWV 846; see `assets/make_demo.py`.
const PIECE: &[u8] = include_bytes!("../assets/demo.mid");
/// The title of the piece.
const NAME: &str = "Bach, Prelude in C major";
/// The time for the last notes to ring out, seconds.
const TAIL_S: f64 = 2.0;
/// The sample rate of the file, Hz.
const FILE_RATE_HZ: u32 = 48_000;
/// The buffer to ask the device for. It may be long, because nobody plays along.
const BUFFER_FRAMES: u32 = 1024;
const CHANNELS: u16 = 2;
/// How much sound is made before playback begins: this many seconds or this share of the piece,
/// whichever is longer.
const START_S: f64 = 1.0;
const START_SHARE: f64 = 0.2;
/// How often the two threads check each other.
const POLL: Duration = Duration::from_millis(5);
/// The time for the device to play its last buffer after the ring is empty.
const LAST_BUFFER: Duration = Duration::from_millis(300);

/// The demo piece that is part of the program.
///
/// # Errors
/// None, unless the program was built wrongly.
pub fn song() -> Result<Song, Error> {
    read_song(PIECE).map_err(|e| Error::input(Path::new("demo.mid (bundled)"), e))
}

/// Plays the piece, or writes it into a file if nothing can play it.
///
/// # Errors
/// The model cannot be used, the file cannot be written, or the device fails while it plays.
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
    let telemetry = Arc::new(Telemetry::default());
    let device = match args.no_device {
        true => Err(Error::Device("no sound device is wanted".to_owned())),
        false => Output::open(&device_options(), &telemetry, None),
    };
    match device {
        Ok((output, sink)) => {
            let device = Device { output, sink, telemetry };
            play(&song, &bundle, options, device, &interrupt)
        }
        Err(reason) => {
            println!("{reason}; writing {} instead", args.out.display());
            write(song, &bundle, options, args, kind, interrupt)
        }
    }
}

/// The options for the default output of this machine.
fn device_options() -> OutputOptions {
    OutputOptions {
        backend: "auto".to_owned(),
        device: String::new(),
        rate_hz: FILE_RATE_HZ,
        buffer_frames: BUFFER_FRAMES,
        channels: CHANNELS,
        realtime_priority: 0,
        name: "timbred".to_owned(),
        connect: "auto".to_owned(),
        has_parts: false,
    }
}

/// A device that plays what is put into the sink.
struct Device {
    output: Output,
    sink: Sink,
    telemetry: Arc<Telemetry>,
}

fn write(
    song: Song,
    bundle: &Bundle,
    options: StreamOptions,
    args: &DemoArgs,
    kind: Kind,
    interrupt: Interrupt,
) -> Result<(), Error> {
    let part = Part { from_s: 0.0, to_s: None, tail_s: TAIL_S };
    let progress = Progress::new(false);
    let (rate_hz, format) = (FILE_RATE_HZ, SampleFormat::I16);
    let (tuning, is_strict) = (EQUAL, true);
    let plan = Plan { options, part, rate_hz, format, tuning, is_strict, interrupt, progress };
    let file = WholeFile::create(&args.out)?;
    let mut streamer = Streamer::new(bundle, options)?;
    let song_s = song.total_time_s;
    render_song(&song.into(), file, kind, &plan, &mut streamer, &args.out)?;
    let path = args.out.canonicalize().unwrap_or_else(|_| args.out.clone());
    let path = path.display();
    println!("wrote {path} ({NAME}, {:.1} s)", song_s + TAIL_S);
    println!("play it with any player, as `aplay {path}`, here or on a machine with speakers");
    Ok(())
}

/// Another thread makes the sound, and this one passes it on to the device.
fn play(
    song: &Song,
    bundle: &Bundle,
    options: StreamOptions,
    mut device: Device,
    interrupt: &Interrupt,
) -> Result<(), Error> {
    let rate_hz = device.sink.rate_hz;
    let length_s = song.total_time_s + TAIL_S;
    let frames = |seconds: f64| (seconds * f64::from(rate_hz)).ceil() as usize;
    // The ring holds the whole piece, so that no thread waits for room, and a slow machine can
    // compute ahead before playback begins.
    let (ring, mut sound) = HeapRb::<Frame>::new(frames(length_s) + 1).split();
    let mut maker = Maker { ring, rate_hz, length_s, interrupt };
    let mut streamer = Streamer::new(bundle, options)?;
    let start = frames((START_SHARE * length_s).max(START_S).min(length_s));
    println!("{NAME}, {length_s:.0} s, on {}; Ctrl-C ends it", device.output.name);
    thread::scope(|scope| {
        let making = scope.spawn(|| maker.make(song, &mut streamer, options));
        while sound.occupied_len() < start && !making.is_finished() {
            watch(&device.output, interrupt)?;
        }
        let mut chunk = vec![[0.0; SIDES]; BUFFER_FRAMES as usize];
        while !(making.is_finished() && sound.is_empty()) {
            let room = device.sink.ring.vacant_len().min(chunk.len());
            let here = sound.pop_slice(chunk.get_mut(..room).unwrap_or_default());
            device.sink.ring.push_slice(chunk.get(..here).unwrap_or_default());
            if here == 0 {
                watch(&device.output, interrupt)?;
            }
        }
        match making.join() {
            Ok(made) => made,
            Err(_) => Err(Error::Fault),
        }
    })?;
    let gaps = device.telemetry.underruns.load(Ordering::Relaxed);
    while !device.sink.ring.is_empty() {
        watch(&device.output, interrupt)?;
    }
    thread::sleep(LAST_BUFFER);
    if gaps > 0 {
        println!("the model was too slow {gaps} times; fewer --steps are faster");
    }
    Ok(())
}

/// Waits for a short time. Returns an error if the device is gone or the user has interrupted.
fn watch(output: &Output, interrupt: &Interrupt) -> Result<(), Error> {
    if output.is_lost() {
        interrupt.raise();
        return Err(Error::Device(
            "the sound device went away; try again, or use --no-device".to_owned(),
        ));
    }
    thread::sleep(POLL);
    interrupt.check()
}

/// Makes the sound of the song and puts it into the ring.
struct Maker<'a> {
    ring: HeapProd<Frame>,
    rate_hz: u32,
    length_s: f64,
    interrupt: &'a Interrupt,
}

impl Maker<'_> {
    fn make(
        &mut self,
        song: &Song,
        streamer: &mut Streamer,
        options: StreamOptions,
    ) -> Result<(), Error> {
        streamer.restart(options)?;
        let model_hz = streamer.sample_rate_hz();
        let converter = StreamResampler::new(model_hz, self.rate_hz, SIDES);
        let mut converter = converter?;
        let mut mix = Mix::new(MixSettings::default(), model_hz);
        let mut mixed = vec![];
        song.events().into_iter().for_each(|event| streamer.push(event));
        let mut left = (self.length_s * f64::from(model_hz)).round() as usize;
        let mut samples = vec![];
        while left > 0 {
            self.interrupt.check()?;
            let hop = streamer.hop()?;
            mixed.clear();
            mix.push(hop.buses, &mut mixed);
            mixed.truncate(left);
            left -= mixed.len();
            converter.push(mixed.as_flattened(), &mut samples)?;
            if left == 0 {
                converter.finish(&mut samples)?;
            }
            // The ring has room for the whole piece.
            self.ring.push_slice(samples.as_chunks().0);
            samples.clear();
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
