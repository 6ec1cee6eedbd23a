//! From layers to a chain of kernels: one candle operation for a whole network.

use candle_core::{DType, Tensor};

use super::{Element, custom, with_slices};
use crate::Result;
use crate::error::bail_shape;
use crate::kernels::chain::{Chain, Map, Source, Stage};
use crate::kernels::conv;
use crate::layers::{Conv2d, Linear, Norm, NormMode, Pass};

/// Stages and their parameters, in order.
pub struct Plan {
    stages: Vec<Stage>,
    params: Vec<Tensor>,
    fits: bool,
}

impl Plan {
    /// An empty plan for inputs like `x`: kernels work on the processor, in f32 and f64.
    pub fn new(x: &Tensor) -> Self {
        let fits = x.device().is_cpu() && matches!(x.dtype(), DType::F32 | DType::F64);
        Plan { stages: Vec::new(), params: Vec::new(), fits }
    }

    /// Adds a linear layer and what follows it.
    pub fn linear(&mut self, linear: &Linear, source: Source, norm: Option<&Norm>, relu: bool) -> Result<()> {
        let (output, input) = linear.weight.dims2()?;
        let map = Map::Linear { input, output, source };
        self.push(map, [Some(&linear.weight), linear.bias.as_ref()], norm, relu, false);
        Ok(())
    }

    /// Adds a convolution of images of `h` × `w` and what follows it.
    pub fn conv(
        &mut self,
        conv: &Conv2d,
        [h, w]: [usize; 2],
        norm: Option<&Norm>,
        relu: bool,
        pool: bool,
    ) -> Result<()> {
        let (o, c, _, _) = conv.weight.dims4()?;
        let map = Map::Conv(conv::Conv { c, o, h, w, stride: conv.stride });
        self.push(map, [Some(&conv.weight), conv.bias.as_ref()], norm, relu, pool);
        Ok(())
    }

    fn push(&mut self, map: Map, own: [Option<&candle_core::Var>; 2], norm: Option<&Norm>, relu: bool, pool: bool) {
        let mode = norm.map_or(NormMode::None, |n| n.mode);
        self.fits &= matches!(mode, NormMode::None | NormMode::BatchStats);
        let affine = norm.and_then(|n| n.affine.as_ref());
        self.params.extend(own.into_iter().flatten().map(|v| v.as_tensor().clone()));
        self.params.extend(affine.into_iter().flat_map(|(g, o)| [g.as_tensor().clone(), o.as_tensor().clone()]));
        let norm = mode == NormMode::BatchStats;
        self.stages.push(Stage { map, bias: own[1].is_some(), norm, affine: affine.is_some(), relu, pool });
    }

    /// Whether the kernels can do it; if not, candle's own operations must.
    pub fn fits(&self) -> bool {
        self.fits
    }

    /// Runs over `x` `[tasks · batch, …]`; the result has `shape`.
    ///
    /// # Errors
    /// Where the batch cannot be shared among the tasks.
    pub fn run(self, x: &Tensor, pass: Pass, shape: &[usize]) -> Result<Tensor> {
        let samples = x.dims()[0];
        if samples == 0 || pass.tasks == 0 || !samples.is_multiple_of(pass.tasks) {
            bail_shape!("{} tasks cannot share an input {:?}", pass.tasks, x.dims());
        }
        match x.dtype() {
            DType::F32 => self.run_as::<f32>(x, samples, pass, shape),
            _ => self.run_as::<f64>(x, samples, pass, shape),
        }
    }

    fn run_as<F: Element>(self, x: &Tensor, samples: usize, pass: Pass, shape: &[usize]) -> Result<Tensor> {
        let chain = Chain { stages: self.stages, input_gradient: x.track_op() };
        let mut args = vec![x.contiguous()?];
        args.extend(self.params);
        let (out, tape) = with_slices::<F, _>(&args, |s| chain.forward(s[0], samples, pass.tasks, &s[1..]))?;
        // The values alone: the way back must not hold the graph that holds it.
        let values: Vec<Tensor> = args.iter().map(Tensor::detach).collect();
        let backward = move |gradient: &Tensor| {
            let mut all = vec![gradient.detach()];
            all.extend(values.iter().cloned());
            let (params, x) = with_slices::<F, _>(&all, |s| chain.backward(&tape, s[1], s[0], &s[2..]))
                .map_err(candle_core::Error::wrap)?;
            let x = x.map(|v| Tensor::from_vec(v, values[0].shape(), gradient.device())).transpose()?;
            let params = params.into_iter().zip(&values[1..]).map(|(v, p)| Tensor::from_vec(v, p.shape(), p.device()));
            let mut gradients = vec![x];
            for p in params {
                gradients.push(Some(p?));
            }
            Ok(gradients)
        };
        Ok(custom(out, shape, &args, backward)?)
    }
}
