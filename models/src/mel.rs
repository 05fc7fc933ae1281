//! The natural-log mel spectrogram of audio, as the models were trained on, and its scaling to [-1,
//! 1]. It knows no stream and no rate conversion: samples are 16 kHz mono, and frames are counted
//! from the first sample.
//!
//! The front end is the MelGAN codec of *Multi-instrument Music Synthesis with Spectrogram
//! Diffusion* (`music_spectrogram_diffusion/audio_codecs.py`). Frame k takes the samples [320k,
//! 320k + 640) with a periodic Hann window, padded at the end with zeros to 1024. Its magnitudes
//! become 128 HTK mel bands, which are clipped, and the result is their natural logarithm.

use std::f64::consts::PI;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use crate::units::{FRAME_SAMPLES, HOP_SAMPLES, MEL_BINS, SAMPLE_RATE_HZ};

/// The length of the transform. A frame is padded at its end to this length.
pub const FFT_SIZE: usize = 1024;
/// The bins of the transform, with DC and Nyquist.
pub const FFT_BINS: usize = FFT_SIZE / 2 + 1;
/// The smallest mel magnitude. Smaller ones are raised to it before the logarithm.
pub const MEL_FLOOR: f64 = 1e-5;
/// The largest mel magnitude. Larger ones are lowered to it before the logarithm.
pub const MEL_CEILING: f64 = 1e8;

/// One mel band: its weights for the bins from `first` on.
#[derive(Debug, Clone)]
struct Band {
    first: usize,
    weights: Vec<f64>,
}

/// The mel front end. It holds the transform and its buffers, so that a frame allocates nothing.
pub struct MelFrontEnd {
    fft: Arc<dyn RealToComplex<f64>>,
    window: Vec<f64>,
    bands: Vec<Band>,
    input: Vec<f64>,
    spectrum: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
    magnitude: Vec<f64>,
}

impl std::fmt::Debug for MelFrontEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MelFrontEnd").finish_non_exhaustive()
    }
}

impl Default for MelFrontEnd {
    fn default() -> Self {
        Self::new()
    }
}

impl MelFrontEnd {
    /// Plans the transform, and computes the window and the mel matrix.
    pub fn new() -> Self {
        let fft = RealFftPlanner::<f64>::new().plan_fft_forward(FFT_SIZE);
        let matrix = mel_matrix();
        let bands = (0..MEL_BINS)
            .map(|band| {
                let column = || (0..FFT_BINS).map(|bin| matrix[bin * MEL_BINS + band]);
                let first = column().position(|w| w > 0.0).unwrap_or(0);
                let last = (0..FFT_BINS).rfind(|bin| matrix[bin * MEL_BINS + band] > 0.0);
                let end = last.map_or(first, |last| last + 1);
                let weights = column().take(end).skip(first).map(f64::from).collect();
                Band { first, weights }
            })
            .collect();
        let window = (0..FRAME_SAMPLES)
            .map(|n| 0.5 - 0.5 * (2.0 * PI * n as f64 / FRAME_SAMPLES as f64).cos())
            .collect();
        Self {
            window,
            bands,
            input: fft.make_input_vec(),
            spectrum: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            magnitude: vec![0.0; FFT_BINS],
            fft,
        }
    }

    /// Writes the log mel of one frame to `out` `[128]`. `samples` begin with the first sample of
    /// the frame. If there are fewer than 640, the rest is silence; samples after that are not
    /// read.
    ///
    /// # Real time
    /// It allocates nothing and locks nothing. If `out` has the wrong length, the bands that fit
    /// are written.
    pub fn frame_into(&mut self, samples: &[f32], out: &mut [f32]) {
        self.input.fill(0.0);
        for ((x, sample), w) in self.input.iter_mut().zip(samples).zip(&self.window) {
            *x = f64::from(*sample) * w;
        }
        // All three lengths come from the plan, so the transform cannot fail.
        let _ =
            self.fft.process_with_scratch(&mut self.input, &mut self.spectrum, &mut self.scratch);
        for (m, c) in self.magnitude.iter_mut().zip(&self.spectrum) {
            *m = c.norm_sqr().sqrt();
        }
        for (y, band) in out.iter_mut().zip(&self.bands) {
            let sum: f64 =
                self.magnitude[band.first..].iter().zip(&band.weights).map(|(m, w)| m * w).sum();
            *y = sum.clamp(MEL_FLOOR, MEL_CEILING).ln() as f32;
        }
    }

    /// The log mel of `audio` `[n]`, as `[ceil(n / 320), 128]` in rows. Missing samples of the last
    /// frames are silence, as with `pad_end` of the original.
    pub fn log_mel(&mut self, audio: &[f32]) -> Vec<f32> {
        let mut mel = vec![0.0; frames_of(audio.len()) * MEL_BINS];
        for (k, row) in mel.chunks_exact_mut(MEL_BINS).enumerate() {
            self.frame_into(audio.get(k * HOP_SAMPLES..).unwrap_or(&[]), row);
        }
        mel
    }
}

/// The number of frames that [`MelFrontEnd::log_mel`] makes of `samples` samples: ceil(samples /
/// 320).
pub fn frames_of(samples: usize) -> usize {
    samples.div_ceil(HOP_SAMPLES)
}

/// The mel matrix [513, 128] in rows: triangles that are linear in HTK mel from 0 to 8000 Hz,
/// without area normalisation, and with 0 for the DC bin. It equals
/// `tf.signal.linear_to_mel_weight_matrix(128, 513, 16000, 0, 8000)` in float32.
pub fn mel_matrix() -> Vec<f32> {
    let nyquist_hz = SAMPLE_RATE_HZ as f32 / 2.0;
    let ratio = |hz: f32| 1.0 + hz / 700.0;
    let edges = linspace(0.0, 1127.0 * ratio(nyquist_hz).ln(), MEL_BINS + 2);
    let mut matrix = vec![0.0; FFT_BINS * MEL_BINS];
    let bins_hz = linspace(0.0, nyquist_hz, FFT_BINS);
    for (row, hz) in matrix.chunks_exact_mut(MEL_BINS).zip(bins_hz).skip(1) {
        let at = 1127.0 * eigen_ln(ratio(hz));
        for (weight, edge) in row.iter_mut().zip(edges.windows(3)) {
            let rising = (at - edge[0]) / (edge[1] - edge[0]);
            let falling = (edge[2] - at) / (edge[2] - edge[1]);
            *weight = rising.min(falling).max(0.0);
        }
    }
    matrix
}

/// The natural logarithm of x >= 1 as the original computes it in arrays: by Eigen's
/// `plog_impl_float`, a rational function that is not exact. The triangles are narrow, so with the
/// exact logarithm weights are off by up to 1e-5, which is five times the tolerance of the loudest
/// bands.
fn eigen_ln(x: f32) -> f32 {
    let bits = x.to_bits();
    let mut exponent = (bits >> 23) as f32 - 126.0;
    let mut x = f32::from_bits((bits & 0x007f_ffff) | 0x3f00_0000);
    if x < std::f32::consts::FRAC_1_SQRT_2 {
        exponent -= 1.0;
        x = (x - 1.0) + x;
    } else {
        x -= 1.0;
    }
    let p = x * (x * (x * 0.182_562_96 + 1.0) + 1.0);
    let q = x * (x * (x * 0.049_616_248 + 0.599_232_5) + 1.5) + 1.0;
    exponent * std::f32::consts::LN_2 + p / q
}

/// `n` values from `first` to `last`, both included, in float32 steps like `tf.linspace`.
fn linspace(first: f32, last: f32, n: usize) -> Vec<f32> {
    let delta = (last - first) / (n - 1) as f32;
    (0..n).map(|i| if i + 1 == n { last } else { first + delta * i as f32 }).collect()
}

/// The range of log-mel values that is scaled to [-1, 1] for the network.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureRange {
    /// The log mel that becomes -1.
    pub min: f64,
    /// The log mel that becomes 1.
    pub max: f64,
}

impl Default for FeatureRange {
    /// [ln 1e-5, 4.0], the range of every published model.
    fn default() -> Self {
        Self { min: MEL_FLOOR.ln(), max: 4.0 }
    }
}

impl FeatureRange {
    /// Scales log mel to network scale. A value outside the range becomes one outside [-1, 1].
    pub fn scale(&self, log_mel: f32) -> f32 {
        ((f64::from(log_mel) - self.min) / (self.max - self.min) * 2.0 - 1.0) as f32
    }

    /// Scales log mel to network scale, clipped to [-1, 1].
    pub fn scale_clipped(&self, log_mel: f32) -> f32 {
        self.scale(log_mel).clamp(-1.0, 1.0)
    }

    /// Scales network scale to log mel. A value outside [-1, 1] becomes one outside the range.
    pub fn unscale(&self, scaled: f32) -> f32 {
        ((f64::from(scaled) + 1.0) / 2.0 * (self.max - self.min) + self.min) as f32
    }

    /// Scales network scale to log mel, with `scaled` clipped to [-1, 1].
    pub fn unscale_clipped(&self, scaled: f32) -> f32 {
        self.unscale(scaled.clamp(-1.0, 1.0))
    }

    /// Applies [`Self::scale`], or [`Self::scale_clipped`] if `clip` is set, to a slice in place.
    pub fn scale_slice(&self, values: &mut [f32], clip: bool) {
        for v in values {
            *v = if clip { self.scale_clipped(*v) } else { self.scale(*v) };
        }
    }

    /// Applies [`Self::unscale`], or [`Self::unscale_clipped`] if `clip` is set, to a slice in
    /// place.
    pub fn unscale_slice(&self, values: &mut [f32], clip: bool) {
        for v in values {
            *v = if clip { self.unscale_clipped(*v) } else { self.unscale(*v) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_the_floor() {
        let mel = MelFrontEnd::new().log_mel(&[0.0; 700]);
        assert_eq!(mel.len(), 3 * MEL_BINS);
        assert!(mel.iter().all(|v| (f64::from(*v) - MEL_FLOOR.ln()).abs() < 1e-6));
    }

    #[test]
    fn no_samples_no_frames() {
        assert!(MelFrontEnd::new().log_mel(&[]).is_empty());
    }

    #[test]
    fn a_frame_alone_is_the_frame_of_the_batch() {
        let audio: Vec<f32> = (0..2000).map(|n| (n as f32 * 0.37).sin()).collect();
        let mut front = MelFrontEnd::new();
        let batch = front.log_mel(&audio);
        let mut one = [0.0; MEL_BINS];
        for (k, row) in batch.chunks_exact(MEL_BINS).enumerate() {
            front.frame_into(&audio[k * HOP_SAMPLES..], &mut one);
            assert_eq!(row, one);
        }
    }

    #[test]
    fn scaling_comes_back() {
        let range = FeatureRange::default();
        for v in [-11.0f32, -3.0, 0.0, 3.9] {
            assert!((range.unscale(range.scale(v)) - v).abs() < 1e-5);
        }
        assert_eq!(range.scale_clipped(9.0), 1.0);
        assert_eq!(range.unscale_clipped(3.0), 4.0);
    }
}
