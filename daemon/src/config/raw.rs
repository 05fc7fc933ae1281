//! Every key with its default and its meaning, as it is written in a file. Ranges are not checked
//! here.
//!
//! `config/default.toml` has the same content in TOML, and a test checks that they agree.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// All sections.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Raw {
    /// `[audio]`
    pub audio: Audio,
    /// `[midi]`
    pub midi: Midi,
    /// `[osc]`
    pub osc: Osc,
    /// `[remote]`
    pub remote: Remote,
    /// `[engine]`
    pub engine: Engine,
    /// `[master]`
    pub master: Master,
    /// `[log]`
    pub log: Log,
    /// `[state]`
    pub state: State,
}

/// The sound service that plays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// JACK if a server runs, else ALSA.
    #[default]
    Auto,
    /// The sound card itself.
    Alsa,
    /// A JACK server, or PipeWire's.
    Jack,
    /// No sound, but everything runs in real time: for tests and for machines without a card.
    Null,
}

impl Backend {
    /// The name as it is written in a file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Alsa => "alsa",
            Self::Jack => "jack",
            Self::Null => "null",
        }
    }
}

/// The ports for sound in JACK.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outputs {
    /// Left and right.
    #[default]
    Stereo,
    /// The same, and also left and right of each part.
    Parts,
}

/// Whether a service is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// It is used if it is there.
    #[default]
    Auto,
    /// It is used, and without it timbred does not start.
    On,
    /// It is not used.
    Off,
}

/// A number, or `"model"` for the value of the manifest of the model.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct OrModel(pub Option<f64>);

impl Serialize for OrModel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            None => serializer.serialize_str("model"),
            Some(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
                serializer.serialize_i64(number as i64)
            }
            Some(number) => serializer.serialize_f64(number),
        }
    }
}

impl<'de> Deserialize<'de> for OrModel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Numbers;
        impl Visitor<'_> for Numbers {
            type Value = OrModel;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or \"model\"")
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<OrModel, E> {
                Ok(OrModel(Some(number as f64)))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<OrModel, E> {
                Ok(OrModel(Some(number as f64)))
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<OrModel, E> {
                Ok(OrModel(Some(number)))
            }
            /// Numbers in the environment and in flags are text.
            fn visit_str<E: de::Error>(self, text: &str) -> Result<OrModel, E> {
                if text == "model" {
                    return Ok(OrModel(None));
                }
                let number = text.trim().parse().map(|number| OrModel(Some(number)));
                number.map_err(|_| E::invalid_type(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Numbers)
    }
}

/// `[audio]`: where sound goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Audio {
    /// The sound service that plays.
    pub backend: Backend,
    /// Name of the device or a part of it; empty: the default one.
    pub device: String,
    /// The sample rate to ask the device for; JACK decides for itself.
    pub rate_hz: u32,
    /// The number of frames in a buffer of the device; JACK decides for itself.
    pub buffer_frames: u32,
    /// The number of channels of the device to play to.
    pub channels: u16,
    /// Milliseconds by which sound is made ahead of the device; 0 measures it at the start.
    pub lead_ms: f64,
    /// The ports for sound in JACK.
    pub outputs: Outputs,
    /// What the outputs are connected to in JACK: auto, none, or the beginning of names of inputs.
    pub connect: String,
    /// The SCHED_FIFO priority to ask for; 0 for ordinary priority.
    pub realtime_priority: u8,
}

impl Default for Audio {
    fn default() -> Self {
        Self {
            backend: Backend::Auto,
            device: String::new(),
            rate_hz: 48_000,
            buffer_frames: 128,
            channels: 2,
            lead_ms: 0.0,
            outputs: Outputs::Stereo,
            connect: "auto".to_owned(),
            realtime_priority: 60,
        }
    }
}

/// `[midi]`: where notes come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Midi {
    /// Whether there is a port that other programs can connect to.
    pub virtual_port: bool,
    /// Whether JACK MIDI is heard.
    pub jack: Switch,
    /// Whether ALSA's sequencer is heard.
    pub alsa: Switch,
    /// The name under which others see this program.
    pub name: String,
    /// The file or the name of the scale that keys are tuned to; empty for equal temperament.
    pub tuning: String,
    /// The rules for what ports play.
    pub rules: Vec<Rule>,
}

impl Default for Midi {
    fn default() -> Self {
        Self {
            virtual_port: true,
            jack: Switch::Auto,
            alsa: Switch::Auto,
            name: "timbred".to_owned(),
            tuning: String::new(),
            rules: Vec::new(),
        }
    }
}

/// `[[midi.rules]]`: a rule for what a port plays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// The names of the ports: `*` stands for anything, `?` for one character; case does not
    /// matter.
    pub port: String,
    /// Channels that are heard, 1 to 16; an empty list ignores the port.
    pub channels: Vec<u8>,
    /// Semitones to add to every key, also of drums.
    pub transpose: i8,
    /// The lowest key that is heard, 0 to 127; 60 is middle C.
    pub low_key: u8,
    /// The highest key that is heard.
    pub high_key: u8,
    /// The channel to play on; left out, messages stay on their channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_channel: Option<u8>,
    /// Whether the next rules hear the same keys, too.
    pub layer: bool,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            port: "*".to_owned(),
            channels: (1..=16).collect(),
            transpose: 0,
            low_key: 0,
            high_key: 127,
            to_channel: None,
            layer: false,
        }
    }
}

/// `[osc]`: remote control.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Osc {
    /// The address to listen on; 0.0.0.0 lets every machine of the network in.
    pub bind: String,
    /// The UDP port; 0 takes any free one.
    pub port: u16,
    /// Programs that get every change, as HOST:PORT.
    pub targets: Vec<String>,
}

impl Default for Osc {
    fn default() -> Self {
        Self { bind: "127.0.0.1".to_owned(), port: 9000, targets: Vec::new() }
    }
}

/// `[remote]`: control by TCP and HTTP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Remote {
    /// Whether there is OSC over TCP, OSCQuery, the panel and mDNS.
    pub on: bool,
    /// The address to listen on; 0.0.0.0 lets every machine of the network in.
    pub bind: String,
    /// The TCP port of OSCQuery and the panel; 0 takes any free one.
    pub port: u16,
    /// The token that clients of the network must give; empty if none is needed.
    pub token: String,
    /// The name under which the network finds timbred; empty for `timbred` and the name of the
    /// machine.
    pub name: String,
}

impl Default for Remote {
    fn default() -> Self {
        Self {
            on: true,
            bind: "127.0.0.1".to_owned(),
            port: 9080,
            token: String::new(),
            name: String::new(),
        }
    }
}

/// `[engine]`: quality and latency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Engine {
    /// Name of an installed model, or a folder with a manifest.toml.
    pub model: String,
    /// Denoising steps for each hop.
    pub steps: OrModel,
    /// Guidance weight.
    pub guidance: OrModel,
    /// The method of a step, or `"model"` for that of the manifest of the model.
    pub sampler: String,
    /// Milliseconds of sound made at a time.
    pub hop_ms: OrModel,
    /// Seed of all noise.
    pub seed: u64,
    /// Whether steps are saved when time is short.
    pub governor: bool,
    /// The form in which weights are multiplied, or `"auto"` for the fastest on this machine.
    pub arithmetic: String,
    /// Whether the sound above 8 kHz is made, too, by models that know it.
    pub upper_band: bool,
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            model: "live".to_owned(),
            steps: OrModel(None),
            guidance: OrModel(None),
            sampler: "model".to_owned(),
            hop_ms: OrModel(None),
            seed: 0,
            governor: true,
            arithmetic: "auto".to_owned(),
            upper_band: true,
        }
    }
}

/// `[master]`: the sum of all channels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Master {
    /// Volume in dB.
    pub gain_db: f64,
}

impl Default for Master {
    fn default() -> Self {
        Self { gain_db: -6.0 }
    }
}

/// `[log]`: what is logged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// off, error, warn, info, debug or trace; `MODULE=LEVEL` for a part, with commas between.
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned() }
    }
}

/// `[state]`: what is saved from one run to the next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct State {
    /// The file; empty for `state.toml` in the folder for state of the service or the user.
    pub path: String,
    /// If the saved master volume is louder than this, it is turned down to it at the start, dB.
    pub safe_gain_db: f64,
}

impl Default for State {
    fn default() -> Self {
        Self { path: String::new(), safe_gain_db: -12.0 }
    }
}
