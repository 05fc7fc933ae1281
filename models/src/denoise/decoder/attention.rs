//! Attention of one head: softmax(q k) v over keys and values in panels. Knows no layers, no weights and no ONNX.

use tract_onnx::prelude::*;

use super::elementwise::{exp, exponentials, scale};
use super::groups::Groups;
use super::kernels::Kernel;
use super::panels::{Buffer, Numbers, Panels, Rows};
use crate::threads::Threads;

/// Keys and values in one part. The part and the logits of a whole target stay in a core's own cache, so what is heard is read once a step.
const PART: usize = 256;

/// Keys [head_dim, len] and values [len, head_dim] of some neighbouring places.
#[derive(Debug)]
struct Part {
    keys: Panels,
    values: Panels,
}

/// Keys and values of one head in parts.
#[derive(Debug)]
pub(super) struct Heard {
    kernel: Kernel,
    parts: Vec<Part>,
}

impl Heard {
    /// Nothing yet.
    pub fn new(kernel: Kernel) -> Self {
        Self { kernel, parts: vec![] }
    }

    /// Takes keys, rows [len, head_dim] or with `turned` [head_dim, len], and values, rows [len, head_dim].
    pub fn pack(&mut self, keys: Rows<'_>, turned: bool, values: Rows<'_>) -> TractResult<()> {
        let count = values.count.div_ceil(PART);
        self.parts.truncate(count);
        while self.parts.len() < count {
            let new = || Panels::new(self.kernel, Numbers::F32);
            self.parts.push(Part { keys: new()?, values: new()? });
        }
        for (i, part) in self.parts.iter_mut().enumerate() {
            let first = i * PART;
            let len = PART.min(values.count - first);
            match turned {
                true => part.keys.pack(keys.columns(first, len))?,
                false => part.keys.pack_turned(keys.part(first, len))?,
            }
            part.values.pack(values.part(first, len))?;
        }
        Ok(())
    }
}

/// What one head needs while it attends.
#[derive(Debug)]
pub(super) struct Head {
    queries: Groups,
    logits: Buffer,
    weights: Groups,
    /// Of each row the greatest logit so far, and the sum of the weights.
    totals: Vec<(f32, f32)>,
    out: Buffer,
    width: usize,
}

impl Head {
    /// For heads of `width` values.
    pub fn new(kernel: Kernel, width: usize) -> TractResult<Self> {
        let [queries, weights] = [Groups::new(kernel)?, Groups::new(kernel)?];
        let [logits, out] = [Buffer::new(0)?, Buffer::new(0)?];
        Ok(Self { queries, logits, weights, totals: vec![], out, width })
    }

    /// Attends from `queries` to what is heard. The result is [`Self::out`].
    ///
    /// The softmax goes part by part: what was summed so far is scaled down whenever a part has a greater logit (Milakov and Gimelshein 2018,
    /// "Online normalizer calculation for softmax").
    pub fn attend(&mut self, queries: Rows<'_>, heard: &Heard) -> TractResult<()> {
        // Heads are what is shared among threads.
        let alone = Threads::default();
        let (count, width) = (queries.count, self.width);
        self.queries.pack(&alone, queries, Numbers::F32)?;
        self.out.fit(count * width)?;
        self.totals.clear();
        self.totals.resize(count, (f32::MIN, 0.0));
        for (i, part) in heard.parts.iter().enumerate() {
            let len = part.keys.columns();
            self.logits.fit(count * len)?;
            let logits = self.logits.values_mut();
            self.queries.multiply(
                &alone,
                std::slice::from_ref(&part.keys),
                (logits, len, false),
            )?;
            let made = self.out.values_mut().chunks_exact_mut(width);
            let rows = logits.chunks_exact_mut(len).zip(made);
            for ((logits, made), (most, total)) in rows.zip(&mut self.totals) {
                let (greatest, sum) = exponentials(logits, *most);
                if i > 0 && greatest > *most {
                    let before = exp(*most - greatest);
                    scale(made, before);
                    *total *= before;
                }
                (*most, *total) = (greatest, *total + sum);
            }
            let weights = Rows { values: self.logits.values(), count, len, stride: len };
            self.weights.pack(&alone, weights, Numbers::F32)?;
            let out = (self.out.values_mut(), width, i > 0);
            self.weights.multiply(&alone, std::slice::from_ref(&part.values), out)?;
        }
        let made = self.out.values_mut().chunks_exact_mut(width);
        made.zip(&self.totals).for_each(|(row, (_, sum))| scale(row, 1.0 / sum));
        Ok(())
    }

    /// Copies what [`Self::attend`] made for `count` rows into `to`, from `start` on and `stride` apart.
    pub fn copy(&self, count: usize, to: &mut Buffer, start: usize, stride: usize) {
        let rows = to.values_mut()[start..].chunks_mut(stride);
        for (to, from) in rows.zip(self.out.values().chunks_exact(self.width)).take(count) {
            to[..self.width].copy_from_slice(from);
        }
    }
}
