//! `zsad plot`: the plots of a run.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use zsad_core::key::canonical_json;
use zsad_report::plots::Training;
use zsad_store::{ModelStore, Row, RunFolder};

use super::Locations;
use crate::exit::Exit;
use crate::heatmaps::{self, Pick};

const EXAMPLES: &str = "\
Examples:
  zsad plot results/runs/quickstart
  zsad plot resad_industrial --heatmaps --data ~/data

Writes <dir>/plots/*.svg and *.png: AUROC against contamination and against batch size, the spread over domains, and
the training loss. With --heatmaps also <dir>/plots/heatmaps/<category>.png, for methods that make anomaly maps: a test
batch of each category is scored again, for which the data must be there. Masks are shown where the data have some.
--pick chooses the samples of that batch: top:N, all, or a name such as `crack/012` or `crack`.";

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
    /// Samples on these sheets: top:N by score, all, or a name [default: 4 anomalies and 2 normals]
    #[arg(long, value_name = "WHICH", requires = "heatmaps")]
    pick: Option<Pick>,
    #[command(flatten)]
    locations: Locations,
}

impl Plot {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let folder = RunFolder::new(super::run_folder(&self.dir)?);
        let rows = zsad_store::read_results(folder.root())?;
        let (env, store) = self.locations.open(false)?;
        write_all(&folder, &store, &rows)?;
        writeln!(out, "{}", folder.root().join("plots").display())?;
        if self.heatmaps {
            for path in heatmaps::write_all(&folder, &store, &rows, &env, self.pick.as_ref().unwrap_or(&Pick::Few))? {
                writeln!(out, "{}", path.display())?;
            }
        }
        Ok(Exit::Success)
    }
}

/// Draws everything that `rows` and the trainings behind them can show.
pub fn write_all(folder: &RunFolder, store: &ModelStore, rows: &[Row]) -> Result<()> {
    // A training is shown under the names of its rows.
    let mut trainings = Vec::new();
    let by_fit: BTreeMap<(&str, &str), &Row> =
        rows.iter().map(|r| ((r.record.fit_key.as_str(), r.asked().dataset.as_str()), r)).collect();
    for ((key, _), row) in by_fit {
        if let Some(record) = store.fit(key)? {
            trainings.push(Training {
                dataset: row.asked().dataset.clone(),
                method: row.method().to_owned(),
                version: row.fit().method.version,
                params: canonical_json(&row.asked().params),
                loss: record.report.loss,
            });
        }
    }
    zsad_report::plots::write_all(folder.root(), rows, &trainings)?;
    Ok(())
}
