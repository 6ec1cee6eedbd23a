//! The trained detector: two directions.

use std::path::Path;

use serde_json::json;
use zsad_backbones::features::Features as Layers;
use zsad_backbones::maps::anomaly_map;
use zsad_core::{Environment, FitReport, Result, Scores, State};

use super::AnomalyClip;
use super::prompts::{Prompts, Texts};
use crate::families::features::{FeatureDetector, Selected, View};
use crate::families::prompts::{Tower, unit_points};

/// See the module.
pub struct Trained {
    params: AnomalyClip,
    prompts: Prompts,
    /// Whole and damaged, of unit length.
    directions: [Vec<f32>; 2],
    report: FitReport,
}

impl Trained {
    /// With prompts that are settled.
    pub(super) fn new(params: &AnomalyClip, prompts: Prompts, report: FitReport) -> zsad_nn::Result<Self> {
        Ok(Trained { params: params.clone(), directions: prompts.directions()?, prompts, report })
    }

    /// With the authors' prompts.
    pub(super) fn official(params: &AnomalyClip, selected: &Selected, env: &Environment) -> Result<Self> {
        let (tower, path) = (Tower::open(selected.backbone, env)?, Path::new(&params.prompts));
        let prompts = Prompts::official(&zsad_nn::weights::read(path)?, path, &tower, env.device)?;
        prompts.settle(&tower, &Texts::new(selected.backbone, &tower, env)?)?;
        let notes = vec![("prompts".into(), params.prompts.clone())];
        let report = FitReport { parameters: prompts.store.count() as u64, notes, ..FitReport::default() };
        Ok(Trained::new(params, prompts, report)?)
    }

    /// The detector that left `state`.
    pub(super) fn restore(params: &AnomalyClip, state: &State, env: &Environment) -> Result<Self> {
        let prompts = Prompts::restore(state, env.device)?;
        let report = FitReport { parameters: prompts.store.count() as u64, ..FitReport::default() };
        Ok(Trained::new(params, prompts, report)?)
    }

    /// How much the image looks damaged, and how much every patch, summed over blocks.
    pub(super) fn image(&self, layers: Layers) -> (f64, Vec<f32>) {
        let probabilities = |layer: usize| {
            let points = unit_points(layers, layer);
            points.rows().map(|row| self.probability(row)).collect::<Vec<f64>>()
        };
        let mut sums = Vec::new();
        for layer in 1..layers.layers().count() {
            let values = probabilities(layer);
            sums.resize(values.len(), 0.0);
            sums.iter_mut().zip(values).for_each(|(sum, v)| *sum += v);
        }
        (probabilities(0)[0], sums.into_iter().map(|v| v as f32).collect())
    }

    fn probability(&self, vector: &[f32]) -> f64 {
        let cosine = |text: &[f32]| text.iter().zip(vector).map(|(t, v)| f64::from(*t) * f64::from(*v)).sum::<f64>();
        let [whole, damaged] = &self.directions;
        1.0 / (1.0 + ((cosine(whole) - cosine(damaged)) / self.params.temperature).exp())
    }
}

impl FeatureDetector for Trained {
    type Support = ();

    fn adapt(&self, _: &View) -> Result<()> {
        Ok(())
    }

    fn score(&self, (): &(), batch: &View) -> Result<Scores> {
        let shape = batch.store().shapes()[1];
        batch.each(|place| {
            let (score, values) = self.image(batch.store().get(batch.ids()[place])?);
            Ok((score, anomaly_map(&values, (shape.height, shape.width), batch.image(), self.params.sigma)))
        })
    }

    fn state(&self) -> Result<Option<State>> {
        Ok(Some(self.prompts.store.state(json!({ "sizes": self.prompts.sizes }))?))
    }

    fn report(&self) -> FitReport {
        self.report.clone()
    }
}
