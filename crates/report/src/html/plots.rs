//! The plots of a page: small panels that filters hide, each curve a group of its own.

use std::fmt::Display;

use zsad_core::{MetricSpec, Pooling, Result};

use super::markup::Markup;
use super::place::Place;
use super::run::Run;
use super::svg::{picture, shapes};
use super::{counted, heading, spread};
use crate::grid::{Grid, MethodKey, Point};
use crate::plots::axes::{Axis, Panel};
use crate::plots::canvas::{Canvas, GREY};
use crate::plots::curves::{self, Along, Group};
use crate::plots::palette::Look;
use crate::plots::{Style, loss, parameter};
use crate::table::{Entry, Outcome, Table, headline};

/// Size of a panel in units, which are pixels on a narrow screen.
const WIDTH: f64 = 312.0;
const HEIGHT: f64 = 236.0;
/// Where its frame lies.
const FRAME: Frame = Frame { left: 34.0, top: 10.0, width: 268.0, height: 172.0 };
/// Millimetres of a figure of parameters: one panel wide.
const COLUMN: f64 = 85.0;

/// Points of curves up to which all is drawn; of more, one axis without intervals.
const POINTS: usize = 3000;

struct Frame {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

/// A group of panels under one heading, or what there is beside them.
struct Shown<'a> {
    run: &'a Option<String>,
    grid: &'a Grid<'a>,
    dataset: &'a str,
    pooling: Pooling,
}

/// All plots of a run.
///
/// # Errors
/// Where a text cannot be measured.
pub(super) fn section(html: &mut Markup, run: &Run, name: &Option<String>, table: &Table) -> Result<()> {
    let grid = Grid::new(&run.rows);
    let metrics = crate::table::default_metrics(&run.rows);
    let parts = curves::parts(&grid);
    for (dataset, pooling) in &parts {
        let both = parts.iter().filter(|p| p.0 == *dataset).count() > 1;
        let pooled = if both { format!(", pooled by {pooling}") } else { String::new() };
        let shown = Shown { run: name, grid: &grid, dataset, pooling: *pooling };
        let mut inside = Markup::default();
        for metric in &metrics {
            let mut entries: Vec<Entry> = table.entries.iter().filter(|e| e.metric == *metric).cloned().collect();
            if entries.len() > POINTS {
                entries.iter_mut().for_each(without_interval);
                let note = format!("{} of {} points: along one axis, without intervals.", metric.label, entries.len());
                inside.leaf("p", &[("class", &"note")], note);
            }
            shown.curves(&mut inside, metric, &entries)?;
            if *metric == headline() {
                shown.parameters(&mut inside, &table.title, &entries)?;
            }
        }
        // Where there is no curve this is the plot.
        let is_alone = inside.len() == 0;
        spread::details(&mut inside, name, &grid, (dataset, *pooling), is_alone)?;
        shown.losses(&mut inside, run)?;
        let place = Place::of_dataset(name, dataset);
        html.element("section", &place.with(&[("class", &"plots")]), |html| {
            heading(html, name, format_args!("{dataset}{pooled}"));
            legend(html, &grid, dataset);
            html.append(inside);
        });
        html.line();
    }
    Ok(())
}

fn without_interval(entry: &mut Entry) {
    if let Outcome::Number(summary) = &mut entry.outcome {
        summary.interval = None;
    }
}

impl Shown<'_> {
    fn part(&self) -> (&str, Pooling) {
        (self.dataset, self.pooling)
    }

    /// A panel a batch size along contamination, and the other way round.
    fn curves(&self, html: &mut Markup, metric: &MetricSpec, entries: &[Entry]) -> Result<()> {
        let count = |along| curves::groups(self.grid, self.part(), along).iter().map(|g| g.points.len()).sum::<usize>();
        let axes: &[Along] = match count(Along::Contamination) >= count(Along::BatchSize) {
            _ if entries.len() <= POINTS => &[Along::Contamination, Along::BatchSize],
            true => &[Along::Contamination],
            false => &[Along::BatchSize],
        };
        for &along in axes {
            let mut drawn = Markup::default();
            for group in curves::groups(self.grid, self.part(), along) {
                let measured = |e: &&Entry| e.outcome.number().is_some() && group.points.contains(&&e.point);
                if entries.iter().any(|e| measured(&e)) {
                    self.panel(&mut drawn, metric, entries, &group, along)?;
                }
            }
            if drawn.len() > 0 {
                html.element("div", &[("class", &"panels")], |html| html.append(drawn));
                html.line();
            }
        }
        Ok(())
    }

    fn panel(
        &self,
        html: &mut Markup,
        metric: &MetricSpec,
        entries: &[Entry],
        group: &Group,
        along: Along,
    ) -> Result<()> {
        let panel = Panel {
            at: (FRAME.left, FRAME.top),
            width: FRAME.width,
            height: FRAME.height,
            x: curves::horizontal(self.grid, &group.points, along),
            y: curves::vertical("", entries),
        };
        let mut frame = Canvas::new(WIDTH, HEIGHT);
        panel.draw(&mut frame, "")?;
        if metric.name.ends_with("auroc") {
            panel.level(&mut frame, 50.0, GREY);
        }
        let of = |method: &MethodKey| {
            let at = |p: &Point| entries.iter().find(|e| e.point == *p && e.method == *method);
            group.points.iter().filter_map(|p| at(p)).collect::<Vec<_>>()
        };
        let all: Vec<_> = self.grid.methods.iter().enumerate().map(|(i, (m, label))| (i, m, label, of(m))).collect();
        let all: Vec<_> = all.into_iter().filter(|a| a.3.iter().any(|e| e.outcome.number().is_some())).collect();
        let what = match along {
            Along::Contamination => "contamination",
            Along::BatchSize => "batch size",
        };
        let about = format!("{} of each method against {what}; {}: {}", metric.label, self.dataset, group.heading);
        let mut place = Place::of_point(self.run, group.points[0]);
        match along {
            Along::Contamination => place.contamination = None,
            Along::BatchSize => place.batch_size = None,
        }
        html.element("figure", &place.with(&[("class", &"panel")]), |html| {
            html.element("figcaption", &[], |html| {
                html.leaf("strong", &[], format_args!("{} (%)", metric.label));
                html.text(format_args!(", {}", group.heading));
            });
            picture(html, (WIDTH, HEIGHT), &about, |html| {
                shapes(html, &frame.shapes);
                for (order, (i, method, label, entries)) in all.iter().enumerate() {
                    let mut curve = Canvas::new(WIDTH, HEIGHT);
                    curves::curve(&mut curve, &panel, along, entries, Look::of(*i), curves::shift(order, all.len()));
                    let place = Place::default().with_method(method.setting, label);
                    html.element("g", &place.attributes(), |html| {
                        html.leaf("title", &[], label);
                        shapes(html, &curve.shapes);
                    });
                }
            });
        });
        html.line();
        Ok(())
    }

    /// A figure a parameter that a method has at several values.
    fn parameters(&self, html: &mut Markup, title: &str, entries: &[Entry]) -> Result<()> {
        let style = Style { title: false, width: Some(COLUMN), ..Style::default() };
        for (name, canvas) in parameter::figures(title, self.grid, entries, self.part(), &style)? {
            let parameter = name.trim_start_matches("auroc_").replacen('_', " ", 1);
            let about = format!("{} against a parameter: {parameter}; {}", headline().label, self.dataset);
            html.element("figure", &[("class", &"panel tall")], |html| {
                html.leaf("figcaption", &[], format_args!("{} (%) against a parameter", headline().label));
                picture(html, (canvas.width, canvas.height), &about, |html| shapes(html, &canvas.shapes));
            });
            html.line();
        }
        Ok(())
    }

    /// A panel a method that was trained: its loss.
    fn losses(&self, html: &mut Markup, run: &Run) -> Result<()> {
        let panels = loss::panels(&run.trainings, self.dataset);
        if panels.is_empty() {
            return Ok(());
        }
        let mut drawn = Markup::default();
        for (label, fits) in &panels {
            let known = self.grid.methods.iter().position(|(_, l)| l == label);
            let mut canvas = Canvas::new(WIDTH, HEIGHT);
            let frame = ((66.0, FRAME.top), (FRAME.left + FRAME.width - 66.0, FRAME.height));
            loss::panel(&mut canvas, frame, "", fits, Look::of(known.unwrap_or(0)))?;
            let place = known.map(|i| Place::default().with_method(self.grid.methods[i].0.setting, label));
            let place = place.unwrap_or_default();
            drawn.element("figure", &place.with(&[("class", &"panel")]), |html| {
                html.element("figcaption", &[], |html| {
                    html.leaf("strong", &[], "training loss");
                    html.text(format_args!(", {label}: a line is one fit"));
                });
                let about = format!("Training loss of {label} on {} against the step", self.dataset);
                picture(html, (WIDTH, HEIGHT), &about, |html| shapes(html, &canvas.shapes));
            });
            drawn.line();
        }
        html.element("details", &[], |html| {
            html.leaf("summary", &[], format_args!("Training loss of {}", counted(panels.len(), "method")));
            html.element("div", &[("class", &"panels")], |html| html.append(drawn));
        });
        html.line();
        Ok(())
    }
}

/// The look of every method of a data set.
fn legend(html: &mut Markup, grid: &Grid, dataset: &str) {
    let points: Vec<_> = grid.points.iter().filter(|p| p.dataset == dataset).collect();
    html.element("ul", &[("class", &"legend"), ("aria-label", &"Methods")], |html| {
        for (i, (method, label)) in grid.methods.iter().enumerate() {
            if points.iter().all(|p| grid.cell(p, method).is_none()) {
                continue;
            }
            let mut canvas = Canvas::new(30.0, 12.0);
            let look = Look::of(i);
            look.line(&mut canvas, &[(1.0, 6.0), (29.0, 6.0)], 1.6);
            look.marker(&mut canvas, (15.0, 6.0), 3.6);
            let place = Place::default().with_method(method.setting, label);
            html.element("li", &place.attributes(), |html| {
                let size: [(&'static str, &dyn Display); 3] =
                    [("viewBox", &"0 0 30 12"), ("aria-hidden", &"true"), ("class", &"swatch")];
                html.element("svg", &size, |html| shapes(html, &canvas.shapes));
                html.text(label);
            });
        }
    });
    html.line();
}

/// A horizontal axis of per cents over some values, with room at its ends.
pub(super) fn percents(values: impl Iterator<Item = f64> + Clone, ticks: usize) -> Axis {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
    // Where all are equal an axis has a length all the same.
    let axis = Axis::nice("", low.min(high - 1.0), high, 100.0, ticks);
    let room = 0.015 * (axis.high - axis.low);
    Axis { low: axis.low - room, high: axis.high + room, ..axis }
}
