//! The current value of every parameter: from settings, from telemetry, and from programs that
//! inference has not taken over yet. It knows no socket, and the thread `timbred-osc` uses it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use timbre_control::instruments;
use timbre_control::parameters::{CHANNELS, Id, Key, Kind, ids};
use timbre_control::settings::Settings;
use timbre_control::status::{OscStatus, Status};
use timbre_control::value::Value;

use crate::bus::priority::is_refused;
use crate::bus::queues::Telemetry;
use crate::findings::{Facts, findings};
use crate::recording::Recorder;

/// How long a value that was sent to inference counts as current before inference confirms it.
const SENT_WAIT: Duration = Duration::from_secs(2);
/// Level of silence.
const SILENCE_DBFS: f64 = -120.0;

/// The current values.
#[derive(Debug)]
pub struct Values {
    /// Every parameter, in the order of the table.
    pub ids: Vec<Id>,
    model: Arc<ArcSwap<String>>,
    telemetry: Arc<Telemetry>,
    recorder: Recorder,
    started: Instant,
    /// The values that were sent to inference, and when.
    sent: HashMap<(Sent, usize), (u8, Instant)>,
}

/// A value that is set by a MIDI message and is not part of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sent {
    /// The General MIDI program.
    Program,
    /// A controller, by its number.
    Controller(u8),
}

/// The least value at which a controller that is a switch is on.
const ON: u8 = 64;
/// The controllers for one note at a time (mono) and for several (poly).
const MONO: u8 = 126;
const POLY: u8 = 127;

impl Sent {
    /// The message that sets it on a channel.
    pub fn message(self, channel: usize, value: u8) -> [u8; 3] {
        let channel = (channel & 15) as u8;
        match self {
            Self::Program => [0xC0 | channel, value, 0],
            Self::Controller(MONO) if value < ON => [0xB0 | channel, POLY, 0],
            Self::Controller(MONO) => [0xB0 | channel, MONO, 1],
            Self::Controller(number) => [0xB0 | channel, number, value],
        }
    }

    /// The value that inference reports.
    fn current(self, telemetry: &Telemetry, channel: usize) -> u8 {
        match self {
            Self::Program => telemetry.programs.get(channel),
            Self::Controller(number) => telemetry.places.get(channel, number),
        }
    }
}

impl Values {
    /// The values of a daemon that plays the model of this name.
    pub fn new(model: Arc<ArcSwap<String>>, telemetry: Arc<Telemetry>, recorder: Recorder) -> Self {
        Self {
            ids: ids().collect(),
            model,
            telemetry,
            recorder,
            started: Instant::now(),
            sent: HashMap::new(),
        }
    }

    /// Remembers a value that was sent to inference.
    pub fn sent(&mut self, what: Sent, channel: usize, value: u8, now: Instant) {
        self.sent.insert((what, channel), (value, now));
    }

    /// Forgets the values that inference has confirmed, or has not confirmed in time.
    pub fn tidy(&mut self, now: Instant) {
        let telemetry = &self.telemetry;
        self.sent.retain(|(what, channel), (value, at)| {
            *value != what.current(telemetry, *channel) && now.duration_since(*at) <= SENT_WAIT
        });
    }

    /// The current value of a parameter.
    pub fn get(&self, id: Id, settings: &Settings) -> Value {
        if let Some(value) = settings.value(id) {
            return value;
        }
        let t = &self.telemetry;
        let count = |x: u64| Value::Whole(i64::try_from(x).unwrap_or(i64::MAX));
        match id.parameter.key {
            Key::Program => Value::Whole(self.now(Sent::Program, id.channel).into()),
            Key::Controller(number) => {
                let place = self.now(Sent::Controller(number), id.channel);
                match id.parameter.kind {
                    Kind::Bool => Value::Bool(place >= ON),
                    _ => Value::Whole(place.into()),
                }
            }
            Key::MeterPart => {
                let level = t.part_levels.get(id.channel).map_or(0, |level| level.load(Relaxed));
                Value::Number(level_dbfs(level))
            }
            Key::NotesPart => {
                let notes = t.part_notes.get(id.channel).map_or(0, |notes| notes.load(Relaxed));
                Value::Whole(notes.into())
            }
            Key::Instrument => {
                let program = self.now(Sent::Program, id.channel);
                Value::Text(instruments::name(id.channel, program).to_owned())
            }
            Key::LatencyMs => Value::Number(latency_ms(t)),
            Key::Load => Value::Number(load(t)),
            Key::Misses => count(t.misses.load(Relaxed)),
            Key::Underruns => count(t.gaps()),
            Key::StepsNow => count(t.steps_now.load(Relaxed).into()),
            Key::HopNow => Value::Number(hop_now_ms(t)),
            Key::MeterMaster => {
                Value::Pair(level_dbfs(t.peak.load(Relaxed)), level_dbfs(t.rms.load(Relaxed)))
            }
            Key::Record => Value::Text(self.recorder.state().to_string()),
            // Only texts are left here, because settings were handled above.
            _ => Value::Text(self.model.load().to_string()),
        }
    }

    /// The current values of all parameters, in the order of `ids`.
    pub fn all(&self, settings: &Settings) -> Vec<Value> {
        self.ids.iter().map(|&id| self.get(id, settings)).collect()
    }

    /// The answer to `/status`.
    pub fn status(&self, settings: &Settings, osc: OscStatus) -> Status {
        let t = &self.telemetry;
        let mut status = Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            model: self.model.load().to_string(),
            uptime_s: self.started.elapsed().as_secs(),
            latency_ms: latency_ms(t),
            load: load(t),
            misses: t.misses.load(Relaxed),
            device: t.device.load().to_string(),
            underruns: t.gaps(),
            overflows: t.overflows.load(Relaxed),
            steps_now: t.steps_now.load(Relaxed),
            hop_now_ms: hop_now_ms(t),
            hop_longer: t.hop_longer.load(Relaxed),
            notes: t.notes.load(Relaxed),
            frames_played: t.frames_played.load(Relaxed),
            stream_frames: t.stream_frames.load(Relaxed),
            peak_dbfs: level_dbfs(t.peak.load(Relaxed)),
            rms_dbfs: level_dbfs(t.rms.load(Relaxed)),
            programs: self.programs().to_vec(),
            missing_banks: (0..CHANNELS).map(|n| t.missing_banks.get(n)).collect(),
            volumes: (0..CHANNELS).map(|n| self.now(Sent::Controller(7), n)).collect(),
            expressions: (0..CHANNELS).map(|n| self.now(Sent::Controller(11), n)).collect(),
            part_dbfs: t.part_levels.iter().map(|level| level_dbfs(level.load(Relaxed))).collect(),
            part_notes: t.part_notes.iter().map(|notes| notes.load(Relaxed)).collect(),
            stolen: t.stolen.load(Relaxed),
            settings: settings.clone(),
            recording: self.recorder.state().status(),
            panel: vec![],
            osc,
            findings: vec![],
        };
        let facts = Facts {
            is_deaf: t.is_deaf.load(Relaxed),
            is_refused: is_refused(),
            unsaved: t.unsaved.load().to_string(),
        };
        status.findings = findings(&status, &facts);
        status
    }

    /// The program of each channel.
    pub fn programs(&self) -> [u8; CHANNELS] {
        std::array::from_fn(|channel| self.now(Sent::Program, channel))
    }

    fn now(&self, what: Sent, channel: usize) -> u8 {
        match self.sent.get(&(what, channel)) {
            Some((value, _)) => *value,
            None => what.current(&self.telemetry, channel),
        }
    }
}

/// How long the last hop was, ms.
fn hop_now_ms(t: &Telemetry) -> f64 {
    f64::from(t.hop_us.load(Relaxed)) / 1e3
}

fn latency_ms(telemetry: &Telemetry) -> f64 {
    telemetry.latency_us.load(Relaxed) as f64 / 1000.0
}

/// Rounds to hundredths, so that subscribers only get changes that matter.
fn load(telemetry: &Telemetry) -> f64 {
    (f64::from(telemetry.load_permille.load(Relaxed)) / 10.0).round() / 100.0
}

/// The level in dBFS, rounded to tenths, of an amplitude given by its bits; anything else is
/// silence.
fn level_dbfs(bits: u32) -> f64 {
    let db = 20.0 * f64::from(f32::from_bits(bits)).log10();
    if db.is_finite() { (db.max(SILENCE_DBFS) * 10.0).round() / 10.0 } else { SILENCE_DBFS }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels() {
        for (amplitude, db) in [(1.0f32, 0.0), (0.5, -6.0), (0.0, -120.0), (1e-30, -120.0)] {
            assert_eq!(level_dbfs(amplitude.to_bits()), db);
        }
        for odd in [f32::NAN, f32::INFINITY, -1.0] {
            assert_eq!(level_dbfs(odd.to_bits()), SILENCE_DBFS);
        }
    }

    #[test]
    fn values_have_the_type_of_their_parameter() {
        let (recorder, _tap) = crate::recording::start().unwrap();
        let values = Values::new(Arc::default(), Arc::default(), recorder.recorder());
        let settings = Settings::default();
        for (id, value) in values.ids.iter().zip(values.all(&settings)) {
            let fits = match id.parameter.kind {
                Kind::Number => matches!(value, Value::Number(_) | Value::Model),
                Kind::Whole => matches!(value, Value::Whole(_)),
                Kind::Bool => matches!(value, Value::Bool(_)),
                Kind::Text => matches!(value, Value::Text(_) | Value::Model),
                Kind::Pair => matches!(value, Value::Pair(..)),
            };
            assert!(fits, "{} {value:?}", id.address());
        }
    }
}
