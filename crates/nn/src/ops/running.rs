//! Running mean and variance of a batch norm.

use candle_core::{Tensor, Var};

use crate::Result;
use crate::kernels::norm::Moments;

/// Weight of a new batch in the running statistics.
const MOMENTUM: f64 = 0.1;

/// The running statistics of a stage.
pub struct Running {
    /// `[c]`.
    pub mean: Var,
    /// `[c]`.
    pub var: Var,
    /// What the stage adds before its norm, which the kernels leave out: `[c]`.
    pub bias: Option<Tensor>,
}

/// Takes what each stage found in a batch into its running statistics.
pub fn update(running: &[Option<Running>], found: &[Option<Moments>]) -> Result<()> {
    for (Running { mean, var, bias }, found) in
        running.iter().zip(found).filter_map(|(r, f)| r.as_ref().zip(f.as_ref()))
    {
        let like = |v: Vec<f64>| Tensor::from_vec(v, mean.dims1()?, mean.device())?.to_dtype(mean.dtype());
        let new_mean = like(found.mean().to_vec())?;
        let new_mean = if let Some(bias) = bias { (new_mean + bias)? } else { new_mean };
        mix((mean, var), new_mean, like(found.unbiased_var())?)?;
    }
    Ok(())
}

/// PyTorch's update: momentum 0.1, and the unbiased variance in the running one.
pub fn mix((mean, var): (&Var, &Var), new_mean: Tensor, new_var: Tensor) -> Result<()> {
    for (old, new) in [(mean, new_mean), (var, new_var)] {
        old.set(&((old.as_tensor() * (1.0 - MOMENTUM))? + (new * MOMENTUM)?)?)?;
    }
    Ok(())
}
