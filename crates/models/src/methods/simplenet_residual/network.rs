//! The trained part: for every layer an adapter and a discriminator.

use candle_core::{DType, Tensor};
use zsad_core::{Device, Operator, rng::stream};
use zsad_nn::layers::{Linear, LinearInit, Norm, NormConfig, NormMode};
use zsad_nn::{Init, ParamStore, Pass, Result};

use super::SimpleNetResidual;

/// The slope of the discriminator's activation below 0.
const LEAK: f64 = 0.2;

/// What is added to residuals, `[n, c]`.
pub(super) enum Noise {
    /// Behind the adapter.
    Behind(Tensor),
    /// Before it.
    Before(Tensor),
}

/// One layer.
struct Discriminator {
    adapter: Option<Linear>,
    first: Linear,
    norm: Norm,
    last: Linear,
}

/// All layers, with their parameters.
pub(super) struct Discriminators {
    layers: Vec<Discriminator>,
    /// Channels of every layer.
    pub channels: Vec<usize>,
    pub store: ParamStore,
}

impl Discriminators {
    /// Fresh ones for layers of so many `channels`, drawn from `seed`.
    pub fn new(params: &SimpleNetResidual, channels: &[usize], device: Device, seed: u64) -> Result<Self> {
        let mut store = ParamStore::on(device)?;
        let mut rng = stream(seed, &[("purpose", "init"), ("method", "simplenet_residual")]);
        let mut b = store.builder(&mut rng);
        b.operator(Operator::Own);
        let without_bias = LinearInit { weight: Init::TorchWeight, bias: None };
        let layer = |(i, &channels): (usize, &usize)| {
            let mut b = b.scope(i);
            // Xavier's normal weights for a square matrix.
            let square =
                LinearInit { weight: Init::Normal(0.0, (channels as f64).sqrt().recip()), bias: Some(Init::ZEROS) };
            let adapter = match params.adapter {
                true => Some(Linear::new(&mut b.scope("adapter"), channels, channels, square)?),
                false => None,
            };
            Ok(Discriminator {
                adapter,
                first: Linear::new(&mut b.scope("first"), channels, params.hidden, LinearInit::torch(channels))?,
                norm: Norm::new(&mut b.scope("norm"), params.hidden, NormConfig::new(NormMode::Running))?,
                last: Linear::new(&mut b.scope("last"), params.hidden, 1, without_bias)?,
            })
        };
        let layers = channels.iter().enumerate().map(layer).collect::<Result<_>>()?;
        Ok(Discriminators { layers, channels: channels.to_vec(), store })
    }

    /// The loss of residuals `[n, c]` of layer `number` and the same with `noise` `[n, c]`; both pass together, so that batch norm
    /// sees both.
    pub fn loss(&self, number: usize, residuals: &Tensor, noise: &Noise, margin: f64) -> Result<Tensor> {
        let layer = &self.layers[number];
        let adapted = layer.adapted(residuals)?;
        let noisy = match noise {
            Noise::Behind(noise) => (&adapted + noise)?,
            Noise::Before(noise) => layer.adapted(&(residuals + noise)?)?,
        };
        let both = Tensor::cat(&[&adapted, &noisy], 0)?;
        let said = layer.forward(&both, Pass::train(1))?;
        let n = residuals.dims()[0];
        truncated(&said.narrow(0, 0, n)?, &said.narrow(0, n, n)?, margin)
    }

    /// What layer `number` says against each of some residuals, `[n · c]`.
    pub fn against(&self, number: usize, residuals: Vec<f32>) -> Result<Vec<f32>> {
        let layer = &self.layers[number];
        let rows = Tensor::from_vec(residuals, ((), self.channels[number]), self.store.device())?;
        zsad_nn::no_grad(|| {
            let said = layer.forward(&layer.adapted(&rows)?, Pass::eval(1))?;
            Ok(said.neg()?.to_dtype(DType::F32)?.to_vec1()?)
        })
    }
}

impl Discriminator {
    fn adapted(&self, residuals: &Tensor) -> Result<Tensor> {
        match &self.adapter {
            Some(adapter) => adapter.forward(residuals),
            None => Ok(residuals.clone()),
        }
    }

    /// `[n, c]` → `[n]`; the higher, the more normal.
    fn forward(&self, x: &Tensor, pass: Pass) -> Result<Tensor> {
        let hidden = self.norm.forward(&self.first.forward(x)?, pass, false)?;
        let leaky = (hidden.relu()? - (hidden.neg()?.relu()? * LEAK)?)?;
        Ok(self.last.forward(&leaky)?.squeeze(1)?)
    }
}

/// mean max(0, margin − D(normal)) + mean max(0, margin + D(noisy)).
fn truncated(normal: &Tensor, noisy: &Tensor, margin: f64) -> Result<Tensor> {
    let below = normal.neg()?.affine(1.0, margin)?.relu()?.mean_all()?;
    Ok((below + noisy.affine(1.0, margin)?.relu()?.mean_all()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    // t, f = torch.tensor([.7, .2, -.1, .5]), torch.tensor([-.8, .1, -.5, .3])
    // (.5 - t).clip(min=0).mean() + (.5 + f).clip(min=0).mean()
    #[test]
    fn the_loss_is_that_of_the_released_code() {
        let row = |values: [f32; 4]| Tensor::new(&values, &Device::Cpu).unwrap();
        let loss = truncated(&row([0.7, 0.2, -0.1, 0.5]), &row([-0.8, 0.1, -0.5, 0.3]), 0.5).unwrap();
        assert!((loss.to_scalar::<f32>().unwrap() - 0.575).abs() < 1e-6);
    }

    // import torch; d = torch.float64; w = lambda *s, k=.3: torch.sin(torch.arange(torch.Size(s).numel(), dtype=d) * k).reshape(s)
    // x = torch.cos(torch.arange(6, dtype=d) * .4).reshape(3, 2); a = x @ w(2, 2).T + w(2, k=.5)
    // h = (a @ w(3, 2, k=.7).T + w(3, k=.9) - w(3, k=.2)) / (1 + w(3, k=.1) + 1e-5).sqrt() * w(3, k=1.1) + w(3, k=1.3)
    // print(-(torch.nn.functional.leaky_relu(h, .2) @ w(3, k=.6)))
    #[test]
    fn a_discriminator_is_pytorchs() {
        let params = SimpleNetResidual { hidden: 3, ..SimpleNetResidual::default() };
        let network = Discriminators::new(&params, &[2], zsad_core::Device::Cpu, 0).unwrap();
        let set = |name: &str, shape: &[usize], k: f64, offset: f64| {
            let values: Vec<f32> =
                (0..shape.iter().product()).map(|i: usize| (offset + (k * i as f64).sin()) as f32).collect();
            network.store.set(name, &Tensor::from_vec(values, shape, &Device::Cpu).unwrap()).unwrap();
        };
        set("0.adapter.weight", &[2, 2], 0.3, 0.0);
        set("0.adapter.bias", &[2], 0.5, 0.0);
        set("0.first.weight", &[3, 2], 0.7, 0.0);
        set("0.first.bias", &[3], 0.9, 0.0);
        set("0.norm.running_mean", &[3], 0.2, 0.0);
        set("0.norm.running_var", &[3], 0.1, 1.0);
        set("0.norm.weight", &[3], 1.1, 0.0);
        set("0.norm.bias", &[3], 1.3, 0.0);
        set("0.last.weight", &[1, 3], 0.6, 0.0);
        let x = (0..6).map(|i| (0.4 * f64::from(i)).cos() as f32).collect();
        let said = network.against(0, x).unwrap();
        assert!(said.iter().zip(SAID).all(|(s, w)| (s - w).abs() < 1e-5), "{said:?}");
    }

    const SAID: [f32; 3] = [-2.2037948, -1.9824633, -1.6444716];
}
