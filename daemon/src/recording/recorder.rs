//! The thread `timbred-recorder`, which takes sound and notes from inference and writes them. It is
//! the only thread that waits for the disk, and knows no format.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use crossbeam::channel::{Receiver, Sender, bounded, select};
use ringbuf::HeapCons;
use ringbuf::traits::Consumer;
use timbre_control::error::{Code, ControlError};

use super::session::{Pair, Session};
use super::tap::{Mark, Shared, Taken, Tap, queues};
use super::{Create, Disk, Phase, RecordState, names};
use crate::bus::priority::give_way_to_sound;
use crate::mix::Frame;

/// How many orders can wait.
const ORDERS: usize = 8;
/// The longest wait for an answer, as the disk may have to wake up. It is shorter than that of
/// `timbrectl`.
const PATIENCE: Duration = Duration::from_millis(900);
/// The longest wait for the disk at the end of the program.
const LAST_PATIENCE: Duration = Duration::from_secs(5);

type Answer<T> = Sender<Result<T, ControlError>>;

enum Order {
    Start(Option<String>, Answer<PathBuf>),
    Stop(Answer<(PathBuf, f64)>),
    Quit,
}

/// Starts and ends recordings; any number of threads may have one.
#[derive(Debug, Clone)]
pub struct Recorder {
    orders: Sender<Order>,
    state: Arc<ArcSwap<RecordState>>,
}

/// The running thread.
#[derive(Debug)]
pub struct RecorderThread {
    recorder: Recorder,
    thread: JoinHandle<()>,
}

/// Starts the thread. The tap is for inference.
///
/// # Errors
/// The system refuses the thread.
pub fn start() -> io::Result<(RecorderThread, Tap)> {
    let create: Create = Box::new(|path| {
        let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path)?;
        Ok(Box::new(file) as Box<dyn Disk>)
    });
    start_with(create, names::folder())
}

pub(super) fn start_with(
    create: Create,
    folder: Option<PathBuf>,
) -> io::Result<(RecorderThread, Tap)> {
    let (tap, Taken { marks, ring, shared }) = queues();
    let (orders, receiver) = bounded(ORDERS);
    let state = Arc::new(ArcSwap::default());
    let mut worker = Worker {
        marks,
        ring,
        shared,
        orders: receiver,
        state: state.clone(),
        create,
        folder,
        session: None,
        takes: 0,
        lost_before: (0, 0),
        block: vec![],
    };
    let thread = std::thread::Builder::new()
        .name("timbred-recorder".to_owned())
        .spawn(move || worker.run_always())?;
    Ok((RecorderThread { recorder: Recorder { orders, state }, thread }, tap))
}

impl Recorder {
    /// Starts a recording and returns its WAV file.
    ///
    /// # Errors
    /// The path cannot be used, or the disk fails.
    pub fn start(&self, path: Option<&str>) -> Result<PathBuf, ControlError> {
        self.order(|answer| Order::Start(path.map(str::to_owned), answer))
    }

    /// Ends the recording; returns its last WAV file and the length of all its files in seconds.
    ///
    /// # Errors
    /// There is no recording, or the disk did not take its end.
    pub fn stop(&self) -> Result<(PathBuf, f64), ControlError> {
        self.order(Order::Stop)
    }

    /// The progress of the recording.
    pub fn state(&self) -> Arc<RecordState> {
        self.state.load_full()
    }

    fn order<T>(&self, order: impl FnOnce(Answer<T>) -> Order) -> Result<T, ControlError> {
        let (answer, answered) = bounded(1);
        let late = || {
            let text = "the disk does not answer; `/record` tells when it does";
            ControlError::new(Code::Failed, text)
        };
        self.orders.try_send(order(answer)).map_err(|_| late())?;
        answered.recv_timeout(PATIENCE).map_err(|_| late())?
    }
}

impl RecorderThread {
    /// The handle that starts and ends recordings.
    pub fn recorder(&self) -> Recorder {
        self.recorder.clone()
    }

    /// Ends the recording and the thread. Inference must have ended before, so that its last sound
    /// is in the file.
    pub fn finish(self) {
        let _ = self.recorder.orders.send_timeout(Order::Quit, LAST_PATIENCE);
        let patience = Instant::now();
        while !self.thread.is_finished() && patience.elapsed() < LAST_PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
        }
        match self.thread.is_finished() {
            // A panic of this thread is in the log already.
            true => drop(self.thread.join()),
            false => tracing::error!("the disk does not take the end of the recording"),
        }
    }
}

struct Worker {
    marks: Receiver<Mark>,
    ring: HeapCons<Frame>,
    shared: Arc<Shared>,
    orders: Receiver<Order>,
    state: Arc<ArcSwap<RecordState>>,
    create: Create,
    folder: Option<PathBuf>,
    session: Option<Session>,
    /// How many recordings there were, which is also the number of the one that runs.
    takes: u64,
    /// How many samples and notes had been lost before this recording.
    lost_before: (u64, u64),
    block: Vec<Frame>,
}

impl Worker {
    /// Runs until the program ends. A panic ends only the recording that runs.
    fn run_always(&mut self) {
        give_way_to_sound();
        while catch_unwind(AssertUnwindSafe(|| self.run())).is_err() {
            self.shared.take.store(0, Ordering::Release);
            // Its files on the disk are valid. What is not written yet may be the cause of the
            // panic.
            self.session = None;
            let why = "the recorder failed by a fault in timbred and was restarted".to_owned();
            tracing::error!("{why}");
            let state = RecordState::clone(&self.state.load());
            self.state.store(Arc::new(RecordState { phase: Phase::Failed(why), ..state }));
        }
    }

    fn run(&mut self) {
        loop {
            select! {
                recv(self.orders) -> order => match order {
                    Ok(Order::Start(path, answer)) => {
                        let _ = answer.send(self.start(path.as_deref()));
                    }
                    Ok(Order::Stop(answer)) => {
                        let _ = answer.send(self.stop());
                    }
                    Ok(Order::Quit) | Err(_) => {
                        let _ = self.stop();
                        return;
                    }
                },
                recv(self.marks) -> mark => match mark {
                    Ok(mark) => self.take(mark),
                    // Inference is gone, so that only orders are left.
                    Err(_) => std::thread::sleep(Duration::from_millis(5)),
                },
            }
        }
    }

    fn start(&mut self, path: Option<&str>) -> Result<PathBuf, ControlError> {
        if let Some(session) = &self.session {
            let file = session.file().display();
            let text = format!("{file} is being recorded; /record/stop ends it");
            return Err(ControlError::new(Code::Failed, text));
        }
        let is_named = path.is_some_and(|path| !path.is_empty());
        let path = names::wanted(path, self.folder.as_deref())?;
        let refused = |e: io::Error| ControlError::new(Code::Failed, said(&path, &e));
        if let Some(folder) = self.folder.as_ref().filter(|folder| path.starts_with(folder)) {
            std::fs::create_dir_all(folder).map_err(refused)?;
        }
        let pair = match Pair::new(&self.create, &path) {
            // There is a recording of this second already.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && !is_named => {
                Pair::next(&self.create, &path, &mut 1)
            }
            made => made,
        };
        let pair = pair.map_err(refused)?;
        let path = pair.path.clone();
        self.session = Some(Session::new(pair));
        let shared = &self.shared;
        self.lost_before = (
            shared.lost_samples.load(Ordering::Relaxed),
            shared.lost_notes.load(Ordering::Relaxed),
        );
        self.takes += 1;
        shared.take.store(self.takes, Ordering::Release);
        tracing::info!("recording {}", path.display());
        self.publish(Phase::On);
        Ok(path)
    }

    fn stop(&mut self) -> Result<(PathBuf, f64), ControlError> {
        self.shared.take.store(0, Ordering::Release);
        // The marks that wait belong to earlier recordings.
        while let Ok(mark) = self.marks.try_recv() {
            self.take(mark);
        }
        let Some(session) = self.session.take() else {
            let text = match &self.state.load().phase {
                Phase::Failed(why) => format!("the recording has ended already: {why}"),
                _ => "nothing is being recorded; /record/start starts a recording".to_owned(),
            };
            return Err(ControlError::new(Code::Failed, text));
        };
        let (file, seconds) = (session.file().to_owned(), session.seconds());
        match session.finish() {
            Ok(0.0) => {
                self.tell(Phase::Off, &file, 0.0);
                let text = "nothing was recorded: no sound device has played; no file was kept";
                tracing::warn!("{text}");
                Err(ControlError::new(Code::Failed, text))
            }
            Ok(seconds) => {
                self.tell(Phase::Off, &file, seconds);
                tracing::info!("recorded {}: {seconds:.1} s", file.display());
                Ok((file, seconds))
            }
            Err(e) => {
                let why = said(&file, &e);
                tracing::error!("the end of the recording is missing: {why}");
                self.tell(Phase::Failed(why.clone()), &file, seconds);
                Err(ControlError::new(Code::Failed, why))
            }
        }
    }

    /// Takes one mark. Those of recordings that have ended are dropped.
    fn take(&mut self, mark: Mark) {
        let takes = self.takes;
        let session = self.session.as_mut();
        let done = match mark {
            Mark::Begin(begin) => match session.filter(|_| begin.take == takes) {
                Some(session) => session.begin(&self.create, begin).map(|()| true),
                None => Ok(false),
            },
            Mark::Played { take, played } => {
                session.filter(|_| take == takes).into_iter().for_each(|s| s.played(played));
                Ok(false)
            }
            Mark::Sound { take, at, count } => {
                self.block.resize(count, [0.0; 2]);
                self.ring.pop_slice(&mut self.block);
                match session.filter(|_| take == takes) {
                    Some(session) => session.sound(&self.create, at, &self.block),
                    None => Ok(false),
                }
            }
        };
        match done {
            Ok(true) => self.publish(Phase::On),
            Ok(false) => {}
            Err(e) => self.fail(&e),
        }
    }

    /// Ends the recording because the disk fails. What has been written stays and is valid.
    fn fail(&mut self, error: &io::Error) {
        self.shared.take.store(0, Ordering::Release);
        let Some(session) = self.session.take() else { return };
        let (file, seconds) = (session.file().to_owned(), session.seconds());
        let why = said(&file, error);
        // The error would be the same.
        let _ = session.finish();
        tracing::error!("the recording has ended: {why}");
        self.tell(Phase::Failed(why), &file, seconds);
    }

    fn publish(&self, phase: Phase) {
        if let Some(session) = &self.session {
            self.tell(phase, session.file(), session.seconds());
        }
    }

    fn tell(&self, phase: Phase, file: &Path, seconds: f64) {
        let lost_samples = self.shared.lost_samples.load(Ordering::Relaxed) - self.lost_before.0;
        let lost_notes = self.shared.lost_notes.load(Ordering::Relaxed) - self.lost_before.1;
        let before = self.state.load();
        if phase == Phase::On
            && (lost_samples > before.lost_samples || lost_notes > before.lost_notes)
        {
            tracing::warn!(
                "the disk is too slow: {lost_samples} samples and {lost_notes} notes are missing \
                 in {}",
                file.display()
            );
        }
        let file = file.to_owned();
        self.state.store(Arc::new(RecordState { phase, file, seconds, lost_samples, lost_notes }));
    }
}

/// The error of the system for a file, and what to do.
fn said(path: &Path, e: &io::Error) -> String {
    let what = match e.kind() {
        io::ErrorKind::AlreadyExists => {
            return format!(
                "{} or the .mid beside it is there already; wanted a new name, nothing is \
                 overwritten",
                path.display()
            );
        }
        io::ErrorKind::NotFound => "wanted a folder that is there",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "wanted a folder that timbred may write to"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "the disk is full: what was recorded before is kept"
        }
        _ => "wanted a disk that works",
    };
    format!("{}: {e}; {what}", path.display())
}

#[cfg(test)]
#[path = "recorder_tests.rs"]
mod tests;
