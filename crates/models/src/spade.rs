//! SPADE: image score by the nearest references as wholes, maps by the nearest pixels of their feature pyramids.

use std::borrow::Cow;

use rayon::prelude::*;
use zsad_core::{
    MethodSpec, ParamDefault, ParamKind, ParamSpec, Params, Result, SampleRef, Scores, Setting, TestBatch,
};
use zsad_nn::features::patches::Neighbourhood;
use zsad_nn::features::{FeatureSpec, Reduction};

use crate::classical::Points;
use crate::classical::neighbours::{nearest, nearest_by};
use crate::vision::{BACKBONE, Frozen, LAYERS, NEEDS, SHOTS, SIGMA, View, concat, features};

/// The registry's entry: the image score is the mean distance of the backbone's pooled last layer to the
/// `neighbours` nearest references; a pixel's is the distance of its features over all layers to the nearest pixel of
/// these references.
pub const DEF: Frozen = Frozen {
    spec: &MethodSpec {
        name: "spade",
        version: 1,
        summary: "distance to the nearest references as wholes, and of pixels to theirs",
        citation: "Cohen, Hoshen, Sub-Image Anomaly Detection with Deep Pyramid Correspondences, arXiv 2005.02357",
        setting: Setting::FewShot,
        needs: NEEDS,
        params: &[
            BACKBONE,
            LAYERS,
            SHOTS,
            ParamSpec {
                name: "neighbours",
                doc: "nearest references, at most all",
                kind: ParamKind::Int { min: 1, max: 1000 },
                default: ParamDefault::Int(50),
            },
            SIGMA,
        ],
    },
    score,
};

fn score(params: &Params, _: u64, batch: &TestBatch) -> Result<Scores> {
    let spec = features(params, Reduction::Map)?;
    let pooled = FeatureSpec { layers: vec![spec.backbone.layers()], reduction: Reduction::Mean, ..spec.clone() };
    let whole = View::new(batch, &pooled)?;
    let references = whole.references()?;
    let k = params.size("neighbours").min(references.len());
    let near = nearest(&whole.layer(references, 0)?, &whole.layer(whole.batch(), 0)?, k, false);
    let near: Vec<_> = near.chunks_exact(k).collect();

    let view = View::new(batch, &spec)?;
    let pixels = |&r: &SampleRef| view.patches(r, Neighbourhood::None);
    let galleries = references.par_iter().map(pixels).collect::<Result<Vec<Points>>>()?;
    let all = (k == references.len()).then(|| concat(&galleries));
    // The same image may be in a batch twice; its neighbours depend on the image alone, so the first place will do.
    let place = |sample| view.batch().iter().position(|r| *r == sample).unwrap_or_default();
    let mut scores = view.score(params.float("sigma"), |sample| {
        let gallery = match &all {
            Some(all) => Cow::Borrowed(all),
            None => Cow::Owned(concat(near[place(sample)].iter().map(|n| &galleries[n.index]))),
        };
        let pixels = view.patches(sample, Neighbourhood::None)?;
        Ok(nearest_by::<f32>(&gallery, &pixels, 1, false).into_iter().map(|n| n.squared.sqrt()).collect())
    })?;
    scores.samples = near.iter().map(|near| near.iter().map(|n| n.squared.sqrt()).sum::<f64>() / k as f64).collect();
    Ok(scores)
}
