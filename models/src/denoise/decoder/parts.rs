//! What a step of the decoder is given and what it works in. Knows no arithmetic.

use super::attention::{Head, Heard};
use super::groups::Groups;
use super::panels::Buffer;

/// Scales and shifts of one step of a schedule, with the norms before them: for each layer
/// attention and MLP, gain [emb], shift [emb].
#[derive(Debug, Clone)]
pub(in crate::denoise) struct Modulation(pub(super) Vec<f32>);

impl Modulation {
    /// Gain and shift of a layer's attention (site 0) or MLP (1).
    pub(super) fn at(&self, layer: usize, site: usize, emb: usize) -> (&[f32], &[f32]) {
        let from = (2 * layer + site) * 2 * emb;
        let both = self.0.get(from..from + 2 * emb).unwrap_or_default();
        both.split_at(emb.min(both.len()))
    }
}

/// Keys and values of all heads of all layers, packed once and heard by every step.
#[derive(Debug, Default)]
pub(in crate::denoise) struct Memory {
    /// [layers][heads]
    pub(super) layers: Vec<Vec<Heard>>,
}

/// What a run of some number of frames works in.
#[derive(Debug)]
pub(super) struct Scratch {
    pub frames: usize,
    pub is_guided: bool,
    /// The rows that meet a weight.
    pub rows: Groups,
    pub x: Buffer,
    pub projected: Buffer,
    pub gate: Buffer,
    pub heads: Vec<Head>,
    /// Keys and values of self-attention.
    pub own: Vec<Heard>,
    pub out: Buffer,
}

/// Which branches are asked for, and where the result of each goes.
#[derive(Debug)]
pub(in crate::denoise) enum Asked<'a> {
    /// The one that hears.
    Heard { memory: &'a Memory, out: &'a mut [f32] },
    /// The one that hears nothing.
    Unheard { out: &'a mut [f32] },
    /// Both.
    Both { memory: &'a Memory, heard: &'a mut [f32], unheard: &'a mut [f32] },
}
