//! Stages for the kernels: one candle operation for a whole network.

use candle_core::{DType, Tensor, Var};
use zsad_core::Implementation;

use super::running::{self, Running};
use super::{Element, accumulator, custom, scope, with_slices};
use crate::Result;
use crate::error::bail_shape;
use crate::kernels::chain::Chain;
use crate::kernels::conv::Conv;
use crate::kernels::dense::Dense;
use crate::kernels::norm::EPS;
use crate::kernels::scratch::{self, Buffer};
use crate::kernels::stage::{Map, Source, Stage, Statistics};

/// What normalises a linear map's values.
#[derive(Debug, Clone, Copy)]
pub enum Normaliser<'a> {
    /// Nothing.
    None,
    /// Each task's batch.
    Batch,
    /// The one batch, which changes the running mean and variance.
    Training(&'a Var, &'a Var),
    /// The running mean and variance.
    Running(&'a Var, &'a Var),
    /// Each sample, over all channels and pixels.
    Sample,
    /// Each sample, over groups of at most so many neighbouring channels and all pixels.
    Channels(usize),
}

/// What follows a linear map.
#[derive(Debug, Clone, Copy)]
pub struct Epilogue<'a> {
    /// Whether the kernels know its norm.
    pub fits: bool,
    /// What normalises.
    pub norm: Normaliser<'a>,
    /// Gain and offset.
    pub affine: Option<(&'a Var, &'a Var)>,
    /// Whether ReLU follows.
    pub relu: bool,
    /// Whether a 2×2 max-pool follows.
    pub pool: bool,
}

impl Epilogue<'_> {
    /// Nothing.
    pub const NONE: Self = Epilogue { fits: true, norm: Normaliser::None, affine: None, relu: false, pool: false };
}

/// Stages and their parameters, in order.
pub struct Plan {
    pub(super) stages: Vec<Stage>,
    pub(super) params: Vec<Tensor>,
    /// Running mean and variance by stage, and its bias, where the kernels leave it out.
    pub(super) running: Vec<Option<Running>>,
    samples: usize,
    fits: bool,
}

impl Plan {
    /// An empty plan for inputs like `x`: kernels work in f32 and f64.
    pub fn new(x: &Tensor) -> Self {
        let fits = matches!(x.dtype(), DType::F32 | DType::F64);
        let samples = x.dims().first().copied().unwrap_or(0);
        Plan { stages: Vec::new(), params: Vec::new(), running: Vec::new(), samples, fits }
    }

    /// Takes note of how a layer is to be computed.
    pub fn admit(&mut self, by: Implementation) {
        self.fits &= by == Implementation::Fused;
    }

    /// Adds a linear layer and what follows it.
    pub fn linear(&mut self, weight: &Var, bias: Option<&Var>, source: Source, after: Epilogue) -> Result<()> {
        let (output, input) = weight.dims2()?;
        self.push(Map::Linear { input, output, source }, [Some(weight), bias], after)
    }

    /// Adds a convolution of images of `h` × `w` and what follows it.
    pub fn conv(
        &mut self,
        weight: &Var,
        bias: Option<&Var>,
        stride: usize,
        [h, w]: [usize; 2],
        after: Epilogue,
    ) -> Result<()> {
        let (o, c, _, _) = weight.dims4()?;
        self.push(Map::Conv(Conv { c, o, h, w, stride }), [Some(weight), bias], after)
    }

    /// Adds what follows a product of so many features that is given. For a first stage alone.
    pub fn given(&mut self, features: usize, after: Epilogue) -> Result<()> {
        self.push(Map::Given(features), [None, None], after)
    }

    fn push(&mut self, map: Map, own: [Option<&Var>; 2], after: Epilogue) -> Result<()> {
        let Epilogue { fits, norm, affine, relu, pool } = after;
        let bias = own[1].is_some();
        let mut stage = Stage { map, bias, norm: Statistics::None, affine: affine.is_some(), relu, pool };
        let (c, pixels) = (stage.channels(), stage.pixels());
        let shared = match norm {
            Normaliser::Channels(most) => (1..=most).rev().find(|&g| c.is_multiple_of(g)).unwrap_or(1),
            _ => c,
        };
        // What cannot be normalised is left to candle's operations, which say why.
        let few = match norm {
            Normaliser::Training(..) => self.samples * pixels < 2,
            Normaliser::Channels(_) => shared * pixels < 2,
            _ => false,
        };
        self.fits &= fits && !few;
        self.params.extend(own.into_iter().flatten().map(|v| v.as_tensor().clone()));
        self.params.extend(affine.into_iter().flat_map(|(g, o)| [g.as_tensor().clone(), o.as_tensor().clone()]));
        let mut running = None;
        stage.norm = match norm {
            Normaliser::None => Statistics::None,
            Normaliser::Batch => Statistics::Batch,
            Normaliser::Training(mean, var) => {
                let bias = own[1].map(|b| b.as_tensor().detach());
                running = Some(Running { mean: mean.clone(), var: var.clone(), bias });
                Statistics::Pooled
            }
            Normaliser::Running(mean, var) => {
                let istd = (var.as_tensor().detach() + EPS)?.sqrt()?.recip()?;
                self.params.extend([mean.as_tensor().detach(), istd]);
                Statistics::Given
            }
            Normaliser::Sample | Normaliser::Channels(_) => Statistics::Sample(shared),
        };
        self.running.push(running);
        self.stages.push(stage);
        Ok(())
    }

    /// Whether the kernels can do it; if not, candle's own operations must.
    pub fn fits(&self) -> bool {
        self.fits
    }

    /// Runs over `x` `[tasks · batch, …]`; the result has `shape`.
    ///
    /// # Errors
    /// Where the batch cannot be shared among the tasks.
    pub fn run(self, x: &Tensor, tasks: usize, shape: &[usize]) -> Result<Tensor> {
        let samples = samples(x, tasks)?;
        match x.dtype() {
            DType::F32 => self.run_as::<f32>(x, samples, tasks, shape),
            _ => self.run_as::<f64>(x, samples, tasks, shape),
        }
    }

    fn run_as<F: Element>(self, x: &Tensor, samples: usize, tasks: usize, shape: &[usize]) -> Result<Tensor> {
        let mut args = vec![x.contiguous()?];
        args.extend(self.params);
        let (stages, running, keep) = (self.stages, self.running, scope::tracks(&args));
        let input_gradient = keep && x.track_op();
        if Dense::fits(&stages) {
            let net = Dense { stages, input_gradient, keep };
            let forward = |s: &[&[F]]| match net.stages.first().map(|s| s.map) {
                Some(Map::Given(_)) => net.forward_given(scratch::copy(s[0]), samples, tasks, &s[1..]),
                _ => net.forward(s[0], samples, tasks, &s[1..]),
            };
            let (out, saved) = with_slices::<F, _>(&args, forward)?;
            running::update(&running, saved.pooled())?;
            scope::record_saved_bytes(saved.bytes());
            return network(args, out, shape, move |x, params, dout, sums| net.backward(&saved, x, dout, params, sums));
        }
        let net = Chain { stages, input_gradient, keep };
        let forward = |s: &[&[F]]| scope::isolated(|| net.forward(s[0], samples, tasks, &s[1..]));
        let (out, saved) = with_slices::<F, _>(&args, forward)?;
        running::update(&running, saved.pooled())?;
        scope::record_saved_bytes(saved.bytes());
        network(args, out, shape, move |x, params, dout, sums| {
            scope::isolated(|| net.backward(&saved, x, dout, params, sums))
        })
    }
}

/// The number of samples of `x`, which the tasks must be able to share.
pub(super) fn samples(x: &Tensor, tasks: usize) -> Result<usize> {
    let samples = x.dims().first().copied().unwrap_or(0);
    if samples == 0 || tasks == 0 || !samples.is_multiple_of(tasks) {
        bail_shape!("{tasks} tasks cannot share an input {:?}", x.dims());
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
        let sums =
            values.iter().zip(&ids).skip(1).map(|(v, (id, _))| accumulator::take(*id).unwrap_or_else(|| zeros(v)));
        let mut sums: Vec<Vec<F>> = sums.collect();
        let x = with_slices::<F, _>(&all, |s| backward(s[1], &s[2..], s[0], &mut sums))
            .map_err(candle_core::Error::wrap)?;
        let tensor = |v: Vec<F>, like: &Tensor| Tensor::from_vec(v, like.shape(), like.device());
        let mut gradients = vec![x.map(|v| tensor(v.into_vec(), &values[0])).transpose()?];
        for ((sum, like), (id, variable)) in sums.into_iter().zip(&values[1..]).zip(&ids[1..]) {
            let kept = if *variable { accumulator::put(*id, sum) } else { Some(sum) };
            gradients.push(kept.map(|v| tensor(v, like)).transpose()?);
        }
        Ok(gradients)
    };
    Ok(custom(out.into_vec(), shape, &args, backward)?)
}
