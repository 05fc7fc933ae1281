//! Converts samples from the rate of the model to that of the device, tick by tick and with little
//! delay. It knows no device.
//!
//! Rendering has more time and uses a steeper filter: `crate::audio::resample`.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{
    Async, FixedAsync, Indexing, Resampler, SincInterpolationParameters, SincInterpolationType,
    WindowFunction,
};

use crate::audio::resample::ResampleError;
use crate::mix::{Frame, SIDES};

/// Length of the filter in samples of the model. Half of it is the delay: 0.7 ms at 48 kHz, 2 ms at
/// 16 kHz.
const SINC_SAMPLES: usize = 64;
const OVERSAMPLING: usize = 256;
/// Ticks of 2.5 ms.
const TICKS_A_SECOND: u32 = 400;

/// A running conversion; the input comes in whole ticks.
pub struct HopResampler {
    /// None if both rates are the same.
    converter: Option<Async<f32>>,
    block: Vec<Frame>,
    /// Samples of a tick before the conversion.
    tick: usize,
    from_hz: u32,
    to_hz: u32,
}

impl std::fmt::Debug for HopResampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HopResampler")
            .field("from_hz", &self.from_hz)
            .field("to_hz", &self.to_hz)
            .finish_non_exhaustive()
    }
}

impl HopResampler {
    /// A conversion at its start; `from_hz` is a multiple of 400.
    ///
    /// # Errors
    /// A rate of 0, or one that the converter refuses.
    pub fn new(from_hz: u32, to_hz: u32) -> Result<Self, ResampleError> {
        let tick = (from_hz / TICKS_A_SECOND) as usize;
        if to_hz == from_hz {
            return Ok(Self { converter: None, block: vec![], tick, from_hz, to_hz });
        }
        let window = WindowFunction::BlackmanHarris2;
        let parameters = SincInterpolationParameters {
            sinc_len: SINC_SAMPLES,
            f_cutoff: None,
            interpolation: SincInterpolationType::Cubic,
            oversampling_factor: OVERSAMPLING,
            window,
        };
        let ratio = f64::from(to_hz) / f64::from(from_hz.max(1));
        let converter = Async::new_sinc(ratio, 1.0, &parameters, tick, SIDES, FixedAsync::Input)
            .map_err(|e| ResampleError::new(from_hz, to_hz, e))?;
        let block = vec![[0.0; SIDES]; converter.output_frames_max()];
        Ok(Self { converter: Some(converter), block, tick, from_hz, to_hz })
    }

    /// Samples a second of the input.
    pub fn from_hz(&self) -> u32 {
        self.from_hz
    }

    /// Seconds by which the output is late.
    pub fn delay_s(&self) -> f64 {
        let delay = self.converter.as_ref().map_or(0, Resampler::output_delay);
        delay as f64 / f64::from(self.to_hz.max(1))
    }

    /// Converts `samples`, a whole number of ticks, and passes the result to `out` piece by piece.
    ///
    /// # Errors
    /// There are none if `samples` is a whole number of ticks.
    ///
    /// # Real time
    /// It allocates nothing.
    pub fn push(
        &mut self,
        samples: &[Frame],
        mut out: impl FnMut(&[Frame]),
    ) -> Result<(), ResampleError> {
        let Some(converter) = &mut self.converter else {
            out(samples);
            return Ok(());
        };
        let (from_hz, to_hz) = (self.from_hz, self.to_hz);
        let failed = |e: &dyn std::fmt::Display| ResampleError::new(from_hz, to_hz, e);
        let room = self.block.len();
        for tick in samples.chunks_exact(self.tick) {
            let input = InterleavedSlice::new(tick.as_flattened(), SIDES, self.tick)
                .map_err(|e| failed(&e))?;
            let mut output = InterleavedSlice::new_mut(self.block.as_flattened_mut(), SIDES, room)
                .map_err(|e| failed(&e))?;
            let (_, made) = converter
                .process_into_buffer(&input, &mut output, None::<&Indexing>)
                .map_err(|e| failed(&e))?;
            out(self.block.get(..made).unwrap_or_default());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_impulse_comes_when_the_delay_says() {
        let rates =
            [16_000u32, 48_000].map(|from| [16_000, 44_100, 48_000, 96_000].map(|to| (from, to)));
        for (from_hz, to_hz) in rates.into_iter().flatten() {
            let mut samples = vec![[0.0; 2]; 2 * from_hz as usize];
            samples[from_hz as usize] = [1.0; 2];
            let mut converter = HopResampler::new(from_hz, to_hz).unwrap();
            let mut out: Vec<Frame> = vec![];
            converter.push(&samples, |s| out.extend_from_slice(s)).unwrap();
            let at = (0..out.len())
                .max_by(|a, b| out[*a][1].abs().total_cmp(&out[*b][1].abs()))
                .unwrap();
            let wanted_s = 1.0 + converter.delay_s();
            let found_s = at as f64 / f64::from(to_hz);
            assert!((found_s - wanted_s).abs() < 2e-4, "{to_hz} Hz: {found_s} and {wanted_s} s");
            assert!(converter.delay_s() < 0.004, "{}", converter.delay_s());
            let seconds = out.len() as f64 / f64::from(to_hz);
            assert!((seconds - 2.0).abs() < 0.005, "{to_hz} Hz: {seconds} s");
        }
    }
}
