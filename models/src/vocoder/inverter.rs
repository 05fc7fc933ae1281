//! Mel frames -> samples by what the model's bundle has: the project's own vocoder, or a mel
//! decoder. Knows neither from inside.

use super::mel_decoder::MelDecoder;
use super::{Playing, Vocoder};
use crate::denoise::DenoiseError;
use crate::ledger::Sounding;
use crate::parts::Buses;
use crate::units::{HOP_SAMPLES, SAMPLE_RATE_HZ};

/// A spectrogram inverter.
#[derive(Debug)]
pub enum Inverter {
    /// Tones of the notes, shaped by the mel; looks ahead nothing.
    ScoreInformed(Box<Vocoder>),
    /// The mel alone, and how many buses are made of its one.
    MelDecoder {
        /// What makes sound of it.
        decoder: Box<MelDecoder>,
        /// How many.
        buses: usize,
        /// The hop, before it goes to them.
        mono: Vec<f32>,
    },
}

impl Inverter {
    /// A mel decoder, for one bus until it is restarted.
    pub fn mel_decoder(decoder: MelDecoder) -> Self {
        Self::MelDecoder { decoder: Box::new(decoder), buses: 1, mono: vec![] }
    }

    /// A note of the ledger begins, in the hop that is rendered next.
    ///
    /// # Errors
    /// Whatever the engine says.
    pub fn strike(&mut self, note: &Sounding) -> Result<(), DenoiseError> {
        match self {
            Self::ScoreInformed(vocoder) => vocoder.strike(note),
            Self::MelDecoder { .. } => Ok(()),
        }
    }

    /// Whether nothing of a note is needed here any more.
    pub fn is_over(&self, note: &Sounding) -> bool {
        match self {
            Self::ScoreInformed(vocoder) => vocoder.is_over(note),
            Self::MelDecoder { .. } => true,
        }
    }

    /// Samples a second of what it renders.
    pub fn sample_rate_hz(&self) -> u32 {
        match self {
            Self::ScoreInformed(vocoder) => vocoder.sample_rate_hz(),
            Self::MelDecoder { .. } => SAMPLE_RATE_HZ,
        }
    }

    /// Adds a frame of `mel` \[128\], natural-log, of which all is known, to `out`; a mel decoder
    /// makes no frames, but hops.
    ///
    /// # Errors
    /// Whatever the engine says.
    pub fn frame(
        &mut self,
        playing: &Playing<'_>,
        mel: &[f32],
        out: &mut [Vec<f32>],
    ) -> Result<(), DenoiseError> {
        match self {
            Self::ScoreInformed(vocoder) => vocoder.frame(playing, mel, out),
            Self::MelDecoder { .. } => Ok(()),
        }
    }

    /// Adds the samples of a mel decoder that are ready ([`MelDecoder::render`]) once it has heard
    /// a hop of `mel` [T, 128], natural-log; `levels` [T + 1, buses] are those of each bus, before
    /// it and at the end of each of its frames.
    ///
    /// # Errors
    /// Whatever the engine says.
    pub fn hop(
        &mut self,
        mel: &[f32],
        levels: &[f32],
        out: &mut [Vec<f32>],
    ) -> Result<(), DenoiseError> {
        let Self::MelDecoder { decoder, buses, mono } = self else { return Ok(()) };
        mono.clear();
        decoder.render(mel, mono)?;
        for (bus, out) in out.iter_mut().enumerate() {
            let level = |frame: usize| levels.get(frame * *buses + bus);
            out.extend(mono.iter().enumerate().map(|(n, sample)| {
                let frame = n / HOP_SAMPLES;
                let share = (n % HOP_SAMPLES) as f32 / HOP_SAMPLES as f32;
                let [from, to] = [frame, frame + 1].map(|at| level(at).copied().unwrap_or(1.0));
                sample * (from + share * (to - from))
            }));
        }
        Ok(())
    }

    /// `out` becomes the samples of each bus that still wait, if any do; each bus is as loud as
    /// `levels`, one a bus, say.
    ///
    /// # Errors
    /// Whatever the engine says.
    pub fn finish(&mut self, levels: &[f32], out: &mut [Vec<f32>]) -> Result<(), DenoiseError> {
        out.iter_mut().for_each(Vec::clear);
        match self {
            Self::ScoreInformed(_) => Ok(()),
            Self::MelDecoder { decoder, mono, .. } => {
                mono.clear();
                decoder.finish(mono)?;
                for (out, level) in out.iter_mut().zip(levels) {
                    out.extend(mono.iter().map(|sample| sample * level));
                }
                Ok(())
            }
        }
    }

    /// Forgets notes and past; `seed` fixes the noise, `looks_ahead` says whether sound may wait
    /// for the frames behind it, `is_wide` whether what lies above 8 kHz is made, and `made` which
    /// buses are.
    ///
    /// # Errors
    /// None that a loaded network can give.
    pub fn restart(
        &mut self,
        seed: u64,
        looks_ahead: bool,
        is_wide: bool,
        made: Buses,
    ) -> Result<(), DenoiseError> {
        match self {
            Self::ScoreInformed(vocoder) => vocoder.restart(seed, is_wide, made),
            Self::MelDecoder { decoder, buses, .. } => {
                *buses = made.list().len();
                decoder.restart(looks_ahead);
                Ok(())
            }
        }
    }
}
