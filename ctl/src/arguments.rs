//! The arguments of OSC messages: how numbers, MIDI values and subscriptions are written. It knows
//! no address.

use std::net::{IpAddr, Ipv4Addr};

use rosc::OscType;

use crate::error::{Code, ControlError};
use crate::pattern::Pattern;
use crate::value::{MODEL_WORD, Value};

/// The most messages a second about one value to one subscriber.
pub const FASTEST_HZ: f64 = 30.0;
/// The fewest messages a second that can be asked for.
const SLOWEST_HZ: f64 = 0.1;

/// Whether an action without a value is to be done: it has no argument, or one that is not 0.
pub(crate) fn trigger(address: &str, args: &[OscType]) -> Result<bool, ControlError> {
    match args {
        [] | [OscType::Nil | OscType::Inf] => Ok(true),
        [one] => match number(one) {
            Some(x) => Ok(x != 0.0),
            None => Err(wrong_arguments(address, args, "wanted none")),
        },
        _ => Err(wrong_arguments(address, args, "wanted none")),
    }
}

pub(crate) fn no_arguments(address: &str, args: &[OscType]) -> Result<(), ControlError> {
    match args {
        [] | [OscType::Nil] => Ok(()),
        _ => Err(wrong_arguments(address, args, "wanted none")),
    }
}

#[derive(Default)]
pub(crate) struct Wanted {
    pub(crate) host: Option<IpAddr>,
    pub(crate) port: Option<u16>,
    pub(crate) pattern: Option<Pattern>,
    pub(crate) hz: Option<f64>,
}

/// `[host] [port] [pattern] [hz]`: a text that begins with / is the pattern, a number before it the
/// port.
pub(crate) fn subscription(address: &str, args: &[OscType]) -> Result<Wanted, ControlError> {
    let bad = |text: String| ControlError::new(Code::BadValue, text);
    let mut wanted = Wanted::default();
    let mut rest = args;
    if let [OscType::String(host), after @ ..] = rest
        && !host.starts_with('/')
    {
        wanted.host = Some(match host.as_str() {
            "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
            host => host.parse().map_err(|_| {
                let shown: String = host.chars().take(40).collect();
                bad(format!("found the host {shown}, wanted an IP address"))
            })?,
        });
        rest = after;
    }
    if let [first, after @ ..] = rest
        && let Some(port) = number(first)
    {
        if !(1.0..=65535.0).contains(&port) || port.fract() != 0.0 {
            return Err(bad(format!("found the port {port}, wanted 1 to 65535")));
        }
        wanted.port = Some(port as u16);
        rest = after;
    }
    if let [OscType::String(pattern), after @ ..] = rest {
        wanted.pattern = Some(Pattern::new(pattern).map_err(bad)?);
        rest = after;
    }
    if let [first, after @ ..] = rest
        && let Some(hz) = number(first)
    {
        wanted.hz = Some(hz.clamp(SLOWEST_HZ, FASTEST_HZ));
        rest = after;
    }
    if rest.is_empty() {
        Ok(wanted)
    } else {
        Err(wrong_arguments(address, args, "wanted [host] [port] [pattern] [hz]"))
    }
}

pub(crate) fn wrong_arguments(address: &str, args: &[OscType], wanted: &str) -> ControlError {
    let tags: String = args.iter().take(16).map(tag).collect();
    let found = if tags.is_empty() { "no arguments".to_owned() } else { format!("types {tags}") };
    ControlError::new(Code::WrongArguments, format!("{address}: found {found}, {wanted}"))
}

fn tag(arg: &OscType) -> char {
    match arg {
        OscType::Int(_) => 'i',
        OscType::Float(_) => 'f',
        OscType::String(_) => 's',
        OscType::Blob(_) => 'b',
        OscType::Time(_) => 't',
        OscType::Long(_) => 'h',
        OscType::Double(_) => 'd',
        OscType::Char(_) => 'c',
        OscType::Color(_) => 'r',
        OscType::Midi(_) => 'm',
        OscType::Bool(true) => 'T',
        OscType::Bool(false) => 'F',
        OscType::Array(_) => '[',
        OscType::Nil => 'N',
        OscType::Inf => 'I',
    }
}

/// The value of an argument; none for types that no parameter has.
pub fn value(arg: &OscType) -> Option<Value> {
    Some(match arg {
        OscType::Int(x) => Value::Whole((*x).into()),
        OscType::Long(x) => Value::Whole(*x),
        // By way of the shortest decimal number, so that 0.1 stays 0.1.
        OscType::Float(x) => Value::Number(x.to_string().parse().unwrap_or_else(|_| (*x).into())),
        OscType::Double(x) => Value::Number(*x),
        OscType::Bool(x) => Value::Bool(*x),
        OscType::String(x) => Value::Text(x.clone()),
        OscType::Nil => Value::Model,
        _ => return None,
    })
}

pub(crate) fn number(arg: &OscType) -> Option<f64> {
    match value(arg)? {
        Value::Number(x) if !x.is_nan() => Some(x),
        Value::Whole(x) => Some(x as f64),
        Value::Bool(x) => Some(f64::from(u8::from(x))),
        _ => None,
    }
}

/// A MIDI data byte. If shares are allowed, a float up to 1.0 is a share of 127, and one above 0
/// never becomes 0.
pub(crate) fn midi_value(arg: &OscType, share: bool) -> Option<u8> {
    let full = 127.0;
    let x = number(arg)?;
    let is_share = share && x <= 1.0 && !matches!(arg, OscType::Int(_) | OscType::Long(_));
    let x = if is_share { x * full } else { x };
    let byte = x.round().clamp(0.0, full) as u8;
    Some(if share && x > 0.0 { byte.max(1) } else { byte })
}

/// The arguments for a value.
pub fn arguments(value: &Value) -> Vec<OscType> {
    match value {
        Value::Number(x) => vec![OscType::Float(*x as f32)],
        Value::Whole(x) => vec![i32::try_from(*x).map_or(OscType::Long(*x), OscType::Int)],
        Value::Bool(x) => vec![OscType::Bool(*x)],
        Value::Text(x) => vec![OscType::String(x.clone())],
        Value::Model => vec![OscType::String(MODEL_WORD.to_owned())],
        Value::Pair(a, b) => vec![OscType::Float(*a as f32), OscType::Float(*b as f32)],
    }
}
