//! Sizes of the vocoder's network and the parameters they imply, of the tables of how notes begin
//! and live, and the reach of a mel decoder. Knows no graph.

use serde::{Deserialize, Serialize};

use super::prior_config::TABLE_KEYS;
use crate::units::MEL_BINS;

/// Frames each block's convolution sees, the present one included.
pub(super) const KERNEL: usize = 5;
/// Frames of history each block keeps.
pub const HISTORY: usize = KERNEL - 1;
/// Values the network gives for a frame: 2 blocks of 10 ms, tone and noise, 128 bands.
pub const OUTPUTS: usize = 4 * MEL_BINS;
/// The same of the upper band: 16 bands from 8 to 16 kHz.
pub const UPPER_OUTPUTS: usize = 4 * 16;

/// Sizes of the vocoder's network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VocoderConfig {
    /// Channels between the blocks.
    pub width: usize,
    /// Residual blocks.
    pub blocks: usize,
    /// Whether the network says how the sound goes on above 8 kHz.
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

/// Values of an attack: when it reaches so many levels.
pub const ATTACK_LEVELS: usize = 5;
/// The row of the attack table where the drums begin, by key; before it the keys of program 0, of
/// program 1, ...
pub const DRUM_ATTACKS: usize = 128 * TABLE_KEYS;
/// Rows of the attack table.
pub const ATTACK_ROWS: usize = DRUM_ATTACKS + 128;
/// Groups of partials that live together, the last of which is what lies above 8 kHz.
pub const LIFE_GROUPS: usize = 16;
/// Bands of the mel that share a number about noise.
pub const NOISE_BANDS: usize = MEL_BINS / 4;
/// Numbers that say how a zone of keys lives: its key, how its values lie, its sway, three for each
/// group, and of each band the share of noise.
pub const LIFE_FACTS: usize = 5 + 3 * LIFE_GROUPS + NOISE_BANDS;
/// Rows of the table of zones: the keys of program 0, of program 1, ...
pub const LIFE_ROWS: usize = 128 * TABLE_KEYS;

/// Frames that a mel decoder may look back or ahead; one that looks further is given no more:
/// 1.28 s.
pub const MAX_REACH: usize = 64;

/// What the graph of a mel decoder hears around a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MelDecoderConfig {
    /// Frames before a frame that its sound depends on, at most [`MAX_REACH`].
    pub past_frames: usize,
    /// Frames behind it, at most [`MAX_REACH`].
    pub future_frames: usize,
}
