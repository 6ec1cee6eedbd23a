//! The pool: the normals of all meta-train domains as one set.

use candle_core::{Device, Tensor};
use rand::seq::SliceRandom;
use zsad_core::rng::{Rng, stream};
use zsad_core::{Error, FitContext, Result, SampleRef, Subset};
use zsad_data::sampler::{OutlierSource, TaskProtocol, TaskSampler};

use super::hyperparams::PooledParams;

/// The normals of the meta-train domains in use, in the order of the data set.
pub struct PoolSource<'a> {
    ctx: &'a FitContext<'a>,
    refs: Vec<SampleRef>,
    batch: usize,
    device: Device,
}

impl<'a> PoolSource<'a> {
    /// The pool of a fit.
    ///
    /// # Errors
    /// [`Error::Refused`] where there are fewer than two normals, or not as many domains as wanted.
    pub fn new(ctx: &'a FitContext<'a>, params: &PooledParams, device: &Device) -> Result<Self> {
        let protocol =
            TaskProtocol { domains: params.domains.number(), ..TaskProtocol::new(1, 0, OutlierSource::None) };
        let sampler = TaskSampler::new(ctx.data.info(), ctx.data.fold(), protocol, ctx.seed)?;
        let size = |d: usize| ctx.data.info().domains[d].normal as u32;
        let used = sampler.train_domains().iter().flat_map(|&d| (0..size(d)).map(move |i| (d as u32, i)));
        let refs: Vec<_> = used.map(|(domain, index)| SampleRef { domain, subset: Subset::Normal, index }).collect();
        if refs.len() < 2 {
            return Err(Error::refused("pooled training needs two normals in the meta-train domains at least"));
        }
        Ok(PoolSource { ctx, refs, batch: params.batch, device: device.clone() })
    }

    /// Number of normals.
    pub fn len(&self) -> usize {
        self.refs.len()
    }

    /// A random stream of the fit.
    pub fn stream(&self, purpose: &str) -> Rng {
        stream(self.ctx.seed, &[("purpose", purpose)])
    }

    /// The pool in its own order, in mini-batches `[n, shape…]`.
    pub fn batches(&self) -> impl Iterator<Item = Result<Tensor>> {
        self.refs.chunks(self.batch).map(|refs| self.gather(refs))
    }

    /// Mean and standard deviation of every feature, `[d]` each, in f64 sums; the deviation of a constant one is 1.
    pub fn moments(&self) -> Result<(Tensor, Tensor)> {
        let mut sums: Vec<(f64, f64)> = Vec::new();
        for refs in self.refs.chunks(self.batch) {
            let samples = self.ctx.data.gather(refs)?;
            sums.resize(samples.dim(), (0.0, 0.0));
            for row in samples.to_f64().chunks(samples.dim()) {
                for ((sum, squares), x) in sums.iter_mut().zip(row) {
                    *sum += x;
                    *squares += x * x;
                }
            }
        }
        let n = self.refs.len() as f64;
        let mean: Vec<f32> = sums.iter().map(|(sum, _)| (sum / n) as f32).collect();
        let deviation = |(sum, squares): &(f64, f64)| {
            let variance = squares / n - (sum / n).powi(2);
            if variance > 1e-12 * (squares / n) { variance.sqrt() as f32 } else { 1.0 }
        };
        let scale: Vec<f32> = sums.iter().map(deviation).collect();
        let tensor = |v: Vec<f32>| Tensor::new(v, &self.device).map_err(Error::failed);
        Ok((tensor(mean)?, tensor(scale)?))
    }

    /// The mini-batches of an epoch; a last one that is too small for batch statistics is left out.
    pub fn epoch(&self, epoch: u64) -> Vec<Vec<SampleRef>> {
        let mut refs = self.refs.clone();
        refs.shuffle(&mut stream(self.ctx.seed, &[("purpose", "epoch"), ("epoch", &epoch.to_string())]));
        refs.chunks(self.batch).filter(|c| c.len() > 1).map(<[_]>::to_vec).collect()
    }

    /// The samples of `refs`, `[n, shape…]`.
    pub fn gather(&self, refs: &[SampleRef]) -> Result<Tensor> {
        let samples = self.ctx.data.gather(refs)?;
        let shape = [&[refs.len()], samples.shape()].concat();
        Tensor::from_vec(samples.to_f32().into_owned(), shape, &self.device).map_err(Error::failed)
    }
}
