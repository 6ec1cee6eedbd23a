//! One-class meta-learning: an initialisation that a few normals of a new domain adapt.

use std::path::Path;

use candle_core::{D, Tensor};
use rayon::prelude::*;
use zsad_core::{
    Device, FitContext, FitReport, Fitted, Method, MethodDef, MethodSpec, Needs, ParamDefault, ParamKind, ParamSpec,
    Params, Result, Setting,
};
use zsad_nn::optim::{Adam, AdamConfig, Gradients, Optimizer};
use zsad_nn::{Error, ParamStore, loss, params::Builder};

use crate::acr_bce::Logit;
use crate::network::{NetworkSpec, Phase, Style};
use crate::settings::*;
use crate::tasks::{TaskSettings, TaskSource};
use crate::trained::{LossCurve, Model, Trained, fresh, load};

/// The registry's entry.
pub const DEF: OcMaml = OcMaml;

/// First-order one-class MAML: the inner loop sees normals alone, the outer loop a balanced query; see [`DEF`].
///
/// Batch norm is replaced by a norm over each sample: a few normals have no batch statistics to speak of, and the
/// score of a sample must not depend on its batch in this setting.
pub struct OcMaml;

static SPEC: MethodSpec = MethodSpec {
    name: "oc_maml",
    version: 1,
    summary: "first-order one-class MAML: adapts to a few normal references of the target; score: the logit",
    citation: "Frikha, Krompaß, Köpken, Tresp: Few-Shot One-Class Classification via Meta-Learning, AAAI 2021",
    setting: Setting::FewShot,
    needs: Needs { references: true, ..Needs::ANY },
    params: &[
        NETWORK,
        HIDDEN,
        LATENT,
        ParamSpec {
            kind: ParamKind::Choice(&["layer", "instance", "batch_stats", "none"]),
            default: ParamDefault::Text("layer"),
            ..NORM
        },
        int("shots", 1, ParamDefault::Int(10), "normals of the target that it adapts to"),
        int("query", 1, ParamDefault::Int(10), "normals, and as many outliers, of a task's outer loss"),
        int("steps", 1, ParamDefault::Int(2000), "training steps"),
        int("tasks", 1, ParamDefault::Int(8), "tasks in a training step"),
        float("lr", f64::INFINITY, ParamDefault::Float(1e-3), "Adam's learning rate in the outer loop"),
        float("inner_lr", f64::INFINITY, ParamDefault::Float(0.05), "learning rate of the inner loop"),
        int("inner_steps", 1, ParamDefault::Int(5), "gradient steps of the inner loop"),
        OUTLIERS,
        NOISE_SIGMA,
        DOMAINS,
    ],
};

impl MethodDef for OcMaml {
    fn spec(&self) -> &'static MethodSpec {
        &SPEC
    }

    fn shots(&self, params: &Params) -> usize {
        params.size("shots")
    }

    fn build(&self, params: &Params) -> Result<Box<dyn Method>> {
        Ok(Box::new(Learner { params: params.clone() }))
    }
}

struct Learner {
    params: Params,
}

/// A network whose weights may be changed, and how it adapts.
struct Adapter {
    store: ParamStore,
    logit: Logit,
    params: Params,
    spec: NetworkSpec,
}

impl Adapter {
    fn new(params: &Params, spec: &NetworkSpec, store: ParamStore, logit: Logit) -> Self {
        Adapter { store, logit, params: params.clone(), spec: spec.clone() }
    }

    /// A copy with weights of its own.
    fn copy(&self) -> zsad_nn::Result<Self> {
        let mut store = ParamStore::new(self.store.device(), self.store.dtype());
        let mut rng = zsad_core::rng::stream(0, &[("purpose", "replaced")]);
        let logit = Logit::new(&self.spec, &mut store.builder(&mut rng))?;
        let copy = Adapter::new(&self.params, &self.spec, store, logit);
        copy.follow(&self.store)?;
        Ok(copy)
    }

    /// Takes the weights of `store`.
    fn follow(&self, store: &ParamStore) -> zsad_nn::Result<()> {
        self.store.iter().zip(store.iter()).try_for_each(|(to, from)| Ok(to.var.set(from.var.as_tensor())?))
    }

    /// The inner loop: a few steps of gradient descent on normals `[n, shape…]`.
    fn adapt(&self, normals: &Tensor) -> zsad_nn::Result<()> {
        for _ in 0..self.params.size("inner_steps") {
            let logits = self.logit.forward(normals, Phase::Pooled)?;
            let gradients = loss::bce(&logits)?.0.mean(D::Minus1)?.backward()?;
            for p in self.store.trainable() {
                if let Some(g) = gradients.get(&p.var) {
                    p.var.set(&(p.var.as_tensor().detach() - (g * self.params.float("inner_lr"))?)?)?;
                }
            }
        }
        Ok(())
    }

    /// Outer loss of one task `[shots + query + query, shape…]` and, first-order, its gradients at the adapted weights.
    fn task(&self, x: &Tensor) -> zsad_nn::Result<(f64, Gradients)> {
        let (shots, query) = (self.params.size("shots"), self.params.size("query"));
        self.adapt(&x.narrow(0, 0, shots)?)?;
        let logits = self.logit.forward(&x.narrow(0, shots, 2 * query)?, Phase::Pooled)?;
        let normal = loss::bce(&logits.narrow(0, 0, query)?)?.0;
        let outlier = loss::bce(&logits.narrow(0, query, query)?)?.1;
        let mean = Tensor::cat(&[normal, outlier], 0)?.mean(D::Minus1)?;
        let mut gradients = mean.backward()?;
        Ok((mean.to_scalar::<f32>()?.into(), self.store.trainable().map(|p| gradients.remove(&p.var)).collect()))
    }
}

impl Model for Adapter {
    fn scores(&self, x: &Tensor) -> zsad_nn::Result<Tensor> {
        self.logit.forward(x, Phase::Score)
    }

    fn adapted(&self, references: &Tensor) -> zsad_nn::Result<Option<Box<dyn Model>>> {
        let copy = self.copy()?;
        copy.adapt(references)?;
        Ok(Some(Box::new(copy)))
    }
}

fn build(_: &Params, spec: &NetworkSpec, b: &mut Builder) -> zsad_nn::Result<Box<Logit>> {
    Ok(Box::new(Logit::new(spec, b)?))
}

impl Method for Learner {
    fn trains(&self) -> bool {
        true
    }

    fn fit(&self, ctx: &FitContext) -> Result<Box<dyn Fitted>> {
        let (params, info) = (&self.params, ctx.dataset.info());
        let spec = NetworkSpec { style: Style::Plain, ..NetworkSpec::resolve(params, info)? };
        let (shots, query, steps) = (params.size("shots"), params.size("query"), params.int("steps") as u64);
        let settings = TaskSettings::few_shot(params, &spec, shots + query, query);
        let source = TaskSource::new(ctx, &settings)?;
        let (store, logit) = fresh(&SPEC, build, params, &spec, ctx.device, ctx.seed)?;
        let adapter = Adapter::new(params, &spec, store.clone(), *logit);
        let learners: Vec<Adapter> = (0..settings.tasks).map(|_| adapter.copy()).collect::<zsad_nn::Result<_>>()?;
        let mut adam = Adam::new(&store, AdamConfig::default())?;
        let mut curve = LossCurve::new(steps);
        for step in 1..=steps {
            let tasks = source.step(step, store.device())?;
            let outcome = |(i, learner): (usize, &Adapter)| {
                learner.follow(&store)?;
                learner.task(&tasks.x().narrow(0, i * tasks.batch(), tasks.batch())?)
            };
            let outcomes: Vec<zsad_nn::Result<_>> = learners.par_iter().enumerate().map(outcome).collect();
            let (value, gradients) = mean(outcomes)?;
            if !value.is_finite() {
                return Err(Error::NonFinite(format!("the loss of step {step} is {value}")).into());
            }
            adam.step(&gradients, params.float("lr"))?;
            curve.push(step, value);
            ctx.progress.tick(step, steps, &format!("loss {value:.4}"));
        }
        let mut notes = vec![("network".into(), spec.describe()), ("steps".into(), steps.to_string())];
        notes.extend(settings.notes());
        let report = FitReport { loss: curve.into_points(), parameters: store.count() as u64, notes };
        let model = Box::new(adapter);
        Ok(Box::new(Trained { spec: &SPEC, params: params.clone(), network: spec, store, model, report }))
    }

    fn load(&self, path: &Path, device: Device) -> Result<Box<dyn Fitted>> {
        load(&SPEC, build, path, device, |params, spec, store, logit| {
            Box::new(Adapter::new(params, spec, store.clone(), *logit))
        })
    }
}

/// The mean over tasks of losses and gradients, summed in the tasks' order.
fn mean(outcomes: Vec<zsad_nn::Result<(f64, Gradients)>>) -> zsad_nn::Result<(f64, Gradients)> {
    let n = outcomes.len() as f64;
    let mut total = 0.0;
    let mut sums: Gradients = Vec::new();
    for outcome in outcomes {
        let (value, gradients) = outcome?;
        total += value / n;
        sums.resize(gradients.len(), None);
        for (sum, g) in sums.iter_mut().zip(gradients) {
            let Some(g) = g else { continue };
            let g = (g / n)?;
            *sum = Some(match sum.take() {
                Some(before) => (before + g)?,
                None => g,
            });
        }
    }
    Ok((total, sums))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::golden::{assert_close, built, params, perceptron, wave};
    use crate::network::Norm;

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
        let spec = perceptron(3, &[4], 2, Norm::None, Style::Plain);
        let params = params(&SPEC, json!({"shots": 3, "query": 3, "inner_steps": 3}));
        let (store, logit) = built(build, &params, &spec);
        let adapter = Adapter::new(&params, &spec, store, *logit);
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
