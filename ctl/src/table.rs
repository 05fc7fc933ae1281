//! The table: every row is one thing that can be set or asked for. Flags, OSC addresses, config keys and help are made
//! from it; nothing is listed twice. Knows no transport.

use crate::parameters::{Access, Key, Kind, Parameter};

/// Denoising steps K.
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
    help: "Denoising steps for each hop, 1 to 1000: more cost time, and are not always better [default: the model's]",
};

/// Guidance weight.
pub const GUIDANCE: Parameter = Parameter {
    key: Key::Guidance,
    address: "/engine/guidance",
    name: "guidance",
    kind: Kind::Number,
    max: 20.0,
    min: 0.0,
    help: "Guidance weight, 0 to 20: above 1 the notes count more, at twice the cost of a step [default: the model's]",
    ..STEPS
};

/// How a denoising step is taken; the names are those of the model crate.
pub const SAMPLER: Parameter = Parameter {
    key: Key::Sampler,
    address: "/engine/sampler",
    name: "sampler",
    kind: Kind::Text,
    min: 0.0,
    max: 0.0,
    choices: &["ddim", "dpm++2m", "ddpm", "ddpm:small"],
    help: "How a step is taken: ddim, dpm++2m (of second order), or, with new noise at each step, ddpm and ddpm:small [default: the model's]",
    ..STEPS
};

/// Hop length.
pub const HOP_MS: Parameter = Parameter {
    key: Key::HopMs,
    address: "/engine/hop_ms",
    name: "hop_ms",
    kind: Kind::Number,
    unit: "ms",
    min: 20.0,
    max: 5120.0,
    help: "Sound made at a time in ms, rounded to frames of 20 ms; short hops answer sooner [default: the model's]",
    ..STEPS
};

/// Noise seed.
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

/// Every parameter, in the order of the reference page.
pub const PARAMETERS: [Parameter; 26] = [
    Parameter {
        access: Access::Midi,
        ..whole(
            Key::Program,
            ["/ch/{n}/program", "program", "0"],
            (0.0, 127.0),
            "General MIDI program, 0 to 127, as a program change on the channel sets it",
        )
    },
    Parameter {
        access: Access::Midi,
        ..text(
            Key::Instrument,
            ["/ch/{n}/instrument", "instrument", "Acoustic Grand Piano"],
            "The same by its General MIDI name; the beginning of a name is enough if no other begins so",
        )
    },
    Parameter {
        access: Access::Midi,
        ..whole(
            Key::Volume,
            ["/ch/{n}/volume", "volume", "100"],
            (0.0, 127.0),
            "Channel volume, 0 to 127, as controller 7 on the channel sets it; 0 is silence",
        )
    },
    Parameter {
        access: Access::Midi,
        ..whole(
            Key::Expression,
            ["/ch/{n}/expression", "expression", "127"],
            (0.0, 127.0),
            "Expression, 0 to 127, as controller 11 on the channel sets it; 0 is silence",
        )
    },
    number(
        Key::Gain,
        ["/ch/{n}/gain", "gain", "0"],
        "dB",
        (-60.0, 12.0),
        "Loudness of the channel in dB",
    ),
    whole(
        Key::Transpose,
        ["/ch/{n}/transpose", "transpose", "0"],
        (-48.0, 48.0),
        "Semitones added to every key of the channel; drums are not moved",
    ),
    switch(Key::Mute, ["/ch/{n}/mute", "mute", "false"], "Whether the channel is silent"),
    switch(
        Key::Solo,
        ["/ch/{n}/solo", "solo", "false"],
        "Whether only this channel and others with solo are heard",
    ),
    switch(
        Key::Enable,
        ["/ch/{n}/enable", "enable", "true"],
        "Whether the channel is listened to; MIDI on a channel that is off is ignored",
    ),
    number(
        Key::VelocityCurve,
        ["/ch/{n}/velocity_curve", "velocity_curve", "1"],
        "",
        (0.25, 4.0),
        "Exponent of the velocity: below 1 soft touches are louder, above 1 softer",
    ),
    number(
        Key::MasterGain,
        ["/master/gain", "gain", "0"],
        "dB",
        (-60.0, 12.0),
        "Loudness of everything in dB",
    ),
    switch(Key::MasterMute, ["/master/mute", "mute", "false"], "Whether everything is silent"),
    Parameter {
        access: Access::Command,
        ..text(
            Key::Model,
            ["/engine/model", "model", ""],
            "The model that plays: the name of an installed one, or a folder; another is loaded while this one plays on",
        )
    },
    Parameter { min: 0.0, ..STEPS },
    GUIDANCE,
    SAMPLER,
    HOP_MS,
    SEED,
    switch(
        Key::Governor,
        ["/engine/governor", "governor", "true"],
        "Whether steps are left out where the processor would be late",
    ),
    read(
        Key::LatencyMs,
        Kind::Number,
        ["/engine/latency_ms", "latency_ms", ""],
        "ms",
        (0.0, 60_000.0),
        "Constant delay from a key press to its sound, the device's buffer included",
    ),
    read(
        Key::Load,
        Kind::Number,
        ["/engine/load", "load", ""],
        "",
        (0.0, 1000.0),
        "Compute time of a hop by its length; from 1 on the sound has gaps",
    ),
    read(
        Key::Misses,
        Kind::Whole,
        ["/engine/misses", "misses", ""],
        "",
        (0.0, 9e18),
        "Hops that were ready later than wanted, since the start",
    ),
    read(
        Key::Underruns,
        Kind::Whole,
        ["/engine/underruns", "underruns", ""],
        "",
        (0.0, 9e18),
        "Gaps in the sound because the engine was late, since the start",
    ),
    read(
        Key::StepsNow,
        Kind::Whole,
        ["/engine/steps_now", "steps_now", ""],
        "",
        (0.0, 1000.0),
        "Denoising steps of the last hop; fewer than asked for while the governor saves time",
    ),
    read(
        Key::MeterMaster,
        Kind::Pair,
        ["/meter/master", "master", ""],
        "dBFS",
        (-120.0, 60.0),
        "Peak and rms of the last tenth of a second in dBFS; -120 is silence",
    ),
    read(
        Key::Record,
        Kind::Text,
        ["/record", "record", ""],
        "",
        (0.0, 0.0),
        "What is recorded: off, on and the file, or failed and why; /record/start [PATH] and /record/stop",
    ),
];

/// Address, name and default.
type Words = [&'static str; 3];

const fn row(key: Key, [address, name, default]: Words, help: &'static str) -> Parameter {
    Parameter { key, address, name, default, help, ..SEED }
}

const fn number(
    key: Key,
    words: Words,
    unit: &'static str,
    (min, max): (f64, f64),
    help: &'static str,
) -> Parameter {
    Parameter { kind: Kind::Number, unit, min, max, ..row(key, words, help) }
}

const fn whole(key: Key, words: Words, (min, max): (f64, f64), help: &'static str) -> Parameter {
    Parameter { kind: Kind::Whole, min, max, ..row(key, words, help) }
}

const fn switch(key: Key, words: Words, help: &'static str) -> Parameter {
    Parameter { kind: Kind::Bool, min: 0.0, max: 1.0, ..row(key, words, help) }
}

const fn text(key: Key, words: Words, help: &'static str) -> Parameter {
    Parameter { kind: Kind::Text, min: 0.0, max: 0.0, ..row(key, words, help) }
}

const fn read(
    key: Key,
    kind: Kind,
    words: Words,
    unit: &'static str,
    (min, max): (f64, f64),
    help: &'static str,
) -> Parameter {
    Parameter { kind, access: Access::Read, unit, min, max, ..row(key, words, help) }
}
