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
pub(super) enum Along {
    Contamination,
    BatchSize,
}

const PANEL: PanelSize = PanelSize { width: 330.0, height: 230.0, left: 62.0, below: 84.0 };

/// One curve figure of a data set, or `None` where nothing varies along the axis.
pub(super) fn figure(
    title: &str,
    grid: &Grid,
    entries: &[Entry],
    (dataset, pooling): (&str, Pooling),
    along: Along,
    style: &Style,
) -> Result<Option<Canvas>> {
    let here = |p: &&Point| p.dataset == dataset && p.pooling == pooling && position(p, along).is_some();
    let points: Vec<&Point> = grid.points.iter().filter(here).collect();
    let mut panels: Vec<(String, Vec<&Point>)> = Vec::new();
    for point in points {
        let heading = heading(point, along);
        match panels.iter_mut().find(|p| p.0 == heading) {
            Some((_, points)) => points.push(point),
            None => panels.push((heading, vec![point])),
        }
    }
    panels.retain(|(_, points)| points.len() > 1);
    for (_, points) in &mut panels {
        points.sort_by(|a, b| position(a, along).partial_cmp(&position(b, along)).unwrap_or(std::cmp::Ordering::Equal));
    }
    let number = |e: &Entry| e.outcome.number().copied();
    let in_panels = |e: &&Entry| panels.iter().any(|(_, points)| points.contains(&&e.point));
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
    let low = |s: Summary| s.interval.map_or(s.mean, |i| i.0) * 100.0;
    let high = |s: Summary| s.interval.map_or(s.mean, |i| i.1) * 100.0;
    // One scale for all data sets of a run.
    let lowest = entries.iter().filter_map(number).map(low).fold(f64::INFINITY, f64::min);
    let highest = entries.iter().filter_map(number).map(high).fold(f64::NEG_INFINITY, f64::max);
    let most = if panels.len() == 4 { 2 } else { 3 };
    let refused = here.iter().any(|e| e.outcome == Outcome::Refused);
    let note = format!(
        "{dataset}: mean over seeds and domains; bars: 95 % intervals; points of one place are set side by side{}",
        if refused { "; × at the foot: refused" } else { "" }
    );
    let Page { mut canvas, corners, columns } = style.page((title, &note), (panels.len(), most), &PANEL, &looks)?;
    for (i, ((heading, points), corner)) in panels.iter().zip(corners).enumerate() {
        let y = if i % columns == 0 { "AUROC (%)" } else { "" };
        let y = Axis::nice(y, lowest, highest, 100.0, 8);
        // Room for what lies at either end.
        let room = 0.03 * (y.high - y.low);
        let y = Axis { low: y.low - room, high: y.high + room, ..y };
        let panel =
            Panel { at: corner, width: PANEL.width, height: PANEL.height, x: horizontal(grid, points, along), y };
        panel.draw(&mut canvas, heading)?;
        panel.level(&mut canvas, 50.0, GREY);
        if !drawn.iter().any(|e| points.contains(&&e.point)) {
            let middle = (corner.0 + PANEL.width / 2.0, corner.1 + PANEL.height / 2.0);
            canvas.text(middle, "AUROC is not defined here", SMALL, GREY, Anchor::Middle);
        }
        for (m, (method, label)) in grid.methods.iter().enumerate() {
            let Some(order) = looks.iter().position(|(_, l)| l == label) else { continue };
            let shift = (order as f64 - (looks.len() - 1) as f64 / 2.0) * (14.0 / looks.len() as f64).min(4.0);
            let look = Look::of(m);
            let at = |p: &&Point| {
                let entry = drawn.iter().find(|e| e.point == **p && e.method == *method)?;
                let (x, s) = (position(p, along)?, number(entry)?);
                let (px, py) = panel.position(x, s.mean * 100.0);
                let ends = s.interval.map(|_| (panel.position(x, low(s)).1, panel.position(x, high(s)).1));
                Some(((px + shift, py), ends))
            };
            let positions: Vec<_> = points.iter().filter_map(at).collect();
            for ((x, _), ends) in &positions {
                if let Some((bottom, top)) = ends {
                    canvas.line(&[(*x, *bottom), (*x, *top)], look.faint(0.75), 1.0);
                    for y in [bottom, top] {
                        canvas.line(&[(x - 2.5, *y), (x + 2.5, *y)], look.faint(0.75), 1.0);
                    }
                }
            }
            look.line(&mut canvas, &positions.iter().map(|(at, _)| *at).collect::<Vec<_>>(), 1.4);
            for (at, _) in &positions {
                look.marker(&mut canvas, *at, 3.4);
            }
            let is_refused = |p: &&&Point| {
                here.iter().any(|e| e.point == ***p && e.method == *method && e.outcome == Outcome::Refused)
            };
            for point in points.iter().filter(is_refused) {
                let foot = panel.position(position(point, along).unwrap_or(0.0), panel.y.low);
                let (x, y) = (foot.0 + shift, foot.1 - 6.0);
                for (dx, dy) in [(2.5, 2.5), (2.5, -2.5)] {
                    canvas.line(&[(x - dx, y - dy), (x + dx, y + dy)], look.color, 1.2);
                }
            }
        }
    }
    Ok(Some(canvas))
}

/// Where a point stands on the axis: contamination in per cent, or the binary logarithm of the batch size.
fn position(point: &Point, along: Along) -> Option<f64> {
    match (along, point.size) {
        (Along::Contamination, _) => point.contamination.ratio().map(|r| r * 100.0),
        (Along::BatchSize, BatchSize::Total(n) | BatchSize::Normals(n)) if n > 0 => Some((n as f64).log2()),
        (Along::BatchSize, _) => None,
    }
}

fn heading(point: &Point, along: Along) -> String {
    match (along, point.size) {
        (Along::Contamination, size) => size.to_string(),
        (Along::BatchSize, BatchSize::Normals(_)) => {
            format!("contamination {} (sizes without the anomalies)", point.contamination)
        }
        (Along::BatchSize, _) => format!("contamination {}", point.contamination),
    }
}

fn horizontal(grid: &Grid, points: &[&Point], along: Along) -> Axis {
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
pub(super) fn parts(grid: &Grid) -> BTreeSet<(String, Pooling)> {
    grid.points.iter().map(|p| (p.dataset.clone(), p.pooling)).collect()
}

/// The AUROC entries of every point.
pub(super) fn entries(grid: &Grid, metric: &'static MetricSpec) -> Vec<Entry> {
    grid.points.iter().flat_map(|p| crate::table::column(grid, p, metric)).collect()
}
