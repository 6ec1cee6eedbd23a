//! The innermost loops of all matrix products: a tile of at most 6 rows × one panel of columns, kept in registers.
//!
//! The right-hand side is packed in panels `[k][width]`; the left-hand side is read where it lies, as a row per output
//! row ([`Rows`]) or as a row per summand ([`Cols`]), so that activations are never copied.

mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use zsad_core::Simd;

/// Most rows of a tile.
pub const ROWS: usize = 6;

/// A stretch of consecutive summands: where it starts, relative to each row's base, and how many they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Offset from the row's base.
    pub offset: usize,
    /// Number of summands.
    pub len: usize,
}

/// Where a tile's sums start.
#[derive(Clone, Copy)]
pub enum Start<F> {
    /// At what the output holds.
    Output,
    /// At a panel's worth of values for every row: zeros or a bias.
    Values(*const F),
}

/// C\[i\]\[j\] = start + Σ over runs and k of A\[i\]\[run + k\] · B\[k\]\[j\].
pub struct Rows<'a, F> {
    /// Bases of the rows of A; as many as there are rows.
    pub a: [*const F; ROWS],
    /// Those of the tile that comes next, to be fetched meanwhile; any addresses.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "the tiles of x86 alone ask for it ahead"))]
    pub next: [*const F; ROWS],
    /// The summands; B is packed in their order.
    pub runs: &'a [Run],
    /// A packed panel.
    pub b: *const F,
    /// Rows of C.
    pub c: [*mut F; ROWS],
    /// Columns of C in this panel.
    pub n: usize,
    /// Where the sums start.
    pub start: Start<F>,
}

/// C\[i\]\[j\] += Σ over k of A\[k\]\[i\] · B\[k\]\[j\].
pub struct Cols<'a, F> {
    /// Where A lies.
    pub a: *const F,
    /// Offsets of its rows k; entry i of a row belongs to output row i.
    pub rows: &'a [usize],
    /// A packed panel.
    pub b: *const F,
    /// Row 0 of C.
    pub c: *mut F,
    /// From one row of C to the next.
    pub ldc: usize,
    /// Columns of C in this panel.
    pub n: usize,
}

/// The tile loops of one instruction set.
///
/// # Safety
/// All pointers must be valid for the rows, runs and columns named, B for full panels of `width`, and the processor
/// must have the instruction set; the first argument is the number of rows, 1 to [`ROWS`].
#[derive(Clone, Copy)]
pub struct Tiles<F> {
    /// Columns of a panel.
    pub width: usize,
    /// See [`Rows`].
    pub rows: unsafe fn(usize, &Rows<'_, F>),
    /// See [`Cols`].
    pub cols: unsafe fn(usize, &Cols<'_, F>),
    /// Transposes a contiguous matrix of `[rows, columns]` into rows of so many values.
    pub transpose: unsafe fn(&[F], [usize; 2], &mut [F], usize),
}

/// The tile loops of an instruction set that the processor has.
pub fn of(simd: Simd) -> Tiles<f32> {
    match simd {
        #[cfg(target_arch = "x86_64")]
        Simd::Avx512 => x86::avx512(),
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 => x86::avx2(),
        _ => portable(),
    }
}

pub use portable::portable;
