//! The meaning of OSC messages, and how values are written in OSC. Apart from the tables of
//! parameters and actions, this is the only file with addresses. It knows no socket.
//!
//! * An address without arguments is a question. `i f h d T F` are accepted for any number.
//! * Velocity and controller values: a float up to 1.0 is a share of 127, anything else a MIDI
//!   value; a velocity of 0 releases the key. Bend is -1 to 1.
//! * `/panic` and the like need no argument; a button that sends 1 when pressed and 0 when released
//!   acts once.
//! * `/ping` is answered when all earlier requests of its sender are done. Other questions are
//!   answered at once.
//! * A pattern matches parameters and what is played on channels, but not `/panic` and the like.

use std::net::IpAddr;
use std::sync::OnceLock;

use rosc::{OscMessage, OscType};

use crate::action::{self, Action};
use crate::arguments::{
    FASTEST_HZ, midi_value, no_arguments, number, subscription, trigger, value, wrong_arguments,
};
use crate::error::{Code, ControlError};
use crate::instruments;
use crate::learn::{self, LEARN, Learn};
use crate::parameters::{CHANNELS, Id, Key, ids, unknown};
use crate::pattern::{Pattern, is_pattern};
use crate::value::Value;

/// `token`: lets the client do everything from then on, and is answered with the word `timbred`. It
/// is needed only if `[remote] token` is set.
pub const AUTH: &str = "/auth";
/// The answer to a wrong request: address, code, text.
pub const ERROR: &str = "/error";
/// Answered with the same argument and the word `timbred`.
pub const PING: &str = "/ping";
/// Answered with `timbred` and its version.
pub const VERSION: &str = "/version";
/// Answered with [`crate::status::Status`] as JSON.
pub const STATUS: &str = "/status";
/// `[host] [port] [pattern] [hz]`: sends changes for [`LEASE_S`] seconds.
pub const SUBSCRIBE: &str = "/subscribe";
/// `[host] [port] [pattern]`: ends the sending of changes.
pub const UNSUBSCRIBE: &str = "/unsubscribe";
/// Silences everything, releases all pedals and ends all notes.
pub const PANIC: &str = "/panic";
/// Releases all keys; pedals still hold notes.
pub const ALL_NOTES_OFF: &str = "/allnotesoff";
/// Silences everything.
pub const ALL_SOUND_OFF: &str = "/allsoundoff";
/// `[path]`: starts a recording, and is answered with its WAV file. Without a path the time is the
/// name.
pub const RECORD_START: &str = "/record/start";
/// Answered with the addresses at which a browser finds the panel, without any if there is no
/// panel.
pub const PANEL: &str = "/remote/panel";
/// Ends the recording, and is answered with its last WAV file and the length of all files in
/// seconds.
pub const RECORD_STOP: &str = "/record/stop";

/// How long a subscription lasts if it is not renewed, seconds.
pub const LEASE_S: i32 = 120;
/// The second argument of the answer to [`PING`].
pub const NAME: &str = "timbred";
/// The pattern that matches everything.
pub const EVERYTHING: &str = "//*";

/// A request, of which a message may have several.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// The value is wanted.
    Get(Id),
    /// The value is set.
    Set {
        /// The parameter.
        id: Id,
        /// The value, in the range of the parameter.
        value: Value,
        /// Whether it is exactly the value that was sent, not a clamped one.
        exact: bool,
    },
    /// A MIDI channel message.
    Midi([u8; 3]),
    /// These controllers with value 0 on all channels.
    Controllers(&'static [u8]),
    /// Changes are wanted.
    Subscribe(Subscription),
    /// No changes are wanted any more.
    Unsubscribe {
        /// The target; that of the sender if none is named.
        host: Option<IpAddr>,
        /// The target; that of the sender if none is named.
        port: Option<u16>,
        /// Ends only the subscription with this pattern, if there is one.
        pattern: Option<Pattern>,
    },
    /// An answer is wanted, with this argument.
    Ping(Option<OscType>),
    /// The version is wanted.
    Version,
    /// The status is wanted.
    Status,
    /// An action of the daemon as a whole, which may be answered later.
    Do {
        /// The address of the answer.
        address: &'static str,
        /// The action.
        action: Action,
    },
    /// A request about the assignment of controllers.
    Learn(Learn),
    /// A recording begins, into this file.
    RecordStart(Option<String>),
    /// The recording ends.
    RecordStop,
    /// The addresses of the panel are wanted.
    Panel,
    /// A client gives the token.
    Auth(String),
}

/// A wish for changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscription {
    /// The target; that of the sender if none is named.
    pub host: Option<IpAddr>,
    /// The target; that of the sender if none is named.
    pub port: Option<u16>,
    /// The parameters.
    pub pattern: Pattern,
    /// The most messages a second about one value.
    pub hz: f64,
}

/// Something that a pattern can match.
#[derive(Debug, Clone, Copy)]
enum Place {
    Value(Id),
    Note(u8),
    Controller(u8),
    Bend(u8),
}

fn places() -> &'static [(String, Place)] {
    static PLACES: OnceLock<Vec<(String, Place)>> = OnceLock::new();
    PLACES.get_or_init(|| {
        let values = ids().map(|id| (id.address(), Place::Value(id)));
        let play = (0..CHANNELS as u8).flat_map(|channel| {
            let at = |name: &str| format!("/ch/{}/{name}", channel + 1);
            [
                (at("note"), Place::Note(channel)),
                (at("cc"), Place::Controller(channel)),
                (at("bend"), Place::Bend(channel)),
            ]
        });
        values.chain(play).collect()
    })
}

/// Reads the requests of a message.
///
/// # Errors
/// The address is unknown, the arguments are wrong, or the value is not possible.
pub fn read(message: &OscMessage) -> Result<Vec<Request>, ControlError> {
    let (address, args) = (message.addr.as_str(), message.args.as_slice());
    if is_pattern(address) {
        return read_pattern(address, args);
    }
    if let Some((row, action)) = action::read(address, args)? {
        let request = action.map(|action| Request::Do { address: row.address, action });
        return Ok(request.into_iter().collect());
    }
    let acts = |request| Ok(if trigger(address, args)? { vec![request] } else { Vec::new() });
    match address {
        // Errors and answers are not answered, so that two daemons cannot answer each other for
        // ever.
        ERROR => Ok(Vec::new()),
        PING => match args {
            [] => Ok(vec![Request::Ping(None)]),
            [OscType::String(name)] if name == NAME => Ok(Vec::new()),
            [token] => Ok(vec![Request::Ping(Some(token.clone()))]),
            _ => Ok(Vec::new()),
        },
        VERSION => no_arguments(address, args).map(|()| vec![Request::Version]),
        STATUS => no_arguments(address, args).map(|()| vec![Request::Status]),
        PANEL => no_arguments(address, args).map(|()| vec![Request::Panel]),
        SUBSCRIBE => subscription(address, args).map(|s| {
            let (host, port, hz) = (s.host, s.port, s.hz.unwrap_or(FASTEST_HZ));
            let pattern = s.pattern.or_else(|| Pattern::new(EVERYTHING).ok());
            pattern
                .map(|pattern| Request::Subscribe(Subscription { host, port, pattern, hz }))
                .into_iter()
                .collect()
        }),
        UNSUBSCRIBE => subscription(address, args)
            .map(|s| vec![Request::Unsubscribe { host: s.host, port: s.port, pattern: s.pattern }]),
        PANIC => acts(Request::Controllers(&[120, 123, 121])),
        ALL_NOTES_OFF => acts(Request::Controllers(&[123])),
        ALL_SOUND_OFF => acts(Request::Controllers(&[120])),
        RECORD_START => match args {
            [OscType::String(path)] => Ok(vec![Request::RecordStart(Some(path.clone()))]),
            _ => acts(Request::RecordStart(None)).map_err(|e| {
                let text = e.text.replace("wanted none", "wanted a path, or none");
                ControlError::new(e.code, text)
            }),
        },
        RECORD_STOP => acts(Request::RecordStop),
        AUTH => match args {
            [OscType::String(token)] => Ok(vec![Request::Auth(token.clone())]),
            _ => Err(wrong_arguments(address, args, "wanted the token, a text")),
        },
        LEARN => learn::read(args).map(|learn| vec![Request::Learn(learn)]),
        _ => match places().iter().find(|(known, _)| known == address) {
            Some((_, place)) => at_place(address, *place, args).map(|request| vec![request]),
            None => Err(unknown(address)),
        },
    }
}

fn read_pattern(address: &str, args: &[OscType]) -> Result<Vec<Request>, ControlError> {
    let pattern = Pattern::new(address).map_err(|e| ControlError::new(Code::UnknownAddress, e))?;
    let mut found = places().iter().filter(|(known, _)| pattern.matches(known)).peekable();
    if found.peek().is_none() {
        return Err(ControlError::new(
            Code::UnknownAddress,
            format!("nothing matches {address}; `timbrectl parameters` lists what there is"),
        ));
    }
    let requests: Vec<Request> = found
        .filter(|(_, place)| match place {
            Place::Value(id) => args.is_empty() || id.parameter.settable(),
            _ => !args.is_empty(),
        })
        .map(|(known, place)| at_place(known, *place, args))
        .collect::<Result<_, _>>()?;
    if requests.is_empty() {
        let can = if args.is_empty() { "asked for" } else { "set" };
        let text = format!("nothing that matches {address} can be {can}");
        return Err(ControlError::new(Code::ReadOnly, text));
    }
    Ok(requests)
}

fn at_place(address: &str, place: Place, args: &[OscType]) -> Result<Request, ControlError> {
    let wrong = |wanted: &str| wrong_arguments(address, args, wanted);
    match place {
        Place::Value(id) if args.is_empty() => Ok(Request::Get(id)),
        Place::Value(id) if !id.parameter.settable() => Err(ControlError::new(
            Code::ReadOnly,
            format!("{address} can be asked for and not set"),
        )),
        Place::Value(id) => {
            let value = match args {
                [one] => value(one),
                _ => None,
            };
            let sent = value.ok_or_else(|| wrong(&id.parameter.wanted()))?;
            set(id, &sent).map_err(|e| ControlError::new(e.code, format!("{address}: {}", e.text)))
        }
        Place::Note(channel) => match args {
            [key, velocity] => {
                let key = midi_value(key, false);
                match (key, midi_value(velocity, true)) {
                    (Some(key), Some(0)) => Ok(Request::Midi([0x80 | channel, key, 0])),
                    (Some(key), Some(velocity)) => {
                        Ok(Request::Midi([0x90 | channel, key, velocity]))
                    }
                    _ => Err(wrong("wanted a key and a velocity")),
                }
            }
            _ => Err(wrong("wanted a key (0 to 127) and a velocity (0 to 1 or 0 to 127)")),
        },
        Place::Controller(channel) => match args {
            [controller, value] => {
                let controller = midi_value(controller, false);
                match (controller, midi_value(value, true)) {
                    (Some(c), Some(value)) => Ok(Request::Midi([0xb0 | channel, c, value])),
                    _ => Err(wrong("wanted a controller and a value")),
                }
            }
            _ => Err(wrong("wanted a controller (0 to 127) and a value (0 to 1 or 0 to 127)")),
        },
        Place::Bend(channel) => match args {
            [bend] => {
                let bend = number(bend).ok_or_else(|| wrong("wanted a number from -1 to 1"))?;
                let up = if bend < 0.0 { 8192.0 } else { 8191.0 };
                let bits = (8192.0 + bend.clamp(-1.0, 1.0) * up).round() as u16;
                Ok(Request::Midi([0xe0 | channel, (bits & 0x7f) as u8, (bits >> 7) as u8]))
            }
            _ => Err(wrong("wanted a number from -1 to 1")),
        },
    }
}

/// Setting a value; the name of an instrument is completed.
fn set(id: Id, sent: &Value) -> Result<Request, ControlError> {
    let mut value = id.parameter.accept(sent)?;
    if let (Key::Instrument, Value::Text(name)) = (id.parameter.key, &value) {
        let program = instruments::program(id.channel, name)
            .map_err(|e| ControlError::new(Code::BadValue, e))?;
        value = Value::Text(instruments::name(id.channel, program).to_owned());
    }
    let exact = match (sent, &value) {
        (Value::Number(a), Value::Number(b)) => a == b,
        (Value::Number(a), Value::Whole(b)) => *a == *b as f64,
        (Value::Whole(a), Value::Number(b)) => *a as f64 == *b,
        (Value::Whole(a), Value::Whole(b)) => a == b,
        _ => true,
    };
    Ok(Request::Set { id, value, exact })
}

/// A message.
pub fn message(address: impl Into<String>, args: Vec<OscType>) -> OscMessage {
    OscMessage { addr: address.into(), args }
}

/// The message of an error: `/error ,sis address code text`.
pub fn error(address: &str, error: &ControlError) -> OscMessage {
    let shown: String = address.chars().take(256).collect();
    let args = vec![shown.into(), error.code.number().into(), error.text.clone().into()];
    message(ERROR, args)
}

#[cfg(test)]
#[path = "osc_tests.rs"]
mod tests;
