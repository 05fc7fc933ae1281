//! The MIDI ports of the system, by the sequencer of ALSA. timbred listens to all of them, new ones
//! too, unless a rule or a user decides otherwise, and offers one port to other programs. It knows
//! no notes.
//!
//! There is one client with one port, `in`, and one thread, `timbred-ports`; queues of the
//! sequencer are not used. The thread reads messages, looks for ports when the sequencer announces
//! a change, and carries out requests of other threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, TryRecvError, bounded};

use super::heard::{Heard, Port, There};
use super::sequencer::{Opened, Sequencer, Subscription};
use crate::bus::queues::{MidiSender, Pulses, SourceId, Telemetry};

/// The longest wait for messages before the thread does other things.
const WAIT: Duration = Duration::from_millis(50);
/// How often ports are looked for if nothing was announced.
const LOOK: Duration = Duration::from_secs(2);
/// The longest wait for an answer of the thread. Connecting a port takes milliseconds.
const ANSWER: Duration = Duration::from_secs(3);

/// Gives a filter for the messages of the port with this name, or none if the port is not heard.
pub type Route = Arc<dyn Fn(&str) -> Option<Filter> + Send + Sync>;
/// Turns one message into those that it becomes.
pub type Filter = Box<dyn Fn([u8; 3], &mut dyn FnMut([u8; 3])) + Send + Sync>;

/// A request to the thread, with the queue for its answer.
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
    /// Whether the thread ended although nobody ended it.
    ended: Arc<AtomicBool>,
}

impl Ports {
    /// Starts listening. `name` is the name of this program in lists of ports.
    ///
    /// # Errors
    /// The reason why there is no MIDI on this machine.
    pub fn open(
        name: &str,
        with_virtual: bool,
        route: Route,
        queue: MidiSender,
        telemetry: Arc<Telemetry>,
    ) -> Result<Self, String> {
        let _library_messages = alsa::Output::local_error_handler();
        let opened = Opened::new(name, with_virtual, queue.clone());
        let opened = opened.map_err(|e| format!("ALSA's sequencer (module snd-seq): {e}"))?;
        let (sender, questions) = bounded(4);
        let ended = Arc::new(AtomicBool::new(false));
        let name = name.to_owned();
        let run = {
            let ended = ended.clone();
            move || {
                let _told = Told(ended);
                let sequencer = match Sequencer::new(opened) {
                    Ok(sequencer) => sequencer,
                    Err(e) => return tracing::error!("ALSA's sequencer: {e}"),
                };
                listen(sequencer, &name, &route, Heard::new(queue), &questions, &telemetry);
            }
        };
        let thread = std::thread::Builder::new().name("timbred-ports".to_owned()).spawn(run);
        let thread = Some(thread.map_err(|e| e.to_string())?);
        Ok(Self { questions: Some(sender), thread, ended })
    }

    /// Whether the thread has ended, by a panic or because the sequencer is gone.
    pub fn is_dead(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// The ports that there are.
    ///
    /// # Errors
    /// The thread does not answer.
    pub fn list(&self) -> Result<Vec<Port>, String> {
        self.ask(Question::List)
    }

    /// Listens to a port by its whole name, whatever the rules say, or stops listening to it, which
    /// releases its notes. The choice holds until all ports are opened again.
    ///
    /// # Errors
    /// The port is gone or cannot be connected, or the thread does not answer.
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

/// Notes that the thread has ended, also if it panicked.
struct Told(Arc<AtomicBool>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// The loop of the thread, which ends when nobody can send requests any more or the sequencer is
/// gone.
fn listen(
    mut sequencer: Sequencer,
    name: &str,
    route: &Route,
    mut heard: Heard<Subscription>,
    questions: &Receiver<Question>,
    telemetry: &Telemetry,
) {
    let _library_messages = alsa::Output::local_error_handler();
    let is_deaf = |port: &str| route(port).is_none();
    // If a user wants a port that a rule ignores, its messages are taken as they are.
    let filter = |port: &str| route(port).unwrap_or_else(|| Box::new(|message, out| out(message)));
    let mut looked: Option<Instant> = None;
    loop {
        Pulses::beat(&telemetry.pulses.ports);
        if looked.is_none_or(|looked| looked.elapsed() > LOOK) {
            let there = sequencer.ports();
            heard.look(there, is_deaf, |port| subscribe(&mut sequencer, port, &filter));
            looked = Some(Instant::now());
        }
        match sequencer.read(WAIT, || filter(name)) {
            Ok(news) => {
                news.unplugged.iter().for_each(|id| heard.unplugged(id));
                if news.ports_changed {
                    looked = None;
                }
            }
            Err(e) => {
                tracing::error!("ALSA's sequencer is gone: {e}");
                return;
            }
        }
        match questions.try_recv() {
            Ok(Question::List(answer)) => {
                let _ = answer.send(heard.list());
            }
            Ok(Question::Listen { name, wanted, answer }) => {
                let connect = |port: &_| subscribe(&mut sequencer, port, &filter);
                let _ = answer.send(heard.listen(&name, wanted, connect));
            }
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return,
        }
    }
}

fn subscribe(
    sequencer: &mut Sequencer,
    port: &There,
    filter: &impl Fn(&str) -> Filter,
) -> Result<(SourceId, Subscription), String> {
    sequencer.subscribe(port, filter(&port.name))
}
