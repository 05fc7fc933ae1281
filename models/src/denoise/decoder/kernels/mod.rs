//! The innermost products: a few rows times one panel of columns, for the vectors of the machine.
//! It knows no network.
//!
//! A panel is [k, width], the rows are transposed, [k, n], and the sums are [n, width]. Every sum
//! is a chain of fused multiply-adds over k. So it is the same to the last bit for any number of
//! rows beside it, and int8 weights give the same result as the same weights in float32. With bf16,
//! a word with the bits of a float32 holds two values of k, and their products are added at once.

#[cfg(target_arch = "x86_64")]
mod x86;

/// The most rows in one product.
pub(super) const MOST_ROWS: usize = 12;
/// The most columns in one panel.
pub(super) const MOST_WIDTH: usize = 32;

/// `$product` with the constant `$rows` as `$n`, which is 1 to [`MOST_ROWS`].
macro_rules! for_rows {
    ($n:expr, $rows:ident => $product:expr) => {
        match $n {
            1 => {
                const $rows: usize = 1;
                $product
            }
            2 => {
                const $rows: usize = 2;
                $product
            }
            3 => {
                const $rows: usize = 3;
                $product
            }
            4 => {
                const $rows: usize = 4;
                $product
            }
            5 => {
                const $rows: usize = 5;
                $product
            }
            6 => {
                const $rows: usize = 6;
                $product
            }
            7 => {
                const $rows: usize = 7;
                $product
            }
            8 => {
                const $rows: usize = 8;
                $product
            }
            9 => {
                const $rows: usize = 9;
                $product
            }
            10 => {
                const $rows: usize = 10;
                $product
            }
            11 => {
                const $rows: usize = 11;
                $product
            }
            _ => {
                const $rows: usize = $crate::denoise::decoder::kernels::MOST_ROWS;
                $product
            }
        }
    };
}
pub(super) use for_rows;

/// The columns of a panel.
#[derive(Debug, Clone, Copy)]
pub(super) enum Values<'a> {
    /// [k, width]
    F32(&'a [f32]),
    /// Words [k / 2, width].
    Bf16(&'a [f32]),
    /// [k, width], where each column is multiplied by its scale [width].
    Int8(&'a [i8], &'a [f32]),
}

/// Transposed rows: n of them, [k, n], or as words of bf16 [k / 2, n].
#[derive(Debug, Clone, Copy)]
pub(super) struct Transposed<'a> {
    pub x: &'a [f32],
    pub n: usize,
}

/// What to prefetch during a product: an address, and the bytes by which it advances with every row
/// of the panel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ahead {
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "no prefetch"))]
    at: *const i8,
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "no prefetch"))]
    step: usize,
}

impl Ahead {
    /// Prefetches nothing: one address over and over.
    pub fn nothing() -> Self {
        static HERE: i8 = 0;
        Self { at: &raw const HERE, step: 0 }
    }

    /// Prefetches share `i` of `count` of a panel, while another one with `k` rows is multiplied.
    pub fn share(panel: Values<'_>, (i, count): (usize, usize), k: usize) -> Self {
        let (at, len) = match panel {
            Values::F32(values) | Values::Bf16(values) => {
                (values.as_ptr().cast(), size_of_val(values))
            }
            Values::Int8(values, _) => (values.as_ptr(), values.len()),
        };
        let len = len / count.max(1);
        Self { at: at.wrapping_add(i * len), step: len.div_ceil(k.max(1)) }
    }
}

/// The target of sums: its rows, the first column of the panel in each, and whether to add to it.
#[derive(Debug)]
pub(super) struct Target<'a, 'row> {
    pub rows: &'a mut [&'row mut [f32]],
    pub column: usize,
    pub adds: bool,
}

impl Target<'_, '_> {
    /// The target of the sums of each row; a row that is too short ends them.
    fn places<const W: usize>(&mut self) -> impl Iterator<Item = &mut [f32; W]> {
        let column = self.column;
        self.rows.iter_mut().map_while(move |row| row.get_mut(column..)?.first_chunk_mut())
    }
}

/// The kernels of a machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kernel {
    /// The columns of a panel.
    pub width: usize,
    /// The most rows at a time.
    pub rows: usize,
    /// Whether it has vectors of bf16.
    pub is_bf16: bool,
    run: fn(Values<'_>, Transposed<'_>, Target<'_, '_>, Ahead),
}

/// Wide enough for NEON, whose registers hold six rows of it.
const PORTABLE: Kernel = Kernel {
    width: 16,
    rows: if cfg!(target_arch = "aarch64") { 6 } else { 2 },
    is_bf16: false,
    run: portable::<16>,
};

impl Kernel {
    /// The best kernel that this machine can run.
    pub fn native() -> Self {
        Self::all().next().unwrap_or(PORTABLE)
    }

    /// All kernels for this machine, the best first.
    fn all() -> impl Iterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let wide = x86::kernels();
        #[cfg(not(target_arch = "x86_64"))]
        let wide = [None];
        wide.into_iter().flatten().chain([PORTABLE])
    }

    /// Multiplies a panel of [`Self::width`] columns by at most [`Self::rows`] rows. Rows that do
    /// not fit into `target` are left out.
    pub fn run(
        &self,
        values: Values<'_>,
        rows: Transposed<'_>,
        target: Target<'_, '_>,
        ahead: Ahead,
    ) {
        (self.run)(values, rows, target, ahead);
    }
}

/// For any machine: loops of fixed length, which the compiler vectorises.
fn portable<const W: usize>(
    values: Values<'_>,
    rows: Transposed<'_>,
    target: Target<'_, '_>,
    _: Ahead,
) {
    for_rows!(rows.n, N => portable_rows::<W, N>(values, rows.x, target));
}

fn portable_rows<const W: usize, const N: usize>(
    values: Values<'_>,
    x: &[f32],
    mut target: Target<'_, '_>,
) {
    let mut all = [[0.0; W]; N];
    let x = x.as_chunks::<N>().0;
    let mut add = |weights: &[f32; W], x: &[f32; N]| {
        for (sums, x) in all.iter_mut().zip(x) {
            sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum = fused(*x, *weight, *sum));
        }
    };
    match values {
        Values::F32(values) => values.as_chunks().0.iter().zip(x).for_each(|(w, x)| add(w, x)),
        Values::Int8(values, scales) => {
            let Some(scales) = scales.first_chunk::<W>() else { return };
            for (q, x) in values.as_chunks::<W>().0.iter().zip(x) {
                add(&std::array::from_fn(|i| f32::from(q[i]) * scales[i]), x);
            }
        }
        Values::Bf16(words) => {
            for (words, x) in words.as_chunks::<W>().0.iter().zip(x) {
                for half in [first_of, second_of] {
                    add(&words.map(half), &x.map(half));
                }
            }
        }
    }
    let adds = target.adds;
    for (sums, row) in all.iter().zip(target.places::<W>()) {
        match adds {
            true => row.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum),
            false => *row = *sums,
        }
    }
}

/// a * b + c, rounded once if the machine has an instruction for it.
#[inline(always)]
fn fused(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
        a.mul_add(b, c)
    } else {
        a * b + c
    }
}

/// Packs two values as bf16, rounded to even, into one word.
#[inline(always)]
pub(super) fn word(first: f32, second: f32) -> f32 {
    let round = |x: f32| {
        let bits = x.to_bits();
        bits.wrapping_add(0x7fff + ((bits >> 16) & 1))
    };
    f32::from_bits((round(first) >> 16) | (round(second) & 0xffff_0000))
}

/// The first value of a word.
#[inline(always)]
fn first_of(word: f32) -> f32 {
    f32::from_bits(word.to_bits() << 16)
}

/// The second value of a word.
#[inline(always)]
fn second_of(word: f32) -> f32 {
    f32::from_bits(word.to_bits() & 0xffff_0000)
}

#[cfg(test)]
mod tests;
