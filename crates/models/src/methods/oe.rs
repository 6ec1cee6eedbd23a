//! Outlier exposure without adaptation: one binary detector for all domains.

use candle_core::{D, Tensor};
use zsad_core::params::{Declaration, Object, Param};
use zsad_core::rng::Rng;
use zsad_core::{Accepts, DatasetInfo, FitContext, Fold, Given, MethodSpec, ParamProblem, ParamSpec, Result, Subset};
use zsad_nn::train::{self, Tasks};
use zsad_nn::{ParamStore, loss};

use crate::trained::dihedral::TaskAugment;
use crate::trained::hyperparams::{NetworkParams, Schedule, TaskParams};
use crate::trained::logit::Logit;
use crate::trained::method::{Outcome, Train, TrainedDef};
use crate::trained::network::Phase;
use crate::trained::spec::{HeadKind, NetworkSpec};
use crate::trained::tasks::{TaskSettings, TaskSource};

/// The registry's entry.
pub const DEF: TrainedDef<Oe> = TrainedDef::new(&SPEC);

static SPEC: MethodSpec = MethodSpec {
    name: "oe",
    version: 3,
    summary: "pooled binary training against exposed outliers, no adaptation; score: the logit",
    citation: "Hendrycks, Mazeika, Dietterich: Deep Anomaly Detection with Outlier Exposure, ICLR 2019; binary one-class \
               form, trained with Adam",
    accepts: Accepts::ANY,
};

zsad_core::params! {
    /// Normals against exposed outliers under one binary head, with running statistics; see [`DEF`].
    ///
    /// A sample of one domain is an outlier of another, so with outliers from other domains the labels contradict each
    /// other once domains are pooled: what remains is what no domain's normals look like. That is the point of comparison.
    pub struct Oe {
        /// the network
        network: NetworkParams = NetworkParams::running();
        /// its training
        training: Exposure = Exposure::default();
        /// weight of the outliers' mean loss beside the normals'
        weight: f64 = 0.5, in 0.0..;
    }
}

/// Steps and tasks, with a meaning of their own for automatic outliers.
#[derive(Debug, Clone, PartialEq)]
struct Exposure {
    schedule: Schedule,
    tasks: TaskParams,
}

impl Default for Exposure {
    fn default() -> Self {
        let tasks = TaskParams { tasks: 8, permute_columns: Some(false), ..TaskParams::default() };
        Exposure { schedule: Schedule::default(), tasks }
    }
}

impl Param for Exposure {
    fn declare(&self, at: Declaration, out: &mut Vec<ParamSpec>) {
        self.schedule.declare(at, out);
        self.tasks.declare(at, out);
        for spec in out.iter_mut().filter(|s| s.name == "outliers") {
            spec.doc =
                "where outliers come from; auto: genuine where every meta-train domain has some, else as with ACR";
        }
    }

    fn read(&mut self, name: &str, given: &Given) {
        self.schedule.read(name, given);
        self.tasks.read(name, given);
    }

    fn write(&self, name: &str, out: &mut Object) {
        self.schedule.write(name, out);
        self.tasks.write(name, out);
    }
}

impl Train for Oe {
    type Params = Oe;
    type Model = Logit;
    type Plan = TaskSettings;

    fn check(params: &Oe) -> Result<(), ParamProblem> {
        params.training.tasks.check()
    }

    fn settle(params: &mut Oe, info: &DatasetInfo, fold: &Fold) -> Result<(NetworkSpec, TaskSettings)> {
        let network = params.network.settle(info, HeadKind::Plain)?;
        let genuine = fold.meta_train.iter().all(|&d| info.domains[d].size(Subset::Anomalous) > 0);
        let Exposure { schedule, tasks } = &mut params.training;
        schedule.settle(&network);
        let settings = tasks.settle(&network, info, fold, genuine, TaskAugment::None, 0)?;
        Ok((network, settings))
    }

    fn build(_: &Oe, network: &NetworkSpec, store: &mut ParamStore, rng: &mut Rng) -> zsad_nn::Result<Logit> {
        Logit::new(network, &mut store.builder(rng))
    }

    fn train(
        params: &Oe,
        settings: TaskSettings,
        network: &NetworkSpec,
        store: &ParamStore,
        model: &Logit,
        ctx: &FitContext,
    ) -> Result<Outcome> {
        let schedule = &params.training.schedule;
        let (source, rate) = (TaskSource::new(ctx, &settings)?, schedule.rate(network));
        let mut updater = schedule.updater(store)?;
        let curve = train::run(schedule.steps(network), store, ctx.progress, &mut updater, |updater, step| {
            let tasks = source.step(step, store.device())?;
            let loss = exposure(&model.forward(tasks.x(), Phase::Pooled)?, &tasks, params.weight)?;
            let (loss, gradients) = store.gradients_of(&loss)?;
            Ok(updater.update(loss, gradients, rate.at(step - 1))?.into())
        })?;
        Ok((curve, [schedule.notes(network), settings.notes()].concat()))
    }
}

/// The normals' mean −log(1 − p) plus `weight` times the outliers' mean −log p, of logits `[n]`: a scalar.
fn exposure(logits: &Tensor, tasks: &Tasks, weight: f64) -> zsad_nn::Result<Tensor> {
    let (normal, outlier) = loss::bce(logits)?;
    let share = |outliers: bool| {
        let chosen = tasks.outliers().iter().filter(|&&o| o == outliers).count().max(1) as f64;
        let of = |&o: &bool| if o == outliers { 1.0 / chosen as f32 } else { 0.0 };
        Tensor::from_iter(tasks.outliers().iter().map(of), logits.device())
    };
    let normal = (normal * share(false)?)?.sum(D::Minus1)?;
    Ok((normal + ((outlier * share(true)?)?.sum(D::Minus1)? * weight)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trained::golden::{assert_close, wave};

    /// ```python
    /// logits = wave(10) * 3; y = torch.tensor([False, False, False, True, True] * 2)
    /// print(F.softplus(logits[~y]).mean() + 0.5 * F.softplus(-logits[y]).mean())
    /// ```
    #[test]
    fn the_loss_is_that_of_torch() {
        let tasks = Tasks::new(wave(&[10, 3]), [false, false, false, true, true].repeat(2), 2).unwrap();
        assert_close(&exposure(&(wave(&[10]) * 3.0).unwrap(), &tasks, 0.5).unwrap(), &[1.49909528]);
    }
}
