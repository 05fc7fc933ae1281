//! Filters of minimum phase from the gains of bands. They have no look-ahead. It knows no stream.

use crate::units::{MEL_BINS, SAMPLE_RATE_HZ};
use realfft::num_complex::Complex;
use realfft::{FftNum, RealFftPlanner};

/// The FFT length of the block filters. Impulse responses of up to `FFT - BLOCK` samples are kept
/// whole.
pub const FFT: usize = 1024;
/// The bins of the block filters.
pub const BINS: usize = FFT / 2 + 1;
/// The number of bands between 8 and 16 kHz, which are even in mel.
pub const UPPER_BANDS: usize = 16;

const NYQUIST_HZ: f64 = SAMPLE_RATE_HZ as f64 / 2.0;

/// The places of the bands in a signal at 16 kHz. Bands are even in HTK mel, and the log magnitude
/// of a bin is interpolated between those of the two bands beside it.
#[derive(Debug)]
pub struct BandFilters {
    /// For each bin: the band below it, and its place between that band and the next, 0..=1.
    places: Vec<(usize, f32)>,
}

impl BandFilters {
    /// For the 128 bands of the mel.
    pub fn lower() -> Self {
        Self::new(MEL_BINS, [0.0, NYQUIST_HZ], |hz| hz)
    }

    /// For the bands from 8 to 16 kHz, in a signal whose spectrum is mirrored.
    pub fn upper() -> Self {
        Self::new(UPPER_BANDS, [NYQUIST_HZ, 2.0 * NYQUIST_HZ], |hz| 2.0 * NYQUIST_HZ - hz)
    }

    /// For bands between two frequencies; `hz_of` gives the frequency that a bin stands for.
    fn new(bands: usize, hz: [f64; 2], hz_of: impl Fn(f64) -> f64) -> Self {
        let to_mel = |hz: f64| 1127.0 * (hz / 700.0).ln_1p();
        let [low, high] = hz.map(to_mel);
        let spacing = (high - low) / (bands + 1) as f64;
        let place = |bin: usize| {
            let hz = hz_of(bin as f64 * 2.0 * NYQUIST_HZ / FFT as f64);
            let place = (to_mel(hz) - low) / spacing - 1.0;
            let place = place.clamp(0.0, (bands - 1) as f64);
            let band = (place as usize).min(bands - 2);
            (band, (place - band as f64) as f32)
        };
        Self { places: (0..BINS).map(place).collect() }
    }

    /// The log magnitudes of the bins, for gains of the bands in nats.
    pub fn log_magnitudes(&self, gains: &[f32]) -> impl Iterator<Item = f32> {
        self.places.iter().map(|(band, share)| match gains.get(*band..band + 2) {
            Some([below, above]) => below + share * (above - below),
            _ => 0.0,
        })
    }
}

/// Computes spectra of minimum phase from log magnitudes: the phase is the Hilbert transform of the
/// log magnitude, computed with the folded cepstrum (Oppenheim & Schafer, Discrete-Time Signal
/// Processing, ch. 13).
pub struct MinimumPhase<T> {
    forward: std::sync::Arc<dyn realfft::RealToComplex<T>>,
    inverse: std::sync::Arc<dyn realfft::ComplexToReal<T>>,
    spectrum: Vec<Complex<T>>,
    cepstrum: Vec<T>,
    scratch: Vec<Complex<T>>,
}

impl<T: FftNum> MinimumPhase<T> {
    /// For spectra of `fft / 2 + 1` bins.
    pub fn new(fft: usize) -> Self {
        let mut planner = RealFftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(fft), planner.plan_fft_inverse(fft));
        let (spectrum, cepstrum) = (forward.make_output_vec(), inverse.make_output_vec());
        let scratch = forward.get_scratch_len().max(inverse.get_scratch_len());
        let scratch = vec![Complex::new(T::zero(), T::zero()); scratch];
        Self { forward, inverse, spectrum, cepstrum, scratch }
    }

    /// Takes natural-log magnitudes of the bins, and returns them with the phases in radians as
    /// imaginary parts.
    ///
    /// # Real time
    /// It allocates nothing.
    pub fn of(&mut self, log_magnitude: impl Iterator<Item = T>) -> &[Complex<T>] {
        let spectrum = self.spectrum.iter_mut().zip(log_magnitude);
        spectrum.for_each(|(value, log)| *value = Complex::new(log, T::zero()));
        // The buffers come from the plans, so their lengths fit and the transforms cannot fail.
        let scratch = self.scratch.as_mut_slice();
        let _ = self.inverse.process_with_scratch(&mut self.spectrum, &mut self.cepstrum, scratch);
        let fft = self.cepstrum.len();
        let once = T::one() / T::from_usize(fft).unwrap_or_else(T::one);
        let twice = once + once;
        if let [first, rest @ ..] = self.cepstrum.as_mut_slice() {
            *first = *first * once;
            let (causal, others) = rest.split_at_mut(fft / 2 - 1);
            causal.iter_mut().for_each(|value| *value = *value * twice);
            if let [middle, mirrored @ ..] = others {
                *middle = *middle * once;
                mirrored.fill(T::zero());
            }
        }
        let _ = self.forward.process_with_scratch(&mut self.cepstrum, &mut self.spectrum, scratch);
        &self.spectrum
    }
}
