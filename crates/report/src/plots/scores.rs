//! How the scores of normals and of anomalies lie, a panel a method.

use std::collections::BTreeSet;

use zsad_core::{LabelledBatch, Result};
use zsad_store::Row;

use super::axes::{Axis, Panel, Tick};
use super::canvas::{Canvas, Color};
use super::style::{Page, PanelSize, Style};
use super::{curves, spread};
use crate::grid::Grid;
use crate::stats::quantile;

/// The cells of a data set whose scores are shown.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The data set.
    pub dataset: String,
    /// The protocol point and seed, in words.
    about: String,
    /// What tables call each method, and the key of its cell.
    pub cells: Vec<(String, String)>,
}

/// The cells whose scores are shown: of each data set those of one seed at the point of the spread over domains.
pub fn shown(rows: &[Row]) -> Vec<Shown> {
    let grid = Grid::new(rows);
    let mut all = Vec::new();
    for (dataset, pooling) in curves::parts(&grid) {
        let Some(point) = spread::point(&grid, &dataset, pooling) else { continue };
        let Some(seed) = grid.axes(point).0.first().copied() else { continue };
        let mut cells = Vec::new();
        for (method, label) in &grid.methods {
            let rows = grid.cell(point, method).map(|c| c.ok.as_slice()).unwrap_or_default();
            let keys: BTreeSet<&str> =
                rows.iter().filter(|r| r.seed() == seed).map(|r| r.record.cell_key.as_str()).collect();
            // A cell a fold; one is enough to see.
            cells.extend(keys.first().map(|key| (label.clone(), (*key).to_owned())));
        }
        let about = format!("{dataset}, {point}, seed {seed}");
        all.push(Shown { dataset, about, cells });
    }
    all
}

/// Stored scores of the cells of a data set, in their order; a method without any has no batches.
#[derive(Debug, Clone)]
pub struct ScoresOf {
    /// Whose scores they are.
    pub shown: Shown,
    /// Of each cell its batches.
    pub batches: Vec<Vec<LabelledBatch<f64>>>,
}

const PANEL: PanelSize = PanelSize { width: 250.0, height: 120.0, left: 46.0, below: 78.0 };
const NORMAL: Color = (0x1f, 0x77, 0xb4, 0.55);
const ANOMALOUS: Color = (0xd6, 0x27, 0x28, 0.55);
/// Ends of the axis, in quartile ranges from the median.
const ENDS: (f64, f64) = (-3.0, 9.0);
const BINS: usize = 48;

/// The figure; `None` without scores. A score is shown as its distance from the median of its batch, in ranges between the
/// quartiles of the batch: what a batch's own scores make of it.
pub(super) fn figure(title: &str, scores: &ScoresOf, style: &Style) -> Result<Option<Canvas>> {
    let labels = scores.shown.cells.iter().map(|(label, _)| label.as_str());
    let all = labels.zip(scores.batches.iter().map(|batches| histograms(batches)));
    let shown: Vec<(&str, [Vec<f64>; 2])> = all.filter(|(_, h)| h[0].iter().sum::<f64>() > 0.0).collect();
    if shown.is_empty() {
        return Ok(None);
    }
    let note = format!(
        "{}: distance from the median of the batch, in its quartile ranges; blue: normals, red: anomalies, each as its own \
         share; what lies beyond stands at the ends",
        scores.shown.about
    );
    let most = if shown.len() == 4 { 2 } else { 3 };
    let Page { mut canvas, corners, .. } = style.page((title, &note), (shown.len(), most), &PANEL, &[])?;
    for ((label, histograms), corner) in shown.iter().zip(corners) {
        let highest = histograms.iter().flatten().copied().fold(0.0, f64::max);
        let tick = |value: f64| Tick { value, label: vec![format!("{value}")] };
        let x = Axis {
            name: "distance from the median".into(),
            low: ENDS.0,
            high: ENDS.1,
            ticks: [-3.0, 0.0, 3.0, 6.0, 9.0].map(tick).into(),
        };
        let y = Axis { name: String::new(), low: 0.0, high: highest * 1.05, ticks: Vec::new() };
        let panel = Panel { at: corner, width: PANEL.width, height: PANEL.height, x, y };
        panel.draw(&mut canvas, label)?;
        for (heights, color) in histograms.iter().zip([NORMAL, ANOMALOUS]) {
            for (bin, height) in heights.iter().enumerate().filter(|(_, h)| **h > 0.0) {
                let edge = |i: usize| ENDS.0 + (ENDS.1 - ENDS.0) * i as f64 / BINS as f64;
                let (low, high) = (panel.position(edge(bin), 0.0), panel.position(edge(bin + 1), *height));
                canvas.rect((low.0, high.1), (high.0, low.1), color);
            }
        }
    }
    Ok(Some(canvas))
}

/// The shares of normals and of anomalies in each bin.
fn histograms(batches: &[LabelledBatch<f64>]) -> [Vec<f64>; 2] {
    let mut counts = [vec![0.0; BINS], vec![0.0; BINS]];
    for batch in batches {
        let mut sorted = batch.items.clone();
        sorted.sort_by(f64::total_cmp);
        let [Some(low), Some(median), Some(high)] = [0.25, 0.5, 0.75].map(|q| quantile(&sorted, q)) else { continue };
        let range = if high > low { high - low } else { 1.0 };
        for (score, anomalous) in batch.items.iter().zip(&batch.labels) {
            let place = ((score - median) / range - ENDS.0) / (ENDS.1 - ENDS.0) * BINS as f64;
            counts[usize::from(*anomalous)][(place.max(0.0) as usize).min(BINS - 1)] += 1.0;
        }
    }
    for count in &mut counts {
        let all: f64 = count.iter().sum();
        count.iter_mut().for_each(|c| *c /= all.max(1.0));
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_stand_where_their_batch_puts_them() {
        // Median 2, quartiles 1 and 3: a range of 2. The anomaly at 8 stands three ranges off, that of 1,000 at the end.
        let batch = |top: f64| LabelledBatch {
            domain: "d".into(),
            number: 0,
            items: vec![0.0, 1.0, 2.0, 3.0, top],
            labels: vec![false, false, false, false, true],
        };
        let [normal, anomalous] = histograms(&[batch(8.0), batch(1000.0)]);
        let bin = |z: f64| ((z - ENDS.0) / (ENDS.1 - ENDS.0) * BINS as f64) as usize;
        assert_eq!((anomalous[bin(3.0)], anomalous[BINS - 1]), (0.5, 0.5));
        assert_eq!([-1.0, -0.5, 0.0, 0.5].map(|z| normal[bin(z)]), [0.25; 4]);
    }
}
