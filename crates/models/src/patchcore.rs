//! PatchCore: distance of every patch to its nearest patch of the references.

use zsad_core::{MethodSpec, ParamDefault, ParamKind, ParamSpec, Params, Result, Scores, Setting, TestBatch};
use zsad_nn::features::Reduction;
use zsad_nn::features::patches::Neighbourhood;

use crate::classical::Points;
use crate::classical::neighbours::nearest_by;
use crate::classical::points::squared_distance;
use crate::vision::{BACKBONE, Frozen, LAYERS, NEEDS, SHOTS, SIGMA, View, concat, features};

/// The registry's entry: layers are averaged over 3 × 3, brought to the finest one's size and concatenated; a memory of
/// the references' patches (a greedy k-centre coreset of them where `coreset` < 1); the mean Euclidean distance to the
/// nearest ones is a patch's score, the greatest patch's the image's. Beside the paper, channels are not reduced to
/// 1,024, and the score is not re-weighted by the neighbourhood (as in the official script).
pub const DEF: Frozen = Frozen {
    spec: &MethodSpec {
        name: "patchcore",
        version: 1,
        summary: "distance of locally averaged patch features to the nearest ones of the references",
        citation: "Roth et al., Towards Total Recall in Industrial Anomaly Detection, CVPR 2022",
        setting: Setting::FewShot,
        needs: NEEDS,
        params: &[
            BACKBONE,
            LAYERS,
            SHOTS,
            ParamSpec {
                name: "coreset",
                doc: "share of the references' patches that is kept",
                kind: ParamKind::Float { min: 0.0001, max: 1.0 },
                default: ParamDefault::Float(1.0),
            },
            ParamSpec {
                name: "neighbours",
                doc: "nearest patches whose distances are averaged",
                kind: ParamKind::Int { min: 1, max: 1000 },
                default: ParamDefault::Int(1),
            },
            SIGMA,
        ],
    },
    score,
};

fn score(params: &Params, _: u64, batch: &TestBatch) -> Result<Scores> {
    let view = View::new(batch, &features(params, Reduction::Map)?)?;
    let mut memory = Vec::new();
    for &reference in view.references()? {
        memory.push(view.patches(reference, Neighbourhood::Mean3x3)?);
    }
    let memory = coreset(&concat(&memory), params.float("coreset"));
    let k = params.size("neighbours").min(memory.len());
    view.score(params.float("sigma"), |sample| {
        let near = nearest_by::<f32>(&memory, &view.patches(sample, Neighbourhood::Mean3x3)?, k, false);
        Ok(near.chunks_exact(k).map(|near| near.iter().map(|n| n.squared.sqrt()).sum::<f64>() / k as f64).collect())
    })
}

/// Greedy k-centre selection, from the first point on: each next point is the farthest from those chosen.
fn coreset(points: &Points, share: f64) -> Points {
    let wanted = ((points.len() as f64 * share).ceil() as usize).clamp(1, points.len());
    if wanted == points.len() {
        return points.clone();
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

    #[test]
    fn the_coreset_spreads_over_the_points() {
        let line = Points::from_values(vec![0.0, 1.0, 2.0, 10.0, 11.0, 4.9], 1);
        assert_eq!(coreset(&line, 0.5).values(), [0.0, 11.0, 4.9]);
        assert_eq!(coreset(&line, 1.0), line);
        assert_eq!(coreset(&line, 0.01).values(), [0.0]);
    }
}
