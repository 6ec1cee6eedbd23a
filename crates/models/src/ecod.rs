//! Outlier detection by empirical cumulative distributions.

use zsad_core::{MethodSpec, Needs, Params, Result, Setting};

use crate::classical::tails::TailSum;
use crate::classical::{Classical, Detector, FIT, POOL_SAMPLES, Points};

/// The registry's entry: a feature adds the greatest of its skewed, left and right tail. As in PyOD, with `fit: pool`
/// the tails are those of pool and batch together.
pub const DEF: Classical = Classical {
    spec: &MethodSpec {
        name: "ecod",
        version: 1,
        summary: "sum over features of the greatest empirical tail probability",
        citation: "Li, Zhao, Hu, Botta, Ionescu, Chen: ECOD: Unsupervised Outlier Detection Using ECDFs, TKDE 2022",
        setting: Setting::InBatch,
        needs: Needs::ANY,
        params: &[FIT, POOL_SAMPLES],
    },
    fit,
};

fn fit(_: &Params, x: &Points, _: u64) -> Result<Box<dyn Detector>> {
    Ok(Box::new(TailSum { base: x.clone(), term: |t| t.skewed.max(t.left).max(t.right) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classical::testing::{agree, defaults, x, y};

    // from pyod.models.ecod import ECOD; x and y as in classical::testing
    // m = ECOD().fit(x); print(m.decision_scores_[:12], m.decision_function(y))
    #[test]
    fn equals_pyod() {
        let found = fit(&defaults(&DEF), &x(), 0).unwrap();
        agree(
            &found.score_fitted(&x()).unwrap(),
            &[
                7.796046616355935,
                9.571139033098778,
                7.379612476877197,
                8.650724584040761,
                8.650724584040761,
                8.510272748571664,
                7.239108694705404,
                6.37745387871549,
                6.730720305321292,
                7.1126207168776565,
                8.938994718844095,
                20.471722811110503,
            ],
            1e-12,
        );
        agree(
            &found.score(&y()).unwrap(),
            &[9.812518282911642, 11.784479109166895, 8.52452325855523, 7.887227421059063],
            1e-12,
        );
    }
}
