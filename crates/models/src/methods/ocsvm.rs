//! One-class support vector machine.

use rayon::prelude::*;
use zsad_core::{Accepts, MethodSpec, Result};

use crate::families::classical::{Classical, PointMethod};
use crate::math::Points;
use crate::math::smo::{Rbf, Solution, one_class};

/// The registry's entry: ρ − Σ αᵢ k(xᵢ, x) with k(a, b) = exp(−γ |a − b|²), the negative of LIBSVM's decision value.
pub const DEF: Classical<OcSvm> = Classical::new(&MethodSpec {
    name: "ocsvm",
    version: 1,
    summary: "one-class SVM with a radial basis function kernel",
    citation: "Schölkopf, Platt, Shawe-Taylor, Smola, Williamson: Estimating the Support of a High-Dimensional Distribution, Neural Computation 2001",
    accepts: Accepts::ANY,
});

zsad_core::params! {
    /// Its parameters.
    pub struct OcSvm {
        /// at most this share of the points lies outside
        pub nu: f64 = 0.5, in 1e-6..=1.0;
        /// width of the kernel; auto: 1 / number of features
        pub gamma: Option<f64> = None, in 0.0..;
    }
}

impl OcSvm {
    fn gamma(&self, features: usize) -> f64 {
        self.gamma.unwrap_or(1.0 / features as f64)
    }
}

/// Queries that are scored together. Fixed: the work is cut alike for any number of threads.
const CHUNK: usize = 64;

/// The decision function.
pub(crate) struct Svm {
    kernel: Rbf,
    support: Points,
    alpha: Vec<f64>,
    rho: f64,
}

impl PointMethod for OcSvm {
    type Model = Svm;

    fn settle(&mut self, dim: usize) {
        self.gamma = Some(self.gamma(dim));
    }

    fn fit(&self, x: &Points, _: u64) -> Result<Svm> {
        let kernel = Rbf { gamma: self.gamma(x.dim()) };
        let Solution { alpha, rho } = one_class(x, kernel, self.nu)?;
        let support: Vec<usize> = (0..x.len()).filter(|&i| alpha[i] > 0.0).collect();
        let alpha = support.iter().map(|&i| alpha[i]).collect();
        Ok(Svm { kernel, support: x.select(&support), alpha, rho })
    }

    fn score(&self, svm: &Svm, x: &Points, _: bool) -> Result<Vec<f64>> {
        let score = |row: &[f64]| {
            let weighted = svm.support.rows().zip(&svm.alpha).map(|(s, alpha)| alpha * svm.kernel.of(s, row));
            svm.rho - weighted.sum::<f64>()
        };
        let chunks = x.values().par_chunks(CHUNK * x.dim());
        Ok(chunks.flat_map_iter(|rows| rows.chunks_exact(x.dim()).map(score)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::classical::testing::{in_batch, on_pool};
    use crate::math::testing::{agree, x, y};

    fn eighth(x: Points) -> Points {
        Points::from_values(x.values().iter().map(|v| v / 8.0).collect(), x.dim())
    }

    // from pyod.models.ocsvm import OCSVM; x and y as in math::testing
    // for t in (1e-3, 1e-12): m = OCSVM(tol=t).fit(x / 8); print(m.decision_scores_[:12], m.decision_function(y / 8))
    #[test]
    fn equals_pyod() {
        let scores = |of: Points| on_pool(&OcSvm::default(), &eighth(x()), &eighth(of));
        let (of_x, of_y) = (scores(x()), scores(y()));
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
            let method = OcSvm { nu, gamma: Some(0.7) };
            agree(&on_pool(&method, &eighth(x()), &eighth(y())), &expected, 2e-6);
        }
    }

    #[test]
    fn equal_points_lie_on_the_boundary() {
        for n in [1, 2, 9] {
            let same = Points::from_values(vec![0.4; 3 * n], 3);
            let scores = in_batch(&OcSvm::default(), &same);
            assert!(scores.iter().all(|s| s.abs() < 1e-12), "{scores:?}");
        }
    }
}
