//! A batch of pictures as every method ranks it: a line a method, the highest score first, anomalies framed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use image::{RgbImage, imageops};
use zsad_core::{Error, Result, file};
use zsad_store::Row;

use crate::grid::{Grid, Point};
use crate::plots::canvas::{Anchor, BLACK, Canvas, Color, GREY, LIGHT, encode, text_width};
use crate::plots::file_name;
use crate::table;

/// What may be shown of one data set of a run: its middle protocol point, its least seed, all methods.
#[derive(Debug, PartialEq)]
pub struct Candidate {
    /// The run, as its table calls it.
    pub run: String,
    /// The point in the middle of all that the run has.
    pub point: Point,
    /// The seed that drew the batches.
    pub seed: u64,
    /// The methods with results there, the highest mean AUROC over domains first.
    pub methods: Vec<Method>,
}

/// A method of a [`Candidate`].
#[derive(Debug, PartialEq)]
pub struct Method {
    /// Its name in tables.
    pub label: String,
    /// The keys of its cells: one a fold.
    pub cells: BTreeSet<String>,
}

/// What may be shown of each data set.
pub fn candidates(rows: &[Row]) -> Vec<Candidate> {
    let (grid, run) = (Grid::new(rows), table::title(rows));
    let metric = table::headline().name;
    let datasets: BTreeSet<&str> = grid.points.iter().map(|p| p.dataset.as_str()).collect();
    let of = |dataset: &str| {
        let points: Vec<&Point> = grid.points.iter().filter(|p| p.dataset == dataset).collect();
        let point = *points.get((points.len().max(1) - 1) / 2)?;
        let seed = *grid.axes(point).0.first()?;
        let mut methods = Vec::new();
        for (key, label) in &grid.methods {
            let rows = grid.cell(point, key).map(|cell| cell.ok.as_slice()).unwrap_or_default();
            let values: Vec<(f64, &&Row)> =
                rows.iter().filter(|r| r.seed() == seed).filter_map(|r| Some((r.metric(metric)?, r))).collect();
            if !values.is_empty() {
                let mean = values.iter().map(|(value, _)| value).sum::<f64>() / values.len() as f64;
                let cells = values.iter().map(|(_, r)| r.record.cell_key.clone()).collect();
                methods.push((mean, Method { label: label.clone(), cells }));
            }
        }
        // Equal means keep the table's order.
        methods.sort_by(|a, b| b.0.total_cmp(&a.0));
        let methods: Vec<Method> = methods.into_iter().map(|(_, method)| method).collect();
        (!methods.is_empty()).then(|| Candidate { run: run.clone(), point: point.clone(), seed, methods })
    };
    datasets.into_iter().filter_map(of).collect()
}

/// A picture of the batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Whether it is an anomaly.
    pub anomalous: bool,
    /// Height and width.
    pub size: (usize, usize),
    /// Red, green and blue of each pixel, `[height, width, 3]`.
    pub image: Vec<u8>,
}

/// What a method makes of the batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    /// The method.
    pub label: String,
    /// AUROC on this batch.
    pub auroc: f64,
    /// The pictures by their numbers, the highest score first.
    pub order: Vec<usize>,
}

/// Pictures in a line, and lines, at most.
pub const PICTURES: usize = 24;
/// See [`PICTURES`].
pub const METHODS: usize = 8;

/// Side of a picture, the space between two, and what stands above and beside them.
const SIDE: f64 = 32.0;
const GAP: f64 = 5.0;
const LEFT: f64 = 18.0;
const TOP: f64 = 66.0;
/// Pixels to a unit; the canvas paints at this scale.
const SCALE: f64 = 2.0;
/// The frame of an anomaly, which is also told by its width.
const FRAME: Color = (0xd5, 0x5e, 0x00, 1.0);

/// Where the picture of a data set belongs: `<out>/plots/ranked_<dataset>.png`.
pub fn path(out: &Path, dataset: &str) -> PathBuf {
    out.join("plots").join(format!("ranked_{}.png", file_name(dataset)))
}

/// Writes the picture under `title` and `note`.
///
/// # Errors
/// [`Error::Failed`] where a picture is not of its size; [`Error::Data`] where the file cannot be written.
pub fn write(path: &Path, (title, note): (&str, &str), pictures: &[Picture], rankings: &[Ranking]) -> Result<()> {
    file::write(path, &encode(&sheet((title, note), pictures, rankings)?)?)
}

fn sheet((title, note): (&str, &str), pictures: &[Picture], rankings: &[Ranking]) -> Result<RgbImage> {
    let names: Vec<String> = rankings.iter().map(|r| format!("{}  {:.1}", r.label, 100.0 * r.auroc)).collect();
    let mut left = LEFT;
    for name in &names {
        left = left.max(LEFT + text_width(name, 10.5)? + 14.0);
    }
    let corner =
        |row: usize, column: usize| (left + column as f64 * (SIDE + GAP), TOP + row as f64 * (SIDE + 2.0 * GAP));
    let shown = |r: &Ranking| r.order.len().min(PICTURES);
    let (right, bottom) = corner(rankings.len(), rankings.iter().map(shown).max().unwrap_or(0));
    let head = text_width(title, 13.0)?.max(text_width(note, 9.0)?) * 1.1 + 2.0 * LEFT;
    let mut canvas = Canvas::new(right.max(head) + 8.0, bottom + 4.0);
    canvas.title((LEFT, 22.0), title, 13.0, Anchor::Left);
    canvas.text((LEFT, 43.0), note, 9.0, GREY, Anchor::Left);
    for (row, ranking) in rankings.iter().enumerate() {
        canvas.text((LEFT, corner(row, 0).1 + SIDE / 2.0), &names[row], 10.5, BLACK, Anchor::Left);
        for (column, &picture) in ranking.order.iter().take(PICTURES).enumerate() {
            let (x, y) = corner(row, column);
            let (width, color) = if pictures[picture].anomalous { (2.5, FRAME) } else { (0.5, LIGHT) };
            canvas.rect((x - width, y - width), (x + SIDE + width, y + SIDE + width), color);
        }
    }
    let mut page = canvas.to_image()?;
    for (row, ranking) in rankings.iter().enumerate() {
        for (column, &picture) in ranking.order.iter().take(PICTURES).enumerate() {
            let (x, y) = corner(row, column);
            let thumbnail = thumbnail(&pictures[picture])?;
            imageops::replace(&mut page, &thumbnail, (x * SCALE).round() as i64, (y * SCALE).round() as i64);
        }
    }
    Ok(page)
}

/// A picture stretched into its square: enlarged by whole pixels where it is smaller.
fn thumbnail(picture: &Picture) -> Result<RgbImage> {
    let (height, width) = picture.size;
    let image = RgbImage::from_raw(width as u32, height as u32, picture.image.clone())
        .ok_or_else(|| Error::failed(format!("a picture of the batch is not {height}×{width}")))?;
    let side = (SIDE * SCALE) as u32;
    let small = (height.max(width) as f64) < SIDE * SCALE;
    let filter = if small { imageops::FilterType::Nearest } else { imageops::FilterType::Triangle };
    Ok(imageops::resize(&image, side, side, filter))
}

#[cfg(test)]
#[path = "ranked_tests.rs"]
mod tests;
