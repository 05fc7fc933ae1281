//! Commands that the supervisor has not answered yet, and the pings that wait for their answers. It
//! knows no socket and no address.
//!
//! The supervisor answers from its own thread when it is done. `timbred-osc` never waits for it,
//! but looks here for answers in every turn of its loop.

use crossbeam::channel::{Receiver, Sender, TrySendError, unbounded};
use rosc::OscType;
use timbre_control::action::Action;
use timbre_control::error::{Code, ControlError};
use timbre_control::parameters::CHANNELS;
use timbre_control::value::Value;

use super::clients::ClientId;

/// The most pings that wait; further ones are answered at once.
const MOST_PINGS: usize = 256;

/// The outcome of a command: the arguments of its answer, which are often none, or the error.
pub type Outcome = Result<Vec<Value>, ControlError>;

/// A command from the OSC thread to the supervisor.
#[derive(Debug)]
pub struct Command {
    /// What to do or to tell.
    pub action: Action,
    /// The program of each channel as OSC shows it, which includes changes that inference has not
    /// taken over yet.
    pub programs: [u8; CHANNELS],
    /// Whether the command came from this machine.
    pub is_local: bool,
    /// The way back for the outcome.
    pub asker: Asker,
}

/// A command without its asker.
#[derive(Debug)]
pub struct Question {
    /// See [`Command`].
    pub action: Action,
    /// See [`Command`].
    pub programs: [u8; CHANNELS],
    /// See [`Command`].
    pub is_local: bool,
}

/// The way back to whoever waits for an outcome. If it is dropped without an answer, it reports a
/// failure, so that nobody waits for ever.
#[derive(Debug)]
pub struct Asker {
    from: ClientId,
    address: String,
    replies: Option<Sender<Reply>>,
}

/// An outcome on its way back.
#[derive(Debug)]
pub struct Reply {
    /// The client that sent the command.
    pub from: ClientId,
    /// The address of the command.
    pub address: String,
    /// The outcome.
    pub outcome: Outcome,
}

impl Asker {
    /// Sends the outcome back.
    pub fn answer(mut self, outcome: Outcome) {
        self.send(outcome);
    }

    fn send(&mut self, outcome: Outcome) {
        if let Some(replies) = self.replies.take() {
            let address = std::mem::take(&mut self.address);
            // If the server is gone, nobody waits for it.
            let _ = replies.send(Reply { from: self.from, address, outcome });
        }
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.send(Err(ControlError::new(Code::Failed, "timbred is ending")));
    }
}

/// The commands under way, as the OSC thread lists them.
#[derive(Debug)]
pub struct Pending {
    sender: Sender<Reply>,
    /// Bounded, because the queue of commands is.
    replies: Receiver<Reply>,
    /// The clients that wait, one entry for each command.
    askers: Vec<ClientId>,
    pings: Vec<(ClientId, Option<OscType>)>,
}

impl Pending {
    /// An empty list.
    pub fn new() -> Self {
        let (sender, replies) = unbounded();
        Self { sender, replies, askers: Vec::new(), pings: Vec::new() }
    }

    /// Sends a command to the supervisor.
    ///
    /// # Errors
    /// The supervisor has too many commands already, or is ending.
    pub fn ask(
        &mut self,
        commands: &Sender<Command>,
        question: Question,
        from: ClientId,
        address: &str,
    ) -> Result<(), ControlError> {
        let replies = Some(self.sender.clone());
        let asker = Asker { from, address: address.to_owned(), replies };
        let Question { action, programs, is_local } = question;
        let command = Command { action, programs, is_local, asker };
        let (mut refused, error) = match commands.try_send(command) {
            Ok(()) => {
                self.askers.push(from);
                return Ok(());
            }
            Err(TrySendError::Full(command)) => {
                let text = "timbred is still busy with earlier commands; try again later";
                (command, ControlError::new(Code::Full, text))
            }
            Err(TrySendError::Disconnected(command)) => {
                (command, ControlError::new(Code::Failed, "timbred is ending"))
            }
        };
        refused.asker.replies = None;
        Err(error)
    }

    /// Whether any client waits for an outcome.
    pub fn is_empty(&self) -> bool {
        self.askers.is_empty()
    }

    /// Keeps a ping until all earlier commands of its sender are answered; returns false if it can
    /// be answered now.
    pub fn hold(&mut self, from: ClientId, token: Option<&OscType>) -> bool {
        let holds = self.askers.contains(&from) && self.pings.len() < MOST_PINGS;
        if holds {
            self.pings.push((from, token.cloned()));
        }
        holds
    }

    /// The next outcome, if one has arrived.
    pub fn next_reply(&mut self) -> Option<Reply> {
        let reply = self.replies.try_recv().ok()?;
        if let Some(place) = self.askers.iter().position(|asker| *asker == reply.from) {
            self.askers.swap_remove(place);
        }
        Some(reply)
    }

    /// The next ping that has waited long enough.
    pub fn next_ping(&mut self) -> Option<(ClientId, Option<OscType>)> {
        let free = self.pings.iter().position(|(from, _)| !self.askers.contains(from))?;
        Some(self.pings.remove(free))
    }
}

#[cfg(test)]
mod tests {
    use crossbeam::channel::bounded;

    use super::*;

    fn peer(number: u64) -> ClientId {
        ClientId::Connection(number)
    }

    fn question(action: Action) -> Question {
        Question { action, programs: [0; 16], is_local: true }
    }

    #[test]
    fn a_ping_waits_for_what_its_sender_asked_for_and_nobody_elses_does() {
        let (commands, supervisor) = bounded(4);
        let mut pending = Pending::new();
        let list = |pending: &mut Pending, port| {
            let question = question(Action::ListPorts);
            pending.ask(&commands, question, peer(port), "/midi/ports").unwrap();
        };
        list(&mut pending, 1);
        list(&mut pending, 1);
        assert!(pending.hold(peer(1), Some(&OscType::Int(7))));
        assert!(!pending.hold(peer(2), None));
        let first: Command = supervisor.recv().unwrap();
        first.asker.answer(Ok(vec![Value::Bool(true)]));
        let reply = pending.next_reply().unwrap();
        assert_eq!((reply.from, reply.address.as_str()), (peer(1), "/midi/ports"));
        assert_eq!(reply.outcome, Ok(vec![Value::Bool(true)]));
        assert_eq!(pending.next_ping(), None);
        // The second command is never answered, only dropped.
        drop(supervisor.recv().unwrap());
        assert_eq!(pending.next_reply().unwrap().outcome.unwrap_err().code, Code::Failed);
        assert_eq!(pending.next_ping(), Some((peer(1), Some(OscType::Int(7)))));
        assert!(pending.is_empty() && pending.next_reply().is_none());
    }

    #[test]
    fn a_command_that_has_no_place_is_refused_once() {
        let (commands, supervisor) = bounded(1);
        let mut pending = Pending::new();
        let mut ask =
            || pending.ask(&commands, question(Action::SaveState), peer(1), "/state/save");
        assert_eq!(ask(), Ok(()));
        assert_eq!(ask().unwrap_err().code, Code::Full);
        drop(supervisor);
        assert_eq!(ask().unwrap_err().code, Code::Failed);
        // Both have been told of the failure, and nothing follows.
        assert!(pending.next_reply().is_none());
    }
}
