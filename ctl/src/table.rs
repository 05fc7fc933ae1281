//! The table, in which every row is something that can be set or read. Flags, OSC addresses, keys
//! of the configuration and help are made from it, so that nothing is listed twice. It knows no
//! transport.

mod engine;
mod rows;

use crate::parameters::{Access, Key, Kind, Parameter};
pub use engine::{GUIDANCE, HOP_MS, SAMPLER, SEED, STEPS};
use rows::{controller, number, pedal, read, switch, text, whole};

/// Every parameter, in the order of the reference page.
pub const PARAMETERS: [Parameter; 57] = [
    Parameter {
        access: Access::Midi,
        ..whole(
            Key::Program,
            ["/ch/{n}/program", "program", "0"],
            (0.0, 127.0),
            "General MIDI program, 0 to 127, as a program change on the channel sets it; on \
             channel 10 the drum kit",
        )
    },
    Parameter {
        access: Access::Midi,
        ..text(
            Key::Instrument,
            ["/ch/{n}/instrument", "instrument", "Acoustic Grand Piano"],
            "The same by its General MIDI name; the beginning of a name is enough if no other \
             begins so",
        )
    },
    controller(
        7,
        ["/ch/{n}/volume", "volume", "100"],
        "Channel volume, 0 to 127, as controller 7 on the channel sets it; 0 is silence",
    ),
    controller(
        11,
        ["/ch/{n}/expression", "expression", "127"],
        "Expression, 0 to 127, as controller 11 on the channel sets it; 0 is silence",
    ),
    controller(
        10,
        ["/ch/{n}/pan", "pan", "64"],
        "Place between left, 0, and right, 127, as controller 10 sets it; 64 is the middle",
    ),
    controller(
        91,
        ["/ch/{n}/reverb", "reverb", "40"],
        "How much of the channel the reverb hears, 0 to 127, as controller 91 sets it",
    ),
    controller(
        93,
        ["/ch/{n}/chorus", "chorus", "0"],
        "How much of the channel the chorus hears, 0 to 127, as controller 93 sets it",
    ),
    controller(
        1,
        ["/ch/{n}/modulation", "modulation", "0"],
        "Modulation wheel, 0 to 127, as controller 1 sets it: depth of the vibrato",
    ),
    controller(
        76,
        ["/ch/{n}/vibrato_rate", "vibrato_rate", "64"],
        "Rate of the vibrato, as controller 76 sets it: half of it at 0, twice at 127",
    ),
    controller(
        77,
        ["/ch/{n}/vibrato_depth", "vibrato_depth", "64"],
        "Vibrato without the wheel, as controller 77 sets it; none up to 64",
    ),
    controller(
        78,
        ["/ch/{n}/vibrato_delay", "vibrato_delay", "64"],
        "Time until a vibrato begins, as controller 78 sets it: none up to 64, 2 s at 127",
    ),
    controller(
        74,
        ["/ch/{n}/brightness", "brightness", "64"],
        "How bright the channel sounds, as controller 74 sets it; 64 is the instrument's own",
    ),
    controller(
        71,
        ["/ch/{n}/resonance", "resonance", "64"],
        "A resonance above each note, as controller 71 sets it; 64 is none",
    ),
    controller(
        73,
        ["/ch/{n}/attack", "attack", "64"],
        "Time of the attack, as controller 73 sets it: an eighth at 0, eight times at 127",
    ),
    controller(
        75,
        ["/ch/{n}/decay", "decay", "64"],
        "Time of the decay, as controller 75 sets it: an eighth at 0, eight times at 127",
    ),
    controller(
        72,
        ["/ch/{n}/release", "release", "64"],
        "Time of the release, as controller 72 sets it: an eighth at 0, eight times at 127",
    ),
    pedal(
        65,
        ["/ch/{n}/portamento", "portamento", "false"],
        "Whether notes glide from the one before, as controller 65 sets it",
    ),
    controller(
        5,
        ["/ch/{n}/portamento_time", "portamento_time", "0"],
        "How long a glide takes, as controller 5 sets it, in steps of 128 ms",
    ),
    pedal(
        126,
        ["/ch/{n}/mono", "mono", "false"],
        "Whether the channel plays one note at a time, as controllers 126 and 127 set it",
    ),
    pedal(
        68,
        ["/ch/{n}/legato", "legato", "false"],
        "Whether notes that overlap go on without an attack, as controller 68 sets it",
    ),
    whole(
        Key::MorphProgram,
        ["/ch/{n}/morph/program", "program", "0"],
        (0.0, 127.0),
        "The General MIDI program that the channel's notes turn into",
    ),
    number(
        Key::MorphAmount,
        ["/ch/{n}/morph/amount", "amount", "0"],
        "",
        (0.0, 1.0),
        "How far notes have turned into the other program, 0 to 1, also while they sound",
    ),
    number(
        Key::MorphPressure,
        ["/ch/{n}/morph/pressure", "pressure", "0"],
        "",
        (0.0, 1.0),
        "How far full pressure turns notes into the other program; the rest of it adds vibrato",
    ),
    switch(
        Key::Breath,
        ["/ch/{n}/breath", "breath", "false"],
        "Whether breath (controller 2) is a volume of the channel",
    ),
    number(
        Key::Spread,
        ["/ch/{n}/spread", "spread", "0"],
        "",
        (0.0, 1.0),
        "How far the lowest and highest keys of pianos and mallets are to the sides; 0 is nowhere",
    ),
    read(
        Key::MeterPart,
        Kind::Number,
        ["/ch/{n}/meter", "meter", ""],
        "dBFS",
        (-120.0, 60.0),
        "Level of the channel in dBFS; -120 is silence",
    ),
    read(
        Key::NotesPart,
        Kind::Whole,
        ["/ch/{n}/notes", "notes", ""],
        "",
        (0.0, 256.0),
        "Notes of the channel that sound or ring out",
    ),
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
        choices: &["room", "hall", "plate"],
        ..text(
            Key::ReverbType,
            ["/reverb/type", "type", "room"],
            "The room of the reverb: room, hall or plate",
        )
    },
    number(
        Key::ReverbTime,
        ["/reverb/time", "time", "1.2"],
        "s",
        (0.2, 10.0),
        "Time in which the reverb falls by 60 dB, in seconds",
    ),
    number(
        Key::ReverbDamping,
        ["/reverb/damping", "damping", "0.5"],
        "",
        (0.0, 1.0),
        "How much sooner high tones of the reverb fall, 0 to 1",
    ),
    number(
        Key::ReverbLevel,
        ["/reverb/level", "level", "0"],
        "dB",
        (-60.0, 12.0),
        "Loudness of the reverb in dB; -60 is none",
    ),
    number(
        Key::ChorusRate,
        ["/chorus/rate", "rate", "0.4"],
        "Hz",
        (0.05, 5.0),
        "How often the voices of the chorus move, in Hz",
    ),
    number(
        Key::ChorusDepth,
        ["/chorus/depth", "depth", "5"],
        "ms",
        (0.5, 10.0),
        "How far the voices of the chorus move, in ms",
    ),
    number(
        Key::ChorusLevel,
        ["/chorus/level", "level", "0"],
        "dB",
        (-60.0, 12.0),
        "Loudness of the chorus in dB; -60 is none",
    ),
    Parameter {
        access: Access::Command,
        ..text(
            Key::Model,
            ["/engine/model", "model", ""],
            "The model that plays: the name of an installed one, or a folder; another is loaded \
             while this one plays on",
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
        Key::HopNow,
        Kind::Number,
        ["/engine/hop_now", "hop_now", ""],
        "ms",
        (0.0, 5120.0),
        "Length of the last hop; longer than asked for while the governor saves time",
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
        "What is recorded: off, on and the file, or failed and why; /record/start [PATH] and \
         /record/stop",
    ),
];
