//! Deep SVDD on the pooled normals of all meta-train domains: what ACR adapts and this does not.

use candle_core::{D, Tensor, Var};
use zsad_core::{Accepts, DatasetInfo, MethodSpec, Operator, Operators, Result};
use zsad_nn::{Init, loss::Distance, params::Builder};

use crate::families::pooled::{Pooled, PooledMethod, PooledModel, PooledStep};
use crate::trained::detector::Model;
use crate::trained::hyperparams::{NetworkParams, PooledParams};
use crate::trained::network::{Network, Phase};
use crate::trained::pool::PoolSource;
use crate::trained::spec::{HeadKind, NetworkSpec};

/// The registry's entry.
pub const DEF: Pooled<DeepSvdd> = Pooled::new(&SPEC);

static SPEC: MethodSpec = MethodSpec {
    name: "deep_svdd",
    version: 2,
    summary: "pooled one-class training towards a fixed centre, no adaptation; score: squared distance to it",
    citation: "Ruff et al.: Deep One-Class Classification, ICML 2018",
    accepts: Accepts::ANY,
};

zsad_core::choices! {
    /// The parameter `objective`.
    pub enum SphereObjective {
        /// The mean squared distance.
        OneClass = "one_class",
        /// A sphere with an inside and an outside.
        SoftBoundary = "soft_boundary",
    }
}

zsad_core::params! {
    /// One network for all domains, one fixed centre, running statistics; see [`DEF`].
    pub struct DeepSvdd {
        /// the network
        network: NetworkParams = NetworkParams::running();
        /// its training
        training: PooledParams = PooledParams {
            epochs: 150,
            batch: 200,
            lr: 1e-4,
            lr_milestones: vec![50],
            weight_decay: 0.5e-6,
            ..PooledParams::default()
        };
        /// one_class: mean distance; soft_boundary: a sphere that may leave out a share nu
        objective: SphereObjective = SphereObjective::OneClass;
        /// soft_boundary: share of normals that may lie outside
        nu: f64 = 0.1, in 0.0..=1.0;
        /// soft_boundary: epochs before the radius is set
        warm_up: u64 = 10, in 0..;
    }
}

impl PooledMethod for DeepSvdd {
    type Model = Sphere;
    const AMSGRAD: bool = true;

    fn settle(&mut self, info: &DatasetInfo) -> Result<NetworkSpec> {
        self.network.settle(info, HeadKind::FixedCentre)
    }

    fn training(&self) -> &PooledParams {
        &self.training
    }

    fn build(&self, spec: &NetworkSpec, b: &mut Builder) -> zsad_nn::Result<Sphere> {
        let network = Network::new(&mut b.scope("net"), spec)?;
        let centre = b.buffer("center", &[spec.latent], Init::ZEROS)?;
        let radius = b.buffer("squared_radius", &[1], Init::ZEROS)?;
        let soft =
            (self.objective == SphereObjective::SoftBoundary).then_some(Soft { nu: self.nu, warm_up: self.warm_up });
        Ok(Sphere { network, centre, distance: Distance::new(b), radius, soft })
    }
}

/// Codes, their centre and the sphere around it.
pub struct Sphere {
    network: Network,
    centre: Var,
    distance: Distance,
    /// Squared; 0 with the one-class objective.
    radius: Var,
    soft: Option<Soft>,
}

struct Soft {
    nu: f64,
    warm_up: u64,
}

impl Model for Sphere {
    const OPERATORS: Operators = Network::OPERATORS.and(&[Operator::Distance, Operator::Own]);

    fn scores(&self, x: &Tensor) -> zsad_nn::Result<Tensor> {
        let d = self.distance.squared(&self.network.forward(x, Phase::Score)?, &self.centre)?;
        Ok(d.broadcast_sub(&self.radius)?)
    }
}

impl PooledModel for Sphere {
    /// The centre: the mean of an initial pass, with coordinates near 0 moved to ±0.1, since a unit could else reach
    /// them with zero weights.
    fn on_train_start(&self, pool: &PoolSource) -> zsad_nn::Result<()> {
        let mut sum = self.centre.as_tensor().zeros_like()?;
        for x in pool.batches() {
            sum = (sum + self.network.forward(&x?, Phase::Pooled)?.detach().sum(0)?)?;
        }
        let mean = (sum / pool.len() as f64)?.to_vec1::<f32>()?;
        Ok(self.centre.set(&Tensor::new(away_from_zero(&mean), self.centre.device())?)?)
    }

    /// Soft boundary, after the warm-up: the next step's radius is the (1 − nu) quantile of this one's distances.
    fn loss(&self, x: &Tensor, step: PooledStep) -> zsad_nn::Result<Tensor> {
        let d = self.distance.squared(&self.network.forward(x, Phase::Pooled)?, &self.centre)?;
        let Some(soft) = &self.soft else { return Ok(d.mean(D::Minus1)?) };
        let radius = self.radius.as_tensor().copy()?.detach();
        let outside = d.broadcast_sub(&radius)?.relu()?.mean(D::Minus1)?;
        if step.epoch >= soft.warm_up {
            let new = quantile(d.to_vec1()?, 1.0 - soft.nu);
            self.radius.set(&Tensor::new(&[new * new], self.radius.device())?)?;
        }
        Ok((radius.squeeze(0)? + (outside / soft.nu)?)?)
    }
}

/// Coordinates nearer to 0 than 0.1 become ±0.1.
fn away_from_zero(centre: &[f32]) -> Vec<f32> {
    centre.iter().map(|&c| if c.abs() < 0.1 { 0.1f32.copysign(c) } else { c }).collect()
}

/// The `q` quantile of the roots of `squares`, linear between neighbours, as `numpy.quantile` takes it.
fn quantile(mut squares: Vec<f32>, q: f64) -> f32 {
    squares.sort_unstable_by(f32::total_cmp);
    let at = q * (squares.len() - 1) as f64;
    let (low, high) = (at.floor() as usize, at.ceil() as usize);
    let root = |i: usize| f64::from(squares[i]).sqrt();
    (root(low) + (root(high) - root(low)) * at.fract()) as f32
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use zsad_core::rng::stream;

    use super::*;
    use crate::trained::golden::{assert_close, built, params, perceptron, wave};
    use crate::trained::spec::Norm;

    /// ```python
    /// net = mlp(3, [4], 2, final=False, bias=False, affine=False); fill(net.parameters()); x = wave(6, 3)
    /// c = net(x).mean(0); print(torch.where(c.abs() < 0.1, 0.1 * c.sign(), c))  # net(x).mean(0)[0] is small
    /// d = ((net(x) - torch.tensor([-0.1, -0.2799067])) ** 2).sum(1); nu = 0.1; print(d.mean(), d.mean() / nu)
    /// R = torch.quantile(d.sqrt(), 1 - nu); print(R**2, R**2 + (1 / nu) * F.relu(d - R**2).mean())
    /// ```
    #[test]
    fn both_objectives_are_those_of_torch() {
        let spec = perceptron(3, &[4], 2, Norm::Running, HeadKind::FixedCentre);
        let step = || PooledStep { rng: stream(0, &[]), epoch: 0 };
        let x = wave(&[6, 3]);
        for (objective, losses) in [("one_class", [0.138138231; 2]), ("soft_boundary", [1.38138231, 0.280304696])] {
            let given = json!({"objective": objective, "warm_up": 0});
            let (store, model) = built(|b| params::<DeepSvdd>(given).build(&spec, b));
            let centre = Tensor::new(&[-0.1f32, -0.2799067], x.device()).unwrap();
            store.set("center", &centre).unwrap();
            for loss in losses {
                assert_close(&model.loss(&x, step()).unwrap(), &[loss]);
            }
            let radius = &store.get("squared_radius").unwrap().var;
            assert_close(radius, &[if objective == "one_class" { 0.0 } else { 0.274757048 }]);
        }
    }

    #[test]
    fn a_centre_near_zero_moves_away_from_it() {
        assert_eq!(away_from_zero(&[0.05, -0.01, 0.5, -0.1]), [0.1, -0.1, 0.5, -0.1]);
    }
}
