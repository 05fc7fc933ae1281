//! The one client of this program in JACK. It has the port `NAME:midi_in`, whose messages keep the
//! frame at which they arrived. If the sound goes to JACK, it also has `NAME:out_left` and
//! `NAME:out_right`, and ports for each part if they are wanted. It knows no notes.
//!
//! It runs in the threads of JACK. When the server ends, a flag is set that the supervisor reads.
//! `cables` makes connections, and `midi` reads messages.

mod cables;
mod midi;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use jack::{
    AsyncClient, AudioOut, Client, ClientOptions, ClientStatus, Control, MidiIn,
    NotificationHandler, Port, PortId, ProcessHandler, ProcessScope,
};

use super::callback::Player;
use super::inference::Sink;
use super::midi::ports::Filter;
use super::output::{pair, pair_with_parts};
use super::stems::PARTS;
use crate::bus::queues::{Midi, MidiInput, MidiSender, SourceId, Telemetry};
use crate::mix::SIDES;
use midi::Reader;

/// The source of notes that come through JACK.
const SOURCE: SourceId = SourceId(1);
/// The names of the ports for sound, as patch bays and session managers show them.
const OUTPUTS: [&str; 2] = ["out_left", "out_right"];

/// The way of the messages of `midi_in`.
pub struct MidiEnd {
    /// The rule that changes them.
    pub filter: Filter,
    /// The queue that takes them.
    pub queue: MidiSender,
}

/// The options of the client.
pub struct Wanted<'a> {
    /// Its name among the clients.
    pub name: &'a str,
    /// Whether it has a MIDI input.
    pub midi: Option<MidiEnd>,
    /// How it plays sound, if it does.
    pub sound: Option<WantedSound<'a>>,
}

/// The options for sound.
#[derive(Clone, Copy)]
pub struct WantedSound<'a> {
    /// What it publishes about itself.
    pub telemetry: &'a Arc<Telemetry>,
    /// What its outputs are connected to.
    pub connect: &'a str,
    /// Whether each part has ports of its own.
    pub has_parts: bool,
}

/// The client, which is closed when it is dropped.
pub struct JackClient {
    client: Option<AsyncClient<Watcher, Process>>,
    gone: Arc<AtomicBool>,
    queue: Option<MidiSender>,
    plays: bool,
}

impl std::fmt::Debug for JackClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JackClient").field("gone", &self.gone).finish_non_exhaustive()
    }
}

/// The error of JACK in words.
fn refused(error: &jack::Error) -> String {
    match error {
        jack::Error::LibraryError(e) => format!("the JACK library is not installed ({e})"),
        jack::Error::ClientError(status) if status.contains(ClientStatus::SERVER_FAILED) => {
            "no JACK server runs".to_owned()
        }
        e => format!("the JACK server refused: {e}"),
    }
}

/// Opens a client without ports, and never starts a server. What the library prints while it looks
/// for one is left out of the log (`crate::logging`).
fn client(name: &str) -> Result<Client, String> {
    Client::new(name, ClientOptions::NO_START_SERVER)
        .map(|(client, _)| client)
        .map_err(|e| refused(&e))
}

/// Whether a server runs and accepts another client.
pub fn is_there() -> bool {
    client("timbred look").is_ok()
}

impl JackClient {
    /// Opens the client if a JACK server runs. The sink, which there is if it plays sound, is for
    /// the inference thread.
    ///
    /// # Errors
    /// The error that JACK gives.
    pub fn open(wanted: Wanted<'_>) -> Result<(Self, Option<Sink>), String> {
        let client = client(wanted.name)?;
        let gone = Arc::new(AtomicBool::new(false));
        let queue = wanted.midi.as_ref().map(|midi| midi.queue.clone());
        let reader = match wanted.midi {
            Some(midi) => {
                let port = client.register_port("midi_in", MidiIn::default());
                Some(Reader::new(&client, port.map_err(|e| refused(&e))?, midi))
            }
            None => None,
        };
        let (mut sink, mut sound) = (None, None);
        if let Some(WantedSound { telemetry, has_parts, .. }) = wanted.sound {
            let new = if has_parts { pair_with_parts } else { pair };
            let (player, end) = new(client.sample_rate(), client.buffer_size(), telemetry);
            let ports = stereo(&client, OUTPUTS)?;
            let parts = if has_parts { Some(parts(&client)?) } else { None };
            (sink, sound) = (Some(end), Some(Sound { player, ports, parts }));
        }
        let plays = sound.is_some();
        let watcher = Watcher { gone: gone.clone(), queue: queue.clone() };
        let client = client.activate_async(watcher, Process { reader, sound });
        let client = Self { client: Some(client.map_err(|e| refused(&e))?), gone, queue, plays };
        if let Some(WantedSound { connect, .. }) = wanted.sound {
            client.plug_outputs(connect);
        }
        Ok((client, sink))
    }

    fn client(&self) -> Option<&Client> {
        self.client.as_ref().map(AsyncClient::as_client)
    }

    /// The name that the server gave it, which differs from the one wanted if another client has
    /// that.
    pub fn name(&self) -> &str {
        self.client().map_or("", Client::name)
    }

    /// How many frames at a time the server asks for now.
    pub fn buffer_frames(&self) -> u32 {
        self.client().map_or(0, Client::buffer_size)
    }

    /// Whether the server is gone.
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Whether it plays sound.
    pub fn plays(&self) -> bool {
        self.plays
    }

    /// Whether it receives MIDI.
    pub fn hears(&self) -> bool {
        self.queue.is_some()
    }
}

impl Drop for JackClient {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            // The error says that the server is gone, and then nothing is left to do.
            let _ = client.deactivate();
        }
        if let Some(queue) = &self.queue {
            queue.send(MidiInput { at: Instant::now(), source: SOURCE, midi: Midi::Gone });
        }
    }
}

/// The process callback of JACK.
///
/// # Real time
/// It neither allocates nor waits.
struct Process {
    reader: Option<Reader>,
    sound: Option<Sound>,
}

/// Ports of a left side and a right one.
type Stereo = [Port<AudioOut>; SIDES];

/// The ports for the sound of all, and for that of each part.
struct Sound {
    player: Player,
    ports: Stereo,
    parts: Option<[Stereo; PARTS]>,
}

/// Opens ports with these names.
fn stereo(client: &Client, names: [impl AsRef<str>; SIDES]) -> Result<Stereo, String> {
    let port = |name: &str| client.register_port(name, AudioOut::default());
    let [left, right] = names;
    let [left, right] = [port(left.as_ref()), port(right.as_ref())];
    Ok([left.map_err(|e| refused(&e))?, right.map_err(|e| refused(&e))?])
}

/// The ports of the parts: part_01_left, part_01_right and so on.
fn parts(client: &Client) -> Result<[Stereo; PARTS], String> {
    let of = |part| stereo(client, ["left", "right"].map(|side| format!("part_{part:02}_{side}")));
    let all: Vec<Stereo> = (1..=PARTS).map(of).collect::<Result<_, _>>()?;
    all.try_into().map_err(|_| "not as many ports as parts".to_owned())
}

impl ProcessHandler for Process {
    fn process(&mut self, client: &Client, scope: &ProcessScope) -> Control {
        if let Some(reader) = &mut self.reader {
            reader.read(client, scope);
        }
        if let Some(Sound { player, ports, parts }) = &mut self.sound {
            let mix = ports.each_mut().map(|port| port.as_mut_slice(scope));
            match parts {
                None => {
                    let [left, right] = mix;
                    player.fill_sides(Instant::now(), left, right);
                }
                Some(parts) => {
                    let parts = parts
                        .each_mut()
                        .map(|sides| sides.each_mut().map(|port| port.as_mut_slice(scope)));
                    player.fill_parts(Instant::now(), mix, parts);
                }
            }
        }
        Control::Continue
    }
}

/// Takes the notifications of JACK.
struct Watcher {
    gone: Arc<AtomicBool>,
    queue: Option<MidiSender>,
}

impl NotificationHandler for Watcher {
    fn ports_connected(&mut self, client: &Client, a: PortId, b: PortId, are_connected: bool) {
        let is_ours = |id| {
            let name = client.port_by_id(id).and_then(|port| port.name().ok());
            name.is_some_and(|name| name == format!("{}:midi_in", client.name()))
        };
        // No matter who disconnected the port: none of its notes may sound on.
        if let Some(queue) = &self.queue
            && !are_connected
            && (is_ours(a) || is_ours(b))
        {
            queue.send(MidiInput { at: Instant::now(), source: SOURCE, midi: Midi::Gone });
        }
    }

    // The method is unsafe because it may run in a signal handler. It only sets a flag.
    #[allow(unsafe_code)]
    unsafe fn shutdown(&mut self, _: jack::ClientStatus, _: &str) {
        self.gone.store(true, Ordering::Release);
    }
}
