//! Streams made tick by tick, for models with a note prior. It knows no device.
//!
//! * At the start of a hop the denoiser is asked for the residual of the next hop, with the notes
//!   that are known by then.
//! * Every 2.5 ms a tick takes its events. If a note begins or ends in it, the whole frame is
//!   computed again: its mel by the note prior, its gains by the vocoder. So a sample depends only
//!   on events up to the end of its tick, however the stream is fed.
//! * The residual stays as it was computed. Where newer notes have made a band louder than the
//!   prior of the question, the residual of that band is divided by the growth of its power.

use super::denoiser::{Answer, Denoiser, Question};
use super::{Maker, StreamError, StreamOptions, Streamer};
use crate::notes::Voice;
use crate::prior::{FilledRows, Known, NotePrior, RowNetwork};
use crate::threads::Threads;
use crate::timeline::Cut;
use crate::tokens::encode_segment;
use crate::units::{FrameIdx, MEL_BINS, SamplePos, TICK_SAMPLES, TICKS_PER_FRAME};
use crate::vocoder::Playing;
use crate::vocoder::inverter::Inverter;

/// The note prior, the denoiser or its questions and answers, and the current frame.
#[derive(Debug)]
pub(super) struct Ticks {
    pub(super) prior: NotePrior,
    /// The denoiser; none if it runs elsewhere ([`Streamer::separate`]).
    denoiser: Option<Denoiser>,
    /// The question to send, the answer for this hop, and the answer for the next hop.
    question: Option<Question>,
    answer: Option<Answer>,
    next: Option<Answer>,
    /// The index of the hop, of its current frame, and of the current tick in that frame; the
    /// number of frames in the hop.
    hop: u64,
    frame: usize,
    tick: usize,
    hop_frames: usize,
    /// The most frames in a hop.
    most_frames: usize,
    /// The natural-log mel [128] of the current frame: from the note prior, from the note prior
    /// with attacks, and from the note prior with the residual.
    plain: [f32; MEL_BINS],
    struck: [f32; MEL_BINS],
    mel: [f32; MEL_BINS],
    /// Whether events have arrived since the frame was last computed.
    is_stale: bool,
    /// The frames played since the last question.
    played: Vec<f32>,
}

impl Ticks {
    pub(super) fn new(prior: NotePrior, denoiser: Denoiser) -> Self {
        let most_frames = denoiser.network.config().target_frames;
        Self {
            prior,
            denoiser: Some(denoiser),
            question: None,
            answer: None,
            next: None,
            hop: 0,
            frame: 0,
            tick: 0,
            hop_frames: 1,
            most_frames,
            plain: [0.0; MEL_BINS],
            struck: [0.0; MEL_BINS],
            mel: [0.0; MEL_BINS],
            is_stale: false,
            played: vec![],
        }
    }

    pub(super) fn set(&mut self, options: StreamOptions) -> Result<(), StreamError> {
        Denoiser::check(&options, self.most_frames, true)?;
        match &mut self.denoiser {
            Some(denoiser) => denoiser.set(options),
            // The separate denoiser gets the options with the next question.
            None => Ok(()),
        }
    }

    pub(super) fn set_threads(&mut self, threads: Threads) {
        if let Some(denoiser) = &mut self.denoiser {
            denoiser.set_threads(threads);
        }
    }

    pub(super) fn restart(&mut self) {
        self.prior.clear();
        (self.question, self.answer, self.next) = (None, None, None);
        (self.hop, self.frame, self.tick) = (0, 0, 0);
        self.played.clear();
    }

    /// Adds the residual of the denoiser to the frame. Each band of it is divided by the growth of
    /// the power of the prior since the question.
    fn add_residual(&mut self) {
        self.mel = self.plain;
        let frame = self.frame * MEL_BINS..(self.frame + 1) * MEL_BINS;
        let Some((residual, prior)) = self.answer.as_ref().and_then(|answer| {
            Some((answer.residual.get(frame.clone())?, answer.prior.get(frame)?))
        }) else {
            return;
        };
        for (mel, (residual, prior)) in self.mel.iter_mut().zip(residual.iter().zip(prior)) {
            let share = (2.0 * (prior - *mel)).min(0.0).exp();
            *mel += share * residual;
        }
    }
}

impl Streamer {
    /// A network that can compute the rows of [`Self::rows_wanted`] elsewhere, such as in another
    /// thread. None for streams made hop by hop.
    pub fn row_network(&mut self) -> Option<RowNetwork> {
        match &mut self.maker {
            Maker::Ticks(ticks) => Some(ticks.prior.rows().network()),
            Maker::Hops(_) => None,
        }
    }

    /// Rows of the note prior that are not known yet and will be needed, at most `count` and a few
    /// more: first those for the future of the notes that sound, then those for the start of notes
    /// of these instruments. It is empty if enough is known.
    pub fn rows_wanted(&mut self, instruments: &[Voice], count: usize) -> Vec<(Voice, u16)> {
        let mapped: Vec<_> = instruments.iter().map(|v| self.tokens.map_voice(*v)).collect();
        let (position, ledger, parts) = (self.position, &self.ledger, &self.parts);
        let Maker::Ticks(ticks) = &mut self.maker else { return vec![] };
        let at = |part| parts.at_frame(part, 0);
        let mut wanted = ticks.prior.wanted(position, ledger, at, count);
        if wanted.len() < count {
            wanted.extend(ticks.prior.rows().wanted(&mapped, count - wanted.len()));
        }
        wanted
    }

    /// Takes rows that were computed elsewhere.
    pub fn fill_rows(&mut self, filled: &FilledRows) {
        if let Maker::Ticks(ticks) = &mut self.maker {
            ticks.prior.rows().fill(filled);
        }
    }

    /// Whether the stream is made tick by tick.
    pub fn is_in_ticks(&self) -> bool {
        matches!(self.maker, Maker::Ticks(_))
    }

    /// Takes the denoiser out of a stream made tick by tick, so that it can run elsewhere. From
    /// then on [`Self::question`] gives its questions, and a hop whose answer is late is played
    /// without a residual. None for streams made hop by hop.
    pub fn separate(&mut self) -> Option<Denoiser> {
        match &mut self.maker {
            Maker::Ticks(ticks) => ticks.denoiser.take(),
            Maker::Hops(_) => None,
        }
    }

    /// The next question for the denoiser. There is one for each hop, at the start of the hop
    /// before.
    pub fn question(&mut self) -> Option<Question> {
        match &mut self.maker {
            Maker::Ticks(ticks) => ticks.question.take(),
            Maker::Hops(_) => None,
        }
    }

    /// Takes the answer of the denoiser. An answer for a hop that has begun is ignored.
    pub fn answer(&mut self, answer: Answer) {
        if let Maker::Ticks(ticks) = &mut self.maker
            && answer.hop > ticks.hop
        {
            ticks.next = Some(answer);
        }
    }

    /// The time at which the next tick or hop begins, in seconds from the start of the stream.
    pub fn next_s(&self) -> f64 {
        let tick = match &self.maker {
            Maker::Ticks(ticks) => ticks.tick as u64,
            Maker::Hops(_) => 0,
        };
        SamplePos((self.position.tick() + tick) * TICK_SAMPLES as u64).seconds()
    }

    /// The samples of every bus in the last hop or tick.
    pub fn buses(&self) -> &[Vec<f32>] {
        &self.samples
    }

    /// Makes the next tick of a stream made tick by tick. [`Self::buses`] then gives its samples.
    ///
    /// # Errors
    /// The inference engine failed.
    pub fn tick(&mut self) -> Result<(), StreamError> {
        self.samples.iter_mut().for_each(Vec::clear);
        self.add_tick()
    }

    /// Makes a whole hop of ticks.
    pub(super) fn hop_of_ticks(&mut self) -> Result<(), StreamError> {
        self.samples.iter_mut().for_each(Vec::clear);
        self.frames.clear();
        let frames = self.options.hop_frames;
        for _ in 0..frames {
            for _ in 0..TICKS_PER_FRAME {
                self.add_tick()?;
            }
            if let Maker::Ticks(ticks) = &self.maker {
                self.frames.extend_from_slice(&ticks.mel);
            }
        }
        Ok(())
    }

    /// Makes the next tick and adds it to the samples.
    fn add_tick(&mut self) -> Result<(), StreamError> {
        let Maker::Ticks(ticks) = &mut self.maker else { return Ok(()) };
        let tick = ticks.tick;
        let begins_hop = tick == 0 && ticks.frame == 0;
        if begins_hop {
            ticks.hop_frames = self.options.hop_frames;
            ticks.answer = ticks.next.take().filter(|answer| answer.hop == ticks.hop);
            self.ask()?;
        }
        let is_struck = self.listen_to_tick(tick)?;
        let first = self.position.tick();
        self.parts.tick(first, tick, TICKS_PER_FRAME);
        let Maker::Ticks(ticks) = &mut self.maker else { return Ok(()) };
        let is_border = tick.is_multiple_of(TICKS_PER_FRAME / 2);
        if tick == 0 || is_struck || (ticks.is_stale && is_border) {
            ticks.is_stale = false;
            self.aim(tick)?;
        }
        let Maker::Ticks(ticks) = &mut self.maker else { return Ok(()) };
        let Inverter::ScoreInformed(vocoder) = &mut self.vocoder else { return Ok(()) };
        let playing = Playing {
            start: self.position,
            ledger: &self.ledger,
            parts: &self.parts,
            first_tick: 0,
            reference: self.mix.reference(),
            noise: self.mix.noise(),
            log_share: ticks.prior.log_share(),
            tones: ticks.prior.tones(),
        };
        vocoder.tick(&playing, tick, &mut self.samples);
        ticks.tick += 1;
        if ticks.tick == TICKS_PER_FRAME {
            self.next_frame();
        }
        Ok(())
    }

    /// Applies the events up to the end of a tick. Returns whether a note begins or ends in it.
    fn listen_to_tick(&mut self, tick: usize) -> Result<bool, StreamError> {
        let first = SamplePos((self.position.tick() + tick as u64) * TICK_SAMPLES as u64);
        let end = SamplePos(first.0 + TICK_SAMPLES as u64);
        let (any, is_struck) = self.listen([first, end])?;
        if let Maker::Ticks(ticks) = &mut self.maker {
            ticks.is_stale |= any;
        }
        Ok(is_struck)
    }

    /// Computes the frame from the notes known at a tick, and sets it as the target of the vocoder.
    fn aim(&mut self, tick: usize) -> Result<(), StreamError> {
        let (ledger, parts, position) = (&self.ledger, &self.parts, self.position);
        let at = |part| parts.at_frame(part, 0);
        self.mix.hear(position, ledger, at);
        let Maker::Ticks(ticks) = &mut self.maker else { return Ok(()) };
        let known = Known { ledger, at: &at, reference: self.mix.reference()[1] };
        ticks.prior.frame(position, known, &mut ticks.plain, &mut ticks.struck)?;
        self.mix.share(ticks.prior.powers(), ledger, at);
        ticks.add_residual();
        let struck = ticks.struck.iter().zip(&ticks.plain);
        let mut voiced = ticks.mel;
        voiced.iter_mut().zip(struck).for_each(|(v, (struck, plain))| *v += struck - plain);
        let playing = Playing {
            start: position,
            ledger,
            parts,
            first_tick: 0,
            reference: self.mix.reference(),
            noise: self.mix.noise(),
            log_share: ticks.prior.log_share(),
            tones: ticks.prior.tones(),
        };
        if let Inverter::ScoreInformed(vocoder) = &mut self.vocoder {
            vocoder.aim(&playing, tick, &voiced)?;
        }
        for heard in ticks.prior.powers() {
            if let Some(note) = self.ledger.notes_mut().get_mut(heard.note) {
                note.power = heard.power;
            }
        }
        Ok(())
    }

    /// Ends the frame.
    fn next_frame(&mut self) {
        let Maker::Ticks(ticks) = &mut self.maker else { return };
        let parts = &self.parts;
        ticks.prior.next_frame(self.position, &self.ledger, |part| parts.at_frame(part, 0));
        self.mix.next_frame();
        ticks.played.extend_from_slice(&ticks.mel);
        ticks.tick = 0;
        ticks.frame += 1;
        if ticks.frame == ticks.hop_frames {
            (ticks.frame, ticks.hop) = (0, ticks.hop + 1);
        }
        self.position.0 += 1;
        self.forget();
    }

    /// Makes the question for the hop after the one that begins, with the notes that are known now.
    fn ask(&mut self) -> Result<(), StreamError> {
        let Maker::Ticks(ticks) = &mut self.maker else { return Ok(()) };
        let options = self.options;
        let hop_frames = if options.steps == 0 { 0 } else { options.hop_frames };
        let now = self.position.step();
        let next = FrameIdx(self.position.0 + hop_frames as u64);
        self.timeline.cut(now, now);
        let cut = Cut { start_step: next.step(), ..self.timeline.cut(now, now) };
        let mut ids = vec![];
        self.report = encode_segment(&cut, &self.tokens, &mut ids);
        let (ledger, parts) = (&self.ledger, &self.parts);
        let at = |part| parts.at_frame(part, 0);
        let known = Known { ledger, at: &at, reference: self.mix.reference()[1] };
        let mut prior = vec![0.0; hop_frames * MEL_BINS];
        let mut struck = [0.0; MEL_BINS];
        for (n, mel) in prior.chunks_exact_mut(MEL_BINS).enumerate() {
            ticks.prior.frame(FrameIdx(next.0 + n as u64), known, mel, &mut struck)?;
        }
        let played = std::mem::take(&mut ticks.played);
        let question = Question { hop: ticks.hop + 1, options, ids, prior, played };
        match &mut ticks.denoiser {
            Some(denoiser) => ticks.next = Some(denoiser.answer(question)?),
            None => ticks.question = Some(question),
        }
        Ok(())
    }
}
