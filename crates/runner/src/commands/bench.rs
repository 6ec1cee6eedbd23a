//! `zsad bench`: how long methods take and how much memory they want, each in a process of its own.

mod shown;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::{Deserialize, Serialize};
use zsad_core::detector::adapted_beside;
use zsad_core::job::{CellJob, FitJob};
use zsad_core::{Batch, Environment, Error, LabelledBatch, SampleRef, Shots, Unlabelled, file};
use zsad_data::sampler;
use zsad_data::shift::Shifted;
use zsad_report::plots::{Style, cost};

use super::{ExperimentArgs, launch, note};
use crate::evaluate::abnormal::{self, Given};
use crate::executor::fit::{Bench as Workbench, Ready};
use crate::exit::Exit;
use crate::library::Library;
use crate::plan::Plan;
use crate::registry::Registry;
use shown::{panels, table};

const EXAMPLES: &str = "\
Examples:
  zsad bench experiments/quickstart.yaml
  zsad bench experiments/resad_industrial.yaml --profile small --repeat 20
  zsad bench experiments/floors.yaml --json

Of every method on every data set and protocol point one cell is measured, of the first fold and seed, one after the other and
each in a fresh process with one thread. What trains is trained first, or taken from the store. cold: the first batch; p50, p95:
milliseconds of a batch, from reading its samples to its scores; features: the part of them that a frozen network takes, which
a run does once; peak_mb: the most memory that the process held (Linux alone); model_mb: trained model and frozen weights.
The table is printed, and kept as bench.csv and bench.md in the run's folder, where plots/auroc_milliseconds shows it against the
results' AUROC if the experiment was run there. Nothing of it is part of any key or record.";

/// Measure latency, throughput, memory and model size of every method of an experiment
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Bench {
    #[command(flatten)]
    experiment: ExperimentArgs,
    /// How often each batch is scored
    #[arg(long, value_name = "N", default_value = "10", value_parser = super::from_one)]
    repeat: std::num::NonZero<usize>,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Measure the cell of this key in this process
    #[arg(long, value_name = "KEY", hide = true)]
    cell: Option<String>,
}

/// What was measured of one cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Measured {
    dataset: String,
    method: String,
    params: serde_json::Value,
    batch_size: String,
    contamination: Option<f64>,
    shift: String,
    samples: usize,
    cold_ms: f64,
    p50_ms: f64,
    p95_ms: f64,
    ms_per_sample: f64,
    samples_per_second: f64,
    features_ms: Option<f64>,
    peak_mb: Option<f64>,
    model_mb: f64,
    parameters: u64,
}

impl Bench {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let (experiment, folder) = self.experiment.load()?;
        let (env, store) = self.experiment.locations.open_to_compute(self.experiment.rehash)?;
        let env = Environment { threads: 1, ..env };
        let (registry, library) = (Registry::built_in(), Library::new(Registry::built_in()));
        let (plan, _) = launch::planned(&experiment, &library, &env, &folder)?;
        let checkpoint_every = Duration::from_secs(600);
        let bench = Workbench {
            registry: &registry,
            library: &library,
            env: &env,
            folder: &folder,
            store: &store,
            checkpoint_every,
        };
        if let Some(key) = &self.cell {
            let (job, cell) = find(&plan, key)?;
            let measured = measure(job, cell, &bench, self.repeat.get())?;
            writeln!(out, "{}", serde_json::to_string(&measured)?)?;
            return Ok(Exit::Success);
        }
        let (mut all, mut failed) = (Vec::new(), false);
        for key in firsts(&plan) {
            let child = Command::new(std::env::current_exe()?)
                .args(std::env::args_os().skip(1))
                .args(["--cell", key])
                .stderr(Stdio::inherit())
                .output()?;
            match serde_json::from_slice::<Measured>(&child.stdout) {
                Ok(measured) => all.push(measured),
                Err(_) => failed = true,
            }
        }
        if all.is_empty() {
            return Err(Error::failed("nothing could be measured").into());
        }
        let table = table(&all);
        file::write(&folder.root().join("bench.csv"), table.csv().as_bytes())?;
        let page = format!("# {}: time and memory\n\n{}", experiment.name, table.markdown());
        file::write(&folder.root().join("bench.md"), page.as_bytes())?;
        match self.json {
            true => writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?,
            false => write!(out, "{}", table.markdown())?,
        }
        note(format_args!("{}", folder.root().join("bench.csv").display()));
        for path in cost::write(folder.root(), &panels(&all, folder.root()), &Style::default())? {
            note(format_args!("{}", path.display()));
        }
        Ok(if failed { Exit::SomeFailed } else { Exit::Success })
    }
}

/// The cell of a key, and its fit.
fn find<'p>(plan: &'p Plan, key: &str) -> zsad_core::Result<(&'p FitJob, &'p CellJob)> {
    let all = plan.fits.iter().flat_map(|fit| fit.job.cells.iter().map(move |cell| (&fit.job, cell)));
    let found = all.into_iter().find(|(_, cell)| cell.key == key);
    found.ok_or_else(|| Error::Config(format!("the experiment has no cell {key}")))
}

/// The first cell of every data set, method and point.
fn firsts(plan: &Plan) -> Vec<&str> {
    let mut seen = std::collections::BTreeSet::new();
    let new = |cell: &&CellJob| {
        let point = &cell.id.point;
        let place = (point.size.to_column(), point.contamination.to_string(), point.shift.map(|s| s.to_string()));
        seen.insert((cell.asked.dataset.clone(), cell.method().to_owned(), cell.asked.params.to_string(), place))
    };
    plan.cells().filter(|cell| cell.id.point.labels.is_none()).filter(new).map(|cell| cell.key.as_str()).collect()
}

/// What is timed: one batch with its references.
struct Timed<'a> {
    ready: &'a Ready,
    source: &'a Unlabelled<'a>,
    support: Vec<SampleRef>,
    abnormal: Option<Given>,
    items: Vec<SampleRef>,
}

impl Timed<'_> {
    /// Milliseconds from the batch to its scores; the references were looked at before.
    fn time(&self, repeat: usize, env: &Environment) -> zsad_core::Result<Vec<f64>> {
        let fitted = self.ready.detector.as_ref();
        let abnormal = self.abnormal.as_ref().map(|given| given.to_method(self.source, env));
        let references = Batch::new(self.source, &self.support, env);
        let own = adapted_beside(fitted, self.ready.shots, &references, abnormal.as_ref())?;
        let detector = own.as_deref().unwrap_or(fitted);
        let mut times = Vec::new();
        for _ in 0..=repeat {
            let start = Instant::now();
            detector.score(&Batch::new(self.source, &self.items, env))?;
            times.push(1000.0 * start.elapsed().as_secs_f64());
        }
        Ok(times)
    }
}

fn measure(job: &FitJob, cell: &CellJob, bench: &Workbench, repeat: usize) -> zsad_core::Result<Measured> {
    let ready = bench.ready(job, cell, &|_| {})?;
    let (view, fold) = bench.view(job, cell)?;
    let (point, seed) = (&cell.id.point, cell.id.seed());
    let fold = &view.info().folds[fold];
    let fits = |d: &&usize| sampler::counts(view.info(), fold, **d, point).is_ok();
    let large = fold.meta_test.iter().find(fits);
    let &domain = large.ok_or_else(|| Error::refused("no domain is large enough for a batch"))?;
    let batches = sampler::test_batches(view.as_ref(), fold, domain, point, seed)?;
    let batch: &LabelledBatch<SampleRef> = &batches[0];
    let support = match ready.shots {
        Shots::Number(0) => Vec::new(),
        shots => sampler::support(view.as_ref(), domain, shots, point.reference_seed.unwrap_or(seed), &batch.items)?,
    };
    let shifted = point.shift.map(|by| Shifted::new(view.clone(), by)).transpose()?;
    let items = shifted.as_ref().map_or_else(|| batch.items.clone(), |s| s.batch(fold, point, seed, batch).0);
    let source = match &shifted {
        Some(shifted) => Unlabelled::new(shifted),
        None => Unlabelled::new(view.as_ref()),
    };
    let abnormal = abnormal::given(view.as_ref(), domain, point, seed)?;
    let timed = Timed { ready: &ready, source: &source, support, abnormal, items };
    // Without a cache features are computed anew every time; with one, only the first time.
    let bare = Environment { cache: None, ..bench.env.clone() };
    let times = timed.time(repeat, &bare)?;
    let (cold_ms, mut warm) = (times[0], times[1..].to_vec());
    warm.sort_by(f64::total_cmp);
    let at = |sorted: &[f64], q: f64| sorted[((sorted.len() - 1) as f64 * q).round() as usize];
    let (p50_ms, p95_ms) = (at(&warm, 0.5), at(&warm, 0.95));
    let def = bench.registry.method(&job.id.method.name);
    let features_ms = match def.is_some_and(|def| def.placement().features) {
        false => None,
        true => {
            let folder = tempfile::tempdir().map_err(|e| Error::failed(format!("a temporary folder: {e}")))?;
            let cached = Environment { cache: Some(folder.path().to_owned()), ..bench.env.clone() };
            let mut kept = timed.time(repeat, &cached)?[1..].to_vec();
            kept.sort_by(f64::total_cmp);
            Some((p50_ms - at(&kept, 0.5)).max(0.0))
        }
    };
    let fit = bench.store.fit(&job.key)?;
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |m| m.len());
    let (_, method) = bench.method(job)?;
    let weights: u64 = method.artifacts(bench.env)?.iter().map(|path| size(path)).sum();
    let n = batch.items.len();
    Ok(Measured {
        dataset: cell.asked.dataset.clone(),
        method: cell.method().to_owned(),
        params: cell.asked.params.clone(),
        batch_size: point.size.to_column(),
        contamination: point.contamination.ratio(),
        shift: zsad_core::Shift::to_column(point.shift),
        samples: n,
        cold_ms,
        p50_ms,
        p95_ms,
        ms_per_sample: p50_ms / n as f64,
        samples_per_second: 1000.0 * n as f64 / p50_ms,
        features_ms,
        peak_mb: peak_mb(),
        model_mb: (size(&bench.store.model_path(&job.key)) + weights) as f64 / 1e6,
        parameters: fit.map_or(0, |fit| fit.report.parameters),
    })
}

/// The most memory that this process held, in MB of 10⁶ bytes; `None` where the system does not say.
fn peak_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}
