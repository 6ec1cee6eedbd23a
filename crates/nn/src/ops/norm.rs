//! Ordinary batch norm in training, over rows.

use candle_core::{DType, Tensor};

use super::{Element, custom, with_slices};
use crate::Result;
use crate::kernels::gemm::RowMap;
use crate::kernels::norm::{BLOCK, Moments, Tail};

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
    let mut moments = Moments::new(c);
    let (mut mean, mut istd) = (vec![F::ZERO; c], vec![F::ZERO; c]);
    let out = with_slices::<F, _>(&args, |s| {
        s[0].chunks(BLOCK * c).for_each(|block| moments.add(block));
        moments.finish(&mut mean, &mut istd);
        let mut out = vec![F::ZERO; n * c];
        let tail = Tail { shared: 1, moments: (&mean, &istd), affine: (s[1], s[2]), relu, pool: None };
        tail.forward(s[0], (&mut out, &RowMap::dense(c)), &mut []);
        out
    })?;
    let values = args.clone().map(|t| t.detach());
    let backward = move |gradient: &Tensor| {
        let mut sums = vec![0.0; 2 * c];
        let [x, gain, offset] = values.clone();
        let dx = with_slices::<F, _>(&[x, gain, offset, gradient.detach()], |s| {
            let mut d = s[3].to_vec();
            let tail = Tail { shared: 1, moments: (&mean, &istd), affine: (s[1], s[2]), relu, pool: None };
            tail.sums(s[0], &d, &mut sums);
            tail.backward(s[0], &mut d, n, &sums);
            d
        })
        .map_err(candle_core::Error::wrap)?;
        let channels = |v: &[f64]| Tensor::from_vec(v.iter().map(|&v| F::of(v)).collect(), c, gradient.device());
        let dx = Tensor::from_vec(dx, (n, c), gradient.device())?;
        Ok(vec![Some(dx), Some(channels(&sums[..c])?), Some(channels(&sums[c..])?)])
    };
    Ok(Normed { y: custom(out, (n, c), &args, backward)?, mean: moments.mean().to_vec(), var: moments.var() })
}
