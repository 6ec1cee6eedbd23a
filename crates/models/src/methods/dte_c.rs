//! Diffusion time estimation by classification: how much noise would a sample need to be where it is?

use candle_core::{D, Tensor};
use rand::RngExt;
use zsad_core::rng::Rng;
use zsad_core::{Accepts, DatasetInfo, MethodSpec, Operator, Operators, Result};
use zsad_nn::layers::{Linear, LinearInit};
use zsad_nn::{Init, params::Builder};

use crate::families::pooled::{Pooled, PooledMethod, PooledModel, PooledStep};
use crate::trained::detector::Model;
use crate::trained::hyperparams::PooledParams;
use crate::trained::pool::PoolSource;
use crate::trained::rows::log_softmax;
use crate::trained::spec::NetworkSpec;
use crate::trained::standard::Standard;

/// The registry's entry.
pub const DEF: Pooled<DteC> = Pooled::new(&SPEC);

static SPEC: MethodSpec = MethodSpec {
    name: "dte_c",
    version: 1,
    summary: "pooled training to tell how much noise was added to a row, no adaptation; score: the expected noise level",
    citation: "Livernoche, Jain, Hezaveh, Ravanbakhsh: On Diffusion Modeling for Anomaly Detection, ICLR 2024 (DTE-C)",
    accepts: Accepts::ROWS,
};

zsad_core::params! {
    /// A classifier of noise levels, on rows in units of the pool; see [`DEF`].
    ///
    /// Levels are absolute: in a domain of another scale every row looks noisy. Standardise its batches
    /// (`standardise: batch`) where domains differ in scale.
    pub struct DteC {
        /// widths of the hidden layers
        hidden: Vec<usize> = vec![256, 512, 256], in 1..=1 << 16;
        /// steps of the diffusion, with variances from 0.0001 to 0.01
        diffusion_steps: usize = 400, in 2..=1 << 16;
        /// classes of noise levels
        bins: usize = 7, in 2..=1 << 10;
        /// share of units that are dropped in training, after every hidden layer but the first
        dropout: f64 = 0.5, in 0.0..=0.99;
        /// true, as released: the cross entropy takes the softmax of probabilities, so that it stays between 1.17 and 2.17
        double_softmax: bool = true;
        /// its training
        training: PooledParams =
            PooledParams { epochs: 400, batch: 64, lr: 1e-4, weight_decay: 5e-4, ..PooledParams::default() };
    }
}

impl PooledMethod for DteC {
    type Model = TimeEstimator;

    fn settle(&mut self, info: &DatasetInfo) -> Result<NetworkSpec> {
        Ok(NetworkSpec::perceptron(info.modality.shape(), self.hidden.clone(), self.bins))
    }

    fn training(&self) -> &PooledParams {
        &self.training
    }

    fn build(&self, spec: &NetworkSpec, b: &mut Builder) -> zsad_nn::Result<TimeEstimator> {
        let d = spec.input.iter().product();
        let standard = Standard::new(d, b)?;
        let widths = [&[d], &spec.hidden[..], &[spec.latent]].concat();
        let layer =
            |(i, pair): (usize, &[usize])| Linear::new(&mut b.scope(i), pair[0], pair[1], LinearInit::torch(pair[0]));
        let layers = widths.windows(2).enumerate().map(layer).collect::<zsad_nn::Result<_>>()?;
        let (deviations, bins) = (deviations(self.diffusion_steps), self.bins);
        Ok(TimeEstimator { standard, layers, deviations, bins, dropout: self.dropout, twice: self.double_softmax })
    }
}

/// Standard deviations of the noise after each step: √(1 − ∏(1 − β)), β from 1e-4 to 1e-2.
fn deviations(steps: usize) -> Vec<f64> {
    let beta = |i: usize| 1e-4 + (1e-2 - 1e-4) * i as f64 / (steps - 1) as f64;
    (0..steps)
        .scan(1.0, |kept, i| {
            *kept *= 1.0 - beta(i);
            Some((1.0 - *kept).sqrt())
        })
        .collect()
}

/// A classifier of noise levels.
pub struct TimeEstimator {
    standard: Standard,
    layers: Vec<Linear>,
    /// Of the noise, by diffusion step.
    deviations: Vec<f64>,
    bins: usize,
    dropout: f64,
    /// Whether the loss takes the softmax a second time.
    twice: bool,
}

impl TimeEstimator {
    /// Logits `[n, bins]` of standardised rows; units are dropped with a stream.
    fn logits(&self, x: &Tensor, mut rng: Option<&mut Rng>) -> zsad_nn::Result<Tensor> {
        let mut x = x.clone();
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward(&x)?;
            if i + 1 == self.layers.len() {
                break;
            }
            x = x.relu()?;
            if let (true, Some(rng)) = (i > 0 && self.dropout > 0.0, rng.as_deref_mut()) {
                let kept = (1.0 / (1.0 - self.dropout)) as f32;
                let draw = |_| if rng.random::<f64>() < self.dropout { 0.0 } else { kept };
                let mask: Vec<f32> = (0..x.elem_count()).map(draw).collect();
                x = (&x * Tensor::from_vec(mask, x.dims(), x.device())?)?;
            }
        }
        Ok(x)
    }

    /// Mean cross entropy of `[n, bins]` logits and the classes of `n` diffusion steps.
    fn cross_entropy(&self, logits: &Tensor, steps: &[usize]) -> zsad_nn::Result<Tensor> {
        let logits = if self.twice { log_softmax(logits)?.exp()? } else { logits.clone() };
        let mut target = vec![0f32; steps.len() * self.bins];
        for (row, step) in target.chunks_mut(self.bins).zip(steps) {
            row[step * self.bins / self.deviations.len()] = 1.0;
        }
        let own = (&logits * Tensor::from_vec(target, logits.dims(), logits.device())?)?.sum(D::Minus1)?;
        Ok((logits.log_sum_exp(D::Minus1)? - own)?.mean(D::Minus1)?)
    }
}

impl Model for TimeEstimator {
    const OPERATORS: Operators = Operators::of(&[Operator::Linear, Operator::Own]);

    /// The expected class.
    fn scores(&self, x: &Tensor) -> zsad_nn::Result<Tensor> {
        let shares = log_softmax(&self.logits(&self.standard.apply(x)?, None)?)?.exp()?;
        let classes: Vec<f32> = (0..self.bins).map(|i| i as f32).collect();
        Ok(shares.matmul(&Tensor::from_vec(classes, (self.bins, 1), x.device())?)?.squeeze(1)?)
    }
}

impl PooledModel for TimeEstimator {
    fn on_train_start(&self, pool: &PoolSource) -> zsad_nn::Result<()> {
        self.standard.learn(pool)
    }

    /// Noise is added to what is there, which does not shrink: the released code leaves the drift out.
    fn loss(&self, x: &Tensor, mut step: PooledStep) -> zsad_nn::Result<Tensor> {
        let x = self.standard.apply(x)?;
        let (n, d) = x.dims2()?;
        let steps: Vec<usize> = (0..n).map(|_| step.rng.random_range(0..self.deviations.len())).collect();
        let unit = Init::Normal(0.0, 1.0).draw(&[n, d], &mut step.rng);
        let noise =
            unit.chunks(d).zip(&steps).flat_map(|(row, &t)| row.iter().map(move |e| e * self.deviations[t] as f32));
        let noisy = (x + Tensor::from_iter(noise, self.layers[0].weight.device())?.reshape((n, d))?)?;
        self.cross_entropy(&self.logits(&noisy, Some(&mut step.rng))?, &steps)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::trained::golden::{assert_close, built, params, wave};

    fn estimator(given: serde_json::Value) -> TimeEstimator {
        let spec = NetworkSpec::perceptron(vec![3], vec![4, 5], 7);
        built(|b| params::<DteC>(given).build(&spec, b)).1
    }

    /// ```python
    /// betas = torch.linspace(0.0001, 0.01, 400); print(1 - torch.cumprod(1 - betas, 0))  # at 0, 199, 399
    /// ```
    #[test]
    fn noise_grows_as_released() {
        let of = deviations(400);
        for (at, variance) in [(0, 1e-4), (199, 0.402276298), (399, 0.868240389)] {
            assert!((of[at].powi(2) - variance).abs() < 1e-8, "{at}: {}", of[at].powi(2));
        }
    }

    /// ```python
    /// z = torch.tensor([[.2, -.4, 1.1, 0, 0, 0, .3]]); t = torch.tensor([2])
    /// print(nn.CrossEntropyLoss()(z.softmax(1), t), nn.CrossEntropyLoss()(z, t))
    /// ```
    #[test]
    fn the_released_loss_takes_the_softmax_twice() {
        let logits = Tensor::new(&[[0.2f32, -0.4, 1.1, 0.0, 0.0, 0.0, 0.3]], &candle_core::Device::Cpu).unwrap();
        for (twice, wanted) in [(true, 1.7669659695), (false, 1.1241637308)] {
            // Step 120 of 400 is in the third of seven classes.
            let loss = estimator(json!({"double_softmax": twice})).cross_entropy(&logits, &[120]).unwrap();
            assert_close(&loss, &[wanted]);
        }
    }

    /// ```python
    /// layers = [nn.Linear(3, 4), nn.Linear(4, 5), nn.Linear(5, 7)]; fill([p for l in layers for p in l.parameters()])
    /// h = wave(4, 3)
    /// for l in layers[:-1]: h = l(h).relu()
    /// print(layers[-1](h).softmax(1) @ torch.arange(7.))
    /// ```
    #[test]
    fn scores_are_those_of_torch() {
        let scores = estimator(json!({})).scores(&wave(&[4, 3])).unwrap();
        assert_close(&scores, &[2.6715312, 2.67467279, 2.67367556, 2.67146391]);
    }
}
