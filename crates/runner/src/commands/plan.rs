//! `zsad plan`: what would run, what is cached, and why a cell is not.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::Result;

use super::Target;
use crate::exit::Exit;
use crate::plan::{self, FitPlan, State};
use crate::registry::Registry;
use crate::store::Store;

const EXAMPLES: &str = "\
Examples:
  zsad plan experiments/quickstart.yaml
  zsad plan experiments/acr_omniglot.yaml --profile small

For every fit with cells to run it says why they are not cached: which part of their key differs from the nearest
finished record, such as `params.k 5 -> 7` or `method version 1 -> 2`. `new`: nothing of the kind was ever run here.";

/// Say what a run would do: which cells are cached, which not, and why
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Plan {
    #[command(flatten)]
    target: Target,
}

impl Plan {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let (experiment, store, data) = self.target.load()?;
        let plan = plan::Plan::new(&experiment, &Registry::BUILT_IN, &data, &store)?;
        print(&plan, &store, out)
    }
}

/// Prints `plan`; the exit code tells of data sets that cannot be opened.
pub fn print(plan: &plan::Plan, store: &Store, out: &mut impl Write) -> Result<Exit> {
    let cells = plan.cells().count();
    let outstanding = plan.outstanding();
    let trainings = plan.fits.iter().filter(|f| f.trains && f.is_outstanding()).count();
    writeln!(out, "{} in {}", plan.experiment, store.root().display())?;
    writeln!(out, "{cells} cells: {} cached, {outstanding} to run, with {trainings} trainings", cells - outstanding)?;
    for fit in plan.fits.iter().filter(|f| f.is_outstanding()) {
        let id = &fit.cells[0].id;
        let fold = if id.fold.is_empty() { String::new() } else { format!(" ({})", id.fold) };
        let trained = match (fit.trains, store.fit(&fit.key)?) {
            (false, _) => "",
            (true, None) => ", training",
            (true, Some(_)) => ", trained before",
        };
        let n = fit.outstanding().count();
        writeln!(out, "  run   {}{fold}  {}  seed {}  {n} cells{trained}", id.dataset_shown(), name(fit), id.seed)?;
        for (reason, n) in reasons(fit) {
            writeln!(out, "          {n} × {reason}")?;
        }
    }
    let mut later: BTreeMap<&str, usize> = BTreeMap::new();
    for cell in plan.cells() {
        if let State::Cached(metrics) = &cell.state {
            metrics.iter().for_each(|m| *later.entry(m.spec().name).or_default() += 1);
        }
    }
    for (metric, n) in later {
        writeln!(out, "  metric {metric} from the stored scores of {n} cells")?;
    }
    for error in plan.data_errors() {
        super::note(format_args!("error: {error}"));
    }
    Ok(match plan.data_errors().count() {
        0 => Exit::Well,
        n if n == plan.datasets.len() => Exit::Data,
        _ => Exit::SomeFailed,
    })
}

/// The method with those of its parameters that are not the defaults.
fn name(fit: &FitPlan) -> String {
    let spec = fit.method.def.spec();
    let params = fit.method.params.to_json();
    let changed = spec.params.iter().filter(|p| params[p.name] != p.default.to_json());
    let changed: Vec<String> = changed.map(|p| format!("{}: {}", p.name, params[p.name])).collect();
    if changed.is_empty() { spec.name.into() } else { format!("{} {{{}}}", spec.name, changed.join(", ")) }
}

/// Why the outstanding cells of a fit are not cached, with how many each reason has.
fn reasons(fit: &FitPlan) -> BTreeMap<&str, usize> {
    let mut reasons = BTreeMap::new();
    for cell in fit.outstanding() {
        if let State::Outstanding(why) = &cell.state {
            *reasons.entry(why.as_str()).or_default() += 1;
        }
    }
    reasons
}
