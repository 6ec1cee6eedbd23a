//! Images from one layout to another.

use super::geometry::Conv;
use crate::kernels::Real;
use crate::kernels::gemm::RowMap;

/// Copies `[n, c, pixels]` into channels-last pixels at `map`.
pub fn channels_last<F: Real>(x: &[F], c: usize, pixels: usize, (out, map): (&mut [F], &RowMap)) {
    for (i, image) in x.chunks_exact(c * pixels).enumerate() {
        for p in 0..pixels {
            let at = map.at(i * pixels + p);
            for (j, o) in out[at..at + c].iter_mut().enumerate() {
                *o = image[j * pixels + p];
            }
        }
    }
}

/// Copies channels-last pixels `[n · pixels, c]` into `[n, c, pixels]`.
pub fn channels_first<F: Real>(x: &[F], c: usize, pixels: usize, out: &mut [F]) {
    for (image, out) in x.chunks_exact(c * pixels).zip(out.chunks_exact_mut(c * pixels)) {
        for (p, pixel) in image.chunks_exact(c).enumerate() {
            for (j, &v) in pixel.iter().enumerate() {
                out[j * pixels + p] = v;
            }
        }
    }
}

/// Unfolds `[n, c, h, w]` into rows `[n · oh · ow, c · 9]` in the order of a weight's `[c, 3, 3]`: for images of few
/// channels, whose stretches would be too short.
pub fn unfold<F: Real>(conv: &Conv, x: &[F], out: &mut [F]) {
    let (c, h, w) = (conv.c, conv.h, conv.w);
    let mut rows = out.chunks_exact_mut(9 * c);
    for image in x.chunks_exact(c * h * w) {
        for (y, x) in (0..conv.oh()).flat_map(|y| (0..conv.ow()).map(move |x| (y * conv.stride, x * conv.stride))) {
            let Some(row) = rows.next() else { return };
            for (k, out) in row.iter_mut().enumerate() {
                // One is added to both, so that the frame above and to the left stays a natural number.
                let (iy, ix) = (y + k / 3 % 3, x + k % 3);
                let inside = (1..=h).contains(&iy) && (1..=w).contains(&ix);
                *out = if inside { image[(k / 9 * h + iy - 1) * w + ix - 1] } else { F::ZERO };
            }
        }
    }
}
