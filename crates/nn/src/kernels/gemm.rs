//! Matrix products over packed right-hand sides, blocked for the first two cache levels.
//!
//! All run on the calling thread: work is shared out by task, above. The order of every sum depends on the shapes
//! alone.

use super::simd::prefetch;
use super::tile::{Cols, ROWS, Rows, Run, Start, Tiles};
use super::{Real, scratch};

/// Summands of one block: a panel of so many rows stays in the first-level cache.
const DEPTH: usize = 128;
/// Panels of a right-hand side, of at most so many columns, from which on it pays to lay the left-hand side out anew.
const PANELS: usize = 4;
/// See [`PANELS`].
const NARROW: usize = 16;
/// Output rows of one block: its part of the left-hand side stays in the second-level cache.
const BLOCK: usize = 32 * ROWS;

/// A right-hand side `[k, n]` in panels `[k][width]`, the last one filled up with zeros.
pub struct Packed<F: Real> {
    data: scratch::Buffer<F>,
    tiles: Tiles<F>,
    k: usize,
    n: usize,
}

impl<F: Real> Packed<F> {
    /// Packs B\[k\]\[j\] = values\[j · K + k\], K of them: the weight `[n, k]` of a linear layer.
    pub fn transposed(k: usize, n: usize, values: &[F]) -> Self {
        Self::transposed_for(F::tiles(), k, n, values)
    }

    fn transposed_for(tiles: Tiles<F>, k: usize, n: usize, values: &[F]) -> Self {
        assert!(values.len() >= n * k);
        let width = tiles.width;
        let mut data = scratch::take(n.div_ceil(width) * width * k);
        for (p, panel) in data.chunks_exact_mut((width * k).max(1)).enumerate() {
            let valid = width.min(n - p * width);
            if valid < width {
                panel.fill(F::ZERO);
            }
            // SAFETY: `valid` rows of `k` values lie there, and the panel has `k` rows of `width`.
            unsafe { (tiles.transpose)(&values[p * width * k..], [valid, k], panel, width) };
        }
        Packed { data, tiles, k, n }
    }

    /// Packs B\[k\]\[j\] = values\[base(k) + j · step\].
    pub fn new(k: usize, n: usize, values: &[F], base: impl Fn(usize) -> usize, step: usize) -> Self {
        let tiles = F::tiles();
        let width = tiles.width;
        let mut data = scratch::take(n.div_ceil(width) * width * k);
        for (p, panel) in data.chunks_exact_mut((width * k).max(1)).enumerate() {
            let valid = width.min(n - p * width);
            for (i, row) in panel.chunks_exact_mut(width).enumerate() {
                let from = &values[base(i) + p * width * step..];
                if step == 1 {
                    row[..valid].copy_from_slice(&from[..valid]);
                } else {
                    for (out, v) in row.iter_mut().zip(from.iter().step_by(step)).take(valid) {
                        *out = *v;
                    }
                }
                row[valid..].fill(F::ZERO);
            }
        }
        Packed { data, tiles, k, n }
    }
}

/// Where the rows of a matrix lie: those of one image, and from one image to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowMap {
    /// Offsets of an image's rows (pixels); a single 0 for plain matrices.
    pub image: Vec<usize>,
    /// From image to image (from row to row for plain matrices).
    pub stride: usize,
}

impl RowMap {
    /// A plain matrix of rows of `len` values.
    pub fn dense(len: usize) -> Self {
        RowMap { image: vec![0], stride: len }
    }

    /// The offset of row `r`.
    #[inline]
    pub fn at(&self, r: usize) -> usize {
        match self.image.as_slice() {
            [first] => r * self.stride + first,
            image => r / image.len() * self.stride + image[r % image.len()],
        }
    }

    /// One past the last offset that `rows` rows of `len` values reach.
    fn end(&self, rows: usize, len: usize) -> usize {
        let images = rows.div_ceil(self.image.len());
        images.saturating_sub(1) * self.stride + self.image.iter().max().unwrap_or(&0) + len
    }
}

/// C\[r\] = bias + Σ over runs of A\[r\]\[run\] · B, for `rows` rows: a linear layer, a convolution, or the gradient of
/// either's input.
pub fn rows_product<F: Real>(
    rows: usize,
    (a, a_map): (&[F], &RowMap),
    runs: &[Run],
    b: &Packed<F>,
    bias: Option<&[F]>,
    (c, c_map): (&mut [F], &RowMap),
) {
    if rows == 0 {
        return;
    }
    let reach = runs.iter().map(|r| r.offset + r.len).max().unwrap_or(0);
    assert!(a_map.end(rows, reach) <= a.len() && c_map.end(rows, b.n) <= c.len());
    assert!(runs.iter().map(|r| r.len).sum::<usize>() == b.k && bias.is_none_or(|x| x.len() == b.n));
    let tiles = b.tiles;
    let panels = b.n.div_ceil(tiles.width);
    let mut first = scratch::take(panels * tiles.width);
    first.fill(F::ZERO);
    if let Some(bias) = bias {
        first[..b.n].copy_from_slice(bias);
    }
    let blocks = blocks(runs);
    // Where a block's rows lie in both; the last row stands in for those past the end, which a tile may look at.
    let mut places = [(0, 0); BLOCK + 2 * ROWS];
    for block in (0..rows).step_by(BLOCK) {
        let here = BLOCK.min(rows - block);
        for (i, place) in places.iter_mut().enumerate() {
            let r = (block + i).min(rows - 1);
            *place = (a_map.at(r), c_map.at(r));
        }
        for p in 0..panels {
            let col = p * tiles.width;
            let mut panel = &b.data[col * b.k..];
            for (i, runs) in blocks.iter().enumerate() {
                for r in (0..here).step_by(ROWS) {
                    let (places, next) = places[r..].split_at(ROWS);
                    let m = ROWS.min(here - r);
                    let tile = Rows {
                        a: std::array::from_fn(|i| a.as_ptr().wrapping_add(places[i].0)),
                        next: std::array::from_fn(|i| a.as_ptr().wrapping_add(next[i].0)),
                        runs,
                        b: panel.as_ptr(),
                        c: std::array::from_fn(|i| c.as_mut_ptr().wrapping_add(places[i.min(m - 1)].1 + col)),
                        n: tiles.width.min(b.n - col),
                        start: if i == 0 { Start::Values(first[col..].as_ptr()) } else { Start::Output },
                    };
                    // SAFETY: the assertions above bound every row, run and column; `tiles` fits this processor.
                    unsafe { (tiles.rows)(m, &tile) };
                }
                panel = &panel[runs.iter().map(|r| r.len).sum::<usize>() * tiles.width..];
            }
        }
    }
}

/// Cuts runs into blocks of at most [`DEPTH`] summands.
fn blocks(runs: &[Run]) -> Vec<Vec<Run>> {
    let mut blocks: Vec<Vec<Run>> = Vec::new();
    let mut room = 0;
    for run in runs {
        let pieces = run.len.div_ceil(DEPTH).max(1);
        let len = run.len.div_ceil(pieces).max(1);
        for start in (0..run.len).step_by(len) {
            let piece = Run { offset: run.offset + start, len: len.min(run.len - start) };
            if piece.len > room {
                blocks.push(Vec::new());
                room = DEPTH;
            }
            room -= piece.len;
            if let Some(block) = blocks.last_mut() {
                block.push(piece);
            }
        }
    }
    blocks
}

/// C\[i\]\[j\] += Σ over `rows` rows r of A\[r\]\[shift + i\] · B\[r\]\[j\], for each of `parts` = (shift, first row of C,
/// number of rows): the gradient of a weight. C has rows of `n` values.
pub fn cols_product<F: Real>(
    rows: usize,
    a: (&[F], &RowMap),
    parts: &[(usize, usize, usize)],
    b: (&[F], &RowMap),
    n: usize,
    c: &mut [F],
) {
    cols_product_for(F::tiles(), rows, a, parts, b, n, c);
}

fn cols_product_for<F: Real>(
    tiles: Tiles<F>,
    rows: usize,
    (a, a_map): (&[F], &RowMap),
    parts: &[(usize, usize, usize)],
    (b, b_map): (&[F], &RowMap),
    n: usize,
    c: &mut [F],
) {
    if rows == 0 {
        return;
    }
    for &(shift, first, m) in parts {
        assert!(a_map.end(rows, shift + m) <= a.len() && (first + m) * n <= c.len());
    }
    assert!(b_map.end(rows, n) <= b.len());
    let mut panel = scratch::take(DEPTH * tiles.width);
    let mut offsets = [0usize; DEPTH];
    let heights: Vec<Height> = parts.iter().flat_map(|&part| heights(part)).collect();
    // Where many narrow panels read a block of A, each of its tiles is laid out in one piece first: a tile takes a few values
    // of each row, and rows of some lengths would all fall in the same sets of the caches.
    let packs = tiles.width <= NARROW && n >= PANELS * tiles.width;
    let mut packed = scratch::take(if packs { heights.len() * DEPTH * ROWS } else { 0 });
    let in_packed: [usize; DEPTH] = std::array::from_fn(|k| k * ROWS);
    // Panels of B in turn: (first row, first column).
    let turns = (0..rows).step_by(DEPTH).flat_map(|block| (0..n).step_by(tiles.width).map(move |col| (block, col)));
    let mut turns = turns.peekable();
    while let Some((block, col)) = turns.next() {
        let depth = DEPTH.min(rows - block);
        if col == 0 {
            for (i, o) in offsets.iter_mut().enumerate().take(depth) {
                *o = a_map.at(block + i);
            }
            pack_tiles(a, &offsets[..depth], &heights, &mut packed);
        }
        let width = tiles.width.min(n - col);
        pack_rows(depth, |i| &b[b_map.at(block + i) + col..][..width], tiles.width, &mut panel);
        // The next panel is fetched meanwhile, some rows with each tile.
        let (next, next_col) = turns.peek().copied().unwrap_or((rows, 0));
        let mut ahead = next..rows.min(next + DEPTH);
        for (i, height) in heights.iter().enumerate() {
            for row in ahead.by_ref().take(DEPTH.div_ceil(heights.len())) {
                prefetch(&b[b_map.at(row) + next_col..], tiles.width);
            }
            let (from, at) = if packs {
                (packed[i * DEPTH * ROWS..].as_ptr(), &in_packed[..depth])
            } else {
                (a[height.from..].as_ptr(), &offsets[..depth])
            };
            let c = c[height.to * n + col..].as_mut_ptr();
            let tile = Cols { a: from, rows: at, b: panel.as_ptr(), c, ldc: n, n: width };
            // SAFETY: the assertions above bound every row and column; `tiles` fits this processor.
            unsafe { (tiles.cols)(height.rows, &tile) };
        }
    }
}

/// Output rows of a tile: where they start in a row of A, and in C, and how many they are.
struct Height {
    from: usize,
    to: usize,
    rows: usize,
}

/// Cuts a part into tiles of nearly equal height: a low one keeps too few sums to hide what each addition takes.
fn heights((shift, first, m): (usize, usize, usize)) -> impl Iterator<Item = Height> {
    let count = m.div_ceil(ROWS);
    (0..count).map(move |i| {
        let (start, end) = (i * m / count, (i + 1) * m / count);
        Height { from: shift + start, to: first + start, rows: end - start }
    })
}

/// Lays the tiles of some rows of A, at `offsets`, out in pieces of `DEPTH` · `ROWS` values; nothing into no room.
fn pack_tiles<F: Real>(a: &[F], offsets: &[usize], heights: &[Height], packed: &mut [F]) {
    for (height, piece) in heights.iter().zip(packed.chunks_exact_mut(DEPTH * ROWS)) {
        for (to, &at) in piece.as_chunks_mut::<ROWS>().0.iter_mut().zip(offsets) {
            let from = &a[at + height.from..];
            // A whole row, of a size that the compiler knows, where there is one.
            if let Some(from) = from.first_chunk::<ROWS>() {
                *to = *from;
            } else {
                to[..height.rows].copy_from_slice(&from[..height.rows]);
            }
        }
    }
}

/// Packs `rows` rows of at most `width` values.
fn pack_rows<'a, F: Real>(rows: usize, row: impl Fn(usize) -> &'a [F], width: usize, panel: &mut [F]) {
    for (i, to) in panel.chunks_exact_mut(width).take(rows).enumerate() {
        let from = row(i);
        let (whole, rest) = from.as_chunks::<16>();
        let (to, end) = to.split_at_mut(16 * whole.len());
        // Pieces of a size that the compiler knows: a call to copy a few lines takes longer than the copying.
        to.as_chunks_mut::<16>().0.iter_mut().zip(whole).for_each(|(to, from)| *to = *from);
        end[..rest.len()].copy_from_slice(rest);
        end[rest.len()..].fill(F::ZERO);
    }
}

#[cfg(test)]
mod tests;
