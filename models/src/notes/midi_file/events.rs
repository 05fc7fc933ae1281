//! The events of a track in order, even after damage. It knows no time and no notes.
//!
//! If an event is damaged, there may be several places where the next one begins. All of them are
//! tried, and the one from which the most events can be read wins (`score`). So one lost byte does
//! not cost the rest.

use midly::{EventIter, MetaMessage, TrackEventKind};

use super::mended::{Damage, Mended};

/// The events to read ahead to score a place.
const LOOK_AHEAD: usize = 8;
/// The bytes after damage to try one by one.
const NEXT_BYTES: usize = 12;
/// The bytes in which the end of a system exclusive message is searched.
const SYSEX_LOOK: usize = 4096;
/// A time between two events up to which it counts as likely, ticks.
const LIKELY_TICKS: u32 = 2000;

/// The content of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// A channel message. The second data byte is 0 if there is none.
    Channel { status: u8, data: [u8; 2] },
    /// A tempo in microseconds per quarter note, never 0.
    Tempo(u32),
    /// A system exclusive message, with the offset of its bytes in the file.
    Exclusive { at: u32 },
    /// A port (FF 21) for the next events of this track.
    Port(u8),
    /// The end of the track.
    End,
    /// An event that no song needs.
    Nothing,
}

/// An event and its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Event {
    /// Bytes from the start of the file.
    pub(super) offset: usize,
    /// Ticks since the last event.
    pub(super) delta: u32,
    pub(super) what: What,
}

/// An event as it was read, and the state after it.
#[derive(Debug, Clone, Copy)]
struct Step {
    delta: u32,
    what: What,
    next: usize,
    running: Running,
    /// Damage that did not keep the event from being read.
    damage: Option<Damage>,
    /// Whether the event has its own status byte.
    has_status: bool,
}

/// The status of events without a status byte.
#[derive(Debug, Clone, Copy, Default)]
struct Running {
    status: Option<u8>,
    /// Whether a meta event or system exclusive message came since, which should have ended it.
    is_stale: bool,
}

/// Damage that keeps an event from being read.
#[derive(Debug, Clone, Copy)]
struct Broken {
    offset: usize,
    damage: Damage,
    /// The ticks before it, which still count.
    delta: u32,
    /// The running status after it.
    running: Running,
    /// What can be kept of the event, and where the next one would then begin, in the order to try.
    ways: [Option<(What, usize)>; 4],
}

/// Reads the events of one track from `at` to `end`.
pub(super) struct Events<'a> {
    bytes: &'a [u8],
    at: usize,
    end: usize,
    running: Running,
}

impl<'a> Events<'a> {
    /// The events in `bytes` from `at` to `end`, both counted from the start of the file.
    pub(super) fn new(bytes: &'a [u8], at: usize, end: usize) -> Self {
        Self { bytes, at, end: end.min(bytes.len()), running: Running::default() }
    }

    /// The offset of the next event.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// The next event; `None` at the end of the track.
    pub(super) fn next(&mut self, mended: &mut Mended) -> Option<Event> {
        if self.at >= self.end {
            return None;
        }
        let offset = self.at;
        match self.step(offset, self.running) {
            Ok(step) => {
                if let Some(damage) = step.damage {
                    mended.add(offset, damage);
                }
                self.at = step.next;
                self.running = step.running;
                Some(Event { offset, delta: step.delta, what: step.what })
            }
            Err(broken) => {
                mended.add(broken.offset, broken.damage);
                let (what, next) = self.way_around(&broken);
                self.at = next.max(offset + 1);
                self.running = broken.running;
                Some(Event { offset, delta: broken.delta, what })
            }
        }
    }

    /// What to keep of a broken event, and where the next one begins: where the most can be read.
    fn way_around(&self, broken: &Broken) -> (What, usize) {
        let after = broken.offset + 1;
        let bytewise = (after..after + NEXT_BYTES).map(|next| (What::Nothing, next));
        let mut best = ((What::Nothing, self.end), 0);
        for way in broken.ways.iter().flatten().copied().chain(bytewise) {
            let score = self.score(way.1, broken.running);
            if score > best.1 {
                best = (way, score);
            }
        }
        best.0
    }

    /// The score of an event that begins at `at`, over the next events: three for each with a
    /// status byte, two for each without, and one for each after an unlikely time or with damage
    /// that leaves nothing.
    fn score(&self, mut at: usize, mut running: Running) -> u32 {
        let mut score = 0;
        for n in 0..LOOK_AHEAD {
            if at == self.end {
                // Everything could be read.
                return score + 3 * (LOOK_AHEAD - n) as u32;
            }
            let step = match self.step(at, running) {
                Ok(step) => step,
                // Files with one such byte have many. It counts like any other event, if something
                // is left of it.
                Err(Broken {
                    damage: Damage::DataByte(_), delta, running: after, ways, ..
                }) => {
                    let [Some((what, next)), ..] = ways else { break };
                    let is_likely = delta <= LIKELY_TICKS && what != What::Nothing;
                    score += if is_likely { 3 } else { 1 };
                    (at, running) = (next, after);
                    continue;
                }
                Err(_) => break,
            };
            score += match (step.delta <= LIKELY_TICKS, step.has_status) {
                (false, _) => 1,
                (true, false) => 2,
                (true, true) => 3,
            };
            if step.what == What::End {
                return score + 3 * (LOOK_AHEAD - n - 1) as u32;
            }
            (at, running) = (step.next, step.running);
        }
        score
    }

    fn byte(&self, at: usize) -> Option<u8> {
        if at < self.end { self.bytes.get(at).copied() } else { None }
    }

    /// A number of up to four times seven bits, and where it ends.
    fn number(&self, at: usize) -> Result<(u32, usize), Damage> {
        let mut value = 0;
        for n in 0..4 {
            let byte = self.byte(at + n).ok_or(Damage::CutOff)?;
            value = value << 7 | u32::from(byte & 0x7F);
            if byte < 0x80 {
                return Ok((value, at + n + 1));
            }
        }
        Err(Damage::Number)
    }

    /// Reads the event whose time begins at `start`.
    fn step(&self, start: usize, running: Running) -> Result<Step, Broken> {
        let broken =
            |damage, offset, delta| Broken { offset, damage, delta, running, ways: [None; 4] };
        let (delta, at) = self.number(start).map_err(|damage| broken(damage, start, 0))?;
        let cut_off = broken(Damage::CutOff, start, delta);
        let first = self.byte(at).ok_or(cut_off)?;
        match first {
            0x00..=0x7F => match running.status {
                None => Err(broken(Damage::NoStatus, at, delta)),
                Some(status) => {
                    let damage = running.is_stale.then_some(Damage::Running);
                    let step = Step { damage, ..self.channel(at, delta, status)? };
                    Ok(Step { has_status: false, ..step })
                }
            },
            0x80..=0xEF => self.channel(at + 1, delta, first),
            0xF0 | 0xF7 => self.sysex(at, delta, running),
            0xFF => self.meta(start, at, delta, running),
            // Clock, song position and similar messages, which some programs record as they came.
            _ => {
                let spec = match first {
                    0xF1 | 0xF3 => 1,
                    0xF2 => 2,
                    _ => 0,
                };
                let way = |data: usize| Some((What::Nothing, at + 1 + data));
                let ways = [way(spec), way(0), way(1), way(2)];
                Err(Broken { ways, ..broken(Damage::System(first), at, delta) })
            }
        }
    }

    /// Reads a channel message whose data begin at `at`.
    fn channel(&self, at: usize, delta: u32, status: u8) -> Result<Step, Broken> {
        let length = if matches!(status & 0xF0, 0xC0 | 0xD0) { 1 } else { 2 };
        let mut data = [0; 2];
        let running = Running { status: Some(status), is_stale: false };
        let broken = |damage, offset| Broken { offset, damage, delta, running, ways: [None; 4] };
        for (n, slot) in data.iter_mut().enumerate().take(length) {
            *slot = self.byte(at + n).ok_or(broken(Damage::CutOff, at))?;
        }
        if let Some(n) = data.iter().position(|byte| *byte > 0x7F) {
            let (offset, byte) = (at + n, data[n]);
            let ways = [
                Some((clamped(status, data), at + length)),
                self.without(at, n, length, status),
                Some((What::Nothing, offset)),
                None,
            ];
            return Err(Broken { ways, ..broken(Damage::DataByte(byte), offset) });
        }
        let what = What::Channel { status, data };
        Ok(Step { delta, what, next: at + length, running, damage: None, has_status: true })
    }

    /// The same message if its data byte `bad` is a real-time byte that came in between.
    fn without(&self, at: usize, bad: usize, length: usize, status: u8) -> Option<(What, usize)> {
        if self.byte(at + bad)? < 0xF8 {
            return None;
        }
        let mut data = [0; 2];
        let rest = (at..).enumerate().filter(|(n, _)| *n != bad).map(|(_, at)| at);
        for (slot, at) in data.iter_mut().zip(rest).take(length) {
            *slot = self.byte(at).filter(|byte| *byte < 0x80)?;
        }
        Some((What::Channel { status, data }, at + length + 1))
    }

    /// Reads a system exclusive message, or escaped bytes. The status is at `at`.
    fn sysex(&self, at: usize, delta: u32, running: Running) -> Result<Step, Broken> {
        let behind = self.number(at + 1).map(|(length, body)| (body, body + length as usize));
        let running = Running { is_stale: true, ..running };
        match behind {
            Ok((body, next)) if next <= self.end => {
                let is_whole = self.byte(at) == Some(0xF0) && next > body;
                let what =
                    if is_whole { What::Exclusive { at: body as u32 } } else { What::Nothing };
                Ok(Step { what, ..nothing(delta, next, running) })
            }
            behind => {
                let body = behind.map_or(at + 1, |(body, _)| body);
                let look = self.bytes.get(body..self.end.min(body + SYSEX_LOOK));
                let end = look.and_then(|look| look.iter().position(|byte| *byte == 0xF7));
                let way = |next| Some((What::Nothing, next));
                let ways = [end.and_then(|end| way(body + end + 1)), way(body), None, None];
                Err(Broken { offset: at, damage: Damage::TooLongEvent, delta, running, ways })
            }
        }
    }

    /// Reads a meta event whose status is at `at`; midly decodes it.
    fn meta(&self, start: usize, at: usize, delta: u32, running: Running) -> Result<Step, Broken> {
        let broken = |damage, ways| Broken { offset: at, damage, delta, running, ways };
        let kind = self.byte(at + 1).ok_or(broken(Damage::CutOff, [None; 4]))?;
        let behind = self.number(at + 2).map(|(length, body)| (body, body + length as usize));
        let (body, next) = match behind {
            Ok((body, next)) if next <= self.end && kind < 0x80 => (body, next),
            behind => {
                let body = behind.map_or(at + 2, |(body, _)| body);
                let ways = [Some((What::Nothing, body)), None, None, None];
                return Err(broken(Damage::TooLongEvent, ways));
            }
        };
        let running = Running { is_stale: true, ..running };
        let event = self.bytes.get(start..next).and_then(|event| EventIter::new(event).next());
        let (what, damage) = match event {
            Some(Ok(event)) => match event.kind {
                TrackEventKind::Meta(MetaMessage::Tempo(tempo)) => match tempo.as_int() {
                    0 => (What::Nothing, Some(Damage::ZeroTempo)),
                    quarter_us => (What::Tempo(quarter_us), None),
                },
                TrackEventKind::Meta(MetaMessage::MidiPort(port)) => {
                    (What::Port(port.as_int()), None)
                }
                TrackEventKind::Meta(MetaMessage::EndOfTrack) => (What::End, None),
                _ => (What::Nothing, None),
            },
            _ => (What::Nothing, Some(Damage::Meta(kind))),
        };
        // It is an end even if it has unexpected content.
        let what = if kind == 0x2F { What::End } else { what };
        let damage = damage.or((kind == 0x2F && next > body).then_some(Damage::Meta(kind)));
        Ok(Step { damage, what, ..nothing(delta, next, running) })
    }
}

fn nothing(delta: u32, next: usize, running: Running) -> Step {
    Step { delta, what: What::Nothing, next, running, damage: None, has_status: true }
}

/// What to keep of a message with a data byte above 127. A value becomes the largest one; with an
/// invalid key, controller or program nothing is kept.
fn clamped(status: u8, data: [u8; 2]) -> What {
    let [first, second] = data;
    let is_value = matches!(status & 0xF0, 0xD0 | 0xE0);
    if first > 0x7F && !is_value {
        return What::Nothing;
    }
    What::Channel { status, data: [first.min(0x7F), second.min(0x7F)] }
}
