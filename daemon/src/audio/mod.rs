//! Sound outside the model: rate conversion and sample formats of files. Knows no notes, no model and no device.

pub mod resample;

/// A sample as a whole number of `bits` bits; beyond full scale it is held there.
pub(crate) fn quantized(sample: f32, bits: u16) -> i32 {
    let full = f64::from(1u32 << (bits - 1));
    (f64::from(sample) * full).round().clamp(-full, full - 1.0) as i32
}
