//! Multi-layer perceptron: [linear, norm, ReLU] × hidden, linear, optional norm.

use candle_core::Tensor;

use crate::Result;
use crate::error::bail_shape;
use crate::layers::{Linear, LinearInit, Norm, NormConfig, NormMode, Pass};
use crate::ops::{Plan, Source};
use crate::params::Builder;

/// An [`Mlp`] to build.
#[derive(Debug, Clone, PartialEq)]
pub struct MlpConfig {
    /// Input features.
    pub input: usize,
    /// Features after each hidden block; may be empty.
    pub hidden: Vec<usize>,
    /// Output features.
    pub output: usize,
    /// Whether linear layers have a bias.
    pub bias: bool,
    /// The norm of the hidden blocks.
    pub norm: NormConfig,
    /// The norm after the last linear layer.
    pub final_norm: Option<NormConfig>,
}

impl MlpConfig {
    /// The official ACR networks for vectors: TabDSVDD (570, [128, 128, 128], 32) and FeatureSVDD
    /// (1024, [512, 256, 128, 64, 32], 32). PyTorch's defaults, but the final norm's gain ~ U(0, 1).
    pub fn acr(input: usize, hidden: &[usize], output: usize) -> Self {
        let norm = NormConfig::new(NormMode::BatchStats);
        MlpConfig { input, hidden: hidden.to_vec(), output, bias: true, norm, final_norm: Some(norm.random_gain()) }
    }

    /// Linear layers and ReLU alone.
    pub fn plain(input: usize, hidden: &[usize], output: usize, bias: bool) -> Self {
        let norm = NormConfig::new(NormMode::None);
        MlpConfig { input, hidden: hidden.to_vec(), output, bias, norm, final_norm: None }
    }
}

/// Multi-layer perceptron.
#[derive(Debug, Clone)]
pub struct Mlp {
    /// Linear, norm, ReLU.
    pub blocks: Vec<(Linear, Norm)>,
    /// The last linear layer and its norm.
    pub head: (Linear, Option<Norm>),
}

impl Mlp {
    /// Registers the parameters, in forward order.
    ///
    /// # Errors
    /// Where a name is taken.
    pub fn new(b: &mut Builder, config: &MlpConfig) -> Result<Self> {
        let init = |input| LinearInit {
            bias: LinearInit::torch(input).bias.filter(|_| config.bias),
            ..LinearInit::torch(input)
        };
        let mut width = config.input;
        let mut blocks = Vec::new();
        for (i, &h) in config.hidden.iter().enumerate() {
            let mut b = b.scope(i);
            let linear = Linear::new(&mut b.scope("linear"), width, h, init(width))?;
            blocks.push((linear, Norm::new(&mut b.scope("norm"), h, config.norm)?));
            width = h;
        }
        let mut b = b.scope("head");
        let linear = Linear::new(&mut b.scope("linear"), width, config.output, init(width))?;
        let norm = config.final_norm.map(|n| Norm::new(&mut b.scope("norm"), config.output, n)).transpose()?;
        Ok(Mlp { blocks, head: (linear, norm) })
    }

    /// `[tasks · batch, input]` → `[tasks · batch, output]`.
    ///
    /// # Errors
    /// Where `x` has another shape.
    pub fn forward(&self, x: &Tensor, pass: Pass) -> Result<Tensor> {
        let input = self.blocks.first().map_or(&self.head.0, |b| &b.0).weight.dims2()?.1;
        if x.rank() != 2 || x.dims()[1] != input {
            bail_shape!("this network wants [n, {input}], not {:?}", x.dims());
        }
        let plan = self.plan(x, pass)?;
        let output = self.head.0.weight.dims2()?.0;
        if plan.fits() {
            plan.run(x, pass.tasks, &[x.dims()[0], output])
        } else {
            self.by_layers(x, pass, Linear::forward)
        }
    }

    /// The stages, for inputs like `x`.
    pub(super) fn plan(&self, x: &Tensor, pass: Pass) -> Result<Plan> {
        let mut plan = Plan::new(x);
        for (linear, norm) in &self.blocks {
            linear.plan(&mut plan, Source::Rows, Some((norm, pass)), true)?;
        }
        self.head.0.plan(&mut plan, Source::Rows, self.head.1.as_ref().map(|n| (n, pass)), false)?;
        Ok(plan)
    }

    /// The same from candle's own operations.
    ///
    /// # Errors
    /// As [`Mlp::forward`].
    pub fn forward_reference(&self, x: &Tensor, pass: Pass) -> Result<Tensor> {
        self.by_layers(x, pass, Linear::forward_reference)
    }

    fn by_layers(&self, x: &Tensor, pass: Pass, apply: impl Fn(&Linear, &Tensor) -> Result<Tensor>) -> Result<Tensor> {
        let mut x = x.clone();
        for (linear, norm) in &self.blocks {
            x = norm.forward_reference(&apply(linear, &x)?, pass, true)?;
        }
        let z = apply(&self.head.0, &x)?;
        match &self.head.1 {
            Some(norm) => norm.forward_reference(&z, pass, false),
            None => Ok(z),
        }
    }
}
