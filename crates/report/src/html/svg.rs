//! Drawings as inline SVG that takes its greys from the page, so that it is read on dark and on light, and on paper.

use std::fmt::{Display, Write};

use super::markup::Markup;
use crate::plots::canvas::{Anchor, BLACK, Color, GREY, LIGHT, Label, Shape};

const WHITE: Color = (255, 255, 255, 1.0);

/// An `svg` of so many units, described for those who cannot see it.
pub(super) fn picture(html: &mut Markup, (width, height): (f64, f64), about: &str, inside: impl FnOnce(&mut Markup)) {
    let view = format!("0 0 {} {}", short(width), short(height));
    html.element("svg", &[("viewBox", &view), ("role", &"img"), ("aria-label", &about)], inside);
}

/// A number of a drawing: a tenth of a unit is less than can be seen.
pub(super) fn short(value: f64) -> impl Display {
    let text = format!("{value:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// How a shape looks.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Line(f64),
    Area,
    Disc(f64),
}

/// The shapes, those that look alike as one path, where the first of them stands; texts lie above all. What belongs
/// together and overlaps does so in one colour.
pub(super) fn shapes(html: &mut Markup, shapes: &[Shape]) {
    let mut paths: Vec<(Kind, Color, String)> = Vec::new();
    for shape in shapes {
        let (kind, color, piece) = match shape {
            Shape::Line { points, color, width } => (Kind::Line(*width), *color, polyline(points)),
            Shape::Area { points, color } => (Kind::Area, *color, polyline(points) + "z"),
            Shape::Disc { at, radius, color } => {
                (Kind::Disc(*radius), *color, format!("M{} {}h0", short(at.0), short(at.1)))
            }
            Shape::Text(_) => continue,
        };
        match paths.iter_mut().find(|(k, c, _)| *k == kind && *c == color) {
            Some((_, _, d)) => d.push_str(&piece),
            None => paths.push((kind, color, piece)),
        }
    }
    paths.into_iter().for_each(|(kind, color, d)| path(html, kind, color, &d));
    for shape in shapes {
        if let Shape::Text(label) = shape {
            text(html, label);
        }
    }
}

fn polyline(points: &[(f64, f64)]) -> String {
    let mut d = String::new();
    let mut last: Option<(String, String)> = None;
    for (x, y) in points {
        let (x, y) = (short(*x).to_string(), short(*y).to_string());
        // Writing into a string cannot fail.
        let _ = match &last {
            None => write!(d, "M{x} {y}"),
            Some((before, _)) if *before == x => write!(d, "V{y}"),
            Some((_, before)) if *before == y => write!(d, "H{x}"),
            Some(_) => write!(d, "L{x} {y}"),
        };
        last = Some((x, y));
    }
    d
}

fn path(html: &mut Markup, kind: Kind, color: Color, d: &str) {
    let (class, width) = match kind {
        Kind::Line(width) => ("line", Some(width)),
        Kind::Area => ("area", None),
        Kind::Disc(radius) => ("disc", Some(2.0 * radius)),
    };
    let class = match theme(color) {
        Some(name) => format!("{class} {name}"),
        None => class.to_owned(),
    };
    let (paint, opacity, width) = (hex(color), color.3, width.map(short));
    let of = if kind == Kind::Area { "fill" } else { "stroke" };
    let mut attributes: Vec<(&'static str, &dyn Display)> = vec![("class", &class), ("d", &d)];
    if theme(color).is_none() {
        attributes.push((of, &paint));
    }
    if opacity < 1.0 {
        attributes.push(("opacity", &opacity));
    }
    if let Some(width) = &width {
        attributes.push(("stroke-width", width));
    }
    html.leaf("path", &attributes, "");
}

fn text(html: &mut Markup, label: &Label) {
    if label.text.is_empty() {
        return;
    }
    let (x, y) = (short(label.at.0), short(label.at.1));
    let anchor = match label.anchor {
        Anchor::Left => "start",
        Anchor::Middle => "middle",
        Anchor::Right => "end",
    };
    let class = theme(label.color).unwrap_or("ink");
    let turn = format!("rotate(-90 {x} {y})");
    let size = short(label.size);
    let mut attributes: Vec<(&'static str, &dyn Display)> =
        vec![("class", &class), ("x", &x), ("y", &y), ("dy", &".35em"), ("text-anchor", &anchor), ("font-size", &size)];
    if label.upwards {
        attributes.push(("transform", &turn));
    }
    if label.bold {
        attributes.push(("font-weight", &"bold"));
    }
    html.leaf("text", &attributes, &label.text);
}

/// The page's own name for a colour that changes with its theme.
fn theme(color: Color) -> Option<&'static str> {
    let same = |other: Color| (color.0, color.1, color.2) == (other.0, other.1, other.2);
    [(BLACK, "ink"), (GREY, "grey"), (LIGHT, "rule"), (WHITE, "paper")].into_iter().find(|(c, _)| same(*c)).map(|t| t.1)
}

fn hex((r, g, b, _): Color) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_alike_is_one_path_and_greys_are_the_pages() {
        let line = |x: f64| Shape::Line { points: vec![(x, 0.0), (x, 2.25)], color: BLACK, width: 1.0 };
        let disc = Shape::Disc { at: (1.0, 1.0), radius: 2.0, color: (1, 2, 3, 0.5) };
        let mut html = Markup::default();
        shapes(&mut html, &[line(0.0), line(-0.01), disc]);
        assert_eq!(
            html.into_string(),
            "<path class=\"line ink\" d=\"M0 0V2.2M0 0V2.2\" stroke-width=\"1\"></path>\
             <path class=\"disc\" d=\"M1 1h0\" stroke=\"#010203\" opacity=\"0.5\" stroke-width=\"4\"></path>"
        );
    }
}
