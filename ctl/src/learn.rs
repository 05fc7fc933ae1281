//! MIDI learn: the assignment of controllers to parameters. It reads requests, and maps the values
//! of a controller to the range of a parameter. It knows no socket and no thread.

use rosc::OscType;

use crate::arguments::{number, wrong_arguments};
use crate::error::{Code, ControlError};
use crate::parameters::{Access, CHANNELS, Id, Key, Kind, find};
use crate::value::Value;

/// The address of requests. The answer has address, channel (1 to 16) and controller of all
/// assignments, or of the one that was just made.
pub const LEARN: &str = "/midi/learn";
/// The first controller that is a message to the whole channel.
const CHANNEL_MODE: u8 = 120;
/// The least value of a controller that means on.
const ON: u8 = 64;
const WANTED: &str = "wanted nothing, or an address, alone or with a channel and a controller, or \
    with F to forget it";

/// A request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Learn {
    /// All assignments are wanted.
    List,
    /// The next controller that moves is assigned to a parameter.
    Next(Id),
    /// A controller is assigned to a parameter.
    Bind(Id, Controller),
    /// The assignment of a parameter ends.
    Forget(Id),
}

/// A controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Controller {
    /// MIDI channel, 1 to 16.
    pub channel: u8,
    /// 0 to 119.
    pub number: u8,
}

impl Controller {
    /// A controller, if there is one of these numbers.
    pub fn new(channel: u8, number: u8) -> Option<Self> {
        let is_one = (1..=CHANNELS as u8).contains(&channel) && number < CHANNEL_MODE;
        is_one.then_some(Self { channel, number })
    }
}

/// Reads a message to [`LEARN`].
///
/// # Errors
/// Wrong arguments, an unknown address, a parameter that no controller can set, numbers of no
/// controller.
pub fn read(args: &[OscType]) -> Result<Learn, ControlError> {
    let wrong = || wrong_arguments(LEARN, args, WANTED);
    match args {
        [] => Ok(Learn::List),
        [OscType::String(address)] => learnable(address).map(Learn::Next),
        [OscType::String(address), OscType::Bool(false)] => learnable(address).map(Learn::Forget),
        [OscType::String(address), channel, controller] => {
            let id = learnable(address)?;
            let whole = |arg| number(arg).filter(|x| x.fract() == 0.0 && (0.0..=127.0).contains(x));
            let (Some(channel), Some(controller)) = (whole(channel), whole(controller)) else {
                return Err(wrong());
            };
            let found = Controller::new(channel as u8, controller as u8);
            found.map(|controller| Learn::Bind(id, controller)).ok_or_else(|| {
                let found = format!("found channel {channel}, controller {controller}");
                let wanted =
                    format!("wanted channels 1 to 16, controllers 0 to {}", CHANNEL_MODE - 1);
                ControlError::new(Code::BadValue, format!("{found}; {wanted}"))
            })
        }
        _ => Err(wrong()),
    }
}

/// The parameter at an address, if a controller can set it.
///
/// # Errors
/// There is none, or it is no number or switch of the settings.
pub fn learnable(address: &str) -> Result<Id, ControlError> {
    let id = find(address)?;
    let parameter = id.parameter;
    let is_one = parameter.access == Access::Live
        && matches!(parameter.kind, Kind::Number | Kind::Whole | Kind::Bool)
        && parameter.key != Key::Seed;
    let text = || {
        format!(
            "{address} cannot follow a controller; numbers and switches can, such as /master/gain"
        )
    };
    is_one.then_some(id).ok_or_else(|| ControlError::new(Code::ReadOnly, text()))
}

/// Maps the value of a controller, 0 to 127, to the range of a parameter. Switches are on from 64.
pub fn scaled(id: Id, value: u8) -> Value {
    let parameter = id.parameter;
    let share = f64::from(value.min(127)) / 127.0;
    let number = parameter.min + share * (parameter.max - parameter.min);
    match parameter.kind {
        Kind::Bool => Value::Bool(value >= ON),
        Kind::Whole => Value::Whole(number.round() as i64),
        _ => Value::Number(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> OscType {
        OscType::String(text.to_owned())
    }

    #[test]
    fn requests_are_read_in_their_ways_only() {
        let gain = find("/master/gain").unwrap();
        let controller = Controller { channel: 3, number: 74 };
        assert_eq!(read(&[]), Ok(Learn::List));
        assert_eq!(read(&[text("/master/gain")]), Ok(Learn::Next(gain)));
        let bind = [text("/master/gain"), OscType::Int(3), OscType::Float(74.0)];
        assert_eq!(read(&bind), Ok(Learn::Bind(gain, controller)));
        assert_eq!(read(&[text("/master/gain"), OscType::Bool(false)]), Ok(Learn::Forget(gain)));
        let code = |args: &[OscType]| read(args).unwrap_err().code;
        assert_eq!(code(&[text("/master/gian")]), Code::UnknownAddress);
        assert_eq!(code(&[OscType::Int(1)]), Code::WrongArguments);
        assert_eq!(code(&[text("/master/gain"), OscType::Bool(true)]), Code::WrongArguments);
        for (channel, number) in [(0, 1), (17, 1), (1, 120)] {
            let args = [text("/master/gain"), OscType::Int(channel), OscType::Int(number)];
            assert_eq!(code(&args), Code::BadValue, "{args:?}");
        }
        for address in ["/engine/seed", "/engine/load", "/ch/1/program", "/engine/sampler"] {
            assert_eq!(code(&[text(address)]), Code::ReadOnly, "{address}");
        }
    }

    #[test]
    fn a_controller_covers_the_range() {
        let at = |address: &str, value| scaled(find(address).unwrap(), value);
        let gain = find("/master/gain").unwrap().parameter;
        assert_eq!(at("/master/gain", 0), Value::Number(gain.min));
        assert_eq!(at("/master/gain", 127), Value::Number(gain.max));
        assert_eq!(at("/master/mute", 63), Value::Bool(false));
        assert_eq!(at("/master/mute", 64), Value::Bool(true));
        assert_eq!(at("/ch/2/transpose", 127), Value::Whole(48));
    }
}
