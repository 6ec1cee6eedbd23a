//! AUROC against a parameter that a run varies: a panel a protocol point, a line for what else differs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use zsad_core::{Pooling, Result};

use super::axes::{Axis, Panel, Tick};
use super::canvas::Canvas;
use super::palette::Look;
use super::style::{Page, PanelSize, Style};
use crate::grid::{Grid, MethodKey, Point};
use crate::labels::labels;
use crate::stats::Summary;
use crate::table::Entry;

const PANEL: PanelSize = PanelSize { width: 360.0, height: 250.0, left: 62.0, below: 72.0 };
/// A line needs so many places.
const PLACES: usize = 3;

/// A method and one of its parameters, with its version.
type Varied = (String, u32, String);

/// Lines of a method: for every set of its other parameters the values of the one, with the method that has them.
type Lines = BTreeMap<String, Vec<(f64, MethodKey)>>;

/// One figure for each parameter that a method has at three values or more, with the parameter's name.
pub(crate) fn figures(
    run: &str,
    grid: &Grid,
    entries: &[Entry],
    part: (&str, Pooling),
    style: &Style,
) -> Result<Vec<(String, Canvas)>> {
    let mut found = Vec::new();
    for ((method, _, parameter), lines) in varied(grid) {
        let title = format!("{run}: AUROC and {parameter} of {method}");
        if let Some(canvas) = figure(&title, &parameter, (grid, entries), part, &lines, style)? {
            found.push((format!("auroc_{method}_{parameter}"), canvas));
        }
    }
    Ok(found)
}

/// The numeric parameters that vary, each with its lines; a line of fewer places than [`PLACES`] is left out.
fn varied(grid: &Grid) -> BTreeMap<Varied, Lines> {
    let mut found: BTreeMap<Varied, Lines> = BTreeMap::new();
    for (key, _) in &grid.methods {
        let params: Map<String, Value> = serde_json::from_str(&key.params).unwrap_or_default();
        for (name, value) in &params {
            let Some(value) = value.as_f64() else { continue };
            let rest: Map<_, _> =
                params.iter().filter(|(n, _)| *n != name).map(|(n, v)| (n.clone(), v.clone())).collect();
            let lines = found.entry((key.method.clone(), key.version, name.clone())).or_default();
            lines.entry(Value::Object(rest).to_string()).or_default().push((value, key.clone()));
        }
    }
    for lines in found.values_mut() {
        lines.retain(|_, places| places.len() >= PLACES);
        lines.values_mut().for_each(|places| places.sort_by(|a, b| a.0.total_cmp(&b.0)));
    }
    found.retain(|_, lines| !lines.is_empty());
    found
}

fn figure(
    title: &str,
    parameter: &str,
    (grid, entries): (&Grid, &[Entry]),
    (dataset, pooling): (&str, Pooling),
    lines: &Lines,
    style: &Style,
) -> Result<Option<Canvas>> {
    let keys: BTreeSet<&MethodKey> = lines.values().flatten().map(|(_, key)| key).collect();
    let summary = |point: &Point, key: &MethodKey| -> Option<Summary> {
        entries.iter().find(|e| e.point == *point && e.method == *key)?.outcome.number().copied()
    };
    let here = |p: &&Point| p.dataset == dataset && p.pooling == pooling;
    let points: Vec<&Point> =
        grid.points.iter().filter(here).filter(|p| keys.iter().any(|key| summary(p, key).is_some())).collect();
    if points.is_empty() {
        return Ok(None);
    }
    // What trains otherwise, or not at all, is a level to compare with; a method's other rows are none.
    let others: Vec<&(MethodKey, String)> =
        grid.methods.iter().filter(|(m, _)| keys.iter().all(|k| k.method != m.method)).collect();
    let names: Vec<(&str, u32, &str)> =
        lines.iter().map(|(rest, places)| (places[0].1.method.as_str(), places[0].1.version, rest.as_str())).collect();
    let own = labels(&names).into_iter().enumerate().map(|(i, label)| (Look::of(i), label));
    let levels = others.iter().enumerate().map(|(i, (_, label))| (Look::of(lines.len() + i), label.clone()));
    let looks: Vec<(Look, String)> = own.chain(levels).collect();
    let shown = |p: &&Point| {
        let all = keys.iter().copied().chain(others.iter().map(|(m, _)| m));
        all.filter_map(|m| summary(p, m)).map(|s| s.mean * 100.0).collect::<Vec<_>>()
    };
    let values: Vec<f64> = points.iter().flat_map(shown).collect();
    let (low, high) = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(*v), b.max(*v)));
    let x = horizontal(parameter, lines);
    let place = |v: f64| if x.logarithmic { v.log10() } else { v };
    let note = format!("{dataset}: mean over seeds and domains; level lines: methods without this parameter");
    let Page { mut canvas, corners, columns } = style.page((title, &note), (points.len(), 3), &PANEL, &looks)?;
    for (i, (point, corner)) in points.iter().zip(corners).enumerate() {
        let y = Axis::nice(if i % columns == 0 { "AUROC (%)" } else { "" }, low, high, 100.0, 8);
        let panel = Panel { at: corner, width: PANEL.width, height: PANEL.height, x: x.axis.clone(), y };
        panel.draw(&mut canvas, &point.to_string())?;
        for (places, (look, _)) in lines.values().zip(&looks) {
            let at =
                places.iter().filter_map(|(v, key)| Some(panel.position(place(*v), summary(point, key)?.mean * 100.0)));
            let at: Vec<_> = at.collect();
            look.line(&mut canvas, &at, 1.4);
            at.iter().for_each(|at| look.marker(&mut canvas, *at, 3.4));
        }
        for ((key, _), (look, _)) in others.iter().zip(&looks[lines.len()..]) {
            if let Some(s) = summary(point, key) {
                let ends = [x.axis.low, x.axis.high].map(|x| panel.position(x, s.mean * 100.0));
                look.line(&mut canvas, &ends, 1.0);
            }
        }
    }
    Ok(Some(canvas))
}

/// The horizontal axis; `logarithmic` where the values span more than a decade.
struct Horizontal {
    axis: Axis,
    logarithmic: bool,
}

fn horizontal(parameter: &str, lines: &Lines) -> Horizontal {
    let mut values: Vec<f64> = lines.values().flatten().map(|(v, _)| *v).collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    let (first, last) = (values[0], values[values.len() - 1]);
    let logarithmic = first > 0.0 && last / first > 10.0;
    let place = |v: f64| if logarithmic { v.log10() } else { v };
    let pad = 0.06 * (place(last) - place(first));
    let ticks = values.iter().map(|&v| Tick { value: place(v), label: vec![format!("{v}")] }).collect();
    let name = if logarithmic { format!("{parameter} (log scale)") } else { parameter.to_owned() };
    Horizontal { axis: Axis { name, low: place(first) - pad, high: place(last) + pad, ticks }, logarithmic }
}
