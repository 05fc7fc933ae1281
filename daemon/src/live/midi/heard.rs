//! The list of MIDI ports: which there are, which of them are heard, and whether that is by default
//! or because somebody asked for it. It knows no library for ports. The thread `timbred-ports` uses
//! it.

use std::time::Instant;

use crate::bus::queues::{Midi, MidiInput, MidiSender, SourceId};

/// A port that could be heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// The name by which it is shown and chosen.
    pub name: String,
    /// Whether it is heard.
    pub is_heard: bool,
}

/// A port as the system shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct There {
    /// The number that the system gave it, which changes when the port comes back.
    pub id: String,
    /// The name of the program or keyboard, and that of the port.
    pub name: String,
    /// The socket it is plugged into, by which two keyboards of one name differ.
    pub place: String,
}

struct Known<C> {
    there: There,
    /// The connection that keeps it heard, and the source of its notes.
    connection: Option<(SourceId, C)>,
    /// Whether the log already says that it cannot be connected.
    is_told: bool,
}

/// The wish of a user about a port. The port may be unplugged and come back with another number or
/// at another socket.
struct Wish {
    name: String,
    place: String,
    wanted: bool,
}

/// All ports. `C` is a connection, which ends when it is dropped.
pub struct Heard<C> {
    known: Vec<Known<C>>,
    wishes: Vec<Wish>,
    queue: MidiSender,
}

impl<C> Heard<C> {
    /// An empty list. `queue` leads to inference and takes the notice that a source is gone, whose
    /// notes are then released.
    pub fn new(queue: MidiSender) -> Self {
        Self { known: Vec::new(), wishes: Vec::new(), queue }
    }

    /// Takes the ports that there are now, connects the new ones, and forgets those that are gone.
    pub fn look(
        &mut self,
        there: Vec<There>,
        is_deaf: impl Fn(&str) -> bool,
        mut connect: impl FnMut(&There) -> Result<(SourceId, C), String>,
    ) {
        let queue = &self.queue;
        self.known.retain_mut(|port| {
            let stays = there.contains(&port.there);
            if !stays {
                tracing::info!("MIDI port {}: gone; its notes are released", port.there.name);
                port.let_go(queue);
            }
            stays
        });
        for there in there {
            if !self.known.iter().any(|port| port.there == there) {
                self.known.push(Known { there, connection: None, is_told: false });
            }
        }
        let wishes: Vec<Option<bool>> =
            self.known.iter().map(|port| self.wish(&port.there)).collect();
        for (port, wish) in self.known.iter_mut().zip(wishes) {
            // A port that cannot be connected is tried again at every look, but logged once.
            if port.connection.is_none()
                && wish.unwrap_or_else(|| !is_deaf(&port.there.name))
                && let Err(e) = port.connect(&mut connect)
                && !std::mem::replace(&mut port.is_told, true)
            {
                tracing::warn!("MIDI port {}: {e}", port.there.name);
            }
        }
    }

    /// The wish of a user about this port: one about this name at this socket, otherwise one about
    /// this name at a socket that is empty now.
    fn wish(&self, there: &There) -> Option<bool> {
        let of_name = || self.wishes.iter().filter(|wish| wish.name == there.name);
        let is_taken = |wish: &&Wish| {
            let is_it =
                |port: &Known<C>| port.there.name == wish.name && port.there.place == wish.place;
            self.known.iter().any(is_it)
        };
        let exact = of_name().find(|wish| wish.place == there.place);
        exact.or_else(|| of_name().find(|wish| !is_taken(wish))).map(|wish| wish.wanted)
    }

    /// The ports that there are. Ports of the same name are shown with their sockets, and with
    /// their numbers if the sockets do not tell them apart.
    pub fn list(&self) -> Vec<Port> {
        let shown = |port: &Known<C>| {
            let There { id, name, place } = &port.there;
            let alike = || self.known.iter().filter(|other| other.there.name == *name);
            match (alike().count(), alike().filter(|other| other.there.place == *place).count()) {
                (..=1, _) => name.clone(),
                (_, 1) => format!("{name} ({place})"),
                _ => format!("{name} ({place}, {id})"),
            }
        };
        let port =
            |port: &Known<C>| Port { name: shown(port), is_heard: port.connection.is_some() };
        self.known.iter().map(port).collect()
    }

    /// Starts or stops listening to a port, by the name under which it is shown. The choice holds
    /// when the port comes back.
    ///
    /// # Errors
    /// There is no port of that name, or it cannot be connected.
    pub fn listen(
        &mut self,
        name: &str,
        wanted: bool,
        connect: impl FnMut(&There) -> Result<(SourceId, C), String>,
    ) -> Result<(), String> {
        let at = self.list().iter().position(|port| port.name == name);
        let port = at.and_then(|at| self.known.get_mut(at));
        let port = port.ok_or_else(|| format!("the MIDI port {name} is gone"))?;
        let There { name: of, place, .. } = port.there.clone();
        self.wishes.retain(|wish| wish.name != of || wish.place != place);
        self.wishes.push(Wish { name: of, place, wanted });
        if !wanted {
            port.let_go(&self.queue);
            return Ok(());
        }
        port.connect(connect).map_err(|e| format!("the MIDI port {name} cannot be heard: {e}"))
    }

    /// Notes that another program has disconnected the port with this number; it stays
    /// disconnected.
    pub fn unplugged(&mut self, id: &str) {
        let port = self.known.iter_mut().find(|port| port.there.id == id);
        if let Some(port) = port.filter(|port| port.connection.is_some()) {
            tracing::info!("MIDI port {}: disconnected by another program", port.there.name);
            let There { name, place, .. } = port.there.clone();
            self.wishes.retain(|wish| wish.name != name || wish.place != place);
            self.wishes.push(Wish { name, place, wanted: false });
            port.let_go(&self.queue);
        }
    }
}

impl<C> Known<C> {
    fn connect(
        &mut self,
        mut connect: impl FnMut(&There) -> Result<(SourceId, C), String>,
    ) -> Result<(), String> {
        if self.connection.is_none() {
            self.connection = Some(connect(&self.there)?);
            tracing::info!("MIDI port {}: connected", self.there.name);
        }
        Ok(())
    }

    /// Ends the connection before the notes are released, so that no note comes after that.
    fn let_go(&mut self, queue: &MidiSender) {
        if let Some((source, connection)) = self.connection.take() {
            drop(connection);
            queue.send(MidiInput { at: Instant::now(), source, midi: Midi::Gone });
        }
    }
}

#[cfg(test)]
#[path = "heard_tests.rs"]
mod tests;
