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
mod noise;
pub mod tables;
pub mod tone;
mod turn;
mod upper;
mod voice;

use crate::denoise::DenoiseError;
use crate::denoise::noise::{NoiseSource, SeededNoise};
use crate::graph::{OUTPUTS, VocoderConfig};
use crate::ledger::{Ledger, Sounding};
use crate::parts::{Bus, Buses, Parts};
use crate::units::{FrameIdx, HOP_SAMPLES, MEL_BINS, SAMPLE_RATE_HZ, SamplePos};
use attack::{AttackTable, Shape};
use excitation::{BLOCK, Excitation, Excited};
use filter::{BlockFilter, Ramp, SOURCES};
use gains::{Even, most_tone};
use life::{Life, LifeTable};
use network::VocoderNetwork;
use noise::BusNoise;
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

/// Who plays in a hop.
#[derive(Debug, Clone, Copy)]
pub struct Playing<'a> {
    /// The hop's first frame.
    pub start: FrameIdx,
    /// The notes.
    pub ledger: &'a Ledger,
    /// The parts.
    pub parts: &'a Parts,
    /// The level that the mel's loudness is beside, [frames + 1]: at the end of the frame before
    /// the hop and of each of its frames.
    pub reference: &'a [f32],
    /// How loud the noise is in each bus, [frames + 1, buses], at the same places.
    pub noise: &'a [f32],
}

/// The vocoder with all it remembers of the stream.
#[derive(Debug)]
pub struct Vocoder {
    tables: Arc<Tables>,
    network: VocoderNetwork,
    of_notes: NoteTables,
    excitation: Excitation,
    excited: Excited,
    filter: BlockFilter,
    turn: Turn,
    /// Where the model has one and it is wanted.
    upper: Option<UpperBand>,
    buses: Vec<Bus>,
    seed: u64,
    /// The last frame [128], empty before the first.
    last_mel: Vec<f32>,
    noise: BusNoise,
    inputs: [Vec<f32>; 2],
    corrections: Vec<f32>,
    even: Even,
    gains: Vec<f32>,
    /// By what the tones of a block are turned back, and the tones of a bus turned so.
    back: Vec<Complex<f32>>,
    turned: Vec<f32>,
    /// The hop at 16 kHz, bus by bus.
    lower: Vec<Vec<f32>>,
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
            excited: Excited::default(),
            filter: BlockFilter::new(tables.bands.clone(), 1),
            turn: Turn::new(),
            upper: None,
            tables,
            buses: Buses::Mono.list(),
            seed: NOISE_KEY,
            last_mel: vec![],
            noise: BusNoise::default(),
            inputs: [vec![], vec![]],
            corrections: vec![],
            even: Even::default(),
            gains: vec![0.0; SOURCES * MEL_BINS],
            back: Vec::with_capacity(BLOCK),
            turned: Vec::with_capacity(BLOCK),
            lower: vec![],
        })
    }

    /// A note of the ledger begins, in the hop that is rendered next.
    ///
    /// # Errors
    /// Whatever the engine says of the tables; the note then begins at once or is still.
    pub fn strike(&mut self, note: &Sounding) -> Result<(), DenoiseError> {
        let hop = HOP_SAMPLES as u64;
        let shape = match &mut self.of_notes.attacks {
            Some(attacks) => attacks.shape(note.voice, hop - note.first.0 % hop),
            _ => Ok(Shape::NONE),
        };
        let life = match &mut self.of_notes.life {
            Some(lives) => lives.life(note.voice),
            _ => Ok(Life::STILL),
        };
        let begins = *shape.as_ref().unwrap_or(&Shape::NONE);
        self.excitation.strike(note, begins, *life.as_ref().unwrap_or(&Life::STILL));
        shape.and(life).map(|_| ())
    }

    /// Whether nothing of a note's tone is heard any more.
    pub fn is_over(&self, note: &Sounding) -> bool {
        self.excitation.is_over(note)
    }

    /// Samples a second of what it renders: 48,000 with an upper band, else 16,000.
    pub fn sample_rate_hz(&self) -> u32 {
        if self.upper.is_some() { join::RATE_HZ } else { SAMPLE_RATE_HZ }
    }

    /// Renders a hop: `mel` [T, 128] natural-log -> `out`, T * 20 ms of samples for each bus. A frame with a key press
    /// should be as loud as the note will be ([`crate::prior::NotePrior::render`], struck).
    ///
    /// # Errors
    /// Whatever the engine says; nothing else can fail.
    pub fn render(
        &mut self,
        playing: Playing<'_>,
        mel: &[f32],
        out: &mut Vec<Vec<f32>>,
    ) -> Result<(), DenoiseError> {
        let seed = self.seed;
        let noise_of = |frame, [first, second]: [&mut [f32]; 2]| {
            let mut noise = SeededNoise::new(seed, frame);
            noise.start(first);
            noise.fill(0, second);
        };
        self.render_with(playing, mel, noise_of, out)
    }

    /// [`Self::render`] with any source of noise, which fills the 320 samples of a frame, twice.
    fn render_with(
        &mut self,
        playing: Playing<'_>,
        mel: &[f32],
        noise_of: impl Fn(u64, [&mut [f32]; 2]),
        out: &mut Vec<Vec<f32>>,
    ) -> Result<(), DenoiseError> {
        let Playing { start, ledger, parts, reference, .. } = playing;
        let frames = mel.len() / MEL_BINS;
        let samples = frames * HOP_SAMPLES;
        self.corrections.resize(frames * OUTPUTS, 0.0);
        self.noise.draw(start, frames, &self.buses, noise_of);
        let upper_corrections = match &mut self.upper {
            Some(upper) => {
                upper.resize(frames, self.buses.len());
                upper.corrections.as_mut_slice()
            }
            None => Default::default(),
        };
        let is_wide = !upper_corrections.is_empty();
        let playing_to = (ledger, parts, self.buses.as_slice());
        let excited = &mut self.excited;
        self.excitation.render(start.start(), playing_to, reference, is_wide, excited);
        excited.levels.iter_mut().for_each(|l| *l = l.ln());
        let [log_mel, log_levels] = &mut self.inputs;
        log_mel.clear();
        log_mel.extend(mel.iter().map(|v| v * INPUT_SCALE));
        log_levels.clear();
        let frame_ends = excited.levels.chunks_exact(MEL_BINS).skip(BLOCKS - 1).step_by(BLOCKS);
        log_levels.extend(frame_ends.flatten().map(|v| v * INPUT_SCALE));
        self.network.run(log_mel, log_levels, &mut self.corrections, upper_corrections)?;
        let mut lower = std::mem::take(&mut self.lower);
        lower.resize_with(self.buses.len(), Vec::new);
        lower.iter_mut().for_each(|bus| bus.resize(samples, 0.0));
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
            let press_at = pressed.and_then(|at| Some(at * BLOCK + presses[at]?));
            self.noise.frame(i, press_at, &self.excited.begins, playing.noise, &self.buses);
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
            Some(upper) => upper.join(&lower, &self.buses, out),
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
        out: &mut [Vec<f32>],
    ) {
        let part = |all: &[f32], size: usize| at * size..((at + 1) * size).min(all.len());
        let levels = &self.excited.levels;
        let levels = levels.get(part(levels, MEL_BINS)).unwrap_or_default();
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
        let ramp = Ramp { press };
        self.filter.next(&self.gains);
        self.turn.next(self.filter.change(0), levels);
        self.back.clear();
        self.back.extend((0..BLOCK).map(|n| self.turn.back(ramp.at(n))));
        if let Some(upper) = &mut self.upper {
            upper.next(at, &self.gains);
        }
        let range = at * BLOCK..(at + 1) * BLOCK;
        for (bus, out) in out.iter_mut().enumerate() {
            let tones = self.excited.tones.get(bus).and_then(|tones| tones.get(range.clone()));
            let noise = self.noise.of(bus).get(range.clone()).unwrap_or_default();
            let tones = tones.unwrap_or_default().iter().zip(&self.back);
            self.turned.clear();
            self.turned.extend(tones.map(|(tone, back)| tone.re * back.re - tone.im * back.im));
            if let Some(out) = out.get_mut(range.clone()) {
                self.filter.process(bus, [&self.turned, noise], ramp, out);
            }
            if let (Some(upper), Some(tones)) = (
                &mut self.upper,
                self.excited.upper.get(bus).and_then(|tones| tones.get(range.clone())),
            ) {
                upper.block(at, bus, [tones, noise], ramp);
            }
        }
    }

    /// Forgets notes and past; `seed` fixes the noise from here on, `is_wide` says whether what lies above 8 kHz is made too, if the model
    /// knows it, and `buses` what is made.
    ///
    /// # Errors
    /// None that a loaded network can give.
    pub fn restart(&mut self, seed: u64, is_wide: bool, buses: Buses) -> Result<(), DenoiseError> {
        self.seed = seed ^ NOISE_KEY;
        self.buses = buses.list();
        self.upper = match self.network.has_upper_band() && is_wide {
            true => Some(UpperBand::new(&self.tables, self.buses.len())),
            false => None,
        };
        self.filter = BlockFilter::new(self.tables.bands.clone(), self.buses.len());
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
