//! The commands of OSC that concern the daemon as a whole: presets, MIDI ports, sound devices and
//! files. It knows no address and no packet of OSC.

use std::sync::Arc;
use std::time::{Duration, Instant};

use timbre_control::action::Action;
use timbre_control::error::{Code, ControlError};
use timbre_control::settings::Settings;
use timbre_control::value::Value;
use timbre_models::bundle::Rating;

use super::Daemon;
use crate::control::{Command, Outcome};
use crate::live::cards;
use crate::live::choose::choose;
use crate::live::devices::{self, Choice};
use crate::live::midi::heard::Port;
use crate::live::midi::ports::Ports;
use crate::live::startup::{preparation, send_programs};
use crate::presets::{PresetError, Presets};
use crate::service::Notifier;
use crate::state::State;

/// The longest wait until inference has taken over new programs, which it does once a hop.
const TAKEN_OVER: Duration = Duration::from_millis(500);

impl Daemon {
    /// Does a command and answers it.
    pub(super) fn command(&mut self, command: Command, notifier: &Notifier) {
        let outcome = match command.action {
            Action::Reload => self.reload(notifier).map(nothing).map_err(failed),
            Action::SaveState => self.save().map(nothing).map_err(failed),
            Action::ListPresets => self.list_presets().map_err(refused),
            Action::SavePreset(name) => {
                self.save_preset(name, command.programs).map(nothing).map_err(refused)
            }
            Action::LoadPreset(name) => self.load_preset(name).map(nothing).map_err(refused),
            Action::DeletePreset(name) => self.delete_preset(&name).map(nothing).map_err(refused),
            Action::NextPreset => self.step_preset(true).map_err(refused),
            Action::PreviousPreset => self.step_preset(false).map_err(refused),
            Action::ListPorts => self.list_ports(),
            Action::ConnectPort(name) => self.listen(&name, true).map(nothing).map_err(failed),
            Action::DisconnectPort(name) => self.listen(&name, false).map(nothing).map_err(failed),
            Action::ListDevices => self.list_devices(),
            Action::ListInstruments => {
                Ok(self.ratings.load().iter().map(|rating| said(*rating)).collect())
            }
            Action::Device => Ok(self.output.iter().map(|o| Value::Text(o.name.clone())).collect()),
            // The loader answers when the model plays; the supervisor does not wait for that.
            Action::UseModel(name) => {
                let preparation = preparation(&self.loaded.config);
                return self.loader.load(name, preparation, Some(command.asker));
            }
            Action::UseDevice(name) => self.use_device(&name, command.is_local).map_err(failed),
        };
        command.asker.answer(outcome);
    }

    fn presets(&self) -> Result<Presets, PresetError> {
        Presets::beside(self.loaded.config.state.path.as_deref())
    }

    fn list_presets(&self) -> Result<Vec<Value>, PresetError> {
        Ok(self.presets()?.names()?.into_iter().map(Value::Text).collect())
    }

    fn save_preset(&mut self, name: String, programs: [u8; 16]) -> Result<(), PresetError> {
        self.presets()?.save(&name, &State { programs, ..self.current() })?;
        self.preset = Some(name);
        Ok(())
    }

    /// Applies a preset as a whole: its settings as one value, and its programs as if somebody had
    /// chosen them on a keyboard.
    fn load_preset(&mut self, name: String) -> Result<(), PresetError> {
        let preset: State<Settings> = self.presets()?.load(&name)?;
        self.settings.store(Arc::new(preset.settings.clamped()));
        let programs = preset.programs.map(|program| program.min(127));
        send_programs(&self.midi, &programs);
        self.preset = Some(name);
        // Wait until inference has taken the programs over, so that whoever gets the answer
        // "loaded" and then asks for a program gets the new one. Without a device nothing takes
        // them over.
        let until = Instant::now() + TAKEN_OVER;
        while self.current().programs != programs && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn delete_preset(&mut self, name: &str) -> Result<(), PresetError> {
        self.presets()?.delete(name)
    }

    fn step_preset(&mut self, forward: bool) -> Result<Vec<Value>, PresetError> {
        let name = self.presets()?.neighbour(self.preset.as_deref(), forward)?;
        self.load_preset(name.clone())?;
        Ok(vec![Value::Text(name)])
    }

    /// The system's ports, then JACK's.
    fn ports(&self) -> (Vec<Port>, Vec<Port>) {
        let system = self.ports.as_ref().map(Ports::list).unwrap_or(Ok(vec![]));
        let system = system.unwrap_or_else(|e| {
            tracing::warn!("{e}");
            vec![]
        });
        (system, self.jack.as_ref().map(|jack| jack.list()).unwrap_or_default())
    }

    fn list_ports(&self) -> Outcome {
        let (system, jack) = self.ports();
        let port = |p: Port| [Value::Text(p.name), Value::Bool(p.is_heard)];
        Ok(system.into_iter().chain(jack).flat_map(port).collect())
    }

    fn listen(&self, name: &str, wanted: bool) -> Result<(), String> {
        let (system, jack) = self.ports();
        let names = system.iter().chain(&jack).map(|port| port.name.as_str());
        let place = choose("MIDI port", names, name)?;
        match (system.get(place), jack.get(place.saturating_sub(system.len()))) {
            (Some(port), _) => {
                self.ports.as_ref().map_or(Ok(()), |ports| ports.listen(&port.name, wanted))
            }
            (None, Some(port)) => {
                self.jack.as_ref().map_or(Ok(()), |jack| jack.listen(&port.name, wanted))
            }
            (None, None) => Err(format!("the MIDI port {name} is gone")),
        }
    }

    fn devices(&self) -> Vec<Choice> {
        devices::list(self.loaded.config.audio.backend.name(), self.jack.is_some())
    }

    fn list_devices(&self) -> Outcome {
        let playing = self.output.as_ref().map(|output| &output.choice);
        let device = |choice: Choice| {
            let plays = playing.is_some_and(|plays| plays.is(&choice));
            [Value::Text(choice.label()), Value::Bool(plays)]
        };
        Ok(self.devices().into_iter().flat_map(device).collect())
    }

    /// Plays through another device. If it cannot be opened, the one before plays on. Only clients
    /// of this machine may name a device that is not listed, because some names of ALSA write
    /// files.
    fn use_device(&mut self, name: &str, is_local: bool) -> Result<Vec<Value>, String> {
        let wanted = match devices::meant(&self.devices(), name) {
            Ok(found) => found.into_iter().next().ok_or("it is gone")?,
            // A local client may use any name that ALSA understands.
            Err(_) if is_local && cards::opens(name) => Choice::new(devices::ALSA, name, ""),
            Err(e) => return Err(e),
        };
        let before = self.chosen.replace(wanted);
        self.dry.forget();
        // A sound card can be open once only, and the one before may be the same.
        self.close_output();
        if let Err(e) = self.open_output() {
            self.chosen = before;
            let back = match self.open_output() {
                Ok(()) => "the one before plays on".to_owned(),
                Err(e) => format!("the one before is gone, too, and timbred waits for it: {e}"),
            };
            return Err(format!("{e}; {back}"));
        }
        Ok(self.output.iter().map(|o| Value::Text(o.name.clone())).collect())
    }
}

fn nothing(_: ()) -> Vec<Value> {
    Vec::new()
}

fn failed(text: String) -> ControlError {
    ControlError::new(Code::Failed, text)
}

fn refused(error: PresetError) -> ControlError {
    let code = match error {
        PresetError::Name { .. } | PresetError::Unknown { .. } | PresetError::None => {
            Code::BadValue
        }
        PresetError::Full => Code::Full,
        _ => Code::Failed,
    };
    ControlError::new(code, error.to_string())
}

/// How a program sounds: a word, or the number of the program that is played in its place.
fn said(rating: Rating) -> Value {
    let word = match rating {
        Rating::Good => "good",
        Rating::Fair => "fair",
        Rating::Poor => "poor",
        Rating::Unrated => "unrated",
        Rating::Fallback(program) => return Value::Whole(program.into()),
    };
    Value::Text(word.to_owned())
}
