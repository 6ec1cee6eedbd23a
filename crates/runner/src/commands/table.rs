//! `zsad table`: the comparison of a run, or our numbers beside published ones, in any format.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use zsad_core::{Error, MetricSpec, suggest};
use zsad_metrics::METRICS;
use zsad_report::Printed;
use zsad_report::export::{Html, Latex, Markdown, Terminal};
use zsad_report::published::{self, Beside, Reference};
use zsad_report::table::{Style, Table as Comparison, default_metrics, styled, write_all};
use zsad_store::findings;

use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  zsad table results/runs/quickstart
  zsad table quickstart --format tex > table.tex
  zsad table acr_omniglot                 ours beside the published numbers, as experiments/tables/ says
  zsad table quickstart --check           are the stored tables those of the stored results?
  zsad table acr_omniglot --check         are ours within the stated tolerances?
  zsad table sweep --format tex --metric auroc,aupr --columns dataset --compact --no-interval --label tab:sweep
                                          for a paper: data sets as columns, a number a cell";

/// Where the tables of published numbers are defined, their numbers, and all results.
pub(super) const TABLES: &str = "experiments/tables";
pub(super) const REFERENCE: &str = "results/reference";
pub(super) const RESULTS: &str = "results";

/// Print the table of a run, or ours beside published numbers
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Table {
    /// The folder of a run, a table of experiments/tables, or a run's name under results/runs or results/published
    #[arg(value_name = "DIR|NAME")]
    what: PathBuf,
    /// The format; parquet is written beside the results, and its path is printed
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// Check instead: the stored tables against the stored results, or ours against the published numbers;
    /// exit code 1 where they differ
    #[arg(long, conflicts_with_all = ["metric", "compact", "no_interval", "columns", "caption", "label"])]
    check: bool,
    /// Write table.md, table.tex and table.csv of a run anew, from its stored results
    #[arg(long, conflicts_with_all = ["check", "format", "metric", "compact", "no_interval", "columns", "caption", "label"])]
    write: bool,
    /// These metrics alone, such as auroc,aupr,f1_max,fpr95; `zsad list metrics` names them
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', value_parser = metric)]
    metric: Vec<&'static MetricSpec>,
    /// Methods and numbers alone: no columns of settings, domains and seeds
    #[arg(long)]
    compact: bool,
    /// Numbers without their intervals
    #[arg(long)]
    no_interval: bool,
    /// What the columns are
    #[arg(long, value_enum, default_value_t)]
    columns: Columns,
    /// In place of the generated caption
    #[arg(long, value_name = "TEXT")]
    caption: Option<String>,
    /// LaTeX's \label; with several tables the others get -2, -3, …
    #[arg(long, value_name = "LABEL")]
    label: Option<String>,
}

#[derive(Clone, Copy, Default, PartialEq, clap::ValueEnum)]
enum Columns {
    /// Contaminations, or batch sizes where there is one contamination.
    #[default]
    Point,
    /// Data sets, a table a batch size and contamination.
    Dataset,
}

/// The metric of a name.
pub(super) fn metric(name: &str) -> Result<&'static MetricSpec, String> {
    let names = METRICS.iter().map(|m| m.spec.name);
    match METRICS.iter().find(|m| m.spec.name == name) {
        Some(found) => Ok(&found.spec),
        None => Err(suggest::nearest(name, names.clone()).map_or_else(
            || format!("unknown metric; there are {}", names.collect::<Vec<_>>().join(", ")),
            |near| format!("unknown metric; did you mean `{near}`?"),
        )),
    }
}

/// What a table is printed as.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(super) enum Format {
    Md,
    #[value(alias = "latex")]
    Tex,
    /// A fragment for a page of one's own
    Html,
    Csv,
    Parquet,
}

impl Table {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let name = self.what.to_string_lossy();
        if !self.what.is_dir() && Path::new(TABLES).join(format!("{name}.yaml")).exists() {
            if let Some(option) = self.of_runs_alone() {
                let why = format!("{name} stands beside published numbers, and {option} is for the table of a run");
                return Err(Error::Config(format!("{why}; hint: name the folder of a run")).into());
            }
            let reference = Reference::read(Path::new(REFERENCE))?;
            let spec = published::find(Path::new(TABLES), &name, &reference)?;
            let rows = published::rows(&spec, Path::new(RESULTS))?;
            let beside = published::build(&spec, &reference, &rows)?;
            if self.check {
                return check_published(&beside, out);
            }
            return print_as(
                &beside,
                self.format,
                &Path::new(RESULTS).join("published").join(format!("{name}.parquet")),
                out,
            );
        }
        let dir = super::run_folder(&self.what)?;
        let rows = zsad_store::read_results(&dir)?;
        let findings = findings::read(&dir)?;
        if self.check {
            return check_stored(&dir, &styled(&rows, &default_metrics(&rows), &findings, &Style::default()), out);
        }
        if self.write {
            write_all(&dir, &rows, &findings)?;
            writeln!(out, "{}", dir.display())?;
            return Ok(Exit::Success);
        }
        let metrics = if self.metric.is_empty() { default_metrics(&rows) } else { self.metric.clone() };
        let table = styled(&rows, &metrics, &findings, &self.style());
        print_as(&table, self.format, &dir.join("table.parquet"), out)
    }

    fn style(&self) -> Style {
        Style {
            compact: self.compact,
            no_interval: self.no_interval,
            by_dataset: self.columns == Columns::Dataset,
            caption: self.caption.clone(),
            label: self.label.clone(),
        }
    }

    /// The first option given that a table of published numbers does not know.
    fn of_runs_alone(&self) -> Option<&'static str> {
        let given = [
            (self.write, "--write"),
            (!self.metric.is_empty(), "--metric"),
            (self.compact, "--compact"),
            (self.no_interval, "--no-interval"),
            (self.columns != Columns::default(), "--columns"),
            (self.caption.is_some(), "--caption"),
            (self.label.is_some(), "--label"),
        ];
        given.into_iter().find(|(given, _)| *given).map(|(_, name)| name)
    }
}

/// Prints `table`; for the terminal where there is no `format`, and as a file at `parquet`, whose path is printed.
pub(super) fn print_as(
    table: &impl Printed,
    format: Option<Format>,
    parquet: &Path,
    out: &mut impl Write,
) -> Result<Exit> {
    match format {
        None => write!(out, "{}", table.print(&Terminal))?,
        Some(Format::Md) => write!(out, "{}", table.print(&Markdown))?,
        Some(Format::Tex) => write!(out, "{}", table.print(&Latex))?,
        Some(Format::Html) => write!(out, "{}", table.print(&Html))?,
        Some(Format::Csv) => write!(out, "{}", table.to_csv()?)?,
        Some(Format::Parquet) => {
            table.write_parquet(parquet)?;
            writeln!(out, "{}", parquet.display())?;
        }
    }
    Ok(Exit::Success)
}

/// Prints the table of a run.
pub fn print(table: &Comparison, out: &mut impl Write) -> Result<()> {
    Ok(write!(out, "{}", table.print(&Terminal))?)
}

/// Whether the stored tables are those that the stored results give.
fn check_stored(dir: &Path, table: &Comparison, out: &mut impl Write) -> Result<Exit> {
    let mut exit = Exit::Success;
    for (name, text) in [("table.md", table.print(&Markdown)), ("table.tex", table.print(&Latex))] {
        let same = std::fs::read_to_string(dir.join(name)).is_ok_and(|stored| stored == text);
        writeln!(out, "{}: {}", dir.join(name).display(), if same { "up to date" } else { "not that of the results" })?;
        if !same {
            exit = Exit::SomeFailed;
        }
    }
    Ok(exit)
}

/// Whether every number that has a tolerance lies within it.
fn check_published(beside: &Beside, out: &mut impl Write) -> Result<Exit> {
    let outside = beside.outside();
    for line in &outside {
        let difference = line.difference().unwrap_or_default();
        let tolerance = line.tolerance.unwrap_or_default();
        writeln!(out, "{}: {} differs by {difference:+.2} points, allowed {tolerance}", line.name, line.metric)?;
    }
    let count = |of: &[&str]| beside.lines.iter().filter(|l| of.contains(&l.verdict.word())).count();
    let (held, missing) = (count(&["within", "outside"]), count(&["no_number"]));
    writeln!(
        out,
        "{} lines: {held} compared, {} outside their tolerance, {missing} without a number of ours",
        beside.lines.len(),
        outside.len()
    )?;
    Ok(if outside.is_empty() { Exit::Success } else { Exit::SomeFailed })
}
