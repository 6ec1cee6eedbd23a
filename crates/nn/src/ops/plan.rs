//! From layers to a chain of kernels: one candle operation for a whole network.

use candle_core::{DType, Tensor};

use super::{Element, custom, scope, sink, with_slices};
use crate::Result;
use crate::error::bail_shape;
use crate::kernels::chain::{Chain, Map, Source, Stage};
use crate::kernels::conv;
use crate::kernels::dense::Dense;
use crate::kernels::scratch::{self, Buffer};
use crate::layers::{Conv2d, Linear, Norm, NormMode, Pass};

/// Stages and their parameters, in order.
pub struct Plan {
    pub(super) stages: Vec<Stage>,
    pub(super) params: Vec<Tensor>,
    fits: bool,
}

impl Plan {
    /// An empty plan for inputs like `x`: kernels work on the processor, in f32 and f64.
    pub fn new(x: &Tensor) -> Self {
        let fits = x.device().is_cpu() && matches!(x.dtype(), DType::F32 | DType::F64);
        Plan { stages: Vec::new(), params: Vec::new(), fits }
    }

    /// A norm of rows like `x` `[n, c]`, alone.
    pub fn norm(x: &Tensor, norm: &Norm, relu: bool) -> Self {
        let mut plan = Plan::new(x);
        plan.push(Map::Given(x.dims()[1]), [None, None], Some(norm), relu, false);
        plan
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
        let samples = samples(x, pass)?;
        match x.dtype() {
            DType::F32 => self.run_as::<f32>(x, samples, pass, shape),
            _ => self.run_as::<f64>(x, samples, pass, shape),
        }
    }

    fn run_as<F: Element>(self, x: &Tensor, samples: usize, pass: Pass, shape: &[usize]) -> Result<Tensor> {
        let mut args = vec![x.contiguous()?];
        args.extend(self.params);
        let (stages, keep) = (self.stages, scope::tracks(&args));
        let input_gradient = keep && x.track_op();
        if Dense::fits(&stages) {
            let net = Dense { stages, input_gradient, keep };
            let forward = |s: &[&[F]]| match net.stages.first().map(|s| s.map) {
                Some(Map::Given(_)) => net.forward_given(scratch::copy(s[0]), samples, pass.tasks, &s[1..]),
                _ => net.forward(s[0], samples, pass.tasks, &s[1..]),
            };
            let (out, tape) = with_slices::<F, _>(&args, forward)?;
            scope::keeps(tape.bytes());
            return network(args, out, shape, move |x, params, dout, sums| net.backward(&tape, x, dout, params, sums));
        }
        let net = Chain { stages, input_gradient, keep };
        let (out, tape) = with_slices::<F, _>(&args, |s| net.forward(s[0], samples, pass.tasks, &s[1..]))?;
        scope::keeps(tape.bytes());
        network(args, out, shape, move |x, params, dout, sums| net.backward(&tape, x, dout, params, sums))
    }
}

/// The number of samples of `x`, which the tasks must be able to share.
pub(super) fn samples(x: &Tensor, pass: Pass) -> Result<usize> {
    let samples = x.dims().first().copied().unwrap_or(0);
    if samples == 0 || pass.tasks == 0 || !samples.is_multiple_of(pass.tasks) {
        bail_shape!("{} tasks cannot share an input {:?}", pass.tasks, x.dims());
    }
    Ok(samples)
}

/// The output `out` of a network as a tensor of `shape`. `args` are the input and the parameters; `backward` gets
/// their values and the output's gradient, adds the parameters' gradients to the sums it is given, and returns the
/// input's where that is wanted.
pub(super) fn network<F: Element>(
    args: Vec<Tensor>,
    out: Buffer<F>,
    shape: &[usize],
    backward: impl Fn(&[F], &[&[F]], &[F], &mut [Vec<F>]) -> Option<Buffer<F>> + Send + Sync + 'static,
) -> Result<Tensor> {
    let ids: Vec<_> = args.iter().map(|a| (a.id(), a.is_variable())).collect();
    // The values alone: the way back must not hold the graph that holds it.
    let values: Vec<Tensor> = args.iter().map(Tensor::detach).collect();
    let backward = move |gradient: &Tensor| {
        let mut all = vec![gradient.detach()];
        all.extend(values.iter().cloned());
        let zeros = |v: &Tensor| vec![F::ZERO; v.elem_count()];
        let sums = values.iter().zip(&ids).skip(1).map(|(v, (id, _))| sink::take(*id).unwrap_or_else(|| zeros(v)));
        let mut sums: Vec<Vec<F>> = sums.collect();
        let x = with_slices::<F, _>(&all, |s| backward(s[1], &s[2..], s[0], &mut sums))
            .map_err(candle_core::Error::wrap)?;
        let tensor = |v: Vec<F>, like: &Tensor| Tensor::from_vec(v, like.shape(), like.device());
        let mut gradients = vec![x.map(|v| tensor(v.into_vec(), &values[0])).transpose()?];
        for ((sum, like), (id, variable)) in sums.into_iter().zip(&values[1..]).zip(&ids[1..]) {
            let kept = if *variable { sink::put(*id, sum) } else { Some(sum) };
            gradients.push(kept.map(|v| tensor(v, like)).transpose()?);
        }
        Ok(gradients)
    };
    Ok(custom(out.into_vec(), shape, &args, backward)?)
}
