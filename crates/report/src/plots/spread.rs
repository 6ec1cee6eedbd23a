//! The spread over domains at one protocol point: a box and a strip of domains a method.

use zsad_core::{Pooling, Result};
use zsad_store::Row;

use super::axes::{Axis, Panel, TEXT};
use super::canvas::{Anchor, BLACK, Canvas, Shape, text_width};
use super::palette::Look;
use super::style::Style;
use crate::grid::{Grid, Point};
use crate::stats::quantile;
use crate::table;

const ROW: f64 = 34.0;
const WIDTH: f64 = 520.0;

/// The figure of a data set, at the largest batches and the contamination nearest to 10 %; `None` without results.
pub(super) fn figure(
    title: &str,
    grid: &Grid,
    (dataset, pooling): (&str, Pooling),
    style: &Style,
) -> Result<Option<Canvas>> {
    let Some(point) = point(grid, dataset, pooling) else { return Ok(None) };
    let (lines, domains) = (means(grid, point), grid.axes(point).1);
    let all = || lines.iter().flat_map(|l| l.2.iter().copied());
    if lines.is_empty() {
        return Ok(None);
    }
    let widths = lines.iter().map(|(_, label, _)| text_width(label, TEXT)).collect::<Result<Vec<_>>>()?;
    let left = widths.into_iter().fold(0.0, f64::max) + 30.0;
    let note = format!(
        "{dataset}, {point}: a dot is one of {} domains, mean over seeds; box: quartiles; diamond: mean",
        domains.len()
    );
    let top = style.top() - 6.0;
    let width = (left + WIDTH + 24.0).max(style.head_width(title, &note)?);
    let height = ROW * lines.len() as f64;
    let mut canvas = Canvas::new(width, top + height + 58.0);
    style.head(&mut canvas, title, &note);
    let x = Axis::nice("AUROC (%)", all().fold(f64::INFINITY, f64::min), all().fold(0.0, f64::max), 100.0, 10);
    let pad = (x.high - x.low) * 0.015;
    let x = Axis { low: x.low - pad, high: x.high + pad, ..x };
    let y = Axis { name: String::new(), low: 0.0, high: lines.len() as f64, ticks: Vec::new() };
    let panel = Panel { at: (left, top), width: width - left - 24.0, height, x, y };
    panel.draw(&mut canvas, "")?;
    for (i, (m, label, values)) in lines.iter().enumerate() {
        let middle = top + ROW * (i as f64 + 0.5);
        canvas.text((left - 10.0, middle), *label, TEXT, BLACK, Anchor::Right);
        line(&mut canvas, &panel, middle, Look::of(*m), values);
    }
    Ok(Some(canvas))
}

/// The methods with results at a point: number, label, and of every domain the mean over seeds, in per cent.
pub(crate) fn means<'g>(grid: &'g Grid, point: &Point) -> Vec<(usize, &'g str, Vec<f64>)> {
    let (seeds, domains) = grid.axes(point);
    let mut lines = Vec::new();
    for (m, (method, label)) in grid.methods.iter().enumerate() {
        let Some(cell) = grid.cell(point, method).filter(|c| !c.ambiguous()) else { continue };
        let matrix = cell.matrix(&seeds, &domains, |r: &Row| r.metric(table::headline().name));
        let mean = |d: usize| {
            let defined: Vec<f64> = (0..matrix.seeds).filter_map(|s| matrix.values[s * matrix.domains + d]).collect();
            (!defined.is_empty()).then(|| 100.0 * defined.iter().sum::<f64>() / defined.len() as f64)
        };
        let values: Vec<f64> = (0..domains.len()).filter_map(mean).collect();
        if !values.is_empty() {
            lines.push((m, label.as_str(), values));
        }
    }
    lines
}

/// Dots, box and mean of one method at the height `middle`.
pub(crate) fn line(canvas: &mut Canvas, panel: &Panel, middle: f64, look: Look, values: &[f64]) {
    let at = |v: f64| panel.position(v, 0.0).0;
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (radius, opacity) = if values.len() > 60 { (1.6, 0.35) } else { (2.4, 0.6) };
    for (i, &v) in values.iter().enumerate() {
        // A fixed low-discrepancy offset keeps dots of equal value apart.
        let offset = ((i as f64 * 0.618_033_988_75).fract() - 0.5) * 20.0;
        canvas.shapes.push(Shape::Disc { at: (at(v), middle + offset), radius, color: look.faint(opacity) });
    }
    let quartiles = [0.25, 0.5, 0.75].map(|q| quantile(&sorted, q).map(at));
    if let [Some(low), Some(median), Some(high)] = quartiles
        && values.len() >= 4
    {
        let (top, bottom) = (middle - 9.0, middle + 9.0);
        canvas.rect((low, top), (high, bottom), look.faint(0.15));
        canvas.line(&[(low, top), (high, top), (high, bottom), (low, bottom), (low, top)], look.color, 1.2);
        canvas.line(&[(median, top), (median, bottom)], look.color, 2.0);
    }
    let x = at(values.iter().sum::<f64>() / values.len() as f64);
    for (r, color) in [(6.0, (255, 255, 255, 1.0)), (4.6, BLACK)] {
        canvas.area(&[(x - r, middle), (x, middle - r), (x + r, middle), (x, middle + r)], color);
    }
}

/// The point with the contamination nearest to 10 %, and of these the largest batches.
pub(crate) fn point<'g>(grid: &'g Grid, dataset: &str, pooling: Pooling) -> Option<&'g Point> {
    let far = |p: &Point| p.contamination.ratio().map_or(0.0, |r| (r - 0.1).abs());
    let measured = |p: &&Point| {
        let cells = grid.methods.iter().filter_map(|(m, _)| grid.cell(p, m));
        p.dataset == dataset
            && p.pooling == pooling
            && cells.flat_map(|c| &c.ok).any(|r| r.metric(table::headline().name).is_some())
    };
    // `min_by` keeps the first of equals, and points are sorted by size.
    grid.points.iter().rev().filter(measured).min_by(|a, b| far(a).total_cmp(&far(b)))
}
