//! The configuration as the threads get it: every value is checked against its range, and every
//! name is resolved. It knows no layer.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use timbre_control::parameters::{GUIDANCE, HOP_MS, Parameter, SAMPLER, STEPS};
use timbre_control::value::Value;
use timbre_models::denoise::Arithmetic;
use timbre_models::notes::{EQUAL, Tuning};

use super::layers::{Origins, folder};
use super::raw::{self, Backend, OrModel, Outputs, Raw, Switch};
use super::rules::Rule;
use crate::problem::{Problem, Problems};
use crate::scale;

/// The range of the master volume, dB. A test compares it with that of `/master/gain`.
pub const GAIN_DB: RangeInclusive<f64> = -60.0..=12.0;

/// The longest name that JACK and ALSA show completely, bytes.
const NAME_BYTES: usize = 32;

/// The longest name that fits into an announcement by mDNS, bytes.
const SERVICE_BYTES: usize = 60;
/// The lengths of a token, bytes.
const TOKEN_BYTES: RangeInclusive<usize> = 8..=128;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// The whole configuration, ready for use.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The output of sound.
    pub audio: Audio,
    /// The input of notes.
    pub midi: Midi,
    /// Remote control.
    pub osc: Osc,
    /// TCP and HTTP; none if they are off.
    pub remote: Option<Remote>,
    /// The token that clients of the network must give; empty if none is needed.
    pub token: String,
    /// Quality and latency.
    pub engine: Engine,
    /// The master volume if no state is restored, dB.
    pub master_gain_db: f64,
    /// The level of the log, or levels of single targets: `debug`, `info,jack=debug`.
    pub log_level: String,
    /// The saved state.
    pub state: State,
}

/// The output of sound.
#[derive(Debug, Clone, PartialEq)]
pub struct Audio {
    /// The sound service that plays.
    pub backend: Backend,
    /// The name of the device or a part of it; none for the default device.
    pub device: Option<String>,
    /// The sample rate to ask the device for, Hz.
    pub rate_hz: u32,
    /// Frames in a buffer of the device.
    pub buffer_frames: u32,
    /// How many channels of the device are played to.
    pub channels: u16,
    /// By how many milliseconds sound is made ahead of the device; none if this is measured at the
    /// start.
    pub lead_ms: Option<f64>,
    /// Whether each part has ports of its own in JACK.
    pub has_parts: bool,
    /// What the outputs are connected to in JACK: auto, none, or the beginning of the names of
    /// inputs.
    pub connect: String,
    /// SCHED_FIFO priority of the thread of the device; 0 for ordinary priority.
    pub realtime_priority: u8,
}

/// The input of notes.
#[derive(Debug, Clone, PartialEq)]
pub struct Midi {
    /// Whether there is a port that other programs can connect to.
    pub virtual_port: bool,
    /// Whether JACK MIDI is used.
    pub jack: Switch,
    /// Whether the sequencer of ALSA is used.
    pub alsa: Switch,
    /// The name under which other programs see this one.
    pub name: String,
    /// The tuning of keys until MIDI sets another.
    pub tuning: Tuning,
    /// The rules that change what ports play.
    pub rules: Vec<Rule>,
}

/// Remote control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Osc {
    /// The address to listen on; port 0 is any free one.
    pub bind: SocketAddr,
    /// Programs that get every change, as HOST:PORT. The names have not been looked up yet.
    pub targets: Vec<String>,
}

/// TCP and HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// The address to listen on; port 0 is any free one.
    pub bind: SocketAddr,
    /// The name under which the network finds it; none for that of the program and of the machine.
    pub name: Option<String>,
}

/// Quality and latency. None means the value of the manifest of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Engine {
    /// The name of an installed model, or a folder with a manifest.toml.
    pub model: String,
    /// Denoising steps for each hop.
    pub steps: Option<usize>,
    /// Guidance weight.
    pub guidance: Option<f64>,
    /// The method of a step, by a name of the table of parameters.
    pub sampler: Option<String>,
    /// The length of a hop, milliseconds.
    pub hop_ms: Option<f64>,
    /// The seed of all noise.
    pub seed: u64,
    /// Whether steps are saved when time is short.
    pub governor: bool,
    /// The form in which weights are multiplied; none for the fastest on this machine.
    pub arithmetic: Option<Arithmetic>,
    /// Whether the sound above 8 kHz is made, too, if the model knows it.
    pub upper_band: bool,
}

/// What is saved from one run to the next.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The file; none if this process has neither a state folder nor a home.
    pub path: Option<PathBuf>,
    /// The loudest master volume that is restored at the start, dB.
    pub safe_gain_db: f64,
}

impl Config {
    /// The master volume at the start, dB: the saved one, but not louder than is safe.
    pub fn gain_at_start_db(&self, remembered_db: Option<f64>) -> f64 {
        remembered_db.map_or(self.master_gain_db, |gain| gain.min(self.state.safe_gain_db))
    }
}

/// Checks what cannot be seen in a single layer, and makes the configuration.
pub(super) fn resolve(
    raw: &Raw,
    origins: &Origins,
    environment: &BTreeMap<String, String>,
) -> Result<Config, Problems> {
    let mut checks = Checks { origins, problems: Vec::new() };
    let c = &mut checks;
    let config = Config {
        audio: audio(c, &raw.audio),
        midi: midi(c, &raw.midi),
        osc: osc(c, &raw.osc),
        remote: remote(c, &raw.remote),
        token: token(c, &raw.remote.token),
        engine: engine(c, &raw.engine),
        master_gain_db: c.range("master.gain_db", raw.master.gain_db, GAIN_DB, "dB"),
        log_level: level(c, &raw.log.level),
        state: State {
            path: state_path(&raw.state.path, environment),
            safe_gain_db: c.range("state.safe_gain_db", raw.state.safe_gain_db, GAIN_DB, "dB"),
        },
    };
    if checks.problems.is_empty() { Ok(config) } else { Err(Problems(checks.problems)) }
}

struct Checks<'a> {
    origins: &'a Origins,
    problems: Vec<Problem>,
}

impl Checks<'_> {
    fn refuse(&mut self, key: &str, found: impl Display, wanted: &str, remedy: &str) {
        let place = self.origins.of(key);
        self.problems.push(Problem::value(place, key, &found.to_string(), wanted, remedy));
    }

    fn range<T: PartialOrd + Display + Copy>(
        &mut self,
        key: &str,
        found: T,
        range: RangeInclusive<T>,
        unit: &str,
    ) -> T {
        if !range.contains(&found) {
            let wanted = format!("{} to {} {unit}", range.start(), range.end());
            self.refuse(key, found, wanted.trim_end(), "");
        }
        found
    }

    /// Checks a text that people and servers see: it is not empty and has no control characters.
    fn text(&mut self, key: &str, text: &str, wanted: &str) -> String {
        if text.trim().is_empty() || text.chars().any(char::is_control) {
            self.refuse(key, format!("{text:?}"), wanted, "");
        }
        text.to_owned()
    }

    /// Reads an address to listen on.
    fn ip(&mut self, key: &str, found: &str) -> IpAddr {
        found.parse().unwrap_or_else(|_| {
            let wanted = "an address such as \"127.0.0.1\", \"0.0.0.0\" or \"::1\"";
            self.refuse(key, format!("{found:?}"), wanted, "the port has a key of its own");
            IpAddr::from([127, 0, 0, 1])
        })
    }

    fn parameter(&mut self, key: &str, found: OrModel, parameter: &Parameter) -> Option<f64> {
        let number = found.0?;
        if let Err(wanted) = parameter.parse(&number.to_string()) {
            let wanted = wanted.strip_prefix("wanted ").unwrap_or(&wanted);
            self.refuse(key, number, wanted, "\"model\" takes the model's own");
        }
        Some(number)
    }

    /// Reads one of the choices of a parameter; none for the word `model`.
    fn choice(&mut self, key: &str, found: &str, parameter: &Parameter) -> Option<String> {
        match parameter.parse_value(found) {
            Ok(Value::Text(chosen)) => Some(chosen),
            Ok(_) => None,
            Err(wanted) => {
                let wanted = wanted.strip_prefix("wanted ").unwrap_or(&wanted);
                self.refuse(key, format!("{found:?}"), wanted, "");
                None
            }
        }
    }
}

fn audio(c: &mut Checks<'_>, raw: &raw::Audio) -> Audio {
    let lead_ms = c.range("audio.lead_ms", raw.lead_ms, 0.0..=2000.0, "ms");
    if raw.device.chars().any(char::is_control) {
        c.refuse("audio.device", format!("{:?}", raw.device), "a name in one line", "");
    }
    Audio {
        backend: raw.backend,
        device: Some(raw.device.trim().to_owned()).filter(|name| !name.is_empty()),
        rate_hz: c.range("audio.rate_hz", raw.rate_hz, 8_000..=192_000, "Hz"),
        buffer_frames: c.range("audio.buffer_frames", raw.buffer_frames, 16..=8192, "frames"),
        channels: c.range("audio.channels", raw.channels, 1..=32, ""),
        lead_ms: Some(lead_ms).filter(|lead| *lead > 0.0),
        has_parts: raw.outputs == Outputs::Parts,
        connect: c.text("audio.connect", &raw.connect, "auto, none, or how names of inputs begin"),
        realtime_priority: c.range("audio.realtime_priority", raw.realtime_priority, 0..=94, ""),
    }
}

fn midi(c: &mut Checks<'_>, raw: &raw::Midi) -> Midi {
    let name = c.text("midi.name", &raw.name, "a name, such as \"timbred\"");
    if name.len() > NAME_BYTES || name.contains(':') {
        let wanted = format!("at most {NAME_BYTES} bytes, and no colon");
        c.refuse("midi.name", format!("{name:?}"), &wanted, "JACK and ALSA cannot show more");
    }
    let rules = raw.rules.iter().enumerate().map(|(i, raw)| rule(c, i, raw)).collect();
    let tuning = tuning(c, &raw.tuning);
    Midi { virtual_port: raw.virtual_port, jack: raw.jack, alsa: raw.alsa, name, tuning, rules }
}

fn tuning(c: &mut Checks<'_>, name: &str) -> Tuning {
    if name.is_empty() {
        return EQUAL;
    }
    scale::find(name).unwrap_or_else(|e| {
        c.problems.push(Problem::new(c.origins.of("midi.tuning"), format!("`midi.tuning`: {e}")));
        EQUAL
    })
}

fn rule(c: &mut Checks<'_>, index: usize, raw: &raw::Rule) -> Rule {
    let key = |name: &str| format!("midi.rules[{index}].{name}");
    c.text(&key("port"), &raw.port, "a pattern such as \"*\" or \"Nord*\"");
    for (i, channel) in raw.channels.iter().enumerate() {
        c.range(&format!("{}[{i}]", key("channels")), *channel, 1..=16, "");
    }
    if let Some(channel) = raw.to_channel {
        c.range(&key("to_channel"), channel, 1..=16, "");
    }
    c.range(&key("transpose"), raw.transpose, -127..=127, "half tones");
    c.range(&key("low_key"), raw.low_key, 0..=127, "");
    c.range(&key("high_key"), raw.high_key, 0..=127, "");
    if raw.low_key > raw.high_key {
        let wanted = format!("at least low_key, which is {}", raw.low_key);
        c.refuse(&key("high_key"), raw.high_key, &wanted, "exchange the two");
    }
    Rule::from_raw(raw)
}

fn osc(c: &mut Checks<'_>, raw: &raw::Osc) -> Osc {
    let ip = c.ip("osc.bind", &raw.bind);
    for (i, target) in raw.targets.iter().enumerate() {
        let parts = target.rsplit_once(':');
        let good = |host: &str, port: &str| {
            let bracketed = host.starts_with('[') && host.ends_with(']');
            let host_fits = !host.is_empty() && (bracketed || !host.contains([':', ' ']));
            host_fits && port.parse::<u16>().is_ok_and(|port| port > 0)
        };
        if !parts.is_some_and(|(host, port)| good(host, port)) {
            let wanted = "HOST:PORT, such as \"192.168.1.20:9001\"";
            c.refuse(&format!("osc.targets[{i}]"), format!("{target:?}"), wanted, "");
        }
    }
    Osc { bind: SocketAddr::new(ip, raw.port), targets: raw.targets.clone() }
}

fn remote(c: &mut Checks<'_>, raw: &raw::Remote) -> Option<Remote> {
    let bind = SocketAddr::new(c.ip("remote.bind", &raw.bind), raw.port);
    let name = raw.name.trim();
    if name.len() > SERVICE_BYTES || name.chars().any(char::is_control) {
        let wanted = format!("at most {SERVICE_BYTES} bytes in one line");
        c.refuse("remote.name", format!("{:?}", raw.name), &wanted, "mDNS has no room for more");
    }
    let name = Some(name.to_owned()).filter(|name| !name.is_empty());
    raw.on.then_some(Remote { bind, name })
}

/// Checks a token. It becomes part of an address and of a cookie, so only a few characters are
/// allowed, and it is long enough that it cannot be guessed by trying.
fn token(c: &mut Checks<'_>, found: &str) -> String {
    let is_sign = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let fits = found.is_empty() || TOKEN_BYTES.contains(&found.len());
    if !fits || !found.chars().all(is_sign) {
        let (least, most) = (TOKEN_BYTES.start(), TOKEN_BYTES.end());
        let wanted = format!("{least} to {most} letters, digits, - _ and ., or nothing");
        c.refuse("remote.token", "another text", &wanted, "`openssl rand -hex 12` makes one");
    }
    found.to_owned()
}

fn engine(c: &mut Checks<'_>, raw: &raw::Engine) -> Engine {
    Engine {
        model: c.text("engine.model", &raw.model, "a model's name or folder, such as \"live\""),
        steps: c.parameter("engine.steps", raw.steps, &STEPS).map(|steps| steps as usize),
        guidance: c.parameter("engine.guidance", raw.guidance, &GUIDANCE),
        sampler: c.choice("engine.sampler", &raw.sampler, &SAMPLER),
        hop_ms: c.parameter("engine.hop_ms", raw.hop_ms, &HOP_MS),
        seed: raw.seed,
        governor: raw.governor,
        arithmetic: arithmetic(c, &raw.arithmetic),
        upper_band: raw.upper_band,
    }
}

fn arithmetic(c: &mut Checks<'_>, found: &str) -> Option<Arithmetic> {
    let named = Arithmetic::ALL.into_iter().find(|form| form.name() == found);
    if named.is_none() && found != "auto" {
        let names = Arithmetic::ALL.map(Arithmetic::name).join(", ");
        c.refuse("engine.arithmetic", format!("{found:?}"), &format!("auto, {names}"), "");
    }
    named
}

fn level(c: &mut Checks<'_>, text: &str) -> String {
    let good = text.split(',').all(|part| {
        let (module, level) = part.trim().split_once('=').unwrap_or(("all", part.trim()));
        !module.is_empty() && LEVELS.contains(&level)
    });
    if !good {
        let wanted = format!("{}, or MODULE=LEVEL, with commas between", LEVELS.join(", "));
        c.refuse("log.level", format!("{text:?}"), &wanted, "");
    }
    text.to_owned()
}

/// The path in the file, otherwise one in the folder that systemd made for the service, otherwise
/// one in the state folder of the user.
fn state_path(written: &str, environment: &BTreeMap<String, String>) -> Option<PathBuf> {
    if !written.is_empty() {
        return Some(written.into());
    }
    // systemd separates several folders by colons; the unit names only one.
    let service = environment.get("STATE_DIRECTORY").and_then(|all| all.split(':').next());
    let service = service.filter(|path| Path::new(path).is_absolute()).map(PathBuf::from);
    let user = || folder(environment, "XDG_STATE_HOME", ".local/state").map(|f| f.join("timbred"));
    service.or_else(user).map(|folder| folder.join("state.toml"))
}
