//! What is done to each row of a tensor.

use candle_core::{D, Tensor};

/// Rows divided by their length, or by 1e-12 where they are shorter.
pub(crate) fn unit(x: &Tensor) -> zsad_nn::Result<Tensor> {
    Ok(x.broadcast_div(&x.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?.maximum(1e-12)?)?)
}

/// Logarithms of the softmax.
pub(crate) fn log_softmax(x: &Tensor) -> zsad_nn::Result<Tensor> {
    Ok(x.broadcast_sub(&x.log_sum_exp(D::Minus1)?.unsqueeze(D::Minus1)?)?)
}
