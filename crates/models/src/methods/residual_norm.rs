//! The control beside ResAD: the length of its residuals, with nothing trained.

use zsad_core::{Accepts, FitContext, MethodSpec, Result, Scores};

use super::resad::residual::{Matching, Residual};
use crate::families::features::{FeatureDetector, FeatureMethod, Features, FewShotFeatures, Selected, Summed, View};
use crate::math::Points;

/// The registry's entry: at each layer, the norm of a position's residual (Eq. 1 of ResAD), which is its distance to the
/// nearest feature of the references; a map is the sum over layers, an image's score its maximum.
pub const DEF: Features<ResidualNorm> = Features::new(&MethodSpec {
    name: "residual_norm",
    version: 1,
    summary: "length of the residuals of patch features to the nearest references: ResAD with nothing trained",
    citation: "control; residuals: Yao et al., ResAD: A Simple Framework for Class Generalizable Anomaly Detection, \
               NeurIPS 2024",
    accepts: Accepts::IMAGES,
});

zsad_core::params! {
    /// Its parameters.
    pub struct ResidualNorm {
        /// from layers to maps and scores
        pub summed: Summed = Summed::default();
    }
}

/// Residuals as ResAD takes them.
const MATCHING: Matching = Matching { residual: Residual::Signed, cosine: false };

impl FeatureMethod for ResidualNorm {
    type Selection = FewShotFeatures;
    type Detector = ResidualNorm;

    fn fit(&self, _: &Selected, _: &FitContext) -> Result<ResidualNorm> {
        Ok(self.clone())
    }
}

impl FeatureDetector for ResidualNorm {
    /// The references' features, a layer each.
    type Support = Vec<Option<Points<f32>>>;

    fn adapt(&self, support: &View) -> Result<Self::Support> {
        MATCHING.pools(support.store(), support.ids())
    }

    fn score(&self, pools: &Self::Support, batch: &View) -> Result<Scores> {
        let norms = |place: usize, (layer, pool): (usize, &Option<Points<f32>>)| {
            let rows = MATCHING.rows(batch.store(), batch.ids()[place], layer, pool.as_ref())?;
            let norm = |row: &[f32]| row.iter().map(|v| v * v).sum::<f32>().sqrt();
            Ok(rows.chunks_exact(batch.store().shapes()[layer].channels).map(norm).collect())
        };
        self.summed.score(batch, |place| pools.iter().enumerate().map(|layer| norms(place, layer)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::features::testing::{agree, maps};

    // as in families::features::view::testing, then
    // pos = lambda m: m.reshape(len(m), -1).T
    // pool = lambda l: np.concatenate([pos(maps(r)[l]) for r in range(4)])
    // near = lambda s, l: cdist(pos(maps(s)[l]), pool(l)).min(1).reshape(1, *maps(s)[l].shape[1:])
    // for s in (4, 5):
    //     raw = sum(resize(near(s, l), 6, 8)[0] for l in (0, 1)); m = gaussian_filter(raw, 1)
    //     print(raw.max(), m.max(), m[1, :4], m[4, 4:])
    #[test]
    fn maps_and_scores_are_numpys() {
        let scores = |image_score: &str| {
            let given = [("sigma".to_owned(), 1.0.into()), ("image_score".to_owned(), image_score.into())].into();
            let method = <ResidualNorm as zsad_core::ParamSet>::parse(&given).unwrap();
            let pools = maps(0..4, |support| method.adapt(support)).unwrap();
            maps(4..6, |batch| method.score(&pools, batch)).unwrap()
        };
        agree(&scores("smoothed"), &EXPECTED);
        let raw = EXPECTED.map(|(_, map)| map).into_iter().zip(RAW).map(|(map, raw)| (raw, map));
        agree(&scores("raw"), &raw.collect::<Vec<_>>());
    }

    const RAW: [f64; 2] = [1.1413999297064454, 1.1186006794357095];
    const EXPECTED: [(f64, [f32; 8]); 2] = [
        (
            1.0650938556082363,
            [
                1.024656574168712,
                1.0383382411527373,
                1.0309003109321746,
                0.9701621820789523,
                0.8167087159884704,
                0.8234747178341963,
                0.8101823185398493,
                0.7957081182697491,
            ],
        ),
        (
            1.1023906402350478,
            [
                1.0689052298935615,
                1.063578463906035,
                1.0350354450428245,
                0.9736449531801719,
                0.8881367651241459,
                0.8994640811522319,
                0.9106173646341178,
                0.9169058797423386,
            ],
        ),
    ];
}
