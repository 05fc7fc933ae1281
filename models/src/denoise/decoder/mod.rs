//! The denoising step on packed operands. It computes the same as the graph `step`, from the same
//! file, but packs operands that stay only once. It knows no tokens, no samplers and no schedule.
//!
//! Weights are packed when they are loaded, and the keys and values of cross-attention once a hop.
//! Both branches of guidance run as one batch, so each weight is read once. The unconditional
//! branch has no cross-attention, which would add exactly nothing. Only a graph that equals the one
//! of [`crate::graph`] node for node runs here; tract runs any other.

mod attention;
mod elementwise;
mod groups;
mod kernels;
mod panels;
mod parts;
mod transpose;
mod weights;

use std::ops::Range;

use tract_onnx::pb::GraphProto;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::ensure;

use attention::{Head, Heard};
use elementwise::{gated_gelu, norm};
use groups::Groups;
use kernels::Kernel;
use panels::{Buffer, Numbers, Rows};
use parts::Scratch;
use weights::{Weight, Weights};

pub(super) use parts::{Asked, Memory, Modulation};
pub use weights::Arithmetic;

use crate::graph::NetworkConfig;
use crate::threads::Threads;

/// The epsilon of the RMS norms, as [`crate::graph`] writes it.
const EPS: f32 = 1e-6;

/// The most rows in the MLP at a time. Its intermediate values, which are four times as wide as the
/// rows, then fit into the cache of one core.
const MLP_ROWS: usize = 96;

/// The number of rows in each block for the MLP. All blocks are about equally large.
fn mlp_block(rows: usize) -> usize {
    rows.div_ceil(rows.div_ceil(MLP_ROWS).max(1)).max(1)
}

/// The weights of one layer.
#[derive(Debug)]
struct Layer {
    norms: [Vec<f32>; 3],
    /// Query, key and value side by side.
    attention_in: Weight,
    attention_out: Weight,
    cross_query: Weight,
    cross_out: Weight,
    /// Gate and linear side by side.
    mlp_in: Weight,
    mlp_out: Weight,
}

/// The loaded decoder.
#[derive(Debug)]
pub(super) struct Decoder {
    config: NetworkConfig,
    kernel: Kernel,
    numbers: Numbers,
    layers: Vec<Layer>,
    input: Weight,
    prior: Option<Weight>,
    positions: Vec<f32>,
    output_norm: Vec<f32>,
    output: Weight,
    nothing: Vec<f32>,
    scratch: Option<Scratch>,
}

impl Decoder {
    /// Packs the weights of a step graph of size `config`.
    pub fn load(
        config: &NetworkConfig,
        graph: &GraphProto,
        arithmetic: Arithmetic,
    ) -> TractResult<Self> {
        let kernel = Kernel::native();
        let weights = Weights::new(graph, kernel, arithmetic);
        let side_by_side = |name: &str, parts: &[&str]| {
            let names: Vec<String> = parts.iter().map(|part| format!("{name}.{part}")).collect();
            weights.matrix(&names)
        };
        let layer = |i: usize| {
            let layer = format!("decoder.layers_{i}");
            let norm = |name: &str| weights.floats(&format!("{layer}.{name}_layer_norm.scale"));
            let attention = format!("{layer}.self_attention");
            let cross = format!("{layer}.MultiHeadDotProductAttention_0");
            let mlp = format!("{layer}.mlp");
            Ok(Layer {
                norms: [
                    norm("pre_self_attention")?,
                    norm("pre_cross_attention")?,
                    norm("pre_mlp")?,
                ],
                attention_in: side_by_side(&attention, &["query", "key", "value"])?,
                attention_out: side_by_side(&attention, &["out"])?,
                cross_query: side_by_side(&cross, &["query"])?,
                cross_out: side_by_side(&cross, &["out"])?,
                mlp_in: side_by_side(&mlp, &["wi_0", "wi_1"])?,
                mlp_out: side_by_side(&mlp, &["wo"])?,
            })
        };
        Ok(Self {
            layers: (0..config.decoder_layers).map(layer).collect::<TractResult<_>>()?,
            input: side_by_side("decoder", &["continuous_inputs_projection"])?,
            prior: config
                .prior
                .then(|| side_by_side("decoder", &["prior_projection"]))
                .transpose()?,
            positions: weights.floats("decoder.Embed_0.embedding")?,
            output_norm: weights.floats("decoder.decoder_norm.scale")?,
            output: side_by_side("decoder", &["spec_out_dense"])?,
            nothing: vec![0.0; config.emb],
            config: config.clone(),
            scratch: None,
            kernel,
            numbers: arithmetic.numbers(),
        })
    }

    /// Combines the result of the graph `film` for a time, [layers, 2, 2 emb], with the norms
    /// before it.
    pub fn modulation(&self, film: &[f32]) -> Modulation {
        let emb = self.config.emb;
        let mut values = Vec::with_capacity(film.len());
        let sites = self.layers.iter().flat_map(|layer| [&layer.norms[0], &layer.norms[2]]);
        for (norm, film) in sites.zip(film.chunks_exact(2 * emb)) {
            let (scale, shift) = film.split_at(emb);
            values.extend(norm.iter().zip(scale).map(|(norm, scale)| norm * (1.0 + scale)));
            values.extend(shift);
        }
        Modulation(values)
    }

    /// Packs keys and values for cross-attention, for steps of about `frames` frames: the keys
    /// k_0.. [heads, head_dim, M], and then the values v_0.. [heads, M, head_dim].
    pub fn hear(&self, heard: &[&[f32]], frames: usize, memory: &mut Memory) -> TractResult<()> {
        let NetworkConfig { heads, head_dim, decoder_layers, .. } = self.config;
        ensure!(heard.len() == 2 * decoder_layers, "{} keys and values", heard.len());
        if memory.layers.is_empty() {
            let heard = |_| (0..heads).map(|_| Heard::new(self.kernel)).collect();
            memory.layers = (0..decoder_layers).map(heard).collect();
        }
        let (keys, values) = heard.split_at(decoder_layers);
        for ((layer, keys), values) in memory.layers.iter_mut().zip(keys).zip(values) {
            ensure!(keys.len() == values.len(), "{} keys, {} values", keys.len(), values.len());
            let len = keys.len() / (heads * head_dim);
            for (i, head) in layer.iter_mut().enumerate() {
                let at = i * head_dim * len;
                let keys = Rows { values: &keys[at..], count: head_dim, len, stride: len };
                let values =
                    Rows { values: &values[at..], count: len, len: head_dim, stride: head_dim };
                head.pack(keys, true, values, frames)?;
            }
        }
        Ok(())
    }

    /// The number of frames in `z` [L, mel_bins].
    pub fn frames(&self, z: &[f32]) -> usize {
        z.len() / self.config.mel_bins.max(1)
    }

    /// Runs one step with `z` and, if the network has one, `prior`, [L, mel_bins] each. Writes [L,
    /// mel_bins] for each requested branch. The results are the same with any number of threads.
    pub fn run(
        &mut self,
        threads: &Threads,
        z: &[f32],
        prior: Option<&[f32]>,
        modulation: &Modulation,
        asked: Asked<'_>,
    ) -> TractResult<()> {
        let frames = self.frames(z);
        let is_guided = matches!(asked, Asked::Both { .. });
        let fits = |s: &Scratch| s.frames == frames && s.is_guided == is_guided;
        let mut scratch = match self.scratch.take().filter(fits) {
            Some(scratch) => scratch,
            None => self.scratch(frames, is_guided)?,
        };
        let memory = match &asked {
            Asked::Heard { memory, .. } | Asked::Both { memory, .. } => Some(*memory),
            Asked::Unheard { .. } => None,
        };
        threads.run(|| self.step(threads, &mut scratch, z, prior, modulation, memory))?;
        let made = scratch.out.values();
        let copy = |from: usize, out: &mut [f32]| {
            out.copy_from_slice(&made[from..from + z.len()]);
        };
        match asked {
            Asked::Heard { out, .. } | Asked::Unheard { out } => copy(0, out),
            Asked::Both { heard, unheard, .. } => {
                copy(0, heard);
                copy(z.len(), unheard);
            }
        }
        self.scratch = Some(scratch);
        Ok(())
    }

    fn scratch(&self, frames: usize, is_guided: bool) -> TractResult<Scratch> {
        let NetworkConfig { emb, heads, head_dim, mlp, mel_bins, .. } = self.config;
        let joined = heads * head_dim;
        let branches = if is_guided { 2 } else { 1 };
        let rows = branches * frames;
        let buffer = |width: usize| Buffer::new(rows * width);
        let head = |_| Head::new(self.kernel, head_dim);
        Ok(Scratch {
            frames,
            is_guided,
            rows: Groups::new(self.kernel)?,
            x: buffer(emb)?,
            projected: buffer(3 * joined)?,
            gate: Buffer::new(mlp_block(rows) * 2 * mlp)?,
            heads: (0..branches * heads).map(head).collect::<TractResult<_>>()?,
            own: (0..branches * heads).map(|_| Heard::new(self.kernel)).collect(),
            out: buffer(mel_bins)?,
        })
    }

    /// The whole decoder, in the buffers of `s`.
    fn step(
        &self,
        threads: &Threads,
        s: &mut Scratch,
        z: &[f32],
        prior: Option<&[f32]>,
        modulation: &Modulation,
        memory: Option<&Memory>,
    ) -> TractResult<()> {
        let NetworkConfig { emb, heads, head_dim, mel_bins, .. } = self.config;
        let (frames, joined) = (s.frames, heads * head_dim);
        // Both branches are the same until the first cross-attention.
        let mut rows = frames;
        let (x, positions) = (s.x.values_mut(), &self.positions[..frames * emb]);
        x[..positions.len()].copy_from_slice(positions);
        x[positions.len()..].fill(0.0);
        for (frames, weight) in [(Some(z), Some(&self.input)), (prior, self.prior.as_ref())] {
            if let (Some(frames), Some(weight)) = (frames, weight) {
                s.rows.make(threads, (rows, mel_bins), self.numbers, |i, out| {
                    out.copy_from_slice(&frames[i * mel_bins..][..mel_bins]);
                })?;
                s.rows.multiply(threads, weight, (s.x.values_mut(), emb, true))?;
            }
        }
        for (i, layer) in self.layers.iter().enumerate() {
            let (gain, shift) = modulation.at(i, 0, emb);
            self.normed(threads, s, 0..rows, gain, shift)?;
            let projected = (s.projected.values_mut(), 3 * joined, false);
            s.rows.multiply(threads, &layer.attention_in, projected)?;
            self.attend(threads, s, rows, None)?;
            s.rows.multiply(threads, &layer.attention_out, (s.x.values_mut(), emb, true))?;
            if s.is_guided && i == 0 {
                s.x.values_mut().copy_within(..frames * emb, frames * emb);
                rows = 2 * frames;
            }
            if let Some(memory) = memory {
                let heard = memory.layers.get(i).map(Vec::as_slice).unwrap_or_default();
                self.normed(threads, s, 0..frames, &layer.norms[1], &self.nothing)?;
                let projected = (s.projected.values_mut(), joined, false);
                s.rows.multiply(threads, &layer.cross_query, projected)?;
                self.attend(threads, s, frames, Some(heard))?;
                s.rows.multiply(threads, &layer.cross_out, (s.x.values_mut(), emb, true))?;
            }
            self.mlp(threads, s, rows, layer, modulation.at(i, 1, emb))?;
        }
        self.normed(threads, s, 0..rows, &self.output_norm, &self.nothing)?;
        s.rows.multiply(threads, &self.output, (s.out.values_mut(), mel_bins, false))
    }

    /// Adds the result of the MLP to x, one block of rows at a time.
    fn mlp(
        &self,
        threads: &Threads,
        s: &mut Scratch,
        rows: usize,
        layer: &Layer,
        (gain, shift): (&[f32], &[f32]),
    ) -> TractResult<()> {
        let NetworkConfig { emb, mlp, .. } = self.config;
        let block = mlp_block(rows);
        for first in (0..rows).step_by(block) {
            let rows = first..rows.min(first + block);
            let count = rows.len();
            self.normed(threads, s, rows, gain, shift)?;
            s.rows.multiply(threads, &layer.mlp_in, (s.gate.values_mut(), 2 * mlp, false))?;
            let gate = s.gate.values();
            s.rows.make(threads, (count, mlp), self.numbers, |i, out| {
                let (gate, linear) = gate[2 * i * mlp..2 * (i + 1) * mlp].split_at(mlp);
                gated_gelu(gate, linear, out);
            })?;
            let x = &mut s.x.values_mut()[first * emb..];
            s.rows.multiply(threads, &layer.mlp_out, (x, emb, true))?;
        }
        Ok(())
    }

    /// Sets the rows to the normed rows of x.
    fn normed(
        &self,
        threads: &Threads,
        s: &mut Scratch,
        rows: Range<usize>,
        gain: &[f32],
        shift: &[f32],
    ) -> TractResult<()> {
        let emb = self.config.emb;
        let x = &s.x.values()[rows.start * emb..];
        s.rows.make(threads, (rows.len(), emb), self.numbers, |i, out| {
            norm(&x[i * emb..(i + 1) * emb], EPS, gain, shift, out);
        })
    }

    /// Sets the rows to the results of attention, for every head of every branch: cross-attention
    /// to `heard`, or else self-attention.
    fn attend(
        &self,
        threads: &Threads,
        s: &mut Scratch,
        rows: usize,
        heard: Option<&[Heard]>,
    ) -> TractResult<()> {
        let NetworkConfig { heads, head_dim, .. } = self.config;
        let (frames, joined) = (s.frames, heads * head_dim);
        let stride = if heard.is_some() { joined } else { 3 * joined };
        let projected = s.projected.values();
        let at = |from| Rows {
            values: projected.get(from..).unwrap_or_default(),
            count: frames,
            len: head_dim,
            stride,
        };
        let count = rows / frames * heads;
        let mut pairs: Vec<_> = s.heads[..count].iter_mut().zip(&mut s.own[..count]).collect();
        threads.each(&mut pairs, |i, (head, own)| {
            let from = i / heads * frames * stride + i % heads * head_dim;
            let heard = match heard {
                Some(heard) => &heard[i % heads],
                None => {
                    own.pack(at(from + joined), false, at(from + 2 * joined), frames)?;
                    own
                }
            };
            head.attend(at(from), heard)
        })?;
        let made = &s.heads[..count];
        s.rows.make(threads, (rows, joined), self.numbers, |i, out| {
            let made = &made[i / frames * heads..];
            for (out, head) in out.chunks_exact_mut(head_dim).zip(made) {
                out.copy_from_slice(head.row(i % frames));
            }
        })
    }
}
