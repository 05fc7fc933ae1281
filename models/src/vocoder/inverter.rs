//! Mel frames -> samples by what the model's bundle has: the project's own vocoder, or a mel decoder. Knows neither from inside.

use super::Vocoder;
use super::mel_decoder::MelDecoder;
use crate::denoise::DenoiseError;
use crate::notes::NoteEvent;
use crate::units::{FrameIdx, SAMPLE_RATE_HZ, SamplePos};

/// A spectrogram inverter.
#[derive(Debug)]
pub enum Inverter {
    /// Tones of the notes, shaped by the mel; looks ahead nothing.
    ScoreInformed(Box<Vocoder>),
    /// The mel alone.
    MelDecoder(Box<MelDecoder>),
}

impl Inverter {
    /// Takes a note event at `at`, which lies in the hop that is rendered next.
    ///
    /// # Errors
    /// Whatever the engine says.
    pub fn event(&mut self, at: SamplePos, event: &NoteEvent) -> Result<(), DenoiseError> {
        match self {
            Self::ScoreInformed(vocoder) => vocoder.event(at, event),
            Self::MelDecoder(_) => Ok(()),
        }
    }

    /// Samples a second of what it renders.
    pub fn sample_rate_hz(&self) -> u32 {
        match self {
            Self::ScoreInformed(vocoder) => vocoder.sample_rate_hz(),
            Self::MelDecoder(_) => SAMPLE_RATE_HZ,
        }
    }

    /// Renders the hop that starts at `start`: `mel` [T, 128] natural-log; `out` becomes the samples that are ready, T * 20 ms unless a mel
    /// decoder looks ahead ([`MelDecoder::render`]).
    ///
    /// # Errors
    /// Whatever the engine says.
    pub fn render(
        &mut self,
        start: FrameIdx,
        mel: &[f32],
        out: &mut Vec<f32>,
    ) -> Result<(), DenoiseError> {
        match self {
            Self::ScoreInformed(vocoder) => vocoder.render(start, mel, out),
            Self::MelDecoder(decoder) => {
                out.clear();
                decoder.render(mel, out)
            }
        }
    }

    /// `out` becomes the samples that still wait, if any do.
    ///
    /// # Errors
    /// Whatever the engine says.
    pub fn finish(&mut self, out: &mut Vec<f32>) -> Result<(), DenoiseError> {
        out.clear();
        match self {
            Self::ScoreInformed(_) => Ok(()),
            Self::MelDecoder(decoder) => decoder.finish(out),
        }
    }

    /// Forgets notes and past; `seed` fixes the noise, `looks_ahead` says whether sound may wait for the frames behind it, and `is_wide` whether
    /// what lies above 8 kHz is made.
    ///
    /// # Errors
    /// None that a loaded network can give.
    pub fn restart(
        &mut self,
        seed: u64,
        looks_ahead: bool,
        is_wide: bool,
    ) -> Result<(), DenoiseError> {
        match self {
            Self::ScoreInformed(vocoder) => vocoder.restart(seed, is_wide),
            Self::MelDecoder(decoder) => {
                decoder.restart(looks_ahead);
                Ok(())
            }
        }
    }
}
