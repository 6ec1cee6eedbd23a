//! `zsad plan`: what would run, what is cached, and why a cell is not.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use anyhow::Result;
use zsad_store::{CellRecord, ModelStore, RunFolder};

use super::data::missing;
use super::{ExperimentArgs, counted, launch};
use crate::cost::Costs;
use crate::exit::Exit;
use crate::library::Library;
use crate::plan::{self, PlannedFit};
use crate::progress;
use crate::registry::Registry;
use crate::results::later_metrics;

const EXAMPLES: &str = "\
Examples:
  zsad plan experiments/quickstart.yaml
  zsad plan experiments/acr_omniglot.yaml --profile small --json
  zsad plan experiments/quickstart.yaml --power 1      seeds and domains that one point needs, once it was run

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
    /// Instead: how many domains and seeds a difference of so many points of AUROC needs to be found (at 5 %, with a chance
    /// of 80 %), from the spread of what was measured already
    #[arg(long, value_name = "POINTS", conflicts_with = "json", value_parser = points)]
    power: Option<f64>,
}

impl Plan {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let (experiment, folder) = self.experiment.load()?;
        if let Some(points) = self.power {
            return power(&folder, points, out);
        }
        let (env, store) = self.experiment.locations.open(self.experiment.rehash);
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

fn points(text: &str) -> Result<f64, String> {
    let points = text.parse().ok().filter(|p| (0.0..=100.0).contains(p) && *p > 0.0);
    points.ok_or_else(|| "want points of AUROC, above 0 and up to 100, such as 1.5".into())
}

/// Pairs that are printed at most.
const PAIRS: usize = 20;

/// Prints what a difference of so many points needs, the neediest pairs first.
fn power(folder: &RunFolder, points: f64, out: &mut impl Write) -> Result<Exit> {
    let rows = zsad_store::read_results(folder.root())?;
    let needs = zsad_report::power::needs(&rows, &zsad_metrics::AUROC.spec, points / 100.0)?;
    writeln!(
        out,
        "A difference of {points} points of AUROC, found at 5 % with a chance of 80 %; from {}:",
        folder.root().display()
    )?;
    let number = |n: Option<usize>| n.map_or("–".to_owned(), |n| n.to_string());
    let pair = |need: &zsad_report::power::Need| format!("{} – {}", need.a, need.b);
    let width = needs.iter().take(PAIRS).map(|need| pair(need).chars().count()).max().unwrap_or(0).max(4);
    let mut line = |cells: [&str; 5]| {
        let [pair, measured, finds, domains, seeds] = cells;
        writeln!(out, "  {pair:<width$}  {measured:<22}  {finds:<6}  {domains:<14}  {seeds}")
    };
    line(["pair", "measured on", "finds", "domains needed", "seeds needed"])?;
    for need in needs.iter().take(PAIRS) {
        let measured = format!("{} × {}", counted(need.domains, "domain"), counted(need.seeds, "seed"));
        let finds = need.detectable.map_or("–".to_owned(), |d| format!("{:.1}", d * 100.0));
        let (domains, seeds) = (number(need.domains_needed), number(need.seeds_needed));
        line([&pair(need), &measured, &finds, &domains, &seeds])?;
    }
    if needs.len() > PAIRS {
        writeln!(out, "  {} other pairs need fewer", needs.len() - PAIRS)?;
    }
    writeln!(
        out,
        "domains needed: with these seeds; seeds needed: with these domains; –: no number is enough, or one seed tells nothing of \
         seeds. Domains of the same kind are meant, and pairs that vary as these did."
    )?;
    Ok(Exit::Success)
}

/// Tells of data sets that cannot be used.
pub fn exit(plan: &plan::Plan) -> Exit {
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
    let (mut trainings, mut unknown, mut seconds) = (0, 0, 0.0);
    let costs = Costs::known(store);
    let mut lines = Vec::new();
    for fit in waiting() {
        let id = &fit.job.id;
        let fold = if id.fold.is_empty() { String::new() } else { format!(" ({})", id.fold) };
        let trained = match (fit.job.learns, store.fit(&fit.job.key)?) {
            (false, _) => "",
            (true, Some(_)) => ", trained before",
            (true, None) => {
                trainings += 1;
                match costs.of(&fit.job) {
                    Some(cost) => seconds += cost,
                    None => unknown += 1,
                }
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
    if seconds > 0.0 {
        let time = progress::rounded(Duration::from_secs_f64(seconds));
        let without = if unknown > 0 { format!("; of {unknown} nothing is known") } else { String::new() };
        writeln!(out, "  about {time} of training, one after the other, by earlier ones{without}")?;
    }
    for line in lines {
        writeln!(out, "{line}")?;
    }
    let mut later: BTreeMap<&str, usize> = BTreeMap::new();
    for record in plan.asked().filter_map(|c| records.get(&c.key)) {
        for metric in later_metrics(record, &Registry::built_in().measured(), folder)? {
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
