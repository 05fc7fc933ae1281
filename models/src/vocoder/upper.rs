//! What lies from 8 to 16 kHz, which no mel knows of: made as the rest is, of the upper tones and the same noise, as a signal at 16 kHz that is
//! upside down (`tables`). The gains of the mel's highest bands go on into it, and the network corrects them. Knows no notes.

use super::BLOCKS;
use super::bands::UPPER_BANDS;
use super::excitation::BLOCK;
use super::filter::{BlockFilter, Ramp, SOURCES};
use super::join::Join;
use super::{GAIN_RANGE, tables::Tables};
use crate::graph::UPPER_OUTPUTS;
use crate::parts::Bus;
use crate::units::{HOP_SAMPLES, MEL_BINS};
use std::ops::Range;

/// The mel's bands whose gains go on into the upper bands: 6.5 to 7.6 kHz.
const HIGHEST_BANDS: Range<usize> = 112..124;
/// The gains stay in this range of nats. Of the training's 99 % stay below -3.7; more comes from tones that have nothing in the highest bands below
/// 8 kHz, where their level is at its floor and the gain at its limit.
const UPPER_GAIN_RANGE: (f32, f32) = (GAIN_RANGE.0, -3.0);

/// The upper band with all it remembers of the stream.
#[derive(Debug)]
pub struct UpperBand {
    /// What the network says of the hop [frames, [`UPPER_OUTPUTS`]].
    pub corrections: Vec<f32>,
    filter: BlockFilter,
    gains: Vec<f32>,
    /// The hop at 16 kHz, bus by bus.
    samples: Vec<Vec<f32>>,
    joins: Vec<Join>,
}

impl UpperBand {
    /// Silence of so many buses.
    pub fn new(tables: &Tables, buses: usize) -> Self {
        Self {
            corrections: vec![],
            filter: BlockFilter::new(tables.upper_bands.clone(), buses),
            gains: vec![0.0; SOURCES * UPPER_BANDS],
            samples: vec![],
            joins: (0..buses).map(|_| Join::new()).collect(),
        }
    }

    /// Makes room for a hop.
    pub fn resize(&mut self, frames: usize, buses: usize) {
        self.samples.resize_with(buses, Vec::new);
        self.samples.iter_mut().for_each(|bus| bus.resize(frames * HOP_SAMPLES, 0.0));
        self.corrections.resize(frames * UPPER_OUTPUTS, 0.0);
    }

    /// Goes on to block `at` of the hop, with `gains` [SOURCES, 128] in nats of the bands below.
    pub fn next(&mut self, at: usize, gains: &[f32]) {
        let corrections = self.corrections.chunks_exact(UPPER_OUTPUTS / BLOCKS).nth(at);
        let corrections = corrections.unwrap_or_default().chunks_exact(UPPER_BANDS);
        let of_sources = gains.chunks_exact(MEL_BINS).zip(corrections);
        for (upper, (gains, by)) in self.gains.chunks_exact_mut(UPPER_BANDS).zip(of_sources) {
            let highest = gains.get(HIGHEST_BANDS).unwrap_or_default();
            let highest = highest.iter().sum::<f32>() / HIGHEST_BANDS.len() as f32;
            let (least, most) = UPPER_GAIN_RANGE;
            let gains = by.iter().map(|by| (highest + by).clamp(least, most));
            upper.iter_mut().zip(gains).for_each(|(upper, gain)| *upper = gain);
        }
        self.filter.next(&self.gains);
    }

    /// Makes block `at` of a bus of tones and noise, [BLOCK] each.
    pub fn block(&mut self, at: usize, bus: usize, sources: [&[f32]; SOURCES], ramp: Ramp) {
        let samples = self.samples.get_mut(bus);
        if let Some(out) = samples.and_then(|bus| bus.chunks_exact_mut(BLOCK).nth(at)) {
            self.filter.process(bus, sources, ramp, out);
        }
    }

    /// The hop at 48 kHz, with what lies below 8 kHz in `lower` [samples at 16 kHz] of each bus.
    pub fn join(&mut self, lower: &[Vec<f32>], buses: &[Bus], out: &mut Vec<Vec<f32>>) {
        out.resize_with(lower.len(), Vec::new);
        let buses = buses.iter().zip(lower).zip(&self.samples).zip(&mut self.joins).zip(out);
        for ((((bus, lower), upper), join), out) in buses {
            join.push(lower, bus.is_wide().then_some(upper.as_slice()), out);
        }
    }
}
