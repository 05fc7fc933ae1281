//! Which ports there are, which of them are heard, and why: by themselves, or because somebody said so. Knows no port's library.
//! Used by the thread `timbred-ports`.

use std::collections::HashMap;
use std::time::Instant;

use crate::live::queues::{Midi, MidiInput, MidiSender, SourceId};

/// A port that could be heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// As the system names it.
    pub name: String,
    /// Whether it is heard.
    pub is_heard: bool,
}

struct Known<C> {
    id: String,
    name: String,
    /// What keeps it heard, and the source its notes have.
    connection: Option<(SourceId, C)>,
    /// Whether it was said that it refuses.
    is_told: bool,
}

/// All ports; `C` is a connection, which ends when dropped.
pub struct Heard<C> {
    known: Vec<Known<C>>,
    /// What somebody said of a port, by its name: it may go and come back.
    wishes: HashMap<String, bool>,
    queue: MidiSender,
}

impl<C> Heard<C> {
    /// No ports yet; `queue` leads to inference, which is told whose notes are to be released.
    pub fn new(queue: MidiSender) -> Self {
        Self { known: Vec::new(), wishes: HashMap::new(), queue }
    }

    /// Takes the ports there are now, each with its id and its name: connects the new ones, forgets those that are gone.
    pub fn look(
        &mut self,
        there: Vec<(String, String)>,
        is_deaf: impl Fn(&str) -> bool,
        connect: impl Fn(&str) -> Result<(SourceId, C), String>,
    ) {
        let queue = &self.queue;
        self.known.retain_mut(|port| {
            let stays = there.iter().any(|(id, name)| port.id == *id && port.name == *name);
            if !stays {
                tracing::info!("MIDI port {}: gone; its notes are released", port.name);
                port.let_go(queue);
            }
            stays
        });
        for (id, name) in there {
            if !self.known.iter().any(|port| port.id == id) {
                self.known.push(Known { id, name, connection: None, is_told: false });
            }
        }
        for port in self.known.iter_mut().filter(|port| port.connection.is_none()) {
            let wish = self.wishes.get(&port.name).copied();
            // One that refuses is asked again at every look, and complained of once.
            if wish.unwrap_or_else(|| !is_deaf(&port.name))
                && let Err(e) = port.connect(&connect)
                && !std::mem::replace(&mut port.is_told, true)
            {
                tracing::warn!("MIDI port {}: {e}", port.name);
            }
        }
    }

    /// The ports there are.
    pub fn list(&self) -> Vec<Port> {
        let port =
            |port: &Known<C>| Port { name: port.name.clone(), is_heard: port.connection.is_some() };
        self.known.iter().map(port).collect()
    }

    /// Listens to a port or does so no more, also when it comes back.
    ///
    /// # Errors
    /// There is none of that name; it refuses.
    pub fn listen(
        &mut self,
        name: &str,
        wanted: bool,
        connect: impl Fn(&str) -> Result<(SourceId, C), String>,
    ) -> Result<(), String> {
        let gone = || format!("the MIDI port {name} is gone");
        let port = self.known.iter_mut().find(|port| port.name == name).ok_or_else(gone)?;
        self.wishes.insert(name.to_owned(), wanted);
        if !wanted {
            port.let_go(&self.queue);
            return Ok(());
        }
        port.connect(connect).map_err(|e| format!("the MIDI port {name} cannot be heard: {e}"))
    }
}

impl<C> Known<C> {
    fn connect(
        &mut self,
        connect: impl Fn(&str) -> Result<(SourceId, C), String>,
    ) -> Result<(), String> {
        if self.connection.is_none() {
            self.connection = Some(connect(&self.id)?);
            tracing::info!("MIDI port {}: connected", self.name);
        }
        Ok(())
    }

    /// Ends the connection first: nothing comes after the release.
    fn let_go(&mut self, queue: &MidiSender) {
        if let Some((source, connection)) = self.connection.take() {
            drop(connection);
            queue.send(MidiInput { at: Instant::now(), source, midi: Midi::Gone });
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::live::queues::{MidiReceiver, midi_queue};

    /// Ports, what inference hears, and how often something was connected.
    struct Rig {
        heard: Heard<()>,
        midi: MidiReceiver,
        connected: Cell<u32>,
    }

    impl Rig {
        fn new() -> Self {
            let (queue, midi) = midi_queue();
            Self { heard: Heard::new(queue), midi, connected: Cell::new(0) }
        }

        fn look(&mut self, there: &[&str]) -> String {
            let there = there.iter().map(|n| (format!("id {n}"), (*n).to_owned())).collect();
            let Self { heard, connected, .. } = self;
            heard.look(there, |name| name.starts_with("deaf"), |_| Ok(next(connected)));
            self.list()
        }

        fn listen(&mut self, name: &str, wanted: bool) -> Result<(), String> {
            let Self { heard, connected, .. } = self;
            heard.listen(name, wanted, |_| Ok(next(connected)))
        }

        /// The ports, those that are heard with a star.
        fn list(&self) -> String {
            let star = |p: Port| format!("{}{} ", p.name, if p.is_heard { "*" } else { "" });
            self.heard.list().into_iter().map(star).collect::<String>().trim_end().to_owned()
        }

        fn released(&self) -> Vec<u32> {
            let gone = |input: MidiInput| (input.midi == Midi::Gone).then_some(input.source.0);
            std::iter::from_fn(|| self.midi.next()).filter_map(gone).collect()
        }
    }

    fn next(connected: &Cell<u32>) -> (SourceId, ()) {
        connected.set(connected.get() + 1);
        (SourceId(connected.get()), ())
    }

    #[test]
    fn all_ports_are_heard_but_those_a_rule_ignores() {
        let mut rig = Rig::new();
        assert_eq!(rig.look(&["a", "deaf"]), "a* deaf");
        assert_eq!(rig.look(&["deaf", "a", "b"]), "a* deaf b*");
        assert_eq!(rig.connected.get(), 2, "each once");
        assert_eq!(rig.look(&["deaf", "b"]), "deaf b*");
        assert_eq!(rig.released(), [1]);
    }

    #[test]
    fn what_somebody_says_of_a_port_overrides_rules_and_holds_when_it_comes_back() {
        let mut rig = Rig::new();
        rig.look(&["a", "deaf"]);
        rig.listen("deaf", true).unwrap();
        rig.listen("deaf", true).unwrap();
        rig.listen("a", false).unwrap();
        assert_eq!((rig.list(), rig.connected.get()), ("a deaf*".to_owned(), 2));
        assert_eq!(rig.released(), [1], "its notes are released");
        assert_eq!(rig.look(&["a", "deaf"]), "a deaf*", "looking changes nothing");
        rig.look(&[]);
        assert_eq!(rig.look(&["a", "deaf"]), "a deaf*");
        rig.listen("a", true).unwrap();
        assert_eq!(rig.list(), "a* deaf*");
        assert!(rig.listen("b", true).unwrap_err().contains("b is gone"));
    }

    #[test]
    fn a_port_that_refuses_is_listed_and_asked_again() {
        let mut rig = Rig::new();
        let asked = Cell::new(0);
        let refuse = |_: &str| {
            asked.set(asked.get() + 1);
            Err("busy".to_owned())
        };
        for _ in 0..3 {
            rig.heard.look(vec![("1".to_owned(), "a".to_owned())], |_| false, refuse);
        }
        assert_eq!((rig.list(), asked.get()), ("a".to_owned(), 3));
        let error = rig.heard.listen("a", true, refuse).unwrap_err();
        assert_eq!(error, "the MIDI port a cannot be heard: busy");
        let there = vec![("1".to_owned(), "a".to_owned())];
        rig.heard.look(there, |_| false, |_| Ok((SourceId(1), ())));
        assert_eq!(rig.list(), "a*");
        assert_eq!(rig.released(), [0; 0]);
    }
}
