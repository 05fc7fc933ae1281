//! Gains of bands -> filters of minimum phase, which look ahead nothing. Knows no stream.

use crate::units::{MEL_BINS, SAMPLE_RATE_HZ};
use realfft::RealFftPlanner;
use realfft::num_complex::Complex;

/// FFT length of the block filters; impulse responses up to `FFT - BLOCK` samples come out whole.
pub const FFT: usize = 1024;
/// Bins of the block filters.
pub const BINS: usize = FFT / 2 + 1;
/// Bands between 8 and 16 kHz, even in mel.
pub const UPPER_BANDS: usize = 16;

const NYQUIST_HZ: f64 = SAMPLE_RATE_HZ as f64 / 2.0;

/// Filters of a signal at 16 kHz by the gains of its bands, which lie evenly in HTK mel.
#[derive(Debug)]
pub struct BandFilters {
    /// [bands, 2, BINS]: of a band's log gain 1, log magnitude and minimum phase of the bins. Both are linear in the gains.
    rows: Vec<f32>,
}

impl BandFilters {
    /// Of the mel's 128 bands.
    pub fn lower() -> Self {
        Self::new(MEL_BINS, [0.0, NYQUIST_HZ], |hz| hz)
    }

    /// Of the bands from 8 to 16 kHz, in a signal that has them upside down.
    pub fn upper() -> Self {
        Self::new(UPPER_BANDS, [NYQUIST_HZ, 2.0 * NYQUIST_HZ], |hz| 2.0 * NYQUIST_HZ - hz)
    }

    /// Bands between two frequencies are interpolated to bins, of which `hz_of` says what they stand for, linearly in mel; the phase is the
    /// Hilbert transform of the log magnitude, through the folded cepstrum (minimum phase; Oppenheim & Schafer, Discrete-Time Signal Processing,
    /// ch. 13).
    fn new(bands: usize, hz: [f64; 2], hz_of: impl Fn(f64) -> f64) -> Self {
        let to_mel = |hz: f64| 1127.0 * (hz / 700.0).ln_1p();
        let [low, high] = hz.map(to_mel);
        let spacing = (high - low) / (bands + 1) as f64;
        let mut minimum_phase = MinimumPhase::new(FFT);
        let mut rows = Vec::with_capacity(bands * 2 * BINS);
        for band in 0..bands {
            let log_magnitude = (0..BINS).map(|bin| {
                let hz = hz_of(bin as f64 * 2.0 * NYQUIST_HZ / FFT as f64);
                let place = (to_mel(hz) - low) / spacing - 1.0;
                (1.0 - (place.clamp(0.0, (bands - 1) as f64) - band as f64).abs()).max(0.0)
            });
            let spectrum = minimum_phase.of(log_magnitude);
            rows.extend(spectrum.iter().map(|v| v.re as f32));
            rows.extend(spectrum.iter().map(|v| v.im as f32));
        }
        Self { rows }
    }

    /// Gains of the bands in nats -> log magnitudes and phases of the bins, `logs` [2, BINS].
    pub fn sum(&self, gains: &[f32], logs: &mut [f32]) {
        logs.fill(0.0);
        for (gain, row) in gains.iter().zip(self.rows.chunks_exact(2 * BINS)) {
            logs.iter_mut().zip(row).for_each(|(l, r)| *l += gain * r);
        }
    }
}

/// Log magnitudes -> log magnitudes with the phases of minimum phase.
pub struct MinimumPhase {
    forward: std::sync::Arc<dyn realfft::RealToComplex<f64>>,
    inverse: std::sync::Arc<dyn realfft::ComplexToReal<f64>>,
    spectrum: Vec<Complex<f64>>,
    cepstrum: Vec<f64>,
}

impl MinimumPhase {
    /// For spectra of `fft / 2 + 1` bins.
    pub fn new(fft: usize) -> Self {
        let mut planner = RealFftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(fft), planner.plan_fft_inverse(fft));
        let (spectrum, cepstrum) = (forward.make_output_vec(), inverse.make_output_vec());
        Self { forward, inverse, spectrum, cepstrum }
    }

    /// Natural-log magnitudes of the bins -> the same and, as the imaginary part, radians.
    pub fn of(&mut self, log_magnitude: impl Iterator<Item = f64>) -> &[Complex<f64>] {
        let spectrum = self.spectrum.iter_mut().zip(log_magnitude);
        spectrum.for_each(|(value, log)| *value = Complex::new(log, 0.0));
        // The buffers come from the plans, so their lengths fit and the transforms cannot fail.
        let _ = self.inverse.process(&mut self.spectrum, &mut self.cepstrum);
        let fft = self.cepstrum.len();
        for (n, value) in self.cepstrum.iter_mut().enumerate() {
            let fold = match n {
                0 => 1.0,
                n if n < fft / 2 => 2.0,
                n if n == fft / 2 => 1.0,
                _ => 0.0,
            };
            *value *= fold / fft as f64;
        }
        let _ = self.forward.process(&mut self.cepstrum, &mut self.spectrum);
        &self.spectrum
    }
}
