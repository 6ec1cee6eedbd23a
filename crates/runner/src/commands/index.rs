//! `zsad index`: what the runs of a folder come to, on one page.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use zsad_core::{Error, file};
use zsad_report::index::{IndexedRun, page};
use zsad_report::published::{self, Reference};
use zsad_store::findings;

use super::table::{REFERENCE, TABLES};
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  zsad index                              of the published runs, to standard output
  zsad index results/runs --write         into results/runs/README.md
  zsad index --check                      is the stored page that of the stored results?

A line a run: its command, data, methods, seeds, what was trained shorter than published, what is odd. Then each number of
ours that has a published or an independently measured one beside it, with source, difference, tolerance and verdict, and what
has nothing beside it, with the reason. Runs whose rows are not stored are left out.";

/// Say what the runs of a folder come to, beside published numbers
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Index {
    /// A folder of runs
    #[arg(value_name = "DIR", default_value = super::PUBLISHED)]
    dir: PathBuf,
    /// Write the page to README.md in the folder
    #[arg(long)]
    write: bool,
    /// Check instead whether the stored page is that of the stored results; exit code 1 where it is not
    #[arg(long, conflicts_with = "write")]
    check: bool,
}

impl Index {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let runs = runs(&self.dir)?;
        if runs.is_empty() {
            let hint = "name a folder that holds folders of runs, such as results/runs";
            return Err(Error::Config(format!("{}: no run with results; hint: {hint}", self.dir.display())).into());
        }
        let (text, path) = (page(&runs), self.dir.join("README.md"));
        if self.check {
            let same = std::fs::read_to_string(&path).is_ok_and(|stored| stored == text);
            writeln!(out, "{}: {}", path.display(), if same { "up to date" } else { "not that of the results" })?;
            return Ok(if same { Exit::Success } else { Exit::SomeFailed });
        }
        if self.write {
            file::write(&path, text.as_bytes())?;
            writeln!(out, "{}", path.display())?;
        } else {
            write!(out, "{text}")?;
        }
        Ok(Exit::Success)
    }
}

/// The runs in a folder, by name, with what is known beside them where the tables of published numbers lie.
fn runs(dir: &Path) -> Result<Vec<IndexedRun>> {
    let entries = std::fs::read_dir(dir).map_err(|e| Error::io(dir, &e))?;
    let mut folders: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
    folders.sort();
    let tables = Path::new(TABLES);
    let reference = tables.is_dir().then(|| Reference::read(Path::new(REFERENCE))).transpose()?;
    let mut runs = Vec::new();
    for folder in folders.iter().filter(|f| ["results.parquet", "results.csv"].iter().any(|r| f.join(r).exists())) {
        let rows = zsad_store::read_results(folder)?;
        let known = reference.as_ref().map(|reference| published::of_rows(tables, reference, &rows)).transpose()?;
        let name = folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        runs.push(IndexedRun { name, findings: findings::read(folder)?, rows, known: known.unwrap_or_default() });
    }
    Ok(runs)
}
