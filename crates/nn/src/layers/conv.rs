//! The 3×3 convolution with padding 1.

use candle_core::{Tensor, Var};
use zsad_core::{Implementation, Operator};

use super::norm::{Norm, epilogue};
use super::pass::Pass;
use crate::error::bail_shape;
use crate::ops::{Epilogue, Plan, scope};
use crate::{Init, Result, params::Builder};

/// A 3×3 convolution, padding 1, stride 1 or 2, with `weight` `[out, in, 3, 3]` and `bias` `[out]`.
#[derive(Debug, Clone)]
pub struct Conv2d {
    /// `[out, in, 3, 3]`.
    pub weight: Var,
    /// `[out]`.
    pub bias: Option<Var>,
    /// 1 or 2.
    pub stride: usize,
    /// How it is computed.
    pub by: Implementation,
}

impl Conv2d {
    /// Registers `weight` and, where its initial value is given, `bias`.
    ///
    /// # Errors
    /// Where a name is taken or the stride is neither 1 nor 2.
    pub fn new(
        b: &mut Builder,
        input: usize,
        output: usize,
        stride: usize,
        weight: Init,
        bias: Option<Init>,
    ) -> Result<Self> {
        if !(1..=2).contains(&stride) {
            bail_shape!("a 3x3 convolution has stride 1 or 2, not {stride}");
        }
        let weight = b.add("weight", &[output, input, 3, 3], weight)?;
        let bias = bias.map(|i| b.add("bias", &[output], i)).transpose()?;
        Ok(Conv2d { weight, bias, stride, by: b.operator(Operator::Conv2d) })
    }

    /// The output's height or width for an input's.
    pub fn out_size(&self, size: usize) -> usize {
        (size - 1) / self.stride + 1
    }

    /// `[n, in, h, w]` → `[n, out, ⌈h/stride⌉, ⌈w/stride⌉]`.
    ///
    /// # Errors
    /// Where `x` has another shape.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let out = self.check(x)?;
        let mut plan = Plan::new(x);
        let [h, w] = [x.dims()[2], x.dims()[3]];
        self.plan(&mut plan, [h, w], None, false, false)?;
        let shape = [x.dims()[0], out, self.out_size(h), self.out_size(w)];
        if plan.fits() { plan.run(x, 1, &shape) } else { self.forward_reference(x) }
    }

    /// Adds itself, for images of `h` × `w`, and what follows it.
    pub(crate) fn plan(
        &self,
        plan: &mut Plan,
        size: [usize; 2],
        norm: Option<(&Norm, Pass)>,
        relu: bool,
        pool: bool,
    ) -> Result<()> {
        plan.admit(self.by);
        let after = Epilogue { pool, ..epilogue(norm, relu) };
        plan.conv(&self.weight, self.bias.as_ref(), self.stride, size, after)
    }

    /// The same from candle's own operations.
    ///
    /// # Errors
    /// As [`Conv2d::forward`].
    pub fn forward_reference(&self, x: &Tensor) -> Result<Tensor> {
        let out = self.check(x)?;
        let (h, w) = (x.dims()[2], x.dims()[3]);
        let weight = scope::value(&self.weight);
        // Candle's gradient of a strided convolution wants height and width of one parity.
        let y = if self.stride == 1 || h % 2 == w % 2 {
            x.contiguous()?.conv2d(&weight, 1, self.stride, 1, 1)?
        } else {
            let every_second = |n: usize| Tensor::arange_step(0, n as u32, 2, x.device());
            let y = x.contiguous()?.conv2d(&weight, 1, 1, 1, 1)?;
            y.index_select(&every_second(h)?, 2)?.index_select(&every_second(w)?, 3)?
        };
        scope::record_saved_tensor(&y);
        match &self.bias {
            // An image at a time, so that the way back sums over values that lie side by side first.
            Some(bias) => {
                let bias = scope::value(bias).reshape((1, out, 1, 1))?.broadcast_as((x.dims()[0], out, 1, 1))?;
                Ok(y.broadcast_add(&bias.contiguous()?)?)
            }
            None => Ok(y),
        }
    }

    fn check(&self, x: &Tensor) -> Result<usize> {
        let (out, input, _, _) = self.weight.dims4()?;
        if x.rank() != 4 || x.dims()[1] != input || x.elem_count() == 0 {
            bail_shape!("conv2d {input} -> {out} wants [n, {input}, h, w], not {:?}", x.dims());
        }
        Ok(out)
    }
}
