//! The thread `timbred-frames` beside the inference thread, for models that are made tick by tick.
//! It runs the denoiser a hop ahead of the time when its answer is needed. In between it computes
//! rows of the note prior for the instruments in use, before their notes are played. It knows no
//! sound.

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

/// How many questions may wait. There is room for twice as many answers, so that none is lost.
const WAITING: usize = 4;
/// The longest that the thread sleeps before it looks for something to do.
const NAP: Duration = Duration::from_millis(100);
/// How many rows of the note prior are requested at a time. They take some milliseconds, for which
/// a question to the denoiser may have to wait.
const ROWS: usize = 32;

/// Questions and answers.
enum Asked {
    Denoiser(Question),
    Rows(Vec<(Voice, u16)>),
}
enum Answered {
    Denoiser(Answer, Duration),
    Rows(FilledRows),
}

/// The side of the inference thread.
///
/// # Real time
/// Neither side waits for the other. The queues are rings with one writer and one reader. In queues
/// with several writers a reader may have to wait for a writer that was interrupted, and a thread
/// of lower priority may stay interrupted for long.
pub struct Frames {
    asks: HeapProd<Asked>,
    answers: HeapCons<Answered>,
    thread: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    /// Whether rows have been requested and not answered yet.
    is_filling: bool,
}

impl Frames {
    /// Takes the denoiser out of a stream that is made tick by tick, and runs it in a thread of its
    /// own with this real-time priority (0: none).
    ///
    /// # Errors
    /// The system refuses the thread.
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

    /// Gives the stream the answers that have arrived, and takes its questions. Returns how long
    /// the newest answer of the denoiser took, if one has arrived.
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
            // If the thread is behind, a hop is played without the denoiser.
            self.ask(Asked::Denoiser(question));
        }
        took
    }

    /// Sends a question; returns whether there was room for it.
    fn ask(&mut self, asked: Asked) -> bool {
        let has_room = self.asks.try_push(asked).is_ok();
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
        has_room
    }

    /// Names the instruments that are likely to be played.
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

/// The side of the thread.
struct Answerer {
    denoiser: Denoiser,
    rows: RowNetwork,
    asked: HeapCons<Asked>,
    answered: HeapProd<Answered>,
    stop: Arc<AtomicBool>,
}

impl Answerer {
    /// Answers questions until the other side is dropped.
    fn run(&mut self) {
        while !self.stop.load(Ordering::Acquire) {
            let Some(asked) = self.asked.try_pop() else {
                thread::park_timeout(NAP);
                continue;
            };
            match self.answer(asked) {
                // There is room, because the other side takes answers before it asks.
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
