//! The sizes of the network of the vocoder and its parameters, those of the attack table and the
//! life table, and the reach of a mel decoder. It knows no graph.

use serde::{Deserialize, Serialize};

use super::prior_config::TABLE_KEYS;
use crate::units::MEL_BINS;

/// The frames in the convolution of each block, with the present one.
pub(super) const KERNEL: usize = 5;
/// The frames of history that each block keeps.
pub const HISTORY: usize = KERNEL - 1;
/// The number of outputs for a frame: 2 blocks of 10 ms, tone and noise, 128 bands.
pub const OUTPUTS: usize = 4 * MEL_BINS;
/// The same for the upper band: 16 bands from 8 to 16 kHz.
pub const UPPER_OUTPUTS: usize = 4 * 16;

/// The sizes of the network of the vocoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VocoderConfig {
    /// The channels between the blocks.
    pub width: usize,
    /// The number of residual blocks.
    pub blocks: usize,
    /// Whether the network has an output for the band above 8 kHz.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub upper_band: bool,
}

impl VocoderConfig {
    /// Every parameter with its shape.
    pub fn parameters(&self) -> Vec<(String, Vec<usize>)> {
        let width = self.width;
        let mut list = vec![
            ("input".to_owned(), vec![3 * MEL_BINS, width]),
            ("norm".to_owned(), vec![width]),
            ("output".to_owned(), vec![width, OUTPUTS]),
            ("bias".to_owned(), vec![OUTPUTS]),
        ];
        if self.upper_band {
            list.push(("upper_hidden".to_owned(), vec![width, width]));
            list.push(("upper_output".to_owned(), vec![width, UPPER_OUTPUTS]));
            list.push(("upper_bias".to_owned(), vec![UPPER_OUTPUTS]));
        }
        for i in 0..self.blocks {
            list.push((format!("blocks.{i}.kernel"), vec![KERNEL, width]));
            list.push((format!("blocks.{i}.norm"), vec![width]));
            list.push((format!("blocks.{i}.up"), vec![width, 2 * width]));
            list.push((format!("blocks.{i}.down"), vec![2 * width, width]));
        }
        list
    }
}

/// The values of an attack, which are the times at which it reaches as many levels.
pub const ATTACK_LEVELS: usize = 5;
/// The row of the attack table where the drums begin. Before it are the keys of program 0,
/// of program 1, ...
pub const DRUM_ATTACKS: usize = 128 * TABLE_KEYS;
/// The groups of partials in the life table. The last one has everything above 8 kHz.
pub const LIFE_GROUPS: usize = 16;
/// The groups of four mel bands, each with one share of noise.
pub const NOISE_BANDS: usize = MEL_BINS / 4;
/// The facts of a zone of keys in the life table: its key, the place of its values and its sway,
/// three facts for each group, and the share of noise for each group of bands.
pub const LIFE_FACTS: usize = 5 + 3 * LIFE_GROUPS + NOISE_BANDS;
/// The rows of the table of zones: the keys of program 0, of program 1, ...
pub const LIFE_ROWS: usize = 128 * TABLE_KEYS;

/// The most frames that a mel decoder may look back or ahead: 1.28 s. One that looks further gets
/// no more.
pub const MAX_REACH: usize = 64;

/// The context that a mel decoder needs around a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MelDecoderConfig {
    /// The frames before a frame that affect its sound, at most [`MAX_REACH`].
    pub past_frames: usize,
    /// The frames after it that do, at most [`MAX_REACH`].
    pub future_frames: usize,
}
