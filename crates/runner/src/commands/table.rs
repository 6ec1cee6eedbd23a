//! `zsad table`: the comparison of a run, in any format.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use zsad_core::record::Row;
use zsad_report::table::{Table as Comparison, comparison, default_metrics};

use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  zsad table results/runs/quickstart
  zsad table quickstart --format tex > table.tex
  zsad table quickstart --format parquet      rewrites <dir>/table.parquet
  zsad table quickstart --check               are the stored tables those of the stored results?";

/// Print the table of a run: mean ± standard deviation over seeds, 95 % intervals, best in bold
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Table {
    /// The folder of a run, or its name under results/runs
    #[arg(value_name = "DIR|NAME")]
    what: PathBuf,
    /// The format
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// Compare the stored tables with the stored results instead; exit code 1 where they differ
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
        let dir = super::run_folder(&self.what)?;
        let rows = zsad_report::read_results(&dir)?;
        let table = of(&rows);
        if self.check {
            return check(&dir, &table, out);
        }
        match self.format {
            None => write!(out, "{}", table.to_terminal())?,
            Some(Format::Md) => write!(out, "{}", table.to_markdown())?,
            Some(Format::Tex) => write!(out, "{}", table.to_tex())?,
            Some(Format::Csv) => write!(out, "{}", table.to_csv()?)?,
            Some(Format::Parquet) => {
                let path = dir.join("table.parquet");
                table.write_parquet(&path)?;
                writeln!(out, "{}", path.display())?;
            }
        }
        Ok(Exit::Well)
    }
}

/// The table that a person sees first.
fn of(rows: &[Row]) -> Comparison {
    comparison(rows, &default_metrics(rows))
}

/// Prints the table of `rows`.
pub fn print(rows: &[Row], out: &mut impl Write) -> Result<()> {
    Ok(write!(out, "{}", of(rows).to_terminal())?)
}

/// Whether the stored tables are those that the stored results give.
fn check(dir: &Path, table: &Comparison, out: &mut impl Write) -> Result<Exit> {
    let mut exit = Exit::Well;
    for (name, text) in [("table.md", table.to_markdown()), ("table.tex", table.to_tex())] {
        let same = std::fs::read_to_string(dir.join(name)).is_ok_and(|stored| stored == text);
        writeln!(
            out,
            "{}: {}",
            dir.join(name).display(),
            if same { "up to date" } else { "differs from the results" }
        )?;
        if !same {
            exit = Exit::SomeFailed;
        }
    }
    Ok(exit)
}
