//! What threads give each other: every queue with its capacity and what happens when it is full.
//! Knows no thread's work.
//!
//! | queue | from | to | capacity | when full |
//! | --- | --- | --- | --- | --- |
//! | [`MidiSender`] | MIDI ports, OSC | inference | 4096 messages | counted; the reader then releases every note |
//! | ring of samples | inference | audio callback | 11 s, two of the longest hops | never: inference waits for the play position |
//! | ring of parts (`stems`) | inference | JACK's callback | 11 s | as the ring of samples, with which it goes |
//! | questions and answers (`frames`) | inference, `timbred-frames` | each other | 4 | a hop is played without what the denoiser adds |
//! | models (`loading`) | `timbred-loading` | inference | 1 | the loader waits; it gets the model before back the same way |
//! | commands, and their outcomes (`control::service::pending`) | OSC, supervisor | supervisor, OSC | 64 | the sender is told |
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

/// Where a message came from: notes of a source that is gone are released.
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
    /// A key is tuned so (semitones beside equal temperament) until MIDI says otherwise, and again
    /// after a reset.
    Tuning {
        /// Which key.
        key: u8,
        /// How much.
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
    /// From where.
    pub source: SourceId,
    /// What.
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
    /// Sends a message; one that finds the queue full is dropped, and the reader told.
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

/// A controller that has not been heard of.
const UNHEARD: u8 = u8::MAX;

/// Where every MIDI controller is, of 16 channels together.
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

    /// Takes where the controllers that are told are.
    pub fn take(&self, now: &controllers::Controllers) {
        for channel in 0..16 {
            for (controller, _) in TOLD {
                self.set(channel, controller, now.get(channel, controller));
            }
        }
    }

    /// Where a controller of a channel is; at the start where nothing was heard yet.
    pub fn get(&self, channel: usize, controller: u8) -> u8 {
        let place = self.0.get(channel * CONTROLLERS + usize::from(controller));
        let value = place.map_or(UNHEARD, |place| place.load(Ordering::Relaxed));
        let rest = TOLD.iter().find(|(told, _)| *told == controller).map_or(0, |(_, rest)| *rest);
        if value == UNHEARD { rest } else { value }
    }

    /// Where they are, all of channel 1 first; none where nothing was heard yet.
    pub fn all(&self) -> impl Iterator<Item = Option<u8>> {
        self.0.iter().map(|c| Some(c.load(Ordering::Relaxed)).filter(|value| *value != UNHEARD))
    }
}

/// A MIDI value of each channel, `START` until something else is said.
#[derive(Debug)]
pub struct OfChannels<const START: u8>([AtomicU8; 16]);

impl<const START: u8> Default for OfChannels<START> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU8::new(START)))
    }
}

impl<const START: u8> OfChannels<START> {
    /// Takes what all channels have now.
    pub fn set(&self, values: &[u8; 16]) {
        for (to, value) in self.0.iter().zip(values) {
            to.store(*value, Ordering::Relaxed);
        }
    }

    /// What a channel has, counted from 0.
    pub fn get(&self, channel: usize) -> u8 {
        self.0.get(channel).map_or(START, |value| value.load(Ordering::Relaxed))
    }
}

/// How often each thread has gone round: one that stands still is found by the watchdog. The
/// device's thread counts frames, and the recorder's may wait for the disk.
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
    /// A thread has gone round.
    pub fn beat(pulse: &AtomicU64) {
        pulse.fetch_add(1, Ordering::Relaxed);
    }
}

/// What the threads publish about themselves; each value has one writer.
#[derive(Debug, Default)]
pub struct Telemetry {
    /// That the threads go round.
    pub pulses: Pulses,
    /// Whether the model has been made ready (inference).
    pub is_prepared: AtomicBool,
    /// The device that plays, or why none does (supervisor).
    pub device: ArcSwap<String>,
    /// Whether no MIDI can arrive, though it is wanted (supervisor).
    pub is_deaf: AtomicBool,
    /// Why the file of what is set could not be written; empty: it was (supervisor).
    pub unsaved: ArcSwap<String>,
    /// General MIDI program of each channel (inference).
    pub programs: OfChannels<0>,
    /// The bank of each channel that is not there; 0 where nothing is missing (inference).
    pub missing_banks: OfChannels<0>,
    /// Where the controllers of each channel are, whoever moved them (inference).
    pub places: Controllers,
    /// Level of each channel in the last hop, bits of an f32 (inference).
    pub part_levels: [AtomicU32; 16],
    /// Notes of each channel that sound or ring out (inference).
    pub part_notes: [AtomicU32; 16],
    /// Notes that gave way because more sounded than there is room for (inference).
    pub stolen: AtomicU64,
    /// Where the controllers of all ports are (inference).
    pub controllers: Controllers,
    /// Constant delay from a key press to its sound, µs, the device's buffer included (inference).
    pub latency_us: AtomicU64,
    /// Compute time of a hop by its length, in thousandths, smoothed (inference).
    pub load_permille: AtomicU32,
    /// Hops that were ready later than wanted (inference).
    pub misses: AtomicU64,
    /// Gaps in the sound because the ring was empty (audio callback).
    pub underruns: AtomicU64,
    /// Times that the sound device itself ran dry or stood still, as it says (audio callback); each
    /// is a gap, too.
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

    /// Whether sound of the stream has been played, and how late it is is known.
    pub fn sound_flows(&self) -> bool {
        let is_there = |value: &AtomicU64| value.load(Ordering::Relaxed) > 0;
        is_there(&self.stream_frames) && is_there(&self.latency_us)
    }
}
