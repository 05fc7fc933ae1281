//! Sound outside of the model: rate conversion, and the sample formats of files. It knows no notes,
//! no model and no device.

pub mod resample;

/// Converts a sample to an integer of `bits` bits. Samples above full scale are clamped.
pub(crate) fn quantized(sample: f32, bits: u16) -> i32 {
    let full = f64::from(1u32 << (bits - 1));
    (f64::from(sample) * full).round().clamp(-full, full - 1.0) as i32
}
