//! Softmax attention from candle's operations.

use candle_core::{D, Tensor};
use zsad_nn::Result;

/// Along the last axis.
pub(crate) fn softmax(x: &Tensor) -> Result<Tensor> {
    let most = x.max_keepdim(D::Minus1)?.detach();
    let exponentials = x.broadcast_sub(&most)?.exp()?;
    Ok(exponentials.broadcast_div(&exponentials.sum_keepdim(D::Minus1)?)?)
}

/// What every token takes from the others: queries, keys and values `[sets, tokens, heads · k]` → the same shape. `mask` `[tokens, tokens]`
/// is added to the similarities.
pub(crate) fn attend([q, k, v]: [&Tensor; 3], heads: usize, mask: Option<&Tensor>) -> Result<Tensor> {
    let (sets, tokens, width) = q.dims3()?;
    let split = |x: &Tensor| x.reshape((sets, tokens, heads, width / heads))?.transpose(1, 2)?.contiguous();
    let (q, k, v) = (split(q)?, split(k)?, split(v)?);
    let scale = 1.0 / ((width / heads) as f64).sqrt();
    let mut similarities = (q.matmul(&k.t()?)? * scale)?;
    if let Some(mask) = mask {
        similarities = similarities.broadcast_add(mask)?;
    }
    let taken = softmax(&similarities)?.matmul(&v)?;
    Ok(taken.transpose(1, 2)?.reshape((sets, tokens, width))?)
}
