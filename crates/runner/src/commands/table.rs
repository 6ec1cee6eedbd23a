//! `zsad table`: the comparison of a run, or our numbers beside published ones, in any format.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use zsad_report::Printed;
use zsad_report::export::{Latex, Markdown, Terminal};
use zsad_report::published::{self, Beside, Reference};
use zsad_report::table::{Table as Comparison, comparison, default_metrics};

use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  zsad table results/runs/quickstart
  zsad table quickstart --format tex > table.tex
  zsad table acr_omniglot                 ours beside the published numbers, as experiments/tables/ says
  zsad table quickstart --check           are the stored tables those of the stored results?
  zsad table acr_omniglot --check         are ours within the stated tolerances?";

/// Where the tables of published numbers are defined, their numbers, and all results.
const TABLES: &str = "experiments/tables";
const REFERENCE: &str = "results/reference";
const RESULTS: &str = "results";

/// Print the table of a run, or ours beside published numbers
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Table {
    /// The folder of a run, a table of experiments/tables, or a run's name under results/runs
    #[arg(value_name = "DIR|NAME")]
    what: PathBuf,
    /// The format; parquet is written beside the results, and its path is printed
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// Check instead: the stored tables against the stored results, or ours against the published numbers;
    /// exit code 1 where they differ
    #[arg(long)]
    check: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    Md,
    Tex,
    Csv,
    Parquet,
}

impl Table {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let name = self.what.to_string_lossy();
        if !self.what.is_dir() && Path::new(TABLES).join(format!("{name}.yaml")).exists() {
            let reference = Reference::read(Path::new(REFERENCE))?;
            let spec = published::find(Path::new(TABLES), &name, &reference)?;
            let rows = published::rows(&spec, Path::new(RESULTS))?;
            let beside = published::build(&spec, &reference, &rows)?;
            if self.check {
                return check_published(&beside, out);
            }
            return self.print(&beside, &Path::new(RESULTS).join("published").join(format!("{name}.parquet")), out);
        }
        let dir = super::run_folder(&self.what)?;
        let rows = zsad_store::read_results(&dir)?;
        let table = comparison(&rows, &default_metrics(&rows));
        if self.check {
            return check_stored(&dir, &table, out);
        }
        self.print(&table, &dir.join("table.parquet"), out)
    }

    fn print(&self, table: &impl Printed, parquet: &Path, out: &mut impl Write) -> Result<Exit> {
        match self.format {
            None => write!(out, "{}", table.print(&Terminal))?,
            Some(Format::Md) => write!(out, "{}", table.print(&Markdown))?,
            Some(Format::Tex) => write!(out, "{}", table.print(&Latex))?,
            Some(Format::Csv) => write!(out, "{}", table.to_csv()?)?,
            Some(Format::Parquet) => {
                table.write_parquet(parquet)?;
                writeln!(out, "{}", parquet.display())?;
            }
        }
        Ok(Exit::Success)
    }
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
