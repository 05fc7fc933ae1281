//! The sizes of the network of the note prior, and its parameters. It knows no graph.

use serde::{Deserialize, Serialize};

use crate::units::MEL_BINS;

/// The first row of the drums in the instrument table, after all programs.
pub const FIRST_DRUM: usize = 128;
/// The columns of the instrument table.
const INSTRUMENT_WIDTH: usize = 64;
/// The rows of the key table.
const KEYS: usize = 128;
/// The columns of the key table.
const KEY_WIDTH: usize = 48;
/// The lowest key of the note table, which is that of a piano.
pub const LOWEST_KEY: u8 = 21;
/// The keys of a program in the note table.
pub const TABLE_KEYS: usize = 88;
/// The rows of the note table: the keys of program 0, of program 1, ..., and then one for all
/// drums.
pub const NOTE_ROWS: usize = 128 * TABLE_KEYS + 1;
/// The number of inputs for the velocity and the times of a note.
pub const FEATURES: usize = 48;
/// The number of outputs for a row: log gains of the tone, and log levels of the noise.
pub const GAINS: usize = 2 * MEL_BINS;

/// `[prior]` of a manifest: the sizes of the network of the note prior, and the scale of the
/// residual of the denoiser.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriorConfig {
    /// The channels between the blocks.
    pub width: usize,
    /// The number of residual blocks.
    pub blocks: usize,
    /// The columns of the note table, which has a row for each key of each program.
    pub note_width: usize,
    /// The nats of log-mel by which one unit of the denoiser's output changes the prior's frames.
    pub residual_nats: f32,
}

impl PriorConfig {
    /// Every parameter with its shape, for a model with `drums` different drums.
    pub fn parameters(&self, drums: usize) -> Vec<(String, Vec<usize>)> {
        let (width, instruments) = (self.width, FIRST_DRUM + drums);
        let inputs = INSTRUMENT_WIDTH + KEY_WIDTH + self.note_width + FEATURES;
        let mut list = vec![
            ("instruments".to_owned(), vec![instruments, INSTRUMENT_WIDTH]),
            ("keys".to_owned(), vec![KEYS, KEY_WIDTH]),
            ("notes".to_owned(), vec![NOTE_ROWS, self.note_width]),
            ("input".to_owned(), vec![inputs, width]),
            ("norm".to_owned(), vec![width]),
            ("output".to_owned(), vec![width, GAINS]),
            ("bias".to_owned(), vec![GAINS]),
            ("colour".to_owned(), vec![instruments, GAINS]),
        ];
        for i in 0..self.blocks {
            list.push((format!("blocks.{i}.norm"), vec![width]));
            list.push((format!("blocks.{i}.up"), vec![width, 2 * width]));
            list.push((format!("blocks.{i}.down"), vec![2 * width, width]));
        }
        list
    }
}
