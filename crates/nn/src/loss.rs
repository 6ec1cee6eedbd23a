//! Losses per sample, and how a task's loss is made of them.

use candle_core::{D, DType, Tensor};
use zsad_core::{Implementation, Operator};

use crate::Result;
use crate::error::bail_shape;
use crate::kernels::loss as kernel;
use crate::ops::{Element, custom, scope, with_slices};
use crate::params::Builder;
use crate::train::Tasks;

/// Distances of codes to a centre, as a part of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Distance(Implementation);

impl Distance {
    /// Where the parameters of `b` are.
    pub fn new(b: &mut Builder) -> Self {
        Distance::by(b.operator(Operator::Distance))
    }

    /// Computed in the way named.
    pub const fn by(implementation: Implementation) -> Self {
        Distance(implementation)
    }

    /// Squared Euclidean distance of each code to the centre: `[n, d]`, `[d]` → `[n]`.
    ///
    /// # Errors
    /// Where the shapes do not fit.
    pub fn squared(self, z: &Tensor, centre: &Tensor) -> Result<Tensor> {
        if z.rank() != 2 || centre.rank() != 1 || z.dims()[1] != centre.dims()[0] {
            bail_shape!("squared distance wants [n, d] and [d], not {:?} and {:?}", z.dims(), centre.dims());
        }
        match (self.0, z.dtype()) {
            (Implementation::Fused, DType::F32) => distance_kernel::<f32>(z, centre),
            (Implementation::Fused, DType::F64) => distance_kernel::<f64>(z, centre),
            _ => squared_distance_reference(z, &scope::read(centre)),
        }
    }

    /// Deep SVDD's pair of losses as ACR uses it: d and 1/d of the squared distance d, `[n]` each.
    ///
    /// # Errors
    /// As [`Distance::squared`].
    pub fn dsvdd(self, z: &Tensor, centre: &Tensor) -> Result<(Tensor, Tensor)> {
        let d = self.squared(z, centre)?;
        let inverse = d.recip()?;
        Ok((d, inverse))
    }
}

/// [`Distance::squared`] from candle's own operations.
///
/// # Errors
/// Where candle refuses.
pub fn squared_distance_reference(z: &Tensor, centre: &Tensor) -> Result<Tensor> {
    Ok(z.broadcast_sub(centre)?.sqr()?.sum(D::Minus1)?)
}

fn distance_kernel<F: Element>(z: &Tensor, centre: &Tensor) -> Result<Tensor> {
    let args = [z.contiguous()?, centre.contiguous()?];
    let values = args.clone().map(|t| t.detach());
    let distances = with_slices::<F, _>(&args, |s| kernel::squared_distance(s[0], s[1]))?;
    let backward = move |d: &Tensor| {
        let all = [values[0].clone(), values[1].clone(), d.detach()];
        let (dz, dc) = with_slices::<F, _>(&all, |s| kernel::squared_distance_backward(s[0], s[1], s[2]))
            .map_err(candle_core::Error::wrap)?;
        let tensor = |v: Vec<F>, like: &Tensor| Tensor::from_vec(v, like.shape(), like.device()).map(Some);
        Ok(vec![tensor(dz, &values[0])?, tensor(dc, &values[1])?])
    };
    Ok(custom(distances, z.dims()[0], &args, backward)?)
}

/// The deterministic contrastive loss of neural transformation learning, as a part of a network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contrastive {
    temperature: f64,
    by: Implementation,
}

impl Contrastive {
    /// At `temperature` T, where the parameters of `b` are.
    pub fn new(b: &mut Builder, temperature: f64) -> Self {
        Contrastive::by(b.operator(Operator::Contrastive), temperature)
    }

    /// At `temperature` T, computed in the way named.
    pub const fn by(implementation: Implementation, temperature: f64) -> Self {
        Contrastive { temperature, by: implementation }
    }

    /// Codes `[n, K + 1, d]` (view 0 the original) → `(L_n, L_a)`, `[n]` each.
    ///
    /// With unit codes z, pos_k = exp(z_k·z_0/T) and denom_k = Σ_{l≠k} exp(z_k·z_l/T):
    /// L_n = mean_k s (log denom_k − log pos_k), L_a = mean_k −s log(1 − pos_k/denom_k), s = 1/|log(1/K)|
    /// (Qiu et al., ICML 2021, equation 2; scaled as the official ACR code does).
    ///
    /// # Errors
    /// Where there are fewer than two views beside the original.
    pub fn losses(self, z: &Tensor) -> Result<(Tensor, Tensor)> {
        if z.rank() != 3 || z.dims()[1] < 3 {
            bail_shape!("the contrastive loss wants [n, K + 1 >= 3, d], not {:?}", z.dims());
        }
        match (self.by, z.dtype()) {
            (Implementation::Fused, DType::F32) => ntl_kernel::<f32>(z, self.temperature),
            (Implementation::Fused, DType::F64) => ntl_kernel::<f64>(z, self.temperature),
            _ => ntl_reference(z, self.temperature),
        }
    }
}

/// [`Contrastive::losses`] from candle's own operations.
///
/// # Errors
/// Where candle refuses.
pub fn ntl_reference(z: &Tensor, temperature: f64) -> Result<(Tensor, Tensor)> {
    let k = z.dims()[1] - 1;
    let norm = z.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?.maximum(1e-12)?;
    let z = z.broadcast_div(&norm)?;
    let sim = (z.contiguous()?.matmul(&z.t()?.contiguous()?)? / temperature)?.exp()?;
    let off_diagonal = (1.0 - Tensor::eye(k + 1, z.dtype(), z.device())?)?;
    let denom = sim.broadcast_mul(&off_diagonal)?.sum(D::Minus1)?.narrow(1, 1, k)?;
    let pos = sim.narrow(2, 0, 1)?.squeeze(2)?.narrow(1, 1, k)?;
    let scale = 1.0 / (k as f64).ln();
    let normal = ((denom.log()? - pos.log()?)? * scale)?.mean(D::Minus1)?;
    let outlier = ((1.0 - pos.div(&denom)?)?.log()? * -scale)?.mean(D::Minus1)?;
    Ok((normal, outlier))
}

fn ntl_kernel<F: Element>(z: &Tensor, temperature: f64) -> Result<(Tensor, Tensor)> {
    let (n, k1, d) = z.dims3()?;
    let loss = kernel::Contrastive { k1, d, temperature };
    let args = [z.contiguous()?];
    let value = args[0].detach();
    let (mut both, outlier) = with_slices::<F, _>(&args, |s| loss.forward(s[0]))?;
    both.extend(outlier);
    let backward = move |d: &Tensor| {
        let all = [value.clone(), d.detach()];
        let dz = with_slices::<F, _>(&all, |s| {
            let (dn, da) = s[1].split_at(n);
            loss.backward(s[0], dn, da)
        });
        let dz = Tensor::from_vec(dz.map_err(candle_core::Error::wrap)?, value.shape(), value.device())?;
        Ok(vec![Some(dz)])
    };
    let both = custom(both, (2, n), &args, backward)?;
    Ok((both.get(0)?, both.get(1)?))
}

/// Binary cross entropy of logits: `[n]` → `(L_n, L_a)` = (−log(1 − p), −log p), computed without overflow.
///
/// # Errors
/// Where candle refuses.
pub fn bce(logits: &Tensor) -> Result<(Tensor, Tensor)> {
    let softplus = (logits.relu()? + (logits.abs()?.neg()?.exp()? + 1.0)?.log()?)?;
    let outlier = (&softplus - logits)?;
    Ok((softplus, outlier))
}

/// Each task's loss, `[tasks]`: the mean over its samples of `normal` where they are normal and of `outlier` where they
/// are outliers, both `[tasks · batch]`.
///
/// # Errors
/// Where the shapes do not fit `tasks`.
pub fn per_task(normal: &Tensor, outlier: &Tensor, tasks: &Tasks) -> Result<Tensor> {
    let n = tasks.outliers().len();
    if normal.dims() != [n] || outlier.dims() != [n] {
        bail_shape!("{n} samples want losses [{n}], not {:?} and {:?}", normal.dims(), outlier.dims());
    }
    let flags: Vec<u8> = tasks.outliers().iter().map(|&o| u8::from(o)).collect();
    let chosen = Tensor::from_vec(flags, n, normal.device())?.where_cond(outlier, normal)?;
    Ok(chosen.reshape((tasks.tasks(), ()))?.mean(D::Minus1)?)
}

#[cfg(test)]
mod tests;
