//! Tests of recordings without a queue: the contents of their files, including those of several
//! files in a row and of a full disk.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use timbre_models::event::What;
use timbre_models::notes::{Note, Voice, read_mended, read_song_file};

use super::*;

const RATE_HZ: u32 = 1_000;

fn create() -> Create {
    Box::new(|path| Ok(Box::new(File::create_new(path)?) as Box<dyn Disk>))
}

/// A disk with limited space for all of its files, in bytes.
struct Small {
    file: File,
    at: u64,
    length: u64,
    room: Arc<AtomicU64>,
}

impl Write for Small {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let more = (self.at + bytes.len() as u64).saturating_sub(self.length);
        let room = self.room.load(Ordering::Relaxed);
        // Like a real disk, it takes what fits and refuses the rest.
        let missing = more.saturating_sub(room) as usize;
        let fits = &bytes[..bytes.len() - missing.min(bytes.len())];
        if fits.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let written = self.file.write(fits)?;
        self.at += written as u64;
        self.room.fetch_sub(self.at.saturating_sub(self.length), Ordering::Relaxed);
        self.length = self.length.max(self.at);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Small {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = self.file.seek(to)?;
        Ok(self.at)
    }
}

impl Disk for Small {
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A disk with space for a number of bytes.
pub(in super::super) fn small(bytes: u64) -> Create {
    let room = Arc::new(AtomicU64::new(bytes));
    Box::new(move |path| {
        let file = File::create_new(path)?;
        Ok(Box::new(Small { file, at: 0, length: 0, room: room.clone() }) as Box<dyn Disk>)
    })
}

fn begin(rate_hz: u32, start_s: f64) -> Begin {
    Begin { take: 1, rate_hz, start_s, delay_s: 0.0 }
}

fn event(time_s: f64, key: u8, velocity: u8) -> Played {
    let voice = Voice { is_drum: key < 40, program: 5, key };
    let part = Part(if key < 40 { 9 } else { 2 });
    Played::Note(part, NoteEvent { time_s, voice, velocity })
}

/// The left samples of a file, with full scale 1. Panics if the file is not valid.
pub(in super::super) fn heard(path: &Path) -> Vec<f32> {
    let reader = hound::WavReader::open(path).unwrap();
    let spec = reader.spec();
    assert_eq!((spec.bits_per_sample, spec.channels), (24, 2));
    let samples: Vec<f32> =
        reader.into_samples::<i32>().map(|s| s.unwrap() as f32 / 8_388_608.0).collect();
    let bytes = path.metadata().unwrap().len();
    assert_eq!(bytes, 68 + 3 * samples.len() as u64);
    samples.into_iter().step_by(2).collect()
}

/// Checks that the track of a file is as long as its header says, and has an end.
fn whole_midi(path: &Path) {
    let bytes = std::fs::read(names::midi_beside(path)).unwrap();
    let length = u32::from_be_bytes(bytes[18..22].try_into().unwrap());
    assert_eq!(
        (length as usize, &bytes[bytes.len() - 3..]),
        (bytes.len() - 22, &b"\xff\x2f\0"[..])
    );
}

/// The (key, start, end) of every note, in ms. Panics if the file is not valid.
pub(in super::super) fn notes(path: &Path) -> Vec<(u8, u64, u64)> {
    whole_midi(path);
    let song = read_song_file(names::midi_beside(path)).unwrap();
    let ms = |s: f64| (s * 1000.0).round() as u64;
    let note = |n: &Note| (n.voice.key, ms(n.start_s), ms(n.end_s));
    let mut notes: Vec<_> = song.notes.iter().map(note).collect();
    notes.sort_unstable();
    notes
}

struct Rig {
    folder: tempfile::TempDir,
    create: Create,
    session: Session,
}

impl Rig {
    fn new(create: Create) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pair = Pair::new(&create, &folder.path().join("take.wav")).unwrap();
        let mut session = Session::new(pair);
        session.begin(&create, begin(RATE_HZ, 10.0)).unwrap();
        Self { folder, create, session }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Records sound in pieces of 20 ms.
    fn sound(&mut self, from: u64, to: u64, level: f32) -> io::Result<()> {
        for at in (from..to).step_by(20) {
            self.session.sound(&self.create, at, &[[level; 2]; 20])?;
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<f64> {
        let folder = tempfile::tempdir().unwrap();
        let other = Pair::new(&create(), &folder.path().join("other.wav")).unwrap();
        std::mem::replace(&mut self.session, Session::new(other)).finish()
    }
}

#[test]
fn sound_and_notes_lie_at_one_time() {
    let mut rig = Rig::new(create());
    rig.session.played(event(10.5, 60, 90));
    rig.sound(0, 500, 0.0).unwrap();
    rig.sound(500, 1_000, 0.25).unwrap();
    // This event arrives after its sound, and after the end.
    rig.session.played(event(10.7, 62, 80));
    rig.session.played(event(10.8, 36, 80));
    rig.session.played(event(11.25, 60, 0));
    rig.session.played(event(99.0, 64, 80));
    rig.sound(1_000, 2_000, 0.25).unwrap();
    assert_eq!(rig.finish().unwrap(), 2.0);
    let samples = heard(&rig.path("take.wav"));
    assert_eq!(samples.len(), 2_000);
    assert!(samples[499] == 0.0 && (samples[500] - 0.25).abs() < 1e-6);
    let notes = notes(&rig.path("take.wav"));
    // Notes that are still held end with the file; a drum strike is short.
    assert_eq!(notes[1..], [(60, 500, 1_250), (62, 1_000, 2_000)]);
    assert_eq!((notes[0].0, notes[0].1), (36, 1_000));
}

#[test]
fn what_was_lost_is_silence_and_what_is_too_loud_is_held() {
    let mut rig = Rig::new(create());
    rig.sound(0, 100, 0.5).unwrap();
    rig.sound(9_000, 9_100, 5.0).unwrap();
    rig.finish().unwrap();
    let samples = heard(&rig.path("take.wav"));
    assert_eq!(samples.len(), 9_100);
    assert!(samples[100..9_000].iter().all(|s| *s == 0.0));
    assert!(samples[9_000..].iter().all(|s| (0.9..0.98).contains(s)));
}

#[test]
fn both_files_are_whole_while_they_are_written() {
    let mut rig = Rig::new(create());
    rig.session.played(event(10.1, 60, 90));
    rig.sound(0, 4_500, 0.5).unwrap();
    // As after a crash, nothing is finished, and at most the last seconds are missing.
    assert_eq!(hound::WavReader::open(rig.path("take.wav")).unwrap().duration(), 4_000);
    let notes = notes(&rig.path("take.wav"));
    assert_eq!((notes.len(), notes[0].1), (1, 100));
}

#[test]
fn a_full_file_is_followed_by_the_next_with_what_is_held() {
    let mut rig = Rig::new(create());
    rig.session.most_frames = 1_000;
    std::fs::write(rig.path("take-2.wav"), "somebody's").unwrap();
    rig.session.played(event(10.9, 60, 90));
    rig.session.played(event(11.2, 60, 0));
    rig.session.played(Played::Control(Part(2), 10.1, Control::Volume, 0.5));
    rig.session.played(Played::Key(Part(2), 10.2, 60, OfKey::Tuning(0.5)));
    rig.sound(0, 2_500, 0.5).unwrap();
    assert_eq!(rig.session.file(), rig.path("take-4.wav"));
    assert_eq!(rig.finish().unwrap(), 2.5);
    let lengths = ["take.wav", "take-3.wav", "take-4.wav"].map(|n| heard(&rig.path(n)).len());
    assert_eq!(lengths, [1_000, 1_000, 500]);
    assert_eq!(notes(&rig.path("take.wav")), [(60, 900, 1_000)]);
    assert_eq!(notes(&rig.path("take-3.wav")), [(60, 0, 200)]);
    whole_midi(&rig.path("take-4.wav"));
    let next = std::fs::read(names::midi_beside(&rig.path("take-3.wav"))).unwrap();
    let begins = read_mended(&next).unwrap().events.into_iter().take_while(|e| e.at_s == 0.0);
    let (mut volume, mut tuning) = (None, None);
    for event in begins {
        match event.what {
            What::Control(Control::Volume, value) if event.part == Part(2) => volume = Some(value),
            What::On(strike) => tuning = Some(strike.tuning),
            _ => {}
        }
    }
    assert!(volume.is_some_and(|volume| (volume - 0.5).abs() < 0.01), "{volume:?}");
    assert_eq!(tuning, Some(0.5));
    assert_eq!(std::fs::read(rig.path("take-2.wav")).unwrap(), b"somebody's");
}

#[test]
fn another_rate_is_another_file() {
    let mut rig = Rig::new(create());
    rig.session.played(event(10.1, 60, 90));
    rig.sound(0, 500, 0.5).unwrap();
    rig.session.begin(&rig.create, begin(2_000, 10.5)).unwrap();
    rig.session.played(event(10.5, 60, 90));
    rig.session.played(event(10.75, 60, 0));
    rig.sound(0, 1_000, 0.5).unwrap();
    assert_eq!(rig.finish().unwrap(), 1.0);
    assert_eq!(notes(&rig.path("take.wav")), [(60, 100, 500)]);
    assert_eq!(notes(&rig.path("take-2.wav")), [(60, 0, 250)]);
    assert_eq!(heard(&rig.path("take-2.wav")).len(), 1_000);
}

#[test]
fn a_full_disk_leaves_whole_files() {
    // The space of both headers, and of 5.2 s of sound.
    for spare in 0..60 {
        let mut rig = Rig::new(small(68 + 40 + 6 * 5_200 + 7 * spare));
        rig.session.played(event(10.0, 60, 90));
        let failed = rig.sound(0, 20_000, 0.5).unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::StorageFull);
        assert!(rig.finish().is_err());
        let samples = heard(&rig.path("take.wav"));
        assert!(samples.len() == 4_000 && samples.iter().all(|s| (s - 0.5).abs() < 1e-6));
        let notes = notes(&rig.path("take.wav"));
        assert_eq!((notes.len(), notes[0].1), (1, 0), "{spare}");
    }
}

#[test]
fn a_recording_without_sound_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("take.wav");
    let session = Session::new(Pair::new(&create(), &path).unwrap());
    assert!(Pair::new(&create(), &path).is_err());
    assert_eq!(session.finish().unwrap(), 0.0);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    std::fs::write(path.with_extension("mid"), "somebody's").unwrap();
    assert!(Pair::new(&create(), &path).is_err());
    assert!(!path.exists());
}
