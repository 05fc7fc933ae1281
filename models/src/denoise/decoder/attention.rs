//! Attention of one head: softmax(q k) v over keys and values in panels. Knows no layers, no weights and no ONNX.

use tract_onnx::prelude::*;

use super::elementwise::{exponentials, scale};
use super::kernels::{Kernel, MOST_ROWS};
use super::panels::{Buffer, Groups, Numbers, Panels, Rows};
use crate::threads::Threads;

/// Most logits of a head that exist at a time: what fits a core's own cache beside the panels it is made of.
const LOGITS: usize = 64 * 1024;

/// Keys and values of one head in panels: keys [head_dim, len], values [len, head_dim].
#[derive(Debug)]
pub(super) struct Heard {
    keys: Panels,
    values: Panels,
}

impl Heard {
    /// Nothing yet.
    pub fn new(kernel: Kernel) -> TractResult<Self> {
        let new = || Panels::new(kernel, Numbers::F32);
        Ok(Self { keys: new()?, values: new()? })
    }

    /// Takes keys, rows [len, head_dim] or with `turned` [head_dim, len], and values, rows [len, head_dim].
    pub fn pack(&mut self, keys: Rows<'_>, turned: bool, values: Rows<'_>) -> TractResult<()> {
        match turned {
            true => self.keys.pack(keys)?,
            false => self.keys.pack_turned(keys)?,
        }
        self.values.pack(values)
    }
}

/// What one head needs while it attends.
#[derive(Debug)]
pub(super) struct Head {
    queries: Groups,
    logits: Buffer,
    weights: Groups,
    /// By which the rows of `out` are divided.
    sums: Vec<f32>,
    out: Buffer,
    width: usize,
}

impl Head {
    /// For heads of `width` values.
    pub fn new(kernel: Kernel, width: usize) -> TractResult<Self> {
        let [queries, weights] = [Groups::new(kernel)?, Groups::new(kernel)?];
        let [logits, out] = [Buffer::new(0)?, Buffer::new(0)?];
        Ok(Self { queries, logits, weights, sums: vec![], out, width })
    }

    /// Attends from `queries` to what is heard. The result is [`Self::out`].
    pub fn attend(&mut self, queries: Rows<'_>, heard: &Heard) -> TractResult<()> {
        // Heads are what is shared among threads.
        let alone = Threads::default();
        let (count, len) = (queries.count, heard.keys.columns());
        let block = (LOGITS / len.max(1)).next_multiple_of(MOST_ROWS).min(count);
        self.out.fit(count * self.width)?;
        self.logits.fit(block * len)?;
        for (i, out) in self.out.values_mut().chunks_mut((block * self.width).max(1)).enumerate() {
            let first = i * block;
            let rows = block.min(count - first);
            let values = queries.values.get(first * queries.stride..).unwrap_or_default();
            self.queries.pack(&alone, Rows { values, count: rows, ..queries }, Numbers::F32)?;
            let logits = self.logits.values_mut();
            self.queries.multiply(
                &alone,
                std::slice::from_ref(&heard.keys),
                (logits, len, false),
            )?;
            self.sums.clear();
            self.sums.extend(logits.chunks_exact_mut(len).take(rows).map(exponentials));
            let weights = Rows { values: self.logits.values(), count: rows, len, stride: len };
            self.weights.pack(&alone, weights, Numbers::F32)?;
            let values = std::slice::from_ref(&heard.values);
            self.weights.multiply(&alone, values, (&mut *out, self.width, false))?;
            let made = out.chunks_exact_mut(self.width);
            made.zip(&self.sums).for_each(|(row, sum)| scale(row, 1.0 / sum));
        }
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
