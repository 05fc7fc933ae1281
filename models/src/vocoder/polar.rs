//! The exponentials of many complex numbers. It knows no filter.
//!
//! The standard library computes one exponential, sine and cosine after the other. The compiler can
//! vectorise these polynomials. Their relative error is below 1e-6 (tested).

use pulp::{Simd, WithSimd};
use realfft::num_complex::Complex;
use std::f32::consts::{LOG2_E, TAU};

/// Adding and subtracting this rounds a number below 2^22 to the nearest whole number.
const ROUND: f32 = 12_582_912.0;
/// The range of exponents whose exponential is a normal number of single precision, nats.
const RANGE: (f32, f32) = (-87.0, 88.0);

/// The exponential of a number.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let octaves = x.clamp(RANGE.0, RANGE.1) * LOG2_E;
    let rounded = octaves + ROUND;
    let whole = rounded - ROUND;
    let part = (octaves - whole) * std::f32::consts::LN_2;
    // The series of the exponential, for arguments of up to about a third.
    let series = [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    let power = series.iter().fold(0.0, |sum, c| sum * part + c);
    // The lowest bits of a number of this size are the whole number: the exponent of its power.
    power * f32::from_bits((rounded.to_bits() << 23).wrapping_add(127 << 23))
}

/// The sine and cosine of an angle in radians, of up to some thousand cycles.
#[inline(always)]
fn sin_cos(x: f32) -> (f32, f32) {
    let turns = x / TAU;
    let turns = turns - ((turns + ROUND) - ROUND);
    // A quarter of the angle, for which short series are enough. Then the angle is doubled twice.
    let quarter = turns * (TAU / 4.0);
    let square = quarter * quarter;
    let series = [1.0 / 362_880.0, -1.0 / 5040.0, 1.0 / 120.0, -1.0 / 6.0, 1.0];
    let sin = quarter * series.iter().fold(0.0, |sum, c| sum * square + c);
    let series = [1.0 / 40_320.0, -1.0 / 720.0, 1.0 / 24.0, -0.5, 1.0];
    let cos = series.iter().fold(0.0, |sum, c| sum * square + c);
    let (sin, cos) = (2.0 * sin * cos, 1.0 - 2.0 * sin * sin);
    (2.0 * sin * cos, 1.0 - 2.0 * sin * sin)
}

/// Adding and subtracting this, 1.5 times 2^52, rounds a number below 2^51 to the nearest whole
/// number.
pub const ROUND_64: f64 = 6_755_399_441_055_744.0;

/// The cosine and the sine of a phase in cycles, with an error below 1e-7.
#[inline(always)]
pub fn cis(turns: f64) -> [f64; 2] {
    let turns = turns - ((turns + ROUND_64) - ROUND_64);
    let quarter = turns * (std::f64::consts::TAU / 4.0);
    let square = quarter * quarter;
    let series =
        [-1.0 / 39_916_800.0, 1.0 / 362_880.0, -1.0 / 5040.0, 1.0 / 120.0, -1.0 / 6.0, 1.0];
    let sin = quarter * series.iter().fold(0.0, |sum, c| sum * square + c);
    let series = [-1.0 / 3_628_800.0, 1.0 / 40_320.0, -1.0 / 720.0, 1.0 / 24.0, -0.5, 1.0];
    let cos = series.iter().fold(0.0, |sum, c| sum * square + c);
    let (sin, cos) = (2.0 * sin * cos, 1.0 - 2.0 * sin * sin);
    [1.0 - 2.0 * sin * sin, 2.0 * sin * cos]
}

/// Computes the complex numbers with natural-log magnitudes and angles in radians.
pub struct FromLogs<'a> {
    /// The logarithms and the angles.
    pub logs: &'a [Complex<f32>],
    /// The results.
    pub out: &'a mut [Complex<f32>],
}

impl WithSimd for FromLogs<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (out, log) in self.out.iter_mut().zip(self.logs) {
            *out = from_log(log);
        }
    }
}

/// The complex number with a natural-log magnitude and an angle in radians.
#[inline(always)]
fn from_log(log: &Complex<f32>) -> Complex<f32> {
    let magnitude = exp(log.re);
    let (sin, cos) = sin_cos(log.im);
    Complex::new(magnitude * cos, magnitude * sin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_the_standard_library_says() {
        for n in -4000..4000 {
            let x = n as f32 / 50.0;
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-5, "{x}: {} {}", exp(x), x.exp());
            let log = Complex::new(x / 10.0, x);
            let (ours, theirs) = (from_log(&log), Complex::from_polar(log.re.exp(), log.im));
            let apart = (ours - theirs).norm() / theirs.norm();
            assert!(apart < 1e-5, "{log}: {ours} {theirs}");
        }
        assert!(exp(f32::NEG_INFINITY) < 1e-37 && exp(-1e9) >= 0.0);
    }

    #[test]
    fn phases_are_counted_in_cycles() {
        for n in -4000..4000 {
            let turns = f64::from(n) / 370.0 + 1e4 * f64::from(n % 7);
            let (sin, cos) = (turns.rem_euclid(1.0) * std::f64::consts::TAU).sin_cos();
            let ours = cis(turns);
            assert!((ours[0] - cos).abs() < 1e-7 && (ours[1] - sin).abs() < 1e-7, "{turns}");
        }
    }
}
