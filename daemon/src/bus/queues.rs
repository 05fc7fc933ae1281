//! The queues between threads, each with its capacity and what happens when it is full. This file
//! knows nothing of what the threads do.
//!
//! | queue | from | to | capacity | when full |
//! | --- | --- | --- | --- | --- |
//! | [`MidiSender`] | MIDI ports, OSC | inference | 4096 messages | counted; the reader then releases every note |
//! | ring of samples | inference | audio callback | 11 s, two of the longest hops | never: inference waits for the play position |
//! | ring of parts (`stems`) | inference | JACK's callback | 11 s | as the ring of samples, with which it goes |
//! | questions and answers (`frames`) | inference, `timbred-frames` | each other | 4 | a hop is played without what the denoiser adds |
//! | models (`loading`) | `timbred-loading` | inference | 1 | the loader waits; the old model comes back the same way |
//! | commands, and their outcomes (`control::service::pending`) | OSC, supervisor | supervisor, OSC | 64 | the sender gets an error |
//! | packets (`control::service::Input`) | edges of control | OSC | 256 for UDP, 256 for connections | the edge waits; the system drops datagrams |
//! | outbox of a connection | OSC | its edge | 256 packets | the connection is dropped |
//! | settings (`arc_swap`) | control | inference, audio callback | the newest | newest wins |
//! | [`Telemetry`] | everyone | control | the newest | newest wins |
//! | `recording::Tap`: sound | inference | recorder | 2^20 samples | counted; silence in its place |
//! | `recording::Tap`: notes | inference | recorder | 8192 | counted; missing in the MIDI file |

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use arc_swap::ArcSwap;
use crossbeam::channel::{Receiver, Sender, TrySendError, bounded};
use timbre_models::notes::sysex::SysEx;

use super::controllers::{self, TOLD};

/// Messages that can wait for the inference thread.
const MIDI_CAPACITY: usize = 4096;

/// The source of a message. When a source is gone, its notes are released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SourceId(pub u32);

impl SourceId {
    /// Notes played by OSC.
    pub const OSC: Self = Self(0);
}

/// What a source sends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Midi {
    /// A channel message: status byte, then its data bytes (0 where it has only one).
    Message([u8; 3]),
    /// A system exclusive message that is understood.
    Exclusive(SysEx),
    /// The tuning of a key (semitones beside equal temperament), which holds until a MIDI message
    /// changes it, and again after a reset.
    Tuning {
        /// The key.
        key: u8,
        /// Semitones beside equal temperament.
        semitones: f32,
    },
    /// The source is gone: its notes and pedals are released.
    Gone,
}

/// One message, stamped at its arrival.
#[derive(Debug, Clone, Copy)]
pub struct MidiInput {
    /// When it arrived.
    pub at: Instant,
    /// The source.
    pub source: SourceId,
    /// The message.
    pub midi: Midi,
}

/// The writing end of the queue of MIDI messages; any number of threads may have one.
///
/// # Real time
/// Sending neither allocates nor waits.
#[derive(Debug, Clone)]
pub struct MidiSender {
    queue: Sender<MidiInput>,
    overflow: Arc<AtomicBool>,
}

/// The reading end; the inference thread has it.
#[derive(Debug)]
pub struct MidiReceiver {
    queue: Receiver<MidiInput>,
    overflow: Arc<AtomicBool>,
}

/// The queue of MIDI messages.
pub fn midi_queue() -> (MidiSender, MidiReceiver) {
    let (sender, receiver) = bounded(MIDI_CAPACITY);
    let overflow = Arc::new(AtomicBool::new(false));
    (
        MidiSender { queue: sender, overflow: overflow.clone() },
        MidiReceiver { queue: receiver, overflow },
    )
}

impl MidiSender {
    /// Sends a message. If the queue is full, the message is dropped, and the reader can see that.
    pub fn send(&self, input: MidiInput) {
        if let Err(TrySendError::Full(_)) = self.queue.try_send(input) {
            self.overflow.store(true, Ordering::Release);
        }
    }
}

impl MidiReceiver {
    /// The next message, if there is one.
    pub fn next(&self) -> Option<MidiInput> {
        self.queue.try_recv().ok()
    }

    /// Whether messages were dropped since the last call.
    pub fn overflowed(&self) -> bool {
        self.overflow.swap(false, Ordering::AcqRel)
    }
}

pub use super::controllers::CONTROLLERS;

/// Marks a controller that has not moved yet.
const UNHEARD: u8 = u8::MAX;

/// The position of every MIDI controller, from the messages of all 16 channels.
#[derive(Debug)]
pub struct Controllers(Vec<AtomicU8>);

impl Default for Controllers {
    fn default() -> Self {
        Self((0..16 * CONTROLLERS).map(|_| AtomicU8::new(UNHEARD)).collect())
    }
}

impl Controllers {
    /// A controller moved to `value`, 0 to 127; channels count from 0.
    pub fn set(&self, channel: usize, controller: u8, value: u8) {
        if let Some(place) = self.0.get(channel * CONTROLLERS + usize::from(controller)) {
            place.store(value, Ordering::Relaxed);
        }
    }

    /// Takes over the positions of the controllers that are published.
    pub fn take(&self, now: &controllers::Controllers) {
        for channel in 0..16 {
            for (controller, _) in TOLD {
                self.set(channel, controller, now.get(channel, controller));
            }
        }
    }

    /// The position of a controller of a channel; until it moves, the one of the start.
    pub fn get(&self, channel: usize, controller: u8) -> u8 {
        let place = self.0.get(channel * CONTROLLERS + usize::from(controller));
        let value = place.map_or(UNHEARD, |place| place.load(Ordering::Relaxed));
        let rest = TOLD.iter().find(|(told, _)| *told == controller).map_or(0, |(_, rest)| *rest);
        if value == UNHEARD { rest } else { value }
    }

    /// All positions, those of channel 1 first; none for controllers that have not moved yet.
    pub fn all(&self) -> impl Iterator<Item = Option<u8>> {
        self.0.iter().map(|c| Some(c.load(Ordering::Relaxed)).filter(|value| *value != UNHEARD))
    }
}

/// A MIDI value of each channel, which is `START` at first.
#[derive(Debug)]
pub struct OfChannels<const START: u8>([AtomicU8; 16]);

impl<const START: u8> Default for OfChannels<START> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU8::new(START)))
    }
}

impl<const START: u8> OfChannels<START> {
    /// Sets the values of all channels.
    pub fn set(&self, values: &[u8; 16]) {
        for (to, value) in self.0.iter().zip(values) {
            to.store(*value, Ordering::Relaxed);
        }
    }

    /// The value of a channel, counted from 0.
    pub fn get(&self, channel: usize) -> u8 {
        self.0.get(channel).map_or(START, |value| value.load(Ordering::Relaxed))
    }
}

/// How many rounds of its loop each thread has made, by which the watchdog finds a thread that
/// hangs. The thread of the device is not here, because it counts frames, nor that of the recorder,
/// which may wait for the disk.
#[derive(Debug, Default)]
pub struct Pulses {
    /// `timbred-inference`.
    pub inference: AtomicU64,
    /// `timbred-osc`.
    pub osc: AtomicU64,
    /// `timbred-ports`.
    pub ports: AtomicU64,
}

impl Pulses {
    /// Counts a round of a thread.
    pub fn beat(pulse: &AtomicU64) {
        pulse.fetch_add(1, Ordering::Relaxed);
    }
}

/// What the threads publish about themselves. Each value has one writer, which is named.
#[derive(Debug, Default)]
pub struct Telemetry {
    /// The rounds of the threads.
    pub pulses: Pulses,
    /// Whether the model is loaded and ready (inference).
    pub is_prepared: AtomicBool,
    /// The name of the device that plays, or why none does (supervisor).
    pub device: ArcSwap<String>,
    /// Whether no MIDI can arrive, though it is wanted (supervisor).
    pub is_deaf: AtomicBool,
    /// Why the state file could not be written; empty if it could (supervisor).
    pub unsaved: ArcSwap<String>,
    /// General MIDI program of each channel (inference).
    pub programs: OfChannels<0>,
    /// For each channel the bank that was asked for and does not exist, 0 for none (inference).
    pub missing_banks: OfChannels<0>,
    /// The positions of the controllers of each channel, whichever source moved them (inference).
    pub places: Controllers,
    /// Level of each channel in the last hop, bits of an f32 (inference).
    pub part_levels: [AtomicU32; 16],
    /// Notes of each channel that sound or ring out (inference).
    pub part_notes: [AtomicU32; 16],
    /// Notes that gave way because more sounded than there is room for (inference).
    pub stolen: AtomicU64,
    /// The positions of the controllers of all ports (inference).
    pub controllers: Controllers,
    /// Constant delay from a key press to its sound, µs, the device's buffer included (inference).
    pub latency_us: AtomicU64,
    /// Compute time of a hop by its length, in thousandths, smoothed (inference).
    pub load_permille: AtomicU32,
    /// Hops that were ready later than wanted (inference).
    pub misses: AtomicU64,
    /// Gaps in the sound because the ring was empty (audio callback).
    pub underruns: AtomicU64,
    /// How often the sound device reported that it ran dry or stood still (audio callback); each
    /// time is a gap, too.
    pub device_underruns: AtomicU64,
    /// Times that MIDI messages were dropped because their queue was full (inference).
    pub overflows: AtomicU64,
    /// Denoising steps of the last hop (inference).
    pub steps_now: AtomicU32,
    /// How long the last hop was, µs, and how many times longer than asked for (inference).
    pub hop_us: AtomicU32,
    /// See `hop_us`.
    pub hop_longer: AtomicU32,
    /// Notes that sound or ring (inference).
    pub notes: AtomicU32,
    /// Highest sample of the last tenth of a second, bits of an f32 (audio callback).
    pub peak: AtomicU32,
    /// Root of the mean square of the same, bits of an f32 (audio callback).
    pub rms: AtomicU32,
    /// Frames the device has played (audio callback).
    pub frames_played: AtomicU64,
    /// Those among them that came from the stream; the others are silence before it and in its gaps
    /// (audio callback). The watchdog looks at it.
    pub stream_frames: AtomicU64,
}

impl Telemetry {
    /// Gaps in the sound: the stream was late, or the device was not served in time.
    pub fn gaps(&self) -> u64 {
        let [stream, device] =
            [&self.underruns, &self.device_underruns].map(|n| n.load(Ordering::Relaxed));
        stream + device
    }

    /// Without a device there is no level, however loud the last sound was.
    pub fn silence(&self) {
        self.peak.store(0, Ordering::Relaxed);
        self.rms.store(0, Ordering::Relaxed);
    }

    /// Whether sound of the stream has been played and its delay is known.
    pub fn sound_flows(&self) -> bool {
        let is_there = |value: &AtomicU64| value.load(Ordering::Relaxed) > 0;
        is_there(&self.stream_frames) && is_there(&self.latency_us)
    }
}
