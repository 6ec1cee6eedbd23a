//! `zsad plot`: the plots of a run.

mod heatmaps;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use zsad_core::DataDir;
use zsad_core::record::{FitRecord, Row};

use crate::exit::Exit;
use crate::store::Store;

const EXAMPLES: &str = "\
Examples:
  zsad plot results/runs/quickstart
  zsad plot resad_industrial --heatmaps --data ~/data

Writes <dir>/plots/*.svg and *.png: AUROC against contamination and against batch size, the spread over domains, and
the training loss. With --heatmaps also <dir>/plots/heatmaps/<category>.png, for methods that make anomaly maps: a test
batch of each category is scored again, for which the data must be there.";

/// Draw the plots of a run, SVG and PNG
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Plot {
    /// The folder of a run, or its name under results/runs
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Also a sheet of images, masks and anomaly maps for each category
    #[arg(long)]
    heatmaps: bool,
    /// Where the data lie, for --heatmaps [default: $ZSAD_DATA, else data/]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Plot {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let store = Store::new(super::run_folder(&self.dir)?);
        let rows = zsad_report::read_results(store.root())?;
        write_all(&store, &rows)?;
        writeln!(out, "{}", store.root().join("plots").display())?;
        if self.heatmaps {
            for path in heatmaps::write_all(&store, &rows, &DataDir::resolve(self.data))? {
                writeln!(out, "{}", path.display())?;
            }
        }
        Ok(Exit::Well)
    }
}

/// Draws everything that `rows` and the fits of `store` can show.
pub fn write_all(store: &Store, rows: &[Row]) -> Result<()> {
    // A figure is of a data set as the rows call it.
    let datasets: BTreeMap<&str, &str> = rows.iter().map(|r| (r.fit_key.as_str(), r.dataset.as_str())).collect();
    let named = |fit: FitRecord| {
        let dataset = (*datasets.get(fit.fit_key.as_str())?).to_owned();
        Some(FitRecord { dataset, ..fit })
    };
    let fits: Vec<_> = store.fits()?.into_iter().filter_map(named).collect();
    zsad_report::plots::write_all(store.root(), rows, &fits)?;
    Ok(())
}
