//! The sound device: finds the default output and plays what a ring of samples holds. Knows no notes and no files.
//!
//! The callback runs on a thread of the device's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{FromSample, SampleFormat, SizedSample, SupportedStreamConfig};
use ringbuf::HeapCons;
use ringbuf::traits::Consumer;

use crate::error::Error;

/// What the callback tells the others.
#[derive(Debug, Default)]
pub struct Playback {
    /// Set by whoever fills the ring once all is in it: an empty ring is no fault from then on.
    pub complete: AtomicBool,
    /// Frames of silence played because the ring was empty too early.
    pub missing_frames: AtomicU64,
    /// Set when the device is gone.
    pub lost: AtomicBool,
}

/// The default output, not yet playing.
pub struct Speaker {
    device: cpal::Device,
    config: SupportedStreamConfig,
    /// What the system calls it.
    pub name: String,
}

impl std::fmt::Debug for Speaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Speaker").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Speaker {
    /// The default output of this machine.
    ///
    /// # Errors
    /// Says why there is none.
    pub fn find() -> Result<Self, Error> {
        let none = |reason: String| Error::Audio(format!("no sound device: {reason}"));
        // Kept until the search is over: what the library has to say goes here instead of to the terminal.
        #[cfg(target_os = "linux")]
        let _library_messages = alsa::Output::local_error_handler();
        let hosts = cpal::available_hosts().into_iter();
        let mut reason = "this system has no sound service".to_owned();
        for host in hosts.filter_map(|id| cpal::host_from_id(id).ok()) {
            let Some(device) = host.default_output_device() else { continue };
            match device.default_output_config() {
                Ok(config) => {
                    let name = device.description().map(|d| d.name().to_owned());
                    return Ok(Self { device, config, name: name.unwrap_or_default() });
                }
                Err(e) => reason = e.to_string(),
            }
        }
        Err(none(reason))
    }

    /// Its sample rate.
    pub fn rate_hz(&self) -> u32 {
        self.config.sample_rate()
    }

    /// Starts playing the ring, the one channel on all of the device's. Ends when the stream is dropped.
    ///
    /// # Errors
    /// What the device says, or a sample format that is not f32, i16, i32 or u16.
    pub fn play(&self, ring: HeapCons<f32>, state: Arc<Playback>) -> Result<cpal::Stream, Error> {
        #[cfg(target_os = "linux")]
        let _library_messages = alsa::Output::local_error_handler();
        let stream = match self.config.sample_format() {
            SampleFormat::F32 => self.build::<f32>(ring, state),
            SampleFormat::I16 => self.build::<i16>(ring, state),
            SampleFormat::I32 => self.build::<i32>(ring, state),
            SampleFormat::U16 => self.build::<u16>(ring, state),
            other => Err(self.refused(format!("it wants {other} samples"))),
        }?;
        stream.play().map_err(|e| self.refused(e.to_string()))?;
        Ok(stream)
    }

    fn build<T: SizedSample + FromSample<f32>>(
        &self,
        mut ring: HeapCons<f32>,
        state: Arc<Playback>,
    ) -> Result<cpal::Stream, Error> {
        let channels = usize::from(self.config.channels()).max(1);
        let lost = state.clone();
        self.device
            .build_output_stream::<T, _, _>(
                self.config.config(),
                move |out, _| fill(out, channels, &mut ring, &state),
                move |error| {
                    if is_fatal(error.kind()) {
                        lost.lost.store(true, Ordering::Release);
                    }
                },
                None,
            )
            .map_err(|e| self.refused(e.to_string()))
    }

    fn refused(&self, reason: String) -> Error {
        Error::Audio(format!("sound device {}: {reason}", self.name))
    }
}

/// Whether the stream is over with an error of that kind; overruns and thread priorities are not the end.
fn is_fatal(kind: cpal::ErrorKind) -> bool {
    use cpal::ErrorKind::{DeviceChanged, RealtimeDenied, Xrun};
    !matches!(kind, DeviceChanged | RealtimeDenied | Xrun)
}

/// Fills the device's buffer: one sample of the ring for every channel of a frame, silence where there is none.
///
/// # Real time
/// Allocates nothing, locks nothing, logs nothing.
fn fill<T: SizedSample + FromSample<f32>>(
    out: &mut [T],
    channels: usize,
    ring: &mut HeapCons<f32>,
    state: &Playback,
) {
    let mut samples = ring.pop_iter();
    let mut missing = 0;
    for frame in out.chunks_mut(channels) {
        let sample = samples.next().unwrap_or_else(|| {
            missing += 1;
            0.0
        });
        frame.fill(T::from_sample(sample.clamp(-1.0, 1.0)));
    }
    if missing > 0 && !state.complete.load(Ordering::Acquire) {
        state.missing_frames.fetch_add(missing, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use ringbuf::HeapRb;
    use ringbuf::traits::{Producer, Split};

    use super::*;

    #[test]
    fn an_empty_ring_is_silence_and_counted_until_all_is_in() {
        let (mut producer, mut ring) = HeapRb::<f32>::new(8).split();
        let state = Playback::default();
        producer.push_slice(&[0.5, 2.0]);
        let mut out = [9i16; 8];
        fill(&mut out, 2, &mut ring, &state);
        assert_eq!(out, [16384, 16384, i16::MAX, i16::MAX, 0, 0, 0, 0]);
        assert_eq!(state.missing_frames.load(Ordering::Relaxed), 2);
        state.complete.store(true, Ordering::Release);
        fill(&mut out, 2, &mut ring, &state);
        assert_eq!(state.missing_frames.load(Ordering::Relaxed), 2);
    }
}
