//! The spread over domains: a panel a protocol point, a strip a method.

use std::fmt::Display;

use zsad_core::{Pooling, Result};

use super::markup::Markup;
use super::place::Place;
use super::plots::percents;
use super::svg::{picture, shapes};
use crate::grid::{Grid, Point};
use crate::plots::axes::{Panel, TEXT};
use crate::plots::canvas::{Anchor, BLACK, Canvas};
use crate::plots::palette::Look;
use crate::plots::spread;
use crate::table::headline;

const WIDTH: f64 = 312.0;
/// Label and strip of a method.
const ROW: f64 = 42.0;
/// Dots and strips of a data set; where there are more, one point is drawn instead of all.
const DOTS: usize = 12_000;
const STRIPS: usize = 300;

/// The panels of a data set, folded away unless `open`.
///
/// # Errors
/// Where a text cannot be measured.
pub(super) fn details(
    html: &mut Markup,
    run: &Option<String>,
    grid: &Grid,
    (dataset, pooling): (&str, Pooling),
    open: bool,
) -> Result<()> {
    let Some(typical) = spread::point(grid, dataset, pooling) else { return Ok(()) };
    let of = |p: &&Point| p.dataset == dataset && p.pooling == pooling;
    let mut points: Vec<&Point> = grid.points.iter().filter(of).collect();
    let dots: usize = points.iter().map(|p| grid.axes(p).1.len() * grid.methods.len()).sum();
    let all = dots <= DOTS && points.len() * grid.methods.len() <= STRIPS;
    if !all {
        points = vec![typical];
    }
    let mut panels = Markup::default();
    for point in points {
        panel(&mut panels, run, grid, point)?;
    }
    let unfolded: [(&'static str, &dyn Display); 1] = [("open", &"")];
    html.element("details", if open { &unfolded } else { &[] }, |html| {
        html.leaf("summary", &[], format_args!("{} of single domains", headline().label));
        let how = "A dot is a domain, its mean over seeds; box: quartiles; diamond: mean.";
        let left_out = if all { "" } else { " Of many protocol points one is drawn." };
        html.leaf("p", &[("class", &"note")], format_args!("{how}{left_out}"));
        html.element("div", &[("class", &"panels")], |html| html.append(panels));
    });
    html.line();
    Ok(())
}

fn panel(html: &mut Markup, run: &Option<String>, grid: &Grid, point: &Point) -> Result<()> {
    let lines = spread::means(grid, point);
    if lines.is_empty() {
        return Ok(());
    }
    let height = ROW * lines.len() as f64 + 6.0;
    let x = percents(lines.iter().flat_map(|l| l.2.iter().copied()), 6);
    let mut panel = Panel { at: (10.0, 4.0), width: WIDTH - 22.0, height, x: x.clone(), y: x };
    panel.y.ticks.clear();
    let mut frame = Canvas::new(WIDTH, height + 26.0);
    panel.draw(&mut frame, "")?;
    let about = format!("{} of every domain by method; {}, {}", headline().label, point.dataset, at(point));
    html.element("figure", &Place::of_point(run, point).with(&[("class", &"panel")]), |html| {
        html.element("figcaption", &[], |html| {
            html.leaf("strong", &[], format_args!("{} (%)", headline().label));
            html.text(format_args!(", {}", at(point)));
        });
        picture(html, (WIDTH, frame.height), &about, |html| {
            shapes(html, &frame.shapes);
            for (i, (m, label, values)) in lines.iter().enumerate() {
                let top = 4.0 + ROW * i as f64;
                let mut strip = Canvas::new(WIDTH, height);
                strip.text((16.0, top + 9.0), shortened(label), TEXT, BLACK, Anchor::Left);
                spread::line(&mut strip, &panel, top + 29.0, Look::of(*m), values);
                let place = Place::default().with_method(grid.methods[*m].0.setting, label);
                html.element("g", &place.attributes(), |html| shapes(html, &strip.shapes));
            }
        });
    });
    html.line();
    Ok(())
}

/// Beginning and end of a long label: the end tells it from its namesakes.
fn shortened(label: &str) -> String {
    const PART: usize = 20;
    let n = label.chars().count();
    if n <= 2 * PART + 3 {
        return label.to_owned();
    }
    let (start, end): (String, String) = (label.chars().take(PART).collect(), label.chars().skip(n - PART).collect());
    format!("{start} … {end}")
}

fn at(point: &Point) -> String {
    point.to_string()
}
