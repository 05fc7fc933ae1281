//! The operands of matrix products, laid out for the kernels. It knows no network and no ONNX.
//!
//! A product is out [n, m] = rows [n, k] * columns [k, m]. Operands that stay (weights, keys,
//! values) are columns, in [`Panels`] that are made once. Operands that change are rows, in
//! `super::groups`.

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::ensure;

use super::kernels::{Kernel, MOST_WIDTH, Values, word};
use super::transpose::transpose;

/// Float32 values, aligned for any vector.
#[derive(Debug, Clone)]
pub(super) struct Buffer {
    tensor: Tensor,
    len: usize,
}

impl Buffer {
    /// `len` zeros.
    pub fn new(len: usize) -> TractResult<Self> {
        Ok(Self { tensor: Tensor::zero_aligned_dt(f32::datum_type(), &[len], 64)?, len })
    }

    /// Changes the length to `len`; the values are arbitrary. Memory is never given back.
    pub fn fit(&mut self, len: usize) -> TractResult<()> {
        if self.tensor.len() < len {
            *self = Self::new(len)?;
        }
        self.len = len;
        Ok(())
    }

    /// The values.
    pub fn values(&self) -> &[f32] {
        // SAFETY: the tensor was made above, plain and of floats.
        #[allow(unsafe_code)]
        let all = unsafe { self.tensor.as_slice_unchecked() };
        &all[..self.len]
    }

    /// The values, to be changed.
    pub fn values_mut(&mut self) -> &mut [f32] {
        // SAFETY: the tensor was made above, plain and of floats.
        #[allow(unsafe_code)]
        let all = unsafe { self.tensor.as_slice_mut_unchecked() };
        &mut all[..self.len]
    }
}

/// `count` rows of `len` values, with `stride` values from one row to the next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'a> {
    pub values: &'a [f32],
    pub count: usize,
    pub len: usize,
    pub stride: usize,
}

impl<'a> Rows<'a> {
    /// Row `i`.
    pub fn row(&self, i: usize) -> &'a [f32] {
        &self.values[i * self.stride..i * self.stride + self.len]
    }

    /// The `count` rows from `first` on.
    pub fn part(self, first: usize, count: usize) -> Self {
        let values = self.values.get(first * self.stride..).unwrap_or_default();
        Self { values, count, ..self }
    }

    /// The `len` columns from `first` on.
    pub fn columns(self, first: usize, len: usize) -> Self {
        Self { values: self.values.get(first..).unwrap_or_default(), len, ..self }
    }

    /// Checks that there are enough values.
    pub fn check(&self) -> TractResult<()> {
        let last = self.count.saturating_sub(1) * self.stride;
        let wanted = if self.count == 0 { 0 } else { last + self.len };
        let found = self.values.len();
        ensure!(found >= wanted, "{} rows of {} in {found} values", self.count, self.len);
        Ok(())
    }
}

/// The numbers in products; sums are always float32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    F32,
    /// Both operands are rounded to bf16, with two values of k in a word.
    Bf16,
}

impl Numbers {
    /// The number of words for `k` values.
    pub fn words(self, k: usize) -> usize {
        match self {
            Self::F32 => k,
            Self::Bf16 => k.div_ceil(2),
        }
    }
}

/// Columns [k, m] in panels of the width of the kernels. The filling of the last panel is
/// multiplied, too, but its results are ignored.
#[derive(Debug, Clone)]
pub(super) struct Panels {
    kernel: Kernel,
    k: usize,
    columns: usize,
    values: PanelValues,
}

/// [panels, k, width], or for bf16 [panels, k / 2, width].
#[derive(Debug, Clone)]
enum PanelValues {
    Words(Numbers, Buffer),
    /// With scales [panels, width].
    Int8(Vec<i8>, Vec<f32>),
}

impl Panels {
    /// Without columns, for float32 or bf16.
    pub fn new(kernel: Kernel, numbers: Numbers) -> TractResult<Self> {
        let values = PanelValues::Words(numbers, Buffer::new(0)?);
        Ok(Self { kernel, k: 0, columns: 0, values })
    }

    /// Packs int8 values: `rows` [k], each with as many values as there are scales.
    pub fn of_int8(
        kernel: Kernel,
        rows: impl ExactSizeIterator<Item = Vec<i8>>,
        scales: &[f32],
    ) -> Self {
        let (k, columns, width) = (rows.len(), scales.len(), kernel.width);
        let count = columns.div_ceil(width);
        let mut values = vec![0; count * k * width];
        for (i, row) in rows.enumerate() {
            for (panel, part) in row.chunks(width).enumerate() {
                let at = (panel * k + i) * width;
                values[at..at + part.len()].copy_from_slice(part);
            }
        }
        let mut own = vec![1.0; count * width];
        own[..columns].copy_from_slice(scales);
        Self { kernel, k, columns, values: PanelValues::Int8(values, own) }
    }

    /// Packs the rows [k, m] of a matrix.
    pub fn pack(&mut self, rows: Rows<'_>) -> TractResult<()> {
        rows.check()?;
        let (width, k) = (self.kernel.width, rows.count);
        let PanelValues::Words(numbers, buffer) = &mut self.values else {
            return Ok(());
        };
        (self.k, self.columns) = (k, rows.len);
        let words = numbers.words(k);
        buffer.fit(rows.len.div_ceil(width) * words * width)?;
        let values = buffer.values_mut();
        for i in 0..words {
            for panel in 0..rows.len.div_ceil(width) {
                let (from, at) = (panel * width, (panel * words + i) * width);
                let to = rows.len.min(from + width);
                let part = |k: usize| &rows.row(k)[from..to];
                let out = &mut values[at..at + to - from];
                match numbers {
                    Numbers::F32 => out.copy_from_slice(part(i)),
                    Numbers::Bf16 => {
                        let second =
                            if 2 * i + 1 < k { part(2 * i + 1) } else { &[0.0; MOST_WIDTH] };
                        let pairs = part(2 * i).iter().zip(second);
                        out.iter_mut().zip(pairs).for_each(|(out, (a, b))| *out = word(*a, *b));
                    }
                }
            }
        }
        Ok(())
    }

    /// Packs rows [m, k] of float32: the same as [`Self::pack`] with the transposed matrix.
    pub fn pack_transposed(&mut self, rows: Rows<'_>) -> TractResult<()> {
        rows.check()?;
        let (width, k) = (self.kernel.width, rows.len);
        let PanelValues::Words(Numbers::F32, buffer) = &mut self.values else {
            return Ok(());
        };
        (self.k, self.columns) = (k, rows.count);
        buffer.fit(rows.count.div_ceil(width) * k * width)?;
        for (i, panel) in buffer.values_mut().chunks_exact_mut((k * width).max(1)).enumerate() {
            let first = i * width;
            transpose(rows.part(first, width.min(rows.count - first)), width, panel);
        }
        Ok(())
    }

    /// The number of columns, m.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The numbers that rows must have.
    pub fn numbers(&self) -> Numbers {
        match self.values {
            PanelValues::Words(numbers, _) => numbers,
            PanelValues::Int8(..) => Numbers::F32,
        }
    }

    /// The number of rows in words.
    pub fn words(&self) -> usize {
        match self.values {
            PanelValues::Words(numbers, _) => numbers.words(self.k),
            PanelValues::Int8(..) => self.k,
        }
    }

    /// Panel `i`.
    pub fn panel(&self, i: usize) -> Values<'_> {
        let width = self.kernel.width;
        let len = self.words() * width;
        match &self.values {
            PanelValues::Words(Numbers::F32, values) => {
                Values::F32(&values.values()[i * len..][..len])
            }
            PanelValues::Words(Numbers::Bf16, values) => {
                Values::Bf16(&values.values()[i * len..][..len])
            }
            PanelValues::Int8(values, scales) => {
                Values::Int8(&values[i * len..][..len], &scales[i * width..][..width])
            }
        }
    }
}
