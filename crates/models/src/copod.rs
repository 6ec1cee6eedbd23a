//! Copula-based outlier detection.

use zsad_core::{MethodSpec, Needs, Params, Result, Setting};

use crate::classical::tails::TailSum;
use crate::classical::{Classical, Detector, FIT, POOL_SAMPLES, Points};

/// The registry's entry: a feature adds its skewed tail, or the mean of both tails where that is more. As in PyOD,
/// with `fit: pool` the tails are those of pool and batch together.
pub const DEF: Classical = Classical {
    spec: &MethodSpec {
        name: "copod",
        version: 1,
        summary: "sum over features of empirical tail probabilities, through the empirical copula",
        citation: "Li, Zhao, Botta, Ionescu, Hu: COPOD: Copula-Based Outlier Detection, ICDM 2020",
        setting: Setting::InBatch,
        needs: Needs::ANY,
        params: &[FIT, POOL_SAMPLES],
    },
    fit,
};

fn fit(_: &Params, x: &Points, _: u64) -> Result<Box<dyn Detector>> {
    Ok(Box::new(TailSum { base: x.clone(), term: |t| t.skewed.max((t.left + t.right) / 2.0) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classical::testing::{agree, defaults, x, y};

    // from pyod.models.copod import COPOD; x and y as in classical::testing
    // m = COPOD().fit(x); print(m.decision_scores_[:12], m.decision_function(y))
    #[test]
    fn equals_pyod() {
        let found = fit(&defaults(&DEF), &x(), 0).unwrap();
        agree(
            &found.score_fitted(&x()).unwrap(),
            &[
                5.391991101363542,
                7.441815226342088,
                6.194160308391433,
                5.548975083430536,
                5.548975083430536,
                5.53852322716511,
                6.3620991240828,
                5.969073310451929,
                5.104439864060037,
                6.144956697015268,
                7.698768569124786,
                20.471722811110503,
            ],
            1e-12,
        );
        agree(
            &found.score(&y()).unwrap(),
            &[5.518686242308183, 9.195386342381948, 5.469414322497588, 5.168818599162492],
            1e-12,
        );
    }
}
