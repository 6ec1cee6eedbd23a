//! Small convolutional networks: four [3×3 convolution, norm, ReLU (, max-pool)] blocks, a linear layer and a norm.

use candle_core::Tensor;
use zsad_core::{Implementation, Operator};

use crate::error::bail_shape;
use crate::layers::{Conv2d, Linear, LinearInit, Norm, NormConfig, NormMode, Pass, max_pool2, mean_over_space};
use crate::ops::{Plan, Source};
use crate::params::Builder;
use crate::{Init, Result};

/// How the blocks shrink the image, and what the last linear layer sees of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    /// Convolutions of stride 2; the linear layer sees the mean over space.
    StrideMean,
    /// Convolutions of stride 1, each followed by a 2×2 max-pool (as long as the image has 2×2 pixels);
    /// the linear layer sees all that is left, channels first.
    PoolFlatten,
}

/// A [`ConvNet`] to build.
#[derive(Debug, Clone, PartialEq)]
pub struct ConvNetConfig {
    /// `[channels, height, width]` of the input.
    pub input: [usize; 3],
    /// Filters of each block.
    pub filters: Vec<usize>,
    /// Output features.
    pub output: usize,
    /// How the image shrinks.
    pub reduction: Reduction,
    /// The norm of the blocks.
    pub norm: NormConfig,
    /// The norm after the linear layer.
    pub final_norm: Option<NormConfig>,
    /// Initial values of the linear layer; `None`: PyTorch's.
    pub head: Option<LinearInit>,
}

impl ConvNetConfig {
    /// The official Omniglot network: 4 blocks of stride 2, 64 filters, mean over space, linear layer with weight
    /// ~ N(0, 1) and bias 0, final norm. Convolutions start Xavier-uniform with bias 0, gains ~ U(0, 1).
    pub fn omniglot(input: [usize; 3]) -> Self {
        let norm = NormConfig::new(NormMode::BatchStats).random_gain();
        let head = LinearInit { weight: Init::Normal(0.0, 1.0), bias: Some(Init::ZEROS) };
        ConvNetConfig {
            input,
            filters: vec![64; 4],
            output: 32,
            reduction: Reduction::StrideMean,
            norm,
            final_norm: Some(norm),
            head: Some(head),
        }
    }

    /// The official CIFAR-100-C network: 4 blocks with max-pool, 128 filters, linear layer, final norm. All weights start
    /// Xavier-uniform with bias 0, the linear layer's too (the release's `maml_init_`).
    pub fn cnn4(input: [usize; 3]) -> Self {
        let reduction = Reduction::PoolFlatten;
        let head = LinearInit { weight: Init::XavierUniform, bias: Some(Init::ZEROS) };
        ConvNetConfig { filters: vec![128; 4], reduction, head: Some(head), ..ConvNetConfig::omniglot(input) }
    }
}

/// A small convolutional network.
#[derive(Debug, Clone)]
pub struct ConvNet {
    /// Convolution and norm; ReLU and the reduction follow.
    pub blocks: Vec<(Conv2d, Norm)>,
    /// The linear layer and its norm.
    pub head: (Linear, Option<Norm>),
    /// `[channels, height, width]` of the input.
    pub input: [usize; 3],
    /// How the image shrinks.
    pub reduction: Reduction,
    /// How it is pooled.
    pub by: Implementation,
}

impl ConvNet {
    /// Registers the parameters, in forward order.
    ///
    /// # Errors
    /// Where a name is taken, or the input is empty.
    pub fn new(b: &mut Builder, config: &ConvNetConfig) -> Result<Self> {
        if config.input.contains(&0) {
            bail_shape!("a convolutional network wants [channels, height, width], not {:?}", config.input);
        }
        let [mut channels, mut h, mut w] = config.input;
        let stride = if config.reduction == Reduction::StrideMean { 2 } else { 1 };
        let mut blocks = Vec::new();
        for (i, &filters) in config.filters.iter().enumerate() {
            let mut b = b.scope(i);
            let (weight, bias) = (Init::XavierUniform, Some(Init::ZEROS));
            let conv = Conv2d::new(&mut b.scope("conv"), channels, filters, stride, weight, bias)?;
            (h, w) = match config.reduction {
                Reduction::StrideMean => (conv.out_size(h), conv.out_size(w)),
                Reduction::PoolFlatten if h.min(w) > 1 => (h / 2, w / 2),
                Reduction::PoolFlatten => (h, w),
            };
            blocks.push((conv, Norm::new(&mut b.scope("norm"), filters, config.norm)?));
            channels = filters;
        }
        let features = if config.reduction == Reduction::StrideMean { channels } else { channels * h * w };
        let mut b = b.scope("head");
        let init = config.head.unwrap_or_else(|| LinearInit::torch(features));
        let linear = Linear::new(&mut b.scope("linear"), features, config.output, init)?;
        let norm = config.final_norm.map(|n| Norm::new(&mut b.scope("norm"), config.output, n)).transpose()?;
        let by = b.operator(Operator::Pool);
        Ok(ConvNet { blocks, head: (linear, norm), input: config.input, reduction: config.reduction, by })
    }

    /// `[tasks · batch, channels, height, width]` → `[tasks · batch, output]`.
    ///
    /// # Errors
    /// Where `x` has another shape.
    pub fn forward(&self, x: &Tensor, pass: Pass) -> Result<Tensor> {
        self.check(x)?;
        let mut plan = Plan::new(x);
        plan.admit(self.by);
        let [_, mut h, mut w] = self.input;
        for (conv, norm) in &self.blocks {
            let pool = self.pools(h, w);
            conv.plan(&mut plan, [h, w], Some((norm, pass)), true, pool)?;
            (h, w) = if pool { (h / 2, w / 2) } else { (conv.out_size(h), conv.out_size(w)) };
        }
        let source = match self.reduction {
            Reduction::StrideMean => Source::Mean(h * w),
            Reduction::PoolFlatten => Source::Flatten(h * w),
        };
        self.head.0.plan(&mut plan, source, self.head.1.as_ref().map(|n| (n, pass)), false)?;
        let output = self.head.0.weight.dims2()?.0;
        if !plan.fits() {
            return self.by_layers(x, pass, Conv2d::forward);
        }
        plan.run(x, pass.tasks, &[x.dims()[0], output])
    }

    /// The same from candle's own operations.
    ///
    /// # Errors
    /// As [`ConvNet::forward`].
    pub fn forward_reference(&self, x: &Tensor, pass: Pass) -> Result<Tensor> {
        self.check(x)?;
        self.by_layers(x, pass, Conv2d::forward_reference)
    }

    fn by_layers(&self, x: &Tensor, pass: Pass, apply: impl Fn(&Conv2d, &Tensor) -> Result<Tensor>) -> Result<Tensor> {
        let mut x = x.clone();
        for (conv, norm) in &self.blocks {
            x = norm.forward_reference(&apply(conv, &x)?, pass, true)?;
            if self.pools(x.dims()[2], x.dims()[3]) {
                x = max_pool2(&x)?;
            }
        }
        let features = match self.reduction {
            Reduction::StrideMean => mean_over_space(&x)?,
            Reduction::PoolFlatten => x.flatten_from(1)?,
        };
        let z = self.head.0.forward_reference(&features)?;
        match &self.head.1 {
            Some(norm) => norm.forward_reference(&z, pass, false),
            None => Ok(z),
        }
    }

    /// Whether a max-pool follows on an image of `h` × `w`.
    fn pools(&self, h: usize, w: usize) -> bool {
        self.reduction == Reduction::PoolFlatten && h.min(w) > 1
    }

    fn check(&self, x: &Tensor) -> Result<()> {
        if x.rank() != 4 || x.dims()[1..] != self.input {
            bail_shape!("this network wants images of {:?}, not {:?}", self.input, x.dims());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use zsad_core::rng::stream;

    use super::*;
    use crate::ParamStore;

    #[test]
    fn every_block_has_its_own_number_of_filters() {
        for (base, features) in
            [(ConvNetConfig::omniglot([1, 16, 16]), 64), (ConvNetConfig::cnn4([1, 16, 16]), 64 * 16)]
        {
            let mut store = ParamStore::new(&Device::Cpu, DType::F32);
            let config = ConvNetConfig { filters: vec![4, 64], output: 3, ..base };
            let net = ConvNet::new(&mut store.builder(&mut stream(0, &[])), &config).unwrap();
            let block = |input: usize, filters: usize| input * 9 * filters + 3 * filters;
            assert_eq!(store.count(), block(1, 4) + block(4, 64) + features * 3 + 3 + 2 * 3);
            let x = Tensor::ones((5, 1, 16, 16), DType::F32, &Device::Cpu).unwrap();
            let (by_kernels, by_candle) =
                (net.forward(&x, Pass::eval(1)).unwrap(), net.forward_reference(&x, Pass::eval(1)).unwrap());
            assert_eq!((by_kernels.dims(), by_candle.dims()), (&[5, 3][..], &[5, 3][..]));
        }
    }
}
