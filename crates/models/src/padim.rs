//! PaDiM: a Gaussian of the references' features at every position.

use rand::seq::index;
use rayon::prelude::*;
use zsad_core::rng::stream;
use zsad_core::{
    MethodSpec, ParamDefault, ParamKind, ParamSpec, Params, Result, SampleRef, Scores, Setting, TestBatch,
};
use zsad_nn::features::Reduction;
use zsad_nn::features::patches::Neighbourhood;

use crate::classical::Points;
use crate::vision::{BACKBONE, Frozen, Gaussian, LAYERS, NEEDS, SHOTS, SIGMA, View, features};

/// The registry's entry: layers are brought to the finest one's size and concatenated, a random subset of the channels
/// is kept; at every position the Mahalanobis distance to mean and covariance + 0.01 I of the references; the greatest
/// position of the smoothed map is the image's score.
pub const DEF: Frozen = Frozen {
    spec: &MethodSpec {
        name: "padim",
        version: 1,
        summary: "Mahalanobis distance to a Gaussian of the references' patch features at each position",
        citation: "Defard et al., PaDiM: a Patch Distribution Modeling Framework, ICPR Workshops 2021",
        setting: Setting::FewShot,
        needs: NEEDS,
        params: &[
            BACKBONE,
            LAYERS,
            SHOTS,
            ParamSpec {
                name: "channels",
                doc: "size of the random subset of channels, at most all",
                kind: ParamKind::Int { min: 1, max: 4096 },
                default: ParamDefault::Int(100),
            },
            SIGMA,
        ],
    },
    score,
};

/// Added to the covariance's diagonal.
const RIDGE: f64 = 0.01;

fn score(params: &Params, seed: u64, batch: &TestBatch) -> Result<Scores> {
    let view = View::new(batch, &features(params, Reduction::Map)?)?;
    let all = view.patches(view.references()?[0], Neighbourhood::None)?;
    let (positions, dim) = (all.len(), all.dim());
    let mut rng = stream(seed, &[("method", "padim"), ("purpose", "channels")]);
    let mut kept = index::sample(&mut rng, dim, params.size("channels").min(dim)).into_vec();
    kept.sort_unstable();
    let embedded = |&sample: &SampleRef| {
        let patches = view.patches(sample, Neighbourhood::None)?;
        let values = patches.rows().flat_map(|row| kept.iter().map(|&c| row[c])).collect();
        Ok(Points::from_values(values, kept.len()))
    };
    let references = view.references()?.par_iter().map(embedded).collect::<Result<Vec<Points>>>()?;
    let at = |p: usize| Points::from_values(references.iter().flat_map(|r| r.row(p)).copied().collect(), kept.len());
    // One reference has no covariance; the ridge alone is left then.
    let share = 1.0 / (references.len().max(2) - 1) as f64;
    let gaussian = |p| Gaussian::fit(&at(p), share, RIDGE);
    let gaussians = (0..positions).into_par_iter().map(gaussian).collect::<Result<Vec<_>>>()?;
    let mut scores = view.score(params.float("sigma"), |sample| {
        let patches = embedded(&sample)?;
        Ok(gaussians.iter().zip(patches.rows()).map(|(g, row)| g.squared(row).sqrt()).collect())
    })?;
    // The official code takes the greatest value after smoothing.
    if let Some(maps) = &scores.maps {
        let greatest = |map: &[f32]| f64::from(map.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        scores.samples = maps.values.chunks_exact(maps.height * maps.width).map(greatest).collect();
    }
    Ok(scores)
}
