//! The rows of the denoiser, which are also flags and keys of the configuration. It knows no other
//! row.

use crate::parameters::{Access, Key, Kind, Parameter};

/// The number of denoising steps K.
pub const STEPS: Parameter = Parameter {
    key: Key::Steps,
    address: "/engine/steps",
    name: "steps",
    kind: Kind::Whole,
    unit: "",
    min: 1.0,
    max: 1000.0,
    choices: &[],
    default: "the model's",
    optional: true,
    access: Access::Live,
    help: "Denoising steps for each hop, 1 to 1000: more cost time, and are not always better \
        [default: the model's]",
};

/// The guidance weight.
pub const GUIDANCE: Parameter = Parameter {
    key: Key::Guidance,
    address: "/engine/guidance",
    name: "guidance",
    kind: Kind::Number,
    max: 20.0,
    min: 0.0,
    help: "Guidance weight, 0 to 20: above 1 the notes count more, at twice the cost of a step \
        [default: the model's]",
    ..STEPS
};

/// The method of a denoising step, by the names of the model crate.
pub const SAMPLER: Parameter = Parameter {
    key: Key::Sampler,
    address: "/engine/sampler",
    name: "sampler",
    kind: Kind::Text,
    min: 0.0,
    max: 0.0,
    choices: &["ddim", "dpm++2m", "ddpm", "ddpm:small"],
    help: "How a step is taken: ddim, dpm++2m (of second order), or, with new noise at each step, \
        ddpm and ddpm:small [default: the model's]",
    ..STEPS
};

/// The hop length.
pub const HOP_MS: Parameter = Parameter {
    key: Key::HopMs,
    address: "/engine/hop_ms",
    name: "hop_ms",
    kind: Kind::Number,
    unit: "ms",
    min: 20.0,
    max: 5120.0,
    help: "Sound made at a time in ms, rounded to frames of 20 ms: what the denoiser makes at \
        once, or all sound of models made hop by hop [default: the model's]",
    ..STEPS
};

/// The seed of the noise.
pub const SEED: Parameter = Parameter {
    key: Key::Seed,
    address: "/engine/seed",
    name: "seed",
    kind: Kind::Whole,
    unit: "",
    min: 0.0,
    max: 9_223_372_036_854_775_807.0,
    choices: &[],
    default: "0",
    optional: false,
    access: Access::Live,
    help: "Seed of all noise: the same input and seed give the same samples on the same machine",
};
