//! What the classical methods share: fitted on the batch itself, or on pooled normals of the meta-train domains.
//!
//! A method is a function that fits a [`Detector`] to points; this does the rest. A batch is put into the order of its
//! values first and the scores are put back, so that permuting a batch permutes its scores to the last bit, whatever
//! the order of sums or the choice between equal distances.

pub(crate) mod linalg;
pub(crate) mod neighbours;
pub(crate) mod points;
mod pool_file;
pub(crate) mod smo;
pub(crate) mod tails;
#[cfg(test)]
pub(crate) mod testing;

use std::path::Path;

use rand::seq::index;
use zsad_core::rng::stream;
use zsad_core::{
    Device, Error, FitContext, FitReport, Fitted, Method, MethodDef, MethodSpec, ParamDefault, ParamKind, ParamSpec,
    Params, Pool, Result, SampleRef, Scores, Setting, TestBatch,
};

pub(crate) use points::Points;

/// What a classical method learned from some points.
pub(crate) trait Detector: Send + Sync {
    /// One score a point, each independent of the others unless the method says so.
    fn score(&self, x: &Points) -> Result<Vec<f64>>;

    /// Scores of the very points that it was fitted on, in their order; neighbour methods leave out the point itself.
    fn score_fitted(&self, x: &Points) -> Result<Vec<f64>> {
        self.score(x)
    }
}

/// Fits a method to points with its parameters; the seed is for those that draw.
pub(crate) type Fit = fn(&Params, &Points, u64) -> Result<Box<dyn Detector>>;

/// The entry of a classical method in the registry.
pub struct Classical {
    pub(crate) spec: &'static MethodSpec,
    pub(crate) fit: Fit,
}

pub(crate) const FIT: ParamSpec = ParamSpec {
    name: "fit",
    doc: "batch: on the unlabelled test batch; pool: on normals of the meta-train domains",
    kind: ParamKind::Choice(&["batch", "pool"]),
    default: ParamDefault::Text("batch"),
};
pub(crate) const POOL_SAMPLES: ParamSpec = ParamSpec {
    name: "pool_samples",
    doc: "with fit: pool, at most so many normals, drawn at random",
    kind: ParamKind::Int { min: 2, max: 1 << 32 },
    default: ParamDefault::Int(5_000),
};

/// The setting that the parameter `fit` makes.
pub(crate) fn setting(params: &Params) -> Setting {
    if params.text("fit") == "pool" { Setting::ZeroShot } else { Setting::InBatch }
}

impl MethodDef for Classical {
    fn spec(&self) -> &'static MethodSpec {
        self.spec
    }

    fn setting(&self, params: &Params) -> Setting {
        setting(params)
    }

    fn build(&self, params: &Params) -> Result<Box<dyn Method>> {
        Ok(Box::new(Configured { spec: self.spec, fit: self.fit, params: params.clone() }))
    }
}

#[derive(Clone)]
struct Configured {
    spec: &'static MethodSpec,
    fit: Fit,
    params: Params,
}

impl Method for Configured {
    fn trains(&self) -> bool {
        setting(&self.params) == Setting::ZeroShot
    }

    fn fit(&self, ctx: &FitContext) -> Result<Box<dyn Fitted>> {
        if !self.trains() {
            return Ok(Box::new(InBatch { method: self.clone(), seed: ctx.seed }));
        }
        let pool = pool(ctx, self.params.size("pool_samples"))?;
        self.on_pool(pool, ctx.seed)
    }

    fn load(&self, path: &Path, _device: Device) -> Result<Box<dyn Fitted>> {
        let file = pool_file::load(path, self.spec)?;
        let given = serde_json::from_value(file.header.params).map_err(|e| pool_file::damaged(path, e))?;
        let params = Params::validate(self.spec.params, &given)
            .map_err(|problems| pool_file::damaged(path, problems.iter().map(|p| &*p.message).collect::<String>()))?;
        Configured { params, ..self.clone() }.on_pool(file.pool, file.header.seed)
    }
}

impl Configured {
    fn on_pool(&self, pool: Points, seed: u64) -> Result<Box<dyn Fitted>> {
        let detector = (self.fit)(&self.params, &pool, seed)?;
        Ok(Box::new(OnPool { method: self.clone(), seed, pool, detector }))
    }
}

/// The points of [`pool_refs`].
fn pool(ctx: &FitContext, most: usize) -> Result<Points> {
    Ok(Points::new(&ctx.dataset.gather(&pool_refs(ctx, most)?)?))
}

/// At most `most` normals of the meta-train domains, drawn without replacement, in the order of the data set.
pub(crate) fn pool_refs(ctx: &FitContext, most: usize) -> Result<Vec<SampleRef>> {
    let info = ctx.dataset.info();
    let sizes = || ctx.fold.meta_train.iter().map(|&d| (d as u32, info.domains[d].normal as u32));
    let all: Vec<SampleRef> = sizes()
        .flat_map(|(domain, n)| (0..n).map(move |index| SampleRef { domain, pool: Pool::Normal, index }))
        .collect();
    if all.is_empty() {
        return Err(Error::refused("there are no meta-train normals to fit on: use fit: batch"));
    }
    let axes = [("purpose", "classical_pool"), ("dataset", info.name.as_str()), ("fold", ctx.fold.name.as_str())];
    let mut chosen = index::sample(&mut stream(ctx.seed, &axes), all.len(), most.min(all.len())).into_vec();
    chosen.sort_unstable();
    Ok(chosen.into_iter().map(|i| all[i]).collect())
}

/// Fits anew on every batch.
struct InBatch {
    method: Configured,
    seed: u64,
}

impl Fitted for InBatch {
    fn score(&self, batch: &TestBatch) -> Result<Scores> {
        ordered(batch, |x| (self.method.fit)(&self.method.params, x, self.seed)?.score_fitted(x))
    }

    fn save(&self, path: &Path) -> Result<()> {
        Err(Error::failed(format!("{}: a method that fits on the batch has nothing to save", path.display())))
    }
}

/// Fitted once, on the pool.
struct OnPool {
    method: Configured,
    seed: u64,
    pool: Points,
    detector: Box<dyn Detector>,
}

impl Fitted for OnPool {
    fn score(&self, batch: &TestBatch) -> Result<Scores> {
        ordered(batch, |x| {
            if x.dim() != self.pool.dim() {
                let (pool, batch) = (self.pool.dim(), x.dim());
                return Err(Error::refused(format!("fitted on samples of {pool} values, and these have {batch}")));
            }
            self.detector.score(x)
        })
    }

    /// The points that it was fitted on: fitting is deterministic, so they and the seed are the whole state.
    fn save(&self, path: &Path) -> Result<()> {
        pool_file::save(path, self.method.spec, &self.method.params, self.seed, &self.pool)
    }

    fn report(&self) -> FitReport {
        let notes = vec![("pool_samples".into(), self.pool.len().to_string())];
        FitReport { notes, ..FitReport::default() }
    }
}

/// Scores the batch in the order of its values.
fn ordered(batch: &TestBatch, score: impl FnOnce(&Points) -> Result<Vec<f64>>) -> Result<Scores> {
    let x = Points::new(&batch.samples()?);
    let order = x.order();
    let sorted = score(&x.select(&order))?;
    let mut scores = vec![0.0; sorted.len()];
    for (&i, score) in order.iter().zip(sorted) {
        if !score.is_finite() {
            return Err(Error::failed(format!("the score of sample {i} is {score}")));
        }
        scores[i] = score;
    }
    Ok(scores.into())
}
