//! The classical methods: fitted on the batch itself, or on pooled normals of the meta-train domains.
//!
//! A method is mathematics on points, a [`PointMethod`]; this does the rest. A batch is put into the order of its
//! values first and the scores are put back, so that permuting a batch permutes its scores to the last bit, whatever
//! the order of sums or the choice between equal distances.

use std::marker::PhantomData;
use std::sync::Arc;

use rand::seq::index;
use serde_json::{Value, json};
use zsad_core::rng::stream;
use zsad_core::{
    Array, Batch, DatasetInfo, Detector, Environment, Error, FitContext, FitReport, Fold, Given, Method, MethodDef,
    MethodSpec, ParamProblem, ParamSet, ParamSpec, Result, SampleRef, Scores, State, Subset, Supervision, Values,
};

use crate::math::Points;
use zsad_core::params::Both;

/// A method on points; `self` is its parameters.
pub(crate) trait PointMethod: ParamSet {
    /// What it learns from some points.
    type Model: Send + Sync;

    /// Settles what is left to the data, for points of `dim` values.
    fn settle(&mut self, _dim: usize) {}

    /// Learns from `x`; the seed is for methods that draw.
    fn fit(&self, x: &Points, seed: u64) -> Result<Self::Model>;

    /// One score a point, each independent of the others unless the method says so. `fitted`: `x` are the very points
    /// that the model was fitted on, in their order; neighbour methods then leave out the point itself.
    fn score(&self, model: &Self::Model, x: &Points, fitted: bool) -> Result<Vec<f64>>;

    /// Of points that the model was fitted on, how far each is from what is normal, and how far from the nearest of `anomalies`, at
    /// least one, that are known and no part of the fit; both in one unit. `None` where the method has no such distances.
    fn distances(&self, _model: &Self::Model, _x: &Points, _anomalies: &Points) -> Result<Option<Distances>> {
        Ok(None)
    }
}

/// How far points are from what is normal, and from the nearest known anomaly.
pub(crate) struct Distances {
    pub own: Vec<f64>,
    pub known: Vec<f64>,
}

impl Distances {
    /// How far a point is from what is normal, and more where it is nearer to a known anomaly than half of the batch: by as much
    /// as it is nearer. Farther ones say nothing of it: to subtract their distance from every score would add the spread of
    /// normals around a point that they have nothing to do with.
    fn scores(&self) -> Vec<f64> {
        let mut sorted = self.known.clone();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        let usual = if n == 0 { 0.0 } else { (sorted[(n - 1) / 2] + sorted[n / 2]) / 2.0 };
        self.own.iter().zip(&self.known).map(|(own, known)| own + (usual - known).max(0.0)).collect()
    }
}

/// The entry of a classical method in the registry.
pub struct Classical<M> {
    spec: &'static MethodSpec,
    method: PhantomData<fn() -> M>,
}

impl<M> Classical<M> {
    pub(crate) const fn new(spec: &'static MethodSpec) -> Self {
        Classical { spec, method: PhantomData }
    }
}

zsad_core::choices! {
    /// What a method is fitted on.
    pub enum FitData {
        /// The unlabelled test batch.
        Batch = "batch",
        /// Normals of the meta-train domains.
        Pool = "pool",
    }
}

zsad_core::params! {
    /// What a method is fitted on, and how much of it.
    pub struct FitOn {
        /// batch: on the unlabelled test batch; pool: on normals of the meta-train domains
        pub fit: FitData = FitData::Batch;
        /// with fit: pool, at most so many normals, drawn at random
        pub pool_samples: usize = 5_000, in 2..=1 << 32;
    }
}

impl FitOn {
    /// At most `pool_samples` normals of the meta-train domains, drawn without replacement, in the order of the data
    /// set; `None` with `fit: batch`.
    pub(crate) fn pool(&self, ctx: &FitContext) -> Result<Option<Vec<SampleRef>>> {
        if self.fit == FitData::Batch {
            return Ok(None);
        }
        let (info, fold) = (ctx.data.info(), ctx.data.fold());
        let normals = |&d: &usize| SampleRef::all(d, Subset::Normal, info.domains[d].normal);
        let all: Vec<SampleRef> = fold.meta_train.iter().flat_map(normals).collect();
        if all.is_empty() {
            return Err(Error::refused("there are no meta-train normals to fit on: use fit: batch"));
        }
        let axes = [("purpose", "classical_pool"), ("dataset", info.name.as_str()), ("fold", fold.name.as_str())];
        let most = self.pool_samples.min(all.len());
        let mut chosen = index::sample(&mut stream(ctx.seed, &axes), all.len(), most).into_vec();
        chosen.sort_unstable();
        Ok(Some(chosen.into_iter().map(|i| all[i]).collect()))
    }
}

impl<M: PointMethod> MethodDef for Classical<M> {
    fn spec(&self) -> &'static MethodSpec {
        self.spec
    }

    fn params(&self) -> Vec<ParamSpec> {
        Both::<M, FitOn>::specs()
    }

    fn supervision(&self) -> Supervision {
        Supervision::InBatch
    }

    fn configure(&self, given: &Given) -> Result<Arc<dyn Method>, Vec<ParamProblem>> {
        Ok(Arc::new(Configured(Both::<M, FitOn>::parse(given)?)))
    }
}

struct Configured<M>(Both<M, FitOn>);

impl<M: PointMethod> Method for Configured<M> {
    fn values(&self) -> Value {
        self.0.values()
    }

    fn resolve(&self, info: &DatasetInfo, _: &Fold) -> Result<Arc<dyn Method>> {
        let mut settled = self.0.clone();
        settled.0.settle(info.modality.shape().iter().product());
        Ok(Arc::new(Configured(settled)))
    }

    fn learns(&self) -> bool {
        self.0.1.fit == FitData::Pool
    }

    fn fit(&self, ctx: &FitContext) -> Result<Box<dyn Detector>> {
        let (method, seed) = (self.0.0.clone(), ctx.seed);
        match self.0.1.pool(ctx)? {
            None => Ok(Box::new(InBatch { method, seed })),
            Some(pool) => Ok(Box::new(OnPool::new(method, seed, Points::new(ctx.data.gather(&pool)?))?)),
        }
    }

    fn restore(&self, state: &State, _: &Environment) -> Result<Box<dyn Detector>> {
        let pool = state.array(POOL)?;
        match (pool.shape(), pool.values()) {
            (&[n, dim], Values::F64(values)) if n > 0 && dim > 0 => {
                let pool = Points::from_values(values.clone(), dim);
                Ok(Box::new(OnPool::new(self.0.0.clone(), state.entry("seed")?, pool)?))
            }
            (shape, _) => {
                Err(Error::failed(format!("`{POOL}` of shape {shape:?} holds no points in double precision")))
            }
        }
    }
}

/// Fits anew on every batch.
struct InBatch<M> {
    method: M,
    seed: u64,
}

impl<M: PointMethod> Detector for InBatch<M> {
    fn score(&self, batch: &Batch) -> Result<Scores> {
        ordered(batch, |x| self.method.score(&self.method.fit(x, self.seed)?, x, true))
    }

    fn score_beside(&self, batch: &Batch, anomalous: &[bool]) -> Result<Option<Scores>> {
        let all = Points::new(batch.samples()?);
        let of = |known: bool| (0..all.len()).filter(|&i| anomalous[i] == known).collect::<Vec<_>>();
        let (rest, anomalies) = (all.select(&of(false)), all.select(&of(true)));
        let order = rest.order();
        let x = rest.reordered(&order);
        let Some(found) = self.method.distances(&self.method.fit(&x, self.seed)?, &x, &anomalies)? else {
            return Ok(None);
        };
        Ok(Some(restored(&order, found.scores())))
    }
}

/// Fitted once, on the pool.
struct OnPool<M: PointMethod> {
    method: M,
    seed: u64,
    pool: Points,
    model: M::Model,
}

/// The name of the saved points.
const POOL: &str = "pool";

impl<M: PointMethod> OnPool<M> {
    fn new(method: M, seed: u64, pool: Points) -> Result<Self> {
        let model = method.fit(&pool, seed)?;
        Ok(OnPool { method, seed, pool, model })
    }
}

impl<M: PointMethod> Detector for OnPool<M> {
    fn score(&self, batch: &Batch) -> Result<Scores> {
        ordered(batch, |x| {
            if x.dim() != self.pool.dim() {
                let (pool, batch) = (self.pool.dim(), x.dim());
                return Err(Error::refused(format!("fitted on samples of {pool} values, and these have {batch}")));
            }
            self.method.score(&self.model, x, false)
        })
    }

    /// The points that it was fitted on: fitting is deterministic, so they and the seed are the whole state.
    fn state(&self) -> Result<Option<State>> {
        let pool = Array::new(vec![self.pool.len(), self.pool.dim()], Values::F64(self.pool.values().to_vec()));
        Ok(Some(State { network: json!({ "seed": self.seed }), arrays: [(POOL.to_owned(), pool)].into() }))
    }

    fn report(&self) -> FitReport {
        let notes = vec![("pool_samples".into(), self.pool.len().to_string())];
        FitReport { notes, ..FitReport::default() }
    }
}

/// Scores the batch in the order of its values.
pub(crate) fn ordered(batch: &Batch, score: impl FnOnce(&Points) -> Result<Vec<f64>>) -> Result<Scores> {
    let x = Points::new(batch.samples()?);
    let order = x.order();
    // A batch may be a table of a million rows: it is held once.
    Ok(restored(&order, score(&x.reordered(&order))?))
}

/// The scores of points in this order, each in the place of its point.
fn restored(order: &[usize], sorted: Vec<f64>) -> Scores {
    let mut scores = vec![0.0; sorted.len()];
    order.iter().zip(sorted).for_each(|(&i, score)| scores[i] = score);
    scores.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_anomaly_raises_what_is_near_to_it_and_nothing_else() {
        let near = Distances { own: vec![1.0, 2.0, 3.0, 4.0], known: vec![9.0, 0.5, 2.5, 7.5] };
        // Half of them are nearer than 5.
        assert_eq!(near.scores(), [1.0, 2.0 + 4.5, 3.0 + 2.5, 4.0]);
    }
}

/// What the tests of the methods call.
#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// Scores of the points that the method was fitted on.
    pub(crate) fn in_batch(method: &impl PointMethod, x: &Points) -> Vec<f64> {
        method.score(&method.fit(x, 0).unwrap(), x, true).unwrap()
    }

    /// Scores of others.
    pub(crate) fn on_pool(method: &impl PointMethod, pool: &Points, x: &Points) -> Vec<f64> {
        method.score(&method.fit(pool, 0).unwrap(), x, false).unwrap()
    }
}
