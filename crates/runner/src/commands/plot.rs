//! `zsad plot`: the plots of a run.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use zsad_core::record::Row;

use crate::exit::Exit;
use crate::store::Store;

const EXAMPLES: &str = "\
Examples:
  zsad plot results/runs/quickstart

Writes <dir>/plots/*.svg and *.png: AUROC against contamination and against batch size, the spread over domains, and
the training loss.";

/// Draw the plots of a run, SVG and PNG
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Plot {
    /// The folder of a run, or its name under results/runs
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

impl Plot {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let store = Store::new(super::run_folder(&self.dir)?);
        let rows = zsad_report::read_results(store.root())?;
        write_all(&store, &rows)?;
        writeln!(out, "{}", store.root().join("plots").display())?;
        Ok(Exit::Well)
    }
}

/// Draws everything that `rows` and the fits of `store` can show.
pub fn write_all(store: &Store, rows: &[Row]) -> Result<()> {
    let wanted: Vec<&str> = rows.iter().map(|r| r.fit_key.as_str()).collect();
    let fits: Vec<_> = store.fits()?.into_iter().filter(|f| wanted.contains(&f.fit_key.as_str())).collect();
    zsad_report::plots::write_all(store.root(), rows, &fits)?;
    Ok(())
}
