//! `zsad plot`: the plots of a run.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use zsad_core::{Error, suggest};
use zsad_report::plots::{self, Format, ScoresOf, Shown, Style, shown};
use zsad_store::{ModelStore, Row, RunFolder};

use super::Locations;
use crate::embedding;
use crate::exit::Exit;
use crate::heatmaps::{self, Pick};
use crate::library::Library;
use crate::ranked;
use crate::registry::Registry;

const EXAMPLES: &str = "\
Examples:
  zsad plot results/runs/quickstart
  zsad plot resad_industrial --heatmaps --data ~/data
  zsad plot results/runs/quickstart --ranked
  zsad plot sweep --format pdf --no-title --methods acr_dsvdd,knn --width 85      for a column of a paper

Writes <dir>/plots/*.svg and *.png: AUROC against contamination and against batch size, the spread over domains, and
the training loss. With --heatmaps also <dir>/plots/heatmaps/<category>.png, for methods that make anomaly maps: a test
batch of each category is scored again, for which the data must be there. Masks are shown where the data have some.
--pick chooses the samples of that batch: top:N, all, or a name such as `crack/012` or `crack`. With --ranked also
<dir>/plots/ranked_<data set>.png, from the stored scores: of all batches of the middle protocol point and the least seed the
one whose AUROCs are nearest to the means of the methods. With --embedding also <dir>/plots/embedding_<data set>: such a
batch of the best method that measures distances to a learned centre, each sample alone among normals of the training domains
(before) and in its own batch (after), from the trained model and the data. `zsad run` draws both, too.";

/// Draw the plots of a run as SVG, PNG or PDF
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Plot {
    /// The folder of a run, or its name under results/runs or results/published
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Also a sheet of images, masks and anomaly maps for each category
    #[arg(long)]
    heatmaps: bool,
    /// Also a batch of each data set of pictures as every method ranks it
    #[arg(long)]
    ranked: bool,
    /// Also a batch of each data set around the centre that a trained method learned, before and after adaptation
    #[arg(long)]
    embedding: bool,
    /// The formats to write [default: svg,png]
    #[arg(long, value_name = "FORMAT,…", value_enum, value_delimiter = ',')]
    format: Vec<FigureFormat>,
    /// No title and note in the figures: the caption of a paper says both
    #[arg(long)]
    no_title: bool,
    /// These methods alone
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    methods: Vec<String>,
    /// Width on paper in millimetres: fewer panels side by side, the legend below
    #[arg(long, value_name = "MM", value_parser = millimetres)]
    width: Option<f64>,
    /// Samples on these sheets: top:N by score, all, or a name [default: 4 anomalies and 2 normals]
    #[arg(long, value_name = "WHICH", requires = "heatmaps")]
    pick: Option<Pick>,
    #[command(flatten)]
    locations: Locations,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum FigureFormat {
    Svg,
    Png,
    /// Texts as outlines, for LaTeX
    Pdf,
}

/// A width that a figure can have.
fn millimetres(text: &str) -> Result<f64, String> {
    let width = text.parse().ok().filter(|w| (20.0..=1000.0).contains(w));
    width.ok_or_else(|| "want millimetres from 20 to 1000, such as 85 for one column".into())
}

impl Plot {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let folder = RunFolder::new(super::run_folder(&self.dir)?);
        let rows = zsad_store::read_results(folder.root())?;
        let (env, store) = self.locations.open(false)?;
        let rows = self.chosen(rows)?;
        write_all(&folder, &store, &rows, &self.style())?;
        writeln!(out, "{}", folder.root().join("plots").display())?;
        if self.ranked {
            let library = Library::new(Registry::built_in());
            let paths = ranked::write_all(&folder, &rows, &library, &env)?;
            if paths.is_empty() {
                let why = "no data set of this run holds pictures; hint: only these can be shown";
                return Err(Error::Config(format!("--ranked: {why}")).into());
            }
            for path in paths {
                writeln!(out, "{}", path.display())?;
            }
        }
        if self.embedding {
            let library = Library::new(Registry::built_in());
            let paths = embedding::write_all(&folder, &store, &rows, &library, &env, &self.style())?;
            if paths.is_empty() {
                let why = "no trained method of this run measures distances to a learned centre; hint: acr_dsvdd does";
                return Err(Error::Config(format!("--embedding: {why}")).into());
            }
            for path in paths {
                writeln!(out, "{}", path.display())?;
            }
        }
        if self.heatmaps {
            for path in heatmaps::write_all(&folder, &store, &rows, &env, self.pick.as_ref().unwrap_or(&Pick::Few))? {
                writeln!(out, "{}", path.display())?;
            }
        }
        Ok(Exit::Success)
    }

    fn style(&self) -> Style {
        let format = |f: &FigureFormat| match f {
            FigureFormat::Svg => Format::Svg,
            FigureFormat::Png => Format::Png,
            FigureFormat::Pdf => Format::Pdf,
        };
        let formats = match self.format.as_slice() {
            [] => Style::default().formats,
            given => given.iter().map(format).collect(),
        };
        Style { formats, title: !self.no_title, width: self.width }
    }

    /// The rows of the methods that are asked for.
    fn chosen(&self, rows: Vec<Row>) -> Result<Vec<Row>> {
        let names: BTreeSet<String> = rows.iter().map(|r| r.method().to_owned()).collect();
        if let Some(unknown) = self.methods.iter().find(|m| !names.contains(*m)) {
            let hint = suggest::hint(unknown, &names);
            return Err(Error::Config(format!("--methods: `{unknown}` is not in this run; hint: {hint}")).into());
        }
        let is_asked = |row: &Row| self.methods.is_empty() || self.methods.iter().any(|name| name == row.method());
        Ok(rows.into_iter().filter(is_asked).collect())
    }
}

/// Draws everything that `rows` and the trainings behind them can show.
pub fn write_all(folder: &RunFolder, store: &ModelStore, rows: &[Row], style: &Style) -> Result<()> {
    let trainings = plots::trainings(rows, store)?;
    // Published results keep no scores.
    let scores = |shown: Shown| {
        let read = |(_, key): &(String, String)| folder.scores(key).unwrap_or_default();
        ScoresOf { batches: shown.cells.iter().map(read).collect(), shown }
    };
    let scores: Vec<ScoresOf> = shown(rows).into_iter().map(scores).collect();
    plots::write_all(folder.root(), rows, &trainings, &scores, style)?;
    Ok(())
}
