//! Gradients of the mean loss over tasks, shared out among threads.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{DType, Tensor};
use rayon::prelude::*;

use super::Tasks;
use crate::Result;
use crate::kernels::chain::Kept;
use crate::ops::{self, Element, scope};
use crate::optim::{Gradients, add_gradients};
use crate::params::{Param, ParamStore};

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
        let kept = self.kept()?;
        let results: Vec<Result<(f64, Gradients)>> = shards.par_iter().map(|s| kept.share(|| shard(s))).collect();
        let (mut total, mut sum) = (0.0, Gradients::new());
        for result in results {
            let (value, gradients) = result?;
            total += value;
            add_gradients(&mut sum, gradients)?;
        }
        Ok((total, sum))
    }

    /// Where products of a step leave what they make of the parameters, which no step changes while it computes.
    fn kept(&self) -> Result<Arc<Kept>> {
        let address = |p: &Param| match self.params.dtype() {
            DType::F64 => address::<f64>(p.var.as_tensor()),
            _ => address::<f32>(p.var.as_tensor()),
        };
        let on_processor = self.params.device().is_cpu();
        let addresses = self.params.trainable().filter(|_| on_processor).map(address);
        Ok(Kept::new(addresses.collect::<Result<_>>()?))
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

/// Where the values of a tensor lie.
fn address<F: Element>(x: &Tensor) -> Result<usize> {
    ops::with_slices(std::slice::from_ref(x), |values: &[&[F]]| values[0].as_ptr().addr())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Init, Pass, loss, nets};

    /// Parts of a step, once with what their products make of the weights kept and once without: the same bits; and each form
    /// is made once, however many parts there are.
    #[test]
    fn what_is_made_of_weights_is_kept_for_a_step_and_changes_no_bit() {
        let strided = nets::ConvNetConfig::omniglot([1, 12, 12]);
        let wide = nets::ConvNetConfig { filters: vec![48; 4], ..nets::ConvNetConfig::cnn4([3, 16, 16]) };
        for config in [strided, wide] {
            let mut params = ParamStore::new(&candle_core::Device::Cpu, DType::F32);
            let mut rng = zsad_core::rng::stream(1, &[]);
            let mut b = params.builder(&mut rng);
            let net = nets::ConvNet::new(&mut b.scope("net"), &config).unwrap();
            let (centre, distance) = (b.add("center", &[32], Init::ONES).unwrap(), loss::Distance::new(&mut b));
            let shape = [&[6 * 30], &config.input[..]].concat();
            let x = Init::Normal(0.0, 1.0).tensor(&shape, DType::F32, params.device(), &mut rng).unwrap();
            let tasks = Tasks::new(x, (0..6 * 30).map(|i| i % 3 == 0).collect(), 6).unwrap();
            let loss = |t: &Tasks| {
                let (normal, outlier) = distance.dsvdd(&net.forward(t.x(), Pass::train(t.tasks()))?, &centre)?;
                loss::per_task(&normal, &outlier, t)
            };
            let (trainer, starts) = (Trainer::new(&params), [0, 2, 4]);
            let of = |starts: &[usize]| shard::<f32>(&params, &tasks, (starts, 2), &loss).unwrap();
            let kept = trainer.kept().unwrap();
            let with = kept.share(|| of(&starts));
            let made = kept.len();
            kept.share(|| of(&starts[..1]));
            assert!(made >= 2 * net_layers(&config) - 1 && kept.len() == made, "{made}, then {}", kept.len());
            let without = of(&starts);
            assert_eq!(with.0.to_bits(), without.0.to_bits());
            let bits = |gradients: &Gradients| -> Vec<u32> {
                let values = gradients.iter().flatten().map(|g| g.flatten_all().unwrap().to_vec1::<f32>().unwrap());
                values.flatten().map(f32::to_bits).collect()
            };
            assert!(bits(&with.1) == bits(&without.1) && !bits(&with.1).is_empty());
        }
    }

    /// Layers with a weight: the filters and the head.
    fn net_layers(config: &nets::ConvNetConfig) -> usize {
        config.filters.len() + 1
    }
}
