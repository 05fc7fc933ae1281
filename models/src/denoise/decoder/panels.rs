//! Matrix products over operands packed into panels: tract's kernels, behind an interface that stays inside its buffers.
//! Knows no network and no ONNX.
//!
//! A product is out [rows, m] = right [rows, k] * left [k, m]. What stays (weights, keys, values) is the left operand and is packed
//! once; what passes through is the right one. All kernels of a [`Kernels`] take the same left panels, so weights serve any number of rows.

use tract_linalg::MmmDispatch;
use tract_linalg::mmm::{
    AsInputValue, EagerPackedInput, FusedSpec, MMMInputValue, OutputStoreSpec, Query, Suitable,
};
use tract_linalg::pack::PackedFormat;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{TensorView, TractErrorContext as _, bail, ensure};

/// The product that the left panels are chosen for: a weight of middle size and many rows.
const TYPICAL: (usize, usize, usize) = (512, 512, 256);

/// Float32 values that kernels read and write, aligned for any vector.
#[derive(Debug, Clone)]
pub(super) struct Buffer(Tensor);

impl Buffer {
    /// `len` zeros.
    pub fn new(len: usize) -> TractResult<Self> {
        Ok(Self(Tensor::zero_aligned_dt(f32::datum_type(), &[len], 64)?))
    }

    /// Makes it `len` zeros where it has another length.
    pub fn fit(&mut self, len: usize) -> TractResult<()> {
        if self.0.len() != len {
            *self = Self::new(len)?;
        }
        Ok(())
    }

    /// The values.
    pub fn values(&self) -> &[f32] {
        // SAFETY: the tensor was made above, plain and of floats.
        #[allow(unsafe_code)]
        unsafe {
            self.0.as_slice_unchecked()
        }
    }

    /// The values, to be changed.
    pub fn values_mut(&mut self) -> &mut [f32] {
        // SAFETY: the tensor was made above, plain and of floats.
        #[allow(unsafe_code)]
        unsafe {
            self.0.as_slice_mut_unchecked()
        }
    }

    /// `count` rows of `len` values from `start` on, `stride` from one to the next.
    pub fn rows(&self, start: usize, count: usize, len: usize, stride: usize) -> Rows<'_> {
        Rows { buffer: self, start, count, len, stride }
    }
}

/// Rows of a buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'a> {
    buffer: &'a Buffer,
    start: usize,
    count: usize,
    len: usize,
    stride: usize,
}

impl Rows<'_> {
    /// That all rows lie inside the buffer.
    fn check(&self) -> TractResult<()> {
        let last = self.count.saturating_sub(1).checked_mul(self.stride);
        let end = last.and_then(|last| last.checked_add(self.start)?.checked_add(self.len));
        let len = self.buffer.0.len();
        ensure!(end.is_some_and(|end| end <= len), "{} rows of {} in {len}", self.count, self.len);
        Ok(())
    }

    /// Runs `f` on these rows as a view [count, len].
    fn with_view<R>(&self, f: impl FnOnce(&TensorView<'_>) -> R) -> TractResult<R> {
        self.check()?;
        let (shape, strides) = ([self.count, self.len], [self.stride as isize, 1]);
        let offset = (self.start * size_of::<f32>()) as isize;
        // SAFETY: `check` found every element of the view inside the tensor, which is one of floats.
        #[allow(unsafe_code)]
        let view = unsafe { TensorView::from_bytes(&self.buffer.0, offset, &shape, &strides) };
        Ok(f(&view))
    }
}

/// Where a product goes: one row of `m` values per row of the right operand.
#[derive(Debug)]
pub(super) struct Out<'a> {
    /// The buffer; it holds the rows that fill up the last tile, too ([`Tile::padded`]).
    pub buffer: &'a mut Buffer,
    /// Its first value.
    pub start: usize,
    /// From one row to the next.
    pub stride: usize,
    /// Whether the product is added to what is there.
    pub adds: bool,
}

/// An operand in panels; packed again and again as long as its shape stays.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    format: PackedFormat,
    input: Option<EagerPackedInput>,
}

impl Packed {
    /// Packs `rows` [count, len]: with `rows_are_k` they are k and their places m, as of a weight [in, out]; without, each row is one
    /// of the product's and its places are k.
    pub fn pack(&mut self, rows: Rows<'_>, rows_are_k: bool) -> TractResult<()> {
        let (k, mn) = if rows_are_k { (rows.count, rows.len) } else { (rows.len, rows.count) };
        let (k_axis, mn_axis) = if rows_are_k { (0, 1) } else { (1, 0) };
        let fits = |input: &&mut EagerPackedInput| input.fact.k == k && input.mn == mn;
        let input = match self.input.as_mut().filter(fits) {
            Some(input) => input,
            None => self.input.insert(self.format.new_packed_buffer(k, mn)?),
        };
        rows.with_view(|view| self.format.repack_tensor_view(input, view, k_axis, mn_axis))?
    }

    fn input(&self) -> TractResult<&EagerPackedInput> {
        self.input.as_ref().context("an operand that was never packed")
    }

    /// As the left operand of a product.
    pub fn left(&self) -> TractResult<&dyn MMMInputValue> {
        Ok(self.input()?)
    }
}

/// Most of k in one panel: an int8 panel of it stays in a core's first cache, with the rows that pass by.
pub(super) const DEPTH: usize = 512;

/// A right operand in pieces of [`DEPTH`], as the weights are that it meets.
#[derive(Debug, Clone)]
pub(super) struct Pieces {
    format: PackedFormat,
    pieces: Vec<Packed>,
    /// How many there are of the operand that was packed last.
    count: usize,
}

impl Pieces {
    /// Packs rows of any length.
    pub fn pack(&mut self, rows: Rows<'_>) -> TractResult<()> {
        self.count = rows.len.div_ceil(DEPTH);
        let new = || Packed { format: self.format.clone(), input: None };
        self.pieces.resize_with(self.pieces.len().max(self.count), new);
        for (i, piece) in self.pieces.iter_mut().take(self.count).enumerate() {
            let from = i * DEPTH;
            let (start, len) = (rows.start + from, DEPTH.min(rows.len - from));
            piece.pack(Rows { start, len, ..rows }, false)?;
        }
        Ok(())
    }

    /// The pieces of what was packed last.
    pub fn iter(&self) -> impl Iterator<Item = &Packed> {
        self.pieces.iter().take(self.count)
    }
}

/// The kernel for some number of rows.
#[derive(Debug, Clone)]
pub(super) struct Tile {
    kernel: Suitable,
    right: PackedFormat,
    /// The rows it takes at a time.
    pub height: usize,
}

impl Tile {
    /// `rows` rounded up to whole tiles: as many the right operand has, the last of zeros, and as many every output holds.
    pub fn padded(&self, rows: usize) -> usize {
        rows.next_multiple_of(self.height.max(1))
    }

    /// A right operand to be packed.
    pub fn right(&self) -> Packed {
        Packed { format: self.right.clone(), input: None }
    }

    /// A right operand to be packed in pieces.
    pub fn pieces(&self) -> Pieces {
        Pieces { format: self.right.clone(), pieces: vec![], count: 0 }
    }
}

/// The kernels of this machine that take the same left panels.
#[derive(Debug, Clone)]
pub(super) struct Kernels {
    group: Vec<Suitable>,
    left: PackedFormat,
}

/// The panels of a kernel, if they are plain float32 on both sides.
fn plain(kernel: &Suitable) -> Option<(&PackedFormat, &PackedFormat)> {
    let (left, right) = kernel.0.packings().get(kernel.1)?;
    let (left, right) = (left.downcast_ref()?, right.downcast_ref::<PackedFormat>()?);
    let is_plain = |format: &PackedFormat| format.dt == f32::datum_type();
    (is_plain(left) && is_plain(right) && kernel.2.is_none()).then_some((left, right))
}

fn query(m: usize, k: usize, rows: usize) -> Query {
    let query = Query::plain(f32::datum_type(), Some(m), Some(k), Some(rows));
    Query { store: Some(f32::datum_type()), allow_extractor: false, ..query }
}

impl Kernels {
    /// Those that share the panels of the one that is best at [`TYPICAL`].
    ///
    /// # Errors
    /// A machine for which tract has no float32 kernel; none is known.
    pub fn native() -> TractResult<Self> {
        let dispatch = MmmDispatch::native();
        let query = query(TYPICAL.0, TYPICAL.1, TYPICAL.2);
        let mut group = dispatch.suitable(&query);
        group.retain(|kernel| plain(kernel).is_some() && !kernel.0.emulated());
        let widest =
            || group.iter().max_by_key(|k| (k.0.nr() > 1, k.0.preference(), k.0.mr())).cloned();
        let best = dispatch.preferred(&query, &group).or_else(widest);
        let Some(left) = best.as_ref().and_then(plain).map(|(left, _)| left.clone()) else {
            bail!("no float32 kernel for this machine");
        };
        group.retain(|kernel| plain(kernel).is_some_and(|(own, _)| own.r == left.r));
        // The panels are as aligned and as padded as the kernel that wants the most of it.
        let formats = || group.iter().filter_map(plain).map(|(own, _)| own);
        let alignment = formats().map(|f| f.alignment_bytes).max().unwrap_or(left.alignment_bytes);
        let padding = formats().map(|f| f.end_padding_record).max().unwrap_or(1);
        let left = left.align(alignment).with_end_padding_record(padding);
        Ok(Self { group, left })
    }

    /// The layout of left panels.
    pub fn left_format(&self) -> &PackedFormat {
        &self.left
    }

    /// A left operand to be packed.
    pub fn left(&self) -> Packed {
        Packed { format: self.left.clone(), input: None }
    }

    /// Columns of a left panel.
    pub fn width(&self) -> usize {
        self.left.r.max(1)
    }

    /// The kernel for products of `rows` rows.
    ///
    /// # Errors
    /// None with kernels from [`Self::native`].
    pub fn tile(&self, rows: usize) -> TractResult<Tile> {
        let query = query(TYPICAL.0, TYPICAL.1, rows);
        let least_padded = || {
            let cost = |kernel: &&Suitable| {
                let height = kernel.0.nr();
                (rows.next_multiple_of(height), usize::MAX - height)
            };
            self.group.iter().min_by_key(cost).cloned()
        };
        let kernel = MmmDispatch::native().preferred(&query, &self.group).or_else(least_padded);
        let kernel = kernel.context("no float32 kernel for this machine")?;
        let (_, right) = plain(&kernel).context("a kernel of other panels")?;
        let (right, height) = (right.clone(), kernel.0.nr());
        Ok(Tile { kernel, right, height })
    }

    /// out [rows, m] = right [rows, k] * left [k, m] for the first `m` columns of `left`. The rows that fill up the last tile are
    /// written, too: as zeros, or where `out` adds, not changed.
    ///
    /// # Errors
    /// Operands whose k differ, panels of another kernel, an output that is too small.
    pub fn multiply(
        &self,
        tile: &Tile,
        left: &dyn MMMInputValue,
        m: usize,
        right: &Packed,
        out: Out<'_>,
    ) -> TractResult<()> {
        let right = right.input()?;
        let rows = tile.padded(right.mn);
        let (mmm, packing, _) = &tile.kernel;
        let width = mmm.mr();
        let is_whole = left.format().r() == width && width == self.left.r;
        ensure!(is_whole, "left panels of {}, wanted {width}", left.format().r());
        ensure!(right.fact.format.r() == mmm.nr(), "right panels of another kernel");
        ensure!(left.k() == right.fact.k, "k of {} and {}", left.k(), right.fact.k);
        ensure!(m <= left.mn().next_multiple_of(width), "{m} columns of {}", left.mn());
        let target = out.buffer.rows(out.start, rows, m, out.stride);
        target.with_view(|view| {
            let spec = OutputStoreSpec::Strides {
                row_byte_stride: size_of::<f32>() as isize,
                col_byte_stride: (out.stride * size_of::<f32>()) as isize,
                mr: mmm.mr(),
                nr: mmm.nr(),
            };
            // SAFETY: the view was checked to hold `rows` rows of `m` floats, which is all that a product of m columns and n = rows
            // reads and writes through this store; `out.buffer` is borrowed for writing until it is done. Both operands are in
            // panels of this kernel's width with one k (checked above), and hold all panels of `m` columns and of `rows` rows.
            #[allow(unsafe_code)]
            unsafe {
                let store = spec.wrap(view);
                let product = FusedSpec::AddMatMul {
                    a: AsInputValue::Borrowed(left),
                    b: AsInputValue::Borrowed(right),
                    packing: *packing,
                };
                match out.adds {
                    true => mmm.run(
                        m,
                        rows,
                        &[product, FusedSpec::AddUnicast(store), FusedSpec::Store(store)],
                    ),
                    false => mmm.run(m, rows, &[product, FusedSpec::Store(store)]),
                }
            }
        })?
    }
}
