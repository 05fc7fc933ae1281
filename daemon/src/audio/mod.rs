//! Sound outside the model: rate conversion of files. Knows no notes, no model and no device.

pub mod resample;
