//! Rows that meet panels: in groups of as many as the kernels take, and their products. Knows no network and no ONNX.

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::ensure;

use super::elementwise::expand;
use super::kernels::{Kernel, MOST_ROWS, MOST_WIDTH, Target, Turned, Values, for_rows};
use super::panels::{Buffer, Numbers, Panels, Rows, turn};
use crate::threads::Threads;

/// From so many groups on, a panel of int8 becomes float32 once for all of them.
const MANY_GROUPS: usize = 3;

/// Rows [n, k] in groups of as many as the kernels take, each turned, [k, rows of the group].
#[derive(Debug)]
pub(super) struct Groups {
    kernel: Kernel,
    numbers: Numbers,
    words: Buffer,
    n: usize,
    /// In words.
    k: usize,
    height: usize,
    /// Of one group and each panel, [panels, n, width].
    sums: Vec<f32>,
}

impl Groups {
    /// None yet.
    pub fn new(kernel: Kernel) -> TractResult<Self> {
        let words = Buffer::new(0)?;
        Ok(Self { kernel, numbers: Numbers::F32, words, n: 0, k: 0, height: 1, sums: vec![] })
    }

    /// Takes `rows`.
    pub fn pack(&mut self, threads: &Threads, rows: Rows<'_>, numbers: Numbers) -> TractResult<()> {
        rows.check()?;
        let (n, k) = (rows.count, numbers.words(rows.len));
        // Groups of one size, as many for each thread.
        let mut groups = n.div_ceil(self.kernel.rows).max(1);
        if groups > 1 {
            groups = groups.next_multiple_of(threads.count());
        }
        let height = n.div_ceil(groups).max(1);
        (self.n, self.k, self.height, self.numbers) = (n, k, height, numbers);
        self.words.fit(n * k)?;
        threads.rows(self.words.values_mut(), height * k, height * k, |i, out| {
            let first = i * height;
            let count = height.min(n - first);
            let block = |row, from| numbers.block(rows.row(first + row), from);
            for_rows!(count, N => turn::<N>(block, count, out));
        });
        Ok(())
    }

    /// These rows times `pieces` of a matrix, which have its rows one piece after the other, into `out`: the places from one row to the next, and
    /// whether it is added to what is there.
    ///
    /// # Errors
    /// Pieces of another k or other numbers, an output that is too short.
    pub fn multiply(
        &mut self,
        threads: &Threads,
        pieces: &[Panels],
        (out, stride, adds): (&mut [f32], usize, bool),
    ) -> TractResult<()> {
        let (n, k) = (self.n, self.k);
        let found: usize = pieces.iter().map(Panels::words).sum();
        ensure!(found == k, "k of {found} and {k}");
        ensure!(pieces.iter().all(|piece| piece.numbers() == self.numbers), "other numbers");
        let columns = pieces.first().map_or(0, Panels::columns);
        let len = (n.max(1) - 1) * stride + columns;
        ensure!(columns <= stride && out.len() >= len, "{} places for {n} rows", out.len());
        let out = &mut out[..len];
        if n <= self.height && threads.count() > 1 {
            self.share_panels(threads, pieces, (out, stride, adds));
            return Ok(());
        }
        let (kernel, height, words) = (self.kernel, self.height, self.words.values());
        // Each thread writes rows of its own. A panel stays in the nearest cache while all of them pass by.
        threads.parts(out, height * stride, height * k * columns, |first, out| {
            let (mut from, mut floats) = (0, vec![]);
            let groups = out.len().div_ceil(height * stride);
            for (i, piece) in pieces.iter().enumerate() {
                let (k_own, adds) = (piece.words(), adds || i > 0);
                for panel in 0..piece.count() {
                    let column = panel * kernel.width;
                    let values = match piece.panel(panel) {
                        Values::Int8(values, scales) if groups >= MANY_GROUPS => {
                            floats.resize(values.len(), 0.0);
                            expand(values, scales, &mut floats);
                            Values::F32(&floats)
                        }
                        values => values,
                    };
                    for (group, out) in out.chunks_mut(height * stride).enumerate() {
                        let first = (first + group) * height;
                        let count = height.min(n - first);
                        let x = &words[first * k + from * count..][..k_own * count];
                        let rows = Turned { x, n: count };
                        if column + kernel.width <= columns {
                            let target = Target { out: &mut out[column..], stride, adds };
                            kernel.run(values, rows, target);
                            continue;
                        }
                        let mut sums = [0.0; MOST_ROWS * MOST_WIDTH];
                        let sums = &mut sums[..count * kernel.width];
                        kernel.run(
                            values,
                            rows,
                            Target { out: sums, stride: kernel.width, adds: false },
                        );
                        put(sums, kernel.width, column, columns, (out, stride, adds));
                    }
                }
                from += k_own;
            }
        });
        Ok(())
    }

    /// Where there is one group: the panels are what is shared among threads.
    fn share_panels(
        &mut self,
        threads: &Threads,
        pieces: &[Panels],
        (out, stride, adds): (&mut [f32], usize, bool),
    ) {
        let (n, kernel, mut from) = (self.n, self.kernel, 0);
        let width = kernel.width;
        for (i, piece) in pieces.iter().enumerate() {
            let k = piece.words();
            let x = &self.words.values()[from * n..(from + k) * n];
            self.sums.resize(piece.count() * width * n, 0.0);
            threads.rows(&mut self.sums, width * n, k * width, |i, sums| {
                let target = Target { out: sums, stride: width, adds: false };
                kernel.run(piece.panel(i), Turned { x, n }, target);
            });
            for (panel, sums) in self.sums.chunks_exact(width * n).enumerate() {
                put(
                    sums,
                    width,
                    panel * width,
                    piece.columns(),
                    (&mut *out, stride, adds || i > 0),
                );
            }
            from += k;
        }
    }
}

/// Puts the sums [n, width] of the panel at `column` where they belong.
fn put(
    sums: &[f32],
    width: usize,
    column: usize,
    columns: usize,
    (out, stride, adds): (&mut [f32], usize, bool),
) {
    let count = width.min(columns.saturating_sub(column));
    for (sums, row) in sums.chunks_exact(width).zip(out.chunks_mut(stride.max(1))) {
        let Some(out) = row.get_mut(column..column + count) else { return };
        match adds {
            true => out.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum),
            false => out.copy_from_slice(&sums[..count]),
        }
    }
}

#[cfg(test)]
#[path = "groups_tests.rs"]
mod tests;
