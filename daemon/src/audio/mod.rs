//! Sound outside the model: rate conversion and the sound device. Knows no notes and no model.

pub mod device;
pub mod resample;
