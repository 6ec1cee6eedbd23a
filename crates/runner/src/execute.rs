//! Runs the outstanding cells of a plan: a fit is trained once and scores all its cells; a failure stays in its cell.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use zsad_core::record::{CellRecord, FitRecord, SCHEMA, Status};
use zsad_core::{Dataset, Device, Error, FitContext, Fitted, Fold, Kind, MethodSpec, Result};

use crate::measure;
use crate::plan::{CellPlan, FitPlan, Plan, State};
use crate::progress::{Board, Task};
use crate::provenance;
use crate::registry::Registry;
use crate::score::{CellInput, Outcome, score_cell};
use crate::store::{MetricRecord, Store, metric_id};

/// How to run; none of it changes a number.
pub struct Options {
    /// Workers: fits run at the same time.
    pub jobs: usize,
    /// Threads of each worker.
    pub threads: usize,
    /// Where tensors live.
    pub device: Device,
    /// Folder for caches that any run may share.
    pub cache: Option<PathBuf>,
}

/// Runs what is outstanding, puts the new records into the plan, and says how many cells failed for their data.
///
/// # Errors
/// Where a record cannot be stored; what goes wrong in a cell is recorded instead.
pub fn execute(plan: &mut Plan, registry: &Registry, store: &Store, options: &Options) -> Result<usize> {
    let mut work: Vec<&FitPlan> = plan.fits.iter().filter(|f| f.is_outstanding()).collect();
    // Long work first, so that no worker is left with a training at the end; otherwise in the file's order.
    work.sort_by_key(|f| !f.trains);
    let workers = options.jobs.min(work.len());
    let cells = |trains| work.iter().filter(|f| f.trains == trains).map(|f| f.outstanding().count()).sum();
    let board = Board::new(cells(true), cells(false));
    if 0 < workers && workers < options.jobs {
        board.say(&format!(
            "{} fits keep {workers} of {} jobs busy; --threads N lets each use more",
            work.len(),
            options.jobs
        ));
    }
    let data_failures = AtomicUsize::new(0);
    let folds = |d: &Result<Arc<dyn Dataset>>| d.as_ref().map_or(0, |d| d.info().folds.len());
    let views = plan.datasets.iter().map(|d| (0..folds(d)).map(|_| OnceLock::new()).collect()).collect();
    let runner = Runner { plan, registry, store, options, board: &board, data_failures: &data_failures, views };
    let next = AtomicUsize::new(0);
    let finished: Mutex<Result<Vec<CellRecord>>> = Mutex::new(Ok(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(fit) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let records = runner.pool().and_then(|pool| pool.install(|| runner.fit(fit)));
                    // Nothing panics while the lock is held.
                    let mut all = finished.lock().unwrap_or_else(|e| e.into_inner());
                    match (records, all.as_mut()) {
                        (Ok(new), Ok(all)) => all.extend(new),
                        (Err(e), Ok(_)) => *all = Err(e),
                        (_, Err(_)) => {}
                    }
                    if all.is_err() {
                        next.store(work.len(), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    runner.later_metrics()?;
    board.finish();
    let finished = finished.into_inner().unwrap_or_else(|e| e.into_inner())?;
    plan.records.extend(finished.into_iter().map(|r| (r.cell_key.clone(), r)));
    Ok(data_failures.into_inner())
}

struct Runner<'a> {
    plan: &'a Plan,
    registry: &'a Registry,
    store: &'a Store,
    options: &'a Options,
    board: &'a Board,
    data_failures: &'a AtomicUsize,
    /// The data sets as their folds read them, by data set and fold.
    views: Vec<Vec<View>>,
}

/// A data set as one of its folds reads it, made when it is first asked for.
type View = OnceLock<Result<Arc<dyn Dataset>, Failure>>;

/// Why a cell has no scores.
#[derive(Clone)]
struct Failure {
    status: Status,
    message: String,
    /// Whether a data file is missing or damaged.
    data: bool,
}

/// A detector ready to score, and the seconds of its training where there was one.
type Ready = (Box<dyn Fitted>, Option<f64>);

impl Runner<'_> {
    /// A pool of one worker's own; results do not depend on its size.
    fn pool(&self) -> Result<rayon::ThreadPool> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.options.threads).build();
        pool.map_err(|e| Error::failed(format!("cannot start {} threads: {e}", self.options.threads)))
    }

    /// Trains or loads, then scores every outstanding cell of `fit`.
    fn fit(&self, fit: &FitPlan) -> Result<Vec<CellRecord>> {
        let task = self.board.task(label(fit), fit.trains);
        let dataset = self.plan.datasets[fit.dataset].as_ref();
        let ready = dataset
            .map_err(Failure::from)
            .and_then(|d| self.views[fit.dataset][fit.fold].get_or_init(|| guarded(|| view(d, fit.fold))).clone())
            .and_then(|d| guarded(|| self.ready(fit, d.as_ref(), &task)).map(|r| (d, r)));
        let seconds = ready.as_ref().ok().and_then(|(_, (_, seconds))| *seconds);
        let mut records = Vec::new();
        for cell in fit.outstanding() {
            let scored = match &ready {
                Ok((dataset, (fitted, _))) => guarded(|| self.cell(fit, cell, dataset.as_ref(), fitted.as_ref())),
                Err(failure) => Err(failure.clone()),
            };
            records.push(self.record(fit, cell, scored, seconds)?);
            task.cell();
        }
        let outcomes: Vec<_> = records.iter().map(|r| (r.status, r.error.clone())).collect();
        task.finish(&outcomes, seconds);
        Ok(records)
    }

    /// The detector of this fit: from the disk where it was trained before, else fitted and, if trained, stored.
    fn ready(&self, fit: &FitPlan, dataset: &dyn Dataset, task: &Task) -> Result<Ready> {
        applies(fit.method.def.spec(), &dataset.info().kind)?;
        let method = fit.method.def.build(&fit.method.params)?;
        let device = self.options.device;
        if fit.trains
            && let Some(record) = self.store.fit(&fit.key)?
        {
            match method.load(&self.store.model_path(&fit.key), device) {
                Ok(fitted) => return Ok((fitted, Some(record.fit_seconds))),
                Err(e) => self.board.say(&format!("{}: {e}; training again", label(fit))),
            }
        }
        let (fold, seed) = (self.fold(fit, dataset), fit.seed);
        let cache = self.options.cache.as_deref();
        let start = Instant::now();
        let fitted = method.fit(&FitContext { dataset, fold, seed, device, cache, progress: task })?;
        if !fit.trains {
            return Ok((fitted, None));
        }
        let fit_seconds = start.elapsed().as_secs_f64();
        let id = &fit.cells[0].id;
        let record = FitRecord {
            schema: SCHEMA,
            fit_key: fit.key.clone(),
            dataset: id.dataset.clone(),
            dataset_params: id.dataset_params.clone(),
            fold: id.fold.clone(),
            method: id.method.clone(),
            method_version: id.method_version,
            params: id.params.clone(),
            seed,
            fit_seconds,
            report: fitted.report(),
            provenance: provenance::of_record(device, self.options.threads),
        };
        self.store.put_fit(&record, |path: &Path| fitted.save(path))?;
        Ok((fitted, Some(fit_seconds)))
    }

    fn cell(&self, fit: &FitPlan, cell: &CellPlan, dataset: &dyn Dataset, fitted: &dyn Fitted) -> Result<Outcome> {
        let input = CellInput {
            dataset,
            fold: self.fold(fit, dataset),
            point: &cell.id.point,
            seed: fit.seed,
            shots: fit.method.def.shots(&fit.method.params),
            cache: self.options.cache.as_deref(),
            metrics: self.registry.metrics,
        };
        score_cell(fitted, &input)
    }

    fn fold<'d>(&self, fit: &FitPlan, dataset: &'d dyn Dataset) -> &'d Fold {
        &dataset.info().folds[fit.fold]
    }

    /// Stores what came of a cell.
    fn record(
        &self,
        fit: &FitPlan,
        cell: &CellPlan,
        scored: Result<Outcome, Failure>,
        fit_seconds: Option<f64>,
    ) -> Result<CellRecord> {
        let (status, error, outcome) = match scored {
            Ok(outcome) => (Status::Ok, None, Some(outcome)),
            Err(failure) => {
                self.data_failures.fetch_add(usize::from(failure.data), Ordering::Relaxed);
                (failure.status, Some(failure.message), None)
            }
        };
        let seconds = outcome.as_ref().map(|o| o.seconds);
        let (domains, rows) = outcome.map_or_else(Default::default, |o| (o.domains, o.rows));
        let dataset = self.plan.datasets[fit.dataset].as_ref();
        let record = CellRecord {
            schema: SCHEMA,
            cell_key: cell.key.clone(),
            fit_key: fit.key.clone(),
            cell: cell.id.clone(),
            status,
            error,
            domains,
            metrics: self.registry.metrics.iter().map(|m| metric_id(m.spec())).collect(),
            fit_seconds,
            score_seconds: seconds,
            notes: dataset.map_or_else(|_| Vec::new(), |d| d.info().notes.clone()),
            provenance: provenance::of_record(self.options.device, self.options.threads),
        };
        self.store.put_record(&record, &rows)?;
        Ok(record)
    }

    /// Computes the metrics that are newer than the finished records, from the stored scores alone.
    fn later_metrics(&self) -> Result<()> {
        for cell in self.plan.cells() {
            let State::Cached(metrics) = &cell.state else { continue };
            if metrics.is_empty() {
                continue;
            }
            let results = measure::by_domain(&self.store.scores(&cell.key)?, cell.id.point.pooling, metrics);
            for metric in metrics {
                let name = metric.spec().name;
                let value = |d: &zsad_core::record::DomainResult| d.metrics.get(name).copied().flatten();
                self.store.put_metric(&MetricRecord {
                    schema: SCHEMA,
                    cell_key: cell.key.clone(),
                    metric: metric_id(metric.spec()),
                    domains: results.iter().map(|d| (d.domain.clone(), value(d))).collect(),
                })?;
            }
        }
        Ok(())
    }
}

/// The data set as `fold` reads it.
fn view(dataset: &Arc<dyn Dataset>, fold: usize) -> Result<Arc<dyn Dataset>> {
    let own = dataset.in_fold(&dataset.info().folds[fold])?;
    Ok(own.unwrap_or_else(|| dataset.clone()))
}

/// Method, data set and seed, as a person knows the fit.
fn label(fit: &FitPlan) -> String {
    let id = &fit.cells[0].id;
    let fold = if id.fold.is_empty() { String::new() } else { format!(" ({})", id.fold) };
    format!("{} on {}{fold}, seed {}", id.method, id.dataset_shown(), id.seed)
}

/// Whether a method takes samples of this kind.
///
/// # Errors
/// [`Error::Refused`] where it does not.
pub fn applies(spec: &MethodSpec, kind: &Kind) -> Result<()> {
    match kind {
        Kind::Image { .. } if !spec.needs.image => Err(Error::refused("it takes rows and features, not images")),
        Kind::Tabular { .. } if !spec.needs.tabular => Err(Error::refused("it takes images, not rows or features")),
        _ => Ok(()),
    }
}

impl From<&Error> for Failure {
    fn from(e: &Error) -> Self {
        let status = if matches!(e, Error::Refused(_)) { Status::Refused } else { Status::Failed };
        Failure { status, message: e.to_string(), data: matches!(e, Error::Data { .. }) }
    }
}

/// Runs `work`; a panic is a failure like any other.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T, Failure> {
    // What a panic leaves half done is dropped with the cell.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|e| Failure::from(&e)),
        Err(payload) => {
            let message = format!("panicked: {}", panic_message(payload.as_ref()));
            Err(Failure { status: Status::Failed, message, data: false })
        }
    }
}

fn panic_message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

#[cfg(test)]
mod tests;
