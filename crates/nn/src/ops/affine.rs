//! The affine coupling of a normalizing flow.

use candle_core::{DType, Tensor};

use super::{Element, custom, with_slices};
use crate::Result;

/// Of points `x` `[n, c]` the last r channels x₂ become x₂ · eˢ + t, with s = `clamp` · tanh of the first r of the
/// coefficients `a` `[n, 2 r]` and t the others: `[n, c + 1]`, whose last channel is Σ s, the log-determinant.
///
/// # Errors
/// Where the tensors are not on the processor or not of one type.
pub fn affine(x: &Tensor, a: &Tensor, clamp: f64) -> Result<Tensor> {
    match x.dtype() {
        DType::F64 => affine_as::<f64>(x, a, clamp),
        _ => affine_as::<f32>(x, a, clamp),
    }
}

fn affine_as<F: Element>(x: &Tensor, a: &Tensor, clamp: f64) -> Result<Tensor> {
    let ((n, c), r) = (x.dims2()?, a.dims2()?.1 / 2);
    let args = [x.contiguous()?, a.contiguous()?];
    // For the way back: tanh and eˢ, beside each other.
    let mut kept = Vec::with_capacity(2 * n * r);
    let mut out = Vec::with_capacity(n * (c + 1));
    with_slices::<F, _>(&args, |v| {
        for (x, a) in v[0].chunks_exact(c).zip(v[1].chunks_exact(2 * r)) {
            let (same, changed) = x.split_at(c - r);
            out.extend_from_slice(same);
            let mut sum = 0.0;
            for ((&x, &scale), &shift) in changed.iter().zip(a).zip(&a[r..]) {
                let tanh = scale.f64().tanh();
                let factor = F::of((clamp * tanh).exp());
                sum += clamp * tanh;
                out.push(x * factor + shift);
                kept.push((F::of(tanh), factor));
            }
            out.push(F::of(sum));
        }
    })?;
    let x = args[0].detach();
    let backward = move |gradient: &Tensor| {
        let (mut dx, mut da) = (Vec::with_capacity(n * c), Vec::with_capacity(2 * n * r));
        with_slices::<F, _>(&[x.clone(), gradient.detach()], |v| {
            for ((x, d), kept) in v[0].chunks_exact(c).zip(v[1].chunks_exact(c + 1)).zip(kept.chunks_exact(r)) {
                let (same, changed) = d[..c].split_at(c - r);
                dx.extend_from_slice(same);
                dx.extend(changed.iter().zip(kept).map(|(&d, &(_, factor))| d * factor));
                let scales = changed.iter().zip(&x[c - r..]).zip(kept);
                da.extend(scales.map(|((&dy, &x), &(tanh, factor))| {
                    (dy * x * factor + d[c]) * F::of(clamp * (1.0 - tanh.f64().powi(2)))
                }));
                da.extend_from_slice(changed);
            }
        })
        .map_err(candle_core::Error::wrap)?;
        let device = gradient.device();
        Ok(vec![Some(Tensor::from_vec(dx, (n, c), device)?), Some(Tensor::from_vec(da, (n, 2 * r), device)?)])
    };
    Ok(custom(out, (n, c + 1), &args, backward)?)
}
