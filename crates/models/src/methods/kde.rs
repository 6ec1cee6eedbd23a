//! Kernel density.

use rayon::prelude::*;
use zsad_core::{Accepts, MethodSpec, Result};

use crate::families::classical::{Classical, PointMethod};
use crate::math::Points;
use crate::math::points::squared_distance;

/// The registry's entry, as in scikit-learn and PyOD: a Gaussian kernel; in a batch a point counts to its own density.
pub const DEF: Classical<Kde> = Classical::new(&MethodSpec {
    name: "kde",
    version: 1,
    summary: "negative logarithm of a Gaussian kernel density",
    citation: "Latecki, Lazarevic, Pokrajac: Outlier Detection with Kernel Density Functions, MLDM 2007",
    accepts: Accepts::ANY,
});

zsad_core::params! {
    /// Its parameters.
    pub struct Kde {
        /// standard deviation of the kernel, in the units of the features
        pub bandwidth: f64 = 1.0, in 1e-9..;
    }
}

impl PointMethod for Kde {
    type Model = Points;

    fn fit(&self, x: &Points, _: u64) -> Result<Points> {
        Ok(x.clone())
    }

    fn score(&self, base: &Points, x: &Points, _: bool) -> Result<Vec<f64>> {
        let (h, d) = (self.bandwidth, base.dim() as f64);
        let constant = (base.len() as f64).ln() + d * (h.ln() + (2.0 * std::f64::consts::PI).ln() / 2.0);
        let rows: Vec<&[f64]> = x.rows().collect();
        let score = |row: &&[f64]| {
            let kernels: Vec<f64> = base.rows().map(|b| -squared_distance(b, row) / (2.0 * h * h)).collect();
            // The greatest is taken out, so that far points do not vanish.
            let greatest = kernels.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            constant - greatest - kernels.iter().map(|k| (k - greatest).exp()).sum::<f64>().ln()
        };
        Ok(rows.par_iter().map(score).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::classical::testing::{in_batch, on_pool};
    use crate::math::testing::{agree, x, y};

    // from pyod.models.kde import KDE; x and y as in math::testing
    // for h in [1.0, 4.0]: m = KDE(bandwidth=h).fit(x); print(m.decision_scores_[:12], m.decision_function(y))
    #[test]
    fn equals_pyod() {
        agree(
            &in_batch(&Kde::default(), &x()),
            &[
                8.657397754801222,
                8.351586647183485,
                8.66503959516135,
                7.992650735105949,
                7.992650735105949,
                8.689037228467508,
                8.689037228218645,
                8.651757187637063,
                8.285693518613314,
                8.330934889461727,
                8.256928506710949,
                8.689037228245464,
            ],
            1e-7,
        );
        agree(
            &on_pool(&Kde::default(), &x(), &y()),
            &[25.522651797153113, 35.73880386926656, 9.626537204097371, 7.992650735105949],
            1e-7,
        );
        agree(
            &on_pool(&Kde { bandwidth: 4.0 }, &x(), &y()),
            &[15.223687351280855, 15.173536737173752, 14.644780917248905, 13.85777706282278],
            1e-7,
        );
    }
}
