//! Patches of images: one subspace for all patches of the batch, or of the references.

use rayon::prelude::*;
use zsad_backbones::maps::anomaly_map;
use zsad_backbones::patches::{Neighbourhood, Upsampling};
use zsad_core::{Error, FitContext, Result, SampleId, Scores, Shots};

use super::PcaResidual;
use super::subspace::{Moments, Subspace};
use crate::families::features::{FeatureDetector, FeatureMethod, FewShotFeatures, FitTo, Selected, View};
use crate::math::Points;

/// Images whose moments are held at once. Fixed: the sum is the same for any number of threads.
const CHUNK: usize = 8;

/// What images are compared with.
pub(crate) enum Fitted {
    /// One subspace for every image.
    All(Subspace),
    /// For each image the subspace of the others: its own moments are taken from all.
    Others { all: Moments, centre: Vec<f64> },
}

impl FeatureMethod for PcaResidual {
    type Selection = FewShotFeatures;
    type Detector = PcaResidual;

    fn shots(&self, selection: &FewShotFeatures) -> Shots {
        self.shots_of(selection)
    }

    fn fit(&self, _: &Selected, _: &FitContext) -> Result<PcaResidual> {
        Ok(self.clone())
    }
}

impl FeatureDetector for PcaResidual {
    type Support = Fitted;

    fn adapt(&self, support: &View) -> Result<Fitted> {
        let ids = support.ids();
        let in_batch = self.fit == FitTo::Batch;
        if in_batch && ids.len() < 2 {
            return Err(Error::refused("a subspace of one image holds that image: two at least"));
        }
        let centre = self.patches(support, ids[0])?.mean();
        let mut all = Moments::none(centre.len());
        for chunk in ids.chunks(CHUNK) {
            let moments = |&id: &SampleId| Ok(Moments::of(&self.patches(support, id)?, &centre));
            let moments = chunk.par_iter().map(moments).collect::<Result<Vec<_>>>()?;
            all = moments.iter().fold(all, Moments::plus);
        }
        match in_batch && self.exclude_self {
            true => Ok(Fitted::Others { all, centre }),
            false => Ok(Fitted::All(all.subspace(&centre, self.variance)?)),
        }
    }

    fn score(&self, fitted: &Fitted, batch: &View) -> Result<Scores> {
        let shape = batch.store().shapes()[0];
        batch.each(|place| {
            let patches = self.patches(batch, batch.ids()[place])?;
            let residuals = match fitted {
                Fitted::All(subspace) => subspace.residuals(&patches),
                Fitted::Others { all, centre } => {
                    let others = all.without(&Moments::of(&patches, centre));
                    others.subspace(centre, self.variance)?.residuals(&patches)
                }
            };
            let values: Vec<f32> = residuals.iter().map(|v| *v as f32).collect();
            let map = anomaly_map(&values, (shape.height, shape.width), batch.image(), self.sigma);
            Ok((mean_of_greatest(residuals, self.top), map))
        })
    }
}

impl PcaResidual {
    /// One point a position of the first layer, the channels of all layers.
    fn patches(&self, view: &View, id: SampleId) -> Result<Points> {
        let patches = view.patches(id, Neighbourhood::None, Upsampling::Bilinear)?;
        let values = patches.values().iter().map(|&v| f64::from(v)).collect();
        Ok(self.normalise.applied(Points::from_values(values, patches.dim())))
    }
}

/// The mean of the greatest `share` of the values, one at least.
fn mean_of_greatest(mut values: Vec<f64>, share: f64) -> f64 {
    let n = ((values.len() as f64 * share) as usize).clamp(1, values.len());
    values.sort_unstable_by(|a, b| b.total_cmp(a));
    values[..n].iter().sum::<f64>() / n as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::features::testing::{agree, maps};

    // import numpy as np; print(np.sort(np.sin(.9 * np.arange(300)))[-3:].mean())
    #[test]
    fn the_greatest_share_is_averaged() {
        let values: Vec<f64> = (0..300).map(|i| (0.9 * f64::from(i)).sin()).collect();
        assert!((mean_of_greatest(values.clone(), 0.01) - 0.999904153).abs() < 1e-9);
        assert_eq!(mean_of_greatest(vec![1.0, 3.0, 2.0], 0.01), 3.0);
    }

    // as in families::features::view::testing and pca_residual::subspace::tests, there with k at most 5, then
    // e = [embed(maps(s)) for s in range(5)]
    // for s in range(2):
    //     others = np.concatenate([e[t] for t in range(5) if t != s])
    //     for fit, top in ((others, 2), (np.concatenate(e), 2)):
    //         r = residuals(fit, e[s], .8); m = smooth(r); print(np.sort(r)[-top:].mean(), m[1, :4], m[4, 4:])
    #[test]
    fn maps_and_scores_are_numpys() {
        for (exclude_self, expected) in [(true, OTHERS), (false, ALL)] {
            let params = PcaResidual { variance: 0.8, exclude_self, top: 0.17, sigma: 1.0, ..PcaResidual::default() };
            let scores = maps(0..5, |batch| params.score(&params.adapt(batch).unwrap(), batch)).unwrap();
            let first = Scores {
                samples: scores.samples[..2].to_vec(),
                maps: scores.maps.map(|m| zsad_core::Maps { values: m.values[..96].to_vec(), ..m }),
            };
            agree(&first, &expected);
        }
    }

    const OTHERS: [(f64, [f32; 8]); 2] = [
        (
            1.6286409789411498,
            [
                1.0483996985286907,
                0.9269297649045771,
                0.719589641085451,
                0.4910469396794141,
                1.1026554803442363,
                1.137281478432482,
                1.1630876579189964,
                1.1766932058311999,
            ],
        ),
        (
            1.4433377652544417,
            [
                0.8991610164996637,
                0.7294032769816566,
                0.46698896039978044,
                0.2393805936142676,
                0.27798528309868775,
                0.17606324152852698,
                0.16424271670497353,
                0.17901408990753268,
            ],
        ),
    ];
    const ALL: [(f64, [f32; 8]); 2] = [
        (
            1.4256115254852357,
            [
                0.865791372682602,
                0.7694109940048406,
                0.6065005565910864,
                0.4306555527712283,
                0.8425884219145442,
                0.848826635722296,
                0.8722444084228607,
                0.8905854525103368,
            ],
        ),
        (
            0.48631082010961274,
            [
                0.22090508358445088,
                0.2023902337389208,
                0.1685318281936869,
                0.1277487539248947,
                0.19820119940026476,
                0.14067528954901415,
                0.1023013367564353,
                0.08359864914570589,
            ],
        ),
    ];
}
