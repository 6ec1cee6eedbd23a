//! Neural transformation learning: K learned views of a vector, and an encoder over all of them.
//!
//! Qiu et al., Neural Transformation Learning for Deep Anomaly Detection Beyond Images, ICML 2021.

use candle_core::Tensor;

use super::mlp::{Mlp, MlpConfig};
use crate::Result;
use crate::error::bail_shape;
use crate::layers::{Linear, LinearInit, NormConfig, NormMode, Pass};
use crate::ops::{Plan, Source};
use crate::params::Builder;

/// K view networks `input → hidden → hidden → input` with ReLU between, with bias, without norm.
#[derive(Debug, Clone)]
pub struct NtlViews {
    /// The linear layers of each view.
    pub views: Vec<Vec<Linear>>,
}

impl NtlViews {
    /// Registers `count` views over `input` features; `hidden` are the widths between.
    ///
    /// # Errors
    /// Where a name is taken.
    pub fn new(b: &mut Builder, count: usize, input: usize, hidden: &[usize]) -> Result<Self> {
        let widths: Vec<usize> = [&[input], hidden, &[input]].concat();
        let mut view = |k: usize| {
            let layer =
                |(i, w): (usize, &[usize])| Linear::new(&mut b.scope(k).scope(i), w[0], w[1], LinearInit::torch(w[0]));
            widths.windows(2).enumerate().map(layer).collect()
        };
        Ok(NtlViews { views: (0..count).map(&mut view).collect::<Result<_>>()? })
    }

    /// `[n, d]` → `[n, K + 1, d]`; view 0 is `x` itself.
    ///
    /// # Errors
    /// Where `x` has another shape.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.check(x)?;
        let mut all = vec![x.clone()];
        for layers in &self.views {
            let plan = view_plan(layers, x)?;
            all.push(if plan.fits() { plan.run(x, 1, x.dims())? } else { view_reference(layers, x)? });
        }
        Ok(Tensor::stack(&all, 1)?)
    }

    fn check(&self, x: &Tensor) -> Result<()> {
        let input = self.views.first().and_then(|v| v.first()).map_or(0, |l| l.weight.dims()[1]);
        if x.rank() != 2 || x.dims()[1] != input {
            bail_shape!("views of {input} features want [n, {input}], not {:?}", x.dims());
        }
        Ok(())
    }

    /// The same from candle's own operations.
    ///
    /// # Errors
    /// As [`NtlViews::forward`].
    pub fn forward_reference(&self, x: &Tensor) -> Result<Tensor> {
        let views = self.views.iter().map(|layers| view_reference(layers, x));
        let all: Vec<Tensor> = std::iter::once(Ok(x.clone())).chain(views).collect::<Result<_>>()?;
        Ok(Tensor::stack(&all, 1)?)
    }
}

/// The stages of one view, for inputs like `x`.
fn view_plan(layers: &[Linear], x: &Tensor) -> Result<Plan> {
    let mut plan = Plan::new(x);
    for (i, layer) in layers.iter().enumerate() {
        layer.plan(&mut plan, Source::Rows, None, i + 1 < layers.len())?;
    }
    Ok(plan)
}

/// One view from candle's own operations.
fn view_reference(layers: &[Linear], x: &Tensor) -> Result<Tensor> {
    let mut v = x.clone();
    for (i, layer) in layers.iter().enumerate() {
        v = layer.forward_reference(&v)?;
        if i + 1 < layers.len() {
            v = v.relu()?;
        }
    }
    Ok(v)
}

/// An [`Ntl`] to build.
#[derive(Debug, Clone, PartialEq)]
pub struct NtlConfig {
    /// Number of learned views K.
    pub views: usize,
    /// Hidden widths of a view.
    pub view_hidden: Vec<usize>,
    /// The encoder; its `input` is the data's.
    pub encoder: MlpConfig,
}

impl NtlConfig {
    /// The official TabNTL: 19 views d-128-128-d, encoder d-[128, 128, 128]-32 without a final norm.
    pub fn acr(input: usize) -> Self {
        let encoder = MlpConfig {
            input,
            hidden: vec![128; 3],
            output: 32,
            bias: true,
            norm: NormConfig::new(NormMode::BatchStats),
            final_norm: None,
        };
        NtlConfig { views: 19, view_hidden: vec![128; 2], encoder }
    }
}

/// Views and encoder. Batch statistics of the encoder run over all views of a task's batch together.
#[derive(Debug, Clone)]
pub struct Ntl {
    /// The views.
    pub views: NtlViews,
    /// The encoder.
    pub encoder: Mlp,
}

impl Ntl {
    /// Registers the parameters: the encoder's, then the views'.
    ///
    /// # Errors
    /// Where a name is taken.
    pub fn new(b: &mut Builder, config: &NtlConfig) -> Result<Self> {
        let encoder = Mlp::new(&mut b.scope("encoder"), &config.encoder)?;
        let views = NtlViews::new(&mut b.scope("views"), config.views, config.encoder.input, &config.view_hidden)?;
        Ok(Ntl { views, encoder })
    }

    /// `[tasks · batch, d]` → the views' codes `[tasks · batch, K + 1, output]`, not normalised.
    ///
    /// # Errors
    /// Where `x` has another shape.
    pub fn forward(&self, x: &Tensor, pass: Pass) -> Result<Tensor> {
        self.views.check(x)?;
        let encoder = self.encoder.plan(x, pass)?;
        if encoder.fits() {
            let views = self.views.views.iter().map(|layers| view_plan(layers, x)).collect::<Result<_>>()?;
            return encoder.run_views(views, x, pass.tasks, self.encoder.head.0.weight.dims()[0]);
        }
        self.by_parts(&self.views.forward(x)?, |x| self.encoder.forward(x, pass))
    }

    /// The same from candle's own operations.
    ///
    /// # Errors
    /// As [`Ntl::forward`].
    pub fn forward_reference(&self, x: &Tensor, pass: Pass) -> Result<Tensor> {
        self.by_parts(&self.views.forward_reference(x)?, |x| self.encoder.forward_reference(x, pass))
    }

    fn by_parts(&self, views: &Tensor, encode: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
        let (n, k1, _) = views.dims3()?;
        Ok(encode(&views.flatten(0, 1)?)?.reshape((n, k1, ()))?)
    }
}
