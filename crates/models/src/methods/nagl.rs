//! NAGL: a labelled defect of the target beside its normal references.

mod attention;
#[cfg(test)]
mod golden;
mod likeness;
mod loss;
mod network;
mod params;
mod training;

use candle_core::{DType, Tensor};
use rayon::prelude::*;
use serde_json::json;
use zsad_backbones::LayerShape;
use zsad_backbones::maps::anomaly_map;
use zsad_core::{
    Accepts, Environment, FitContext, FitReport, Masks, MethodSpec, Operator, Operators, Result, Scores, State,
};

use crate::families::features::{FeatureDetector, FeatureMethod, Features, Selected, View};
use crate::math::Points;
use likeness::{Normals, cells, patches};
use network::Network;
pub use params::{LastLayers, Nagl};

/// The registry's entry: how unlike the nearest patch of the normal references a patch is (cosine), and how like the anomaly
/// proxies of its image, which attention finds with what labelled defects differ by from the references.
/// Trained on other domains' anomalies with their masks, in episodes of a few references, a defect and a query.
///
/// What is given of the target is `protocol: {abnormal_shots: [0, 1]}` of an experiment. With 0 of them, and in `zsad score`, a map is the
/// distance to the references alone and nothing of the training is in it: the control that 1 has to beat.
///
/// Two leaks of the released test are not here: its labelled defect is of the query's own kind, whoever draws it, and is scored among the
/// queries; here it is of any kind, one for all queries of a domain, and in none of the batches. Nor is the epoch chosen by the test
/// set's figures. Other differences: cached features, so that no image is resized for the training; normal references are
/// drawn from the domains' reference pools, and a training defect is of any kind, as at test time; every other query is normal
/// (half of them, by chance, as released); a cell holds the pixels above it (the released grid is moved by one pixel); positions of
/// several defects are each its own (as released they are mixed up). Positions pass over the cells of a defect as released.
pub const DEF: Features<Nagl> = Features::new(&MethodSpec {
    name: "nagl",
    version: 1,
    summary: "cosine distance of patches to normal references, and likeness to what attention finds in labelled defects of the target",
    citation: "Wang, Wang, Gong, Xiao: Normal-Abnormal Guided Generalist Anomaly Detection, NeurIPS 2025",
    accepts: Accepts::IMAGES,
});

impl FeatureMethod for Nagl {
    type Selection = LastLayers;
    type Detector = Trained;
    const OPERATORS: Operators = Operators::of(&[Operator::Linear, Operator::Norm, Operator::Adam, Operator::Own]);
    const TAKES_ABNORMAL_SHOTS: bool = true;

    fn fit(&self, selected: &Selected, ctx: &FitContext) -> Result<Trained> {
        let (network, report) = training::train(self, selected, ctx)?;
        Ok(Trained { params: self.clone(), network, report })
    }

    fn restore(&self, state: &State, env: &Environment) -> Result<Trained> {
        let network = Network::new(self, state.entry("channels")?, env.device, 0)?;
        network.store.restore(state)?;
        let report = FitReport { parameters: network.store.count() as u64, ..FitReport::default() };
        Ok(Trained { params: self.clone(), network, report })
    }
}

/// The trained detector.
pub struct Trained {
    params: Nagl,
    network: Network,
    report: FitReport,
}

/// What it keeps of references.
pub struct Beside {
    normals: Normals,
    /// What was found in labelled defects.
    residual_proxies: Option<Tensor>,
}

impl FeatureDetector for Trained {
    type Support = Beside;

    fn adapt(&self, support: &View) -> Result<Beside> {
        let images = all(support)?;
        Ok(Beside { normals: Normals::new(&images), residual_proxies: None })
    }

    fn adapt_beside(&self, support: &View, anomalies: &View, masks: &Masks) -> Result<Beside> {
        let Beside { normals, .. } = self.adapt(support)?;
        let (images, grid) = (all(anomalies)?, anomalies.store().shapes()[0]);
        let (height, width) = anomalies.image();
        let each = masks.values.chunks_exact(height * width);
        let defects: Vec<Vec<bool>> = each.map(|mask| cells((height, width), mask, grid)).collect();
        let shown: Vec<_> =
            images.iter().zip(&defects).map(|(image, defect)| (image, Some(defect.as_slice()))).collect();
        let found = zsad_nn::no_grad(|| {
            let seen = self.network.see(&shown, grid, &normals)?;
            self.network.residual_proxies(&seen, &defects.concat())
        })?;
        Ok(Beside { normals, residual_proxies: Some(found) })
    }

    fn score(&self, beside: &Beside, batch: &View) -> Result<Scores> {
        let grid = batch.store().shapes()[0];
        batch.each(|place| {
            let patches = patches(batch.store(), batch.ids()[place])?;
            let likeness = beside.normals.likeness(&patches);
            let abnormality: Vec<f64> = match &beside.residual_proxies {
                None => likeness.iter().map(|normal| 1.0 - normal).collect(),
                Some(proxies) => zsad_nn::no_grad(|| self.abnormality(proxies, &beside.normals, &patches, grid))?,
            };
            let map: Vec<f64> = abnormality.iter().zip(&likeness).map(|(&a, &n)| value(a, n)).collect();
            let values: Vec<f32> = map.iter().map(|&v| v as f32).collect();
            let map_of_image = anomaly_map(&values, (grid.height, grid.width), batch.image(), self.params.sigma);
            Ok((highest(map, self.params.top), map_of_image))
        })
    }

    fn state(&self) -> Result<Option<State>> {
        Ok(Some(self.network.store.state(json!({ "channels": self.network.channels }))?))
    }

    fn report(&self) -> FitReport {
        self.report.clone()
    }
}

impl Trained {
    /// How like the anomaly proxies of its image every patch is.
    fn abnormality(
        &self,
        residual_proxies: &Tensor,
        normals: &Normals,
        patches: &Points<f32>,
        grid: LayerShape,
    ) -> zsad_nn::Result<Vec<f64>> {
        let seen = self.network.see(&[(patches, None)], grid, normals)?;
        let found = self.network.abnormality(residual_proxies, &seen)?;
        Ok(found.to_dtype(DType::F64)?.to_vec1()?)
    }
}

/// A patch's score: the mean of how like anomalous ones it is and how unlike normal ones.
fn value(abnormality: f64, likeness: f64) -> f64 {
    (abnormality + (1.0 - likeness)) / 2.0
}

/// The mean of the highest share of a map, or its maximum.
fn highest(mut map: Vec<f64>, share: f64) -> f64 {
    map.sort_unstable_by(|a, b| b.total_cmp(a));
    let count = ((share * map.len() as f64) as usize).clamp(1, map.len());
    map[..count].iter().sum::<f64>() / count as f64
}

/// The patches of all images.
fn all(view: &View) -> Result<Vec<Points<f32>>> {
    view.ids().par_iter().map(|&id| patches(view.store(), id)).collect()
}
