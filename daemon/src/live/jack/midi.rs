//! Reads the port `midi_in` in the process callback of JACK. It knows no notes.

use std::time::{Duration, Instant};

use jack::{Client, Frames, MidiIn, Port, ProcessScope};

use super::{MidiEnd, SOURCE};
use crate::bus::queues::{Midi, MidiInput};
use crate::live::midi::message::{exclusive, message};

/// The port, and the way its messages take.
pub(super) struct Reader {
    port: Port<MidiIn>,
    /// The same moment on both clocks, because JACK counts microseconds of its own.
    epoch: (Instant, jack::Time),
    end: MidiEnd,
}

impl Reader {
    pub(super) fn new(client: &Client, port: Port<MidiIn>, end: MidiEnd) -> Self {
        Self { port, epoch: (Instant::now(), client.time()), end }
    }

    /// Takes the messages of this cycle.
    ///
    /// # Real time
    /// It neither allocates nor waits.
    pub(super) fn read(&mut self, client: &Client, scope: &ProcessScope) {
        let cycle: Frames = scope.last_frame_time();
        for event in self.port.iter(scope) {
            let at_us = client.frames_to_time(cycle.wrapping_add(event.time));
            let at = match at_us.checked_sub(self.epoch.1) {
                Some(since) => self.epoch.0 + Duration::from_micros(since),
                None => self.epoch.0,
            };
            let queue = &self.end.queue;
            let send = &mut |midi| queue.send(MidiInput { at, source: SOURCE, midi });
            if exclusive(event.bytes, send) {
                continue;
            }
            let Some(message) = message(event.bytes) else { continue };
            (self.end.filter)(message, &mut |message| {
                queue.send(MidiInput { at, source: SOURCE, midi: Midi::Message(message) });
            });
        }
    }
}
