//! The thread and its queues: orders, what happens when the disk is full, and the end in order.

use timbre_models::event::{Event, NoteId, Part, Strike, What};
use timbre_models::notes::Voice;

use super::super::session::tests::{heard, notes, small};
use super::*;

struct Rig {
    folder: tempfile::TempDir,
    thread: RecorderThread,
    recorder: Recorder,
    tap: Tap,
    hops: u32,
}

/// A recorder on a disk with room for so many bytes.
fn rig(bytes: u64) -> Rig {
    let folder = tempfile::tempdir().unwrap();
    let (thread, mut tap) =
        start_with(small(bytes), Some(folder.path().join("recordings"))).unwrap();
    tap.device(16_000, 0.0, 0.0);
    Rig { recorder: thread.recorder(), folder, thread, tap, hops: 0 }
}

impl Rig {
    /// Hops of 20 ms.
    fn play(&mut self, hops: u32) {
        for _ in 0..hops {
            self.tap.hop(f64::from(self.hops) * 0.02);
            self.tap.sound(&[[0.5; 2]; 320]);
            self.hops += 1;
        }
    }

    fn strike(&mut self, key: u8, velocity: u8) {
        let voice = Voice { is_drum: false, program: 0, key };
        let time_s = f64::from(self.hops) * 0.02;
        let note = NoteId(u64::from(key));
        let what = match velocity {
            0 => What::Off(note),
            _ => What::On(Strike {
                note,
                voice,
                velocity,
                tuning: 0.0,
                glide: None,
                is_legato: false,
            }),
        };
        self.tap.event(&Event { at_s: time_s, part: Part(0), what });
    }

    fn wait_for(&self, what: impl Fn(&RecordState) -> bool) -> Arc<RecordState> {
        let patience = Instant::now();
        while !what(&self.recorder.state()) {
            assert!(patience.elapsed() < Duration::from_secs(10), "{:?}", self.recorder.state());
            std::thread::sleep(Duration::from_millis(2));
        }
        self.recorder.state()
    }
}

#[test]
fn a_recording_holds_what_was_played_between_start_and_stop() {
    let mut rig = rig(u64::MAX);
    assert_eq!(rig.recorder.state().to_string(), "off");
    rig.play(10);
    rig.strike(60, 90);
    let file = rig.recorder.start(Some("take")).unwrap();
    assert_eq!(file, rig.folder.path().join("recordings/take.wav"));
    assert_eq!(rig.recorder.state().to_string(), format!("on {}", file.display()));
    rig.play(100);
    rig.strike(60, 0);
    rig.play(100);
    assert_eq!(rig.recorder.stop().unwrap(), (file.clone(), 4.0));
    rig.play(10);
    assert_eq!(heard(&file).len(), 200 * 320);
    assert_eq!(notes(&file), [(60, 0, 2_000)]);
    let state = rig.recorder.state();
    assert_eq!((state.phase.clone(), state.seconds), (Phase::Off, 4.0));
    // Once more, of which nothing belongs to the first.
    let second = rig.recorder.start(None).unwrap();
    rig.play(5);
    assert_eq!(rig.recorder.stop().unwrap().1, 0.1);
    assert_eq!(heard(&second).len(), 5 * 320);
    // Often within a second: every one has a name of its own.
    for _ in 0..3 {
        rig.recorder.start(None).unwrap();
        rig.play(1);
        rig.recorder.stop().unwrap();
    }
    assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 2 * 5);
}

#[test]
fn wrong_orders_are_answered() {
    let mut rig = rig(u64::MAX);
    let text = |result: Result<(PathBuf, f64), ControlError>| result.unwrap_err().text;
    assert!(text(rig.recorder.stop()).contains("/record/start"));
    let missing = rig.recorder.start(Some("/nowhere/at/all.wav")).unwrap_err();
    assert!(missing.text.contains("wanted a folder that is there"), "{missing}");
    assert_eq!(rig.recorder.start(Some("../x")).unwrap_err().code, Code::BadValue);
    rig.recorder.start(Some("take")).unwrap();
    assert!(rig.recorder.start(Some("other")).unwrap_err().text.contains("take.wav"));
    assert!(text(rig.recorder.stop()).contains("no sound device"));
    rig.recorder.start(Some("take")).unwrap();
    rig.play(1);
    rig.recorder.stop().unwrap();
    let there = rig.recorder.start(Some("take")).unwrap_err();
    assert!(there.text.contains("there already"), "{there}");
}

#[test]
fn a_full_disk_ends_the_recording_and_says_so() {
    let mut rig = rig(6 * 16_000 * 7);
    let file = rig.recorder.start(Some("take")).unwrap();
    rig.strike(60, 90);
    rig.play(500);
    let state = rig.wait_for(|state| matches!(state.phase, Phase::Failed(_)));
    assert!(state.to_string().contains("the disk is full"), "{state}");
    assert_eq!(state.status().state, "failed");
    assert_eq!(heard(&file).len(), 16_000 * 6);
    assert_eq!(notes(&file), [(60, 0, 6_000)]);
    assert!(rig.recorder.stop().unwrap_err().text.contains("ended already"));
    // It plays on, and what is played is let go.
    rig.play(1_000);
    assert!(rig.wait_for(|state| state.seconds > 6.0).to_string().starts_with("failed"));
}

#[test]
fn a_fault_ends_a_recording_and_not_the_recorder() {
    let folder = tempfile::tempdir().unwrap();
    let create: Create = Box::new(|path| {
        assert!(!path.ends_with("broken.wav"), "a fault of the test's");
        Ok(Box::new(std::fs::File::create_new(path)?) as Box<dyn Disk>)
    });
    let (thread, mut tap) = start_with(create, Some(folder.path().to_owned())).unwrap();
    tap.device(16_000, 0.0, 0.0);
    let recorder = thread.recorder();
    let mut rig = Rig { recorder, folder, thread, tap, hops: 0 };
    rig.recorder.start(Some("broken")).unwrap_err();
    let state = rig.wait_for(|state| matches!(state.phase, Phase::Failed(_)));
    assert!(state.to_string().contains("was restarted"), "{state}");
    let file = rig.recorder.start(Some("whole")).unwrap();
    rig.play(10);
    assert_eq!(rig.recorder.stop().unwrap().1, 0.2);
    assert_eq!(heard(&file).len(), 10 * 320);
    rig.thread.finish();
}

#[test]
fn the_end_of_the_program_ends_the_recording() {
    let mut rig = rig(u64::MAX);
    let file = rig.recorder.start(Some("take")).unwrap();
    rig.play(70);
    let Rig { thread, tap, folder, .. } = rig;
    drop(tap);
    thread.finish();
    assert_eq!(heard(&file).len(), 70 * 320);
    drop(folder);
}
