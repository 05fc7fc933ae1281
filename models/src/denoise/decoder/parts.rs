//! The inputs and the buffers of a step of the decoder. It computes nothing.

use super::attention::{Head, Heard};
use super::groups::Groups;
use super::panels::Buffer;

/// The gains and shifts for one step of a schedule, combined with the norms before them: for each
/// layer attention and MLP, gain [emb], shift [emb].
#[derive(Debug, Clone)]
pub(in crate::denoise) struct Modulation(pub(super) Vec<f32>);

impl Modulation {
    /// The gain and shift of a layer's attention (site 0) or MLP (site 1).
    pub(super) fn at(&self, layer: usize, site: usize, emb: usize) -> (&[f32], &[f32]) {
        let from = (2 * layer + site) * 2 * emb;
        let both = self.0.get(from..from + 2 * emb).unwrap_or_default();
        both.split_at(emb.min(both.len()))
    }
}

/// The keys and values of all heads of all layers for cross-attention, packed once for all steps.
#[derive(Debug, Default)]
pub(in crate::denoise) struct Memory {
    /// [layers][heads]
    pub(super) layers: Vec<Vec<Heard>>,
}

/// The buffers for steps of some number of frames.
#[derive(Debug)]
pub(super) struct Scratch {
    pub frames: usize,
    pub is_guided: bool,
    /// The rows to multiply by a weight.
    pub rows: Groups,
    pub x: Buffer,
    pub projected: Buffer,
    pub gate: Buffer,
    pub heads: Vec<Head>,
    /// The keys and values of self-attention.
    pub own: Vec<Heard>,
    pub out: Buffer,
}

/// The requested branches of guidance, and the output of each.
#[derive(Debug)]
pub(in crate::denoise) enum Asked<'a> {
    /// The conditional branch.
    Heard { memory: &'a Memory, out: &'a mut [f32] },
    /// The unconditional branch.
    Unheard { out: &'a mut [f32] },
    /// Both branches.
    Both { memory: &'a Memory, heard: &'a mut [f32], unheard: &'a mut [f32] },
}
