//! PatchCore: distance of every patch to its nearest patch of the references.

use zsad_backbones::patches::{Neighbourhood, Upsampling};
use zsad_core::{Accepts, FitContext, MethodSpec, Result, Scores};

use crate::families::features::{FeatureDetector, FeatureMethod, Features, FewShotFeatures, Selected, View};
use crate::math::Points;
use crate::math::neighbours::nearest_by;
use crate::math::points::squared_distance;

/// The registry's entry: layers are averaged over 3 × 3, brought to the finest one's size and concatenated; a memory of
/// the references' patches (a greedy k-centre coreset of them where `coreset` < 1); the mean Euclidean distance to the
/// nearest ones is a patch's score, the greatest patch's the image's. Beside the paper, channels are not reduced to
/// 1,024, and the score is not re-weighted by the neighbourhood (as in the official script).
pub const DEF: Features<PatchCore> = Features::new(&MethodSpec {
    name: "patchcore",
    version: 1,
    summary: "distance of locally averaged patch features to the nearest ones of the references",
    citation: "Roth et al., Towards Total Recall in Industrial Anomaly Detection, CVPR 2022",
    accepts: Accepts::IMAGES,
});

zsad_core::params! {
    /// Its parameters.
    pub struct PatchCore {
        /// share of the references' patches that is kept
        pub coreset: f64 = 1.0, in 0.0001..=1.0;
        /// nearest patches whose distances are averaged
        pub neighbours: usize = 1, in 1..=1000;
        /// Gaussian smoothing of the anomaly map, in pixels; 0: none
        pub sigma: f64 = 4.0, in 0.0..=64.0;
    }
}

impl FeatureMethod for PatchCore {
    type Selection = FewShotFeatures;
    type Detector = PatchCore;

    fn fit(&self, _: &Selected, _: &FitContext) -> Result<PatchCore> {
        Ok(self.clone())
    }
}

impl FeatureDetector for PatchCore {
    /// The memory of patches.
    type Support = Points;

    fn adapt(&self, support: &View) -> Result<Points> {
        let patches = |&id| support.patches(id, Neighbourhood::Mean3x3, Upsampling::Bilinear);
        let patches = support.ids().iter().map(patches).collect::<Result<Vec<Points>>>()?;
        Ok(coreset(Points::concat(&patches), self.coreset))
    }

    fn score(&self, memory: &Points, batch: &View) -> Result<Scores> {
        let k = self.neighbours.min(memory.len());
        batch.score(self.sigma, |_, id| {
            let near =
                nearest_by::<f32>(memory, &batch.patches(id, Neighbourhood::Mean3x3, Upsampling::Bilinear)?, k, false);
            Ok(near.chunks_exact(k).map(|near| near.iter().map(|n| n.squared.sqrt()).sum::<f64>() / k as f64).collect())
        })
    }
}

/// Greedy k-centre selection, from the first point on: each next point is the farthest from those chosen.
fn coreset(points: Points, share: f64) -> Points {
    let wanted = ((points.len() as f64 * share).ceil() as usize).clamp(1, points.len());
    if wanted == points.len() {
        return points;
    }
    let mut chosen = vec![0];
    let mut distance = vec![f64::INFINITY; points.len()];
    while chosen.len() < wanted {
        let last = points.row(chosen[chosen.len() - 1]);
        let mut farthest = 0;
        for (i, row) in points.rows().enumerate() {
            distance[i] = distance[i].min(squared_distance(row, last));
            if distance[i] > distance[farthest] {
                farthest = i;
            }
        }
        chosen.push(farthest);
    }
    points.select(&chosen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::features::testing::{agree, maps};

    #[test]
    fn the_coreset_spreads_over_the_points() {
        let line = Points::from_values(vec![0.0, 1.0, 2.0, 10.0, 11.0, 4.9], 1);
        assert_eq!(coreset(line.clone(), 0.5).values(), [0.0, 11.0, 4.9]);
        assert_eq!(coreset(line.clone(), 1.0), line);
        assert_eq!(coreset(line.clone(), 0.01).values(), [0.0]);
    }

    // as in families::features::view::testing, then
    // def pool(m):
    //     p, (_, h, w) = np.pad(m, ((0, 0), (1, 1), (1, 1))), m.shape
    //     return sum(p[:, y:y + h, x:x + w] for y in range(3) for x in range(3)) / 9
    // e = lambda s: embed([pool(m) for m in maps(s)]); memory = np.concatenate([e(s) for s in range(4)])
    // for s in (4, 5):
    //     d = np.sort(cdist(e(s), memory), 1)[:, :2].mean(1); m = smooth(d); print(d.max(), m[1, :4], m[4, 4:])
    #[test]
    fn maps_and_scores_are_numpys() {
        let patchcore = PatchCore { coreset: 1.0, neighbours: 2, sigma: 1.0 };
        let memory = maps(0..4, |support| patchcore.adapt(support)).unwrap();
        agree(&maps(4..6, |batch| patchcore.score(&memory, batch)).unwrap(), &EXPECTED);
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
}
