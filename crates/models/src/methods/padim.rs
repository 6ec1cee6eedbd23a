//! PaDiM: a Gaussian of the references' features at every position.

use rand::seq::index;
use rayon::prelude::*;
use zsad_backbones::patches::{Neighbourhood, Upsampling};
use zsad_core::rng::stream;
use zsad_core::{Accepts, FitContext, MethodSpec, Result, SampleId, Scores};

use crate::families::features::{FeatureDetector, FeatureMethod, Features, FewShotFeatures, Selected, View};
use crate::math::Points;
use crate::math::gaussian::Gaussian;

/// The registry's entry: layers are brought to the finest one's size and concatenated, a random subset of the channels
/// is kept; at every position the Mahalanobis distance to mean and covariance + 0.01 I of the references; the greatest
/// position of the smoothed map is the image's score. With WideResNet-50-2 the paper has `layers: [1, 2, 3]` and
/// `channels: 550`.
///
/// Version 2: coarser layers are repeated, as the released code and anomalib do; they were interpolated bilinearly.
pub const DEF: Features<Padim> = Features::new(&MethodSpec {
    name: "padim",
    version: 2,
    summary: "Mahalanobis distance to a Gaussian of the references' patch features at each position",
    citation: "Defard et al., PaDiM: a Patch Distribution Modeling Framework, ICPR Workshops 2021",
    accepts: Accepts::IMAGES,
});

zsad_core::params! {
    /// Its parameters.
    pub struct Padim {
        /// size of the random subset of channels, at most all
        pub channels: usize = 100, in 1..=4096;
        /// how coarser layers are brought to the finest one's size
        pub upsampling: Upsampling = Upsampling::Nearest;
        /// Gaussian smoothing of the anomaly map, in pixels; 0: none
        pub sigma: f64 = 4.0, in 0.0..=64.0;
    }
}

/// Added to the covariance's diagonal.
const RIDGE: f64 = 0.01;

/// The method with its seed.
pub struct Seeded {
    params: Padim,
    seed: u64,
}

impl FeatureMethod for Padim {
    type Selection = FewShotFeatures;
    type Detector = Seeded;

    fn fit(&self, _: &Selected, ctx: &FitContext) -> Result<Seeded> {
        Ok(Seeded { params: self.clone(), seed: ctx.seed })
    }
}

/// A Gaussian of the channels that are kept at every position.
pub(crate) struct Gaussians {
    kept: Vec<usize>,
    positions: Vec<Gaussian>,
}

impl FeatureDetector for Seeded {
    type Support = Gaussians;

    fn adapt(&self, support: &View) -> Result<Gaussians> {
        let dim = support.store().shapes().iter().map(|s| s.channels).sum::<usize>();
        let mut rng = stream(self.seed, &[("method", "padim"), ("purpose", "channels")]);
        let mut kept = index::sample(&mut rng, dim, self.params.channels.min(dim)).into_vec();
        kept.sort_unstable();
        let references =
            support.ids().par_iter().map(|&id| self.patches(support, id, &kept)).collect::<Result<Vec<_>>>()?;
        let at = |p| Points::from_values(references.iter().flat_map(|r| r.row(p)).copied().collect(), kept.len());
        // One reference has no covariance; the ridge alone is left then.
        let share = 1.0 / (references.len().max(2) - 1) as f64;
        let gaussian = |p| Gaussian::fit(&at(p), share, RIDGE);
        let positions = support.store().shapes()[0].positions();
        let positions = (0..positions).into_par_iter().map(gaussian).collect::<Result<_>>()?;
        Ok(Gaussians { kept, positions })
    }

    fn score(&self, gaussians: &Gaussians, batch: &View) -> Result<Scores> {
        let scores = batch.score(self.params.sigma, |id| {
            let patches = self.patches(batch, id, &gaussians.kept)?;
            Ok(gaussians.positions.iter().zip(patches.rows()).map(|(g, row)| g.squared(row).sqrt()).collect())
        })?;
        // The official code takes the greatest value after smoothing.
        Ok(scores.maps.map_or(Scores::from(scores.samples), Scores::from))
    }
}

impl Seeded {
    /// The channels `kept` at every position.
    fn patches(&self, view: &View, id: SampleId, kept: &[usize]) -> Result<Points> {
        let patches = view.patches(id, Neighbourhood::None, self.params.upsampling)?;
        let values = patches.rows().flat_map(|row| kept.iter().map(|&c| f64::from(row[c]))).collect();
        Ok(Points::from_values(values, kept.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::features::testing::{agree, maps};

    // as in families::features::view::testing, then
    // e = np.array([embed(maps(s)) for s in range(4)])
    // cov = [np.cov(e[:, p], rowvar=False) + 0.01 * np.eye(5) for p in range(12)]
    // for s in (4, 5):
    //     d = embed(maps(s)) - e.mean(0)
    //     m = smooth(np.sqrt([d[p] @ np.linalg.inv(cov[p]) @ d[p] for p in range(12)]))
    //     print(m.max(), m[1, :4], m[4, 4:])
    // and again with PyTorch's interpolate(mode="nearest"):
    // nearest = lambda m: m[:, np.arange(3) * m.shape[1] // 3][:, :, np.arange(4) * m.shape[2] // 4]
    // embed = lambda maps: np.concatenate([nearest(m).reshape(len(m), 12) for m in maps]).T
    #[test]
    fn maps_and_scores_are_numpys() {
        for (upsampling, expected) in [(Upsampling::Bilinear, BILINEAR), (Upsampling::Nearest, NEAREST)] {
            let padim = Seeded { params: Padim { channels: 9, upsampling, sigma: 1.0 }, seed: 0 };
            let gaussians = maps(0..4, |support| padim.adapt(support)).unwrap();
            agree(&maps(4..6, |batch| padim.score(&gaussians, batch)).unwrap(), &expected);
        }
    }

    const NEAREST: [(f64, [f32; 8]); 2] = [
        (
            9.12953172766209,
            [
                6.916403672939147,
                7.220575112009216,
                7.4893595595884,
                7.245967577105736,
                6.258091229634228,
                6.726325572706287,
                7.929845407557913,
                8.861943043933977,
            ],
        ),
        (
            13.554767429307972,
            [
                8.12121930949537,
                9.368595296997093,
                11.021927827126135,
                11.819056034643037,
                9.810128152880694,
                10.90464525249254,
                11.264015280665843,
                11.273597041793742,
            ],
        ),
    ];
    const BILINEAR: [(f64, [f32; 8]); 2] = [
        (
            8.961839677123272,
            [
                5.060431429480408,
                5.561479401467815,
                6.147376137072889,
                6.220667343783612,
                5.126983509845746,
                5.846938507190117,
                7.4767135221597485,
                8.719797058510046,
            ],
        ),
        (
            13.210290476338304,
            [
                6.272685325790903,
                7.535135622246765,
                9.081118726705451,
                9.510178769439152,
                7.326351212315631,
                8.158943949603032,
                9.604225604089267,
                10.647922334549598,
            ],
        ),
    ];

    #[test]
    fn the_channels_are_drawn_by_the_seed() {
        let kept = |seed| {
            let padim = Seeded { params: Padim { channels: 3, ..Padim::default() }, seed };
            maps(0..2, |support| padim.adapt(support)).unwrap().kept
        };
        assert_eq!(kept(1), kept(1));
        assert!(kept(1).is_sorted() && kept(1).len() == 3);
        assert!((2..9).any(|seed| kept(seed) != kept(1)));
    }
}
