//! Figures of a run, as SVG, PNG and PDF; the same rows give the same bytes.

pub(crate) mod axes;
pub(crate) mod canvas;
pub mod cost;
pub(crate) mod curves;
pub mod dots;
pub mod embedding;
pub(crate) mod loss;
pub(crate) mod palette;
pub(crate) mod parameter;
mod pdf;
mod ranks;
mod scores;
pub(crate) mod spread;
mod style;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use zsad_core::Result;
use zsad_store::Row;

use crate::grid::Grid;
use crate::table;
use curves::Along;
pub use loss::{Training, trainings};
pub use scores::{ScoresOf, Shown, shown};
pub use style::{Format, Style};

/// Writes the figures of a run into `<dir>/plots` and returns their paths: for each data set AUROC against
/// contamination, against batch size and against parameters of methods (where they vary), the spread over domains, how scores
/// lie, and the training loss; over all of them the mean ranks of methods, and who wins how often.
///
/// # Errors
/// [`zsad_core::Error::Data`] where a file cannot be written.
pub fn write_all(
    dir: &Path,
    rows: &[Row],
    fits: &[Training],
    scores: &[ScoresOf],
    style: &Style,
) -> Result<Vec<PathBuf>> {
    let plots = dir.join("plots");
    let grid = Grid::new(rows);
    let entries = curves::entries(&grid, table::headline());
    let run = table::title(rows);
    let mut written = Vec::new();
    let parts = curves::parts(&grid);
    for (dataset, pooling) in &parts {
        // Only a run with both ways of pooling has to tell them apart.
        let both = parts.iter().filter(|p| p.0 == *dataset).count() > 1;
        let stem = if both { format!("{dataset}_{pooling}") } else { dataset.clone() };
        let part = (dataset.as_str(), *pooling);
        let title = |what: &str| format!("{run}: {what}");
        let figures = [
            (
                "auroc_contamination",
                curves::figure(&title("AUROC and contamination"), &grid, &entries, part, Along::Contamination, style)?,
            ),
            (
                "auroc_batch_size",
                curves::figure(&title("AUROC and batch size"), &grid, &entries, part, Along::BatchSize, style)?,
            ),
            ("domains", spread::figure(&title("spread over domains"), &grid, part, style)?),
        ];
        for (name, canvas) in parameter::figures(&run, &grid, &entries, part, style)? {
            written.extend(canvas.write(&plots, &format!("{}_{}", file_name(&name), file_name(&stem)), style)?);
        }
        for (name, figure) in figures {
            if let Some(canvas) = figure {
                written.extend(canvas.write(&plots, &format!("{name}_{}", file_name(&stem)), style)?);
            }
        }
    }
    for (name, canvas) in ranks::figures(&run, &grid, style)? {
        written.extend(canvas.write(&plots, name, style)?);
    }
    for of in scores {
        if let Some(canvas) = scores::figure(&format!("{run}: scores"), of, style)? {
            written.extend(canvas.write(&plots, &format!("scores_{}", file_name(&of.shown.dataset)), style)?);
        }
    }
    let trained: BTreeSet<&str> = fits.iter().map(|f| f.dataset.as_str()).collect();
    for dataset in trained {
        if let Some(canvas) = loss::figure(&format!("{run}: training loss"), fits, dataset, style)? {
            written.extend(canvas.write(&plots, &format!("loss_{}", file_name(dataset)), style)?);
        }
    }
    Ok(written)
}

/// `text` with everything that a file name had better not hold replaced.
pub(crate) fn file_name(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests;
