//! The fully connected layer.

use candle_core::{Tensor, Var};
use zsad_core::{Implementation, Operator};

use super::norm::{Norm, epilogue};
use super::pass::Pass;
use crate::error::bail_shape;
use crate::ops::{Plan, Source, scope};
use crate::{Init, Result, params::Builder};

/// Initial values of a [`Linear`]; the default is PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinearInit {
    /// Of the weight.
    pub weight: Init,
    /// Of the bias; `None`: there is no bias.
    pub bias: Option<Init>,
}

impl LinearInit {
    /// PyTorch's default for a layer of `input` features.
    pub fn torch(input: usize) -> Self {
        LinearInit { weight: Init::TorchWeight, bias: Some(Init::TorchBias(input)) }
    }
}

/// y = x Wᵀ + b, with `weight` `[out, in]` and `bias` `[out]`.
#[derive(Debug, Clone)]
pub struct Linear {
    /// `[out, in]`.
    pub weight: Var,
    /// `[out]`.
    pub bias: Option<Var>,
    /// How it is computed.
    pub by: Implementation,
}

impl Linear {
    /// Registers `weight` and `bias`.
    ///
    /// # Errors
    /// Where a name is taken.
    pub fn new(b: &mut Builder, input: usize, output: usize, init: LinearInit) -> Result<Self> {
        let weight = b.add("weight", &[output, input], init.weight)?;
        let bias = init.bias.map(|i| b.add("bias", &[output], i)).transpose()?;
        Ok(Linear { weight, bias, by: b.operator(Operator::Linear) })
    }

    /// `[n, in]` → `[n, out]`.
    ///
    /// # Errors
    /// Where `x` has another shape.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let out = self.check(x)?;
        let mut plan = Plan::new(x);
        self.plan(&mut plan, Source::Rows, None, false)?;
        if plan.fits() { plan.run(x, 1, &[x.dims()[0], out]) } else { self.forward_reference(x) }
    }

    /// Adds itself, on what `source` says, and what follows it.
    pub(crate) fn plan(&self, plan: &mut Plan, source: Source, norm: Option<(&Norm, Pass)>, relu: bool) -> Result<()> {
        plan.admit(self.by);
        plan.linear(&self.weight, self.bias.as_ref(), source, epilogue(norm, relu))
    }

    /// The same from candle's own operations.
    ///
    /// # Errors
    /// As [`Linear::forward`].
    pub fn forward_reference(&self, x: &Tensor) -> Result<Tensor> {
        self.check(x)?;
        let y = x.matmul(&scope::value(&self.weight).t()?)?;
        scope::record_saved_tensor(&y);
        match &self.bias {
            // As a product, whose way back is one too: candle sums over rows many times as slowly.
            Some(bias) => {
                let ones = Tensor::ones((x.dims()[0], 1), x.dtype(), x.device())?;
                Ok((y + ones.matmul(&scope::value(bias).unsqueeze(0)?)?)?)
            }
            None => Ok(y),
        }
    }

    fn check(&self, x: &Tensor) -> Result<usize> {
        let (out, input) = self.weight.dims2()?;
        if x.rank() != 2 || x.dims()[0] == 0 || x.dims()[1] != input {
            bail_shape!("linear {input} -> {out} wants [n, {input}], not {:?}", x.dims());
        }
        Ok(out)
    }
}
