//! Mean-shifted contrastive learning on the pooled normals, scored by nearest neighbours among them.

use candle_core::{D, Tensor, Var};
use rand::seq::index;
use zsad_core::{Accepts, DatasetInfo, MethodSpec, Operator, Operators, Result};
use zsad_nn::{Init, params::Builder};

use crate::families::pooled::{Pooled, PooledMethod, PooledModel, PooledStep};
use crate::trained::augment::Augment;
use crate::trained::detector::Model;
use crate::trained::hyperparams::{NetworkParams, PooledParams};
use crate::trained::network::{Network, Phase};
use crate::trained::pool::PoolSource;
use crate::trained::rows::unit;
use crate::trained::spec::{HeadKind, NetworkSpec};

/// The registry's entry.
pub const DEF: Pooled<Msc> = Pooled::new(&SPEC);

/// What fills the bank where the pool is smaller: so far from unit codes that it is nobody's neighbour.
const FAR: f32 = 1e3;

static SPEC: MethodSpec = MethodSpec {
    name: "msc",
    version: 2,
    summary: "pooled contrastive training around the mean feature, no adaptation; score: distance to 2 nearest normals",
    citation: "Reiss, Hoshen: Mean-Shifted Contrastive Loss for Anomaly Detection, AAAI 2023",
    accepts: Accepts::ANY,
};

zsad_core::params! {
    /// NT-Xent around the mean of the features, then the distance to the nearest training features; see [`DEF`].
    ///
    /// Features are the data set's own (pretrained ones, where they are that) through a network that is trained from
    /// scratch; so the learning rate is larger than the paper's, which adjusts a pretrained backbone.
    pub struct Msc {
        /// the network
        network: NetworkParams = NetworkParams::running();
        /// its training
        training: PooledParams = PooledParams { epochs: 20, batch: 64, weight_decay: 5e-5, ..PooledParams::default() };
        /// temperature of the contrastive loss
        temperature: f64 = 0.25, in 0.0..;
        /// nearest training features whose squared distances are summed
        neighbours: usize = 2, in 1..;
        /// training features kept, drawn at random from a larger pool
        bank: usize = 4096, in 2..;
    }
}

impl PooledMethod for Msc {
    type Model = MeanShifted;

    fn settle(&mut self, info: &DatasetInfo) -> Result<NetworkSpec> {
        self.network.settle(info, HeadKind::Plain)
    }

    fn training(&self) -> &PooledParams {
        &self.training
    }

    fn build(&self, spec: &NetworkSpec, b: &mut Builder) -> zsad_nn::Result<MeanShifted> {
        let network = Network::new(&mut b.scope("net"), spec)?;
        let augment = Augment::new(&spec.input, &mut b.scope("augment"))?;
        let centre = b.buffer("center", &[spec.latent], Init::ZEROS)?;
        let bank = b.buffer("bank", &[self.bank, spec.latent], Init::Constant(FAR.into()))?;
        let (temperature, neighbours) = (self.temperature, self.neighbours);
        Ok(MeanShifted { network, augment, centre, bank, temperature, neighbours })
    }
}

/// Codes, and those of the normals.
pub struct MeanShifted {
    network: Network,
    augment: Augment,
    /// Mean of the pool's codes before training.
    centre: Var,
    /// Codes of normals, `[bank, latent]`.
    bank: Var,
    temperature: f64,
    neighbours: usize,
}

impl MeanShifted {
    fn codes(&self, x: &Tensor, phase: Phase) -> zsad_nn::Result<Tensor> {
        unit(&self.network.forward(x, phase)?)
    }
}

/// NT-Xent of two views `[n, d]` of unit codes, seen from `centre`: a scalar (the paper's equation 4).
fn mean_shifted_loss(views: [&Tensor; 2], centre: &Tensor, temperature: f64) -> zsad_nn::Result<Tensor> {
    let n = views[0].dims()[0];
    let z = unit(&Tensor::cat(&views, 0)?.broadcast_sub(centre)?)?;
    let similarity = (z.matmul(&z.t()?.contiguous()?)? / temperature)?;
    // −1e9 on the diagonal: a view is no candidate for itself.
    let own = (Tensor::eye(2 * n, z.dtype(), z.device())? * -1e9)?;
    let all = (similarity + own)?.log_sum_exp(D::Minus1)?;
    let other = Tensor::cat(&[z.narrow(0, n, n)?, z.narrow(0, 0, n)?], 0)?;
    let pair = ((&z * other)?.sum(D::Minus1)? / temperature)?;
    Ok((all - pair)?.mean(D::Minus1)?)
}

impl Model for MeanShifted {
    const OPERATORS: Operators = Network::OPERATORS.and(&[Operator::Own]);

    fn scores(&self, x: &Tensor) -> zsad_nn::Result<Tensor> {
        let z: Vec<Vec<f32>> = self.codes(x, Phase::Score)?.to_vec2()?;
        let bank: Vec<Vec<f32>> = self.bank.to_vec2()?;
        let score = |z: &Vec<f32>| {
            let mut distances: Vec<f32> =
                bank.iter().map(|b| b.iter().zip(z).map(|(b, z)| (b - z).powi(2)).sum()).collect();
            let k = self.neighbours.min(distances.len());
            distances.select_nth_unstable_by(k - 1, f32::total_cmp);
            distances[..k].sort_unstable_by(f32::total_cmp);
            distances[..k].iter().sum::<f32>()
        };
        Ok(Tensor::from_iter(z.iter().map(score), x.device())?)
    }
}

impl PooledModel for MeanShifted {
    fn on_train_start(&self, pool: &PoolSource) -> zsad_nn::Result<()> {
        self.augment.learn(pool)?;
        let mut sum = self.centre.as_tensor().zeros_like()?;
        for x in pool.batches() {
            sum = (sum + self.codes(&x?, Phase::Pooled)?.detach().sum(0)?)?;
        }
        Ok(self.centre.set(&(sum / pool.len() as f64)?)?)
    }

    fn loss(&self, x: &Tensor, mut step: PooledStep) -> zsad_nn::Result<Tensor> {
        let views = [self.augment.view(x, &mut step.rng)?, self.augment.view(x, &mut step.rng)?];
        let z = self.codes(&Tensor::cat(&views, 0)?, Phase::Pooled)?;
        let n = x.dims()[0];
        let centre = self.centre.as_tensor().detach();
        mean_shifted_loss([&z.narrow(0, 0, n)?, &z.narrow(0, n, n)?], &centre, self.temperature)
    }

    fn on_train_end(&self, pool: &PoolSource) -> zsad_nn::Result<()> {
        let (rows, latent) = self.bank.dims2()?;
        let mut codes = Vec::with_capacity(pool.len() * latent);
        for x in pool.batches() {
            codes.extend(self.codes(&x?, Phase::Score)?.flatten_all()?.to_vec1::<f32>()?);
        }
        let kept = pool.len().min(rows);
        let mut rng = pool.stream("bank");
        let mut bank: Vec<f32> = index::sample(&mut rng, pool.len(), kept)
            .into_iter()
            .flat_map(|i| codes[i * latent..(i + 1) * latent].to_vec())
            .collect();
        bank.resize(rows * latent, FAR);
        Ok(self.bank.set(&Tensor::from_vec(bank, (rows, latent), self.bank.device())?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trained::golden::{assert_close, wave};

    /// ```python
    /// z1, z2, c = F.normalize(wave(4, 3), dim=1), F.normalize(wave(2, 4, 3)[1], dim=1), torch.tensor([0.1, -0.2, 0.3])
    /// a, b = F.normalize(z1 - c, dim=1), F.normalize(z2 - c, dim=1); out = torch.cat([a, b])
    /// sim = torch.exp(out @ out.T / 0.25); mask = ~torch.eye(8, dtype=torch.bool)
    /// neg = sim.masked_select(mask).view(8, -1).sum(1); pos = torch.exp((a * b).sum(1) / 0.25).repeat(2)
    /// print((-torch.log(pos / neg)).mean())
    /// ```
    #[test]
    fn the_loss_is_that_of_torch() {
        let z = unit(&wave(&[8, 3])).unwrap();
        let centre = Tensor::new(&[0.1f32, -0.2, 0.3], z.device()).unwrap();
        let views = [&z.narrow(0, 0, 4).unwrap(), &z.narrow(0, 4, 4).unwrap()];
        assert_close(&mean_shifted_loss(views, &centre, 0.25).unwrap(), &[5.63835155]);
    }
}
