//! HTML: a fragment to stand in a page of one's own, and in ours.

use std::fmt::Display;

use super::Exporter;

use crate::html::{Attributes, Markup, Place, caption, scrolled};
use crate::sheet::{Block, Sheet, Text, letters};

/// HTML tables under headings; without style of their own.
pub struct Html;

impl Exporter for Html {
    fn page(&self, sheet: &Sheet) -> String {
        let mut html = Markup::default();
        html.element("section", &[], |html| {
            html.leaf("h2", &[], &sheet.title);
            html.line();
            html.leaf("p", &[], &sheet.legend);
            html.line();
            blocks(html, sheet, &None);
        });
        html.line();
        html.into_string()
    }
}

/// The grids of a sheet, one after the other; `run` is what filters call their run.
pub(crate) fn blocks(html: &mut Markup, sheet: &Sheet, run: &Option<String>) {
    for block in &sheet.blocks {
        grid(html, block, run);
        html.line();
    }
}

fn grid(html: &mut Markup, block: &Block, run: &Option<String>) {
    let shared = shared(block, run);
    html.element("div", &shared.with(&[("class", &"grid"), ("data-any", &"th.point|tbody tr")]), |html| {
        scrolled(html, &block.caption, |html| {
            html.element("table", &[], |html| table(html, block));
        });
        for (i, note) in block.notes.iter().enumerate() {
            html.element("p", &[("class", &"note")], |html| {
                html.leaf("sup", &[], letters(i));
                html.text(" ");
                html.text(note);
            });
        }
    });
}

fn table(html: &mut Markup, block: &Block) {
    let places: Vec<Place> = (0..block.header.len()).map(|c| place(block, c)).collect();
    let of = (block, places.as_slice());
    caption(html, &block.caption);
    html.element("thead", &[], |html| {
        html.element("tr", &[], |html| {
            for (c, (head, place)) in block.header.iter().zip(&places).enumerate() {
                let class = class(block, c, &Text::default());
                html.leaf("th", &place.with(&[("scope", &"col"), ("class", &class)]), head);
            }
        });
    });
    html.line();
    html.element("tbody", &[], |html| {
        block.lines.iter().for_each(|line| row(html, of, line, &about(block, line)));
    });
    if !block.foot.is_empty() {
        html.element("tfoot", &[], |html| {
            block.foot.iter().for_each(|line| row(html, of, line, &[]));
        });
    }
}

fn row(html: &mut Markup, (block, places): (&Block, &[Place]), line: &[Text], attributes: Attributes) {
    html.element("tr", attributes, |html| {
        for (c, (text, place)) in line.iter().zip(places).enumerate() {
            let class = class(block, c, text);
            if c == 0 {
                html.element("th", &[("scope", &"row"), ("class", &class)], |html| cell(html, text));
            } else {
                html.element("td", &place.with(&[("class", &class)]), |html| cell(html, text));
            }
        }
    });
    html.line();
}

fn cell(html: &mut Markup, text: &Text) {
    if text.bold {
        html.leaf("strong", &[], &text.plain);
    } else {
        html.text(&text.plain);
    }
    if !text.marks.is_empty() {
        html.leaf("sup", &[], &text.marks);
    }
}

/// Whether a text wants some room, so that it does not stand in a column of single words.
pub(crate) fn is_long(text: &str) -> bool {
    text.chars().count() > 14
}

fn class(block: &Block, column: usize, text: &Text) -> &'static str {
    match (column < block.words, point(block, column)) {
        (true, _) if is_long(&text.plain) => "word long",
        (true, _) => "word",
        (false, None) => "number",
        (false, Some(_)) => "number point",
    }
}

/// The protocol point of a column, where columns are points.
fn point(block: &Block, column: usize) -> Option<&crate::grid::Point> {
    block.points.get((column + block.points.len()).checked_sub(block.header.len())?)
}

/// What filters know of a column: that in which it differs from the others, for the rest stands beside the whole grid.
fn place(block: &Block, column: usize) -> Place {
    let Some(point) = point(block, column) else { return Place::default() };
    let (own, shared) = (Place::of_point(&None, point), shared(block, &None));
    let differing = |own: Option<String>, shared: Option<String>| own.filter(|_| shared.is_none());
    Place {
        dataset: differing(own.dataset, shared.dataset),
        batch_size: differing(own.batch_size, shared.batch_size),
        contamination: differing(own.contamination, shared.contamination),
        ..Place::default()
    }
}

/// What all points of a grid have in common.
fn shared(block: &Block, run: &Option<String>) -> Place {
    let mut places = block.points.iter().map(|p| Place::of_point(run, p));
    let Some(first) = places.next() else { return Place { run: run.clone(), ..Place::default() } };
    places.fold(first, |mut all, next| {
        let keep = |a: &mut Option<String>, b: &Option<String>| {
            if a != b {
                *a = None
            }
        };
        keep(&mut all.dataset, &next.dataset);
        keep(&mut all.batch_size, &next.batch_size);
        keep(&mut all.contamination, &next.contamination);
        all
    })
}

/// What filters know of a line of methods.
fn about<'a>(block: &Block, line: &'a [Text]) -> Vec<(&'static str, &'a dyn Display)> {
    let words = ["data-method", "data-setting"].into_iter().take(if block.points.is_empty() { 0 } else { block.words });
    words.zip(line).map(|(name, text)| (name, &text.plain as &dyn Display)).collect()
}
