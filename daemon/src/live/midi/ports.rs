//! The system's MIDI ports through midir (ALSA sequencer): all are listened to, new ones too, and a virtual port is offered.
//! Knows no notes.
//!
//! One thread, `timbred-ports`, looks for ports that came or went; messages arrive on a thread of midir for each port.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use midir::os::unix::VirtualInput;
use midir::{Ignore, MidiInput as Client, MidiInputConnection};

use crate::live::queues::{Midi, MidiInput, MidiSender, SourceId};

/// How often ports are looked for.
const LOOK: Duration = Duration::from_millis(400);
/// Sources of midir are numbered from here.
static NEXT_SOURCE: AtomicU32 = AtomicU32::new(1_000);

/// Decides what becomes of a port's messages: by the port's name, a filter, or None for a port that is not heard.
pub type Route = Arc<dyn Fn(&str) -> Option<Filter> + Send + Sync>;
/// One message in, the messages it becomes out.
pub type Filter = Box<dyn Fn([u8; 3], &mut dyn FnMut([u8; 3])) + Send + Sync>;

/// The thread that looks after ports.
#[derive(Debug)]
pub struct Ports {
    stop: Arc<AtomicBool>,
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
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let name = name.to_owned();
        let look = move || {
            let _offered = offered;
            let mut heard = HashMap::new();
            while !stopped.load(Ordering::Acquire) {
                look_around(&name, &probe, &route, &queue, &mut heard);
                std::thread::park_timeout(LOOK);
            }
        };
        let thread = std::thread::Builder::new().name("timbred-ports".to_owned()).spawn(look);
        Ok(Self { stop, thread: Some(thread.map_err(|e| e.to_string())?) })
    }
}

impl Drop for Ports {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

type Heard = HashMap<String, (SourceId, MidiInputConnection<()>)>;

/// Connects ports that are new, by their stable names, and says which are gone.
fn look_around(name: &str, probe: &Client, route: &Route, queue: &MidiSender, heard: &mut Heard) {
    let mut there = vec![];
    for port in probe.ports() {
        let Ok(port_name) = probe.port_name(&port) else { continue };
        if port_name.starts_with(name) {
            continue; // our own
        }
        let id = port.id();
        there.push(id.clone());
        if heard.contains_key(&id) {
            continue;
        }
        let Some(filter) = route(&port_name) else { continue };
        let source = SourceId(NEXT_SOURCE.fetch_add(1, Ordering::Relaxed));
        let connected = Client::new(name).map_err(|e| e.to_string()).and_then(|mut client| {
            client.ignore(Ignore::All);
            client
                .connect(&port, "in", listener(source, filter, queue.clone()), ())
                .map_err(|e| e.to_string())
        });
        match connected {
            Ok(connection) => {
                tracing::info!("MIDI port {port_name}: connected");
                heard.insert(id, (source, connection));
            }
            Err(e) => tracing::warn!("MIDI port {port_name}: {e}"),
        }
    }
    heard.retain(|id, (source, _)| {
        let stays = there.contains(id);
        if !stays {
            tracing::info!("MIDI port {id}: gone; its notes are released");
            queue.send(MidiInput { at: Instant::now(), source: *source, midi: Midi::Gone });
        }
        stays
    });
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
