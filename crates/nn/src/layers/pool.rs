//! Pooling over space.

use candle_core::{D, Tensor};

use crate::Result;
use crate::error::bail_shape;

/// 2×2 max-pool with stride 2: `[n, c, h, w]` → `[n, c, ⌊h/2⌋, ⌊w/2⌋]`; an odd last row or column is left out.
///
/// # Errors
/// Where `x` is not an image batch of at least 2×2 pixels.
pub fn max_pool2(x: &Tensor) -> Result<Tensor> {
    let dims = x.dims();
    if dims.len() != 4 || dims[2] < 2 || dims[3] < 2 {
        bail_shape!("a 2x2 max-pool wants [n, c, h >= 2, w >= 2], not {dims:?}");
    }
    let (h, w) = (dims[2] / 2, dims[3] / 2);
    let x = x.narrow(2, 0, 2 * h)?.narrow(3, 0, 2 * w)?.contiguous()?;
    Ok(x.reshape((dims[0], dims[1], h, 2, w, 2))?.max(5)?.max(3)?)
}

/// The mean over space: `[n, c, h, w]` → `[n, c]`.
///
/// # Errors
/// Where `x` is not an image batch.
pub fn mean_over_space(x: &Tensor) -> Result<Tensor> {
    if x.rank() != 4 {
        bail_shape!("a mean over space wants [n, c, h, w], not {:?}", x.dims());
    }
    Ok(x.flatten_from(2)?.mean(D::Minus1)?)
}
