//! `zsad plan`: what would run, what is cached, and why a cell is not.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::Result;
use zsad_store::{CellRecord, ModelStore, RunFolder};

use super::data::missing;
use super::{ExperimentArgs, counted, launch};
use crate::exit::Exit;
use crate::library::Library;
use crate::plan::{self, PlannedFit};
use crate::registry::Registry;
use crate::results::later_metrics;

const EXAMPLES: &str = "\
Examples:
  zsad plan experiments/quickstart.yaml
  zsad plan experiments/acr_omniglot.yaml --profile small --json

For every fit with cells to run it says why they are not cached: which part of their key differs from the nearest
finished record, such as `params.k 5 -> 7`, `method version 1 -> 2`, `data: mnist/train-images-idx3-ubyte.gz changed` or
`weights/efficientnet_lite0.safetensors changed`. `new`: nothing of the kind was ever run here. Parameters stand at the
values that they will truly have: what is left to the data is settled from its shape.";

/// Say what a run would do: which cells are cached, which not, and why
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Plan {
    #[command(flatten)]
    experiment: ExperimentArgs,
    /// As JSON, cached cells too
    #[arg(long)]
    json: bool,
}

impl Plan {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let (experiment, folder) = self.experiment.load()?;
        let (env, store) = self.experiment.locations.open(self.experiment.rehash)?;
        let library = Library::new(Registry::built_in());
        let (plan, records) = launch::planned(&experiment, &library, &env, &folder)?;
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&plan.to_json())?)?;
            return Ok(exit(&plan));
        }
        let exit = print(&plan, &records, &folder, &store, out)?;
        missing::tell(&experiment, &zsad_data::manifest::all()?, &env);
        Ok(exit)
    }
}

/// Tells of data sets that cannot be used.
fn exit(plan: &plan::Plan) -> Exit {
    match plan.unusable.len() {
        0 => Exit::Success,
        n if n == plan.datasets => Exit::Data,
        _ => Exit::SomeFailed,
    }
}

/// Says which data sets cannot be used, and which domains are too small.
pub fn tell(plan: &plan::Plan) {
    for (name, error) in &plan.unusable {
        super::note(format_args!("error: {name}: {error}"));
    }
    for line in &plan.too_small {
        super::note(line);
    }
}

/// Prints `plan`; the exit code tells of data sets that cannot be used.
pub fn print(
    plan: &plan::Plan,
    records: &BTreeMap<String, CellRecord>,
    folder: &RunFolder,
    store: &ModelStore,
    out: &mut impl Write,
) -> Result<Exit> {
    let cells = plan.asked().count();
    let outstanding = plan.outstanding();
    let waiting = || plan.fits.iter().filter(|f| f.outstanding().next().is_some());
    let mut trainings = 0;
    let mut lines = Vec::new();
    for fit in waiting() {
        let id = &fit.job.id;
        let fold = if id.fold.is_empty() { String::new() } else { format!(" ({})", id.fold) };
        let trained = match (fit.job.learns, store.fit(&fit.job.key)?) {
            (false, _) => "",
            (true, Some(_)) => ", trained before",
            (true, None) => {
                trainings += 1;
                ", training"
            }
        };
        let (dataset, n) = (&fit.job.cells[0].asked.dataset, fit.outstanding().count());
        lines.push(format!(
            "  run   {dataset}{fold}  {}  seed {}  {}{trained}",
            name(fit),
            id.seed,
            counted(n, "cell")
        ));
        for (reason, n) in reasons(fit) {
            lines.push(format!("          {n} × {reason}"));
        }
    }
    writeln!(out, "{} in {}", plan.experiment, folder.root().display())?;
    let (all, trainings) = (counted(cells, "cell"), counted(trainings, "training"));
    writeln!(out, "{all}: {} cached, {outstanding} to run, with {trainings}", cells - outstanding)?;
    for line in lines {
        writeln!(out, "{line}")?;
    }
    let mut later: BTreeMap<&str, usize> = BTreeMap::new();
    for record in plan.asked().filter_map(|c| records.get(&c.key)) {
        for metric in later_metrics(record, &Registry::built_in(), folder)? {
            *later.entry(metric.spec.name).or_default() += 1;
        }
    }
    for (metric, n) in later {
        writeln!(out, "  metric {metric} from the stored scores of {}", counted(n, "cell"))?;
    }
    tell(plan);
    Ok(exit(plan))
}

/// The method with those of its parameters that are not the defaults, at the values truly used.
fn name(fit: &PlannedFit) -> String {
    let id = &fit.job.id.method;
    let specs = Registry::built_in().method(&id.name).map(|def| def.params()).unwrap_or_default();
    let changed = specs.iter().filter(|p| id.params[p.name] != p.default.to_json());
    let changed: Vec<String> = changed.map(|p| format!("{}: {}", p.name, id.params[p.name])).collect();
    let label = fit.job.method();
    if changed.is_empty() { label.to_owned() } else { format!("{label} {{{}}}", changed.join(", ")) }
}

/// Why the outstanding cells of a fit are not cached, with how many each reason has.
fn reasons(fit: &PlannedFit) -> BTreeMap<&str, usize> {
    let mut reasons = BTreeMap::new();
    for (_, state) in fit.outstanding() {
        *reasons.entry(state.reason()).or_default() += 1;
    }
    reasons
}
