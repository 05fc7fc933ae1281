//! Converts the sample rate of one or more channels, and removes the delay of the converter so that
//! onsets keep their time. It knows no files.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler};

/// The least number of input samples that are converted at a time. A longer block has a steeper
/// filter.
const BLOCK: usize = 1024;

/// The error of a rate conversion that is not possible.
#[derive(Debug, thiserror::Error)]
#[error("cannot convert {from_hz} Hz to {to_hz} Hz: {reason}")]
pub struct ResampleError {
    from_hz: u32,
    to_hz: u32,
    reason: String,
}

impl ResampleError {
    /// The error for a conversion between two rates, with the reason of the converter.
    pub fn new(from_hz: u32, to_hz: u32, reason: impl std::fmt::Display) -> Self {
        Self { from_hz, to_hz, reason: reason.to_string() }
    }
}

/// Converts a stream from one rate to another. The first output sample has the time of the first
/// input sample.
#[derive(Debug)]
pub struct StreamResampler {
    from_hz: u32,
    to_hz: u32,
    /// None if both rates are the same.
    converter: Option<Fft<f32>>,
    channels: usize,
    /// Input that does not yet fill a block, with the channels interleaved.
    waiting: Vec<f32>,
    block: Vec<f32>,
    /// How many output samples must still be dropped to remove the delay of the converter.
    to_drop: usize,
    taken: u64,
    given: u64,
}

impl StreamResampler {
    /// A new conversion of interleaved channels.
    ///
    /// # Errors
    /// A rate is 0, or the converter refuses the rates.
    pub fn new(from_hz: u32, to_hz: u32, channels: usize) -> Result<Self, ResampleError> {
        let converter = match from_hz == to_hz {
            true => None,
            false => Some(converter(from_hz, to_hz, channels)?),
        };
        let to_drop = converter.as_ref().map_or(0, Resampler::output_delay);
        let room = converter.as_ref().map_or(0, Resampler::output_frames_max);
        let block = vec![0.0; room * channels];
        let waiting = vec![];
        Ok(Self {
            from_hz,
            to_hz,
            converter,
            channels,
            waiting,
            block,
            to_drop,
            taken: 0,
            given: 0,
        })
    }

    /// Takes the next samples, and appends the converted ones that are ready to `out`.
    ///
    /// # Errors
    /// The converter fails, which it does not with buffers of the right length.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) -> Result<(), ResampleError> {
        self.taken += (samples.len() / self.channels) as u64;
        self.waiting.extend_from_slice(samples);
        self.convert(out)
    }

    /// Appends the rest. In all, `out` then has as many samples as the input lasts at its rate, to
    /// the nearest sample.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn finish(&mut self, out: &mut Vec<f32>) -> Result<(), ResampleError> {
        let wanted = length(self.taken, self.from_hz, self.to_hz);
        while self.given < wanted {
            let silence = self.converter.as_ref().map_or(1, Resampler::input_frames_next);
            self.waiting.resize(self.waiting.len() + silence * self.channels, 0.0);
            self.convert(out)?;
        }
        let excess = (self.given - wanted) as usize * self.channels;
        out.truncate(out.len().saturating_sub(excess));
        self.given = wanted;
        Ok(())
    }

    fn convert(&mut self, out: &mut Vec<f32>) -> Result<(), ResampleError> {
        let Some(converter) = &mut self.converter else {
            self.given += (self.waiting.len() / self.channels) as u64;
            out.append(&mut self.waiting);
            return Ok(());
        };
        let (from_hz, to_hz) = (self.from_hz, self.to_hz);
        let failed = |reason: String| ResampleError { from_hz, to_hz, reason };
        let mut start = 0;
        let channels = self.channels;
        while self.waiting.len() / channels - start >= converter.input_frames_next() {
            let frames = self.waiting.len() / channels - start;
            let input = InterleavedSlice::new(&self.waiting[start * channels..], channels, frames)
                .map_err(|e| failed(e.to_string()))?;
            let room = self.block.len() / channels;
            let mut output = InterleavedSlice::new_mut(&mut self.block, channels, room)
                .map_err(|e| failed(e.to_string()))?;
            let (used, made) = converter
                .process_into_buffer(&input, &mut output, None::<&Indexing>)
                .map_err(|e| failed(e.to_string()))?;
            start += used;
            let dropped = self.to_drop.min(made);
            self.to_drop -= dropped;
            out.extend_from_slice(
                self.block.get(dropped * channels..made * channels).unwrap_or_default(),
            );
            self.given += (made - dropped) as u64;
        }
        self.waiting.drain(..start * channels);
        Ok(())
    }
}

/// Converts a whole signal. The result lasts as long as the input, to the nearest sample.
///
/// # Errors
/// A rate is 0, or the converter refuses the rates.
pub fn resample(samples: &[f32], from_hz: u32, to_hz: u32) -> Result<Vec<f32>, ResampleError> {
    let mut converter = StreamResampler::new(from_hz, to_hz, 1)?;
    let mut out = Vec::with_capacity(length(samples.len() as u64, from_hz, to_hz) as usize);
    converter.push(samples, &mut out)?;
    converter.finish(&mut out)?;
    Ok(out)
}

/// How many samples at `to_hz` last as long as `samples` at `from_hz`.
pub fn length(samples: u64, from_hz: u32, to_hz: u32) -> u64 {
    let (from, to) = (u128::from(from_hz.max(1)), u128::from(to_hz));
    ((u128::from(samples) * to + from / 2) / from) as u64
}

/// An FFT converter with blocks of even length, so that its delay is a whole number of input
/// samples and of output samples.
fn converter(from_hz: u32, to_hz: u32, channels: usize) -> Result<Fft<f32>, ResampleError> {
    let failed = |reason: String| ResampleError { from_hz, to_hz, reason };
    if from_hz == 0 || to_hz == 0 {
        return Err(failed("a rate of 0".to_owned()));
    }
    let (from, to) = (from_hz as usize, to_hz as usize);
    let smallest = 2 * (from / gcd(from, to));
    let block = BLOCK.next_multiple_of(smallest);
    Fft::new(from, to, block, channels, FixedSync::Both).map_err(|e| failed(e.to_string()))
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_impulse_stays_in_place() {
        let mut samples = vec![0.0; 16_000];
        samples[8_000] = 1.0;
        for rate_hz in [8_000, 22_050, 44_100, 48_000, 96_000, 192_000] {
            let out = resample(&samples, 16_000, rate_hz).unwrap();
            let at = (0..out.len()).max_by(|a, b| out[*a].abs().total_cmp(&out[*b].abs())).unwrap();
            assert!(at.abs_diff(rate_hz as usize / 2) <= 1, "{rate_hz} Hz: sample {at}");
        }
    }

    #[test]
    fn a_sine_keeps_its_level() {
        let sine: Vec<f32> =
            (0..32_000).map(|n| (n as f32 * std::f32::consts::TAU / 16.0).sin()).collect();
        for rate_hz in [44_100usize, 48_000] {
            let out = resample(&sine, 16_000, rate_hz as u32).unwrap();
            let middle = &out[rate_hz / 2..rate_hz * 3 / 2];
            let power = middle.iter().map(|x| f64::from(x * x)).sum::<f64>() / middle.len() as f64;
            let level_db = 10.0 * (power / 0.5).log10();
            assert!(level_db.abs() < 0.1, "{rate_hz} Hz: {level_db} dB");
        }
    }

    #[test]
    fn the_length_is_exact() {
        for samples in [0usize, 1, 159, 16_000, 16_001, 40_003] {
            for rate_hz in [8_000u32, 11_025, 16_000, 44_100, 48_000] {
                let out = resample(&vec![0.5; samples], 16_000, rate_hz).unwrap();
                let exact = samples as f64 * f64::from(rate_hz) / 16_000.0;
                assert!((out.len() as f64 - exact).abs() <= 0.5, "{samples} at {rate_hz} Hz");
            }
        }
    }

    #[test]
    fn the_model_rate_is_left_alone() {
        let samples: Vec<f32> = (0..999).map(|n| n as f32 / 999.0).collect();
        assert_eq!(resample(&samples, 16_000, 16_000).unwrap(), samples);
    }

    #[test]
    fn pieces_give_what_the_whole_gives() {
        let samples: Vec<f32> = (0..9_999).map(|n| (n as f32 * 0.3).sin()).collect();
        let whole = resample(&samples, 16_000, 44_100).unwrap();
        let mut pieces = StreamResampler::new(16_000, 44_100, 1).unwrap();
        let mut out = vec![];
        for piece in samples.chunks(321) {
            pieces.push(piece, &mut out).unwrap();
        }
        pieces.finish(&mut out).unwrap();
        assert_eq!(out, whole);
    }

    #[test]
    fn a_rate_of_nothing_is_refused() {
        assert!(resample(&[0.0], 0, 48_000).is_err());
    }
}
