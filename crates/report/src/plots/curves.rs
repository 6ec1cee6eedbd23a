//! AUROC against contamination and against batch size: a panel a batch size or contamination, a curve a method.

use std::collections::BTreeSet;

use zsad_core::protocol::percent;
use zsad_core::{BatchSize, MetricSpec, Pooling, Result};

use super::axes::{Axis, Panel, SMALL, Tick};
use super::canvas::{Anchor, Canvas, GREY};
use super::palette::Look;
use super::style::{Page, PanelSize, Style};
use crate::grid::{Grid, Point};
use crate::stats::Summary;
use crate::table::{Entry, Outcome};

/// What runs along the horizontal axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Along {
    Contamination,
    BatchSize,
}

const PANEL: PanelSize = PanelSize { width: 330.0, height: 230.0, left: 62.0, below: 84.0 };

/// What a panel shows: points that differ along its axis alone.
pub(crate) struct Group<'g> {
    /// What they have in common.
    pub heading: String,
    /// In the axis' order.
    pub points: Vec<&'g Point>,
}

/// The panels of a data set; those in which nothing varies along the axis are none.
pub(crate) fn groups<'g>(grid: &'g Grid, (dataset, pooling): (&str, Pooling), along: Along) -> Vec<Group<'g>> {
    let here = |p: &&Point| p.dataset == dataset && p.pooling == pooling && position(p, along).is_some();
    let mut groups: Vec<Group> = Vec::new();
    for point in grid.points.iter().filter(here) {
        let heading = heading(point, along);
        match groups.iter_mut().find(|g| g.heading == heading) {
            Some(group) => group.points.push(point),
            None => groups.push(Group { heading, points: vec![point] }),
        }
    }
    groups.retain(|g| g.points.len() > 1);
    for Group { points, .. } in &mut groups {
        points.sort_by(|a, b| position(a, along).partial_cmp(&position(b, along)).unwrap_or(std::cmp::Ordering::Equal));
    }
    groups
}

fn number(entry: &Entry) -> Option<Summary> {
    entry.outcome.number().copied()
}

fn low(s: Summary) -> f64 {
    s.interval.map_or(s.mean, |i| i.0) * 100.0
}

fn high(s: Summary) -> f64 {
    s.interval.map_or(s.mean, |i| i.1) * 100.0
}

/// The vertical axis of all panels of a run: one scale for all data sets.
pub(crate) fn vertical(name: &str, entries: &[Entry]) -> Axis {
    let numbers = || entries.iter().filter_map(number);
    let lowest = numbers().map(low).fold(f64::INFINITY, f64::min);
    let highest = numbers().map(high).fold(f64::NEG_INFINITY, f64::max);
    let axis = Axis::nice(name, lowest, highest, 100.0, 8);
    // Room for what lies at either end.
    let room = 0.03 * (axis.high - axis.low);
    Axis { low: axis.low - room, high: axis.high + room, ..axis }
}

/// How far to the side a curve stands, so that points of one place are seen: it is number `order` of `n`.
pub(crate) fn shift(order: usize, n: usize) -> f64 {
    (order as f64 - (n - 1) as f64 / 2.0) * (14.0 / n as f64).min(4.0)
}

/// The curve of one method: its entries at the points of the panel, in their order.
pub(crate) fn curve(canvas: &mut Canvas, panel: &Panel, along: Along, entries: &[&Entry], look: Look, shift: f64) {
    let at = |entry: &&Entry| {
        let (x, s) = (position(&entry.point, along)?, number(entry)?);
        let (px, py) = panel.position(x, s.mean * 100.0);
        let ends = s.interval.map(|_| (panel.position(x, low(s)).1, panel.position(x, high(s)).1));
        Some(((px + shift, py), ends))
    };
    let positions: Vec<_> = entries.iter().filter_map(at).collect();
    for ((x, _), ends) in &positions {
        if let Some((bottom, top)) = ends {
            canvas.line(&[(*x, *bottom), (*x, *top)], look.faint(0.75), 1.0);
            for y in [bottom, top] {
                canvas.line(&[(x - 2.5, *y), (x + 2.5, *y)], look.faint(0.75), 1.0);
            }
        }
    }
    look.line(canvas, &positions.iter().map(|(at, _)| *at).collect::<Vec<_>>(), 1.4);
    for (at, _) in &positions {
        look.marker(canvas, *at, 3.4);
    }
    for entry in entries.iter().filter(|e| e.outcome == Outcome::Refused) {
        let foot = panel.position(position(&entry.point, along).unwrap_or(0.0), panel.y.low);
        let (x, y) = (foot.0 + shift, foot.1 - 6.0);
        for (dx, dy) in [(2.5, 2.5), (2.5, -2.5)] {
            canvas.line(&[(x - dx, y - dy), (x + dx, y + dy)], look.color, 1.2);
        }
    }
}

/// One curve figure of a data set, or `None` where nothing varies along the axis.
pub(super) fn figure(
    title: &str,
    grid: &Grid,
    entries: &[Entry],
    (dataset, pooling): (&str, Pooling),
    along: Along,
    style: &Style,
) -> Result<Option<Canvas>> {
    let groups = groups(grid, (dataset, pooling), along);
    let in_panels = |e: &&Entry| groups.iter().any(|g| g.points.contains(&&e.point));
    let here: Vec<&Entry> = entries.iter().filter(in_panels).collect();
    let drawn: Vec<&Entry> = here.iter().copied().filter(|e| number(e).is_some()).collect();
    if drawn.is_empty() {
        return Ok(None);
    }
    // A method keeps its look in every figure of a run.
    let looks: Vec<(Look, String)> = grid
        .methods
        .iter()
        .enumerate()
        .filter(|(_, (m, _))| drawn.iter().any(|e| e.method == *m))
        .map(|(i, (_, label))| (Look::of(i), label.clone()))
        .collect();
    let most = if groups.len() == 4 { 2 } else { 3 };
    let refused = here.iter().any(|e| e.outcome == Outcome::Refused);
    let note = format!(
        "{dataset}: mean over seeds and domains; bars: 95 % intervals; points of one place are set side by side{}",
        if refused { "; × at the foot: refused" } else { "" }
    );
    let Page { mut canvas, corners, columns } = style.page((title, &note), (groups.len(), most), &PANEL, &looks)?;
    for (i, (Group { heading, points }, corner)) in groups.iter().zip(corners).enumerate() {
        let y = vertical(if i % columns == 0 { "AUROC (%)" } else { "" }, entries);
        let x = horizontal(grid, points, along);
        let panel = Panel { at: corner, width: PANEL.width, height: PANEL.height, x, y };
        panel.draw(&mut canvas, heading)?;
        panel.level(&mut canvas, 50.0, GREY);
        if !drawn.iter().any(|e| points.contains(&&e.point)) {
            let middle = (corner.0 + PANEL.width / 2.0, corner.1 + PANEL.height / 2.0);
            canvas.text(middle, "AUROC is not defined here", SMALL, GREY, Anchor::Middle);
        }
        for (m, (method, label)) in grid.methods.iter().enumerate() {
            let Some(order) = looks.iter().position(|(_, l)| l == label) else { continue };
            let at = |p: &&Point| here.iter().copied().find(|e| e.point == **p && e.method == *method);
            let entries: Vec<&Entry> = points.iter().filter_map(at).collect();
            curve(&mut canvas, &panel, along, &entries, Look::of(m), shift(order, looks.len()));
        }
    }
    Ok(Some(canvas))
}

/// Where a point stands on the axis: contamination in per cent, or the binary logarithm of the batch size.
pub(crate) fn position(point: &Point, along: Along) -> Option<f64> {
    match (along, point.size) {
        (Along::Contamination, _) => point.contamination.ratio().map(|r| r * 100.0),
        (Along::BatchSize, BatchSize::Total(n) | BatchSize::Normals(n)) if n > 0 => Some((n as f64).log2()),
        (Along::BatchSize, _) => None,
    }
}

fn heading(point: &Point, along: Along) -> String {
    let shifted = point.shifted();
    match (along, point.size) {
        (Along::Contamination, size) => format!("{size}{shifted}"),
        (Along::BatchSize, BatchSize::Normals(_)) => {
            format!("contamination {} (sizes without the anomalies){shifted}", point.contamination)
        }
        (Along::BatchSize, _) => format!("contamination {}{shifted}", point.contamination),
    }
}

/// The horizontal axis of a panel.
pub(crate) fn horizontal(grid: &Grid, points: &[&Point], along: Along) -> Axis {
    let value = |p: &Point| position(p, along).unwrap_or(0.0);
    let (low, high) = (value(points[0]), value(points[points.len() - 1]));
    let pad = (high - low) * 0.06;
    let differs = |p: &&&Point| matches!((p.contamination.ratio(), grid.realised(p)), (Some(r), Some(real)) if (r - real).abs() >= 0.0005);
    let realised = along == Along::Contamination && points.iter().any(|p| differs(&p));
    let tick = |p: &&Point| {
        let label = match along {
            Along::Contamination => percent(p.contamination.ratio().unwrap_or(0.0)),
            Along::BatchSize => format!("{}", value(p).exp2().round()),
        };
        let real = grid.realised(p).map(|r| format!("({:.1})", r * 100.0)).filter(|_| realised);
        Tick { value: value(p), label: std::iter::once(label).chain(real).collect() }
    };
    let name = match along {
        Along::Contamination if realised => "test contamination (%), realised in brackets",
        Along::Contamination => "test contamination (%)",
        Along::BatchSize => "batch size (samples, log₂ scale)",
    };
    Axis { name: name.into(), low: low - pad, high: high + pad, ticks: points.iter().map(tick).collect() }
}

/// The distinct pairs of data set and pooling.
pub(crate) fn parts(grid: &Grid) -> BTreeSet<(String, Pooling)> {
    grid.points.iter().map(|p| (p.dataset.clone(), p.pooling)).collect()
}

/// The AUROC entries of every point.
pub(crate) fn entries(grid: &Grid, metric: &'static MetricSpec) -> Vec<Entry> {
    grid.points.iter().flat_map(|p| crate::table::column(grid, p, metric)).collect()
}
