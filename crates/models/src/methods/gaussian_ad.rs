//! A Gaussian of pooled features at every level of a pretrained network.

use zsad_backbones::features::Reduction;
use zsad_core::{Accepts, Error, FitContext, MethodSpec, Result, Scores, Shots};

use crate::families::features::{FeatureDetector, FeatureMethod, Features, FewShotFeatures, FitTo, Selected, View};
use crate::math::Points;
use crate::math::gaussian::Gaussian;

/// The registry's entry: every layer is averaged over space; the score is the sum over layers of the Mahalanobis
/// distance to mean and Ledoit–Wolf covariance of the references, or with `fit: batch` of the test batch itself.
pub const DEF: Features<GaussianAd> = Features::new(&MethodSpec {
    name: "gaussian_ad",
    version: 1,
    summary: "Mahalanobis distance of pooled features, summed over layers, to the references or within the batch",
    citation: "Rippel, Mertens, Merhof, Modeling the Distribution of Normal Data in Pre-Trained Deep Features for \
               Anomaly Detection, ICPR 2020",
    accepts: Accepts::IMAGES,
});

zsad_core::params! {
    /// Its parameters.
    pub struct GaussianAd {
        /// references: on normal references of the target; batch: on the unlabelled test batch
        pub fit: FitTo = FitTo::References;
    }
}

/// Of two samples, Ledoit and Wolf's estimate is 0, and their covariance cannot be inverted.
const LEAST_SHRINKAGE: f64 = 0.01;

impl FeatureMethod for GaussianAd {
    type Selection = FewShotFeatures;
    type Detector = GaussianAd;
    const REDUCTION: Reduction = Reduction::Mean;

    fn shots(&self, selection: &FewShotFeatures) -> Shots {
        self.fit.shots(selection.shots)
    }

    fn fit(&self, _: &Selected, _: &FitContext) -> Result<GaussianAd> {
        Ok(self.clone())
    }
}

impl FeatureDetector for GaussianAd {
    /// One a layer.
    type Support = Vec<Gaussian>;

    fn adapt(&self, support: &View) -> Result<Vec<Gaussian>> {
        if support.ids().len() < 2 {
            return Err(Error::refused("a Gaussian wants at least two samples to be fitted to"));
        }
        let gaussian = |layer| {
            let x = support.layer(layer)?;
            // Sums in the order of the values, so that permuting a batch only permutes its scores.
            let x = x.select(&x.order());
            let shrinkage = ledoit_wolf(&x).clamp(LEAST_SHRINKAGE, 1.0);
            let variance = x.variance(&x.mean()).iter().sum::<f64>() / x.dim() as f64;
            // Where nothing varies at all, Σ = I.
            let ridge = if variance > 0.0 { shrinkage * variance } else { 1.0 };
            Gaussian::fit(&x, (1.0 - shrinkage) / x.len() as f64, ridge)
        };
        (0..support.store().shapes().len()).map(gaussian).collect()
    }

    fn score(&self, gaussians: &Vec<Gaussian>, batch: &View) -> Result<Scores> {
        let mut total = vec![0.0; batch.ids().len()];
        for (layer, gaussian) in gaussians.iter().enumerate() {
            for (total, row) in total.iter_mut().zip(batch.layer(layer)?.rows()) {
                *total += gaussian.squared(row).sqrt();
            }
        }
        Ok(total.into())
    }
}

/// The shrinkage that minimises the expected squared error of the covariance (Ledoit and Wolf 2004, as scikit-learn's
/// `ledoit_wolf_shrinkage` computes it), here through the n × n matrix of inner products.
fn ledoit_wolf(x: &Points) -> f64 {
    let (n, d) = (x.len() as f64, x.dim() as f64);
    let z = x.standardised(&x.mean(), &vec![1.0; x.dim()]);
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let norms: Vec<f64> = z.rows().map(|row| dot(row, row)).collect();
    let squares = z.rows().flat_map(|a| z.rows().map(move |b| dot(a, b).powi(2))).sum::<f64>() / (n * n);
    let trace = norms.iter().sum::<f64>() / n;
    let beta = (norms.iter().map(|v| v * v).sum::<f64>() / n - squares) / (d * n);
    let delta = (squares - trace * trace / d) / d;
    if beta <= 0.0 || delta <= 0.0 { 1.0f64.min(beta.max(0.0)) } else { beta.min(delta) / delta }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::testing::x;

    // from sklearn.covariance import ledoit_wolf_shrinkage; x as in math::testing
    // print(ledoit_wolf_shrinkage(x), ledoit_wolf_shrinkage(x[:4]), ledoit_wolf_shrinkage(x[:2]))
    #[test]
    fn shrinkage_is_scikit_learns() {
        for (n, want) in [(60, MANY), (4, FEW), (2, TWO)] {
            let got = ledoit_wolf(&x().select(&(0..n).collect::<Vec<_>>()));
            assert!((got - want).abs() < 1e-9, "{n}: {got} {want}");
        }
        let same = Points::from_values(vec![0.3; 12], 3);
        assert_eq!(ledoit_wolf(&same), 0.0);
    }

    const MANY: f64 = 1.0;
    const FEW: f64 = 0.35219594043210617;
    const TWO: f64 = 0.0;
}
