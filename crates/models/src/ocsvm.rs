//! One-class support vector machine.

use rayon::prelude::*;
use zsad_core::{MethodSpec, Needs, ParamDefault, ParamKind, ParamSpec, Params, Result, Setting};

use crate::classical::smo::{Rbf, Solution, one_class};
use crate::classical::{Classical, Detector, FIT, POOL_SAMPLES, Points};

/// The registry's entry: ρ − Σ αᵢ k(xᵢ, x) with k(a, b) = exp(−γ |a − b|²), the negative of LIBSVM's decision value.
pub const DEF: Classical = Classical {
    spec: &MethodSpec {
        name: "ocsvm",
        version: 1,
        summary: "one-class SVM with a radial basis function kernel",
        citation: "Schölkopf, Platt, Shawe-Taylor, Smola, Williamson: Estimating the Support of a High-Dimensional Distribution, Neural Computation 2001",
        setting: Setting::InBatch,
        needs: Needs::ANY,
        params: &[
            ParamSpec {
                name: "nu",
                doc: "at most this share of the points lies outside",
                kind: ParamKind::Float { min: 1e-6, max: 1.0 },
                default: ParamDefault::Float(0.5),
            },
            ParamSpec {
                name: "gamma",
                doc: "width of the kernel; auto: 1 / number of features",
                kind: ParamKind::Float { min: 0.0, max: f64::INFINITY },
                default: ParamDefault::Auto,
            },
            FIT,
            POOL_SAMPLES,
        ],
    },
    fit,
};

/// Queries that are scored together. Fixed: the work is cut alike for any number of threads.
const CHUNK: usize = 64;

struct Svm {
    kernel: Rbf,
    support: Points,
    alpha: Vec<f64>,
    rho: f64,
}

fn fit(params: &Params, x: &Points, _: u64) -> Result<Box<dyn Detector>> {
    let kernel = Rbf { gamma: params.opt_float("gamma").unwrap_or(1.0 / x.dim() as f64) };
    let Solution { alpha, rho } = one_class(x, kernel, params.float("nu"))?;
    let support: Vec<usize> = (0..x.len()).filter(|&i| alpha[i] > 0.0).collect();
    let alpha = support.iter().map(|&i| alpha[i]).collect();
    Ok(Box::new(Svm { kernel, support: x.select(&support), alpha, rho }))
}

impl Detector for Svm {
    fn score(&self, x: &Points) -> Result<Vec<f64>> {
        let score = |row: &[f64]| {
            let weighted = self.support.rows().zip(&self.alpha).map(|(s, alpha)| alpha * self.kernel.of(s, row));
            self.rho - weighted.sum::<f64>()
        };
        let chunks = x.values().par_chunks(CHUNK * x.dim());
        Ok(chunks.flat_map_iter(|rows| rows.chunks_exact(x.dim()).map(score)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classical::testing::{agree, defaults, x, y};

    fn eighth(x: Points) -> Points {
        Points::from_values(x.values().iter().map(|v| v / 8.0).collect(), x.dim())
    }

    // from pyod.models.ocsvm import OCSVM; x and y as in classical::testing
    // for t in (1e-3, 1e-12): m = OCSVM(tol=t).fit(x / 8); print(m.decision_scores_[:12], m.decision_function(y / 8))
    #[test]
    fn equals_pyod() {
        let found = fit(&defaults(&DEF), &eighth(x()), 0).unwrap();
        let (of_x, of_y) = (found.score(&eighth(x())).unwrap(), found.score(&eighth(y())).unwrap());
        agree(
            &of_x,
            &[
                -0.136649933362893,
                1.0094212298176934,
                0.4837525956448232,
                0.40090967334592165,
                0.40090967334592165,
                0.5528198321638236,
                -0.006812954111687475,
                -0.6953951293359069,
                -0.43276983592704,
                -0.1432234691917884,
                1.3530703879623225,
                17.979086040628403,
            ],
            1e-3,
        );
        agree(&of_y, &[1.9314033016492225, 3.2402553351417858, 0.6901726316201611, 0.40090967334592165], 1e-3);
        agree(
            &of_x,
            &[
                -0.1370794799895485,
                1.0097193769140098,
                0.48360543115398613,
                0.40106795405499795,
                0.40106795405499795,
                0.5525364635205712,
                -0.006757358470583341,
                -0.6951792044815974,
                -0.43266159768775836,
                -0.143421967596435,
                1.3533947365877808,
                17.97908566510614,
            ],
            2e-6,
        );
        agree(&of_y, &[1.9310179966794934, 3.240450401245253, 0.689852028064518, 0.40106795405499795], 2e-6);
    }

    // for nu in (0.1, 0.9): m = OCSVM(tol=1e-12, nu=nu, gamma=0.7).fit(x / 8); print(m.decision_function(y / 8))
    #[test]
    fn few_support_vectors_and_many() {
        for (nu, expected) in [
            (0.1, [0.2644982856847288, 0.2690169802007394, 0.037945801596805495, -1.2279433025952358e-09]),
            (0.9, [9.434986629979209, 10.118286607214632, 6.629370832513455, 4.293484730017198]),
        ] {
            let given = [("nu".to_owned(), nu.into()), ("gamma".to_owned(), 0.7.into())];
            let params = Params::validate(DEF.spec.params, &given.into()).unwrap();
            let found = fit(&params, &eighth(x()), 0).unwrap();
            agree(&found.score(&eighth(y())).unwrap(), &expected, 2e-6);
        }
    }

    #[test]
    fn equal_points_lie_on_the_boundary() {
        for n in [1, 2, 9] {
            let same = Points::from_values(vec![0.4; 3 * n], 3);
            let scores = fit(&defaults(&DEF), &same, 0).unwrap().score(&same).unwrap();
            assert!(scores.iter().all(|s| s.abs() < 1e-12), "{scores:?}");
        }
    }
}
