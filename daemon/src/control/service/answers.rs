//! The answers to single requests, as messages. It knows no socket and no subscriber, and the
//! thread `timbred-osc` uses it.

use rosc::{OscMessage, OscType};
use timbre_control::error::ControlError;
use timbre_control::instruments;
use timbre_control::osc::{NAME, PING, RECORD_START, RECORD_STOP, STATUS, VERSION, message};
use timbre_control::parameters::{Id, Key};
use timbre_control::settings::Channel;
use timbre_control::status::Status;
use timbre_control::value::Value;

use super::values::Sent;
use crate::recording::Recorder;

/// The answer to `/version`.
pub(super) fn version() -> OscMessage {
    message(VERSION, vec![NAME.into(), env!("CARGO_PKG_VERSION").into()])
}

/// The answer to `/status`, as JSON. Settings of channel strips are left out where they have their
/// defaults, because some clients take no more than 4096 bytes. A reader that parses it as
/// [`Status`] gets the defaults back.
pub(super) fn status(status: &Status) -> OscMessage {
    let mut json = serde_json::to_value(status).unwrap_or_default();
    let rest = serde_json::to_value(Channel::default()).unwrap_or_default();
    let channels = json.pointer_mut("/settings/channels").and_then(serde_json::Value::as_array_mut);
    for channel in channels.into_iter().flatten().filter_map(serde_json::Value::as_object_mut) {
        channel.retain(|name, value| rest.get(name) != Some(value));
    }
    message(STATUS, vec![json.to_string().into()])
}

/// Starts a recording; the answer names its file.
pub(super) fn started(recorder: &Recorder, path: Option<&str>) -> Result<OscMessage, ControlError> {
    let file = recorder.start(path)?.display().to_string();
    Ok(message(RECORD_START, vec![file.into()]))
}

/// Ends the recording; the answer names its last file and the length of all files in seconds.
pub(super) fn stopped(recorder: &Recorder) -> Result<OscMessage, ControlError> {
    let (file, seconds) = recorder.stop()?;
    Ok(message(RECORD_STOP, vec![file.display().to_string().into(), (seconds as f32).into()]))
}

/// The answer to a ping.
pub(super) fn pong(token: Option<&OscType>) -> OscMessage {
    message(PING, token.cloned().into_iter().chain([OscType::from(NAME)]).collect())
}

/// The MIDI value that a parameter stands for, and its new value; none for parameters that are
/// settings.
pub(super) fn by_midi(id: Id, value: &Value) -> Option<(Sent, u8)> {
    let what = match id.parameter.key {
        Key::Program | Key::Instrument => Sent::Program,
        Key::Controller(number) => Sent::Controller(number),
        _ => return None,
    };
    let value = match value {
        Value::Whole(value) => u8::try_from(*value).ok(),
        Value::Bool(on) => Some(if *on { 127 } else { 0 }),
        Value::Text(name) => instruments::program(id.channel, name).ok(),
        _ => None,
    };
    value.map(|value| (what, value))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_status_fits_into_what_clients_take_and_is_read_as_it_was() {
        let mut wanted = Status { part_dbfs: vec![-120.0; 16], ..Status::default() };
        for list in [&mut wanted.programs, &mut wanted.volumes, &mut wanted.expressions] {
            *list = vec![127; 16];
        }
        wanted.settings.channels[3].gain = -6.0;
        wanted.settings.channels[4].morph.amount = 0.5;
        let told = status(&wanted).args.remove(0).string().unwrap();
        assert!(told.len() < 3_000, "{} bytes", told.len());
        let read: Status = serde_json::from_str(&told).unwrap();
        assert_eq!(read.settings, wanted.settings);
    }
}
