//! A page to look at: one file that holds everything, asks nobody for anything, and is read without a script, too.

mod asked;
mod batch;
mod bounds;
mod differences;
mod drill;
mod escape;
mod failures;
mod filters;
mod frame;
mod markup;
mod pictures;
mod place;
mod plots;
mod provenance;
mod results;
mod run;
mod sheets;
mod spread;
mod strip;
mod svg;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt::Display;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use zsad_core::{MetricSpec, Result};
use zsad_metrics::METRICS;

use crate::export::{Printed, blocks};
use crate::published::OfRun;
use crate::table::{self, Style, Table, styled};
pub use asked::Defaults;
pub use batch::{BatchPage, BatchView, Ranked, Trusted};
pub(crate) use frame::{caption, scrolled};
pub(crate) use markup::{Attributes, Markup};
pub use pictures::{Bringer, Thumbnail};
use pictures::{Pictures, jpeg};
pub(crate) use place::Place;
pub use run::Run;

const STYLE: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("report.js");

/// Rows from which a page is large.
const LARGE: usize = 1000;

/// What a page is made of.
pub struct Page<'a> {
    /// The runs, in their order.
    pub runs: &'a [Run],
    /// Defaults of the methods' parameters: what differs from them is said.
    pub defaults: &'a Defaults,
    /// Who brings pictures of samples, and how many of a batch.
    pub pictures: Option<(&'a dyn Bringer, usize)>,
    /// The program that makes it, with its version.
    pub program: &'a str,
}

impl Page<'_> {
    /// The page, a whole HTML file.
    ///
    /// # Errors
    /// [`zsad_core::Error::Failed`] where a plot cannot be drawn.
    pub fn to_html(&self) -> Result<String> {
        let tables: Vec<Table> = self.runs.iter().map(|r| of_run(r, &table::shown(&r.rows, |_| true))).collect();
        let titles: BTreeSet<&str> = tables.iter().map(|t| t.title.as_str()).collect();
        let title = titles.into_iter().collect::<Vec<_>>().join(", ");
        let main = self.main(&title, &tables)?;
        Ok(document(&title, self.program, main, SCRIPT))
    }

    fn main(&self, title: &str, tables: &[Table]) -> Result<Markup> {
        let names = self.names();
        let several = self.runs.len() > 1;
        // A run has a name on the page where there are others.
        let names: Vec<Option<String>> = names.into_iter().map(|n| Some(n).filter(|_| several)).collect();
        let mut plots = Markup::default();
        for ((run, name), table) in self.runs.iter().zip(&names).zip(tables) {
            plots::section(&mut plots, run, name, table)?;
            sheets::section(&mut plots, run);
        }
        let mut pictures = Pictures::new(self.pictures.map(|p| p.0), self.pictures.map_or(0, |p| p.1));
        let lines: Vec<_> = names.iter().zip(tables).flat_map(|(name, table)| results::lines(name, table)).collect();
        let shown = |m: &&MetricSpec| tables.iter().any(|t| t.entries.iter().any(|e| e.metric == *m));
        let metrics: Vec<&MetricSpec> = METRICS.iter().map(|m| &m.spec).filter(shown).collect();
        let with_records = self.runs.iter().any(|r| !r.records.is_empty());
        let mut html = Markup::default();
        html.element("header", &[], |html| {
            html.leaf("h1", &[], title);
            contents(html, several, with_records);
        });
        html.line();
        // Browsers lay out a large page piece by piece, as it is read.
        let class = if lines.len() > LARGE { "large" } else { "" };
        html.element("main", &[("class", &class)], |html| {
            section(html, "asked", "What was asked", |html| {
                self.each(html, &names, |html, run, _| asked::section(html, run, self.defaults));
            });
            if several {
                let own: Vec<String> = names.iter().flatten().cloned().collect();
                section(html, "changed", "What changed", |html| differences::section(html, self.runs, &own, tables));
            }
            // It stands beside the sections, and stays in sight while they are read.
            filters::form(html, &lines);
            section(html, "tables", "Results", |html| {
                html.leaf("p", &[("class", &"note")], tables.first().map_or("", |t| &t.sheet().legend));
                self.each(html, &names, |html, run, name| {
                    blocks(html, of_run(run, &table::default_metrics(&run.rows)).sheet(), name);
                });
                html.leaf("h3", &[], "All numbers");
                results::table(html, &lines, &metrics);
                self.runs.iter().for_each(|run| beside(html, &run.beside));
            });
            section(html, "plots", "Plots", |html| html.append(plots));
            if with_records {
                section(html, "batches", "Single batches", |html| {
                    self.each(html, &names, |html, run, name| drill::section(html, run, name, &mut pictures));
                });
            }
            section(html, "failures", "What went wrong", |html| {
                self.each(html, &names, failures::section);
            });
            section(html, "provenance", "Where it comes from", |html| {
                self.each(html, &names, |html, run, _| provenance::section(html, run));
            });
            section(html, "again", "How to run it again", |html| {
                let mut number = 0;
                self.each(html, &names, |html, run, _| {
                    number += 1;
                    provenance::again(html, run, number);
                });
            });
        });
        html.line();
        Ok(html)
    }

    /// Writes something of each run, under its name where there are several.
    fn each(
        &self,
        html: &mut Markup,
        names: &[Option<String>],
        mut write: impl FnMut(&mut Markup, &Run, &Option<String>),
    ) {
        for (run, name) in self.runs.iter().zip(names) {
            heading(html, name, "");
            write(html, run, name);
        }
    }

    /// The runs' names, each once: namesakes get a number.
    fn names(&self) -> Vec<String> {
        let all: Vec<&String> = self.runs.iter().map(|r| &r.name).collect();
        let numbered = |(i, name): (usize, &&String)| {
            let same = all.iter().filter(|n| n == &name).count();
            let before = all[..i].iter().filter(|n| n == &name).count();
            if same > 1 { format!("{name} ({})", before + 1) } else { (*name).clone() }
        };
        all.iter().enumerate().map(numbered).collect()
    }
}

/// A whole file: `main`, with a script where one is given.
fn document(title: &str, program: &str, main: Markup, script: &'static str) -> String {
    let mut html = Markup::default();
    html.literal("<!DOCTYPE html>\n");
    html.element("html", &[("lang", &"en")], |html| {
        html.element("head", &[], |html| head(html, title, script));
        html.line();
        html.element("body", &[], |html| {
            html.append(main);
            html.element("footer", &[], |html| {
                html.leaf("p", &[], format_args!("Made by {program}. This file is complete: it asks for nothing."));
            });
            if !script.is_empty() {
                html.element("script", &[], |html| html.literal(script));
            }
        });
    });
    html.line();
    html.into_string()
}

/// What stands before the page: nothing of it may come from elsewhere, and nothing but its own style and script is run.
fn head(html: &mut Markup, title: &str, script: &str) {
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; img-src data:; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(script)
    );
    html.void("meta", &[("charset", &"utf-8")]);
    html.void("meta", &[("http-equiv", &"Content-Security-Policy"), ("content", &policy)]);
    html.void("meta", &[("name", &"viewport"), ("content", &"width=device-width, initial-scale=1")]);
    html.void("meta", &[("name", &"color-scheme"), ("content", &"light dark")]);
    // Browsers would ask for an icon.
    html.void("link", &[("rel", &"icon"), ("href", &"data:,")]);
    html.leaf("title", &[], format_args!("{title}: zsad"));
    html.element("style", &[], |html| html.literal(STYLE));
}

fn hash(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text.as_bytes()))
}

/// The table of a run, with what was found odd about it.
fn of_run(run: &Run, metrics: &[&'static MetricSpec]) -> Table {
    styled(&run.rows, metrics, &run.findings, &Style::default())
}

/// Our numbers beside published ones; and of which none is known, and why.
fn beside(html: &mut Markup, of: &OfRun) {
    for sheet in of.beside.iter().map(Printed::sheet) {
        html.leaf("h3", &[], format_args!("Beside published numbers: {}", sheet.title));
        html.leaf("p", &[("class", &"note")], &sheet.legend);
        blocks(html, sheet, &None);
    }
    for (title, why) in &of.without {
        html.leaf("p", &[("class", &"note")], format_args!("{title}: no published number is known; {why}."));
    }
}

fn contents(html: &mut Markup, several: bool, with_records: bool) {
    let all = [
        ("#asked", "What was asked", true),
        ("#changed", "What changed", several),
        ("#tables", "Results", true),
        ("#plots", "Plots", true),
        ("#batches", "Single batches", with_records),
        ("#failures", "What went wrong", true),
        ("#provenance", "Where it comes from", true),
        ("#again", "How to run it again", true),
    ];
    html.element("nav", &[("aria-label", &"Contents")], |html| {
        html.element("ul", &[], |html| {
            for (target, name, _) in all.iter().filter(|(_, _, there)| *there) {
                html.element("li", &[], |html| html.leaf("a", &[("href", target)], name));
            }
        });
    });
}

fn section(html: &mut Markup, id: &'static str, title: &str, inside: impl FnOnce(&mut Markup)) {
    let heading = format!("{id}-title");
    html.element("section", &[("id", &id), ("aria-labelledby", &heading)], |html| {
        html.leaf("h2", &[("id", &heading)], title);
        html.line();
        inside(html);
    });
    html.line();
}

/// A heading of what belongs to a run, or of something that belongs to none.
fn heading(html: &mut Markup, run: &Option<String>, what: impl Display) {
    let what = what.to_string();
    match (run, what.is_empty()) {
        (None, true) => {}
        (None, false) => html.leaf("h3", &[], what),
        (Some(run), true) => html.leaf("h3", &[("data-run", run)], run),
        (Some(run), false) => html.leaf("h3", &[("data-run", run)], format_args!("{run}: {what}")),
    }
}

/// `a, b and c`.
fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

/// `1 fit`, `2 fits`.
fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
