//! Principal component classifier, by PyOD's definition.

use zsad_core::{Accepts, MethodSpec, Result};

use crate::families::classical::{Classical, PointMethod};
use crate::math::Points;
use crate::math::linalg::{matrix, right_singular_vectors};
use crate::math::points::squared_distance;

/// The registry's entry: features are standardised (biased variance; a constant feature is only centred), and the
/// score is Σ |z − vₖ| / rₖ over all principal axes vₖ, each turned so that its largest entry is positive, with rₖ its
/// share of the variance.
///
/// Axes without variance (fewer points than features, constant features) are left out: PyOD divides by what rounding
/// makes of their zero.
pub const DEF: Classical<Pca> = Classical::new(&MethodSpec {
    name: "pca",
    version: 1,
    summary: "PyOD's PCA: distances to the eigenvectors, each divided by its explained variance",
    citation: "Shyu, Chen, Sarinnapakorn, Chang: A Novel Anomaly Detection Scheme Based on Principal Component Classifier, ICDM-W 2003",
    accepts: Accepts::ANY,
});

zsad_core::params! {
    /// It has no parameters of its own.
    pub struct Pca {}
}

/// Principal axes of standardised points.
pub(crate) struct Axes {
    mean: Vec<f64>,
    scale: Vec<f64>,
    /// Axis and share of the variance.
    axes: Vec<(Vec<f64>, f64)>,
}

impl PointMethod for Pca {
    type Model = Axes;

    fn fit(&self, x: &Points, _: u64) -> Result<Axes> {
        let mean = x.mean();
        let variance = x.variance(&mean);
        let scale: Vec<f64> = variance.iter().map(|&v| if v > 0.0 { v.sqrt() } else { 1.0 }).collect();
        let (singular, vectors) = right_singular_vectors(matrix(&x.standardised(&mean, &scale)))?;
        let total: f64 = singular.iter().map(|s| s * s).sum();
        // As numpy.linalg.matrix_rank.
        let negligible = singular.first().unwrap_or(&0.0) * f64::EPSILON * x.len().max(x.dim()) as f64;
        let axes = singular.iter().enumerate().filter(|(_, s)| **s > negligible).map(|(k, s)| {
            let axis: Vec<f64> = vectors.col(k).iter().copied().collect();
            let largest = axis.iter().fold(0.0f64, |m, v| if v.abs() > m.abs() { *v } else { m });
            (axis.iter().map(|v| v * largest.signum()).collect(), s * s / total)
        });
        Ok(Axes { axes: axes.collect(), mean, scale })
    }

    fn score(&self, model: &Axes, x: &Points, _: bool) -> Result<Vec<f64>> {
        let z = x.standardised(&model.mean, &model.scale);
        let score = |row| model.axes.iter().map(|(axis, share)| squared_distance(row, axis).sqrt() / share).sum();
        Ok(z.rows().map(score).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::classical::testing::{in_batch, on_pool};
    use crate::math::testing::{agree, x, y};

    // from pyod.models.pca import PCA; x and y as in math::testing
    // m = PCA().fit(x); print(m.decision_scores_[:12], m.decision_function(y))
    #[test]
    fn equals_pyod() {
        agree(
            &on_pool(&Pca::default(), &x(), &x()),
            &[
                71.42004911685233,
                67.09357323593574,
                80.71495904474365,
                78.71647408602306,
                78.71647408602306,
                69.48384595123909,
                53.850232376225776,
                55.35914808003653,
                64.2996843334621,
                63.21443108283261,
                68.66671525833313,
                328.4649494634191,
            ],
            1e-9,
        );
        agree(
            &on_pool(&Pca::default(), &x(), &y()),
            &[86.46604822589072, 93.59783195440798, 72.41753635719462, 78.71647408602306],
            1e-9,
        );
    }

    // v = np.concatenate([x, np.full((60, 1), 3.0), x[:, :1]], axis=1)       # a constant feature and a copy of another
    // from sklearn.preprocessing import StandardScaler; from sklearn.decomposition import PCA; from scipy.spatial.distance import cdist
    // z = StandardScaler().fit_transform(v); m = PCA(n_components=5, svd_solver="full").fit(z)
    // print((cdist(z, m.components_) / m.explained_variance_ratio_).sum(1)[:12])
    #[test]
    fn axes_without_variance_are_left_out() {
        let rows = x().rows().flat_map(|row| [row, &[3.0], &row[..1]].concat()).collect();
        let v = Points::from_values(rows, 7);
        agree(
            &on_pool(&Pca::default(), &v, &v),
            &[
                88.2347085398018,
                83.13215686123318,
                93.6846421738941,
                86.6929503602406,
                86.6929503602406,
                81.87770753123922,
                87.85518172120703,
                75.4132986748876,
                90.79172374224153,
                67.40501286316632,
                91.83281255897538,
                376.842860847303,
            ],
            1e-9,
        );
        let few = v.select(&[0, 1, 2]);
        assert!(in_batch(&Pca::default(), &few).iter().all(|s| s.is_finite()));
    }
}
