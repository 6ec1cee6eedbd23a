//! SPADE: image score by the nearest references as wholes, maps by the nearest pixels of their feature pyramids.

use std::borrow::Cow;

use rayon::prelude::*;
use zsad_backbones::features::{FeatureSpec, Reduction};
use zsad_backbones::patches::{Neighbourhood, Upsampling};
use zsad_core::{Accepts, FitContext, MethodSpec, Result, SampleId, Scores};

use crate::families::features::{FeatureDetector, FeatureMethod, Features, FewShotFeatures, Selected, Summed, View};
use crate::math::Points;
use crate::math::neighbours::{Neighbour, nearest};
use crate::methods::resad::residual::points;

/// The registry's entry: the image score is the mean distance of the backbone's pooled last layer to the
/// `neighbours` nearest references; a pixel's is the mean over layers of the distance to the nearest pixel of these
/// references at that layer, resized bilinearly, as the widely used code of byungjae89 has it. The paper concatenates the
/// layers first (`pyramid: joint`).
///
/// Version 2: `joint` was all there was.
pub const DEF: Features<Spade> = Features::new(&MethodSpec {
    name: "spade",
    version: 2,
    summary: "distance to the nearest references as wholes, and of pixels to theirs",
    citation: "Cohen, Hoshen, Sub-Image Anomaly Detection with Deep Pyramid Correspondences, arXiv 2005.02357",
    accepts: Accepts::IMAGES,
});

zsad_core::choices! {
    /// How the layers of a pixel are compared.
    pub enum Pyramid {
        /// Each with its own nearest pixel.
        Apart = "apart",
        /// As one vector, brought to the finest layer's size.
        Joint = "joint",
    }
}

zsad_core::params! {
    /// Its parameters.
    pub struct Spade {
        /// nearest references, at most all
        pub neighbours: usize = 50, in 1..=1000;
        /// apart: every layer has a nearest pixel of its own, and distances are averaged; joint: one nearest pixel by the
        /// concatenated layers (paper)
        pub pyramid: Pyramid = Pyramid::Apart;
        /// Gaussian smoothing of the anomaly map, in pixels; 0: none
        pub sigma: f64 = 4.0, in 0.0..=64.0;
    }
}

/// The method with what it looks at.
pub struct Looking {
    params: Spade,
    selected: Selected,
}

impl FeatureMethod for Spade {
    type Selection = FewShotFeatures;
    type Detector = Looking;

    fn fit(&self, selected: &Selected, _: &FitContext) -> Result<Looking> {
        Ok(Looking { params: self.clone(), selected: selected.clone() })
    }
}

/// The references as wholes and pixel by pixel.
pub(crate) struct Galleries {
    whole: Points,
    /// Of every reference, the levels of its pyramid.
    pixels: Vec<Vec<Points<f32>>>,
    /// The pixels of all references, level by level, where none is too far to count.
    all: Option<Vec<Points<f32>>>,
}

impl FeatureDetector for Looking {
    type Support = Galleries;

    fn adapt(&self, support: &View) -> Result<Galleries> {
        self.params.galleries(support, &self.whole(support)?)
    }

    fn score(&self, galleries: &Galleries, batch: &View) -> Result<Scores> {
        self.params.score(galleries, batch, &self.whole(batch)?)
    }
}

impl Looking {
    /// The pooled last layer.
    fn whole<'a>(&self, view: &View<'a>) -> Result<View<'a>> {
        let spec = FeatureSpec { layers: vec![self.selected.backbone.layers()], reduction: Reduction::Mean };
        Selected { spec, ..self.selected.clone() }.view(view.batch())
    }
}

impl Spade {
    fn galleries(&self, pyramid: &View, whole: &View) -> Result<Galleries> {
        let levels = |&id| self.levels(pyramid, id);
        let pixels = pyramid.ids().par_iter().map(levels).collect::<Result<Vec<Vec<Points<f32>>>>>()?;
        let level = |level: usize| Points::concat(pixels.iter().map(|levels| &levels[level]));
        let count = pixels.first().map_or(0, Vec::len);
        let all = (self.neighbours >= pixels.len()).then(|| (0..count).map(level).collect());
        Ok(Galleries { whole: whole.layer(0)?, pixels, all })
    }

    fn score(&self, galleries: &Galleries, pyramid: &View, whole: &View) -> Result<Scores> {
        let k = self.neighbours.min(galleries.pixels.len());
        let near = nearest(&galleries.whole, &whole.layer(0)?, k, false);
        let near: Vec<_> = near.chunks_exact(k).collect();
        let summed = Summed { sigma: self.sigma, ..Summed::default() };
        let scores = summed.score(pyramid, |place| {
            let levels = self.levels(pyramid, pyramid.ids()[place])?;
            let share = 1.0 / levels.len() as f64;
            let distances = |(level, pixels): (usize, &Points<f32>)| -> Vec<f32> {
                let gallery = match &galleries.all {
                    Some(all) => Cow::Borrowed(&all[level]),
                    None => Cow::Owned(Points::concat(near[place].iter().map(|n| &galleries.pixels[n.index][level]))),
                };
                let near = nearest(&gallery, pixels, 1, false);
                near.into_iter().map(|n| (n.squared.sqrt() * share) as f32).collect()
            };
            Ok(levels.iter().enumerate().map(distances).collect())
        })?;
        let mean = |near: &&[_]| near.iter().map(|n: &Neighbour| n.squared.sqrt()).sum::<f64>() / k as f64;
        Ok(Scores { samples: near.iter().map(mean).collect(), ..scores })
    }

    /// The pixels of an image, level by level of its pyramid.
    fn levels(&self, view: &View, id: SampleId) -> Result<Vec<Points<f32>>> {
        match self.pyramid {
            Pyramid::Apart => (0..view.store().shapes().len()).map(|layer| points(view.store(), id, layer)).collect(),
            Pyramid::Joint => Ok(vec![view.patches(id, Neighbourhood::None, Upsampling::Bilinear)?]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::features::testing::{agree, maps, wholes};

    // as in families::features::view::testing, then
    // pos = lambda m: m.reshape(len(m), -1).T
    // for k in (2, 4):
    //     for s in (4, 5):
    //         d = np.linalg.norm(np.array([w(5, r, 1) for r in range(4)]) - w(5, s, 1), axis=1); near = d.argsort()[:k]
    //         m = smooth(cdist(embed(maps(s)), np.concatenate([embed(maps(r)) for r in near])).min(1))
    //         print(d[near].mean(), m[1, :4], m[4, 4:])
    //         l = [cdist(pos(maps(s)[l]), np.concatenate([pos(maps(r)[l]) for r in near])).min(1) for l in (0, 1)]
    //         m = sum(resize(l[i].reshape(1, *maps(s)[i].shape[1:]), 6, 8)[0] for i in (0, 1)) / 2
    //         m = gaussian_filter(m, 1); print(d[near].mean(), m[1, :4], m[4, 4:])
    #[test]
    fn maps_and_scores_are_numpys() {
        let (joint, apart) = (Pyramid::Joint, Pyramid::Apart);
        for (pyramid, neighbours, expected) in
            [(joint, 2, TWO), (joint, 50, ALL), (apart, 2, TWO_APART), (apart, 50, ALL_APART)]
        {
            let spade = Spade { neighbours, pyramid, sigma: 1.0 };
            let galleries = wholes(0..4, |whole| maps(0..4, |support| spade.galleries(support, whole))).unwrap();
            let scores = wholes(4..6, |whole| maps(4..6, |batch| spade.score(&galleries, batch, whole))).unwrap();
            agree(&scores, &expected);
        }
    }

    const TWO: [(f64, [f32; 8]); 2] = [
        (
            0.8439098591318299,
            [
                0.8814367907603624,
                0.8209302144732217,
                0.7383100061214938,
                0.69108012189773,
                0.8396753088402868,
                0.9132721707807487,
                0.9875441140593316,
                1.0319076340907363,
            ],
        ),
        (
            1.3473439253836164,
            [
                0.9415888712461988,
                0.931255415414183,
                0.8802306886895044,
                0.7572169119157353,
                0.7267137798025183,
                0.6560009520711407,
                0.6872551686329048,
                0.7340502974076613,
            ],
        ),
    ];
    const ALL: [(f64, [f32; 8]); 2] = [
        (
            1.2362404084192584,
            [
                0.8814367907603624,
                0.8209297982808288,
                0.738294975145121,
                0.6908692059356326,
                0.8145855444862158,
                0.8325162417278595,
                0.8308944808394276,
                0.8233269972709099,
            ],
        ),
        (
            1.70838530887491,
            [
                0.9415588516647849,
                0.931168059789228,
                0.8798354065809677,
                0.7534598510595976,
                0.717174643738159,
                0.6342909648363466,
                0.6469270000156604,
                0.680557764459019,
            ],
        ),
    ];
    const TWO_APART: [(f64, [f32; 8]); 2] = [
        (
            0.8439098591318299,
            [
                0.5666211863614881,
                0.5655522995970463,
                0.5499380464372515,
                0.510086282440729,
                0.4190292126955072,
                0.42342863193181235,
                0.42315689552195485,
                0.42128105130477,
            ],
        ),
        (
            1.3473439253836164,
            [
                0.7060286694398914,
                0.695559168024595,
                0.6630354869378923,
                0.6020259870204978,
                0.5514525595302566,
                0.5454352813913564,
                0.543099730533102,
                0.5419561721048273,
            ],
        ),
    ];
    const ALL_APART: [(f64, [f32; 8]); 2] = [
        (
            1.2362404084192584,
            [
                0.512328287084356,
                0.5191691205763687,
                0.5154501554660873,
                0.48508109103947616,
                0.4083543579942352,
                0.4117373589170982,
                0.40509115926992467,
                0.39785405913487454,
            ],
        ),
        (
            1.70838530887491,
            [
                0.5344526149467808,
                0.5317892319530175,
                0.5175177225214123,
                0.48682247659008593,
                0.4440683825620729,
                0.44973204057611593,
                0.4553086823170589,
                0.4584529398711693,
            ],
        ),
    ];
}
