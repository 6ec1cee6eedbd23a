//! Where in an image a point lies, as a condition.

use candle_core::{DType, Device, Tensor};

use crate::Result;
use crate::error::bail_shape;

/// Sine and cosine embedding of the positions of a `height` × `width` map: `[height · width, dim]`, the first half of
/// `dim` (a multiple of 4) for the column, the second for the row, wavelengths from 2π to 10,000 · 2π (Vaswani et al.,
/// 2017; in two dimensions as CFLOW and BGAD do).
///
/// # Errors
/// Where `dim` is no positive multiple of 4.
pub fn position_embedding(height: usize, width: usize, dim: usize, dtype: DType, device: &Device) -> Result<Tensor> {
    if dim == 0 || !dim.is_multiple_of(4) {
        bail_shape!("a position embedding has a multiple of 4 values, not {dim}");
    }
    let half = dim / 2;
    let value = |at: usize, i: usize| {
        let frequency = (-((i / 2 * 2) as f64) * 1e4f64.ln() / half as f64).exp();
        let angle = at as f64 * frequency;
        if i.is_multiple_of(2) { angle.sin() } else { angle.cos() }
    };
    let mut values = Vec::with_capacity(height * width * dim);
    for y in 0..height {
        for x in 0..width {
            values.extend((0..half).map(|i| value(x, i)).chain((0..half).map(|i| value(y, i))));
        }
    }
    Ok(Tensor::from_vec(values, (height * width, dim), device)?.to_dtype(dtype)?)
}
