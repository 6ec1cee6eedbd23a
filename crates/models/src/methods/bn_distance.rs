//! Distance to the mean in standardised features: batch normalisation without a network.

use zsad_core::{Accepts, MethodSpec, Result};

use crate::families::classical::{Classical, PointMethod};
use crate::math::Points;

/// The registry's entry: Euclidean norm of (x − mean) / √(variance + 1e-5), biased variance.
pub const DEF: Classical<BnDistance> = Classical::new(&MethodSpec {
    name: "bn_distance",
    version: 1,
    summary: "norm of the batch-standardised features: the floor under every batch-norm method",
    citation: "the normalisation of Ioffe and Szegedy: Batch Normalization, ICML 2015, with no network around it",
    accepts: Accepts::ANY,
});

zsad_core::params! {
    /// It has no parameters of its own.
    pub struct BnDistance {}
}

/// As batch norm has it.
const EPSILON: f64 = 1e-5;

impl PointMethod for BnDistance {
    /// Mean and scale of every feature.
    type Model = (Vec<f64>, Vec<f64>);

    fn fit(&self, x: &Points, _: u64) -> Result<Self::Model> {
        let mean = x.mean();
        let scale = x.variance(&mean).into_iter().map(|v| (v + EPSILON).sqrt()).collect();
        Ok((mean, scale))
    }

    fn score(&self, (mean, scale): &Self::Model, x: &Points, _: bool) -> Result<Vec<f64>> {
        Ok(x.standardised_norms(mean, scale).into_iter().map(f64::sqrt).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::classical::testing::on_pool;
    use crate::math::testing::{agree, x, y};

    // import numpy as np; x and y as in math::testing
    // m, s = x.mean(0), np.sqrt(x.var(0) + 1e-5)
    // print(np.linalg.norm((x - m) / s, axis=1)[:12], np.linalg.norm((y - m) / s, axis=1))
    #[test]
    fn equals_numpy() {
        agree(
            &on_pool(&BnDistance::default(), &x(), &x()),
            &[
                1.8206702252455607,
                2.069378627162133,
                1.8402581989615932,
                2.0684225349184557,
                2.0684225349184557,
                2.1371906519925985,
                1.8072669231379803,
                1.4548122459206425,
                1.7642567113727063,
                1.644502909303514,
                2.157768801930377,
                9.80367266627602,
            ],
            1e-12,
        );
        agree(
            &on_pool(&BnDistance::default(), &x(), &y()),
            &[2.470928289861578, 2.5138735115984874, 2.187063152830228, 2.0684225349184557],
            1e-12,
        );
    }
}
