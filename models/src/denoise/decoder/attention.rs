//! Attention of one head: softmax(q k) v over keys and values. It knows no layers, no weights and
//! no ONNX.
//!
//! With few queries, the queries are rows, and keys and values are in panels. With many, the
//! queries are the panels. Then a product is logits [keys, queries], the softmax runs down its
//! columns, for all columns of a vector at once, and the result is itself a panel for the values,
//! so that nothing is laid out again.

use tract_onnx::prelude::*;

use super::elementwise::{column_exponentials, exponentials, scale, scale_columns};
use super::groups::Groups;
use super::kernels::{Kernel, MOST_WIDTH, Values};
use super::panels::{Buffer, Numbers, Panels, Rows};
use super::transpose::transpose;
use crate::threads::Threads;

/// The keys and values in one part. The part and the logits of a whole target fit into the cache of
/// one core, so keys and values are read once a step.
const PART: usize = 256;

/// The keys and values of some neighbouring positions.
#[derive(Debug)]
struct Part<Operand> {
    keys: Operand,
    values: Operand,
}

/// Parts, laid out for few or many queries.
#[derive(Debug)]
enum Parts {
    /// Keys [head_dim, len] and values [len, head_dim].
    Few(Vec<Part<Panels>>),
    /// Keys as rows [len, head_dim] and values transposed, [head_dim, len].
    Many(Vec<Part<Groups>>),
}

/// The keys and values of one head in parts.
#[derive(Debug)]
pub(super) struct Heard {
    kernel: Kernel,
    parts: Parts,
}

impl Heard {
    /// Without keys and values.
    pub fn new(kernel: Kernel) -> Self {
        Self { kernel, parts: Parts::Few(vec![]) }
    }

    /// Packs keys (rows [len, head_dim], or with `transposed` [head_dim, len]) and values (rows
    /// [len, head_dim]) for about `queries` queries.
    pub fn pack(
        &mut self,
        keys: Rows<'_>,
        transposed: bool,
        values: Rows<'_>,
        queries: usize,
    ) -> TractResult<()> {
        let kernel = self.kernel;
        // Panels are filled up with zeros. Up to a fifth of a panel may be filled this way.
        let is_many = 4 * queries.next_multiple_of(kernel.width) <= 5 * queries;
        match &mut self.parts {
            Parts::Few(_) if is_many => self.parts = Parts::Many(vec![]),
            Parts::Many(_) if !is_many => self.parts = Parts::Few(vec![]),
            _ => {}
        }
        let part = |i: usize| (i * PART, PART.min(values.count - i * PART));
        let count = values.count.div_ceil(PART);
        match &mut self.parts {
            Parts::Few(parts) => {
                let new = || Panels::new(kernel, Numbers::F32);
                resize(parts, count, || Ok(Part { keys: new()?, values: new()? }))?;
                for (i, to) in parts.iter_mut().enumerate() {
                    let (first, len) = part(i);
                    match transposed {
                        true => to.keys.pack(keys.columns(first, len))?,
                        false => to.keys.pack_transposed(keys.part(first, len))?,
                    }
                    to.values.pack(values.part(first, len))?;
                }
            }
            Parts::Many(parts) => {
                let new = || Groups::new(kernel);
                resize(parts, count, || Ok(Part { keys: new()?, values: new()? }))?;
                for (i, to) in parts.iter_mut().enumerate() {
                    let (first, len) = part(i);
                    match transposed {
                        true => to.keys.pack_transposed(keys.columns(first, len))?,
                        false => to.keys.pack(keys.part(first, len))?,
                    }
                    to.values.pack_transposed(values.part(first, len))?;
                }
            }
        }
        Ok(())
    }
}

/// Makes it `count` parts.
fn resize<T>(
    parts: &mut Vec<T>,
    count: usize,
    new: impl Fn() -> TractResult<T>,
) -> TractResult<()> {
    parts.truncate(count);
    while parts.len() < count {
        parts.push(new()?);
    }
    Ok(())
}

/// The buffers of one head.
#[derive(Debug)]
pub(super) struct Head {
    kernel: Kernel,
    queries: Groups,
    query_panels: Panels,
    logits: Buffer,
    weights: Groups,
    /// For each row the greatest logit so far, and the sum of the weights.
    totals: Vec<(f32, f32)>,
    /// The result for one panel of queries, [head_dim, width of a panel].
    made: Buffer,
    out: Buffer,
    width: usize,
}

impl Head {
    /// For heads of `width` values.
    pub fn new(kernel: Kernel, width: usize) -> TractResult<Self> {
        Ok(Self {
            kernel,
            queries: Groups::new(kernel)?,
            query_panels: Panels::new(kernel, Numbers::F32)?,
            logits: Buffer::new(0)?,
            weights: Groups::new(kernel)?,
            totals: vec![],
            made: Buffer::new(width * kernel.width)?,
            out: Buffer::new(0)?,
            width,
        })
    }

    /// Attends from `queries` to keys and values. [`Self::row`] gives the result.
    ///
    /// The softmax runs part by part: the sums so far are scaled down if a part has a greater logit
    /// (Milakov and Gimelshein 2018, "Online normalizer calculation for softmax").
    pub fn attend(&mut self, queries: Rows<'_>, heard: &Heard) -> TractResult<()> {
        self.out.fit(queries.count * self.width)?;
        match &heard.parts {
            Parts::Few(parts) => self.attend_few(queries, parts),
            Parts::Many(parts) => self.attend_many(queries, parts),
        }
    }

    fn attend_few(&mut self, queries: Rows<'_>, parts: &[Part<Panels>]) -> TractResult<()> {
        // Threads share the heads, so each head runs in one thread.
        let alone = Threads::default();
        let (count, width) = (queries.count, self.width);
        self.queries.pack(queries)?;
        self.totals.clear();
        self.totals.resize(count, (f32::MIN, 0.0));
        for (i, part) in parts.iter().enumerate() {
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
                    let before = (*most - greatest).exp();
                    scale(made, before);
                    *total *= before;
                }
                (*most, *total) = (greatest, *total + sum);
            }
            let weights = Rows { values: self.logits.values(), count, len, stride: len };
            self.weights.pack(weights)?;
            let out = (self.out.values_mut(), width, i > 0);
            self.weights.multiply(&alone, std::slice::from_ref(&part.values), out)?;
        }
        let made = self.out.values_mut().chunks_exact_mut(width);
        made.zip(&self.totals).for_each(|(row, (_, sum))| scale(row, 1.0 / sum));
        Ok(())
    }

    fn attend_many(&mut self, queries: Rows<'_>, parts: &[Part<Groups>]) -> TractResult<()> {
        let panel = self.kernel.width;
        self.query_panels.pack_transposed(queries)?;
        self.logits.fit(PART * panel)?;
        let outs = self.out.values_mut().chunks_mut(panel * self.width);
        for (i, out) in outs.enumerate() {
            let queries = self.query_panels.panel(i);
            let (mut most, mut totals) = ([f32::MIN; MOST_WIDTH], [0.0; MOST_WIDTH]);
            let (most, totals) = (&mut most[..panel], &mut totals[..panel]);
            for (i, part) in parts.iter().enumerate() {
                let logits = &mut self.logits.values_mut()[..part.keys.count() * panel];
                part.keys.meet(queries, logits, false)?;
                let mut factors = [1.0; MOST_WIDTH];
                column_exponentials(logits, most, totals, &mut factors[..panel]);
                let made = self.made.values_mut();
                if i > 0 && factors.iter().any(|factor| *factor != 1.0) {
                    scale_columns(made, &factors[..panel]);
                }
                part.values.meet(Values::F32(logits), made, i > 0)?;
            }
            let made = self.made.values_mut();
            totals.iter_mut().for_each(|total| *total = 1.0 / *total);
            scale_columns(made, totals);
            transpose(
                Rows { values: made, count: self.width, len: panel, stride: panel },
                self.width,
                out,
            );
        }
        Ok(())
    }

    /// The result of [`Self::attend`] for query `i`.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.out.values()[i * self.width..][..self.width]
    }
}
