//! A MIDI port in JACK, whose messages keep the frame they came at. Knows no notes.
//!
//! Runs on JACK's own thread; the server's end sets a flag that the supervisor looks at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jack::{
    AsyncClient, Client, ClientOptions, Control, Frames, MidiIn, NotificationHandler, Port, PortId,
    ProcessHandler, ProcessScope,
};

use super::ports::{Filter, channel_message};
use crate::live::queues::{Midi, MidiInput, MidiSender, SourceId};

/// Notes that come through JACK.
const SOURCE: SourceId = SourceId(1);

/// The port; dropping it closes it.
pub struct JackPort {
    client: Option<AsyncClient<Watcher, Reader>>,
    gone: Arc<AtomicBool>,
    queue: MidiSender,
}

impl std::fmt::Debug for JackPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JackPort").field("gone", &self.gone).finish_non_exhaustive()
    }
}

impl JackPort {
    /// Opens `NAME:midi_in` if a JACK server runs; never starts one.
    ///
    /// # Errors
    /// Says what JACK said.
    pub fn open(name: &str, filter: Filter, queue: MidiSender) -> Result<Self, String> {
        jack::set_logger(jack::LoggerType::None);
        let (client, _) =
            Client::new(name, ClientOptions::NO_START_SERVER).map_err(|e| e.to_string())?;
        let port = client.register_port("midi_in", MidiIn::default()).map_err(|e| e.to_string())?;
        let gone = Arc::new(AtomicBool::new(false));
        // Both clocks at one moment: JACK counts microseconds of its own.
        let epoch = (Instant::now(), client.time());
        let reader = Reader { port, epoch, filter, queue: queue.clone() };
        let watcher = Watcher { gone: gone.clone(), queue: queue.clone() };
        let client = client.activate_async(watcher, reader).map_err(|e| e.to_string())?;
        Ok(Self { client: Some(client), gone, queue })
    }

    pub(super) fn client(&self) -> Option<&Client> {
        self.client.as_ref().map(AsyncClient::as_client)
    }

    /// Whether the server is gone.
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }
}

impl Drop for JackPort {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            // A server that is gone says so; there is nothing left to do.
            let _ = client.deactivate();
        }
        self.queue.send(MidiInput { at: Instant::now(), source: SOURCE, midi: Midi::Gone });
    }
}

/// JACK's process callback.
///
/// # Real time
/// Neither allocates nor waits.
struct Reader {
    port: Port<MidiIn>,
    epoch: (Instant, jack::Time),
    filter: Filter,
    queue: MidiSender,
}

impl ProcessHandler for Reader {
    fn process(&mut self, client: &Client, scope: &ProcessScope) -> Control {
        let cycle: Frames = scope.last_frame_time();
        for event in self.port.iter(scope) {
            let Some(message) = channel_message(event.bytes) else { continue };
            let at_us = client.frames_to_time(cycle.wrapping_add(event.time));
            let at = match at_us.checked_sub(self.epoch.1) {
                Some(since) => self.epoch.0 + Duration::from_micros(since),
                None => self.epoch.0,
            };
            let queue = &self.queue;
            (self.filter)(message, &mut |message| {
                queue.send(MidiInput { at, source: SOURCE, midi: Midi::Message(message) });
            });
        }
        Control::Continue
    }
}

/// JACK's notifications.
struct Watcher {
    gone: Arc<AtomicBool>,
    queue: MidiSender,
}

impl NotificationHandler for Watcher {
    fn ports_connected(&mut self, client: &Client, a: PortId, b: PortId, are_connected: bool) {
        let is_ours = |id| {
            let name = client.port_by_id(id).and_then(|port| port.name().ok());
            name.is_some_and(|name| name == format!("{}:midi_in", client.name()))
        };
        // Whoever it was: a cable that is pulled leaves no note behind.
        if !are_connected && (is_ours(a) || is_ours(b)) {
            self.queue.send(MidiInput { at: Instant::now(), source: SOURCE, midi: Midi::Gone });
        }
    }

    // The trait's method is unsafe as it may run in a signal handler: it only sets a flag.
    #[allow(unsafe_code)]
    unsafe fn shutdown(&mut self, _: jack::ClientStatus, _: &str) {
        self.gone.store(true, Ordering::Release);
    }
}
