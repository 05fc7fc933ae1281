//! Mel frames and the notes behind them -> samples, hop by hop, without look-ahead. Knows no denoiser and no device.
//!
//! The notes say where the tones are (`excitation`), the mel says how loud each band is, a small network (`network`)
//! corrects what the two together get wrong, and `filter` shapes tones and noise by the result. All that at 16 kHz, as the mel knows of no more;
//! a model may say how the sound goes on above 8 kHz (`upper`), and `join` then makes 48 kHz of both. Each sample depends only
//! on notes and frames up to its own 20 ms frame, and hops of any length give the same sound as the whole.

pub mod attack;
mod bands;
pub mod excitation;
mod filter;
mod gains;
pub mod inverter;
mod join;
pub mod life;
pub mod mel_decoder;
mod network;
pub mod tables;
pub mod tone;
mod turn;
mod upper;

use crate::denoise::DenoiseError;
use crate::denoise::noise::{NoiseSource, SeededNoise};
use crate::graph::{OUTPUTS, VocoderConfig};
use crate::notes::NoteEvent;
use crate::units::{FrameIdx, HOP_SAMPLES, MEL_BINS, SAMPLE_RATE_HZ, SamplePos};
use attack::{AttackTable, Shape};
use excitation::{BLOCK, Excitation};
use filter::{BlockFilter, Ramp, SOURCES};
use gains::{Even, most_tone};
use life::{Life, LifeTable};
use network::VocoderNetwork;
use realfft::num_complex::Complex;
use std::sync::Arc;
use tables::Tables;
use turn::Turn;
use upper::UpperBand;

/// Blocks of 10 ms in a frame.
const BLOCKS: usize = HOP_SAMPLES / BLOCK;
/// Nats the network's inputs are divided by.
const INPUT_SCALE: f32 = 1.0 / 8.0;
/// Gains stay in this range of nats.
const GAIN_RANGE: (f32, f32) = (-20.0, 6.0);
/// From a key press to the end of its frame the network takes no more than this from a tone, nats, unless a drum is loud: how fast it comes is
/// the attack table's, and must not depend on where in a frame the key fell.
const STRUCK_FLOOR: f32 = -0.5;
/// Where the untrained network puts the noise, in nats above the mel.
const NOISE_START: f32 = -1.5;
/// Keeps the vocoder's noise apart from the denoiser's.
const NOISE_KEY: u64 = 0x766f_636f_6465_7200;

/// What a model knows of how notes begin and live; without `attacks` notes are at once as loud as
/// their frames, without `life` they are still.
#[derive(Debug, Default)]
pub struct NoteTables {
    /// How they begin.
    pub attacks: Option<AttackTable>,
    /// How they live.
    pub life: Option<LifeTable>,
}

/// The vocoder with all it remembers of the stream.
#[derive(Debug)]
pub struct Vocoder {
    tables: Arc<Tables>,
    network: VocoderNetwork,
    of_notes: NoteTables,
    excitation: Excitation,
    filter: BlockFilter,
    turn: Turn,
    /// Where the model has one and it is wanted.
    upper: Option<UpperBand>,
    seed: u64,
    /// The last frame [128], empty before the first.
    last_mel: Vec<f32>,
    tones: Vec<Complex<f32>>,
    noise: Vec<f32>,
    /// [blocks, 128] in nats.
    log_levels: Vec<f32>,
    inputs: [Vec<f32>; 2],
    corrections: Vec<f32>,
    even: Even,
    gains: Vec<f32>,
    /// The tones of a block, turned back.
    turned: Vec<f32>,
    /// The hop at 16 kHz.
    lower: Vec<f32>,
}

impl Vocoder {
    /// Loads the network from ONNX bytes, with noise seed 0 and nothing above 8 kHz.
    ///
    /// # Errors
    /// As [`crate::denoise::network::Network::load`], for the graph `vocoder`.
    pub fn load(
        config: VocoderConfig,
        bytes: &[u8],
        of_notes: NoteTables,
        tables: Arc<Tables>,
    ) -> Result<Self, DenoiseError> {
        Ok(Self {
            of_notes,
            network: VocoderNetwork::load(config, bytes)?,
            excitation: Excitation::new(tables.clone()),
            filter: BlockFilter::new(tables.bands.clone()),
            turn: Turn::new(),
            upper: None,
            tables,
            seed: NOISE_KEY,
            last_mel: vec![],
            tones: vec![],
            noise: vec![],
            log_levels: vec![],
            inputs: [vec![], vec![]],
            corrections: vec![],
            even: Even::default(),
            gains: vec![0.0; SOURCES * MEL_BINS],
            turned: Vec::with_capacity(BLOCK),
            lower: vec![],
        })
    }

    /// Takes a note event at `at`, which lies in the hop that is rendered next.
    ///
    /// # Errors
    /// Whatever the engine says of the tables; the note then begins at once or is still.
    pub fn event(&mut self, at: SamplePos, event: &NoteEvent) -> Result<(), DenoiseError> {
        let hop = HOP_SAMPLES as u64;
        let pressed = event.velocity > 0;
        let shape = match &mut self.of_notes.attacks {
            Some(attacks) if pressed => attacks.shape(event.voice, hop - at.0 % hop),
            _ => Ok(Shape::NONE),
        };
        let life = match &mut self.of_notes.life {
            Some(lives) if pressed => lives.life(event.voice),
            _ => Ok(Life::STILL),
        };
        let begins = *shape.as_ref().unwrap_or(&Shape::NONE);
        self.excitation.event(at, event, begins, *life.as_ref().unwrap_or(&Life::STILL));
        shape.and(life).map(|_| ())
    }

    /// Samples a second of what it renders: 48,000 with an upper band, else 16,000.
    pub fn sample_rate_hz(&self) -> u32 {
        if self.upper.is_some() { join::RATE_HZ } else { SAMPLE_RATE_HZ }
    }

    /// Renders the hop that starts at `start`: `mel` [T, 128] natural-log -> `out`, T * 20 ms of samples. A frame with a key press
    /// should be as loud as the note will be ([`crate::prior::NotePrior::render`], struck).
    ///
    /// # Errors
    /// Whatever the engine says; nothing else can fail.
    pub fn render(
        &mut self,
        start: FrameIdx,
        mel: &[f32],
        out: &mut Vec<f32>,
    ) -> Result<(), DenoiseError> {
        let seed = self.seed;
        self.render_with(start, mel, |frame, noise| SeededNoise::new(seed, frame).start(noise), out)
    }

    /// [`Self::render`] with any source of noise, which fills the 320 samples of a frame.
    fn render_with(
        &mut self,
        start: FrameIdx,
        mel: &[f32],
        noise_of: impl Fn(u64, &mut [f32]),
        out: &mut Vec<f32>,
    ) -> Result<(), DenoiseError> {
        let frames = mel.len() / MEL_BINS;
        let samples = frames * HOP_SAMPLES;
        self.tones.resize(samples, Complex::ZERO);
        self.noise.resize(samples, 0.0);
        self.log_levels.resize(frames * BLOCKS * MEL_BINS, 0.0);
        self.corrections.resize(frames * OUTPUTS, 0.0);
        for (frame, noise) in (start.0..).zip(self.noise.chunks_exact_mut(HOP_SAMPLES)) {
            noise_of(frame, noise);
        }
        let (upper_tones, upper_corrections) = match &mut self.upper {
            Some(upper) => {
                upper.resize(frames);
                (upper.tones.as_mut_slice(), upper.corrections.as_mut_slice())
            }
            None => Default::default(),
        };
        self.excitation.render(
            start.start(),
            &mut self.tones,
            upper_tones,
            &mut self.log_levels,
            &mut self.noise,
        );
        self.log_levels.iter_mut().for_each(|l| *l = l.ln());
        let [log_mel, log_levels] = &mut self.inputs;
        log_mel.clear();
        log_mel.extend(mel.iter().map(|v| v * INPUT_SCALE));
        log_levels.clear();
        let frame_ends = self.log_levels.chunks_exact(MEL_BINS).skip(BLOCKS - 1).step_by(BLOCKS);
        log_levels.extend(frame_ends.flatten().map(|v| v * INPUT_SCALE));
        self.network.run(log_mel, log_levels, &mut self.corrections, upper_corrections)?;
        let mut lower = std::mem::take(&mut self.lower);
        lower.resize(samples, 0.0);
        for (i, frame) in mel.chunks_exact(MEL_BINS).enumerate() {
            if self.last_mel.is_empty() {
                self.last_mel.extend_from_slice(frame);
            }
            let first = i * BLOCKS;
            let presses: [_; BLOCKS] = std::array::from_fn(|block| {
                let at = start.start().0 + ((first + block) * BLOCK) as u64;
                self.excitation.press_in(SamplePos(at))
            });
            let pressed = presses.iter().position(Option::is_some);
            let frame_start = start.start().0 + (i * HOP_SAMPLES) as u64;
            let drummed = self.excitation.is_drummed(SamplePos(frame_start));
            let struck_floor = if drummed { f32::NEG_INFINITY } else { STRUCK_FLOOR };
            let upper = self.upper.as_mut().map(|upper| upper.corrections.as_mut_slice());
            let all = [self.corrections.as_mut_slice(), upper.unwrap_or_default()];
            self.even.frame(i, all, pressed.is_none() && !drummed);
            for (block, press) in presses.into_iter().enumerate() {
                let share = (block + 1) as f32 / BLOCKS as f32;
                let (rise, floor) = match pressed {
                    Some(pressed) if block >= pressed => (1.0, struck_floor),
                    Some(_) => (0.0, f32::NEG_INFINITY),
                    None => (share, f32::NEG_INFINITY),
                };
                self.block(first + block, [share, rise], floor, press, frame, &mut lower);
            }
            self.last_mel.copy_from_slice(frame);
        }
        match &mut self.upper {
            Some(upper) => upper.join(&lower, out),
            None => out.clone_from(&lower),
        }
        self.lower = lower;
        Ok(())
    }

    /// Renders block `at` of the hop, at whose end bands that fall (rise) are the first (second) of `shares` of the way from
    /// the last frame to this one; the network takes no more than `floor` nats from a tone; `press` is the sample of a key press in it.
    fn block(
        &mut self,
        at: usize,
        [fall, rise]: [f32; 2],
        floor: f32,
        press: Option<usize>,
        frame: &[f32],
        out: &mut [f32],
    ) {
        let part = |all: &[f32], size: usize| at * size..((at + 1) * size).min(all.len());
        let levels = self.log_levels.get(part(&self.log_levels, MEL_BINS)).unwrap_or_default();
        let sources = SOURCES * MEL_BINS;
        let corrections =
            self.corrections.get(part(&self.corrections, sources)).unwrap_or_default();
        let (tone, noise) = self.gains.split_at_mut(MEL_BINS);
        let (tone_by, noise_by) = corrections.split_at(MEL_BINS.min(corrections.len()));
        // The mel goes evenly from frame to frame, but a rise with a key press in the frame comes with it, not before, and at once.
        let mel = self.last_mel.iter().zip(frame).map(|(a, b)| {
            let share = if b > a { rise } else { fall };
            a + share * (b - a)
        });
        let sources_levels = levels.iter().zip(&self.tables.noise_log_level);
        let gains = tone.iter_mut().zip(noise).zip(tone_by.iter().zip(noise_by));
        for ((mel, (tones, noises)), ((tone, noise), (tone_by, noise_by))) in
            mel.zip(sources_levels).zip(gains)
        {
            let gain = (mel - tones + tone_by.max(floor)).clamp(GAIN_RANGE.0, GAIN_RANGE.1);
            *tone = gain.min(most_tone(*tones));
            *noise = (mel - noises + NOISE_START + noise_by).clamp(GAIN_RANGE.0, GAIN_RANGE.1);
        }
        let range = part(&self.noise, BLOCK);
        let tones = self.tones.get(range.clone()).unwrap_or_default();
        let noise = self.noise.get(range.clone()).unwrap_or_default();
        let ramp = Ramp { press };
        self.filter.next(&self.gains);
        self.turn.next(self.filter.change(0), levels);
        self.turned.clear();
        let turn = |(n, tone): (usize, &Complex<f32>)| self.turn.back(*tone, ramp.at(n));
        self.turned.extend(tones.iter().enumerate().map(turn));
        if let Some(out) = out.get_mut(range) {
            self.filter.process([&self.turned, noise], ramp, out);
        }
        if let Some(upper) = &mut self.upper {
            upper.block(at, &self.gains, noise, ramp);
        }
    }

    /// Forgets notes and past; `seed` fixes the noise from here on, and `is_wide` says whether what lies above 8 kHz is made too, if the model
    /// knows it.
    ///
    /// # Errors
    /// None that a loaded network can give.
    pub fn restart(&mut self, seed: u64, is_wide: bool) -> Result<(), DenoiseError> {
        self.seed = seed ^ NOISE_KEY;
        self.upper = match self.network.has_upper_band() && is_wide {
            true => Some(UpperBand::new(&self.tables)),
            false => None,
        };
        self.excitation.clear();
        self.filter.reset();
        self.turn.reset();
        self.last_mel.clear();
        self.even.reset();
        self.network.reset()
    }
}

#[cfg(test)]
mod tests;
