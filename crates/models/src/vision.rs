//! What the methods on frozen features of images share: parameters, features of a batch and of its references, maps.

mod gaussian;

use rayon::prelude::*;
use zsad_core::method::Silent;
use zsad_core::{
    Error, FitContext, Fitted, Kind, Maps, Method, MethodDef, MethodSpec, Needs, ParamDefault, ParamKind, ParamSpec,
    Params, Result, SampleRef, Scores, Setting, TestBatch,
};
use zsad_nn::backbones::{BackboneKind, NAMES};
use zsad_nn::features::patches::{Neighbourhood, anomaly_map, embed};
use zsad_nn::features::{FeatureSpec, FeatureStore, Reduction};

use crate::classical::Points;
pub(crate) use gaussian::Gaussian;

pub(crate) const BACKBONE: ParamSpec = ParamSpec {
    name: "backbone",
    doc: "frozen ImageNet network; its weights lie in <data>/weights",
    kind: ParamKind::Choice(NAMES),
    default: ParamDefault::Text("efficientnet_lite0"),
};
pub(crate) const LAYERS: ParamSpec = ParamSpec {
    name: "layers",
    doc: "its layers, the finest first; auto: those at 1/8 and 1/16 of the image",
    kind: ParamKind::IntList { min: 1, max: 7 },
    default: ParamDefault::Auto,
};
pub(crate) const SHOTS: ParamSpec = ParamSpec {
    name: "shots",
    doc: "number of normal references of the target",
    kind: ParamKind::Int { min: 1, max: 10_000 },
    default: ParamDefault::Int(4),
};
pub(crate) const SIGMA: ParamSpec = ParamSpec {
    name: "sigma",
    doc: "Gaussian smoothing of the anomaly map, in pixels; 0: none",
    kind: ParamKind::Float { min: 0.0, max: 64.0 },
    default: ParamDefault::Float(4.0),
};

/// Images, and normal references of the target.
pub(crate) const NEEDS: Needs = Needs { image: true, tabular: false, masks: false, references: true };

/// Scores a batch with parameters and seed.
pub(crate) type Score = fn(&Params, u64, &TestBatch) -> Result<Scores>;

/// The entry in the registry of a method that trains nothing: it scores a batch from references, or where a parameter
/// `fit` says `batch`, from the batch alone.
pub struct Frozen {
    pub(crate) spec: &'static MethodSpec,
    pub(crate) score: Score,
}

/// Whether the parameters say that the batch alone is looked at.
pub(crate) fn in_batch(spec: &MethodSpec, params: &Params) -> bool {
    spec.params.iter().any(|p| p.name == "fit") && params.text("fit") == "batch"
}

impl MethodDef for Frozen {
    fn spec(&self) -> &'static MethodSpec {
        self.spec
    }

    fn setting(&self, params: &Params) -> Setting {
        if in_batch(self.spec, params) { Setting::InBatch } else { Setting::FewShot }
    }

    fn shots(&self, params: &Params) -> usize {
        if in_batch(self.spec, params) { 0 } else { params.size("shots") }
    }

    fn build(&self, params: &Params) -> Result<Box<dyn Method>> {
        check_layers(params, &params.ints("layers"))?;
        Ok(Box::new(Configured { score: self.score, params: params.clone(), seed: 0 }))
    }
}

#[derive(Clone)]
struct Configured {
    score: Score,
    params: Params,
    seed: u64,
}

impl Method for Configured {
    fn trains(&self) -> bool {
        false
    }

    fn fit(&self, ctx: &FitContext) -> Result<Box<dyn Fitted>> {
        Ok(Box::new(Configured { seed: ctx.seed, ..self.clone() }))
    }
}

impl Fitted for Configured {
    fn score(&self, batch: &TestBatch) -> Result<Scores> {
        (self.score)(&self.params, self.seed, batch)
    }

    fn save(&self, path: &std::path::Path) -> Result<()> {
        Err(Error::failed(format!("{}: a method that does not train has nothing to save", path.display())))
    }
}

/// Refuses layers that the backbone of `params` does not have.
pub(crate) fn check_layers(params: &Params, layers: &[i64]) -> Result<()> {
    let kind: BackboneKind = params.text("backbone").parse()?;
    match layers.iter().find(|&&l| l as usize > kind.layers()) {
        Some(layer) => Err(Error::Config(format!("{kind} has layers 1 to {}, not {layer}", kind.layers()))),
        None => Ok(()),
    }
}

/// The layers that the parameters name, or the backbone's own choice.
pub(crate) fn features(params: &Params, reduction: Reduction) -> Result<FeatureSpec> {
    let backbone: BackboneKind = params.text("backbone").parse()?;
    let layers: Vec<usize> = params.ints("layers").into_iter().map(|l| l as usize).collect();
    let layers = if layers.is_empty() { backbone.default_layers().to_vec() } else { layers };
    Ok(FeatureSpec { backbone, layers, reduction })
}

/// Features of a batch and of its references.
pub(crate) struct View<'a> {
    store: FeatureStore,
    batch: &'a [SampleRef],
    references: &'a [SampleRef],
    image: (usize, usize),
}

impl<'a> View<'a> {
    /// Computes or maps the features. Refused where the samples are no images.
    pub fn new(batch: &TestBatch<'a>, spec: &FeatureSpec) -> Result<Self> {
        let (dataset, refs, references, cache) = batch.for_feature_cache();
        let Kind::Image { height, width, .. } = dataset.info().kind else {
            return Err(Error::refused("this method wants images"));
        };
        let all = [refs, references].concat();
        let store = FeatureStore::open(dataset, &all, spec, cache, &Silent)?;
        Ok(View { store, batch: refs, references, image: (height, width) })
    }

    /// The samples to score.
    pub fn batch(&self) -> &'a [SampleRef] {
        self.batch
    }

    /// The normal references; refused where there are none.
    pub fn references(&self) -> Result<&'a [SampleRef]> {
        if self.references.is_empty() {
            return Err(Error::refused("this method needs normal references of the target, and there are none"));
        }
        Ok(self.references)
    }

    /// One point a position of the first layer: the channels of all layers.
    pub fn patches(&self, sample: SampleRef, neighbourhood: Neighbourhood) -> Result<Points> {
        let values = embed(self.store.get(sample)?, neighbourhood);
        let dim = self.store.shapes().iter().map(|s| s.channels).sum();
        Ok(Points::from_values(values.into_iter().map(f64::from).collect(), dim))
    }

    /// One point a sample: layer number `i`, flattened.
    pub fn layer(&self, samples: &[SampleRef], i: usize) -> Result<Points> {
        let mut values = Vec::new();
        for &sample in samples {
            values.extend(self.store.get(sample)?.layer(i).1.iter().map(|&v| f64::from(v)));
        }
        Ok(Points::from_values(values, self.store.shapes()[i].len()))
    }

    /// How many layers there are.
    pub fn layers(&self) -> usize {
        self.store.shapes().len()
    }

    /// Scores every image by `score`, which gives one value a position of the first layer, and makes maps of them.
    /// An image's score is its greatest position's.
    pub fn score(&self, sigma: f64, score: impl Fn(SampleRef) -> Result<Vec<f64>> + Sync) -> Result<Scores> {
        let shape = self.store.shapes()[0];
        let one = |&sample: &SampleRef| {
            let positions = score(sample)?;
            let greatest = positions.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let values: Vec<f32> = positions.into_iter().map(|v| v as f32).collect();
            Ok((greatest, anomaly_map(&values, (shape.height, shape.width), self.image, sigma)))
        };
        let scored: Result<Vec<(f64, Vec<f32>)>> = self.batch.par_iter().map(one).collect();
        let (samples, maps): (Vec<f64>, Vec<Vec<f32>>) = scored?.into_iter().unzip();
        let (height, width) = self.image;
        Ok(Scores { samples, maps: Some(Maps { height, width, values: maps.concat() }) })
    }
}

/// All points of several sets, one after the other.
pub(crate) fn concat<'p>(sets: impl IntoIterator<Item = &'p Points>) -> Points {
    let mut sets = sets.into_iter().peekable();
    let dim = sets.peek().map_or(1, |set| set.dim());
    Points::from_values(sets.flat_map(|set| set.values()).copied().collect(), dim)
}
