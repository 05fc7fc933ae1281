//! Makes samples from mel frames with the inverter of the bundle, which is the vocoder of this
//! project or a mel decoder. It knows no details of either.

use super::mel_decoder::MelDecoder;
use super::{Playing, Vocoder};
use crate::denoise::DenoiseError;
use crate::ledger::Sounding;
use crate::parts::Buses;
use crate::units::{HOP_SAMPLES, SAMPLE_RATE_HZ};

/// A spectrogram inverter.
#[derive(Debug)]
pub enum Inverter {
    /// The vocoder of this project, which shapes the tones of the notes by the mel. It has no
    /// look-ahead.
    ScoreInformed(Box<Vocoder>),
    /// A mel decoder, which uses only the mel and makes one signal.
    MelDecoder {
        /// The decoder.
        decoder: Box<MelDecoder>,
        /// The number of buses that get its signal.
        buses: usize,
        /// The signal of the hop.
        mono: Vec<f32>,
    },
}

impl Inverter {
    /// A mel decoder, for one bus until it is restarted.
    pub fn mel_decoder(decoder: MelDecoder) -> Self {
        Self::MelDecoder { decoder: Box::new(decoder), buses: 1, mono: vec![] }
    }

    /// Begins a note of the ledger in the frame or hop that is made next.
    ///
    /// # Errors
    /// The inference engine failed.
    pub fn strike(&mut self, note: &Sounding) -> Result<(), DenoiseError> {
        match self {
            Self::ScoreInformed(vocoder) => vocoder.strike(note),
            Self::MelDecoder { .. } => Ok(()),
        }
    }

    /// Whether the inverter does not need a note any more.
    pub fn is_over(&self, note: &Sounding) -> bool {
        match self {
            Self::ScoreInformed(vocoder) => vocoder.is_over(note),
            Self::MelDecoder { .. } => true,
        }
    }

    /// The sample rate of the output, Hz.
    pub fn sample_rate_hz(&self) -> u32 {
        match self {
            Self::ScoreInformed(vocoder) => vocoder.sample_rate_hz(),
            Self::MelDecoder { .. } => SAMPLE_RATE_HZ,
        }
    }

    /// Adds a frame to `out`, with its natural-log `mel` \[128\] and all of its notes known. A mel
    /// decoder does nothing here, because it makes whole hops.
    ///
    /// # Errors
    /// The inference engine failed.
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

    /// Gives a hop of natural-log `mel` [T, 128] to a mel decoder, and adds the samples that are
    /// ready ([`MelDecoder::render`]). `levels` [T + 1, buses] are the levels of the buses before
    /// the hop and at the end of each frame.
    ///
    /// # Errors
    /// The inference engine failed.
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

    /// Fills `out` with the last samples of each bus, if a mel decoder looks ahead, and else with
    /// nothing. `levels` \[buses\] are the levels of the buses.
    ///
    /// # Errors
    /// The inference engine failed.
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

    /// Removes all notes and the past. `seed` is that of the noise, `looks_ahead` says whether
    /// sound may wait for later frames, `is_wide` whether to make the band above 8 kHz, and `made`
    /// which buses to make.
    ///
    /// # Errors
    /// None for a loaded network.
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
