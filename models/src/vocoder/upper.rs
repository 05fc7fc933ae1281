//! The band from 8 to 16 kHz, which the mel does not contain. It is made like the rest, from the
//! upper tones and the same noise, as a mirrored signal at 16 kHz (see `tables`). The gains of the
//! highest mel bands are continued into it, and the network corrects them. It knows no notes.

use super::BLOCKS;
use super::bands::UPPER_BANDS;
use super::filter::{BlockFilter, Ramp, SOURCES};
use super::join::Join;
use super::{GAIN_RANGE, tables::Tables};
use crate::graph::UPPER_OUTPUTS;
use crate::parts::Bus;
use crate::units::{MEL_BINS, TICK_SAMPLES};
use std::ops::Range;

/// The mel bands whose gains are continued into the upper bands: 6.5 to 7.6 kHz.
const HIGHEST_BANDS: Range<usize> = 112..124;
/// The range of the gains in nats. In training, 99 % of them are below -3.7. Larger ones come from
/// tones that have nothing in the highest bands below 8 kHz, where their level is at its floor and
/// the gain at its limit.
const UPPER_GAIN_RANGE: (f32, f32) = (GAIN_RANGE.0, -3.0);

/// The upper band with its state of the stream.
#[derive(Debug)]
pub struct UpperBand {
    /// The corrections of the network for the frame, [`UPPER_OUTPUTS`].
    pub corrections: Vec<f32>,
    filter: BlockFilter,
    gains: Vec<f32>,
    joins: Vec<Join>,
}

impl UpperBand {
    /// The state without sound, for a number of buses.
    pub fn new(tables: &Tables, buses: usize) -> Self {
        Self {
            corrections: vec![0.0; UPPER_OUTPUTS],
            filter: BlockFilter::new(tables.upper_bands.clone(), buses),
            gains: vec![0.0; SOURCES * UPPER_BANDS],
            joins: (0..buses).map(|_| Join::new()).collect(),
        }
    }

    /// Sets the target of the block `block` of the frame. `gains` [SOURCES, 128] in nats are those
    /// of the mel bands.
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

    /// Makes the tick from the sample `at` of the block, from the tones and the noise of a bus.
    /// Joins it with the `lower` band at 16 kHz, and adds the result to `out` at 48 kHz.
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

    /// Ends the block.
    pub fn next_block(&mut self) {
        self.filter.next_block();
    }
}
