//! What the processor can do: the yardstick beside which a training step is measured.

use std::time::Instant;

use rayon::prelude::*;

use crate::kernels::gemm::{Packed, RowMap, rows_product};
use crate::kernels::tile::Run;

/// GFLOP/s of this crate's matrix product of two `n` × `n` matrices in f32, on the current rayon pool: the best of
/// `reps`.
pub fn gemm_gflops(n: usize, reps: usize) -> f64 {
    let a: Vec<f32> = (0..n * n).map(|i| (i % 17) as f32 - 8.0).collect();
    let mut c = vec![0f32; n * n];
    let (map, runs) = (RowMap::dense(n), [Run { offset: 0, len: n }]);
    let best = (0..reps.max(1)).map(|_| {
        let start = Instant::now();
        let b = Packed::new(n, n, &a, |k| k * n, 1);
        let rows = n.div_ceil(2 * rayon::current_num_threads()).max(1) * n;
        c.par_chunks_mut(rows).zip(a.par_chunks(rows)).for_each(|(c, a)| {
            rows_product(a.len() / n, (a, &map), &runs, &b, None, (c, &map));
        });
        start.elapsed().as_secs_f64()
    });
    2.0 * (n as f64).powi(3) / best.fold(f64::INFINITY, f64::min) / 1e9
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_rate_is_measured() {
        let rate = super::gemm_gflops(64, 2);
        assert!(rate.is_finite() && rate > 0.0);
    }
}
