//! The thread beside the inference thread, for models that are made tick by tick: it answers what
//! is asked of the denoiser a hop ahead of its time, and in between finds out how the notes of the
//! instruments in use begin, before they are played. Knows no sound.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ringbuf::traits::{Consumer, Producer, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};
use timbre_models::notes::Voice;
use timbre_models::prior::{FilledRows, RowNetwork};
use timbre_models::streamer::{Answer, Denoiser, Question, StreamError, Streamer};

use crate::bus::priority::ask_for_realtime;
use crate::error::Error;

/// Questions that may wait; there is room for twice as many answers, so that none is lost.
const WAITING: usize = 4;
/// How long the thread sleeps at most without looking around.
const NAP: Duration = Duration::from_millis(100);
/// Rows of the note prior that are asked for at a time: some milliseconds of work, which a question
/// to the denoiser waits for.
const ROWS: usize = 32;

/// What is asked, and what is answered.
enum Asked {
    Denoiser(Question),
    Rows(Vec<(Voice, u16)>),
}
enum Answered {
    Denoiser(Answer, Duration),
    Rows(FilledRows),
}

/// The inference thread's side.
///
/// # Real time
/// Neither side waits for the other. Queues are rings of one writer and one reader: those of
/// several have moments in which a reader waits for a writer, who may be this thread, which has a
/// lower priority and then is not let go on.
pub struct Frames {
    asks: HeapProd<Asked>,
    answers: HeapCons<Answered>,
    thread: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    /// Whether rows have been asked for and not answered.
    is_filling: bool,
}

impl Frames {
    /// Takes the denoiser of a stream, if it is made in ticks, and runs it on a thread of its own
    /// at a real-time priority (0: none).
    ///
    /// # Errors
    /// No thread can be had.
    pub fn start(streamer: &mut Streamer, priority: u8) -> Result<Option<Self>, Error> {
        let (Some(rows), Some(denoiser)) = (streamer.row_network(), streamer.separate()) else {
            return Ok(None);
        };
        let (asks, asked) = HeapRb::new(WAITING).split();
        let (answered, answers) = HeapRb::new(2 * WAITING).split();
        let stop = Arc::new(AtomicBool::new(false));
        let mut answerer = Answerer { denoiser, rows, asked, answered, stop: stop.clone() };
        let thread = thread::Builder::new()
            .name("timbred-frames".to_owned())
            .spawn(move || {
                ask_for_realtime(priority);
                answerer.run();
            })
            .map_err(|e| Error::Usage(format!("no thread for the denoiser: {e}")))?;
        Ok(Some(Self { asks, answers, thread: Some(thread), stop, is_filling: false }))
    }

    /// Gives the stream the answers that have come, and takes what it asks; the time that the
    /// newest answer of the denoiser took, if one has come.
    pub fn exchange(&mut self, streamer: &mut Streamer) -> Option<Duration> {
        let mut took = None;
        while let Some(answered) = self.answers.try_pop() {
            match answered {
                Answered::Denoiser(answer, time) => {
                    streamer.answer(answer);
                    took = Some(time);
                }
                Answered::Rows(rows) => {
                    self.is_filling = false;
                    streamer.fill_rows(&rows);
                }
            }
        }
        if let Some(question) = streamer.question() {
            // Where it is behind, a hop is played without.
            self.ask(Asked::Denoiser(question));
        }
        took
    }

    /// Whether there was room for it.
    fn ask(&mut self, asked: Asked) -> bool {
        let has_room = self.asks.try_push(asked).is_ok();
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
        has_room
    }

    /// These instruments are likely to be played.
    pub fn expect(&mut self, streamer: &mut Streamer, instruments: &[Voice]) {
        if self.is_filling {
            return;
        }
        let wanted = streamer.rows_wanted(instruments, ROWS);
        self.is_filling = !wanted.is_empty() && self.ask(Asked::Rows(wanted));
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

/// The thread's side.
struct Answerer {
    denoiser: Denoiser,
    rows: RowNetwork,
    asked: HeapCons<Asked>,
    answered: HeapProd<Answered>,
    stop: Arc<AtomicBool>,
}

impl Answerer {
    /// Answers until nobody asks any more.
    fn run(&mut self) {
        while !self.stop.load(Ordering::Acquire) {
            let Some(asked) = self.asked.try_pop() else {
                thread::park_timeout(NAP);
                continue;
            };
            match self.answer(asked) {
                // There is room: who asks takes the answers first.
                Ok(answer) => drop(self.answered.try_push(answer)),
                Err(e) => {
                    return tracing::error!(
                        "the denoiser has ended, and sound goes on without: {e}"
                    );
                }
            }
        }
    }

    fn answer(&mut self, asked: Asked) -> Result<Answered, StreamError> {
        let begun = Instant::now();
        match asked {
            Asked::Denoiser(question) => {
                let answer = self.denoiser.answer(question)?;
                Ok(Answered::Denoiser(answer, begun.elapsed()))
            }
            Asked::Rows(places) => Ok(Answered::Rows(self.rows.fill(places)?)),
        }
    }
}
