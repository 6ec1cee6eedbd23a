//! Classification of transformations: which of many random maps was applied to a row?

use candle_core::{D, Tensor, Var};
use zsad_core::{Accepts, DatasetInfo, MethodSpec, Operator, Operators, Result};
use zsad_nn::layers::{Linear, LinearInit};
use zsad_nn::{Init, params::Builder};

use crate::families::pooled::{Pooled, PooledMethod, PooledModel, PooledStep};
use crate::trained::detector::Model;
use crate::trained::hyperparams::PooledParams;
use crate::trained::pool::PoolSource;
use crate::trained::spec::NetworkSpec;
use crate::trained::stack::{Stack, leaky};
use crate::trained::standard::Standard;

/// The registry's entry.
pub const DEF: Pooled<Goad> = Pooled::new(&SPEC);

static SPEC: MethodSpec = MethodSpec {
    name: "goad",
    version: 1,
    summary: "pooled training to tell random maps of a row apart, no adaptation; score: how unsure that is",
    citation: "Bergman, Hoshen: Classification-Based Anomaly Detection for General Data, ICLR 2020; networks and training \
               of DeepOD's GOAD",
    accepts: Accepts::ROWS,
};

zsad_core::params! {
    /// A small network on random maps of rows in units of the pool; see [`DEF`].
    pub struct Goad {
        /// random linear maps
        maps: usize = 256, in 2..=1 << 12;
        /// dimensions that they map to
        map_dim: usize = 32, in 1..;
        /// width of the network
        width: usize = 8, in 1..;
        /// hidden layers of the network
        layers: usize = 5, in 1..=64;
        /// weight of the triplet loss around the maps' mean codes
        triplet: f64 = 0.1, in 0.0..;
        /// its margin
        margin: f64 = 1.0, in 0.0..;
        /// its training
        training: PooledParams = PooledParams { epochs: 100, batch: 64, ..PooledParams::default() };
    }
}

impl PooledMethod for Goad {
    type Model = Maps;

    fn settle(&mut self, info: &DatasetInfo) -> Result<NetworkSpec> {
        Ok(NetworkSpec::perceptron(info.modality.shape(), vec![self.width; self.layers], self.width))
    }

    fn training(&self) -> &PooledParams {
        &self.training
    }

    fn build(&self, spec: &NetworkSpec, b: &mut Builder) -> zsad_nn::Result<Maps> {
        let d = spec.input.iter().product();
        let standard = Standard::new(d, b)?;
        let maps = b.buffer("maps", &[d, self.maps * self.map_dim], Init::Normal(0.0, 1.0))?;
        let widths = [&[self.map_dim], &spec.hidden[..], &[spec.latent]].concat();
        // Xavier's normal with a gain of √2, as released.
        let xavier = |input, output| Init::Normal(0.0, 2.0 / ((input + output) as f64).sqrt());
        let network = Stack::new(&widths, 0.01, xavier, &mut b.scope("net"))?;
        let head = LinearInit { weight: xavier(spec.latent, self.maps), ..LinearInit::torch(spec.latent) };
        let head = Linear::new(&mut b.scope("head"), spec.latent, self.maps, head)?;
        let means = b.buffer("means", &[self.maps, spec.latent], Init::ZEROS)?;
        Ok(Maps { standard, maps, network, head, means, triplet: self.triplet, margin: self.margin })
    }
}

/// Random maps, and what tells them apart.
pub struct Maps {
    standard: Standard,
    /// `[d, maps · map_dim]`.
    maps: Var,
    network: Stack,
    /// Which map it was; for training alone.
    head: Linear,
    /// Mean codes of the pool, by map: `[maps, width]`.
    means: Var,
    triplet: f64,
    margin: f64,
}

impl Maps {
    /// Codes `[n, maps, width]`.
    fn codes(&self, x: &Tensor) -> zsad_nn::Result<Tensor> {
        let (n, maps) = (x.dims()[0], self.means.dims()[0]);
        let mapped = self.standard.apply(x)?.matmul(&self.maps.as_tensor().detach())?;
        Ok(self.network.forward(&mapped.reshape((n * maps, ()))?)?.reshape((n, maps, ()))?)
    }

    /// Mean cross entropy of which map it was, of codes `[n, maps, width]`.
    fn cross_entropy(&self, codes: &Tensor) -> zsad_nn::Result<Tensor> {
        let (n, maps, width) = codes.dims3()?;
        let logits = self.head.forward(&leaky(&codes.reshape((n * maps, width))?, 0.2)?)?.reshape((n, maps, maps))?;
        let own = logits.broadcast_mul(&Tensor::eye(maps, logits.dtype(), logits.device())?)?.sum(D::Minus1)?;
        Ok((logits.log_sum_exp(D::Minus1)? - own)?.mean_all()?)
    }
}

/// Squared distances `[n, maps, maps]` of codes `[n, maps, width]` from the means `[maps, width]`.
fn distances(codes: &Tensor, means: &Tensor) -> zsad_nn::Result<Tensor> {
    let (n, maps, width) = codes.dims3()?;
    let products = codes.reshape((n * maps, width))?.matmul(&means.t()?.contiguous()?)?.reshape((n, maps, maps))?;
    let squares = codes.sqr()?.sum_keepdim(D::Minus1)?.broadcast_add(&means.sqr()?.sum(D::Minus1)?)?;
    Ok((squares - (products * 2.0)?)?.relu()?)
}

/// Squared distances `[n, maps]` of codes from the mean of their own map.
fn own_distances(codes: &Tensor, means: &Tensor) -> zsad_nn::Result<Tensor> {
    Ok(codes.broadcast_sub(means)?.sqr()?.sum(D::Minus1)?)
}

/// The mean of max(0, distance from the own mean + margin − that from the nearest other): a scalar.
fn triplet(codes: &Tensor, margin: f64) -> zsad_nn::Result<Tensor> {
    let means = codes.mean(0)?;
    // 1e6 on the diagonal: the own mean is none of the others.
    let far = (Tensor::eye(means.dims()[0], codes.dtype(), codes.device())? * 1e6)?;
    let nearest = distances(codes, &means)?.broadcast_add(&far)?.min(D::Minus1)?;
    Ok(((own_distances(codes, &means)? - nearest)? + margin)?.relu()?.mean_all()?)
}

/// Σ over maps of −log softmax of the negated distances at the own mean, `[n]`.
fn surprise(codes: &Tensor, means: &Tensor) -> zsad_nn::Result<Tensor> {
    let all = distances(codes, means)?.neg()?.log_sum_exp(D::Minus1)?;
    Ok((all + own_distances(codes, means)?)?.sum(D::Minus1)?)
}

impl Model for Maps {
    const OPERATORS: Operators = Operators::of(&[Operator::Linear, Operator::Own]);

    fn scores(&self, x: &Tensor) -> zsad_nn::Result<Tensor> {
        // Row by row in parts: a row takes the square of the number of maps.
        let part = |at: usize| {
            let rows = x.narrow(0, at, (x.dims()[0] - at).min(64))?;
            surprise(&self.codes(&rows)?, &self.means.as_tensor().detach())
        };
        let parts = (0..x.dims()[0]).step_by(64).map(part).collect::<zsad_nn::Result<Vec<_>>>()?;
        Ok(Tensor::cat(&parts, 0)?)
    }
}

impl PooledModel for Maps {
    fn on_train_start(&self, pool: &PoolSource) -> zsad_nn::Result<()> {
        self.standard.learn(pool)
    }

    fn loss(&self, x: &Tensor, _: PooledStep) -> zsad_nn::Result<Tensor> {
        let codes = self.codes(x)?;
        Ok((self.cross_entropy(&codes)? + (triplet(&codes, self.margin)? * self.triplet)?)?)
    }

    /// The mean over mini-batches, as released: rows of a last, smaller one weigh more.
    fn on_train_end(&self, pool: &PoolSource) -> zsad_nn::Result<()> {
        let (mut sum, mut batches) = (self.means.as_tensor().zeros_like()?, 0);
        for x in pool.batches() {
            sum = (sum + self.codes(&x?)?.detach().mean(0)?)?;
            batches += 1;
        }
        Ok(self.means.set(&(sum / f64::from(batches))?)?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::trained::golden::{assert_close, built, params, wave};

    /// By hand: squared distances of each code from each mean, then the formula of DeepOD's `inference_forward`.
    #[test]
    fn the_surprise_is_the_released_one() {
        let device = &candle_core::Device::Cpu;
        let codes = Tensor::new(&[[[0.1f32, 0.2], [1.0, 0.0], [0.0, 0.9]]], device).unwrap();
        let means = Tensor::new(&[[0.0f32, 0.0], [1.0, 0.1], [0.0, 1.0]], device).unwrap();
        assert_close(&surprise(&codes, &means).unwrap(), &[1.6079043633]);
    }

    /// With DeepOD's `GoadNet` and `GoadLoss`:
    /// ```python
    /// net = GoadNet(2, n_hidden=4, n_layers=1, n_output=3, activation="LeakyReLU").double(); fill(net.parameters())
    /// x = torch.stack([wave(5, 3) @ w for w in wave(3, 6).reshape(3, 3, 2).permute(1, 0, 2)], 2)   # [5, 2, 3]
    /// rep, pred = net(x); rep = rep.permute(0, 2, 1)
    /// labels = torch.arange(3).expand(5, 3)
    /// print(GoadLoss(alpha=0., device="cpu")(rep, pred, labels))
    /// print(GoadLoss(alpha=1., device="cpu")(rep, pred, labels) - GoadLoss(alpha=0., device="cpu")(rep, pred, labels))
    /// ```
    #[test]
    fn the_losses_are_those_of_torch() {
        let spec = NetworkSpec::perceptron(vec![3], vec![4], 4);
        let given = params::<Goad>(json!({"maps": 3, "map_dim": 2, "width": 4, "layers": 1}));
        let (store, model) = built(|b| given.build(&spec, b));
        store.set("maps", &wave(&[3, 6])).unwrap();
        let codes = model.codes(&wave(&[5, 3])).unwrap();
        assert_close(&model.cross_entropy(&codes).unwrap(), &[1.12932392]);
        assert_close(&triplet(&codes, 1.0).unwrap(), &[0.995686747]);
    }
}
