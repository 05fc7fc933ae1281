//! The target gains of a frame: how they move from those of the last frame to those that its mel
//! needs. It makes no samples.

use super::excitation::BLOCK;
use super::filter::{Ramp, SOURCES};
use super::gains::{most_tone, smooth_tones};
use super::{BLOCKS, GAIN_RANGE, INPUT_SCALE, MOST_NOISE, Playing, STRUCK_FLOOR, Vocoder};
use crate::denoise::DenoiseError;
use crate::denoise::noise::{NoiseSource, SeededNoise};
use crate::units::{HOP_SAMPLES, MEL_BINS, SamplePos, TICK_SAMPLES};

impl Vocoder {
    /// Sets the target of a frame from the tick `tick` on: the natural-log `mel` \[128\] is that at
    /// the end of the frame. A frame must begin with a call for tick 0. If a key is pressed in the
    /// tick, the mel should be as loud as the note will be (see [`crate::prior::NotePrior::frame`],
    /// `struck`).
    ///
    /// # Errors
    /// The inference engine failed.
    pub fn aim(
        &mut self,
        playing: &Playing<'_>,
        tick: usize,
        mel: &[f32],
    ) -> Result<(), DenoiseError> {
        let seed = self.seed;
        self.aim_with(playing, tick, mel, |[first, second]: [&mut [f32]; 2]| {
            let mut noise = SeededNoise::new(seed, playing.start.0);
            noise.start(first);
            noise.fill(0, second);
        })
    }

    /// As [`Self::aim`], but with any source of noise, which fills the 320 samples of a frame,
    /// twice.
    pub(super) fn aim_with(
        &mut self,
        playing: &Playing<'_>,
        tick: usize,
        mel: &[f32],
        noise_of: impl Fn([&mut [f32]; 2]),
    ) -> Result<(), DenoiseError> {
        if tick == 0 {
            self.is_pressed = false;
            self.noise.next_frame(noise_of);
        }
        let at = tick * TICK_SAMPLES;
        let start = playing.start.start();
        let press = self.excitation.press_in(SamplePos(start.0 + at as u64));
        let press = press.map(|press| (at + press) as isize);
        self.is_pressed |= press.is_some();
        self.is_drummed = self.excitation.is_drummed(start);
        self.mel.clear();
        self.mel.extend_from_slice(mel);
        if self.last_mel.is_empty() {
            self.last_mel.extend_from_slice(mel);
        }
        self.log_share = *playing.log_share;
        self.excitation.levels(playing, &mut self.profiles, &mut self.levels);
        self.excitation.weigh(playing, &mut self.profiles);
        self.levels.iter_mut().for_each(|level| *level = level.ln());
        self.ask()?;
        self.noise.aim(playing.noise, Ramp { from: at, press, end: HOP_SAMPLES });
        let within = at % BLOCK;
        let press = press.map(|press| press - (at - within) as isize);
        self.aim_block(at / BLOCK, within, press);
        self.is_aimed = true;
        Ok(())
    }

    /// Runs the network for the corrections of the frame.
    fn ask(&mut self) -> Result<(), DenoiseError> {
        let [log_mel, log_levels, log_share] = &mut self.inputs;
        log_mel.clear();
        log_mel.extend(self.mel.iter().map(|v| v * INPUT_SCALE));
        log_levels.clear();
        let frame_end = self.levels.iter().skip((BLOCKS - 1) * MEL_BINS);
        log_levels.extend(frame_end.map(|v| v * INPUT_SCALE));
        log_share.clear();
        log_share.extend(self.log_share.iter().map(|v| v * INPUT_SCALE));
        let upper = match &mut self.upper {
            Some(upper) => upper.corrections.as_mut_slice(),
            None => Default::default(),
        };
        let inputs = [log_mel.as_slice(), log_levels, log_share];
        self.network.ask(inputs, &mut self.corrections, upper)?;
        if !self.is_pressed && !self.is_drummed {
            self.even.frame([&mut self.corrections, upper]);
        }
        Ok(())
    }

    /// Sets the target gains of a block from its sample `from` on; `press` is the sample of a key
    /// press.
    pub(super) fn aim_block(&mut self, block: usize, from: usize, press: Option<isize>) {
        let part = |all: &[f32], size: usize| block * size..((block + 1) * size).min(all.len());
        let levels = self.levels.get(part(&self.levels, MEL_BINS)).unwrap_or_default();
        let sources = SOURCES * MEL_BINS;
        let corrections =
            self.corrections.get(part(&self.corrections, sources)).unwrap_or_default();
        let (tone, noise) = self.gains.split_at_mut(MEL_BINS);
        let (tone_by, noise_by) = corrections.split_at(MEL_BINS.min(corrections.len()));
        // The mel moves evenly from frame to frame, but rises at once at a key press.
        let fall = (block + 1) as f32 / BLOCKS as f32;
        let (rise, floor) = match (self.is_pressed, self.is_drummed) {
            (true, true) => (1.0, f32::NEG_INFINITY),
            (true, false) => (1.0, STRUCK_FLOOR),
            (false, _) => (fall, f32::NEG_INFINITY),
        };
        let mel = self.last_mel.iter().zip(&self.mel).map(|(a, b)| {
            let share = if b > a { rise } else { fall };
            a + share * (b - a)
        });
        let mel = mel.zip(&self.log_share);
        let sources_levels = levels.iter().zip(&self.tables.noise_log_level);
        let gains = tone.iter_mut().zip(noise).zip(tone_by.iter().zip(noise_by));
        for (((mel, log_share), (tones, noises)), ((tone, noise), (tone_by, noise_by))) in
            mel.zip(sources_levels).zip(gains)
        {
            let of_tones = 0.5 * (-log_share.exp().min(MOST_NOISE)).ln_1p();
            let gain = mel + of_tones - tones + tone_by.max(floor);
            *tone = gain.clamp(GAIN_RANGE.0, GAIN_RANGE.1).min(most_tone(*tones));
            let gain = mel + 0.5 * log_share - noises + noise_by;
            *noise = gain.clamp(GAIN_RANGE.0, GAIN_RANGE.1);
        }
        if let (Some(tone), Some(levels)) = (tone.first_chunk_mut(), levels.first_chunk()) {
            smooth_tones(tone, levels);
        }
        // At the start of a block, the ramp is still that of the last block.
        let reached = self.ramp.at(if from == 0 { BLOCK } else { from } - 1);
        let unfinished = match from {
            0 => self.ramp.press_at(BLOCK).map(|press| press - BLOCK as isize),
            _ => self.ramp.press_at(from),
        };
        self.ramp = Ramp { from, press: press.or(unfinished), end: BLOCK };
        self.filter.aim(&self.gains, self.ramp);
        let filter = &self.filter;
        self.turn.aim(reached, |bin| filter.change(0, bin), levels);
        if let Some(upper) = &mut self.upper {
            upper.aim(block, &self.gains, self.ramp);
        }
    }
}
