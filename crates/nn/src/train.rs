//! The meta-training step that all trained methods share.

use std::sync::{Mutex, PoisonError};

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

use crate::Result;
use crate::error::{Error, bail_shape};
use crate::ops::{self, Element, scope};
use crate::optim::{Gradients, Optimizer, StepLr, clip_global_norm};
use crate::params::ParamStore;

/// Parts of a step are shared out in so many lanes at most; gradients add up in place within a lane.
const LANES: usize = 8;

/// Tasks stacked: inputs `[tasks · batch, shape…]` and which samples are outliers.
#[derive(Debug, Clone)]
pub struct Tasks {
    x: Tensor,
    outliers: Vec<bool>,
    tasks: usize,
}

impl Tasks {
    /// Stacks tasks of equal size from samples of `shape`: each task's values, row-major, and its labels (true: outlier).
    ///
    /// # Errors
    /// Where there is no task, or they differ in size.
    pub fn stack(shape: &[usize], parts: &[(&[f32], &[bool])], device: &Device) -> Result<Self> {
        let dim: usize = shape.iter().product();
        let batch = parts.first().map_or(0, |p| p.1.len());
        if batch == 0 || parts.iter().any(|(x, y)| y.len() != batch || x.len() != batch * dim) {
            let sizes: Vec<_> = parts.iter().map(|(x, y)| (x.len(), y.len())).collect();
            bail_shape!("tasks of samples {shape:?} must be equally large and not empty; (values, labels): {sizes:?}");
        }
        let values = parts.iter().flat_map(|p| p.0).copied().collect::<Vec<f32>>();
        let outliers = parts.iter().flat_map(|p| p.1).copied().collect();
        let x = Tensor::from_vec(values, [&[parts.len() * batch], shape].concat(), device)?;
        Ok(Tasks { x, outliers, tasks: parts.len() })
    }

    /// Tasks from a tensor `[tasks · batch, shape…]` that is already stacked.
    ///
    /// # Errors
    /// Where the sizes do not fit.
    pub fn new(x: Tensor, outliers: Vec<bool>, tasks: usize) -> Result<Self> {
        let n = x.dims().first().copied().unwrap_or(0);
        if tasks == 0 || n == 0 || !n.is_multiple_of(tasks) || outliers.len() != n {
            bail_shape!("{tasks} tasks do not fit inputs {:?} with {} labels", x.dims(), outliers.len());
        }
        Ok(Tasks { x, outliers, tasks })
    }

    /// The inputs, `[tasks · batch, shape…]`.
    pub fn x(&self) -> &Tensor {
        &self.x
    }

    /// Which samples are outliers, `tasks · batch` of them.
    pub fn outliers(&self) -> &[bool] {
        &self.outliers
    }

    /// The number of tasks.
    pub fn tasks(&self) -> usize {
        self.tasks
    }

    /// Samples in a task.
    pub fn batch(&self) -> usize {
        self.outliers.len() / self.tasks
    }

    /// The tasks from `start`, `len` of them, without copying.
    fn narrow(&self, start: usize, len: usize) -> Result<Tasks> {
        let (from, n) = (start * self.batch(), len * self.batch());
        Ok(Tasks { x: self.x.narrow(0, from, n)?, outliers: self.outliers[from..from + n].to_vec(), tasks: len })
    }
}

/// Options of a [`Trainer`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainConfig {
    /// The learning rate and its steps.
    pub lr: StepLr,
    /// The largest global norm of the gradient; `None`: any.
    pub clip: Option<f64>,
    /// Bytes of activations that a thread keeps at once, inputs included, as long as one task alone does not exceed it: so
    /// many tasks pass through the network together. What bounds the memory. How many they are depends on the network
    /// and the tasks' shape, never on the number of threads; gradients of the parts add up in a fixed order.
    pub bytes: usize,
}

impl TrainConfig {
    /// No clipping, and so many bytes that products are large and yet most activations stay in the caches: 4 MB.
    pub fn new(lr: StepLr) -> Self {
        TrainConfig { lr, clip: None, bytes: 4_000_000 }
    }
}

/// Runs meta-training steps.
pub struct Trainer<O> {
    params: ParamStore,
    optimizer: O,
    config: TrainConfig,
    steps: u64,
    /// The shape of a task that was measured last, and the bytes of activations that it keeps.
    measured: Mutex<Option<(Vec<usize>, usize)>>,
}

impl<O: Optimizer> Trainer<O> {
    /// Trains `params` with `optimizer`, which was made for the same store.
    pub fn new(params: &ParamStore, optimizer: O, config: TrainConfig) -> Self {
        Trainer { params: params.clone(), optimizer, config, steps: 0, measured: Mutex::new(None) }
    }

    /// Updates done.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// One update on the mean over tasks of their losses, which it returns. `loss` gets some of the tasks and returns
    /// their losses, `[tasks]`; it may run on several threads at once, must treat each task alone, and runs once more on a
    /// single task of each new shape, to measure what that keeps.
    ///
    /// # Errors
    /// Where `loss` fails, or the loss or the gradient is not finite; the parameters then stay as they were.
    pub fn step(&mut self, tasks: &Tasks, loss: impl Fn(&Tasks) -> Result<Tensor> + Sync) -> Result<f64> {
        let (total, mut gradients) = self.gradients(tasks, loss)?;
        if !total.is_finite() {
            return Err(Error::NonFinite(format!("the loss of step {} is {total}", self.steps + 1)));
        }
        if let Some(max) = self.config.clip {
            let norm = clip_global_norm(&mut gradients, max)?;
            if !norm.is_finite() {
                return Err(Error::NonFinite(format!("the gradient of step {} has norm {norm}", self.steps + 1)));
            }
        }
        self.optimizer.step(&gradients, self.config.lr.at(self.steps))?;
        self.steps += 1;
        Ok(total)
    }

    /// How many tasks pass at once: a number that depends on what one keeps, never on the number of threads.
    fn tasks_at_once(&self, tasks: &Tasks, loss: &impl Fn(&Tasks) -> Result<Tensor>) -> Result<usize> {
        let shape = [&[tasks.batch()], &tasks.x.dims()[1..]].concat();
        // A panic elsewhere leaves the pair whole.
        let mut measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = match &*measured {
            Some((of, bytes)) if *of == shape => *bytes,
            _ => {
                let first = tasks.narrow(0, 1)?;
                let (result, kept) = scope::metered(|| loss(&first));
                result?;
                kept + first.x.elem_count() * first.x.dtype().size_in_bytes()
            }
        };
        *measured = Some((shape, bytes));
        let fit = (self.config.bytes / bytes.max(1)).clamp(1, tasks.tasks());
        // A multiple of four parts, where there are as many tasks, so that threads finish together.
        let parts = tasks.tasks().div_ceil(fit).next_multiple_of(4).min(tasks.tasks());
        Ok(tasks.tasks().div_ceil(if fit == tasks.tasks() { 1 } else { parts }))
    }

    /// The mean loss over all tasks, and its gradients.
    ///
    /// # Errors
    /// Where `loss` fails.
    pub fn gradients(&self, tasks: &Tasks, loss: impl Fn(&Tasks) -> Result<Tensor> + Sync) -> Result<(f64, Gradients)> {
        let per_part = self.tasks_at_once(tasks, &loss)?;
        let starts: Vec<usize> = (0..tasks.tasks()).step_by(per_part).collect();
        let lanes: Vec<&[usize]> = starts.chunks(starts.len().div_ceil(LANES)).collect();
        let params = &self.params;
        let lane = |starts: &&[usize]| match params.dtype() {
            DType::F64 => lane::<f64>(params, tasks, (starts, per_part), &loss),
            _ => lane::<f32>(params, tasks, (starts, per_part), &loss),
        };
        let results: Vec<Result<(f64, Gradients)>> = lanes.par_iter().map(lane).collect();
        let (mut total, mut sum) = (0.0, vec![None; self.params.trainable().count()]);
        for result in results {
            let (value, gradients) = result?;
            total += value;
            add_all(&mut sum, gradients)?;
        }
        Ok((total, sum))
    }
}

/// The parts of one lane, of so many tasks each, one after the other.
fn lane<F: Element>(
    params: &ParamStore,
    tasks: &Tasks,
    (starts, per_part): (&[usize], usize),
    loss: &(impl Fn(&Tasks) -> Result<Tensor> + Sync),
) -> Result<(f64, Gradients)> {
    let (mut total, mut sum) = (0.0, vec![None; params.trainable().count()]);
    let (done, mut sums) = ops::sink::collect::<F, Result<()>>(|| {
        for &start in starts {
            let part = tasks.narrow(start, per_part.min(tasks.tasks() - start))?;
            let mean = (loss(&part)?.sum_all()? / tasks.tasks() as f64)?;
            let mut gradients = mean.backward()?;
            total += mean.to_dtype(DType::F64)?.to_scalar::<f64>()?;
            add_all(&mut sum, params.trainable().map(|p| gradients.remove(&p.var)).collect())?;
        }
        Ok(())
    });
    done?;
    let kernels = params.trainable().map(|p| match sums.remove(&p.var.id()) {
        Some(values) => Ok(Some(Tensor::from_vec(values, p.var.shape(), p.var.device())?)),
        None => Ok(None),
    });
    add_all(&mut sum, kernels.collect::<Result<_>>()?)?;
    Ok((total, sum))
}

fn add_all(sum: &mut Gradients, gradients: Gradients) -> Result<()> {
    for (to, by) in sum.iter_mut().zip(gradients) {
        *to = match (to.take(), by) {
            (Some(to), Some(by)) => Some(ops::add(to, &by)?),
            (to, by) => to.or(by),
        };
    }
    Ok(())
}
