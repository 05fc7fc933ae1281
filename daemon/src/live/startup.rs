//! What configuration and saved state mean for the start: settings, programs, rules for ports, and
//! targets of OSC. It starts nothing itself.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Instant;

use timbre_control::settings::Settings;
use timbre_models::notes::Tuning;

use super::arithmetic::Forms;
use super::midi::ports::Route;
use super::model::Preparation;
use crate::bus::queues::{Midi, MidiInput, MidiSender, SourceId};
use crate::config::{self, Config, Rule};
use crate::state::{self, State};

/// The saved state of the last run, if it can be read.
pub(super) fn remembered(config: &Config) -> Option<State<Settings>> {
    let path = config.state.path.as_ref()?;
    state::load(path).unwrap_or_else(|e| {
        tracing::warn!("{e}");
        None
    })
}

/// How models are prepared. Measurements are kept beside the saved state.
pub(super) fn preparation(config: &Config) -> Preparation {
    let remembered = config.state.path.as_ref().map(|path| path.with_file_name("arithmetic.toml"));
    let forms = Forms { wanted: config.engine.arithmetic, remembered };
    let frames_priority = config.audio.realtime_priority.min(1);
    let (upper_band, has_parts) = (config.engine.upper_band, config.audio.has_parts);
    Preparation { forms, upper_band, has_parts, frames_priority }
}

/// The settings at the start: those of the configuration, with channel strips and master volume of
/// the last run.
pub(super) fn initial(config: &Config, remembered: Option<&State<Settings>>) -> Settings {
    let mut settings = remembered.map(|s| s.settings.clone()).unwrap_or_default();
    settings.master.gain = config.gain_at_start_db(remembered.map(|s| s.settings.master.gain));
    let engine = &config.engine;
    settings.engine.steps = engine.steps.unwrap_or(0) as u32;
    settings.engine.guidance = engine.guidance;
    settings.engine.sampler.clone_from(&engine.sampler);
    settings.engine.hop_ms = engine.hop_ms;
    settings.engine.seed = engine.seed;
    settings.engine.governor = engine.governor;
    settings
}

/// Sets the program of every channel by MIDI messages, as a keyboard would.
pub(super) fn send_programs(midi: &MidiSender, programs: &[u8; 16]) {
    for (channel, program) in (0u8..).zip(programs) {
        let change = Midi::Message([0xC0 | channel, *program, 0]);
        midi.send(MidiInput { at: Instant::now(), source: SourceId::OSC, midi: change });
    }
}

/// Tunes every key.
pub(super) fn send_tuning(midi: &MidiSender, tuning: &Tuning) {
    for (key, semitones) in (0u8..).zip(tuning) {
        let midi_of_key = Midi::Tuning { key, semitones: *semitones };
        midi.send(MidiInput { at: Instant::now(), source: SourceId::OSC, midi: midi_of_key });
    }
}

/// What the rules of the configuration say about each port.
pub(super) fn route(rules: Vec<Rule>) -> Route {
    Arc::new(move |port: &str| {
        let matching: Vec<Rule> = config::matching(&rules, port).into_iter().cloned().collect();
        if !matching.is_empty() && matching.iter().all(Rule::is_deaf) {
            return None;
        }
        Some(Box::new(move |message, out| config::route(&matching, message, out)))
    })
}

/// The address of a target. If it has none, that is a warning in the log.
pub(super) fn resolved(target: &str) -> Option<SocketAddr> {
    let found = target.to_socket_addrs().ok().and_then(|mut all| all.next());
    if found.is_none() {
        tracing::warn!("the OSC target {target} has no address and is left out");
    }
    found
}
