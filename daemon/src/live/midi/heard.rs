//! Which ports there are, which of them are heard, and why: by themselves, or because somebody said
//! so. Knows no port's library. Used by the thread `timbred-ports`.

use std::time::Instant;

use crate::bus::queues::{Midi, MidiInput, MidiSender, SourceId};

/// A port that could be heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// As it is shown and chosen.
    pub name: String,
    /// Whether it is heard.
    pub is_heard: bool,
}

/// A port as the system shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct There {
    /// The system's number, which is another one whenever the port comes back.
    pub id: String,
    /// The program's or keyboard's name and the port's.
    pub name: String,
    /// Where it is plugged in: what tells two keyboards of one name apart.
    pub place: String,
}

struct Known<C> {
    there: There,
    /// What keeps it heard, and the source its notes have.
    connection: Option<(SourceId, C)>,
    /// Whether it was said that it refuses.
    is_told: bool,
}

/// What somebody said of a port: it may go and come back, under another number or at another place.
struct Wish {
    name: String,
    place: String,
    wanted: bool,
}

/// All ports; `C` is a connection, which ends when dropped.
pub struct Heard<C> {
    known: Vec<Known<C>>,
    wishes: Vec<Wish>,
    queue: MidiSender,
}

impl<C> Heard<C> {
    /// No ports yet; `queue` leads to inference, which is told whose notes are to be released.
    pub fn new(queue: MidiSender) -> Self {
        Self { known: Vec::new(), wishes: Vec::new(), queue }
    }

    /// Takes the ports there are now: connects the new ones, forgets those that are gone.
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
            // One that refuses is asked again at every look, and complained of once.
            if port.connection.is_none()
                && wish.unwrap_or_else(|| !is_deaf(&port.there.name))
                && let Err(e) = port.connect(&mut connect)
                && !std::mem::replace(&mut port.is_told, true)
            {
                tracing::warn!("MIDI port {}: {e}", port.there.name);
            }
        }
    }

    /// What somebody said of this port: of this name at this place, else of this name at a place
    /// where now there is none.
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

    /// The ports there are. Several of one name are shown with their places, and with their numbers
    /// where that is not enough.
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

    /// Listens to a port, by its name as it is shown, or does so no more, also when it comes back.
    ///
    /// # Errors
    /// There is none of that name; it refuses.
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

    /// Somebody has pulled the cable of the port with this number by other means: it stays so.
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

    /// Ends the connection first: nothing comes after the release.
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
