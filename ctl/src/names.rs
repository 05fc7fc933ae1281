//! Turns what people write for parameters and values into addresses and messages. It knows neither
//! socket nor terminal.

use rosc::OscMessage;
use timbre_control::arguments::arguments;
use timbre_control::osc::message;
use timbre_control::parameters::{find, unknown};
use timbre_control::pattern::{Pattern, is_pattern};
use timbre_control::value::{MODEL_WORD, Value};

/// The address, or the pattern of addresses, that a name means: `steps`, `master.gain`,
/// `ch.1.gain`, `/ch/*/gain`.
///
/// # Errors
/// There is no such parameter; the error names the most similar one.
pub fn address(name: &str) -> Result<String, String> {
    let path = name.replace('.', "/");
    let path = if path.starts_with('/') {
        path
    } else if path.contains('/') {
        format!("/{path}")
    } else {
        format!("/engine/{path}")
    };
    if is_pattern(&path) {
        // The daemon answers whether it matches anything.
        return Pattern::new(&path).map(|_| path);
    }
    match find(&path) {
        Ok(_) => Ok(path),
        Err(_) => {
            Err(format!("{}; `timbrectl parameters` lists what there is", unknown(&path).text))
        }
    }
}

/// The message that sets a value.
///
/// # Errors
/// There is no such parameter, or it cannot have this value; the error says what was wanted.
pub fn set(name: &str, text: &str) -> Result<OscMessage, String> {
    let address = address(name)?;
    let value = match find(&address) {
        Ok(id) if !id.parameter.settable() => {
            return Err(format!("{address} can be asked for and not set"));
        }
        Ok(id) => id
            .parameter
            .parse_value(text)
            .map_err(|wanted| format!("{address}: found {text}, {wanted}"))?,
        // For a pattern only the daemon knows the types of the values.
        Err(_) => guess(text),
    };
    Ok(message(address, arguments(&value)))
}

fn guess(text: &str) -> Value {
    match (text.parse::<i64>(), text.parse::<f64>(), text) {
        (Ok(x), ..) => Value::Whole(x),
        (_, Ok(x), _) => Value::Number(x),
        (.., "on" | "true" | "yes") => Value::Bool(true),
        (.., "off" | "false" | "no") => Value::Bool(false),
        (.., MODEL_WORD) => Value::Model,
        _ => Value::Text(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use rosc::OscType;

    use super::*;

    #[test]
    fn names_become_addresses() {
        for (name, wanted) in [
            ("steps", "/engine/steps"),
            ("engine.steps", "/engine/steps"),
            ("/master/gain", "/master/gain"),
            ("master.gain", "/master/gain"),
            ("ch/3/mute", "/ch/3/mute"),
            ("ch.*.mute", "/ch/*/mute"),
        ] {
            assert_eq!(address(name), Ok(wanted.to_owned()));
        }
        assert!(address("stebs").unwrap_err().contains("did you mean /engine/steps?"));
        assert!(address("/ch/[").is_err());
    }

    #[test]
    fn values_are_of_the_type_of_the_parameter() {
        let args = |name, text| set(name, text).map(|m| m.args);
        assert_eq!(args("master.gain", "-6"), Ok(vec![OscType::Float(-6.0)]));
        assert_eq!(args("steps", "4"), Ok(vec![OscType::Int(4)]));
        assert_eq!(args("ch.1.mute", "on"), Ok(vec![OscType::Bool(true)]));
        assert_eq!(args("guidance", "model"), Ok(vec![OscType::String("model".to_owned())]));
        assert_eq!(args("/ch/*/gain", "-3.5"), Ok(vec![OscType::Float(-3.5)]));
        assert_eq!(args("/ch/*/mute", "off"), Ok(vec![OscType::Bool(false)]));
        let wrong = args("master.gain", "99").unwrap_err();
        assert_eq!(wrong, "/master/gain: found 99, wanted a number from -60 to 12 dB");
        assert!(args("load", "1").unwrap_err().contains("asked for and not set"));
    }
}
