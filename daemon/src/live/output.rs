//! Opens the sound device, or a clock in its place, and starts the callback on it. Knows no notes.
//!
//! The callback runs on a thread of the device's own (`null`: on `timbred-null`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{BufferSize, FromSample, SampleFormat, SizedSample, StreamConfig};
use ringbuf::HeapRb;
use ringbuf::traits::Split;

use super::alsa_device::{described, library_device, matching, said};
use super::callback::{Level, Player};
use super::cards;
use super::clock::PlayPosition;
use super::devices::{ALSA, Choice, JACK, NULL, is_meant};
use super::inference::Sink;
use super::jack::{JackClient, MidiEnd, Wanted, WantedSound};
use super::pcm;
use super::stems::{PartsPlayer, PartsSink};
use super::stream_fit::alsa_frames;
use crate::bus::priority::ask_for_realtime;
use crate::bus::queues::Telemetry;
use crate::error::Error;

/// The length of the ring, seconds: the longest hop (5.12 s), the same again for making it early,
/// and a buffer.
const RING_S: u32 = 11;

/// The device that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputOptions {
    /// auto, alsa, jack or null.
    pub backend: String,
    /// Its name or a part of the name; empty for the default.
    pub device: String,
    /// The sample rate that is wanted. Some devices have only their own.
    pub rate_hz: u32,
    /// How many frames at a time are wanted.
    pub buffer_frames: u32,
    /// Channels wanted, at most; every one plays the same.
    pub channels: u16,
    /// Real-time priority of the callback's thread; 0: ordinary.
    pub realtime_priority: u8,
    /// The name of the client in JACK.
    pub name: String,
    /// What the outputs are connected to in JACK: auto, none, or how the names of the inputs begin.
    pub connect: String,
    /// Whether each part has ports of its own in JACK.
    pub has_parts: bool,
}

/// Keeps the sound going until it is dropped.
enum Driver {
    /// Held only because dropping it ends the sound.
    Device(#[allow(dead_code)] cpal::Stream),
    /// Held only because dropping it ends the sound.
    Pcm(#[allow(dead_code)] pcm::Thread),
    Jack(Arc<JackClient>),
    Clock {
        stop: Arc<AtomicBool>,
        thread: Option<JoinHandle<()>>,
    },
}

/// A playing device.
pub struct Output {
    driver: Driver,
    lost: Arc<AtomicBool>,
    level: Arc<Level>,
    /// Frames a second.
    pub rate_hz: u32,
    /// Which of the devices it is.
    pub(super) choice: Choice,
    /// Its name and kind, for people.
    pub name: String,
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Output {
    /// Opens the device and starts it. The sink is for the inference thread. A client of JACK also
    /// receives MIDI, if `midi` is given.
    ///
    /// # Errors
    /// [`Error::Device`]: it names what was wanted, what there is, and the error of the system.
    pub fn open(
        options: &OutputOptions,
        telemetry: &Arc<Telemetry>,
        midi: Option<MidiEnd>,
    ) -> Result<(Self, Sink), Error> {
        let OutputOptions { backend, device, .. } = options;
        if backend == NULL {
            return Ok(Self::clock(options, telemetry));
        }
        let mut problems = vec![];
        let is_jack_named = device.is_empty() || device.eq_ignore_ascii_case(JACK);
        if is_meant(JACK, backend) && (is_jack_named || backend.eq_ignore_ascii_case(JACK)) {
            match Self::jack(options, telemetry, midi) {
                Ok(opened) => return Ok(opened),
                Err(e) => problems.push(format!("JACK: {e}")),
            }
        }
        if is_meant(ALSA, backend) && !device.eq_ignore_ascii_case(JACK) {
            match Self::alsa(options, telemetry) {
                Ok(opened) => return Ok(opened),
                Err(e) => problems.push(format!("ALSA: {e}")),
            }
        }
        let what = match device.as_str() {
            "" => format!("no sound device ({backend})"),
            device => format!("no sound device `{device}` ({backend})"),
        };
        let why = problems.join("; ");
        Err(Error::Device(format!("{what}: {why}; `timbred --audio null` needs none")))
    }

    fn jack(
        options: &OutputOptions,
        telemetry: &Arc<Telemetry>,
        midi: Option<MidiEnd>,
    ) -> Result<(Self, Sink), String> {
        let connect = options.connect.as_str();
        let sound = Some(WantedSound { telemetry, connect, has_parts: options.has_parts });
        let (client, sink) = JackClient::open(Wanted { name: &options.name, midi, sound })?;
        let sink = sink.ok_or("it has no sound")?;
        let (rate_hz, level) = (sink.rate_hz, sink.level.clone());
        let frames = client.buffer_frames();
        let name =
            format!("{JACK} as {}, {rate_hz} Hz, {frames} frames, 2 channels", client.name());
        let driver = Driver::Jack(Arc::new(client));
        let choice = Choice::new(JACK, "", "");
        Ok((Self { driver, lost: Arc::default(), level, rate_hz, choice, name }, sink))
    }

    /// Opens the device that is wanted, or the best one that opens.
    fn alsa(options: &OutputOptions, telemetry: &Arc<Telemetry>) -> Result<(Self, Sink), String> {
        // The library would print its own messages to the terminal.
        let _library_messages = alsa::Output::local_error_handler();
        let to_try = match options.device.as_str() {
            "" => cards::candidates().into_iter().map(|c| (c.name, c.why)).collect(),
            device => matching(device)?,
        };
        let mut problems = vec![];
        for (name, words) in to_try {
            match Self::alsa_device(&name, &words, options, telemetry) {
                Ok(opened) => {
                    if options.device.is_empty() {
                        tracing::info!(
                            "the sound device was chosen by itself: {words}; `timbrectl devices` \
                             lists all, audio.device in the configuration holds another"
                        );
                    }
                    return Ok(opened);
                }
                Err(e) => problems.push(format!("{name}: {e}")),
            }
        }
        match problems.is_empty() {
            true => Err("no card that plays, but for sockets without a screen".to_owned()),
            false => Err(problems.join(", ")),
        }
    }

    fn alsa_device(
        name: &str,
        words: &str,
        options: &OutputOptions,
        telemetry: &Arc<Telemetry>,
    ) -> Result<(Self, Sink), String> {
        let Some(device) = library_device(name)? else {
            return Self::pcm(name, words, options, telemetry);
        };
        let (device, fit) = described(device, name, options)?;
        let id = device.id().map_err(|e| e.to_string())?;
        let name = id.id();
        let exact = alsa_frames(name, fit, options.buffer_frames).map(BufferSize::Fixed);
        let mut problem = String::new();
        // If the device refuses that number of frames after all, it chooses the number itself.
        for buffer_size in exact.into_iter().chain([BufferSize::Default]) {
            let (player, sink) = pair(fit.rate_hz, options.buffer_frames, telemetry);
            let (channels, rate_hz) = (fit.channels, fit.rate_hz);
            let config = StreamConfig { channels, sample_rate: rate_hz, buffer_size };
            let (lost, level) = (Arc::new(AtomicBool::new(false)), sink.level.clone());
            let priority = options.realtime_priority;
            let (device, level_too) = (&device, level.clone());
            let telemetry = telemetry.clone();
            let build =
                Build { device, config, lost: lost.clone(), level: level_too, telemetry, priority };
            let started = build.of(fit.format, player).and_then(|stream| {
                stream.play()?;
                Ok((stream.buffer_size()?, stream))
            });
            let (frames, stream) = match started {
                Ok(started) => started,
                Err(e) => {
                    problem = said(&e);
                    continue;
                }
            };
            level.set_frames(frames as usize);
            let choice = Choice::new(ALSA, name, words);
            let label = choice.label();
            let name = format!("{label}, {rate_hz} Hz, {frames} frames, {channels} channels");
            let driver = Driver::Device(stream);
            return Ok((Self { driver, lost, level, rate_hz, choice, name }, sink));
        }
        Err(problem)
    }

    /// Opens a device that the sound library does not list.
    fn pcm(
        name: &str,
        words: &str,
        options: &OutputOptions,
        telemetry: &Arc<Telemetry>,
    ) -> Result<(Self, Sink), String> {
        let pcm = pcm::Pcm::open(name, options)?;
        let (rate_hz, frames, channels) = (pcm.rate_hz, pcm.frames, pcm.channels);
        let (player, sink) = pair(rate_hz, frames, telemetry);
        let (lost, level) = (Arc::new(AtomicBool::new(false)), sink.level.clone());
        let choice = Choice::new(ALSA, name, words);
        let label = choice.label();
        let name = format!("{label}, {rate_hz} Hz, {frames} frames, {channels} channels");
        let thread = pcm.play(pcm::Playing {
            player,
            level: level.clone(),
            telemetry: telemetry.clone(),
            lost: lost.clone(),
            priority: options.realtime_priority,
        });
        Ok((Self { driver: Driver::Pcm(thread), lost, level, rate_hz, choice, name }, sink))
    }

    /// Runs the callback in real time without a device.
    fn clock(options: &OutputOptions, telemetry: &Arc<Telemetry>) -> (Self, Sink) {
        let (mut player, sink) = pair(options.rate_hz, options.buffer_frames, telemetry);
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, level) = (stop.clone(), sink.level.clone());
        let (rate_hz, frames) = (options.rate_hz.max(1), options.buffer_frames.max(1));
        let priority = options.realtime_priority;
        let run = move || {
            let mut buffer = vec![0.0f32; frames as usize];
            ask_for_realtime(priority);
            let start = Instant::now();
            let mut played = 0u64;
            while !stopped.load(Ordering::Acquire) {
                player.fill(Instant::now(), &mut buffer, 1);
                played += u64::from(frames);
                let due = Duration::from_secs_f64(played as f64 / f64::from(rate_hz));
                std::thread::sleep(due.saturating_sub(start.elapsed()));
            }
        };
        let thread = std::thread::Builder::new().name("timbred-null".to_owned()).spawn(run).ok();
        let (choice, name) =
            (Choice::new(NULL, "", ""), format!("{NULL}, {rate_hz} Hz, {frames} frames"));
        let lost = Arc::new(AtomicBool::new(thread.is_none()));
        (Self { driver: Driver::Clock { stop, thread }, lost, level, rate_hz, choice, name }, sink)
    }

    /// The client of a JACK server, where the sound goes there.
    pub fn jack_client(&self) -> Option<&Arc<JackClient>> {
        match &self.driver {
            Driver::Jack(client) => Some(client),
            _ => None,
        }
    }

    /// How many frames the device takes at a time now.
    pub fn frames(&self) -> u32 {
        u32::try_from(self.level.frames()).unwrap_or(u32::MAX)
    }

    /// Whether the device is gone.
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
            || self.jack_client().is_some_and(|client| client.is_gone())
    }

    /// Fades out to silence.
    pub fn fade_out(&self) {
        self.level.close();
        std::thread::sleep(Duration::from_millis(120));
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Driver::Clock { stop, thread } = &mut self.driver {
            stop.store(true, Ordering::Release);
            if let Some(thread) = thread.take() {
                // A panic of this thread is in the log already.
                let _ = thread.join();
            }
        }
    }
}

/// The two ends of a new ring.
pub(super) fn pair(rate_hz: u32, buffer_frames: u32, telemetry: &Arc<Telemetry>) -> (Player, Sink) {
    let (producer, consumer) = HeapRb::new((RING_S * rate_hz.max(1)) as usize).split();
    let level = Arc::new(Level::default());
    level.set_frames(buffer_frames as usize);
    let position = Arc::new(PlayPosition::default());
    let player = Player::new(consumer, rate_hz, level.clone(), position.clone(), telemetry.clone());
    (player, Sink { ring: producer, position, level, rate_hz, parts: None })
}

/// The same for a stream whose parts have rings of their own.
pub(super) fn pair_with_parts(
    rate_hz: u32,
    buffer_frames: u32,
    telemetry: &Arc<Telemetry>,
) -> (Player, Sink) {
    let (player, sink) = pair(rate_hz, buffer_frames, telemetry);
    let (producer, consumer) = HeapRb::new((RING_S * rate_hz.max(1)) as usize).split();
    let parts = Some(PartsSink::new(producer, rate_hz));
    (player.with_parts(PartsPlayer::new(consumer)), Sink { parts, ..sink })
}

/// Everything that building a stream needs, except the player.
struct Build<'a> {
    device: &'a cpal::Device,
    config: StreamConfig,
    lost: Arc<AtomicBool>,
    level: Arc<Level>,
    telemetry: Arc<Telemetry>,
    priority: u8,
}

impl Build<'_> {
    fn of(self, format: SampleFormat, player: Player) -> Result<cpal::Stream, cpal::Error> {
        match format {
            SampleFormat::F64 => self.stream::<f64>(player),
            SampleFormat::I32 => self.stream::<i32>(player),
            SampleFormat::I24 => self.stream::<cpal::I24>(player),
            SampleFormat::I16 => self.stream::<i16>(player),
            SampleFormat::I8 => self.stream::<i8>(player),
            SampleFormat::U16 => self.stream::<u16>(player),
            SampleFormat::U8 => self.stream::<u8>(player),
            // `fit` chooses none of the other formats.
            _ => self.stream::<f32>(player),
        }
    }

    fn stream<T: SizedSample + FromSample<f32>>(
        self,
        mut player: Player,
    ) -> Result<cpal::Stream, cpal::Error> {
        let channels = usize::from(self.config.channels);
        let mut priority = Some(self.priority);
        let Self { device, config, lost, level, telemetry, .. } = self;
        device.build_output_stream::<T, _, _>(
            config,
            move |out, info| {
                // The library starts the thread, so only the thread itself can ask for its
                // priority, which it does before the first sound.
                if let Some(priority) = priority.take() {
                    ask_for_realtime(priority);
                }
                let times = info.timestamp();
                level.note_delay(times.playback.duration_since(times.callback));
                player.fill(Instant::now(), out, channels);
            },
            move |error| match error.kind() {
                cpal::ErrorKind::Xrun => {
                    telemetry.device_underruns.fetch_add(1, Ordering::Relaxed);
                }
                cpal::ErrorKind::RealtimeDenied => {}
                _ => lost.store(true, Ordering::Release),
            },
            None,
        )
    }
}
