//! The trained detector.

use serde_json::json;
use zsad_backbones::maps::anomaly_map;
use zsad_core::{Environment, FitReport, Result, SampleId, Scores, State};

use super::AfClip;
use super::model::Model;
use super::training::{gathered, grid, logits, sets};
use crate::families::features::{FeatureDetector, View};

/// See the module.
pub struct Trained {
    pub(super) params: AfClip,
    pub(super) model: Model,
    pub(super) report: FitReport,
}

impl Trained {
    /// The detector that left `state`.
    pub(super) fn restore(params: &AfClip, state: &State, env: &Environment) -> Result<Self> {
        let model = Model::restore(state, env)?;
        let report = FitReport { parameters: model.store.count() as u64, ..FitReport::default() };
        Ok(Trained { params: params.clone(), model, report })
    }

    /// How damaged the image looks, and then each of its patches.
    fn probabilities(&self, batch: &View, id: SampleId, grid: (usize, usize)) -> zsad_nn::Result<Vec<f64>> {
        let (all, at_once) = sets(1, batch.store());
        let mut sums = vec![[0f64; 2]; 1 + grid.0 * grid.1];
        for part in all.chunks(at_once) {
            let embedded = self.model.embed(&gathered(part, &[id], batch.store(), grid, &self.model)?)?;
            for set in logits(&embedded, &self.model.directions, self.params.temperature)?.to_vec3::<f32>()? {
                for (sum, pair) in sums.iter_mut().zip(set) {
                    sum.iter_mut().zip(pair).for_each(|(sum, v)| *sum += f64::from(v));
                }
            }
        }
        Ok(sums.into_iter().map(|[whole, damaged]| 1.0 / (1.0 + (whole - damaged).exp())).collect())
    }
}

impl FeatureDetector for Trained {
    type Support = ();

    fn adapt(&self, _: &View) -> Result<()> {
        Ok(())
    }

    fn score(&self, (): &(), batch: &View) -> Result<Scores> {
        let (env, modality) = (batch.batch().env(), batch.batch().modality());
        let grid = grid(self.model.kind, env, modality)?;
        batch.each(|place| {
            let found = zsad_nn::no_grad(|| self.probabilities(batch, batch.ids()[place], grid))?;
            let patches: Vec<f32> = found[1..].iter().map(|&v| v as f32).collect();
            Ok((found[0], anomaly_map(&patches, grid, batch.image(), self.params.sigma)))
        })
    }

    fn state(&self) -> Result<Option<State>> {
        Ok(Some(self.model.store.state(json!({ "shape": self.model.shape }))?))
    }

    fn report(&self) -> FitReport {
        self.report.clone()
    }
}
