//! Distance to the mean in standardised features: batch normalisation without a network.

use zsad_core::{MethodSpec, Needs, Params, Result, Setting};

use crate::classical::{Classical, Detector, FIT, POOL_SAMPLES, Points};

/// The registry's entry: Euclidean norm of (x − mean) / √(variance + 1e-5), biased variance.
pub const DEF: Classical = Classical {
    spec: &MethodSpec {
        name: "bn_distance",
        version: 1,
        summary: "norm of the batch-standardised features: the floor under every batch-norm method",
        citation: "the normalisation of Ioffe and Szegedy: Batch Normalization, ICML 2015, with no network around it",
        setting: Setting::InBatch,
        needs: Needs::ANY,
        params: &[FIT, POOL_SAMPLES],
    },
    fit,
};

/// As batch norm has it.
const EPSILON: f64 = 1e-5;

struct Standardise {
    mean: Vec<f64>,
    scale: Vec<f64>,
}

fn fit(_: &Params, x: &Points, _: u64) -> Result<Box<dyn Detector>> {
    let mean = x.mean();
    let scale = x.variance(&mean).into_iter().map(|v| (v + EPSILON).sqrt()).collect();
    Ok(Box::new(Standardise { mean, scale }))
}

impl Detector for Standardise {
    fn score(&self, x: &Points) -> Result<Vec<f64>> {
        let z = x.standardised(&self.mean, &self.scale);
        Ok(z.rows().map(|row| row.iter().map(|v| v * v).sum::<f64>().sqrt()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classical::testing::{agree, defaults, x, y};

    // import numpy as np; x and y as in classical::testing
    // m, s = x.mean(0), np.sqrt(x.var(0) + 1e-5)
    // print(np.linalg.norm((x - m) / s, axis=1)[:12], np.linalg.norm((y - m) / s, axis=1))
    #[test]
    fn equals_numpy() {
        let found = fit(&defaults(&DEF), &x(), 0).unwrap();
        agree(
            &found.score(&x()).unwrap(),
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
            &found.score(&y()).unwrap(),
            &[2.470928289861578, 2.5138735115984874, 2.187063152830228, 2.0684225349184557],
            1e-12,
        );
    }
}
