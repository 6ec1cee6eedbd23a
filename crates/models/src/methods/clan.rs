//! Contrastive learning with augmented negatives: normal rows together, rows with redrawn features away from them.

use candle_core::{DType, Tensor, Var};
use rand::RngExt;
use zsad_core::{Accepts, DatasetInfo, MethodSpec, Operator, Operators, Result};
use zsad_nn::layers::{Linear, LinearInit};
use zsad_nn::{Init, params::Builder};

use crate::families::pooled::{Pooled, PooledMethod, PooledModel, PooledStep};
use crate::trained::detector::Model;
use crate::trained::hyperparams::PooledParams;
use crate::trained::pool::PoolSource;
use crate::trained::rows::unit;
use crate::trained::spec::NetworkSpec;
use crate::trained::standard::Standard;

/// The registry's entry.
pub const DEF: Pooled<Clan> = Pooled::new(&SPEC);

/// Distances of pairs below this do not count as pairs: a row and itself.
const SAME: f32 = 1e-6;

static SPEC: MethodSpec = MethodSpec {
    name: "clan",
    version: 1,
    summary: "pooled training to part rows from copies with redrawn features; score: cosine to the mean code, negated",
    citation: "Wilkie, Hindy, Tachtatzis, Atkinson: Contrastive Self-Supervised Network Intrusion Detection Using \
               Augmented Negative Pairs, CSR 2025 (CLAN)",
    accepts: Accepts::ROWS,
};

zsad_core::choices! {
    /// Whose mean code is the centre.
    pub enum Centre {
        /// That of the pool.
        Pool = "pool",
        /// That of the test batch.
        Batch = "batch",
    }
}

zsad_core::params! {
    /// A residual perceptron on rows in units of the pool; see [`DEF`].
    ///
    /// The release (jackwilkie/CLAN at 680ab61) trains in mini-batches of 8,192 rows with a warm-up of the learning rate; here
    /// they are smaller and the rate constant.
    pub struct Clan {
        /// widths of the hidden blocks
        hidden: Vec<usize> = vec![1024; 4], in 1..=1 << 16;
        /// dimensions of the code
        latent: usize = 64, in 1..;
        /// distance that negatives are to have, of 1 at most
        margin: f64 = 0.5, in 0.0..=1.0;
        /// probability that a feature of a negative is drawn anew
        redrawn: f64 = 0.1, in 0.0..=1.0;
        /// it is then uniform between minus and plus this many standard deviations
        bound: f64 = 1.7, in 0.0..;
        /// pool: as published; batch: the test batch's own, so that it adapts
        centre: Centre = Centre::Pool;
        /// its training
        training: PooledParams = PooledParams { epochs: 200, batch: 1024, lr: 1e-4, ..PooledParams::default() };
    }
}

impl PooledMethod for Clan {
    type Model = Contrast;

    fn settle(&mut self, info: &DatasetInfo) -> Result<NetworkSpec> {
        Ok(NetworkSpec::perceptron(info.modality.shape(), self.hidden.clone(), self.latent))
    }

    fn training(&self) -> &PooledParams {
        &self.training
    }

    fn build(&self, spec: &NetworkSpec, b: &mut Builder) -> zsad_nn::Result<Contrast> {
        let d = spec.input.iter().product();
        let standard = Standard::new(d, b)?;
        let (mut width, mut blocks) = (d, Vec::new());
        for (i, &hidden) in spec.hidden.iter().enumerate() {
            blocks.push(Residual::new(width, hidden, &mut b.scope(i))?);
            width = hidden;
        }
        let head = Linear::new(&mut b.scope("head"), width, spec.latent, LinearInit::torch(width))?;
        let centre = b.buffer("center", &[spec.latent], Init::ZEROS)?;
        let (margin, redrawn, bound) = (self.margin, self.redrawn, self.bound);
        Ok(Contrast { standard, blocks, head, centre, adapts: self.centre == Centre::Batch, margin, redrawn, bound })
    }
}

/// ReLU of a linear layer, and what went into it.
struct Residual {
    linear: Linear,
    /// Where the widths differ.
    resize: Option<Linear>,
}

impl Residual {
    fn new(input: usize, output: usize, b: &mut Builder) -> zsad_nn::Result<Self> {
        let linear = Linear::new(&mut b.scope("linear"), input, output, LinearInit::torch(input))?;
        let resize = || Linear::new(&mut b.scope("resize"), input, output, LinearInit::torch(input));
        Ok(Residual { linear, resize: (input != output).then(resize).transpose()? })
    }

    fn forward(&self, x: &Tensor) -> zsad_nn::Result<Tensor> {
        let kept = self.resize.as_ref().map_or_else(|| Ok(x.clone()), |resize| resize.forward(x))?;
        Ok((self.linear.forward(x)?.relu()? + kept)?)
    }
}

/// A perceptron, and the mean code of the pool.
pub struct Contrast {
    standard: Standard,
    blocks: Vec<Residual>,
    head: Linear,
    centre: Var,
    /// Whether the centre is the batch's.
    adapts: bool,
    margin: f64,
    redrawn: f64,
    bound: f64,
}

impl Contrast {
    /// Codes `[n, latent]` of standardised rows.
    fn codes(&self, x: &Tensor) -> zsad_nn::Result<Tensor> {
        let mut x = x.clone();
        for block in &self.blocks {
            x = block.forward(&x)?;
        }
        self.head.forward(&x)
    }
}

/// (1 − cosine) / 2 of all pairs of rows, `[n, m]`.
fn distances(a: &Tensor, b: &Tensor) -> zsad_nn::Result<Tensor> {
    let cosines = unit(a)?.matmul(&unit(b)?.t()?.contiguous()?)?;
    Ok(cosines.affine(-0.5, 0.5)?)
}

/// The sum of `x` over the number of its values that are greater than [`SAME`].
fn mean_of_pairs(x: &Tensor) -> zsad_nn::Result<Tensor> {
    let pairs = x.detach().gt(SAME)?.to_dtype(DType::F64)?.sum_all()?.to_scalar::<f64>()?;
    Ok((x.sum_all()? / pairs.max(1.0))?)
}

/// Half the mean distance of normals, half the mean of what negatives lack of `margin`: a scalar.
fn loss(normal: &Tensor, negative: &Tensor, margin: f64) -> zsad_nn::Result<Tensor> {
    let lacking = distances(normal, negative)?.affine(-1.0, margin)?.relu()?;
    Ok(((mean_of_pairs(&distances(normal, normal)?)? + mean_of_pairs(&lacking)?)? * 0.5)?)
}

impl Model for Contrast {
    const OPERATORS: Operators = Operators::of(&[Operator::Linear, Operator::Own]);

    fn scores(&self, x: &Tensor) -> zsad_nn::Result<Tensor> {
        let z = self.codes(&self.standard.apply(x)?)?;
        let centre = if self.adapts { z.mean(0)? } else { self.centre.as_tensor().detach() };
        Ok(unit(&z)?.matmul(&unit(&centre.unsqueeze(0)?)?.t()?.contiguous()?)?.squeeze(1)?.neg()?)
    }
}

impl PooledModel for Contrast {
    fn on_train_start(&self, pool: &PoolSource) -> zsad_nn::Result<()> {
        self.standard.learn(pool)
    }

    fn loss(&self, x: &Tensor, mut step: PooledStep) -> zsad_nn::Result<Tensor> {
        let x = self.standard.apply(x)?;
        let n = x.dims()[0];
        let mut negatives: Vec<f32> = x.flatten_all()?.to_vec1()?;
        for value in &mut negatives {
            if step.rng.random::<f64>() < self.redrawn {
                *value = (self.bound * (2.0 * step.rng.random::<f64>() - 1.0)) as f32;
            }
        }
        let negatives = Tensor::from_vec(negatives, x.dims(), x.device())?;
        let z = self.codes(&Tensor::cat(&[&x, &negatives], 0)?)?;
        loss(&z.narrow(0, 0, n)?, &z.narrow(0, n, n)?, self.margin)
    }

    fn on_train_end(&self, pool: &PoolSource) -> zsad_nn::Result<()> {
        let mut sum = self.centre.as_tensor().zeros_like()?;
        for x in pool.batches() {
            sum = (sum + self.codes(&self.standard.apply(&x?)?)?.detach().sum(0)?)?;
        }
        Ok(self.centre.set(&(sum / pool.len() as f64)?)?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::trained::golden::{assert_close, built, params, wave};

    /// With the released `loss/clan_loss.py`:
    /// ```python
    /// z, a = torch.tensor([[1., 0, 0], [.6, .8, 0], [0, .6, .8]]), torch.tensor([[0., 0, 1], [.8, 0, .6]])
    /// print(CLANLoss(m=.5)(z, a), CLANLoss(m=1.)(z, a))
    /// ```
    #[test]
    fn the_loss_is_the_released_one() {
        let device = &candle_core::Device::Cpu;
        let z = Tensor::new(&[[1.0f32, 0.0, 0.0], [0.6, 0.8, 0.0], [0.0, 0.6, 0.8]], device).unwrap();
        let negatives = Tensor::new(&[[0.0f32, 0.0, 1.0], [0.8, 0.0, 0.6]], device).unwrap();
        assert_close(&loss(&z, &negatives, 0.5).unwrap(), &[0.3199999333]);
        assert_close(&loss(&z, &negatives, 1.0).unwrap(), &[0.5166665806]);
    }

    /// With the released `model/model.py`; the centre is the mean code of these rows:
    /// ```python
    /// m = ContrastiveMLP(d_in=3, neurons=[4, 4], residual=True, d_out=2).double(); fill(m.parameters())
    /// z = m(wave(5, 3)); print(-F.cosine_similarity(z, z.mean(0, keepdim=True)))
    /// ```
    #[test]
    fn scores_are_those_of_torch() {
        let spec = NetworkSpec::perceptron(vec![3], vec![4, 4], 2);
        let (_, model) = built(|b| params::<Clan>(json!({"centre": "batch"})).build(&spec, b));
        assert_close(
            &model.scores(&wave(&[5, 3])).unwrap(),
            &[-0.995424093, -0.999713224, -0.99518329, -0.994811215, -0.999471015],
        );
    }
}
