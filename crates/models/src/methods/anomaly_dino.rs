//! AnomalyDINO: the cosine distance of every patch to its nearest ones, and the mean of the greatest.

use rayon::prelude::*;
use zsad_backbones::BackboneKind;
use zsad_backbones::maps::anomaly_map;
use zsad_backbones::patches::{Neighbourhood, Upsampling};
use zsad_core::{Accepts, Error, FitContext, MethodSpec, Result, SampleId, Scores, Shots};

use crate::families::features::{FeatureDetector, FeatureMethod, Features, FitTo, Selected, Selection, View, named};
use crate::math::Points;
use crate::math::neighbours::nearest;

mod lowest;
mod rotated;

/// The registry's entry: patches of DINOv2's last block, of unit length; a patch's score is half the squared distance to the nearest
/// patch of the references (1 − cos), which are turned in eight steps as well; with `fit: batch`, the mean of its least distances to
/// the patches of all other images of the batch. An image's score is the mean of the highest hundredth of its patches' scores.
///
/// As published on images whose shorter side has 448 pixels (672 in the batch): `{resize: 448, crop: 448}` of the data set. The
/// authors' mask of the foreground is chosen by category and has no place here. On another network than a DINOv2 this is another
/// method, PatchCore with cosines.
pub const DEF: Features<AnomalyDino> = Features::new(&MethodSpec {
    name: "anomaly_dino",
    version: 1,
    summary: "cosine distance of DINOv2's patches to the nearest ones of turned references, or of the batch's other images",
    citation: "Damm, Laszkiewicz, Lederer, Fischer: AnomalyDINO: Boosting Patch-based Few-shot Anomaly Detection with DINOv2, \
               WACV 2025",
    accepts: Accepts::IMAGES,
});

zsad_core::params! {
    /// Which features it compares, and with how many references.
    pub struct Patches {
        /// frozen network; its weights lie in <data>/weights
        pub backbone: BackboneKind = BackboneKind::DinoVitS14;
        /// its layers; auto: the last block of a vision transformer, else those at 1/8 and 1/16 of the image
        pub layers: Option<Vec<usize>> = None, in 1..=25;
        /// number of normal references of the target; all: as many as there are, which makes the setting one_class
        pub shots: Shots = Shots::Number(4), in 1..=10_000;
    }
}

impl Selection for Patches {
    fn backbone(&self) -> BackboneKind {
        self.backbone
    }

    fn layers(&self) -> Vec<usize> {
        named(&self.layers, || match self.backbone.class_layer() {
            Some(class) => vec![class - 1],
            None => self.backbone.default_layers().to_vec(),
        })
    }

    fn settle(&mut self) {
        self.layers = Some(self.layers());
    }

    fn shots(&self) -> Shots {
        self.shots
    }
}

zsad_core::params! {
    /// Its parameters.
    pub struct AnomalyDino {
        /// references: patches are compared with those of normal references of the target; batch: with those of the batch's other
        /// images
        pub fit: FitTo = FitTo::References;
        /// turns of every reference, at even steps of a whole turn; 1: as it is
        pub rotations: usize = 8, in 1..=360;
        /// in the batch, the share of all other images' patches over whose distances the mean is taken, less one patch
        pub share: f64 = 0.001, in 0.0..=1.0;
        /// share of an image's patches, those with the highest scores, whose mean is the image's score; 0: the highest
        pub top: f64 = 0.01, in 0.0..=1.0;
        /// Gaussian smoothing of the anomaly map, in pixels; 0: none
        pub sigma: f64 = 4.0, in 0.0..=64.0;
    }
}

/// The method with what it looks at.
#[derive(Debug, Clone)]
pub struct Looking {
    params: AnomalyDino,
    selected: Selected,
}

impl FeatureMethod for AnomalyDino {
    type Selection = Patches;
    type Detector = Looking;

    fn shots(&self, selection: &Patches) -> Shots {
        self.fit.shots(selection.shots)
    }

    fn fit(&self, selected: &Selected, _: &FitContext) -> Result<Looking> {
        Ok(Looking { params: self.clone(), selected: selected.clone() })
    }
}

impl FeatureDetector for Looking {
    /// The patches of the references; `None` in the batch.
    type Support = Option<Points<f32>>;

    fn adapt(&self, support: &View) -> Result<Option<Points<f32>>> {
        if self.params.fit == FitTo::Batch {
            return Ok(None);
        }
        let mut patches = self.params.patches(support)?;
        for turn in 1..self.params.rotations {
            let angle = 360.0 * turn as f64 / self.params.rotations as f64;
            let turned = rotated::view(&self.selected, support, angle)?;
            patches.extend(self.params.patches(&turned)?);
        }
        Ok(Some(Points::concat(&patches)))
    }

    fn score(&self, memory: &Option<Points<f32>>, batch: &View) -> Result<Scores> {
        let patches = self.params.patches(batch)?;
        let scores: Vec<Vec<f32>> = match memory {
            Some(memory) => {
                let half = |near: Vec<_>| near.iter().map(half_squared).collect();
                patches.par_iter().map(|patches| half(nearest(memory, patches, 1, false))).collect()
            }
            None if patches.len() < 2 => {
                return Err(Error::refused("a batch of one has no other images to compare with: two at least"));
            }
            None => lowest::means(&patches, self.params.share),
        };
        let shape = batch.store().shapes()[0];
        batch.each(|place| {
            let map = anomaly_map(&scores[place], (shape.height, shape.width), batch.image(), self.params.sigma);
            Ok((self.params.highest(&scores[place]), map))
        })
    }
}

fn half_squared(near: &crate::math::neighbours::Neighbour) -> f32 {
    (near.squared / 2.0) as f32
}

impl AnomalyDino {
    /// The patches of every image, of unit length; one without features stays where it is.
    fn patches(&self, view: &View) -> Result<Vec<Points<f32>>> {
        let of = |&id: &SampleId| {
            let points = view.patches(id, Neighbourhood::None, Upsampling::Bilinear)?;
            let unit = |row: &[f32]| {
                let length = row.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
                let length = if length > 0.0 { length } else { 1.0 };
                row.iter().map(|&v| (f64::from(v) / length) as f32).collect::<Vec<_>>()
            };
            Ok(Points::from_values(points.rows().flat_map(unit).collect(), points.dim()))
        };
        view.ids().par_iter().map(of).collect()
    }

    /// The mean of the highest share of a map, or its maximum.
    fn highest(&self, scores: &[f32]) -> f64 {
        let mut sorted: Vec<f64> = scores.iter().map(|&v| f64::from(v)).collect();
        sorted.sort_unstable_by(|a, b| b.total_cmp(a));
        let count = ((self.top * sorted.len() as f64) as usize).clamp(1, sorted.len());
        sorted[..count].iter().sum::<f64>() / count as f64
    }
}

#[cfg(test)]
mod tests {
    use zsad_backbones::features::{FeatureSpec, Reduction};

    use super::*;
    use crate::families::features::testing::{agree, maps};

    fn looking(params: AnomalyDino) -> Looking {
        let spec = FeatureSpec { layers: vec![12], reduction: Reduction::Map };
        Looking { params, selected: Selected { backbone: BackboneKind::DinoVitS14, spec, shots: Shots::Number(4) } }
    }

    // as in families::features::view::testing, then
    // unit = lambda e: e / np.linalg.norm(e, axis=1, keepdims=True); e = lambda s: unit(embed(maps(s)))
    // def show(d, top): m = smooth(d); print(np.sort(d)[::-1][:max(1, int(top * 12))].mean(), m[1, :4], m[4, 4:])
    // memory = np.concatenate([e(s) for s in range(4)])
    // for s in (4, 5): show(cdist(e(s), memory, "sqeuclidean").min(1) / 2, .3)
    // for s in (0, 1):
    //     d = np.sort(1 - e(s) @ np.concatenate([e(o) for o in range(5) if o != s]).T, 1); show(d[:, :int(.1 * 48) - 1].mean(1), 0)
    #[test]
    fn scores_and_maps_are_numpys_with_references_and_in_the_batch() {
        let few = looking(AnomalyDino { rotations: 1, top: 0.3, sigma: 1.0, ..AnomalyDino::default() });
        let memory = maps(0..4, |support| few.adapt(support)).unwrap();
        agree(&maps(4..6, |batch| few.score(&memory, batch)).unwrap(), &REFERENCES);
        let params = AnomalyDino { fit: FitTo::Batch, share: 0.1, top: 0.0, sigma: 1.0, ..AnomalyDino::default() };
        let own = looking(params);
        let support = maps(0..5, |batch| own.adapt(batch)).unwrap();
        let mut scores = maps(0..5, |batch| own.score(&support, batch)).unwrap();
        scores.samples.truncate(2);
        agree(&scores, &BATCH);
        assert!(matches!(maps(0..1, |batch| own.score(&None, batch)), Err(Error::Refused(_))));
    }

    const REFERENCES: [(f64, [f32; 8]); 2] = [
        (
            0.27006086418058417,
            [
                0.1461388676632292,
                0.13118071675581686,
                0.11545052826339693,
                0.11875623672491346,
                0.14180932032091026,
                0.16494126101982937,
                0.18505905787424032,
                0.19595746318993607,
            ],
        ),
        (
            0.2736348499544164,
            [
                0.2369442935011791,
                0.22053560223045865,
                0.19282504652569424,
                0.16309672507278136,
                0.16538312686221332,
                0.13470382243282708,
                0.1235960605804628,
                0.12215117670728623,
            ],
        ),
    ];
    const BATCH: [(f64, [f32; 8]); 2] = [
        (
            0.5016818368394284,
            [
                0.3688682758423586,
                0.3445775936237012,
                0.30143587865242477,
                0.24947024994172678,
                0.16852680781005386,
                0.1626395027098209,
                0.18508074805877786,
                0.20642158671490138,
            ],
        ),
        (
            0.4202622370920736,
            [
                0.29440581952249345,
                0.24732569895649303,
                0.17941898719793484,
                0.13342070460668531,
                0.163810390461285,
                0.15740321229174672,
                0.14871447080581424,
                0.14285871096704056,
            ],
        ),
    ];
}
