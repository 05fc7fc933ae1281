//! Opens the sound device, or a clock in its place, and starts the callback on it. Knows no notes.
//!
//! The callback runs on a thread of the device's own (`null`: on `timbred-null`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{BufferSize, FromSample, SampleFormat, SizedSample, StreamConfig, SupportedBufferSize};
use ringbuf::HeapRb;
use ringbuf::traits::Split;

use super::callback::{Level, Player};
use super::clock::PlayPosition;
use super::devices::{NULL, hosts, name};
use super::inference::Sink;
use super::priority::ask_for_realtime;
use super::queues::Telemetry;
use crate::error::Error;

/// Samples that can wait for the device, seconds: the longest hop (5.12 s), made as much earlier as it takes, and a buffer.
const RING_S: u32 = 11;

/// What is wanted of the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputOptions {
    /// auto, alsa, jack or null.
    pub backend: String,
    /// Its name or a part of it; empty: the default.
    pub device: String,
    /// Sample rate wanted; the device's own where it has no choice.
    pub rate_hz: u32,
    /// Frames at a time wanted.
    pub buffer_frames: u32,
    /// Channels wanted, at most; every one plays the same.
    pub channels: u16,
    /// Real-time priority of the callback's thread; 0: ordinary.
    pub realtime_priority: u8,
}

/// What keeps the sound going; dropping it ends it.
enum Driver {
    /// Only held: it ends when dropped.
    Device(#[allow(dead_code)] cpal::Stream),
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
    /// Its name as the list of devices has it.
    pub label: String,
    /// What it is, in words.
    pub name: String,
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Output {
    /// Opens the device and starts it; the sink is for the inference thread.
    ///
    /// # Errors
    /// [`Error::Audio`]: what was wanted, what there is, what the system said.
    pub fn open(
        options: &OutputOptions,
        telemetry: &Arc<Telemetry>,
    ) -> Result<(Self, Sink), Error> {
        if options.backend == NULL {
            return Ok(Self::clock(options, telemetry));
        }
        let (device, label) = find(options)?;
        let refused =
            |e: &dyn std::fmt::Display| Error::Audio(format!("sound device {label}: {e}"));
        let default = device.default_output_config().map_err(|e| refused(&e))?;
        // JACK gives its own rate; others take the one wanted if they can.
        let rates = device.supported_output_configs().map_err(|e| refused(&e))?;
        let takes = rates
            .filter(|c| c.sample_format() == default.sample_format())
            .any(|c| (c.min_sample_rate()..=c.max_sample_rate()).contains(&options.rate_hz));
        let rate_hz = if takes { options.rate_hz } else { default.sample_rate() };
        let buffer_frames = match default.buffer_size() {
            SupportedBufferSize::Range { min, max } => options.buffer_frames.clamp(*min, *max),
            SupportedBufferSize::Unknown => options.buffer_frames,
        };
        let channels = default.channels().min(options.channels.max(1));
        let config = StreamConfig {
            channels,
            sample_rate: rate_hz,
            buffer_size: BufferSize::Fixed(buffer_frames),
        };
        let (player, sink) = pair(rate_hz, buffer_frames, telemetry);
        let lost = Arc::new(AtomicBool::new(false));
        // JACK's threads have the priority that the server gives.
        let priority = if is_jack(&label) { 0 } else { options.realtime_priority };
        let build = Build { device: &device, config, lost: lost.clone(), priority };
        let stream = match default.sample_format() {
            SampleFormat::F32 => build.stream::<f32>(player),
            SampleFormat::I16 => build.stream::<i16>(player),
            SampleFormat::I32 => build.stream::<i32>(player),
            SampleFormat::U16 => build.stream::<u16>(player),
            other => return Err(refused(&format!("it wants {other} samples"))),
        };
        let stream = stream.map_err(|e| refused(&e))?;
        stream.play().map_err(|e| refused(&e))?;
        let name = format!("{label}, {rate_hz} Hz, {buffer_frames} frames, {channels} channels");
        let level = sink.level.clone();
        Ok((Self { driver: Driver::Device(stream), lost, level, rate_hz, label, name }, sink))
    }

    /// The callback in real time without a device.
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
        let (label, name) = (NULL.to_owned(), format!("{NULL}, {rate_hz} Hz, {frames} frames"));
        let lost = Arc::new(AtomicBool::new(thread.is_none()));
        (Self { driver: Driver::Clock { stop, thread }, lost, level, rate_hz, label, name }, sink)
    }

    /// Whether it is a client of a JACK server.
    pub fn is_jack(&self) -> bool {
        is_jack(&self.label)
    }

    /// Whether the device is gone.
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// Fades out; what comes after is silence.
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
                // A clock that panicked has nothing to say.
                let _ = thread.join();
            }
        }
    }
}

fn is_jack(label: &str) -> bool {
    label.starts_with("JACK ")
}

/// The two ends of a new ring.
fn pair(rate_hz: u32, buffer_frames: u32, telemetry: &Arc<Telemetry>) -> (Player, Sink) {
    let (producer, consumer) = HeapRb::new((RING_S * rate_hz.max(1)) as usize).split();
    let level = Arc::new(Level::default());
    let position = Arc::new(PlayPosition::default());
    let player = Player::new(consumer, rate_hz, level.clone(), position.clone(), telemetry.clone());
    (player, Sink { ring: producer, position, level, rate_hz, buffer_frames })
}

/// What building a stream needs beside the player.
struct Build<'a> {
    device: &'a cpal::Device,
    config: StreamConfig,
    lost: Arc<AtomicBool>,
    priority: u8,
}

impl Build<'_> {
    fn stream<T: SizedSample + FromSample<f32>>(
        self,
        mut player: Player,
    ) -> Result<cpal::Stream, cpal::Error> {
        let channels = usize::from(self.config.channels);
        let mut priority = Some(self.priority);
        self.device.build_output_stream::<T, _, _>(
            self.config,
            move |out, _| {
                // Before the first sound: the library starts the thread, so only the thread itself can ask.
                if let Some(priority) = priority.take() {
                    ask_for_realtime(priority);
                }
                player.fill(Instant::now(), out, channels);
            },
            move |error| match error.kind() {
                cpal::ErrorKind::Xrun | cpal::ErrorKind::RealtimeDenied => {}
                _ => self.lost.store(true, Ordering::Release),
            },
            None,
        )
    }
}

/// The device that is wanted, with its name in words.
fn find(options: &OutputOptions) -> Result<(cpal::Device, String), Error> {
    // What the library has to say goes nowhere instead of to the terminal.
    #[cfg(target_os = "linux")]
    let _library_messages = alsa::Output::local_error_handler();
    let mut known = vec![];
    for (id, host) in &hosts(&options.backend) {
        if options.device.is_empty() {
            let works = |d: &cpal::Device| d.default_output_config().is_ok();
            if let Some(device) = host.default_output_device().filter(works) {
                let name = format!("{} {}", id.name(), name(&device));
                return Ok((device, name));
            }
            continue;
        }
        let there = host.output_devices().into_iter().flatten();
        let mut there: Vec<_> = there.map(|device| (name(&device), device)).collect();
        let wanted = options.device.to_lowercase();
        let exact = there.iter().position(|(name, _)| *name == options.device);
        let alike = || there.iter().position(|(name, _)| name.to_lowercase().contains(&wanted));
        if let Some(place) = exact.or_else(alike) {
            let (name, device) = there.swap_remove(place);
            return Ok((device, format!("{} {name}", id.name())));
        }
        known.extend(there.into_iter().map(|(name, _)| format!("{} {name}", id.name())));
    }
    let what = match options.device.as_str() {
        "" => format!("no sound device ({})", options.backend),
        device => format!("no sound device `{device}` ({})", options.backend),
    };
    let there = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Err(Error::Audio(format!("{what}; there are: {there}; `timbred --audio null` needs none")))
}
