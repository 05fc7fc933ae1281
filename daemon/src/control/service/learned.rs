//! The MIDI controllers that players have assigned to parameters. They are kept in a file of their
//! own, because no preset should change what a knob does. This room knows no socket; the thread
//! `timbred-osc`, which may wait for the disk, uses it.

use std::path::PathBuf;
use std::sync::Arc;

use rosc::OscType;
use serde::{Deserialize, Serialize};
use timbre_control::learn::{Controller, Learn, learnable, scaled};
use timbre_control::parameters::Id;
use timbre_control::value::Value;

use super::clients::ClientId;
use crate::bus::queues::{CONTROLLERS, Telemetry};
use crate::state;

/// The comment at the top of the file.
const HEADER: &str = "# What MIDI controllers set, learned with `timbrectl learn`.\n\n";

/// The file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    controllers: Vec<Line>,
}

/// One controller in the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    address: String,
    channel: u8,
    controller: u8,
}

/// The effect of a controller that moved.
#[derive(Debug, PartialEq)]
pub(super) enum Moved {
    /// It sets a parameter.
    Sets(Id, Value),
    /// It was assigned to a parameter, and the client that asked for this gets an answer.
    Learned(ClientId, Vec<OscType>),
}

/// All assignments.
#[derive(Debug)]
pub(super) struct Learned {
    path: Option<PathBuf>,
    telemetry: Arc<Telemetry>,
    bindings: Vec<(Id, Controller)>,
    /// The parameter for the next controller that moves, and the client that asked for this.
    waiting: Option<(Id, ClientId)>,
    /// The values of all controllers at the last look.
    seen: Vec<Option<u8>>,
}

impl Learned {
    /// Reads the assignments from the file at `path`, except those that this version cannot set.
    pub fn load(path: Option<PathBuf>, telemetry: Arc<Telemetry>) -> Self {
        let read = path.as_deref().map_or(Ok(None), state::load::<File>);
        let file = read.unwrap_or_else(|e| {
            tracing::warn!("{e}; no controller sets anything");
            None
        });
        let known = |line: Line| {
            let known = learnable(&line.address).ok();
            let known = known.zip(Controller::new(line.channel, line.controller));
            if known.is_none() {
                tracing::warn!(
                    "controller {} of channel {}: {} is not known or cannot be set",
                    line.controller,
                    line.channel,
                    line.address
                );
            }
            known
        };
        let bindings = file.unwrap_or_default().controllers.into_iter().filter_map(known).collect();
        let seen = telemetry.controllers.all().collect();
        Self { path, telemetry, bindings, waiting: None, seen }
    }

    /// Carries out a request and returns the answer, if there is one.
    pub fn request(&mut self, learn: Learn, from: ClientId) -> Option<Vec<OscType>> {
        match learn {
            Learn::List => {
                let all = self.bindings.iter();
                return Some(all.flat_map(|(id, controller)| words(*id, *controller)).collect());
            }
            Learn::Next(id) => self.waiting = Some((id, from)),
            Learn::Bind(id, controller) => {
                self.bind(id, controller);
                return Some(words(id, controller));
            }
            Learn::Forget(id) => {
                self.waiting = self.waiting.filter(|(waiting, _)| *waiting != id);
                self.bindings.retain(|(bound, _)| *bound != id);
                self.save();
            }
        }
        None
    }

    /// Whether controllers have to be looked at often, because something depends on them.
    pub fn is_awake(&self) -> bool {
        self.waiting.is_some() || !self.bindings.is_empty()
    }

    /// The effects of the controllers that have moved since the last look.
    pub fn moved(&mut self) -> Vec<Moved> {
        let telemetry = self.telemetry.clone();
        let mut found = vec![];
        for (place, now) in telemetry.controllers.all().enumerate() {
            let Some(seen) = self.seen.get_mut(place).filter(|seen| **seen != now) else {
                continue;
            };
            *seen = now;
            let channel = (place / CONTROLLERS + 1) as u8;
            let controller = Controller::new(channel, (place % CONTROLLERS) as u8);
            let (Some(controller), Some(value)) = (controller, now) else { continue };
            if let Some((id, from)) = self.waiting.take() {
                self.bind(id, controller);
                found.push(Moved::Learned(from, words(id, controller)));
            }
            let bound = self.bindings.iter().find(|(_, bound)| *bound == controller);
            found.extend(bound.map(|(id, _)| Moved::Sets(*id, scaled(*id, value))));
        }
        found
    }

    /// Assigns `controller` to a parameter. Earlier assignments of both are forgotten.
    fn bind(&mut self, id: Id, controller: Controller) {
        self.bindings.retain(|(bound, with)| *bound != id && *with != controller);
        self.bindings.push((id, controller));
        self.save();
    }

    fn save(&self) {
        let line = |(id, controller): &(Id, Controller)| {
            let (channel, controller) = (controller.channel, controller.number);
            Line { address: id.address(), channel, controller }
        };
        let file = File { controllers: self.bindings.iter().map(line).collect() };
        let saved =
            self.path.as_deref().map_or(Ok(()), |path| state::save_under(path, HEADER, &file));
        if let Err(e) = saved {
            tracing::warn!("assignments of controllers are lost at the end: {e}");
        }
    }
}

fn words(id: Id, controller: Controller) -> Vec<OscType> {
    let (channel, number) = (i32::from(controller.channel), i32::from(controller.number));
    vec![id.address().into(), channel.into(), number.into()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from() -> ClientId {
        ClientId::Connection(9)
    }

    #[test]
    fn the_next_controller_is_learned_sets_its_parameter_and_is_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("controllers.toml");
        let telemetry = Arc::new(Telemetry::default());
        telemetry.controllers.set(0, 7, 100);
        let mut learned = Learned::load(Some(path.clone()), telemetry.clone());
        let gain = learnable("/master/gain").unwrap();
        assert_eq!(learned.request(Learn::Next(gain), from()), None);
        assert_eq!(learned.moved(), [], "nothing has moved since");
        telemetry.controllers.set(1, 74, 127);
        let words: Vec<OscType> = vec!["/master/gain".into(), 2.into(), 74.into()];
        let sets = Moved::Sets(gain, Value::Number(gain.parameter.max));
        assert_eq!(learned.moved(), [Moved::Learned(from(), words.clone()), sets]);
        telemetry.controllers.set(0, 7, 90);
        assert_eq!(learned.moved(), []);

        let mut again = Learned::load(Some(path.clone()), telemetry.clone());
        assert_eq!(again.request(Learn::List, from()), Some(words));
        telemetry.controllers.set(1, 74, 0);
        assert_eq!(again.moved(), [Moved::Sets(gain, Value::Number(gain.parameter.min))]);
        again.request(Learn::Forget(gain), from());
        telemetry.controllers.set(1, 74, 5);
        assert_eq!(again.moved(), []);
        assert_eq!(Learned::load(Some(path), telemetry).request(Learn::List, from()), Some(vec![]));
    }

    #[test]
    fn a_controller_sets_one_thing_and_a_thing_has_one_controller() {
        let mut learned = Learned::load(None, Arc::default());
        let [gain, mute] = ["/master/gain", "/master/mute"].map(|a| learnable(a).unwrap());
        let [a, b] = [1, 2].map(|number| Controller { channel: 1, number });
        learned.request(Learn::Bind(gain, a), from());
        learned.request(Learn::Bind(gain, b), from());
        learned.request(Learn::Bind(mute, b), from());
        assert_eq!(learned.bindings, [(mute, b)]);
    }
}
