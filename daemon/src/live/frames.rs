//! The thread beside the inference thread, for models that are made tick by tick: it answers what is
//! asked of the denoiser a hop ahead of its time, and in between finds out how the notes of the
//! instruments in use begin, before they are played. Knows no sound.

use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, bounded};
use timbre_models::notes::Voice;
use timbre_models::prior::{FilledRows, RowNetwork};
use timbre_models::streamer::{Answer, Denoiser, Question, Streamer};

use super::priority::ask_for_realtime;
use crate::error::Error;

/// Questions that may wait: one is answered, one is asked.
const WAITING: usize = 2;
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
pub struct Frames {
    asks: Option<Sender<Asked>>,
    answers: Receiver<Answered>,
    thread: Option<JoinHandle<()>>,
    /// Whether rows have been asked for and not answered.
    is_filling: bool,
}

impl Frames {
    /// Takes the denoiser of a stream, if it is made in ticks, and runs it on a thread of its own at
    /// a real-time priority (0: none).
    ///
    /// # Errors
    /// No thread can be had.
    pub fn start(streamer: &mut Streamer, priority: u8) -> Result<Option<Self>, Error> {
        let (Some(rows), Some(denoiser)) = (streamer.row_network(), streamer.separate()) else {
            return Ok(None);
        };
        let (asks, asked) = bounded(WAITING);
        let (answered, answers) = bounded(2 * WAITING);
        let thread = thread::Builder::new()
            .name("timbred-frames".to_owned())
            .spawn(move || {
                ask_for_realtime(priority);
                answer_all(denoiser, rows, &asked, &answered);
            })
            .map_err(|e| Error::Usage(format!("no thread for the denoiser: {e}")))?;
        Ok(Some(Self { asks: Some(asks), answers, thread: Some(thread), is_filling: false }))
    }

    /// Gives the stream the answers that have come, and takes what it asks; the time that the newest
    /// answer of the denoiser took, if one has come.
    pub fn exchange(&mut self, streamer: &mut Streamer) -> Option<Duration> {
        let mut took = None;
        while let Ok(answered) = self.answers.try_recv() {
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
        if let (Some(question), Some(asks)) = (streamer.question(), &self.asks) {
            // Where it is behind, a hop is played without.
            let _ = asks.try_send(Asked::Denoiser(question));
        }
        took
    }

    /// These instruments are likely to be played.
    pub fn expect(&mut self, streamer: &mut Streamer, instruments: &[Voice]) {
        if self.is_filling {
            return;
        }
        let wanted = streamer.rows_wanted(instruments, ROWS);
        if let (Some(asks), false) = (&self.asks, wanted.is_empty()) {
            self.is_filling = asks.try_send(Asked::Rows(wanted)).is_ok();
        }
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        self.asks = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Answers until nobody asks any more.
fn answer_all(
    mut denoiser: Denoiser,
    mut rows: RowNetwork,
    asked: &Receiver<Asked>,
    answered: &Sender<Answered>,
) {
    for asked in asked {
        let begun = Instant::now();
        let answer = match asked {
            Asked::Denoiser(question) => {
                denoiser.answer(question).map(|answer| Answered::Denoiser(answer, begun.elapsed()))
            }
            Asked::Rows(places) => rows.fill(places).map(Answered::Rows).map_err(Into::into),
        };
        match answer {
            Ok(answer) => {
                let _ = answered.try_send(answer);
            }
            Err(e) => {
                return tracing::error!("the denoiser has ended, and sound goes on without: {e}");
            }
        }
    }
}
