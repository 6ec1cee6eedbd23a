//! PatchCore: distance of every patch to its nearest patch of the references.

mod coreset;
mod denoise;
mod memory;
mod ridge;

use memory::Memory;
use zsad_backbones::patches::{Neighbourhood, Upsampling, embed_pooled};
use zsad_core::params::{All, OrWord};
use zsad_core::{Accepts, FitContext, MethodSpec, Result, SampleId, Scores};

use crate::families::features::{FeatureDetector, FeatureMethod, Features, FewShotFeatures, Selected, View};
use crate::math::Points;

/// The registry's entry: layers are averaged over 3 × 3, brought to the finest one's size and concatenated; a memory of
/// the references' patches (a greedy k-centre coreset of them where `coreset` < 1); the mean Euclidean distance to the
/// nearest ones is a patch's score, the greatest patch's the image's. That is anomalib's form, in which the score is not
/// re-weighted by the neighbourhood here (nor in the authors' script). The authors' own is
/// `{pooled: 1024, coreset: 0.1, anchors: 10, projection: 128, distance: squared}`.
///
/// `lookup: gaussian` is the ridge regression on the references of FastRecon (Fang et al., ICCV 2023) and the untrained relative of
/// learned lookups; `denoise: lof` is SoftPatch (Jiang et al., NeurIPS 2022), for references that hold defects themselves.
pub const DEF: Features<PatchCore> = Features::new(&MethodSpec {
    name: "patchcore",
    version: 1,
    summary: "distance of locally averaged patch features to the nearest ones of the references",
    citation: "Roth et al., Towards Total Recall in Industrial Anomaly Detection, CVPR 2022",
    accepts: Accepts::IMAGES,
});

zsad_core::choices! {
    /// What is averaged over the nearest patches.
    pub enum Distance {
        /// The distance.
        Euclidean = "euclidean",
        /// Its square.
        Squared = "squared",
    }
}

zsad_core::choices! {
    /// What a patch is compared with.
    pub enum Lookup {
        /// The nearest patches of the memory.
        Nearest = "nearest",
        /// All of them as one Gaussian.
        Gaussian = "gaussian",
    }
}

zsad_core::choices! {
    /// What is done about references that hold defects.
    pub enum Denoise {
        /// Nothing.
        None = "none",
        /// Patches that are outliers among those of their position are left out, and distances weighted by how far the nearest one is
        /// one.
        Lof = "lof",
    }
}

zsad_core::params! {
    /// Its parameters.
    pub struct PatchCore {
        /// values of a patch: the nine values of every channel around it, averaged to so many at each layer, and all layers
        /// to so many (1024 as released); 0: the mean of the nine, channel by channel (anomalib)
        pub pooled: usize = 0, in 0..=8192;
        /// share of the references' patches that is kept (0.1 as released, with all normals as references)
        pub coreset: f64 = 1.0, in 0.0001..=1.0;
        /// random patches whose mean distance the choice of the coreset starts at (10 as released); 0: it starts at the
        /// first patch
        pub anchors: usize = 0, in 0..=1000;
        /// values that patches are randomly projected to for that choice (128 as released); 0: no projection
        pub projection: usize = 0, in 0..=8192;
        /// nearest patches whose distances are averaged
        pub neighbours: usize = 1, in 1..=1000;
        /// what is averaged, resized and smoothed: euclidean: the distance (paper, anomalib); squared: its square, as
        /// the released code's index gives it
        pub distance: Distance = Distance::Euclidean;
        /// what a patch is compared with: nearest: the nearest patches; gaussian: what is left of it beside the best combination of
        /// all patches of the references under a penalty
        pub lookup: Lookup = Lookup::Nearest;
        /// with lookup: gaussian, the penalty as a share of the mean eigenvalue
        pub ridge: f64 = 0.1, in 1e-9..;
        /// rows and columns that a patch of the references may be away from where it is looked for, for objects that lie alike;
        /// all: anywhere
        pub window: OrWord<All> = OrWord::Word(All), in 0..=10_000;
        /// lof: patches of the references that are outliers at their position are left out (for references with defects among them)
        pub denoise: Denoise = Denoise::None;
        /// with denoise: lof, number of neighbours; all other references where there are fewer
        pub denoise_k: usize = 5, in 1..=10_000;
        /// with denoise: lof, the share of all patches that is left out
        pub denoise_share: f64 = 0.15, in 0.0..=0.99;
        /// Gaussian smoothing of the anomaly map, in pixels; 0: none
        pub sigma: f64 = 4.0, in 0.0..=64.0;
    }
}

/// The method with its seed.
pub struct Seeded {
    params: PatchCore,
    seed: u64,
}

impl FeatureMethod for PatchCore {
    type Selection = FewShotFeatures;
    type Detector = Seeded;

    fn check(&self) -> Result<(), String> {
        let narrow = self.window.number().is_some();
        if narrow && (self.coreset < 1.0 || self.denoise != Denoise::None) {
            return Err("`window` looks at every place of every reference: `coreset` 1 and `denoise` none".into());
        }
        if self.lookup == Lookup::Gaussian && (narrow || self.coreset < 1.0 || self.denoise != Denoise::None) {
            return Err("`lookup: gaussian` takes all patches: `window` all, `coreset` 1 and `denoise` none".into());
        }
        Ok(())
    }

    fn fit(&self, _: &Selected, ctx: &FitContext) -> Result<Seeded> {
        Ok(Seeded { params: self.clone(), seed: ctx.seed })
    }
}

impl FeatureDetector for Seeded {
    type Support = Memory;

    fn adapt(&self, support: &View) -> Result<Memory> {
        let patches = support.ids().iter().map(|&id| self.params.patches(support, id)).collect::<Result<Vec<_>>>()?;
        Memory::of(&self.params, &patches, self.seed)
    }

    fn score(&self, memory: &Memory, batch: &View) -> Result<Scores> {
        let shape = batch.store().shapes()[0];
        batch.score(self.params.sigma, |id| Ok(memory.scores(&self.params, shape, &self.params.patches(batch, id)?)))
    }
}

impl PatchCore {
    /// One point a position of the first layer.
    fn patches(&self, view: &View, id: SampleId) -> Result<Points<f32>> {
        match self.pooled {
            0 => view.patches(id, Neighbourhood::Mean3x3, Upsampling::Bilinear),
            size => Ok(Points::from_values(embed_pooled(view.store().get(id)?, size), size)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::features::testing::{agree, maps};

    // as in families::features::view::testing, then
    // def pool(m):
    //     p, (_, h, w) = np.pad(m, ((0, 0), (1, 1), (1, 1))), m.shape
    //     return sum(p[:, y:y + h, x:x + w] for y in range(3) for x in range(3)) / 9
    // e = lambda s: embed([pool(m) for m in maps(s)]); memory = np.concatenate([e(s) for s in range(4)])
    // for s in (4, 5):
    //     d = np.sort(cdist(e(s), memory), 1)[:, :2].mean(1); m = smooth(d); print(d.max(), m[1, :4], m[4, 4:])
    #[test]
    fn maps_and_scores_are_numpys() {
        let params = PatchCore { neighbours: 2, sigma: 1.0, ..PatchCore::default() };
        agree(&scores(params), &EXPECTED);
    }

    fn scores(params: PatchCore) -> Scores {
        let patchcore = Seeded { params, seed: 0 };
        let memory = maps(0..4, |support| patchcore.adapt(support)).unwrap();
        maps(4..6, |batch| patchcore.score(&memory, batch)).unwrap()
    }

    #[test]
    fn a_window_over_all_places_changes_no_bit_and_one_of_a_single_cell_looks_there_alone() {
        let wide = |window| PatchCore { neighbours: 2, sigma: 1.0, window, ..PatchCore::default() };
        assert_eq!(scores(wide(OrWord::Number(4))), scores(wide(OrWord::default())));
        let one = PatchCore { window: OrWord::Number(0), sigma: 0.0, ..PatchCore::default() };
        let patches = |samples| maps(samples, |view| one.patches(view, view.ids()[0]).unwrap());
        let (reference, query) = (patches(0..1), patches(4..5));
        let own = reference.rows().zip(query.rows()).map(|(a, b)| crate::math::points::squared_distance(a, b).sqrt());
        let greatest = own.fold(0.0, f64::max);
        let patchcore = Seeded { params: one, seed: 0 };
        let memory = maps(0..1, |support| patchcore.adapt(support)).unwrap();
        assert_eq!(maps(4..5, |batch| patchcore.score(&memory, batch)).unwrap().samples, [greatest]);
        let narrow = PatchCore { coreset: 0.5, window: OrWord::Number(1), ..PatchCore::default() };
        assert!(narrow.check().is_err() && PatchCore { lookup: Lookup::Gaussian, ..narrow }.check().is_err());
    }

    #[test]
    fn a_share_of_nothing_left_out_weighs_distances_alone() {
        let plain = scores(PatchCore { sigma: 0.0, ..PatchCore::default() }).samples;
        let soft = PatchCore { denoise: Denoise::Lof, denoise_share: 0.0, sigma: 0.0, ..PatchCore::default() };
        let weighted = scores(soft).samples;
        assert!(plain.iter().zip(&weighted).all(|(p, w)| (w / p) > 0.5 && (w / p) < 3.0 && w != p), "{weighted:?}");
        let gaussian = scores(PatchCore { lookup: Lookup::Gaussian, ..PatchCore::default() });
        assert!(gaussian.samples.iter().all(|s| s.is_finite() && *s > 0.0));
    }

    // as in zsad_backbones::patches, its `embed` and `maps`, then
    // e = lambda s: embed(maps(s), 20).double().numpy(); memory = np.concatenate([e(s) for s in range(4)])
    // for s in (4, 5):
    //     d = cdist(e(s), memory, "sqeuclidean").min(1); m = smooth(d); print(d.max(), m[1, :4], m[4, 4:])
    #[test]
    fn maps_and_scores_of_pooled_patches_by_squares_are_those_of_the_authors_functions() {
        let params = PatchCore { pooled: 20, distance: Distance::Squared, sigma: 1.0, ..PatchCore::default() };
        agree(&scores(params), &POOLED);
    }

    const EXPECTED: [(f64, [f32; 8]); 2] = [
        (
            0.2849409702892731,
            [
                0.19585424892115944,
                0.17637667807004465,
                0.15281119878754465,
                0.14823562313181304,
                0.17328716149845563,
                0.18421507328884396,
                0.18824906983559248,
                0.18844842352550972,
            ],
        ),
        (
            0.3058565592441247,
            [
                0.21176540730966206,
                0.2185718406329222,
                0.2219748098136739,
                0.20838943608560806,
                0.18678836091821996,
                0.17945236244207188,
                0.19083829825630239,
                0.20292446462033886,
            ],
        ),
    ];
    const POOLED: [(f64, [f32; 8]); 2] = [
        (
            1.9578774054323382,
            [
                0.9186066163728154,
                1.0051911252267114,
                1.1761091498103151,
                1.4145613117578666,
                1.2892543635350973,
                1.4118893877051564,
                1.5790771498118363,
                1.693477523278326,
            ],
        ),
        (
            1.8622318505838398,
            [
                1.8063500867440965,
                1.7318291987507308,
                1.612773048741258,
                1.5000374397987344,
                1.3259400073370324,
                1.4120779558764742,
                1.5713155806976769,
                1.688094560213921,
            ],
        ),
    ];
}
