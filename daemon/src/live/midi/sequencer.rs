//! The one client of this program in the sequencer of ALSA. It lists the ports of others,
//! subscribes to them, and reads their messages together with their senders. It knows no rule and
//! no wish of a user. The thread `timbred-ports` uses it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CString;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use alsa::poll::{Descriptors, poll};
use alsa::seq::{
    Addr, ClientIter, Connect, EventType, MidiEvent, PortCap, PortInfo, PortIter, PortSubscribe,
    PortType, Seq,
};

use super::heard::There;
use super::message::{Pieces, message};
use super::names::{Names, place};
use super::ports::Filter;
use crate::bus::queues::{Midi, MidiInput, MidiSender, SourceId};

/// How many messages the sequencer keeps for us while we are busy.
const POOL: u32 = 2_000;
/// The most bytes of one event as messages: the longest is a parameter set by four controllers.
const EVENT_BYTES: usize = 16;
/// The number of the first source of the sequencer.
static NEXT_SOURCE: AtomicU32 = AtomicU32::new(1_000);

/// A port that has sent us something, or to which we listen.
struct Sender {
    source: SourceId,
    filter: Filter,
    /// A system exclusive message that has begun.
    pieces: Pieces,
    /// Whether we subscribed to it. Other senders have connected themselves to our port.
    is_ours: bool,
}

type Senders = Rc<RefCell<HashMap<Addr, Sender>>>;

/// The client.
pub(super) struct Sequencer {
    seq: Rc<Seq>,
    own: Addr,
    senders: Senders,
    decoder: MidiEvent,
    queue: MidiSender,
}

/// An open client on its way to the thread that uses it.
pub(super) struct Opened {
    seq: Seq,
    own: Addr,
    queue: MidiSender,
}

/// A subscription to a port, which ends when it is dropped.
pub(super) struct Subscription {
    seq: Rc<Seq>,
    senders: Senders,
    from: Addr,
    to: Addr,
}

/// The announcements that arrived while messages were read.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Whether ports came or went.
    pub(super) ports_changed: bool,
    /// The numbers of ports that are still there and that another program disconnected.
    pub(super) unplugged: Vec<String>,
}

impl Opened {
    /// Opens the client with its port, which other programs see and can connect to if `is_offered`.
    pub(super) fn new(name: &str, is_offered: bool, queue: MidiSender) -> alsa::Result<Self> {
        let seq = Seq::open(None, None, true)?;
        let c_name = CString::new(name.replace('\0', "")).unwrap_or_default();
        seq.set_client_name(&c_name)?;
        seq.set_client_pool_input(POOL)?;
        let client = seq.client_id()?;
        let caps = match is_offered {
            true => PortCap::WRITE | PortCap::SUBS_WRITE,
            false => PortCap::WRITE | PortCap::NO_EXPORT,
        };
        let port = |name: &std::ffi::CStr, caps, kind| -> alsa::Result<i32> {
            let mut info = PortInfo::empty()?;
            info.set_capability(caps);
            info.set_type(kind);
            info.set_midi_channels(16);
            info.set_name(name);
            seq.create_port(&info)?;
            Ok(info.get_port())
        };
        let own = port(c"in", caps, PortType::MIDI_GENERIC | PortType::APPLICATION)?;
        // Announcements go to a port that nobody else sees.
        let hidden = PortCap::WRITE | PortCap::NO_EXPORT;
        let announcements = port(c"announcements", hidden, PortType::SPECIFIC)?;
        subscribe(&seq, Addr::system_announce(), Addr { client, port: announcements })?;
        Ok(Self { seq, own: Addr { client, port: own }, queue })
    }
}

fn subscribe(seq: &Seq, from: Addr, to: Addr) -> alsa::Result<()> {
    let subscription = PortSubscribe::empty()?;
    subscription.set_sender(from);
    subscription.set_dest(to);
    seq.subscribe_port(&subscription)
}

impl Sequencer {
    /// Makes the client, in the thread that uses it.
    pub(super) fn new(opened: Opened) -> alsa::Result<Self> {
        let Opened { seq, own, queue } = opened;
        let decoder = MidiEvent::new(0)?;
        decoder.enable_running_status(false);
        Ok(Self { seq: Rc::new(seq), own, senders: Rc::default(), decoder, queue })
    }

    /// The ports of others to which one can listen.
    pub(super) fn ports(&self) -> Vec<There> {
        let seq = &*self.seq;
        let mut names = Names::default();
        let mut there = vec![];
        let kinds = PortType::MIDI_GENERIC | PortType::SYNTH | PortType::APPLICATION;
        for client in ClientIter::new(seq).filter(|c| c.get_client() != self.own.client) {
            let card = client.get_card().ok().filter(|card| *card >= 0);
            for port in PortIter::new(seq, client.get_client()) {
                let can = port.get_capability();
                if !can.contains(PortCap::READ | PortCap::SUBS_READ)
                    || can.contains(PortCap::NO_EXPORT)
                    || !port.get_type().intersects(kinds)
                {
                    continue;
                }
                let Addr { client: c, port: p } = port.addr();
                let of_client = names.client(c, client.get_name().ok());
                let of_port = names.port(c, p, port.get_name().ok());
                there.push(There {
                    id: format!("{c}:{p}"),
                    name: format!("{of_client}:{of_port}"),
                    place: place(card, p),
                });
            }
        }
        there
    }

    /// Listens to a port.
    pub(super) fn subscribe(
        &mut self,
        port: &There,
        filter: Filter,
    ) -> Result<(SourceId, Subscription), String> {
        let from: Addr = port.id.parse().map_err(|_| "it has no number".to_owned())?;
        match subscribe(&self.seq, from, self.own) {
            // Another program has connected it to our port already.
            Err(e) if e.errno() == BUSY => {}
            done => done.map_err(|e| e.to_string())?,
        }
        let source = SourceId(NEXT_SOURCE.fetch_add(1, Ordering::Relaxed));
        let sender = Sender { source, filter, pieces: Pieces::default(), is_ours: true };
        self.senders.borrow_mut().insert(from, sender);
        let (seq, senders) = (self.seq.clone(), self.senders.clone());
        Ok((source, Subscription { seq, senders, from, to: self.own }))
    }

    /// Waits for messages, at most for this time, and takes all there are. `others` makes the
    /// filter for a new sender to which we have not subscribed.
    pub(super) fn read(
        &mut self,
        wait: Duration,
        others: impl Fn() -> Filter,
    ) -> alsa::Result<News> {
        let mut news = News::default();
        let seq = self.seq.clone();
        let mut descriptors = (&*seq, Some(alsa::Direction::Capture)).get()?;
        match poll(&mut descriptors, wait.as_millis() as i32) {
            Err(e) if e.errno() != INTERRUPTED => return Err(e),
            _ => {}
        }
        let mut input = seq.input();
        loop {
            let mut event = match input.event_input() {
                Ok(event) => event,
                Err(e) if e.errno() == AGAIN => return Ok(news),
                Err(e) if e.errno() == INTERRUPTED => continue,
                // There were more messages than the sequencer keeps. Some are lost, so it is not
                // known which keys are still held.
                Err(e) if e.errno() == NO_SPACE => {
                    self.release_all();
                    continue;
                }
                Err(e) => return Err(e),
            };
            match event.get_type() {
                EventType::ClientStart
                | EventType::ClientChange
                | EventType::PortStart
                | EventType::PortChange => news.ports_changed = true,
                EventType::ClientExit => {
                    news.ports_changed = true;
                    let gone = event.get_data::<Addr>().unwrap_or_default();
                    self.others_gone(|other| other.client == gone.client);
                }
                EventType::PortExit => {
                    news.ports_changed = true;
                    let gone = event.get_data::<Addr>().unwrap_or_default();
                    self.others_gone(|other| *other == gone);
                }
                EventType::PortUnsubscribed => {
                    if let Some(Connect { sender, dest }) = event.get_data()
                        && dest == self.own
                    {
                        self.unplugged(&seq, sender, &mut news);
                    }
                }
                EventType::PortSubscribed => {}
                EventType::Sysex => {
                    let bytes = event.get_ext().unwrap_or_default();
                    self.take(event.get_source(), bytes, &others);
                }
                _ => {
                    let from = event.get_source();
                    let mut bytes = [0; EVENT_BYTES];
                    let length = self.decoder.decode(&mut bytes, &mut event).unwrap_or_default();
                    self.take(from, bytes.get(..length).unwrap_or_default(), &others);
                }
            }
        }
    }

    /// Puts the messages of one event into the queue.
    fn take(&self, from: Addr, bytes: &[u8], others: impl Fn() -> Filter) {
        let at = Instant::now();
        let mut senders = self.senders.borrow_mut();
        let sender = senders.entry(from).or_insert_with(|| Sender {
            source: SourceId(NEXT_SOURCE.fetch_add(1, Ordering::Relaxed)),
            filter: others(),
            pieces: Pieces::default(),
            is_ours: false,
        });
        let source = sender.source;
        let is_exclusive = sender.pieces.take(bytes, &mut |midi| {
            self.queue.send(MidiInput { at, source, midi });
        });
        if is_exclusive {
            return;
        }
        for message in messages(bytes).filter_map(message) {
            (sender.filter)(message, &mut |message| {
                let midi = Midi::Message(message);
                self.queue.send(MidiInput { at, source: sender.source, midi });
            });
        }
    }

    /// A connection to our port ended, because we or others ended it or because the other port is
    /// gone.
    fn unplugged(&self, seq: &Seq, from: Addr, news: &mut News) {
        let is_ours = self.senders.borrow().get(&from).map(|sender| sender.is_ours);
        match is_ours {
            Some(true) if seq.get_any_port_info(from).is_ok() => {
                news.unplugged.push(format!("{}:{}", from.client, from.port));
            }
            Some(true) => news.ports_changed = true,
            Some(false) => self.others_gone(|other| *other == from),
            None => {}
        }
    }

    /// Releases the notes of senders that connected themselves and are gone.
    fn others_gone(&self, is_gone: impl Fn(&Addr) -> bool) {
        self.senders.borrow_mut().retain(|addr, sender| {
            let stays = sender.is_ours || !is_gone(addr);
            if !stays {
                self.release(sender.source);
            }
            stays
        });
    }

    fn release_all(&self) {
        tracing::warn!("MIDI came faster than it was read; all notes are released");
        self.senders.borrow().values().for_each(|sender| self.release(sender.source));
    }

    fn release(&self, source: SourceId) {
        self.queue.send(MidiInput { at: Instant::now(), source, midi: Midi::Gone });
    }
}

impl Drop for Sequencer {
    fn drop(&mut self) {
        self.senders.borrow().values().for_each(|sender| self.release(sender.source));
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.senders.borrow_mut().remove(&self.from);
        // The error says that the port is gone, and then nothing is left to do.
        let _ = self.seq.unsubscribe_port(self.from, self.to);
    }
}

/// Splits bytes into messages, each of which begins with a status byte.
fn messages(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (_, data) = rest.split_first()?;
        let length = 1 + data.iter().position(|byte| *byte >= 0x80).unwrap_or(data.len());
        let (message, after) = rest.split_at(length);
        rest = after;
        Some(message)
    })
}

/// See errno(3); the numbers are Linux's.
const INTERRUPTED: i32 = 4;
const AGAIN: i32 = 11;
const BUSY: i32 = 16;
const NO_SPACE: i32 = 28;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_several_messages_is_taken_apart() {
        let parts = |bytes| messages(bytes).collect::<Vec<_>>();
        assert_eq!(parts(&[0x90, 60, 100]), [[0x90, 60, 100]]);
        assert_eq!(parts(&[0xB0, 7, 1, 0xB0, 39, 2]), [[0xB0, 7, 1], [0xB0, 39, 2]]);
        assert_eq!(parts(&[0xFF]), [[0xFF]]);
        assert_eq!(parts(&[]), [[0u8; 0]; 0]);
    }
}
