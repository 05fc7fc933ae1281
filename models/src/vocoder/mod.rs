//! The vocoder: makes samples from mel frames and their notes, tick by tick, without look-ahead. It
//! knows no denoiser and no device.
//!
//! The notes give the tones (`excitation`), the mel gives the level of each band, a small network
//! (`network`) corrects the errors of the two, and `filter` shapes tones and noise with the result.
//! All this runs at 16 kHz, like the mel. If the model knows the band above 8 kHz (`upper`), `join`
//! makes 48 kHz of both.
//!
//! Gains move towards the mel that the frame will have at its end, with the notes known so far.
//! This target can be changed at any 2.5 ms tick at which more is known; the gains then move to it
//! from their current values. So each sample depends only on events up to the end of its tick.

mod aim;
pub mod attack;
mod bands;
mod drums;
mod envelope;
pub mod excitation;
mod excited;
mod filter;
mod gains;
pub mod inverter;
mod join;
mod lanes;
pub mod life;
pub mod mel_decoder;
mod network;
mod noise;
pub(crate) mod polar;
mod profiles;
pub mod shares;
pub mod tables;
pub mod tone;
mod turn;
mod upper;
mod voice;
mod waves;

use crate::denoise::DenoiseError;
use crate::event::Part;
use crate::graph::{OUTPUTS, VocoderConfig};
use crate::ledger::{Ledger, Sounding};
use crate::parts::{At, Bus, Buses, Parts};
use crate::units::{
    FrameIdx, HOP_SAMPLES, MEL_BINS, SAMPLE_RATE_HZ, SamplePos, TICK_SAMPLES, TICKS_PER_FRAME,
};
use attack::{AttackTable, Shape};
use excitation::{BLOCK, Excitation};
use excited::Excited;
use filter::{BlockFilter, Ramp, SOURCES};
use gains::Even;
use life::LifeTable;
use network::VocoderNetwork;
use noise::BusNoise;
use profiles::Profiles;
use realfft::num_complex::Complex;
use shares::NoteTone;
use std::sync::Arc;
use tables::Tables;
use turn::Turn;
use upper::UpperBand;

/// The blocks of 10 ms in a frame.
const BLOCKS: usize = HOP_SAMPLES / BLOCK;
/// The factor of the inputs of the network, which are in nats.
const INPUT_SCALE: f32 = 1.0 / 8.0;
/// The range of the gains, nats.
const GAIN_RANGE: (f32, f32) = (-20.0, 6.0);
/// The most that the network may lower a tone from a key press to the end of its frame, nats,
/// unless a drum may be loud. The attack table decides how fast a tone rises, and that must not
/// depend on the place of the press in the frame.
const STRUCK_FLOOR: f32 = -0.5;
/// The largest share of noise that is subtracted from the power of tones, because the share is not
/// exact.
const MOST_NOISE: f32 = 0.9;
/// Makes the noise of the vocoder different from that of the denoiser.
const NOISE_KEY: u64 = 0x766f_636f_6465_7200;

/// The tables of a model about the course of notes.
#[derive(Debug)]
pub struct NoteTables {
    /// The attacks of notes; without them a note is as loud as its frames from the start.
    pub attacks: Option<AttackTable>,
    /// The lives of notes.
    pub lives: Arc<LifeTable>,
}

/// The notes and parts that play in a frame, as far as they are known.
#[derive(Debug, Clone, Copy)]
pub struct Playing<'a> {
    /// The frame.
    pub start: FrameIdx,
    /// The notes.
    pub ledger: &'a Ledger,
    /// The parts.
    pub parts: &'a Parts,
    /// The index of the first tick of the frame in the table of the parts.
    pub first_tick: usize,
    /// The reference to which the loudness of the mel is relative, at the end of the previous frame
    /// and of this one.
    pub reference: [f32; 2],
    /// The level of the noise in each bus at the end of this frame, \[buses\].
    pub noise: &'a [f32],
    /// The logarithm of the share of noise in the power of each band of this frame, \[128\].
    pub log_share: &'a [f32; MEL_BINS],
    /// The tones of single notes, if the model knows more than their sum.
    pub tones: &'a [NoteTone],
}

impl Playing<'_> {
    /// The state of a part at the start and at the end of a tick of the frame.
    fn part(&self, part: Part, tick: usize) -> (At, At) {
        let first = self.first_tick + tick;
        match self.parts.of(part).get(first..first + 2) {
            Some(&[from, to]) => (from, to),
            _ => (At::REST, At::REST),
        }
    }
}

/// The vocoder with its state of the stream.
#[derive(Debug)]
pub struct Vocoder {
    tables: Arc<Tables>,
    network: VocoderNetwork,
    attacks: Option<AttackTable>,
    excitation: Excitation,
    profiles: Profiles,
    excited: Excited,
    filter: BlockFilter,
    turn: Turn,
    /// The upper band, if the model has one and it is wanted.
    upper: Option<UpperBand>,
    buses: Vec<Bus>,
    seed: u64,
    noise: BusNoise,
    /// The mel of the last frame [128] (empty before the first), and the target mel of this frame.
    last_mel: Vec<f32>,
    mel: Vec<f32>,
    /// The logarithm of the share of noise in this frame, [128].
    log_share: [f32; MEL_BINS],
    /// For this frame: the levels of the tones at the end of each block [BLOCKS, 128], nats, and
    /// the corrections of the network [BLOCKS, SOURCES, 128].
    levels: Vec<f32>,
    corrections: Vec<f32>,
    even: Even,
    /// Whether a key has been pressed in this frame, and whether a drum may be loud in it.
    is_pressed: bool,
    is_drummed: bool,
    /// The fade-in of the gains in this block, and whether the target was set for this tick.
    ramp: Ramp,
    is_aimed: bool,
    inputs: [Vec<f32>; 3],
    gains: Vec<f32>,
}

impl Vocoder {
    /// Loads the network from ONNX bytes, with noise seed 0 and without the band above 8 kHz.
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
            attacks: of_notes.attacks,
            network: VocoderNetwork::load(config, bytes)?,
            excitation: Excitation::new(tables.clone(), of_notes.lives),
            profiles: Profiles::new(),
            excited: Excited::default(),
            filter: BlockFilter::new(tables.bands.clone(), 1),
            turn: Turn::new(),
            upper: None,
            tables,
            buses: Buses::Mono.list(),
            seed: NOISE_KEY,
            noise: BusNoise::new(),
            last_mel: vec![],
            mel: vec![],
            log_share: life::unknown_noise(),
            levels: vec![0.0; BLOCKS * MEL_BINS],
            corrections: vec![0.0; OUTPUTS],
            even: Even::default(),
            is_pressed: false,
            is_drummed: false,
            ramp: Ramp::over(BLOCK),
            is_aimed: false,
            inputs: [vec![], vec![], vec![]],
            gains: vec![0.0; SOURCES * MEL_BINS],
        })
    }

    /// Begins a note of the ledger in the current frame.
    ///
    /// # Errors
    /// The inference engine failed for the attack table. The note then begins without an attack.
    pub fn strike(&mut self, note: &Sounding) -> Result<(), DenoiseError> {
        let hop = HOP_SAMPLES as u64;
        let shape = match &mut self.attacks {
            Some(attacks) => attacks.shape(note.voice, hop - note.first.0 % hop),
            _ => Ok(Shape::NONE),
        };
        self.excitation.strike(note, *shape.as_ref().unwrap_or(&Shape::NONE));
        shape.map(|_| ())
    }

    /// Whether the tone of a note cannot be heard any more.
    pub fn is_over(&self, note: &Sounding) -> bool {
        self.excitation.is_over(note)
    }

    /// The sample rate of the output: 48,000 Hz with an upper band, else 16,000 Hz.
    pub fn sample_rate_hz(&self) -> u32 {
        if self.upper.is_some() { join::RATE_HZ } else { SAMPLE_RATE_HZ }
    }

    /// Makes the tick `tick` of the frame, and adds 2.5 ms of samples to `out` for each bus.
    ///
    /// # Real time
    /// It allocates nothing once `out` has room.
    pub fn tick(&mut self, playing: &Playing<'_>, tick: usize, out: &mut [Vec<f32>]) {
        let at = tick * TICK_SAMPLES;
        let within = at % BLOCK;
        if within == 0 && !self.is_aimed {
            self.aim_block(at / BLOCK, 0, None);
        }
        self.is_aimed = false;
        self.excitation.tick(playing, tick, &self.buses, &mut self.excited);
        let back: [Complex<f32>; TICK_SAMPLES] =
            std::array::from_fn(|i| self.turn.back(self.ramp.at(within + i)));
        let Excited { tones, upper: upper_tones, begins, .. } = &self.excited;
        for (index, (bus, out)) in self.buses.iter().zip(out).enumerate() {
            let noise = self.noise.tick(at, (index, *bus), begins);
            let turned = turned(tones.get(index), &back);
            let mut lower = [0.0; TICK_SAMPLES];
            self.filter.tick(index, within, [&turned, &noise], &mut lower);
            match (&mut self.upper, upper_tones.get(index)) {
                (Some(upper), Some(tones)) => {
                    upper.tick(within, (index, *bus), [tones, &noise], &lower, out);
                }
                _ => out.extend_from_slice(&lower),
            }
        }
        if within + TICK_SAMPLES == BLOCK {
            self.filter.next_block();
            if let Some(upper) = &mut self.upper {
                upper.next_block();
            }
        }
        if at + TICK_SAMPLES == HOP_SAMPLES {
            self.next_frame(playing.start);
        }
    }

    /// Ends the frame.
    fn next_frame(&mut self, frame: FrameIdx) {
        self.network.next_frame();
        let upper = self.upper.as_ref().map(|upper| upper.corrections.as_slice());
        self.even.next_frame([&self.corrections, upper.unwrap_or_default()]);
        self.last_mel.clone_from(&self.mel);
        self.excitation.next_frame(FrameIdx(frame.0 + 1).start());
    }

    /// Makes a whole frame whose notes are all known, and adds 20 ms of samples to `out` for each
    /// bus. Before a key press, bands do not rise to the level of the new note.
    ///
    /// # Errors
    /// The inference engine failed.
    pub fn frame(
        &mut self,
        playing: &Playing<'_>,
        mel: &[f32],
        out: &mut [Vec<f32>],
    ) -> Result<(), DenoiseError> {
        let start = playing.start.start();
        let press_in = |this: &Self, tick: usize| {
            let at = start.0 + (tick * TICK_SAMPLES) as u64;
            this.excitation.press_in(SamplePos(at)).is_some()
        };
        let is_pressed_later = (1..TICKS_PER_FRAME).any(|tick| press_in(self, tick));
        let mut before: [f32; MEL_BINS] =
            std::array::from_fn(|band| mel.get(band).copied().unwrap_or_default());
        if is_pressed_later && !press_in(self, 0) {
            let last = before.iter_mut().zip(&self.last_mel);
            last.for_each(|(mel, last)| *mel = mel.min(*last));
        }
        for tick in 0..TICKS_PER_FRAME {
            if tick == 0 {
                self.aim(playing, tick, &before)?;
            } else if press_in(self, tick) {
                self.aim(playing, tick, mel)?;
            }
            self.tick(playing, tick, out);
        }
        Ok(())
    }

    /// Removes all notes and the past. `seed` is that of the noise from here on, `is_wide` says
    /// whether to make the band above 8 kHz, if the model knows it, and `buses` which buses to
    /// make.
    ///
    /// # Errors
    /// The inference engine failed.
    pub fn restart(&mut self, seed: u64, is_wide: bool, buses: Buses) -> Result<(), DenoiseError> {
        self.seed = seed ^ NOISE_KEY;
        self.buses = buses.list();
        self.upper = match self.network.has_upper_band() && is_wide {
            true => Some(UpperBand::new(&self.tables, self.buses.len())),
            false => None,
        };
        self.filter = BlockFilter::new(self.tables.bands.clone(), self.buses.len());
        self.excitation.clear();
        self.turn.reset();
        self.noise = BusNoise::new();
        self.last_mel.clear();
        self.even.reset();
        self.ramp = Ramp::over(BLOCK);
        self.network.reset()?;
        self.network.hear_silence()
    }
}

/// Rotates tones by `back`, and returns the real parts.
fn turned(
    tones: Option<&[Complex<f32>; TICK_SAMPLES]>,
    back: &[Complex<f32>; TICK_SAMPLES],
) -> [f32; TICK_SAMPLES] {
    let tone = |i: usize| tones.map_or(Complex::ZERO, |tones| tones[i]);
    std::array::from_fn(|i| tone(i).re * back[i].re - tone(i).im * back[i].im)
}

#[cfg(test)]
pub(crate) mod tests;
