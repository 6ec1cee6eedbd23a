//! From layers to a chain of kernels: one candle operation for a whole network.

use candle_core::{DType, Tensor};

use super::{Element, custom, sink, with_slices};
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
        network(args, out, shape, move |x, params, dout, sums| chain.backward(&tape, x, dout, params, sums))
    }

    /// Learned views of `x` `[tasks · batch, d]` and an encoder, a plan each: the codes of `x` itself and of every view,
    /// `[tasks · batch, views + 1, output]`. The encoder's statistics run over all views of a task.
    ///
    /// # Errors
    /// As [`Plan::run`].
    pub fn run_views(self, views: Vec<Plan>, x: &Tensor, pass: Pass, output: usize) -> Result<Tensor> {
        let samples = x.dims()[0];
        if samples == 0 || pass.tasks == 0 || !samples.is_multiple_of(pass.tasks) {
            bail_shape!("{} tasks cannot share an input {:?}", pass.tasks, x.dims());
        }
        match x.dtype() {
            DType::F32 => self.run_views_as::<f32>(views, x, pass, output),
            _ => self.run_views_as::<f64>(views, x, pass, output),
        }
    }

    fn run_views_as<F: Element>(self, views: Vec<Plan>, x: &Tensor, pass: Pass, output: usize) -> Result<Tensor> {
        let (n, d) = x.dims2()?;
        let k1 = views.len() + 1;
        let mut args = vec![x.contiguous()?];
        let own = self.params.len();
        args.extend(self.params);
        let encoder = Chain { stages: self.stages, input_gradient: true };
        let tracked = x.track_op();
        let mut chains = Vec::new();
        for view in views {
            chains.push((Chain { stages: view.stages, input_gradient: tracked }, view.params.len()));
            args.extend(view.params);
        }
        let (out, tape, tapes, all) = with_slices::<F, _>(&args, |s| {
            let mut all = vec![F::ZERO; n * k1 * d];
            scatter_rows(s[0], &mut all, d, k1, 0);
            let mut params = &s[1 + own..];
            let mut tapes = Vec::new();
            for (k, (chain, count)) in chains.iter().enumerate() {
                let (mine, rest) = params.split_at(*count);
                params = rest;
                let (view, tape) = chain.forward(s[0], n, 1, mine);
                scatter_rows(&view, &mut all, d, k1, k + 1);
                tapes.push(tape);
            }
            let (out, tape) = encoder.forward(&all, n * k1, pass.tasks, &s[1..=own]);
            (out, tape, tapes, all)
        })?;
        network(args, out, &[n, k1, output], move |x, params, dout, sums| {
            let (params, mut view_params) = params.split_at(own);
            let (sums, mut view_sums) = sums.split_at_mut(own);
            let dall = encoder.backward(&tape, &all, dout, params, sums)?;
            let mut part = vec![F::ZERO; n * d];
            gather_rows(&dall, &mut part, d, k1, 0);
            let mut dx = tracked.then(|| part.clone());
            for (k, ((chain, count), tape)) in chains.iter().zip(&tapes).enumerate() {
                let (mine, rest) = view_params.split_at(*count);
                view_params = rest;
                let (my_sums, rest) = std::mem::take(&mut view_sums).split_at_mut(*count);
                view_sums = rest;
                gather_rows(&dall, &mut part, d, k1, k + 1);
                if let (Some(dx), Some(more)) = (&mut dx, chain.backward(tape, x, &part, mine, my_sums)) {
                    dx.iter_mut().zip(more).for_each(|(a, b)| *a += b);
                }
            }
            dx
        })
    }
}

/// Rows `[n, d]` into column `k` of `all` `[n, k1, d]`.
fn scatter_rows<F: Element>(rows: &[F], all: &mut [F], d: usize, k1: usize, k: usize) {
    for (to, from) in all.chunks_exact_mut(k1 * d).zip(rows.chunks_exact(d)) {
        to[k * d..(k + 1) * d].copy_from_slice(from);
    }
}

/// The way back of [`scatter_rows`].
fn gather_rows<F: Element>(all: &[F], rows: &mut [F], d: usize, k1: usize, k: usize) {
    for (from, to) in all.chunks_exact(k1 * d).zip(rows.chunks_exact_mut(d)) {
        to.copy_from_slice(&from[k * d..(k + 1) * d]);
    }
}

/// The output `out` of a network as a tensor of `shape`. `args` are the input and the parameters; `backward` gets
/// their values and the output's gradient, adds the parameters' gradients to the sums it is given, and returns the
/// input's where that is wanted.
fn network<F: Element>(
    args: Vec<Tensor>,
    out: Vec<F>,
    shape: &[usize],
    backward: impl Fn(&[F], &[&[F]], &[F], &mut [Vec<F>]) -> Option<Vec<F>> + Send + Sync + 'static,
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
        let mut gradients = vec![x.map(|v| tensor(v, &values[0])).transpose()?];
        for ((sum, like), (id, variable)) in sums.into_iter().zip(&values[1..]).zip(&ids[1..]) {
            let kept = if *variable { sink::put(*id, sum) } else { Some(sum) };
            gradients.push(kept.map(|v| tensor(v, like)).transpose()?);
        }
        Ok(gradients)
    };
    Ok(custom(out, shape, &args, backward)?)
}
