//! Gradients of the mean loss over tasks, shared out among threads.

use std::sync::{Mutex, PoisonError};

use candle_core::{DType, Tensor};
use rayon::prelude::*;

use super::Tasks;
use crate::Result;
use crate::ops::{self, Element, scope};
use crate::optim::{Gradients, add_gradients};
use crate::params::ParamStore;

/// Parts of a step are shared out in so many shards at most; gradients add up in place within a shard.
const SHARDS: usize = 8;

/// Bytes of activations at once: products are large and yet most activations stay in the caches.
const BYTES: usize = 4_000_000;

/// The same on a GPU, which wants few large operations: what a convolution unfolds beside them is several times as much, and
/// yet fits into a small one's memory.
const GPU_BYTES: usize = 1_000_000_000;

/// Computes the gradients of meta-training steps.
pub struct Trainer {
    params: ParamStore,
    bytes: usize,
    /// The shape of a task that was measured last, and the bytes of activations that it keeps.
    measured: Mutex<Option<(Vec<usize>, usize)>>,
}

impl Trainer {
    /// Gradients of `params`, with 4 MB of activations at once, on a GPU 1 GB.
    pub fn new(params: &ParamStore) -> Self {
        Trainer::within(params, if params.device().is_cpu() { BYTES } else { GPU_BYTES })
    }

    /// Gradients of `params`. A thread keeps at most so many `bytes` of activations at once, inputs included, as long as
    /// one task alone does not exceed it: so many tasks pass through the network together. What bounds the memory. How many
    /// they are depends on the network and the tasks' shape, never on the number of threads; gradients of the parts add up
    /// in a fixed order.
    pub fn within(params: &ParamStore, bytes: usize) -> Self {
        Trainer { params: params.clone(), bytes, measured: Mutex::new(None) }
    }

    /// The mean over tasks of their losses, and its gradients. `loss` gets some of the tasks and returns their losses,
    /// `[tasks]`; it may run on several threads at once, must treat each task alone, and runs once more on a single task of
    /// each new shape, to measure what that keeps.
    ///
    /// # Errors
    /// Where `loss` fails.
    pub fn gradients(&self, tasks: &Tasks, loss: impl Fn(&Tasks) -> Result<Tensor> + Sync) -> Result<(f64, Gradients)> {
        let per_part = self.tasks_at_once(tasks, &loss)?;
        let starts: Vec<usize> = (0..tasks.tasks()).step_by(per_part).collect();
        let shards: Vec<&[usize]> = starts.chunks(starts.len().div_ceil(SHARDS)).collect();
        let params = &self.params;
        let shard = |starts: &&[usize]| match params.dtype() {
            DType::F64 => shard::<f64>(params, tasks, (starts, per_part), &loss),
            _ => shard::<f32>(params, tasks, (starts, per_part), &loss),
        };
        let results: Vec<Result<(f64, Gradients)>> = shards.par_iter().map(shard).collect();
        let (mut total, mut sum) = (0.0, Gradients::new());
        for result in results {
            let (value, gradients) = result?;
            total += value;
            add_gradients(&mut sum, gradients)?;
        }
        Ok((total, sum))
    }

    /// How many tasks pass at once: a number that depends on what one keeps, never on the number of threads.
    fn tasks_at_once(&self, tasks: &Tasks, loss: &impl Fn(&Tasks) -> Result<Tensor>) -> Result<usize> {
        let shape = [&[tasks.batch()], &tasks.x().dims()[1..]].concat();
        // A panic elsewhere leaves the pair whole.
        let mut measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = match &*measured {
            Some((of, bytes)) if *of == shape => *bytes,
            _ => {
                let first = tasks.narrow(0, 1)?;
                let (result, saved) = scope::measure_saved_bytes(|| loss(&first));
                result?;
                saved + first.x().elem_count() * first.x().dtype().size_in_bytes()
            }
        };
        *measured = Some((shape, bytes));
        let fit = (self.bytes / bytes.max(1)).clamp(1, tasks.tasks());
        // A multiple of four parts, where there are as many tasks, so that threads finish together.
        let parts = tasks.tasks().div_ceil(fit).next_multiple_of(4).min(tasks.tasks());
        Ok(tasks.tasks().div_ceil(if fit == tasks.tasks() { 1 } else { parts }))
    }
}

/// The parts of one shard, of so many tasks each, one after the other.
fn shard<F: Element>(
    params: &ParamStore,
    tasks: &Tasks,
    (starts, per_part): (&[usize], usize),
    loss: &(impl Fn(&Tasks) -> Result<Tensor> + Sync),
) -> Result<(f64, Gradients)> {
    let (mut total, mut sum) = (0.0, Gradients::new());
    let (done, mut sums) = ops::accumulator::collect::<F, Result<()>>(|| {
        for &start in starts {
            let part = tasks.narrow(start, per_part.min(tasks.tasks() - start))?;
            let mean = (loss(&part)?.sum_all()? / tasks.tasks() as f64)?;
            let (value, gradients) = params.gradients_of(&mean)?;
            total += value;
            add_gradients(&mut sum, gradients)?;
        }
        Ok(())
    });
    done?;
    let kernels = params.trainable().map(|p| match sums.remove(&p.var.id()) {
        Some(values) => Ok(Some(Tensor::from_vec(values, p.var.shape(), p.var.device())?)),
        None => Ok(None),
    });
    add_gradients(&mut sum, kernels.collect::<Result<_>>()?)?;
    Ok((total, sum))
}
