//! Attention of one head: softmax(q k) v over keys and values in panels. Knows no layers, no weights and no ONNX.

use tract_onnx::prelude::*;

use super::elementwise::{exponentials, scale};
use super::panels::{Buffer, Kernels, Out, Packed, Rows, Tile};

/// Most logits of a head that exist at a time: what fits a core's own cache beside the panels it is made of.
const LOGITS: usize = 64 * 1024;

/// Keys and values of one head, packed.
#[derive(Debug)]
pub(super) struct Heard {
    keys: Packed,
    values: Packed,
    len: usize,
}

impl Heard {
    /// Nothing yet.
    pub fn new(kernels: &Kernels) -> Self {
        Self { keys: kernels.left(), values: kernels.left(), len: 0 }
    }

    /// Packs `keys` and `values`, rows [len, head_dim] each, or with `turned` keys [head_dim, len].
    pub fn pack(
        &mut self,
        keys: Rows<'_>,
        turned: bool,
        values: Rows<'_>,
        len: usize,
    ) -> TractResult<()> {
        self.keys.pack(keys, turned)?;
        self.values.pack(values, true)?;
        self.len = len;
        Ok(())
    }
}

/// What one head needs while it attends.
#[derive(Debug)]
pub(super) struct Head {
    /// Queries and weights of a whole block, and of the last one.
    operands: [[Packed; 2]; 2],
    logits: Buffer,
    /// By which the rows of `out` are divided.
    sums: Vec<f32>,
    out: Buffer,
    width: usize,
}

impl Head {
    /// For heads of `width` values; `tile` is that of the rows to come.
    pub fn new(tile: &Tile, width: usize) -> TractResult<Self> {
        let [logits, out] = [Buffer::new(0)?, Buffer::new(0)?];
        let operands = [(); 2].map(|()| [tile.right(), tile.right()]);
        Ok(Self { operands, logits, sums: vec![], out, width })
    }

    /// Attends from `count` rows of `queries`, whose first starts at `start` and which are `stride` apart, to what is heard. The result is
    /// [`Self::out`].
    pub fn attend(
        &mut self,
        kernels: &Kernels,
        tile: &Tile,
        queries: (&Buffer, usize, usize),
        count: usize,
        heard: &Heard,
    ) -> TractResult<()> {
        let (queries, start, stride) = queries;
        // All panels of the keys, so that no tile is cut; the columns behind the last key are never looked at.
        let columns = heard.len.next_multiple_of(kernels.width());
        let block = (LOGITS / columns.max(1) / tile.height * tile.height).max(tile.height);
        self.out.fit(tile.padded(count) * self.width)?;
        self.logits.fit(tile.padded(block.min(count)) * columns)?;
        let mut first = 0;
        while first < count {
            let rows = block.min(count - first);
            let place = start + first * stride;
            let [query, weights] = &mut self.operands[usize::from(rows < block)];
            query.pack(queries.rows(place, rows, self.width, stride), false)?;
            let logits = &mut self.logits;
            let out = Out { buffer: logits, start: 0, stride: columns, adds: false };
            kernels.multiply(tile, heard.keys.left()?, columns, query, out)?;
            self.sums.clear();
            for row in self.logits.values_mut().chunks_exact_mut(columns.max(1)).take(rows) {
                self.sums.push(exponentials(&mut row[..heard.len]));
            }
            weights.pack(self.logits.rows(0, rows, heard.len, columns), false)?;
            let begin = first * self.width;
            let out = Out { buffer: &mut self.out, start: begin, stride: self.width, adds: false };
            kernels.multiply(tile, heard.values.left()?, self.width, weights, out)?;
            let made = self.out.values_mut()[begin..].chunks_exact_mut(self.width);
            made.zip(&self.sums).for_each(|(row, sum)| scale(row, 1.0 / sum));
            first += rows;
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
