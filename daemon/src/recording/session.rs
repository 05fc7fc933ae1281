//! One recording from its beginning to its end. It puts sound and notes in their places, and begins
//! the next file when one is full or the rate changes. It knows no queue, and the thread
//! `timbred-recorder` uses it.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use timbre_models::event::{Control, Part};
use timbre_models::notes::{NoteEvent, Voice};

use super::midi::MidiFile;
use super::tap::{Begin, OfKey, Played};
use super::wav::{MOST_FRAMES, WavFile};
use super::{Create, Disk, names};
use crate::mix::limiter::Limiter;
use crate::mix::{Frame, SIDES};

/// The most that a crash can lose, seconds.
const FLUSH_S: u64 = 2;
/// Drums are never released, but in a file every note must end: a drum does so this much later,
/// seconds.
const DRUM_S: f64 = 0.1;
/// How many other names are tried for the next file if it exists already.
const MOST_NAMES: u32 = 1000;

/// A new pair of files.
pub(super) struct Pair {
    pub(super) path: PathBuf,
    wav: Box<dyn Disk>,
    midi: Box<dyn Disk>,
}

impl Pair {
    /// Makes both files. Files that exist already are not changed.
    pub(super) fn new(create: &Create, path: &Path) -> io::Result<Self> {
        let wav = create(path)?;
        let midi = create(&names::midi_beside(path)).inspect_err(|_| {
            let _ = std::fs::remove_file(path);
        })?;
        Ok(Self { path: path.to_owned(), wav, midi })
    }

    /// The first of the names `NAME-2.wav`, `NAME-3.wav` ... from `number` on that is free.
    pub(super) fn next(create: &Create, first: &Path, number: &mut u32) -> io::Result<Self> {
        for _ in 0..MOST_NAMES {
            *number += 1;
            match Self::new(create, &names::numbered(first, *number)) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                done => return done,
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Removes the files again, because nothing was recorded.
    fn remove(self) {
        let _ = std::fs::remove_file(names::midi_beside(&self.path));
        let _ = std::fs::remove_file(self.path);
    }
}

/// The pair of files that is being written.
struct Open {
    path: PathBuf,
    wav: WavFile,
    midi: MidiFile,
    begin: Begin,
    /// How many samples since `begin` are in earlier files.
    origin: u64,
    /// How many samples are not flushed yet.
    waiting: u64,
}

impl Open {
    fn new(pair: Pair, begin: Begin, origin: u64) -> io::Result<Self> {
        let Pair { path, wav, midi } = pair;
        let (midi_path, rate_hz) = (names::midi_beside(&path), begin.rate_hz);
        let wav = WavFile::new(wav, &path, rate_hz)?;
        let midi = MidiFile::new(midi, &midi_path)?;
        Ok(Self { path, wav, midi, begin, origin, waiting: 0 })
    }

    /// The time in this file of a sample since `begin`, seconds.
    fn seconds(&self, at: u64) -> f64 {
        at.saturating_sub(self.origin) as f64 / f64::from(self.begin.rate_hz)
    }

    /// The next sample, counted from `begin`.
    fn next(&self) -> u64 {
        self.origin + self.wav.frames()
    }

    fn played(&mut self, at: u64, played: Played) {
        let time_s = self.seconds(at);
        self.midi.played(&played.at(time_s));
    }

    fn flush(&mut self) -> io::Result<()> {
        self.waiting = 0;
        self.wav.flush()?;
        self.midi.flush(self.seconds(self.next()))
    }
}

/// A recording.
pub(super) struct Session {
    first: PathBuf,
    /// How many files there are so far.
    number: u32,
    /// The first files, until there is sound.
    reserved: Option<Pair>,
    open: Option<Open>,
    limiter: Limiter,
    /// Notes whose sound has not arrived yet, each with the sample where it begins, in order of
    /// arrival.
    pending: BTreeMap<(u64, u64), Played>,
    notes: u64,
    /// The notes that are held at the end of the file, with their velocities.
    sounding: BTreeMap<(Part, Voice), u8>,
    /// The controls and the tunings of keys at the end of the file.
    controls: HashMap<(Part, Control), f32>,
    tunings: BTreeMap<u8, f32>,
    /// Length of the files that are done, seconds.
    done_s: f64,
    most_frames: u64,
}

impl Session {
    /// A recording into new files.
    pub(super) fn new(pair: Pair) -> Self {
        Self {
            first: pair.path.clone(),
            number: 1,
            reserved: Some(pair),
            open: None,
            limiter: Limiter::default(),
            pending: BTreeMap::new(),
            notes: 0,
            sounding: BTreeMap::new(),
            controls: HashMap::new(),
            tunings: BTreeMap::new(),
            done_s: 0.0,
            most_frames: MOST_FRAMES,
        }
    }

    /// The WAV file that is being written.
    pub(super) fn file(&self) -> &Path {
        self.open.as_ref().map_or(&self.first, |open| &open.path)
    }

    /// Length of all files, seconds.
    pub(super) fn seconds(&self) -> f64 {
        self.done_s + self.open.as_ref().map_or(0.0, |open| open.seconds(open.next()))
    }

    /// Takes that sound begins. A second beginning means another rate, and so another file.
    pub(super) fn begin(&mut self, create: &Create, begin: Begin) -> io::Result<()> {
        self.close()?;
        self.pending.clear();
        let pair = match self.reserved.take() {
            Some(pair) => pair,
            None => Pair::next(create, &self.first, &mut self.number)?,
        };
        self.open = Some(Open::new(pair, begin, 0)?);
        Ok(())
    }

    /// Takes a note or a control with its stream second.
    pub(super) fn played(&mut self, played: Played) {
        let Some(open) = &self.open else { return };
        let (begin, next) = (&open.begin, open.next());
        let at_s = played.time_s() - begin.start_s + begin.delay_s;
        let at = (at_s * f64::from(begin.rate_hz)).round().max(0.0) as u64;
        self.expect(at.max(next), played);
    }

    fn expect(&mut self, at: u64, played: Played) {
        self.notes += 1;
        self.pending.insert((at, self.notes), played);
    }

    /// Takes sound that begins at sample `at`, counted from the beginning. Samples missing before
    /// it were lost, and become silence. Returns whether the files were flushed.
    pub(super) fn sound(
        &mut self,
        create: &Create,
        at: u64,
        samples: &[Frame],
    ) -> io::Result<bool> {
        static SILENCE: [Frame; 4096] = [[0.0; SIDES]; 4096];
        while let Some(open) = &self.open
            && open.next() < at
        {
            let missing = (at - open.next()).min(SILENCE.len() as u64) as usize;
            self.extend(create, SILENCE.get(..missing).unwrap_or_default())?;
        }
        self.extend(create, samples)?;
        let Some(open) = &mut self.open else { return Ok(false) };
        let is_due = open.waiting >= FLUSH_S * u64::from(open.begin.rate_hz);
        if is_due {
            open.flush()?;
        }
        Ok(is_due)
    }

    fn extend(&mut self, create: &Create, mut samples: &[Frame]) -> io::Result<()> {
        while let Some(open) = &mut self.open
            && !samples.is_empty()
        {
            let room = self.most_frames.saturating_sub(open.wav.frames());
            let count = usize::try_from(room).unwrap_or(usize::MAX).min(samples.len());
            let (now, later) = samples.split_at(count);
            let (limiter, rate_hz) = (&mut self.limiter, open.begin.rate_hz as f32);
            open.wav.write(now.iter().map(|sample| limiter.next(*sample, rate_hz)))?;
            open.waiting += count as u64;
            let next = open.next();
            self.settle(next);
            samples = later;
            if !samples.is_empty() {
                self.go_on(create)?;
            }
        }
        Ok(())
    }

    /// Writes the notes whose sound has arrived.
    fn settle(&mut self, until: u64) {
        while let Some(entry) = self.pending.first_entry()
            && entry.key().0 < until
        {
            let ((at, _), played) = entry.remove_entry();
            let Some(open) = &mut self.open else { return };
            open.played(at, played);
            let (part, event) = match played {
                Played::Note(part, event) => (part, event),
                Played::Control(part, _, control, value) => {
                    self.controls.insert((part, control), value);
                    continue;
                }
                Played::Key(_, _, key, OfKey::Tuning(semitones)) => {
                    self.tunings.insert(key, semitones);
                    continue;
                }
                Played::Key(..) => continue,
            };
            match (event.voice.is_drum, event.velocity) {
                (true, 0) => {}
                (true, _) => {
                    let later = (DRUM_S * f64::from(open.begin.rate_hz)) as u64;
                    let end = NoteEvent { velocity: 0, ..event };
                    self.expect(at + later, Played::Note(part, end));
                }
                (false, 0) => drop(self.sounding.remove(&(part, event.voice))),
                (false, velocity) => drop(self.sounding.insert((part, event.voice), velocity)),
            }
        }
    }

    /// Begins the next file, with the controls and tunings as they are and all notes that are held.
    fn go_on(&mut self, create: &Create) -> io::Result<()> {
        let Some(before) = &self.open else { return Ok(()) };
        let (begin, origin) = (before.begin, before.next());
        let held = self.sounding.clone();
        self.close()?;
        let pair = Pair::next(create, &self.first, &mut self.number)?;
        let mut open = Open::new(pair, begin, origin)?;
        for ((part, control), value) in &self.controls {
            open.played(origin, Played::Control(*part, 0.0, *control, *value));
        }
        for (key, semitones) in &self.tunings {
            open.played(origin, Played::Key(Part(0), 0.0, *key, OfKey::Tuning(*semitones)));
        }
        for ((part, voice), velocity) in &held {
            let event = NoteEvent { time_s: 0.0, voice: *voice, velocity: *velocity };
            open.played(origin, Played::Note(*part, event));
        }
        (self.open, self.sounding) = (Some(open), held);
        Ok(())
    }

    /// Ends the files that are open, with everything released.
    fn close(&mut self) -> io::Result<()> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        let end = open.next();
        for (part, voice) in std::mem::take(&mut self.sounding).into_keys() {
            let event = NoteEvent { time_s: 0.0, voice, velocity: 0 };
            open.played(end, Played::Note(part, event));
        }
        let end_s = open.seconds(end);
        self.done_s += end_s;
        // Each file is ended, even if ending the other one fails.
        let wav = open.wav.finish();
        open.midi.finish(end_s).and(wav)
    }

    /// Ends the recording and returns its length in seconds. If there was no sound, that is 0, and
    /// no file stays.
    pub(super) fn finish(mut self) -> io::Result<f64> {
        if let Some(pair) = self.reserved.take() {
            pair.remove();
        }
        self.close().map(|()| self.done_s)
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
pub(super) mod tests;
