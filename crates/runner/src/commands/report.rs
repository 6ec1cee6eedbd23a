//! `zsad report`: a page to look at, one file with everything in it.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use zsad_core::params::Object;
use zsad_core::{Error, file};
use zsad_report::html::{Defaults, Page, Run};
use zsad_report::published::{self, OfRun, Reference};
use zsad_store::{ModelStore, Row, provenance};

use super::table::{REFERENCE, TABLES};
use super::{Locations, RUNS, note};
use crate::exit::Exit;
use crate::pictures::Samples;
use crate::registry::Registry;

const EXAMPLES: &str = "\
Examples:
  zsad report results/runs/quickstart                   writes results/runs/quickstart/report.html
  zsad report quickstart --thumbnails 8                 with pictures of the samples, where the data are here
  zsad report results/runs/before results/runs/after -o compared.html     side by side, with what changed
  zsad report acr_omniglot-small                        a run under results/published

The page is one file that loads nothing: tables to sort and filter, plots that follow, single batches, errors, provenance,
and how to run it again. It can be sent by mail, printed, and read without JavaScript.";

/// What a page is called where no name is given.
const FILE: &str = "report.html";

/// Make a page of one or more runs: tables, plots, single batches, errors, provenance
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Report {
    /// Folders of runs, or names of runs under results/runs or results/published
    #[arg(value_name = "DIR|NAME", required = true)]
    what: Vec<PathBuf>,
    /// The file to write [default: report.html in the folder of a single run, else here]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Pictures of so many samples of each batch that is shown: those with the highest scores, an anomaly among them
    #[arg(long, value_name = "N", default_value_t = 0)]
    thumbnails: usize,
    #[command(flatten)]
    locations: Locations,
}

impl Report {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let (env, store) = self.locations.open(false);
        let folders = self.what.iter().map(|what| super::run_folder(what)).collect::<zsad_core::Result<Vec<_>>>()?;
        let path = match (&self.out, self.what.as_slice(), folders.as_slice()) {
            (Some(path), ..) => path.clone(),
            // Among published runs nothing is written by itself.
            (None, [what], [dir]) if what == dir || dir.starts_with(RUNS) => dir.join(FILE),
            _ => PathBuf::from(FILE),
        };
        let runs = folders.iter().map(|dir| read(dir, &store)).collect::<zsad_core::Result<Vec<_>>>()?;
        let registry = Registry::built_in();
        let samples = Samples::new(registry, &env);
        let page = Page {
            runs: &runs,
            defaults: &defaults(&registry),
            pictures: (self.thumbnails > 0).then_some((&samples as &dyn zsad_report::html::Bringer, self.thumbnails)),
            program: &format!("zsad {}", provenance::VERSION),
        };
        let text = page.to_html()?;
        file::write(&path, text.as_bytes())?;
        writeln!(out, "{} ({} kB)", path.display(), text.len().div_ceil(1000))?;
        Ok(Exit::Success)
    }
}

fn read(dir: &Path, store: &ModelStore) -> zsad_core::Result<Run> {
    let mut run = Run::read(dir, store)?;
    if run.rows.is_empty() {
        return Err(Error::data(dir, "its results have no rows", "run the experiment, then make the page"));
    }
    run.beside = beside(&run.rows);
    Ok(run)
}

/// The tables of published numbers that a run belongs to. They are an extra: a damaged one is named, and left out.
fn beside(rows: &[Row]) -> OfRun {
    if !Path::new(TABLES).is_dir() {
        return OfRun::default();
    }
    let found = Reference::read(Path::new(REFERENCE))
        .and_then(|reference| published::of_rows(Path::new(TABLES), &reference, rows));
    found.unwrap_or_else(|e| {
        note(format_args!("without published numbers: {e}"));
        OfRun::default()
    })
}

/// The default values of the parameters of every method.
fn defaults(registry: &Registry) -> Defaults {
    let of = |method: &&'static dyn zsad_core::MethodDef| {
        let values: Object = method.params().into_iter().map(|p| (p.name.to_owned(), p.default.to_json())).collect();
        (method.spec().name.to_owned(), values.into())
    };
    registry.methods.iter().map(of).collect()
}
