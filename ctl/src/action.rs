//! The actions of the daemon as a whole: presets, ports, devices and files. One table of addresses
//! is the source of requests, answers and the reference page. It knows no socket and no thread.

use rosc::OscType;

use crate::arguments::{no_arguments, trigger, wrong_arguments};
use crate::error::ControlError;

/// Something to do or to answer that is not a value of the table of parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is documented by the help of its row")]
pub enum Action {
    Reload,
    SaveState,
    ListPresets,
    SavePreset(String),
    LoadPreset(String),
    DeletePreset(String),
    NextPreset,
    PreviousPreset,
    ListPorts,
    ConnectPort(String),
    DisconnectPort(String),
    ListDevices,
    Device,
    UseDevice(String),
    ListInstruments,
    /// Loads a model, which is set at its address in the table of parameters.
    UseModel(String),
}

/// The arguments of an action.
#[derive(Debug, Clone)]
enum Takes {
    /// None: it is a question.
    Nothing(Action),
    /// None, or that of a button: it acts when the button is pressed.
    Button(Action),
    /// A name.
    Name(fn(String) -> Action),
    /// A name, or none as a question.
    NameOrNothing(fn(String) -> Action, Action),
}

/// A row of the table.
#[derive(Debug, Clone)]
pub struct Row {
    /// The address of the request, and of the answer if there is one.
    pub address: &'static str,
    takes: Takes,
    /// One line of help.
    pub help: &'static str,
}

/// Reads the configuration file again.
pub const RELOAD: &str = "/config/reload";
/// Answers how well the model plays every program.
pub const INSTRUMENTS: &str = "/engine/instruments";
/// Writes the state file.
pub const SAVE_STATE: &str = "/state/save";

/// Every action, in the order of the reference page.
pub static ACTIONS: [Row; 14] = [
    row("/preset/list", Takes::Nothing(Action::ListPresets), "The names of all presets"),
    row(
        "/preset/save",
        Takes::Name(Action::SavePreset),
        "Keeps programs, channel strips, master and engine settings under a name",
    ),
    row("/preset/load", Takes::Name(Action::LoadPreset), "Sets everything as a preset has it"),
    row("/preset/delete", Takes::Name(Action::DeletePreset), "Forgets a preset"),
    row(
        "/preset/next",
        Takes::Button(Action::NextPreset),
        "Loads the preset after the last one by name; answered with its name",
    ),
    row(
        "/preset/prev",
        Takes::Button(Action::PreviousPreset),
        "Loads the preset before the last one by name; answered with its name",
    ),
    row(
        "/midi/ports",
        Takes::Nothing(Action::ListPorts),
        "Every MIDI port that could be heard, each with whether it is",
    ),
    row(
        "/midi/connect",
        Takes::Name(Action::ConnectPort),
        "Listens to a port, by its name or a part of it, also where a rule ignores it",
    ),
    row(
        "/midi/disconnect",
        Takes::Name(Action::DisconnectPort),
        "Listens to a port no more and releases its notes",
    ),
    row(
        "/audio/devices",
        Takes::Nothing(Action::ListDevices),
        "Every sound device, each with whether it plays",
    ),
    row(
        "/audio/device",
        Takes::NameOrNothing(Action::UseDevice, Action::Device),
        "Plays through a device, by its name or a part of it, until the next start; without a \
         name: which one plays",
    ),
    row(
        INSTRUMENTS,
        Takes::Nothing(Action::ListInstruments),
        "How each of the 128 programs sounds with the model that plays: good, fair, poor, unrated, \
         or the program that is played in its place",
    ),
    row(RELOAD, Takes::Button(Action::Reload), "Reads the config file again"),
    row(SAVE_STATE, Takes::Button(Action::SaveState), "Writes the state file now"),
];

const fn row(address: &'static str, takes: Takes, help: &'static str) -> Row {
    Row { address, takes, help }
}

impl Row {
    /// The types of its arguments in the notation of OSC; a nil for none.
    pub const fn osc_type(&self) -> &'static str {
        match self.takes {
            Takes::Nothing(_) | Takes::Button(_) => "N",
            Takes::Name(_) | Takes::NameOrNothing(..) => "s",
        }
    }

    /// Its arguments, in words.
    pub const fn wanted(&self) -> &'static str {
        match self.takes {
            Takes::Nothing(_) | Takes::Button(_) => "wanted none",
            Takes::Name(_) => "wanted a name",
            Takes::NameOrNothing(..) => "wanted a name, or nothing",
        }
    }
}

/// Reads a message to an address of the table: gives the row, and the action unless a button was
/// released. None for other addresses.
///
/// # Errors
/// The arguments are wrong.
pub fn read(
    address: &str,
    args: &[OscType],
) -> Result<Option<(&'static Row, Option<Action>)>, ControlError> {
    let Some(row) = ACTIONS.iter().find(|row| row.address == address) else { return Ok(None) };
    let action = match (&row.takes, args) {
        (Takes::Nothing(action), _) => {
            no_arguments(address, args).map(|()| Some(action.clone()))?
        }
        (Takes::Button(action), _) => trigger(address, args)?.then(|| action.clone()),
        (Takes::Name(named) | Takes::NameOrNothing(named, _), [OscType::String(name)]) => {
            Some(named(name.clone()))
        }
        (Takes::NameOrNothing(_, question), []) => Some(question.clone()),
        _ => return Err(wrong_arguments(address, args, row.wanted())),
    };
    Ok(Some((row, action)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    fn ask(address: &str, args: &[OscType]) -> Result<Option<Action>, Code> {
        read(address, args).map(|found| found.expect("a row").1).map_err(|e| e.code)
    }

    #[test]
    fn every_action_is_asked_for_in_its_way_only() {
        let name = OscType::String("x y".to_owned());
        for row in &ACTIONS {
            let (bare, named) =
                (ask(row.address, &[]), ask(row.address, std::slice::from_ref(&name)));
            let (takes_none, takes_name) = match &row.takes {
                Takes::Nothing(_) | Takes::Button(_) => (true, false),
                Takes::Name(_) => (false, true),
                Takes::NameOrNothing(..) => (true, true),
            };
            assert_eq!(bare.is_ok(), takes_none, "{} {bare:?}", row.address);
            assert_eq!(named.is_ok(), takes_name, "{} {named:?}", row.address);
            let two = ask(row.address, &[name.clone(), name.clone()]);
            assert_eq!(two, Err(Code::WrongArguments), "{}", row.address);
            assert!(!row.help.is_empty());
        }
        let load = ask("/preset/load", &[name]);
        assert_eq!(load, Ok(Some(Action::LoadPreset("x y".to_owned()))));
        assert!(read("/preset/lod", &[]).unwrap().is_none());
    }

    #[test]
    fn a_button_acts_when_pressed() {
        assert_eq!(ask("/preset/next", &[OscType::Int(1)]), Ok(Some(Action::NextPreset)));
        assert_eq!(ask("/preset/next", &[OscType::Float(0.0)]), Ok(None));
        assert_eq!(ask("/preset/list", &[OscType::Int(1)]), Err(Code::WrongArguments));
    }

    #[test]
    fn addresses_are_unique() {
        for (i, row) in ACTIONS.iter().enumerate() {
            assert!(ACTIONS[..i].iter().all(|other| other.address != row.address));
        }
    }
}
