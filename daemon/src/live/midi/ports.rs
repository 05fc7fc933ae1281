//! The system's MIDI ports through midir (ALSA sequencer): all are listened to, new ones too, unless a rule or somebody says
//! otherwise, and a virtual port is offered. Knows no notes.
//!
//! One thread, `timbred-ports`, looks for ports that came or went and does what it is asked to; messages arrive on a thread of
//! midir for each port.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::{RecvTimeoutError, Sender, bounded};
use midir::os::unix::VirtualInput;
use midir::{Ignore, MidiInput as Client, MidiInputConnection};

use super::heard::{Heard, Port};
use crate::live::queues::{Midi, MidiInput, MidiSender, SourceId};

/// How often ports are looked for.
const LOOK: Duration = Duration::from_millis(400);
/// How long an answer may take: a port is connected in milliseconds.
const ANSWER: Duration = Duration::from_secs(3);
/// Sources of midir are numbered from here.
static NEXT_SOURCE: AtomicU32 = AtomicU32::new(1_000);

/// Decides what becomes of a port's messages: by the port's name, a filter, or None for a port that is not heard.
pub type Route = Arc<dyn Fn(&str) -> Option<Filter> + Send + Sync>;
/// One message in, the messages it becomes out.
pub type Filter = Box<dyn Fn([u8; 3], &mut dyn FnMut([u8; 3])) + Send + Sync>;

/// What the thread is asked; the answer goes back through a queue of its own.
enum Question {
    List(Sender<Vec<Port>>),
    Listen { name: String, wanted: bool, answer: Sender<Result<(), String>> },
}

/// The thread that looks after ports.
#[derive(Debug)]
pub struct Ports {
    /// The thread ends when this is dropped.
    questions: Option<Sender<Question>>,
    thread: Option<JoinHandle<()>>,
}

impl Ports {
    /// Starts listening. `name` is the program's in the list of ports.
    ///
    /// # Errors
    /// Says why there is no MIDI on this machine.
    pub fn open(
        name: &str,
        with_virtual: bool,
        route: Route,
        queue: MidiSender,
    ) -> Result<Self, String> {
        #[cfg(target_os = "linux")]
        let _library_messages = alsa::Output::local_error_handler();
        let probe = Client::new(&format!("{name} probe")).map_err(|e| e.to_string())?;
        let offered = match with_virtual {
            true => Some(offer(name, &route, &queue)?),
            false => None,
        };
        let (sender, questions) = bounded(4);
        let name = name.to_owned();
        let mut heard = Heard::new(queue.clone());
        let look = move || {
            let _offered = offered;
            loop {
                look_around(&name, &probe, &route, &queue, &mut heard);
                match questions.recv_timeout(LOOK) {
                    Ok(Question::List(answer)) => {
                        let _ = answer.send(heard.list());
                    }
                    Ok(Question::Listen { name: port, wanted, answer }) => {
                        let connect = |id: &str| connect(&name, &probe, id, &route, &queue);
                        let _ = answer.send(heard.listen(&port, wanted, connect));
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
        };
        let thread = std::thread::Builder::new().name("timbred-ports".to_owned()).spawn(look);
        Ok(Self { questions: Some(sender), thread: Some(thread.map_err(|e| e.to_string())?) })
    }

    /// The ports there are.
    ///
    /// # Errors
    /// The thread does not answer.
    pub fn list(&self) -> Result<Vec<Port>, String> {
        self.ask(Question::List)
    }

    /// Listens to a port by its whole name, whatever the rules say, or listens to it no more and releases its notes; holds until
    /// the ports are opened anew.
    ///
    /// # Errors
    /// The port is gone, or refuses; the thread does not answer.
    pub fn listen(&self, port: &str, wanted: bool) -> Result<(), String> {
        let name = port.to_owned();
        self.ask(|answer| Question::Listen { name, wanted, answer })?
    }

    fn ask<T>(&self, question: impl FnOnce(Sender<T>) -> Question) -> Result<T, String> {
        let (sender, answer) = bounded(1);
        let asked = self.questions.as_ref().map(|q| q.send_timeout(question(sender), ANSWER));
        let answered = asked.and_then(|_| answer.recv_timeout(ANSWER).ok());
        answered.ok_or_else(|| "the system's MIDI does not answer".to_owned())
    }
}

impl Drop for Ports {
    fn drop(&mut self) {
        self.questions = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Tells `heard` which ports there are.
fn look_around(
    name: &str,
    probe: &Client,
    route: &Route,
    queue: &MidiSender,
    heard: &mut Heard<MidiInputConnection<()>>,
) {
    let mut there = vec![];
    for port in probe.ports() {
        let Ok(port_name) = probe.port_name(&port) else { continue };
        // Our own are none that could be heard.
        if !port_name.starts_with(name) {
            there.push((port.id(), port_name));
        }
    }
    let is_deaf = |name: &str| route(name).is_none();
    heard.look(there, is_deaf, |id| connect(name, probe, id, route, queue));
}

/// Listens to a port; one that a rule ignores is heard as it is.
fn connect(
    name: &str,
    probe: &Client,
    id: &str,
    route: &Route,
    queue: &MidiSender,
) -> Result<(SourceId, MidiInputConnection<()>), String> {
    let port = probe.ports().into_iter().find(|port| port.id() == id);
    let port = port.ok_or_else(|| "it is gone".to_owned())?;
    let port_name = probe.port_name(&port).map_err(|e| e.to_string())?;
    let filter = route(&port_name).unwrap_or_else(|| Box::new(|message, out| out(message)));
    let source = SourceId(NEXT_SOURCE.fetch_add(1, Ordering::Relaxed));
    let mut client = Client::new(name).map_err(|e| e.to_string())?;
    client.ignore(Ignore::All);
    let listener = listener(source, filter, queue.clone());
    let connection = client.connect(&port, "in", listener, ()).map_err(|e| e.to_string())?;
    Ok((source, connection))
}

/// Offers a port that other programs can connect to.
fn offer(name: &str, route: &Route, queue: &MidiSender) -> Result<MidiInputConnection<()>, String> {
    let mut client = Client::new(name).map_err(|e| e.to_string())?;
    client.ignore(Ignore::All);
    let source = SourceId(NEXT_SOURCE.fetch_add(1, Ordering::Relaxed));
    let filter = route(name).unwrap_or_else(|| Box::new(|message, out| out(message)));
    client
        .create_virtual("in", listener(source, filter, queue.clone()), ())
        .map_err(|e| e.to_string())
}

/// What midir calls for every message of a port.
fn listener(
    source: SourceId,
    filter: Filter,
    queue: MidiSender,
) -> impl FnMut(u64, &[u8], &mut ()) + Send + 'static {
    move |_, bytes, ()| {
        if let Some(message) = channel_message(bytes) {
            let at = Instant::now();
            filter(message, &mut |message| {
                queue.send(MidiInput { at, source, midi: Midi::Message(message) });
            });
        }
    }
}

/// A channel message as three bytes; None for anything else.
pub fn channel_message(bytes: &[u8]) -> Option<[u8; 3]> {
    match *bytes {
        [status @ 0x80..=0xEF, data] if matches!(status & 0xF0, 0xC0 | 0xD0) => {
            Some([status, data, 0])
        }
        [status @ 0x80..=0xEF, first, second] => Some([status, first, second]),
        _ => None,
    }
}
