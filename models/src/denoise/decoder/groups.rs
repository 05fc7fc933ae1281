//! The rows of matrix products, in groups for the kernels, and the products with panels. It knows
//! no network and no ONNX.

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::ensure;

use super::elementwise::{expand, pair};
use super::kernels::{Ahead, Kernel, MOST_ROWS, MOST_WIDTH, Target, Transposed, Values, for_rows};
use super::panels::{Buffer, Numbers, Panels, Rows};
use super::transpose::transpose;
use crate::threads::Threads;

/// The number of groups from which on a panel of int8 is expanded to float32 once for all of them.
const MANY_GROUPS: usize = 3;

/// Rows [n, k] in groups of as many as the kernels take. Each group is transposed, [k, rows of the
/// group].
#[derive(Debug)]
pub(super) struct Groups {
    kernel: Kernel,
    numbers: Numbers,
    words: Buffer,
    n: usize,
    /// In words.
    k: usize,
    height: usize,
}

impl Groups {
    /// Without rows.
    pub fn new(kernel: Kernel) -> TractResult<Self> {
        let words = Buffer::new(0)?;
        Ok(Self { kernel, numbers: Numbers::F32, words, n: 0, k: 0, height: 1 })
    }

    /// Takes `rows` of float32.
    pub fn pack(&mut self, rows: Rows<'_>) -> TractResult<()> {
        rows.check()?;
        let (n, k) = (rows.count, rows.len);
        let height = self.begin(n, k, Numbers::F32)?;
        for (i, out) in self.words.values_mut().chunks_mut((height * k).max(1)).enumerate() {
            let count = height.min(n - i * height);
            transpose(rows.part(i * height, count), count, out);
        }
        Ok(())
    }

    /// Takes `n` rows of `len` values; `make` writes the row of an index.
    pub fn make(
        &mut self,
        threads: &Threads,
        (n, len): (usize, usize),
        numbers: Numbers,
        make: impl Fn(usize, &mut [f32]) + Sync,
    ) -> TractResult<()> {
        let k = numbers.words(len);
        let height = self.begin(n, k, numbers)?;
        let own = || (vec![0.0; len], vec![0.0; height * k]);
        threads.rows(
            self.words.values_mut(),
            height * k,
            height * len,
            own,
            |(row, words), i, out| {
                let count = height.min(n - i * height);
                for (i, words) in (i * height..).zip(words.chunks_exact_mut(k.max(1))).take(count) {
                    match numbers {
                        Numbers::F32 => make(i, words),
                        Numbers::Bf16 => {
                            make(i, row);
                            pair(row, words);
                        }
                    }
                }
                transpose(Rows { values: words, count, len: k, stride: k }, count, out);
            },
        );
        Ok(())
    }

    /// Takes rows of float32 that are transposed already, [k, n].
    pub fn pack_transposed(&mut self, transposed: Rows<'_>) -> TractResult<()> {
        transposed.check()?;
        let (n, k) = (transposed.len, transposed.count);
        let height = self.begin(n, k, Numbers::F32)?;
        for (i, group) in self.words.values_mut().chunks_mut((height * k).max(1)).enumerate() {
            let first = i * height;
            let count = height.min(n - first);
            let rows = (0..k).map(|row| &transposed.row(row)[first..first + count]);
            // Copies with a length that the compiler knows. A call would cost more than the copy.
            for_rows!(count, N => {
                for (out, row) in group.as_chunks_mut::<N>().0.iter_mut().zip(rows) {
                    if let Some(row) = row.first_chunk() {
                        *out = *row;
                    }
                }
            });
        }
        Ok(())
    }

    /// Makes room for `n` rows of `k` words, in groups of equal size. Returns that size.
    fn begin(&mut self, n: usize, k: usize, numbers: Numbers) -> TractResult<usize> {
        let groups = n.div_ceil(self.kernel.rows).max(1);
        let height = n.div_ceil(groups).max(1);
        (self.n, self.k, self.height, self.numbers) = (n, k, height, numbers);
        self.words.fit(n * k)?;
        Ok(height)
    }

    /// The number of rows.
    pub fn count(&self) -> usize {
        self.n
    }

    /// Multiplies these rows by one panel of float32 [k, width]. The product is written to `out`
    /// [n, width], or added to it with `adds`.
    ///
    /// # Errors
    /// The panel or the output has the wrong size.
    pub fn meet(&self, panel: Values<'_>, out: &mut [f32], adds: bool) -> TractResult<()> {
        let (k, width) = (self.k, self.kernel.width);
        let found = if let Values::F32(values) = panel { values.len() } else { 0 };
        ensure!(found == k * width, "a panel of {found} values for k of {k}");
        ensure!(out.len() == self.n * width, "{} places for {} rows", out.len(), self.n);
        let groups = self.words.values().chunks((self.height * k).max(1));
        for (x, out) in groups.zip(out.chunks_mut(self.height * width)) {
            let n = out.len() / width;
            let mut rows: [&mut [f32]; MOST_ROWS] = Default::default();
            rows.iter_mut().zip(out.chunks_exact_mut(width)).for_each(|(row, out)| *row = out);
            let rows = &mut rows[..n];
            self.kernel.run(
                panel,
                Transposed { x, n },
                Target { rows, column: 0, adds },
                Ahead::nothing(),
            );
        }
        Ok(())
    }

    /// Multiplies these rows by a matrix whose rows are in `pieces`, one after the other. The
    /// output has its stride from row to row, and says whether to add to it.
    ///
    /// # Errors
    /// The pieces have another k or other numbers, or the output is too short.
    pub fn multiply(
        &self,
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
        // Each thread has its own panels, so that every weight is read by one core.
        let width = self.kernel.width;
        let panels = columns.div_ceil(width);
        let each = panels.div_ceil(threads.shares(n * k * columns)).max(1);
        let mut strips: Vec<Vec<_>> =
            (0..panels.div_ceil(each)).map(|_| Vec::with_capacity(n)).collect();
        for row in out[..len].chunks_mut(stride.max(1)) {
            let row = &mut row[..columns];
            strips.iter_mut().zip(row.chunks_mut(each * width)).for_each(|(s, part)| s.push(part));
        }
        threads.each(&mut strips, |i, rows| {
            self.multiply_panels(pieces, i * each, rows, adds);
            Ok(())
        })
    }

    /// Multiplies these rows by the panels from `first` on for which `out` has columns. All rows of
    /// `out` have one length.
    fn multiply_panels(&self, pieces: &[Panels], first: usize, out: &mut [&mut [f32]], adds: bool) {
        let (kernel, height, words) = (self.kernel, self.height, self.words.values());
        let columns = out.first().map_or(0, |row| row.len());
        let count = columns.div_ceil(kernel.width);
        let groups = out.len().div_ceil(height);
        let (mut from, mut floats) = (0, vec![]);
        for (i, piece) in pieces.iter().enumerate() {
            let (k, adds) = (piece.words(), adds || i > 0);
            for panel in 0..count {
                let column = panel * kernel.width;
                // Prefetches the next panel, for which the core would have to wait. A single group
                // ends too soon for that.
                let next = match panel + 1 < count {
                    true => Some(piece.panel(first + panel + 1)),
                    false => pieces.get(i + 1).map(|piece| piece.panel(first)),
                };
                let values = match piece.panel(first + panel) {
                    Values::Int8(values, scales) if self.n > (MANY_GROUPS - 1) * height => {
                        floats.resize(values.len(), 0.0);
                        expand(values, scales, &mut floats);
                        Values::F32(&floats)
                    }
                    values => values,
                };
                // The panel stays in the nearest cache while all rows pass by.
                for (group, out) in out.chunks_mut(height).enumerate() {
                    let count = out.len();
                    let x = &words[group * height * self.k + from * count..][..k * count];
                    let rows = Transposed { x, n: count };
                    let ahead = next
                        .map_or_else(Ahead::nothing, |next| Ahead::share(next, (group, groups), k));
                    if column + kernel.width <= columns {
                        kernel.run(values, rows, Target { rows: out, column, adds }, ahead);
                    } else {
                        last_panel(kernel, values, rows, (out, column, adds));
                    }
                }
            }
            from += k;
        }
    }
}

/// Multiplies by a panel that is wider than the rest of the output, and keeps the sums that are
/// inside.
fn last_panel(
    kernel: Kernel,
    values: Values<'_>,
    rows: Transposed<'_>,
    (out, column, adds): (&mut [&mut [f32]], usize, bool),
) {
    let mut sums = [0.0; MOST_ROWS * MOST_WIDTH];
    let mut places: Vec<_> = sums.chunks_mut(kernel.width).take(rows.n).collect();
    kernel.run(
        values,
        rows,
        Target { rows: &mut places, column: 0, adds: false },
        Ahead::nothing(),
    );
    for (sums, row) in places.iter().zip(out) {
        let row = row[column..].iter_mut().zip(sums.iter());
        match adds {
            true => row.for_each(|(out, sum)| *out += sum),
            false => row.for_each(|(out, sum)| *out = *sum),
        }
    }
}

#[cfg(test)]
#[path = "groups_tests.rs"]
mod tests;
