//! Plays to a device of ALSA that the sound library opens but does not list, such as `plug:hw:1`,
//! `dmix:0` or one of asound.conf without a hint. cpal takes only names that are listed. It knows
//! no notes.
//!
//! # Real time
//! The thread `timbred-alsa` allocates nothing once it plays.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use alsa::pcm::{Access, Format, HwParams};
use alsa::{Direction, PCM, ValueOr};

use super::callback::{Level, Player};
use super::output::OutputOptions;
use crate::bus::priority::ask_for_realtime;
use crate::bus::queues::Telemetry;

/// The sample formats that are supported, best first. The last one packs 24 bits into three bytes.
const FORMATS: [Format; 4] = [Format::FloatLE, Format::S32LE, Format::S16LE, Format::S243LE];
/// How many buffers the device holds.
const PERIODS: i64 = 3;
/// The longest wait for the device before the thread checks whether it should end, ms.
const WAIT_MS: u32 = 200;
/// The wait between two looks at a device that has no room yet.
const EARLY: Duration = Duration::from_millis(1);
/// See errno(3); the numbers are Linux's.
const RAN_DRY: i32 = 32;
const FULL: i32 = 11;

/// A device that is open and does not play yet.
pub(super) struct Pcm {
    pcm: PCM,
    format: Format,
    pub(super) rate_hz: u32,
    pub(super) frames: u32,
    pub(super) channels: u32,
}

/// What the thread needs beside the device.
pub(super) struct Playing {
    pub(super) player: Player,
    pub(super) level: Arc<Level>,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) lost: Arc<AtomicBool>,
    pub(super) priority: u8,
}

/// The thread that plays, which ends when this is dropped.
pub(super) struct Thread {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Pcm {
    /// Opens the device with the options that are nearest to those wanted.
    ///
    /// # Errors
    /// The error of the library.
    pub(super) fn open(name: &str, options: &OutputOptions) -> Result<Self, String> {
        let said = |e: alsa::Error| e.to_string();
        let pcm = PCM::new(name, Direction::Playback, true).map_err(said)?;
        let (format, rate_hz, channels, frames) = {
            let params = HwParams::any(&pcm).map_err(said)?;
            params.set_access(Access::RWInterleaved).map_err(said)?;
            let format = FORMATS.into_iter().find(|format| params.set_format(*format).is_ok());
            let format = format.ok_or("none of its sample formats is played")?;
            let channels = params.set_channels_near(options.channels.into()).map_err(said)?;
            let rate_hz = params.set_rate_near(options.rate_hz, ValueOr::Nearest).map_err(said)?;
            let wanted = i64::from(options.buffer_frames);
            let frames = params.set_period_size_near(wanted, ValueOr::Nearest).map_err(said)?;
            params.set_buffer_size_near(PERIODS * frames).map_err(said)?;
            pcm.hw_params(&params).map_err(said)?;
            (format, rate_hz, channels, frames)
        };
        let software = pcm.sw_params_current().map_err(said)?;
        let buffer = pcm.get_params().map_err(said)?.0 as i64;
        software.set_start_threshold((buffer - frames).max(frames)).map_err(said)?;
        software.set_avail_min(frames).map_err(said)?;
        pcm.sw_params(&software).map_err(said)?;
        drop(software);
        let frames = u32::try_from(frames).unwrap_or(options.buffer_frames);
        Ok(Self { pcm, format, rate_hz, frames, channels })
    }

    /// Starts to play.
    pub(super) fn play(self, playing: Playing) -> Thread {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, lost) = (stop.clone(), playing.lost.clone());
        let run = move || self.run(playing, &stopped);
        let thread = std::thread::Builder::new().name("timbred-alsa".to_owned()).spawn(run).ok();
        if thread.is_none() {
            lost.store(true, Ordering::Release);
        }
        Thread { stop, thread }
    }

    fn run(self, mut playing: Playing, stop: &AtomicBool) {
        let _library_messages = alsa::Output::local_error_handler();
        ask_for_realtime(playing.priority);
        let samples = (self.frames * self.channels) as usize;
        let mut made = Made::new(self.format, samples);
        while !stop.load(Ordering::Acquire) {
            let done = match self.pcm.wait(Some(WAIT_MS)) {
                // The device stands still, which the watchdog sees by the number of frames played.
                Ok(false) => continue,
                Ok(true) => self.turn(&mut playing, &mut made, stop),
                Err(e) => Err(e),
            };
            if let Err(e) = done {
                if e.errno() == RAN_DRY {
                    playing.telemetry.device_underruns.fetch_add(1, Ordering::Relaxed);
                }
                if self.pcm.try_recover(e, true).is_err() {
                    playing.lost.store(true, Ordering::Release);
                    return;
                }
            }
        }
    }

    /// Plays one buffer.
    fn turn(&self, playing: &mut Playing, made: &mut Made, stop: &AtomicBool) -> alsa::Result<()> {
        if self.pcm.avail_update()? < i64::from(self.frames) {
            // Some plugins wake the thread too early. A real-time thread must not spin then.
            std::thread::sleep(EARLY);
            return Ok(());
        }
        let delay_s = self.pcm.delay()?.max(0) as f64 / f64::from(self.rate_hz);
        playing.level.note_delay(Duration::from_secs_f64(delay_s));
        let channels = self.channels as usize;
        let bytes = made.fill(&mut playing.player, channels);
        let frame = bytes.len() / self.frames as usize;
        let io = self.pcm.io_bytes();
        let mut rest = bytes;
        while !rest.is_empty() && !stop.load(Ordering::Acquire) {
            match io.writei(rest) {
                Ok(written) => rest = rest.get(written * frame..).unwrap_or_default(),
                Err(e) if e.errno() == FULL => std::thread::sleep(EARLY),
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

/// The samples of one buffer in the format of the device.
struct Made {
    format: Format,
    floats: Vec<f32>,
    bytes: Vec<u8>,
}

impl Made {
    fn new(format: Format, samples: usize) -> Self {
        let width = match format {
            Format::S16LE => 2,
            Format::S243LE => 3,
            _ => 4,
        };
        Self { format, floats: vec![0.0; samples], bytes: vec![0; samples * width] }
    }

    fn fill(&mut self, player: &mut Player, channels: usize) -> &[u8] {
        player.fill(Instant::now(), &mut self.floats, channels);
        self.convert();
        &self.bytes
    }

    fn convert(&mut self) {
        // The limiter holds every sample within full scale.
        let whole = |sample: f32, full: f64| (f64::from(sample) * full).round() as i32;
        let width = self.bytes.len() / self.floats.len().max(1);
        for (sample, out) in self.floats.iter().zip(self.bytes.chunks_exact_mut(width.max(1))) {
            match self.format {
                Format::S16LE => {
                    out.copy_from_slice(&(whole(*sample, 32_767.0) as i16).to_le_bytes())
                }
                Format::S243LE => {
                    let [low, middle, high, _] = whole(*sample, 8_388_607.0).to_le_bytes();
                    out.copy_from_slice(&[low, middle, high]);
                }
                Format::S32LE => {
                    out.copy_from_slice(&whole(*sample, 2_147_483_647.0).to_le_bytes())
                }
                _ => out.copy_from_slice(&sample.to_le_bytes()),
            }
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A panic of this thread is in the log already.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_take_the_form_of_the_device() {
        let of = |format, floats: &[f32]| {
            let mut made = Made::new(format, floats.len());
            made.floats.copy_from_slice(floats);
            made.convert();
            made.bytes
        };
        assert_eq!(of(Format::S16LE, &[0.0, 1.0, -1.0]), [0, 0, 0xFF, 0x7F, 0x01, 0x80]);
        assert_eq!(of(Format::S243LE, &[1.0, -0.5]), [0xFF, 0xFF, 0x7F, 0x00, 0x00, 0xC0]);
        assert_eq!(of(Format::S32LE, &[-1.0]), [0x01, 0, 0, 0x80]);
        assert_eq!(of(Format::FloatLE, &[0.5]), 0.5f32.to_le_bytes());
    }

    #[test]
    fn a_name_that_is_none_is_refused() {
        let _quiet = alsa::Output::local_error_handler();
        let options = OutputOptions {
            backend: "alsa".to_owned(),
            device: String::new(),
            rate_hz: 48_000,
            buffer_frames: 256,
            channels: 2,
            realtime_priority: 0,
            name: String::new(),
            connect: String::new(),
            has_parts: false,
        };
        assert!(Pcm::open("no such name", &options).is_err());
        // One that swallows takes everything.
        let null = Pcm::open("null", &options);
        assert!(null.is_ok_and(|pcm| (pcm.rate_hz, pcm.channels) == (48_000, 2)));
    }
}
