//! What is answered to single requests, as messages. Knows no socket and no subscriber; used by `timbred-osc`.

use rosc::{OscMessage, OscType};
use timbre_control::error::ControlError;
use timbre_control::instruments;
use timbre_control::osc::{NAME, PING, RECORD_START, RECORD_STOP, STATUS, VERSION, message};
use timbre_control::parameters::{Id, Key};
use timbre_control::status::Status;
use timbre_control::value::Value;

use super::values::Sent;
use crate::recording::Recorder;

/// The version.
pub(super) fn version() -> OscMessage {
    message(VERSION, vec![NAME.into(), env!("CARGO_PKG_VERSION").into()])
}

/// How the daemon is, as JSON.
pub(super) fn status(status: &Status) -> OscMessage {
    let json = serde_json::to_string(status).unwrap_or_default();
    message(STATUS, vec![json.into()])
}

/// Begins a recording and names its file.
pub(super) fn started(recorder: &Recorder, path: Option<&str>) -> Result<OscMessage, ControlError> {
    let file = recorder.start(path)?.display().to_string();
    Ok(message(RECORD_START, vec![file.into()]))
}

/// Ends the recording: its last file, and the length of all, seconds.
pub(super) fn stopped(recorder: &Recorder) -> Result<OscMessage, ControlError> {
    let (file, seconds) = recorder.stop()?;
    Ok(message(RECORD_STOP, vec![file.display().to_string().into(), (seconds as f32).into()]))
}

/// The answer to a ping.
pub(super) fn pong(token: Option<&OscType>) -> OscMessage {
    message(PING, token.cloned().into_iter().chain([OscType::from(NAME)]).collect())
}

/// What a value sets by MIDI, and to what; none where it is about something else.
pub(super) fn by_midi(id: Id, value: &Value) -> Option<(Sent, u8)> {
    let what = match id.parameter.key {
        Key::Program | Key::Instrument => Sent::Program,
        Key::Controller(number) => Sent::Controller(number),
        _ => return None,
    };
    let value = match value {
        Value::Whole(value) => u8::try_from(*value).ok(),
        Value::Bool(on) => Some(if *on { 127 } else { 0 }),
        Value::Text(name) => instruments::program(name).ok(),
        _ => None,
    };
    value.map(|value| (what, value))
}
