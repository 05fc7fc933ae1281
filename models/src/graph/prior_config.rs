//! Sizes of the note prior's network and the parameters they imply. Knows no graph.

use serde::{Deserialize, Serialize};

use crate::units::MEL_BINS;

/// Rows of the instrument table: programs 0..=127, then the drums by key.
const INSTRUMENTS: usize = 256;
/// Columns of the instrument table.
const INSTRUMENT_WIDTH: usize = 64;
/// Rows of the key table.
const KEYS: usize = 128;
/// Columns of the key table.
const KEY_WIDTH: usize = 48;
/// The lowest key of the note table; a piano's.
pub const LOWEST_KEY: u8 = 21;
/// Keys of a program in the note table.
pub const TABLE_KEYS: usize = 88;
/// Rows of the note table: the keys of program 0, of program 1, ..., then one for all drums.
pub const NOTE_ROWS: usize = 128 * TABLE_KEYS + 1;
/// What the network hears of a note's velocity and times.
pub const FEATURES: usize = 48;
/// Values the network gives for a row: log gains of the tone, log levels of the noise.
pub const GAINS: usize = 2 * MEL_BINS;

/// `[prior]` of a manifest: sizes of the note prior's network, and the scale of what it leaves to
/// the denoiser.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriorConfig {
    /// Channels between the blocks.
    pub width: usize,
    /// Residual blocks.
    pub blocks: usize,
    /// Columns of the note table: what is known of each key of each program.
    pub note_width: usize,
    /// Nats of log-mel that one unit of the denoiser's output adds to the prior's frames.
    pub residual_nats: f32,
}

impl PriorConfig {
    /// Every parameter with its shape.
    pub fn parameters(&self) -> Vec<(String, Vec<usize>)> {
        let width = self.width;
        let inputs = INSTRUMENT_WIDTH + KEY_WIDTH + self.note_width + FEATURES;
        let mut list = vec![
            ("instruments".to_owned(), vec![INSTRUMENTS, INSTRUMENT_WIDTH]),
            ("keys".to_owned(), vec![KEYS, KEY_WIDTH]),
            ("notes".to_owned(), vec![NOTE_ROWS, self.note_width]),
            ("input".to_owned(), vec![inputs, width]),
            ("norm".to_owned(), vec![width]),
            ("output".to_owned(), vec![width, GAINS]),
            ("bias".to_owned(), vec![GAINS]),
            ("colour".to_owned(), vec![INSTRUMENTS, GAINS]),
        ];
        for i in 0..self.blocks {
            list.push((format!("blocks.{i}.norm"), vec![width]));
            list.push((format!("blocks.{i}.up"), vec![width, 2 * width]));
            list.push((format!("blocks.{i}.down"), vec![2 * width, width]));
        }
        list
    }
}
