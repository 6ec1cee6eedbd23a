//! SPADE: image score by the nearest references as wholes, maps by the nearest pixels of their feature pyramids.

use std::borrow::Cow;

use rayon::prelude::*;
use zsad_backbones::features::{FeatureSpec, Reduction};
use zsad_backbones::patches::Neighbourhood;
use zsad_core::{Accepts, FitContext, MethodSpec, Result, Scores};

use crate::families::features::{FeatureDetector, FeatureMethod, Features, FewShotFeatures, Selected, View};
use crate::math::Points;
use crate::math::neighbours::{Neighbour, nearest, nearest_by};

/// The registry's entry: the image score is the mean distance of the backbone's pooled last layer to the
/// `neighbours` nearest references; a pixel's is the distance of its features over all layers to the nearest pixel of
/// these references.
pub const DEF: Features<Spade> = Features::new(&MethodSpec {
    name: "spade",
    version: 1,
    summary: "distance to the nearest references as wholes, and of pixels to theirs",
    citation: "Cohen, Hoshen, Sub-Image Anomaly Detection with Deep Pyramid Correspondences, arXiv 2005.02357",
    accepts: Accepts::IMAGES,
});

zsad_core::params! {
    /// Its parameters.
    pub struct Spade {
        /// nearest references, at most all
        pub neighbours: usize = 50, in 1..=1000;
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
    pixels: Vec<Points>,
    /// The pixels of all references, where none is too far to count.
    all: Option<Points>,
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
        let pixels = |&id| pyramid.patches(id, Neighbourhood::None);
        let pixels = pyramid.ids().par_iter().map(pixels).collect::<Result<Vec<Points>>>()?;
        let all = (self.neighbours >= pixels.len()).then(|| Points::concat(&pixels));
        Ok(Galleries { whole: whole.layer(0)?, pixels, all })
    }

    fn score(&self, galleries: &Galleries, pyramid: &View, whole: &View) -> Result<Scores> {
        let k = self.neighbours.min(galleries.pixels.len());
        let near = nearest(&galleries.whole, &whole.layer(0)?, k, false);
        let near: Vec<_> = near.chunks_exact(k).collect();
        let scores = pyramid.score(self.sigma, |place, id| {
            let gallery = match &galleries.all {
                Some(all) => Cow::Borrowed(all),
                None => Cow::Owned(Points::concat(near[place].iter().map(|n| &galleries.pixels[n.index]))),
            };
            let pixels = pyramid.patches(id, Neighbourhood::None)?;
            Ok(nearest_by::<f32>(&gallery, &pixels, 1, false).into_iter().map(|n| n.squared.sqrt()).collect())
        })?;
        let mean = |near: &&[_]| near.iter().map(|n: &Neighbour| n.squared.sqrt()).sum::<f64>() / k as f64;
        Ok(Scores { samples: near.iter().map(mean).collect(), ..scores })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::features::testing::{agree, maps, wholes};

    // as in families::features::view::testing, then
    // for k in (2, 4):
    //     for s in (4, 5):
    //         d = np.linalg.norm(np.array([w(5, r, 1) for r in range(4)]) - w(5, s, 1), axis=1); near = d.argsort()[:k]
    //         m = smooth(cdist(embed(maps(s)), np.concatenate([embed(maps(r)) for r in near])).min(1))
    //         print(d[near].mean(), m[1, :4], m[4, 4:])
    #[test]
    fn maps_and_scores_are_numpys() {
        for (neighbours, expected) in [(2, TWO), (50, ALL)] {
            let spade = Spade { neighbours, sigma: 1.0 };
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
}
