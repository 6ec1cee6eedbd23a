//! What the processor can do: the yardstick beside which networks and training steps are measured.

use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;
use zsad_nn::layers::{Linear, LinearInit};
use zsad_nn::{Init, ParamStore, Result, no_grad};

/// GFLOP/s of the product of two `n` × `n` matrices in f32, as a linear layer computes it, on the current rayon pool: the
/// best of `reps`.
pub fn gemm_gflops(n: usize, reps: usize) -> Result<f64> {
    let mut params = ParamStore::new(&Device::Cpu, DType::F32);
    let mut rng = zsad_core::rng::stream(0, &[]);
    let weight = Init::Normal(0.0, 1.0);
    let layer = Linear::new(&mut params.builder(&mut rng), n, n, LinearInit { weight, bias: None })?;
    let rows = n.div_ceil(2 * rayon::current_num_threads()).max(1);
    let parts: Vec<Tensor> = (0..n)
        .step_by(rows)
        .map(|from| weight.tensor(&[rows.min(n - from), n], DType::F32, &Device::Cpu, &mut rng))
        .collect::<Result<_>>()?;
    let mut best = f64::INFINITY;
    for _ in 0..reps.max(1) {
        let start = Instant::now();
        parts.par_iter().try_for_each(|x| no_grad(|| layer.forward(x)).map(drop))?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(2.0 * (n as f64).powi(3) / best / 1e9)
}
