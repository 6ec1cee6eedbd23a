//! MuSc: the images of a batch score each other.

use zsad_core::{Accepts, Error, FitContext, MethodSpec, Result, Scores};

use crate::families::features::{FeatureDetector, FeatureMethod, Features, InBatchFeatures, Selected, Selection, View};
use mutual::Interval;

mod mutual;
pub(crate) mod patches;
mod rescore;

/// The registry's entry: at every layer and for every size of neighbourhood a patch's distance to the nearest patch of each other
/// image, and of these n − 1 distances the mean of the lowest share; maps are resized (corners aligned) and averaged, an
/// image's score is the greatest of its map, smoothed over images that resemble each other. Nothing is trained, and no references
/// are wanted; it wants most of a batch to be normal, patch by patch.
///
/// As published on `backbone: clip_vit_l14_336` and images of 518 × 518 pixels: taps after blocks 6, 12, 18 and 24, images that resemble
/// each other by their class tokens. A convolutional network has layers for taps and no class token, for which an image's mean feature
/// stands. The work is n² P² C products for P patches of C channels.
pub const DEF: Features<MuSc> = Features::new(&MethodSpec {
    name: "musc",
    version: 1,
    summary: "distance of a patch to the nearest ones of the batch's other images, over the images in which it is small",
    citation: "Li et al., MuSc: Zero-Shot Industrial Anomaly Classification and Segmentation with Mutual Scoring of the \
               Unlabeled Images, ICLR 2024",
    accepts: Accepts::IMAGES,
});

zsad_core::choices! {
    /// By what images resemble each other when their scores are smoothed.
    pub enum Rescore {
        /// Their class tokens (RsCIN), or where a network has none their mean feature at the last layer.
        Mean = "mean",
        /// The feature of their highest-scoring patch at the last layer: RsCon of MuSc-V2.
        Salient = "salient",
        /// Scores stay as they are.
        None = "none",
    }
}

zsad_core::params! {
    /// Its parameters.
    pub struct MuSc {
        /// sides of the neighbourhoods that patches are averaged over
        pub r: Vec<usize> = vec![1, 3, 5], in 1..=31;
        /// of a patch's distances to the other images, sorted: the share at which the mean begins and at which it ends. [0, 0.3] as
        /// released; a batch in which one defect recurs in a share a of the images wants a beginning above a
        pub interval: Vec<f64> = vec![0.0, 0.3], in 0.0..=1.0;
        /// whether an image's features are normalised over channels and positions first
        pub layer_norm: bool = true;
        /// by what images resemble each other: mean: their class tokens, or their mean features where a network has none; salient:
        /// their highest-scoring patches; none: no smoothing
        pub rescore: Rescore = Rescore::Mean;
        /// most similar images, itself among them, over which a score is averaged; the mean over these numbers ([1, 2, 3] on MVTec
        /// AD as released, [1, 8, 9] on VisA; [1, 7] for salient)
        pub rescore_k: Vec<usize> = vec![1, 2, 3], in 1..=10_000;
    }
}

impl MuSc {
    fn interval(&self) -> Result<Interval, String> {
        match self.interval[..] {
            [from, to] if from < to => Ok(Interval { from, to }),
            _ => Err("`interval` is a beginning and a greater end, such as [0, 0.3]".into()),
        }
    }
}

impl FeatureMethod for MuSc {
    type Selection = InBatchFeatures;
    type Detector = Mutual;

    fn check(&self) -> Result<(), String> {
        self.interval()?;
        if let Some(even) = self.r.iter().find(|r| r.is_multiple_of(2)) {
            return Err(format!("a neighbourhood of side {even} has no middle: `r` takes odd numbers"));
        }
        if self.r.is_empty() || (self.rescore != Rescore::None && self.rescore_k.is_empty()) {
            return Err("`r` and `rescore_k` want a number at least".into());
        }
        Ok(())
    }

    /// The taps, and behind them the class token where it is wanted.
    fn layers(&self, selection: &InBatchFeatures) -> Vec<usize> {
        let class = selection.backbone.class_layer().filter(|_| self.rescore == Rescore::Mean);
        selection.layers().into_iter().chain(class).collect()
    }

    fn fit(&self, selected: &Selected, _: &FitContext) -> Result<Mutual> {
        let has_class = self.rescore == Rescore::Mean && selected.backbone.class_layer().is_some();
        // As released: of unit length with CLIP, as they are with DINOv2.
        let unit = selected.backbone.has_text();
        Ok(Mutual { params: self.clone(), whole: if has_class { Whole::Class { unit } } else { Whole::Mean } })
    }
}

/// What stands for a whole image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whole {
    /// The mean feature of the last layer.
    Mean,
    /// The last layer, which is a class token; `unit`: scaled to length 1.
    Class { unit: bool },
}

/// The method with what it looks at.
#[derive(Debug, Clone)]
pub struct Mutual {
    params: MuSc,
    whole: Whole,
}

impl FeatureDetector for Mutual {
    type Support = ();

    fn adapt(&self, _: &View) -> Result<()> {
        Ok(())
    }

    fn score(&self, (): &(), batch: &View) -> Result<Scores> {
        if batch.ids().len() < 2 {
            return Err(Error::refused("a batch of one has no images to score each other: two at least"));
        }
        let interval = self.params.interval().map_err(Error::Config)?;
        let taps = batch.store().shapes().len() - usize::from(self.whole != Whole::Mean);
        let mut scores: Scores = batch.maps(mutual::maps(&self.params, interval, batch, taps)?).into();
        scores.samples = rescore::rescored(&self.params, self.whole, batch, &scores)?;
        Ok(scores)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::features::testing::{agree, maps};
    use zsad_core::Maps;

    fn score(params: MuSc, samples: u32) -> Result<Scores> {
        maps(0..samples, |batch| Mutual { params, whole: Whole::Mean }.score(&(), batch))
    }

    // as in families::features::view::testing, in double precision, then
    // import torch, torch.nn.functional as F; torch.set_default_dtype(torch.float64)
    // def musc(n, rs, a, b, norm):
    //     total = torch.zeros(n, 6, 8)
    //     for layer in (0, 1):
    //         f = torch.tensor(np.stack([maps(s)[layer] for s in range(n)]))
    //         for r in rs:
    //             x = F.layer_norm(f, f.shape[1:], eps=1e-5) if norm else f
    //             x = F.unfold(x, r, padding=r // 2).reshape(*x.shape[:2], r * r, -1)
    //             z = F.normalize(x.mean(2), dim=1).transpose(1, 2)
    //             for i in range(n):
    //                 d = torch.stack([torch.cdist(z[i], z[j]).min(1).values for j in range(n) if j != i]).sort(0).values
    //                 lo = int(a * (n - 1)); hi = max(lo + 1, int(b * (n - 1)))
    //                 m = d[lo:hi].mean(0).reshape(1, 1, *f.shape[2:])
    //                 total[i] += F.interpolate(m, size=(6, 8), mode="bilinear", align_corners=True)[0, 0]
    //     return total / (2 * len(rs))
    // for args in ((5, (1, 3), 0, .3, True), (5, (3,), .25, .8, False)):
    //     m = musc(*args); print(m.amax((1, 2))[:2], m[:2, 1, :4], m[:2, 4, 4:])
    //     c = m.amax((1, 2)); c = (c - c.min()) / (c.max() - c.min()); out = 0
    //     e = F.normalize(torch.tensor(np.stack([maps(s)[1].mean((1, 2)) for s in range(5)])), dim=1); w = e @ e.T
    //     for k in (1, 2, 3):
    //         keep = torch.where(w >= w.sort(1).values[:, -k][:, None], w, 0.); out += keep / keep.sum(1, keepdim=True) @ c
    //     print(out / 3)
    #[test]
    fn maps_and_scores_are_those_of_the_authors_formulas_in_pytorch() {
        let middle = MuSc { r: vec![3], interval: vec![0.25, 0.8], layer_norm: false, ..MuSc::default() };
        let released = MuSc { r: vec![1, 3], ..MuSc::default() };
        for (params, expected, smoothed) in [(released, RELEASED, RELEASED_SMOOTHED), (middle, MIDDLE, MIDDLE_SMOOTHED)]
        {
            let raw = MuSc { rescore: Rescore::None, ..params.clone() };
            let scores = score(raw, 5).unwrap();
            let first = Maps { shape: vec![6, 8], values: scores.maps.unwrap().values[..96].to_vec() };
            agree(&Scores { samples: scores.samples[..2].to_vec(), maps: Some(first) }, &expected);
            let scores = score(params, 5).unwrap();
            crate::math::testing::agree(&scores.samples, &smoothed, 1e-5);
        }
    }

    // as above, with layer 0 alone for a tap: c = musc(5, (1, 3), …).amax((1, 2)) scaled to 0 … 1, e the means of layer 1 as a class token
    // (which has one position; of more the mean is taken), once through F.normalize and once as they are
    #[test]
    fn class_tokens_smooth_by_their_cosines_or_as_they_are() {
        for (unit, want) in [(true, UNIT_CLASS), (false, RAW_CLASS)] {
            let params = MuSc { r: vec![1, 3], ..MuSc::default() };
            let scores = maps(0..5, |batch| Mutual { params, whole: Whole::Class { unit } }.score(&(), batch)).unwrap();
            crate::math::testing::agree(&scores.samples, &want, 1e-5);
        }
    }

    const UNIT_CLASS: [f64; 5] =
        [0.4665002679112546, 0.7658604358055677, 0.7147417993215187, 0.2847524114741702, 0.3694677393117866];
    const RAW_CLASS: [f64; 5] =
        [0.45057979510464524, 0.4782985398945205, 0.8932073412731291, 0.6481726819377327, 0.18254807104668405];

    #[test]
    fn salient_patches_smooth_as_well_and_one_image_is_refused() {
        let salient = MuSc { rescore: Rescore::Salient, rescore_k: vec![1, 7], ..MuSc::default() };
        let scores = score(salient.clone(), 5).unwrap();
        // Cosines of patches may be negative, and scores then lie outside of 0 … 1.
        let first = scores.samples[0];
        assert!(scores.samples.iter().all(|s| s.is_finite()) && scores.samples.iter().any(|s| *s != first));
        assert!(matches!(score(salient, 1), Err(Error::Refused(_))));
        let off = MuSc { interval: vec![0.5, 0.5], ..MuSc::default() };
        assert!(off.check().is_err() && MuSc { r: vec![2], ..MuSc::default() }.check().is_err());
    }

    const RELEASED: [(f64, [f32; 8]); 2] = [
        (
            0.314035322034833,
            [
                0.29489499554708,
                0.2803020242246772,
                0.2657090529022744,
                0.24946431089194437,
                0.20846255119400647,
                0.19527599826813508,
                0.1669654787236972,
                0.1386549591792593,
            ],
        ),
        (
            0.2527609477780604,
            [
                0.18513949001386484,
                0.19127545622528902,
                0.1974114224367131,
                0.20740502731088273,
                0.15469604162655914,
                0.15602095529991844,
                0.15048514276567515,
                0.1449493302314318,
            ],
        ),
    ];
    const RELEASED_SMOOTHED: [f64; 5] =
        [0.5621463536484392, 0.4426762964894908, 0.6845346978616201, 0.28106676420247645, 0.24996776905256488];
    const MIDDLE: [(f64, [f32; 8]); 2] = [
        (
            1.0289566601994364,
            [
                0.8927979009441411,
                0.8897069707638053,
                0.8866160405834692,
                0.8758992855521323,
                0.8611627387410385,
                0.8806020790162368,
                0.8990273645648391,
                0.9174526501134415,
            ],
        ),
        (
            0.8684484414644903,
            [
                0.7765122297343154,
                0.7884704467657667,
                0.8004286637972178,
                0.7713974518402169,
                0.7645510775492219,
                0.7714630418043793,
                0.7997903667207297,
                0.82811769163708,
            ],
        ),
    ];
    const MIDDLE_SMOOTHED: [f64; 5] =
        [0.7637118345859321, 0.5028080270371392, 0.1980745280229108, 0.12580069306129685, 0.5296005699113313];
}
