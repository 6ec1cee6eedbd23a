//! Which tiles cover a convolution's images, and where their pixels lie.

use crate::kernels::conv::geometry::Conv;
use crate::kernels::tile::ROWS;
use zsad_core::winograd::STEP;

/// Most tiles of a block: enough that the transformed weights, which each block reads anew from the last cache, cost little
/// beside its products, and so few that the block's own values mostly stay in the second-level cache.
const BLOCK: usize = 10 * ROWS;

/// The tiles of an image.
#[derive(Clone, Copy)]
pub struct Grid {
    h: usize,
    w: usize,
    down: usize,
    across: usize,
}

/// Where a tile is.
pub struct Tile {
    image: usize,
    /// The row and column of its first output.
    first: [usize; 2],
}

impl Grid {
    pub fn new(conv: &Conv) -> Self {
        Grid { h: conv.h, w: conv.w, down: conv.h.div_ceil(STEP), across: conv.w.div_ceil(STEP) }
    }

    /// Tiles of an image.
    pub fn tiles(&self) -> usize {
        self.down * self.across
    }

    fn tile(&self, i: usize) -> Tile {
        let first = [i % self.tiles() / self.across * STEP, i % self.across * STEP];
        Tile { image: i / self.tiles(), first }
    }

    /// Cuts the tiles of `n` images into blocks of equal size.
    pub fn blocks(self, n: usize) -> (usize, impl Iterator<Item = Vec<Tile>>) {
        let all = n * self.tiles();
        // At least one of each, so that no images are no error.
        let block = all.div_ceil(all.div_ceil(BLOCK).max(1)).next_multiple_of(ROWS).max(ROWS);
        let starts = (0..all).step_by(block);
        (block, starts.map(move |i| (i..all.min(i + block)).map(|i| self.tile(i)).collect()))
    }

    /// Where pixel (y, x) of a tile lies among images of `c` channels in a frame of one pixel, from the tile's first input
    /// (`shift` 0) or output (1); nowhere past the frame.
    #[inline(always)]
    pub fn framed(&self, tile: &Tile, shift: usize, c: usize) -> impl Fn(usize, usize) -> Option<usize> {
        place(tile.image, [self.h + 2, self.w + 2], tile.first.map(|at| at + shift), c)
    }

    /// Where a tile's output (y, x) lies among images of `c` channels without a frame; nowhere past the image.
    #[inline(always)]
    pub fn plain(&self, tile: &Tile, c: usize) -> impl Fn(usize, usize) -> Option<usize> {
        place(tile.image, [self.h, self.w], tile.first, c)
    }
}

#[inline(always)]
fn place(image: usize, [h, w]: [usize; 2], first: [usize; 2], c: usize) -> impl Fn(usize, usize) -> Option<usize> {
    move |y, x| {
        let (y, x) = (first[0] + y, first[1] + x);
        (y < h && x < w).then(|| ((image * h + y) * w + x) * c)
    }
}
