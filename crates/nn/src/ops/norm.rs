//! Ordinary batch norm in training, over rows.

use candle_core::{DType, Tensor};

use super::{Element, custom, with_slices};
use crate::Result;
use crate::kernels::gemm::RowMap;
use crate::kernels::norm::{EPS, Tail, moments};

/// What a batch norm makes of its batch.
pub struct Normed {
    /// max((x − mean) / √(var + 1e-5) · gain + offset, floor), `[n, c]`.
    pub y: Tensor,
    /// The means of the channels, `[c]`.
    pub mean: Vec<f64>,
    /// Their biased variances, `[c]`.
    pub var: Vec<f64>,
}

/// Batch norm of rows `x` `[n, c]` on the processor, with `gain` and `offset` `[c]`, then ReLU where `relu`.
///
/// # Errors
/// Where the tensors lie elsewhere, or are not of one type.
pub fn batch_norm(x: &Tensor, gain: &Tensor, offset: &Tensor, relu: bool) -> Result<Normed> {
    match x.dtype() {
        DType::F64 => batch_norm_as::<f64>(x, gain, offset, relu),
        _ => batch_norm_as::<f32>(x, gain, offset, relu),
    }
}

fn batch_norm_as<F: Element>(x: &Tensor, gain: &Tensor, offset: &Tensor, relu: bool) -> Result<Normed> {
    let (n, c) = x.dims2()?;
    let args = [x.contiguous()?, gain.clone(), offset.clone()];
    let (mut mean, mut istd) = (vec![F::ZERO; c], vec![F::ZERO; c]);
    let (out, hat) = with_slices::<F, _>(&args, |s| {
        moments(s[0], &mut mean, &mut istd);
        let (mut hat, mut out) = (s[0].to_vec(), vec![F::ZERO; n * c]);
        let tail = Tail { affine: (s[1], s[2]), relu, pool: None };
        tail.forward(&mut hat, Some((&mean, &istd)), (&mut out, &RowMap::dense(c)), &mut []);
        (out, hat)
    })?;
    let mean = mean.iter().map(|m| m.f64()).collect();
    let var = istd.iter().map(|i| (i.f64().powi(-2) - EPS).max(0.0)).collect();
    let values = [gain.detach(), offset.detach()];
    let backward = move |gradient: &Tensor| {
        let (mut dgain, mut doffset) = (vec![0.0; c], vec![0.0; c]);
        let dx = with_slices::<F, _>(&[values[0].clone(), values[1].clone(), gradient.detach()], |s| {
            let mut d = s[2].to_vec();
            let tail = Tail { affine: (s[0], s[1]), relu, pool: None };
            tail.backward(&hat, Some(&istd), &mut d, &mut dgain, &mut doffset);
            d
        })
        .map_err(candle_core::Error::wrap)?;
        let channels = |v: Vec<f64>| Tensor::from_vec(v.into_iter().map(F::of).collect(), c, gradient.device());
        let dx = Tensor::from_vec(dx, (n, c), gradient.device())?;
        Ok(vec![Some(dx), Some(channels(dgain)?), Some(channels(doffset)?)])
    };
    Ok(Normed { y: custom(out, (n, c), &args, backward)?, mean, var })
}
