//! One-class meta-learning: an initialisation that a few normals of a new domain adapt.

use candle_core::{D, Tensor};
use rayon::prelude::*;
use zsad_core::params::All;
use zsad_core::rng::{Rng, stream};
use zsad_core::{Accepts, Choice, DatasetInfo, FitContext, Fold, MethodSpec, OrWord, Result, Shots};
use zsad_nn::optim::{AdamConfig, Gradients, Optimizer, Sgd, SgdConfig, add_gradients};
use zsad_nn::train::{self, Updater};
use zsad_nn::{ParamStore, loss};

use crate::trained::detector::Model;
use crate::trained::hyperparams::{NetworkChoice, NetworkParams, OutlierParams, Sizes};
use crate::trained::logit::Logit;
use crate::trained::method::{Outcome, Train, TrainedDef};
use crate::trained::network::Phase;
use crate::trained::spec::{HeadKind, NetworkSpec, Norm};
use crate::trained::tasks::{TaskSettings, TaskSource};

/// The registry's entry.
pub const DEF: TrainedDef<OcMaml> = TrainedDef::new(&SPEC);

static SPEC: MethodSpec = MethodSpec {
    name: "oc_maml",
    version: 3,
    summary: "first-order one-class MAML: adapts to a few normal references of the target; score: the logit",
    citation: "Frikha, Krompaß, Köpken, Tresp: Few-Shot One-Class Classification via Meta-Learning, AAAI 2021",
    accepts: Accepts::ANY,
};

zsad_core::choices! {
    /// The parameter `norm`: those of [`Norm`] that need no running statistics.
    pub enum MamlNorm {
        /// See [`Norm::Layer`].
        Layer = "layer",
        /// See [`Norm::Instance`].
        Instance = "instance",
        /// See [`Norm::BatchStats`].
        BatchStats = "batch_stats",
        /// See [`Norm::None`].
        None = "none",
    }
}

zsad_core::params! {
    /// First-order one-class MAML: the inner loop sees normals alone, the outer loop a balanced query; see [`DEF`].
    ///
    /// Batch norm is replaced by a norm over each sample: a few normals have no batch statistics to speak of, and the
    /// score of a sample must not depend on its batch in this setting.
    pub struct OcMaml {
        /// auto: mlp for rows and images below 16 pixels, feature_svdd for feature vectors, cnn4 for 32×32, else omniglot_cnn
        network: NetworkChoice = NetworkChoice::Auto;
        /// widths of the hidden layers, or the filters of a CNN; auto: as published
        hidden: Option<Vec<usize>> = None, in 1..=1 << 16;
        /// dimensions of the embedding
        latent: usize = 32, in 1..;
        /// batch_stats: the batch's own statistics at test time; running: those of the training; others per sample
        norm: MamlNorm = MamlNorm::Layer;
        /// normals of the target that it adapts to
        shots: usize = 10, in 1..;
        /// normals, and as many outliers, of a task's outer loss
        query: usize = 10, in 1..;
        /// training steps
        steps: u64 = 2000, in 1..;
        /// tasks in a training step
        tasks: usize = 8, in 1..;
        /// Adam's learning rate in the outer loop
        lr: f64 = 1e-3, in 0.0..;
        /// learning rate of the inner loop
        inner_lr: f64 = 0.05, in 0.0..;
        /// gradient steps of the inner loop
        inner_steps: usize = 5, in 1..;
        /// their outliers
        outliers: OutlierParams = OutlierParams::default();
        /// use only so many meta-train domains, or all
        domains: OrWord<All> = OrWord::default(), in 1..;
    }
}

/// A network whose weights may be changed, and how it adapts.
pub struct Adapter {
    store: ParamStore,
    logit: Logit,
    params: OcMaml,
    spec: NetworkSpec,
}

impl Adapter {
    /// A network whose weights are drawn from `rng` into the empty `store`.
    fn new(params: &OcMaml, spec: &NetworkSpec, store: &mut ParamStore, rng: &mut Rng) -> zsad_nn::Result<Self> {
        let logit = Logit::new(spec, &mut store.builder(rng))?;
        Ok(Adapter { store: store.clone(), logit, params: params.clone(), spec: spec.clone() })
    }

    /// A copy with weights of its own.
    fn copy(&self) -> zsad_nn::Result<Self> {
        let mut store = ParamStore::new(self.store.device(), self.store.dtype());
        let mut rng = stream(0, &[("purpose", "replaced")]);
        let copy = Adapter::new(&self.params, &self.spec, &mut store, &mut rng)?;
        copy.follow(&self.store)?;
        Ok(copy)
    }

    /// Takes the weights of `store`.
    fn follow(&self, store: &ParamStore) -> zsad_nn::Result<()> {
        self.store.iter().zip(store.iter()).try_for_each(|(to, from)| Ok(to.var.set(from.var.as_tensor())?))
    }

    /// The inner loop: a few steps of gradient descent on normals `[n, shape…]`.
    fn adapt(&self, normals: &Tensor) -> zsad_nn::Result<()> {
        let mut descent = Sgd::new(&self.store, SgdConfig::default());
        for _ in 0..self.params.inner_steps {
            let logits = self.logit.forward(normals, Phase::Pooled)?;
            let (_, gradients) = self.store.gradients_of(&loss::bce(&logits)?.0.mean(D::Minus1)?)?;
            descent.step(&gradients, self.params.inner_lr)?;
        }
        Ok(())
    }

    /// Outer loss of one task `[shots + query + query, shape…]` and, first-order, its gradients at the adapted weights.
    fn task(&self, x: &Tensor) -> zsad_nn::Result<(f64, Gradients)> {
        let (shots, query) = (self.params.shots, self.params.query);
        self.adapt(&x.narrow(0, 0, shots)?)?;
        let logits = self.logit.forward(&x.narrow(0, shots, 2 * query)?, Phase::Pooled)?;
        let normal = loss::bce(&logits.narrow(0, 0, query)?)?.0;
        let outlier = loss::bce(&logits.narrow(0, query, query)?)?.1;
        self.store.gradients_of(&Tensor::cat(&[normal, outlier], 0)?.mean(D::Minus1)?)
    }
}

impl Model for Adapter {
    fn scores(&self, x: &Tensor) -> zsad_nn::Result<Tensor> {
        self.logit.forward(x, Phase::Score)
    }

    fn adapted(&self, support: &Tensor) -> zsad_nn::Result<Option<Self>> {
        let copy = self.copy()?;
        copy.adapt(support)?;
        Ok(Some(copy))
    }
}

impl Train for OcMaml {
    type Params = OcMaml;
    type Model = Adapter;
    type Plan = TaskSettings;

    fn settle(params: &mut OcMaml, info: &DatasetInfo, _: &Fold) -> Result<(NetworkSpec, TaskSettings)> {
        // Every word of the one is a word of the other.
        let norm = Norm::from_word(params.norm.word()).unwrap_or(Norm::None);
        let sizes = Sizes { hidden: params.hidden.take(), latent: params.latent, norm, ..Sizes::default() };
        let mut choice = NetworkParams { network: params.network, sizes };
        let network = choice.settle(info, HeadKind::Plain)?;
        (params.network, params.hidden) = (choice.network, choice.sizes.hidden);
        let sizes = [params.shots + params.query, params.query];
        let tasks = TaskSettings::few_shot(params.tasks, sizes, &mut params.outliers, params.domains, &network);
        Ok((network, tasks))
    }

    fn build(params: &OcMaml, spec: &NetworkSpec, store: &mut ParamStore, rng: &mut Rng) -> zsad_nn::Result<Adapter> {
        Adapter::new(params, spec, store, rng)
    }

    fn train(
        params: &OcMaml,
        settings: TaskSettings,
        _: &NetworkSpec,
        store: &ParamStore,
        model: &Adapter,
        ctx: &FitContext,
    ) -> Result<Outcome> {
        let source = TaskSource::new(ctx, &settings)?;
        let learners: Vec<Adapter> = (0..settings.tasks).map(|_| model.copy()).collect::<zsad_nn::Result<_>>()?;
        let mut updater = Updater::new(store, AdamConfig::default(), None)?;
        let curve = train::run(params.steps, store, ctx.progress, &mut updater, |updater, step| {
            let tasks = source.step(step, store.device())?;
            let outcome = |(i, learner): (usize, &Adapter)| {
                learner.follow(store)?;
                learner.task(&tasks.x().narrow(0, i * tasks.batch(), tasks.batch())?)
            };
            let outcomes: Vec<zsad_nn::Result<_>> = learners.par_iter().enumerate().map(outcome).collect();
            let (loss, gradients) = mean(outcomes)?;
            Ok(updater.update(loss, gradients, params.lr)?.into())
        })?;
        Ok((curve, [vec![("steps".into(), params.steps.to_string())], settings.notes()].concat()))
    }

    fn shots(params: &OcMaml) -> Shots {
        Shots::Number(params.shots)
    }
}

/// The mean over tasks of losses and gradients, summed in the tasks' order.
fn mean(outcomes: Vec<zsad_nn::Result<(f64, Gradients)>>) -> zsad_nn::Result<(f64, Gradients)> {
    let n = outcomes.len() as f64;
    let (mut total, mut sums) = (0.0, Gradients::new());
    for outcome in outcomes {
        let (value, gradients) = outcome?;
        total += value / n;
        let shares = gradients.into_iter().map(|g| g.map(|g| g / n).transpose());
        add_gradients(&mut sums, shares.collect::<candle_core::Result<_>>()?)?;
    }
    Ok((total, sums))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::trained::golden::{assert_close, fill, params, perceptron, wave};

    /// ```python
    /// net, head = mlp(3, [4], 2, final=False, norm=False), nn.Linear(2, 1)
    /// ps = [*net.parameters(), *head.parameters()]; fill(ps); x = wave(9, 3); f = lambda x: head(net(x)).squeeze(1)
    /// for _ in range(3):
    ///     g = torch.autograd.grad(F.softplus(f(x[:3])).mean(), ps)
    ///     for p, d in zip(ps, g): p.data -= 0.05 * d
    /// l = f(x[3:]); loss = torch.cat([F.softplus(l[:3]), F.softplus(-l[3:])]).mean()
    /// g = torch.autograd.grad(loss, ps); print(loss, g[-2], l)
    /// ```
    #[test]
    fn the_inner_loop_and_the_first_order_gradient_are_those_of_torch() {
        let spec = perceptron(3, &[4], 2, Norm::None, HeadKind::Plain);
        let params: OcMaml = params(json!({"shots": 3, "query": 3, "inner_steps": 3}));
        let mut store = ParamStore::new(&candle_core::Device::Cpu, candle_core::DType::F32);
        let adapter = Adapter::new(&params, &spec, &mut store, &mut stream(0, &[])).unwrap();
        fill(&store);
        let x = wave(&[9, 3]);
        let adapted = adapter.adapted(&x.narrow(0, 0, 3).unwrap()).unwrap().unwrap();
        let logits = [-0.118602569, -0.00173870917, -0.0945195036, -0.120559157, 0.000890831882, -0.09303678];
        assert_close(&adapted.scores(&x.narrow(0, 3, 6).unwrap()).unwrap(), &logits);
        let (loss, gradients) = adapter.task(&x).unwrap();
        assert!((loss - 0.693929441).abs() < 1e-5, "{loss}");
        let head = gradients[gradients.len() - 2].as_ref().unwrap();
        assert_close(head, &[0.0114346852, -0.0131951073]);
    }
}
