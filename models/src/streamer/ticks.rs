//! What is made tick by tick: models with a note prior. Knows no device.
//!
//! * Where a hop begins the denoiser is asked for the one behind it, as far as its notes are known
//!   then.
//! * Every 2.5 ms a tick hears the events that lie in it. With a note that begins or ends in it the
//!   frame is asked for again from what was played before it: its mel from the note prior, its
//!   gains from the vocoder. So a sample depends on the events up to the end of its tick alone,
//!   however the stream is fed.
//! * What the denoiser adds stays what it was made from: to a band that a younger note has made
//!   louder it adds as much less.

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

/// The note prior, the denoiser or the way to it, and the frame that is made.
#[derive(Debug)]
pub(super) struct Ticks {
    pub(super) prior: NotePrior,
    /// Where it is not elsewhere ([`Streamer::separate`]).
    denoiser: Option<Denoiser>,
    /// What is to be asked, what has been answered for this hop, and for the next.
    question: Option<Question>,
    answer: Option<Answer>,
    next: Option<Answer>,
    /// Which hop is made, which of its frames, which tick of that, and how many frames it has.
    hop: u64,
    frame: usize,
    tick: usize,
    hop_frames: usize,
    /// Frames of a hop at most.
    most_frames: usize,
    /// Of the frame that is made, natural-log mel [128]: what the note prior says of it, the same
    /// struck, and with what the denoiser adds.
    plain: [f32; MEL_BINS],
    struck: [f32; MEL_BINS],
    mel: [f32; MEL_BINS],
    /// Whether more is known than the frame was aimed with.
    is_stale: bool,
    /// Frames that were played since the last question.
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
            // It takes them with the next question.
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

    /// What the denoiser adds to the frame, nats: as much as there was of what it was made from.
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
    /// The network that knows single notes, to be asked elsewhere for what [`Self::rows_wanted`]
    /// says.
    pub fn row_network(&mut self) -> Option<RowNetwork> {
        match &mut self.maker {
            Maker::Ticks(ticks) => Some(ticks.prior.rows().network()),
            Maker::Hops(_) => None,
        }
    }

    /// Rows of the note prior that are not known yet and will be needed, at most `count` and a few:
    /// those of the notes that sound, as they go on or end, then those of notes that begin, as soon
    /// as somebody plays one of these instruments. None where enough is known.
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

    /// Rows have been asked for elsewhere.
    pub fn fill_rows(&mut self, filled: &FilledRows) {
        if let Maker::Ticks(ticks) = &mut self.maker {
            ticks.prior.rows().fill(filled);
        }
    }

    /// Whether it is made tick by tick.
    pub fn is_in_ticks(&self) -> bool {
        matches!(self.maker, Maker::Ticks(_))
    }

    /// Gives the denoiser of a stream in ticks away, to be run elsewhere: from now on it is asked
    /// by [`Self::question`], and a hop whose answer has not come is played without.
    pub fn separate(&mut self) -> Option<Denoiser> {
        match &mut self.maker {
            Maker::Ticks(ticks) => ticks.denoiser.take(),
            Maker::Hops(_) => None,
        }
    }

    /// What the denoiser is to be asked, once a hop, ahead of the hop's time.
    pub fn question(&mut self) -> Option<Question> {
        match &mut self.maker {
            Maker::Ticks(ticks) => ticks.question.take(),
            Maker::Hops(_) => None,
        }
    }

    /// The denoiser has answered.
    pub fn answer(&mut self, answer: Answer) {
        if let Maker::Ticks(ticks) = &mut self.maker
            && answer.hop > ticks.hop
        {
            ticks.next = Some(answer);
        }
    }

    /// The stream second at which the next tick or hop begins.
    pub fn next_s(&self) -> f64 {
        let tick = match &self.maker {
            Maker::Ticks(ticks) => ticks.tick as u64,
            Maker::Hops(_) => 0,
        };
        SamplePos((self.position.tick() + tick) * TICK_SAMPLES as u64).seconds()
    }

    /// The samples of every bus in the hop, or in the tick, made last.
    pub fn buses(&self) -> &[Vec<f32>] {
        &self.samples
    }

    /// Makes the next tick of a stream in ticks, which then is in [`Self::buses`].
    ///
    /// # Errors
    /// Whatever the engine says.
    pub fn tick(&mut self) -> Result<(), StreamError> {
        self.samples.iter_mut().for_each(Vec::clear);
        self.add_tick()
    }

    /// A hop of ticks.
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

    /// Adds the next tick to the samples.
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

    /// Takes the events up to the end of a tick; whether a note begins or ends in it.
    fn listen_to_tick(&mut self, tick: usize) -> Result<bool, StreamError> {
        let first = SamplePos((self.position.tick() + tick as u64) * TICK_SAMPLES as u64);
        let end = SamplePos(first.0 + TICK_SAMPLES as u64);
        let (any, is_struck) = self.listen([first, end])?;
        if let Maker::Ticks(ticks) = &mut self.maker {
            ticks.is_stale |= any;
        }
        Ok(is_struck)
    }

    /// Asks the note prior for the frame as it is known at a tick, and aims the vocoder at it.
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

    /// The frame is over.
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

    /// Asks the denoiser for the hop behind the one that begins, of the notes that are known.
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
