//! What lies from 8 to 16 kHz, which no mel knows of: made as the rest is, of the upper tones and
//! the same noise, as a signal at 16 kHz that is upside down (`tables`). The gains of the mel's
//! highest bands go on into it, and the network corrects them. Knows no notes.

use super::BLOCKS;
use super::bands::UPPER_BANDS;
use super::filter::{BlockFilter, Ramp, SOURCES};
use super::join::Join;
use super::{GAIN_RANGE, tables::Tables};
use crate::graph::UPPER_OUTPUTS;
use crate::parts::Bus;
use crate::units::{MEL_BINS, TICK_SAMPLES};
use std::ops::Range;

/// The mel's bands whose gains go on into the upper bands: 6.5 to 7.6 kHz.
const HIGHEST_BANDS: Range<usize> = 112..124;
/// The gains stay in this range of nats. Of the training's 99 % stay below -3.7; more comes from
/// tones that have nothing in the highest bands below 8 kHz, where their level is at its floor and
/// the gain at its limit.
const UPPER_GAIN_RANGE: (f32, f32) = (GAIN_RANGE.0, -3.0);

/// The upper band with all it remembers of the stream.
#[derive(Debug)]
pub struct UpperBand {
    /// What the network says of the frame [`UPPER_OUTPUTS`].
    pub corrections: Vec<f32>,
    filter: BlockFilter,
    gains: Vec<f32>,
    joins: Vec<Join>,
}

impl UpperBand {
    /// Silence of so many buses.
    pub fn new(tables: &Tables, buses: usize) -> Self {
        Self {
            corrections: vec![0.0; UPPER_OUTPUTS],
            filter: BlockFilter::new(tables.upper_bands.clone(), buses),
            gains: vec![0.0; SOURCES * UPPER_BANDS],
            joins: (0..buses).map(|_| Join::new()).collect(),
        }
    }

    /// Block `block` of the frame goes to `gains` [SOURCES, 128] in nats of the bands below.
    pub fn aim(&mut self, block: usize, gains: &[f32], ramp: Ramp) {
        let corrections = self.corrections.chunks_exact(UPPER_OUTPUTS / BLOCKS).nth(block);
        let corrections = corrections.unwrap_or_default().chunks_exact(UPPER_BANDS);
        let of_sources = gains.chunks_exact(MEL_BINS).zip(corrections);
        for (upper, (gains, by)) in self.gains.chunks_exact_mut(UPPER_BANDS).zip(of_sources) {
            let highest = gains.get(HIGHEST_BANDS).unwrap_or_default();
            let highest = highest.iter().sum::<f32>() / HIGHEST_BANDS.len() as f32;
            let (least, most) = UPPER_GAIN_RANGE;
            let gains = by.iter().map(|by| (highest + by).clamp(least, most));
            upper.iter_mut().zip(gains).for_each(|(upper, gain)| *upper = gain);
        }
        self.filter.aim(&self.gains, ramp);
    }

    /// Makes the tick from sample `at` of the block, of tones and noise of a bus and what is
    /// `lower` there, at 16 kHz: it is added to `out` at 48 kHz.
    pub fn tick(
        &mut self,
        at: usize,
        (index, bus): (usize, Bus),
        sources: [&[f32]; SOURCES],
        lower: &[f32],
        out: &mut Vec<f32>,
    ) {
        let mut upper = [0.0; TICK_SAMPLES];
        if bus.is_wide() {
            self.filter.tick(index, at, sources, &mut upper);
        }
        if let Some(join) = self.joins.get_mut(index) {
            join.push(lower, bus.is_wide().then_some(&upper), out);
        }
    }

    /// The block is over.
    pub fn next_block(&mut self) {
        self.filter.next_block();
    }
}
