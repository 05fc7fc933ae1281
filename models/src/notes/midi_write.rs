//! Writes songs, and note events as they come, to standard MIDI files (format 0, 0.1 ms ticks). It
//! knows no tokens; drums go to channel 10.

mod zones;

use std::collections::HashMap;
use std::path::Path;

use midly::num::{u4, u7, u14, u15, u24, u28};
use midly::{
    Format, Header, MetaMessage, MidiMessage, PitchBend, Timing, TrackEvent, TrackEventKind,
};

use self::zones::Zones;
use super::channels::{BEND_SEMITONES, LEGATO, MEMBER_BEND_SEMITONES, OWN, controller_of, data_of};
use super::midi_file::MAX_SONG_S;
use super::{NoteEvent, Song, Voice};
use crate::event::{Control, Part};

/// The ticks per second: [`PER_QUARTER`] at 120 quarter notes a minute.
const TICKS_PER_S: f64 = 10_000.0;
const PER_QUARTER: u16 = 5_000;
const TEMPO_US: u32 = 500_000;
const DRUM_CHANNEL: usize = 9;

/// Writes a song to a file; see [`write_song`].
///
/// # Errors
/// The error of the system about the file.
pub fn write_song_file(song: &Song, path: impl AsRef<Path>) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    write_song(song, &mut bytes)?;
    std::fs::write(path, bytes)
}

/// Writes a song as a format 0 file. Times are rounded to 0.1 ms. Each program has its own channel;
/// with more than 15 programs, a silent channel that was not used for long changes its program.
/// Overlapping notes of one voice, which MIDI cannot tell apart, end at the first release. Times
/// beyond 24 h are written as 24 h.
///
/// # Errors
/// Those of the writer.
pub fn write_song(song: &Song, mut out: impl std::io::Write) -> std::io::Result<()> {
    let mut track = GrowingTrack::new();
    song.events().iter().for_each(|event| track.push(event));
    let (events, end) = track.piece(song.total_time_s)?;
    out.write_all(&track_head(events.len() + end.len())?)?;
    out.write_all(&events)?;
    out.write_all(&end)
}

/// The bytes before the first event of a file that [`track_head`] begins.
pub const TRACK_AT: usize = 22;

/// The first [`TRACK_AT`] bytes of a file whose one track has `length` bytes.
///
/// # Errors
/// The track is longer than MIDI allows (4 GiB).
pub fn track_head(length: usize) -> std::io::Result<Vec<u8>> {
    let mut head = encoded(&[])?;
    let length = u32::try_from(length)
        .map_err(|_| std::io::Error::other("a MIDI track holds at most 4 GiB"))?;
    head.splice(TRACK_AT - 4.., length.to_be_bytes());
    Ok(head)
}

/// A track that grows: its bytes come in pieces, and the track can end after each piece.
#[derive(Debug)]
pub struct GrowingTrack {
    channels: Channels,
    /// The settings of the channels of parts.
    parts: [PartChannel; 16],
    zones: Zones,
    /// The master volume, 0 to 127.
    master_volume: u8,
    tick: u64,
    events: Vec<Written>,
}

/// An event of the track.
#[derive(Debug)]
enum Written {
    /// One without data of any length.
    Plain(TrackEvent<'static>),
    /// A system exclusive message, without its first byte, and its delta time.
    Exclusive(u28, Vec<u8>),
}

impl Written {
    fn event(&self) -> TrackEvent<'_> {
        match self {
            Self::Plain(event) => *event,
            Self::Exclusive(delta, bytes) => {
                TrackEvent { delta: *delta, kind: TrackEventKind::SysEx(bytes) }
            }
        }
    }
}

impl Default for GrowingTrack {
    fn default() -> Self {
        Self::new()
    }
}

impl GrowingTrack {
    /// A track without notes.
    pub fn new() -> Self {
        let tempo = MetaMessage::Tempo(u24::new(TEMPO_US));
        let tempo = TrackEvent { delta: u28::new(0), kind: TrackEventKind::Meta(tempo) };
        let events = vec![Written::Plain(tempo)];
        let parts = std::array::from_fn(|channel| PartChannel {
            is_drum: channel == DRUM_CHANNEL,
            program: None,
            bend_semitones: BEND_SEMITONES,
        });
        let (channels, zones) = (Channels::default(), Zones::default());
        Self { channels, parts, zones, master_volume: 127, tick: 0, events }
    }

    /// Adds an event. If it is earlier than the last one, it gets the time of that one.
    pub fn push(&mut self, event: &NoteEvent) {
        let (track, tick, at) = (&mut self.events, &mut self.tick, ticks(event.time_s));
        let (channel, program_change) = self.channels.of(event);
        if let Some(program) = program_change {
            let message = MidiMessage::ProgramChange { program: u7::from_int_lossy(program) };
            put(track, tick, at, channel, message);
        }
        let key = u7::from_int_lossy(event.voice.key);
        let vel = u7::from_int_lossy(event.velocity);
        put(track, tick, at, channel, MidiMessage::NoteOn { key, vel });
    }

    /// Adds an event of a part on the channel of the part. The channel then plays drums or the
    /// program of the note.
    pub fn push_to(&mut self, part: Part, event: &NoteEvent) {
        let (track, tick, at) = (&mut self.events, &mut self.tick, ticks(event.time_s));
        let channel = usize::from(part.0) % self.parts.len();
        let Voice { is_drum, program, key } = event.voice;
        if event.velocity > 0 {
            let owner = self.zones.owner(channel);
            let state = &mut self.parts[owner];
            let mut say = |message| put(track, tick, at, owner, message);
            if std::mem::replace(&mut state.is_drum, is_drum) != is_drum {
                say(controller(0, if is_drum { RHYTHM_BANK } else { MELODY_BANK }));
                state.program = None;
            }
            if state.program.replace(program) != Some(program) {
                say(MidiMessage::ProgramChange { program: u7::from_int_lossy(program) });
            }
        }
        let (key, vel) = (u7::from_int_lossy(key), u7::from_int_lossy(event.velocity));
        put(track, tick, at, channel, MidiMessage::NoteOn { key, vel });
    }

    /// Adds the messages that change a control of a part. Controls without a MIDI message are
    /// written as unregistered parameters of this project.
    pub fn control(&mut self, part: Part, time_s: f64, control: Control, value: f32) {
        let (track, tick, at) = (&mut self.events, &mut self.tick, ticks(time_s));
        let channel = usize::from(part.0) % self.parts.len();
        let mut say = |message| put(track, tick, at, channel, message);
        let state = &mut self.parts[channel];
        match control {
            Control::Bend => {
                if value.abs() > state.bend_semitones {
                    state.bend_semitones = value.abs().ceil().min(127.0);
                    registered(0, state.bend_semitones as u8, &mut say);
                }
                let share = (value / state.bend_semitones).clamp(-1.0, 1.0);
                let bits = 8192.0 + share * if share > 0.0 { 8191.0 } else { 8192.0 };
                let bend = PitchBend(u14::from_int_lossy(bits.round() as u16));
                say(MidiMessage::PitchBend { bend });
            }
            Control::Tuning => {
                let coarse = value.round();
                registered(2, (64.0 + coarse).clamp(0.0, 127.0) as u8, &mut say);
                let fine = 64.0 + (64.0 * (value - coarse)).round();
                registered(1, fine.clamp(0.0, 127.0) as u8, &mut say);
            }
            Control::Pressure => {
                let vel = u7::from_int_lossy(seven(value));
                say(MidiMessage::ChannelAftertouch { vel });
            }
            Control::MasterVolume => {
                // Every part sends it, but it applies to all of them.
                let level = seven(value);
                if std::mem::replace(&mut self.master_volume, level) != level {
                    exclusive(track, tick, at, &[4, 1, 0, level]);
                }
            }
            Control::Master => {
                let master = (value >= 0.0).then_some(value as usize);
                state.bend_semitones =
                    if master.is_some() { MEMBER_BEND_SEMITONES } else { BEND_SEMITONES };
                for (master, members) in self.zones.set(channel, master) {
                    registered(6, members, &mut |message| put(track, tick, at, master, message));
                }
            }
            _ => {
                if let Some((number, value)) = controller_of(control, value) {
                    say(controller(number, value));
                } else if let Some((number, data)) = data_of(control, value) {
                    parameter([99, 98], [OWN, number], data, &mut say);
                }
            }
        }
    }

    /// Adds pressure on a key of a part, 0..=1.
    pub fn pressure(&mut self, part: Part, time_s: f64, key: u8, value: f32) {
        let (key, vel) = (u7::from_int_lossy(key), u7::from_int_lossy(seven(value)));
        let channel = usize::from(part.0) % self.parts.len();
        let message = MidiMessage::Aftertouch { key, vel };
        put(&mut self.events, &mut self.tick, ticks(time_s), channel, message);
    }

    /// Adds the tuning of a key on all parts, in semitones beside equal temperament (single note
    /// tuning change of the MIDI tuning standard).
    pub fn tuning(&mut self, time_s: f64, key: u8, semitones: f32) {
        let pitch = (f32::from(key) + semitones).clamp(0.0, 127.0);
        let fine = (16384.0 * pitch.fract()).round().min(16383.0) as u16;
        let [high, low] = [fine >> 7, fine & 127].map(|bits| bits as u8);
        let message = [8, 2, 0, 1, key, pitch as u8, high, low];
        exclusive(&mut self.events, &mut self.tick, ticks(time_s), &message);
    }

    /// Adds that the next note of a part glides from the key `from` to its own pitch within some
    /// seconds, at most 16 (portamento control).
    pub fn glide(&mut self, part: Part, time_s: f64, from: u8, seconds: f32) {
        let (track, tick, at) = (&mut self.events, &mut self.tick, ticks(time_s));
        let channel = usize::from(part.0) % self.parts.len();
        let ms = (1000.0 * seconds).round().clamp(1.0, 16383.0) as u16;
        for (number, value) in [(5, (ms >> 7) as u8), (37, (ms & 127) as u8), (84, from)] {
            put(track, tick, at, channel, controller(number, value));
        }
    }

    /// Adds that the next note of a part goes on from the one before, without an attack.
    pub fn legato(&mut self, part: Part, time_s: f64) {
        let (track, tick, at) = (&mut self.events, &mut self.tick, ticks(time_s));
        let channel = usize::from(part.0) % self.parts.len();
        let mut say = |message| put(track, tick, at, channel, message);
        parameter([99, 98], [OWN, LEGATO], [0, 0], &mut say);
    }

    /// The bytes of everything added since the last piece, and the bytes that end the track at
    /// `end_s`. The next piece replaces the latter.
    ///
    /// # Errors
    /// None, because it writes to memory.
    pub fn piece(&mut self, end_s: f64) -> std::io::Result<(Vec<u8>, Vec<u8>)> {
        let piece = encoded(&self.events)?.split_off(TRACK_AT);
        self.events.clear();
        let (mut end, mut tick) = (vec![], self.tick);
        let delta = wait(&mut end, &mut tick, ticks(end_s));
        let kind = TrackEventKind::Meta(MetaMessage::EndOfTrack);
        end.push(Written::Plain(TrackEvent { delta, kind }));
        Ok((piece, encoded(&end)?.split_off(TRACK_AT)))
    }
}

/// The settings of the channel of a part.
#[derive(Debug, Clone, Copy)]
struct PartChannel {
    is_drum: bool,
    program: Option<u8>,
    bend_semitones: f32,
}

/// The banks of drums and of other instruments (General MIDI 2).
const RHYTHM_BANK: u8 = 120;
const MELODY_BANK: u8 = 121;

/// A share of 1 in seven bits.
fn seven(value: f32) -> u8 {
    (127.0 * value).round().clamp(0.0, 127.0) as u8
}

fn controller(number: u8, value: u8) -> MidiMessage {
    let (controller, value) = (u7::from_int_lossy(number), u7::from_int_lossy(value));
    MidiMessage::Controller { controller, value }
}

/// Sets a registered parameter, and then selects none.
fn registered(number: u8, coarse: u8, say: &mut impl FnMut(MidiMessage)) {
    parameter([101, 100], [0, number], [coarse, 0], say);
}

/// Sets the parameter that these controllers select with these numbers, and then selects none.
fn parameter(select: [u8; 2], numbers: [u8; 2], data: [u8; 2], say: &mut impl FnMut(MidiMessage)) {
    let [high, low] = select;
    for (number, value) in [
        (high, numbers[0]),
        (low, numbers[1]),
        (6, data[0]),
        (38, data[1]),
        (high, 127),
        (low, 127),
    ] {
        say(controller(number, value));
    }
}

/// A whole file with these events.
fn encoded(track: &[Written]) -> std::io::Result<Vec<u8>> {
    let header = Header::new(Format::SingleTrack, Timing::Metrical(u15::new(PER_QUARTER)));
    let mut bytes = vec![];
    let events: Vec<TrackEvent<'_>> = track.iter().map(Written::event).collect();
    midly::write_std(&header, std::iter::once(events.iter()), &mut bytes)?;
    Ok(bytes)
}

fn ticks(time_s: f64) -> u64 {
    (time_s.min(MAX_SONG_S) * TICKS_PER_S).round() as u64
}

/// The delta time to tick `at`. If it is too long for one event, empty texts come before.
fn wait(track: &mut Vec<Written>, tick: &mut u64, at: u64) -> u28 {
    let longest = u64::from(u28::max_value().as_int());
    let mut delta = at.saturating_sub(*tick);
    *tick = at.max(*tick);
    while delta > longest {
        let kind = TrackEventKind::Meta(MetaMessage::Text(b""));
        track.push(Written::Plain(TrackEvent { delta: u28::max_value(), kind }));
        delta -= longest;
    }
    u28::from_int_lossy(delta as u32)
}

fn put(track: &mut Vec<Written>, tick: &mut u64, at: u64, channel: usize, message: MidiMessage) {
    let delta = wait(track, tick, at);
    let channel = u4::from_int_lossy(channel as u8);
    let kind = TrackEventKind::Midi { channel, message };
    track.push(Written::Plain(TrackEvent { delta, kind }));
}

/// Adds a universal real-time message to all devices.
fn exclusive(track: &mut Vec<Written>, tick: &mut u64, at: u64, message: &[u8]) {
    let delta = wait(track, tick, at);
    let bytes = [&[0x7F, 0x7F], message, &[0xF7]].concat();
    track.push(Written::Exclusive(delta, bytes));
}

/// Which channel plays which program, and which voices sound on it.
#[derive(Debug, Default)]
struct Channels {
    states: [Channel; 16],
    sounding: HashMap<Voice, usize>,
    clock: u64,
}

#[derive(Debug, Default, Clone, Copy)]
struct Channel {
    program: Option<u8>,
    used_at: u64,
    sounding: usize,
}

impl Channels {
    /// The channel of an event, and the program if the channel must change to it.
    fn of(&mut self, event: &NoteEvent) -> (usize, Option<u8>) {
        let voice = event.voice;
        self.clock += 1;
        let channel = match self.sounding.get(&voice) {
            _ if voice.is_drum => DRUM_CHANNEL,
            Some(&channel) => channel,
            None => self.choose(voice.program),
        };
        let Some(state) = self.states.get_mut(channel) else { return (channel, None) };
        state.used_at = self.clock;
        if event.velocity == 0 {
            // A release finds its key even if the program of the channel has changed.
            if self.sounding.remove(&voice).is_some() {
                state.sounding = state.sounding.saturating_sub(1);
            }
            return (channel, None);
        }
        if !voice.is_drum && self.sounding.insert(voice, channel).is_none() {
            state.sounding += 1;
        }
        let changed = state.program.replace(voice.program) != Some(voice.program);
        (channel, changed.then_some(voice.program))
    }

    /// The channel that has the program, else a silent one, else any one; among those, the one that
    /// was not used for the longest time.
    fn choose(&self, program: u8) -> usize {
        let melodic =
            self.states.iter().enumerate().filter(|&(channel, _)| channel != DRUM_CHANNEL);
        melodic
            .min_by_key(|(_, state)| {
                (state.program != Some(program), state.sounding > 0, state.used_at)
            })
            .map_or(0, |(channel, _)| channel)
    }
}
