//! The differences between two configurations, and what each takes to be applied: a new value, the
//! restart of a part, or the next start of the program. It knows nothing of what the parts do.

use std::fmt;

use toml::{Table, Value};

use super::raw::Raw;

/// A part that is restarted to apply a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The sound device.
    Audio,
    /// The MIDI ports.
    Midi,
    /// The OSC server.
    Osc,
    /// The servers that listen on TCP.
    Remote,
    /// The model and its warm-up.
    Engine,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Audio => "audio",
            Self::Midi => "midi",
            Self::Osc => "osc",
            Self::Remote => "remote",
            Self::Engine => "engine",
        })
    }
}

/// What the change of a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Nothing: the new value is used from the next hop, message or save on.
    Live,
    /// The restart of a part.
    Restart(Part),
    /// The next start of the program.
    NextStart,
}

/// One key whose value changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The dotted key. All rules are one key, `midi.rules`.
    pub key: String,
    /// The old value, as TOML.
    pub old: String,
    /// The new value, as TOML.
    pub new: String,
    /// What the change takes.
    pub class: Class,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, old, new, class } = self;
        match class {
            Class::Live => write!(f, "{key}: {old} -> {new} (live)"),
            Class::NextStart => write!(f, "{key}: {old} -> {new} (at the next start)"),
            Class::Restart(part) => write!(f, "{key}: {old} -> {new} (restarts {part})"),
        }
    }
}

/// All changes, in alphabetical order of their keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diff {
    /// One entry for each key.
    pub changes: Vec<Change>,
}

/// What all changes together take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing changed.
    None,
    /// Only new values, and values for the next start.
    Live,
    /// The restart of these parts, each once, and new values.
    Restart(Vec<Part>),
}

impl Diff {
    /// What all changes together take.
    pub fn verdict(&self) -> Verdict {
        let mut parts: Vec<Part> = self
            .changes
            .iter()
            .filter_map(|change| match change.class {
                Class::Live | Class::NextStart => None,
                Class::Restart(part) => Some(part),
            })
            .collect();
        parts.sort_unstable();
        parts.dedup();
        match (self.changes.is_empty(), parts.is_empty()) {
            (true, _) => Verdict::None,
            (false, true) => Verdict::Live,
            (false, false) => Verdict::Restart(parts),
        }
    }

    /// Whether a key (`engine.steps`) or anything in a section (`engine`) changed.
    pub fn touches(&self, key: &str) -> bool {
        self.changes.iter().any(|change| {
            change
                .key
                .strip_prefix(key)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }
}

/// What the change of a key takes. Every key is listed, and `config/default.toml` says the same to
/// the user.
pub fn class_of(key: &str) -> Option<Class> {
    Some(match key {
        "audio.backend"
        | "audio.device"
        | "audio.rate_hz"
        | "audio.buffer_frames"
        | "audio.channels"
        | "audio.lead_ms"
        | "audio.connect" => Class::Restart(Part::Audio),
        "midi.virtual_port" | "midi.jack" | "midi.alsa" | "midi.name" | "midi.rules" => {
            Class::Restart(Part::Midi)
        }
        "osc.bind" | "osc.port" | "osc.targets" | "remote.token" => Class::Restart(Part::Osc),
        "remote.on" | "remote.bind" | "remote.port" | "remote.name" => Class::Restart(Part::Remote),
        "engine.model" | "engine.arithmetic" | "engine.upper_band" => Class::Restart(Part::Engine),
        "audio.outputs" | "audio.realtime_priority" | "log.level" | "state.safe_gain_db" => {
            Class::NextStart
        }
        "engine.steps" | "engine.guidance" | "engine.sampler" | "engine.hop_ms" | "engine.seed"
        | "engine.governor" | "midi.tuning" | "master.gain_db" | "state.path" => Class::Live,
        _ => return None,
    })
}

/// The changes from one configuration to another.
pub fn diff(old: &Raw, new: &Raw) -> Diff {
    // A configuration that was read from TOML can be written as TOML, so neither is empty.
    let table = |raw: &Raw| Table::try_from(raw).unwrap_or_default();
    let (old, new) = (table(old), table(new));
    let mut changes = Vec::new();
    for (section, keys) in &new {
        let Value::Table(keys) = keys else { continue };
        for (name, now) in keys {
            let key = format!("{section}.{name}");
            let before = old.get(section).and_then(|keys| keys.get(name));
            if before == Some(now) {
                continue;
            }
            let before = before.map(Value::to_string).unwrap_or_default();
            // A test checks that every key is listed. If one were not, restarting the sound would
            // be the safe choice.
            let class = class_of(&key).unwrap_or(Class::Restart(Part::Audio));
            let (old, new) = match key.as_str() {
                // The token must not appear in the log.
                "remote.token" => ("one".to_owned(), "another".to_owned()),
                _ => (before, now.to_string()),
            };
            changes.push(Change { key, old, new, class });
        }
    }
    Diff { changes }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_a_class() {
        for (section, keys) in &Table::try_from(Raw::default()).unwrap() {
            for name in keys.as_table().unwrap().keys() {
                assert!(class_of(&format!("{section}.{name}")).is_some(), "{section}.{name}");
            }
        }
    }

    #[test]
    fn changes_are_classified() {
        let old = Raw::default();
        assert_eq!(diff(&old, &old).verdict(), Verdict::None);
        let mut new = old.clone();
        new.master.gain_db = -3.0;
        new.engine.steps.0 = Some(4.0);
        new.log.level = "debug".to_owned();
        let live = diff(&old, &new);
        assert_eq!(live.verdict(), Verdict::Live);
        assert_eq!(live.changes.len(), 3);
        assert!(live.touches("engine.steps") && live.touches("engine") && !live.touches("eng"));
        assert_eq!(live.changes[0].to_string(), "engine.steps: \"model\" -> 4 (live)");
        new.osc.port = 9001;
        new.midi.rules.push(super::super::raw::Rule::default());
        new.audio.rate_hz = 44_100;
        new.audio.device = "USB".to_owned();
        let restart = diff(&old, &new);
        assert_eq!(restart.verdict(), Verdict::Restart(vec![Part::Audio, Part::Midi, Part::Osc]));
        assert!(
            restart
                .changes
                .iter()
                .any(|c| c.to_string() == "audio.rate_hz: 48000 -> 44100 (restarts audio)")
        );
    }
}
