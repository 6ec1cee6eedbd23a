//! What changed between the runs of a page: facts, methods and their parameters, numbers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use zsad_core::key::canonical_json;
use zsad_core::{BatchSize, MetricSpec};
use zsad_store::{Row, Status};

use super::frame::{caption, head, head_with_numbers, scrolled};
use super::markup::Markup;
use super::place::Place;
use super::run::Run;
use crate::grid::Point;
use crate::table::Table;

/// Numbers that are listed, those that differ most.
const LISTED: usize = 200;

/// The section's content; `names` are the runs' names on the page.
pub(super) fn section(html: &mut Markup, runs: &[Run], names: &[String], tables: &[Table]) {
    facts(html, runs, names);
    parameters(html, runs, names);
    numbers(html, names, tables);
}

/// Something that is said of a run.
type Fact = (&'static str, fn(&Run) -> String);

const FACTS: [Fact; 11] = [
    ("experiment", |r| each(r.rows.iter().map(|r| r.asked().experiment.clone()))),
    ("profile", |r| each(r.rows.iter().map(|r| r.asked().profile.clone()).filter(|p| !p.is_empty()))),
    ("program", |r| each(r.calls.iter().filter_map(|c| c["version"].as_str().map(str::to_owned)))),
    ("commit", |r| each(r.rows.iter().map(|r| r.record.provenance.git_sha.clone()).filter(|s| !s.is_empty()))),
    ("device", |r| each(r.rows.iter().map(|r| r.record.provenance.device.clone()).filter(|d| !d.is_empty()))),
    ("instructions", |r| each(r.calls.iter().filter_map(|c| c["simd"].as_str().map(str::to_owned)))),
    ("data sets", |r| each(r.rows.iter().map(|r| r.asked().dataset.clone()))),
    ("batches", |r| in_order(r.rows.iter().map(|r| r.point().size), BatchSize::to_column)),
    ("contaminations", |r| in_order(r.rows.iter().map(|r| r.point().contamination), |c| c.to_string())),
    ("seeds", |r| in_order(r.rows.iter().map(Row::seed), |s| s.to_string())),
    ("cells that ended well", |r| {
        let cells = |ok: bool| {
            let rows = r.rows.iter().filter(|r| !ok || r.record.status == Status::Ok);
            rows.map(|r| &r.record.cell_key).collect::<BTreeSet<_>>().len()
        };
        format!("{} of {}", cells(true), cells(false))
    }),
];

/// Every value once.
fn each(values: impl Iterator<Item = String>) -> String {
    in_order(values, |v| v)
}

fn in_order<T: Ord>(values: impl Iterator<Item = T>, said: fn(T) -> String) -> String {
    let values: BTreeSet<T> = values.collect();
    let values: Vec<String> = values.into_iter().map(said).collect();
    if values.is_empty() { "–".into() } else { values.join(", ") }
}

fn facts(html: &mut Markup, runs: &[Run], names: &[String]) {
    grid(html, "The runs side by side; what differs is in bold", "", names, |html| {
        for (fact, of) in FACTS {
            let said: Vec<String> = runs.iter().map(of).collect();
            line(html, fact, &said);
        }
    });
}

/// A table with a column a run.
fn grid(html: &mut Markup, title: &str, first: &str, names: &[String], rows: impl FnOnce(&mut Markup)) {
    let first = if first.is_empty() { "what" } else { first };
    let columns: Vec<&str> = std::iter::once(first).chain(names.iter().map(String::as_str)).collect();
    scrolled(html, title, |html| {
        html.element("table", &[], |html| {
            caption(html, title);
            head(html, &columns);
            html.element("tbody", &[], rows);
        });
    });
    html.line();
}

fn line(html: &mut Markup, name: &str, said: &[String]) {
    let differs = said.iter().any(|s| *s != said[0]);
    html.element("tr", &[], |html| {
        html.leaf("th", &[("scope", &"row")], name);
        for text in said {
            html.element("td", &[], |html| html.leaf(if differs { "strong" } else { "span" }, &[], text));
        }
    });
}

/// What a run says of its methods: version and parameters of each that is called so.
fn of_methods(run: &Run) -> BTreeMap<&str, BTreeSet<(u32, String)>> {
    let mut found: BTreeMap<&str, BTreeSet<(u32, String)>> = BTreeMap::new();
    for row in &run.rows {
        let params = canonical_json(&row.asked().params);
        found.entry(row.method()).or_default().insert((row.fit().method.version, params));
    }
    found
}

/// Methods that are not everywhere, and parameters and versions in which they differ.
fn parameters(html: &mut Markup, runs: &[Run], names: &[String]) {
    let all: Vec<_> = runs.iter().map(of_methods).collect();
    let methods: BTreeSet<&str> = all.iter().flat_map(|m| m.keys().copied()).collect();
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    for method in methods {
        let own: Vec<Option<&BTreeSet<(u32, String)>>> = all.iter().map(|m| m.get(method)).collect();
        if own.iter().any(Option::is_none) {
            lines.push((
                method.to_owned(),
                own.iter().map(|o| if o.is_some() { "yes" } else { "not here" }.into()).collect(),
            ));
        }
        let values: Vec<BTreeMap<String, BTreeSet<String>>> = own.iter().map(|o| values(*o)).collect();
        let keys: BTreeSet<&String> = values.iter().flat_map(BTreeMap::keys).collect();
        for key in keys {
            let present = || values.iter().zip(&own).filter(|(_, o)| o.is_some()).map(|(v, _)| v.get(key));
            let first = present().next();
            if present().any(|v| Some(v) != first) {
                let said = values.iter().map(|v| v.get(key).map_or("–".into(), |v| each(v.iter().cloned())));
                lines.push((format!("{method}: {key}"), said.collect()));
            }
        }
    }
    if lines.is_empty() {
        html.leaf("p", &[], "The runs have the same methods, with the same versions and parameters.");
        return;
    }
    grid(html, "Methods and parameters that are not the same everywhere", "method", names, |html| {
        lines.iter().for_each(|(name, said)| line(html, name, said));
    });
}

/// Version and parameters by name, each with the values that it has in a run.
fn values(variants: Option<&BTreeSet<(u32, String)>>) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (version, params) in variants.into_iter().flatten() {
        found.entry("version".into()).or_default().insert(version.to_string());
        let params: Map<String, Value> = serde_json::from_str(params).unwrap_or_default();
        for (name, value) in params {
            let value = if value.is_null() { "auto".into() } else { value.to_string() };
            found.entry(name).or_default().insert(value);
        }
    }
    found
}

/// Where a number stands that several runs may have.
type Spot<'a> = (&'static str, &'a Point, &'a str);

/// Numbers that several runs have and that are not the same.
fn numbers(html: &mut Markup, names: &[String], tables: &[Table]) {
    let mut found: BTreeMap<Spot, (&'static MetricSpec, Vec<Option<f64>>)> = BTreeMap::new();
    for (i, table) in tables.iter().enumerate() {
        for entry in &table.entries {
            let Some(number) = entry.outcome.number() else { continue };
            let spot = (entry.metric.name, &entry.point, entry.label.as_str());
            let (_, values) = found.entry(spot).or_insert_with(|| (entry.metric, vec![None; tables.len()]));
            values[i] = Some(number.mean);
        }
    }
    found.retain(|_, (_, values)| values.iter().flatten().count() > 1);
    let shared = found.len();
    let span = |values: &[Option<f64>]| {
        let (low, high) = values.iter().flatten().fold((f64::MAX, f64::MIN), |(a, b), v| (a.min(*v), b.max(*v)));
        high - low
    };
    let mut differing: Vec<_> =
        found.into_iter().map(|(spot, (m, v))| (span(&v), spot, m, v)).filter(|d| d.0 != 0.0).collect();
    differing.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let listed = differing.len().min(LISTED);
    let beyond =
        if listed < differing.len() { format!("; the {listed} that differ most are listed") } else { String::new() };
    html.leaf(
        "p",
        &[],
        format_args!(
            "Of {shared} means that more than one run has, {} are not the same to the last bit{beyond}.",
            differing.len()
        ),
    );
    if differing.is_empty() {
        return;
    }
    let words = ["method", "data set", "batch", "contamination", "metric"];
    let columns: Vec<&str> = names.iter().map(String::as_str).chain(["largest difference"]).collect();
    scrolled(html, "Numbers that differ between the runs", |html| {
        html.element("table", &[("class", &"sortable")], |html| {
            caption(html, "Numbers that differ, in per cent; differences in points");
            head_with_numbers(html, &words, &columns);
            html.element("tbody", &[], |html| {
                for (span, (_, point, label), metric, values) in &differing[..listed] {
                    let mut place = Place::of_point(&None, point);
                    place.method = Some((*label).to_owned());
                    html.element("tr", &place.attributes(), |html| {
                        html.leaf("th", &[("scope", &"row")], label);
                        html.leaf("td", &[], &point.dataset);
                        html.leaf("td", &[], point.size);
                        html.leaf("td", &[], point.contamination);
                        html.leaf("td", &[], metric.label);
                        for value in values {
                            let said = value.map_or("–".into(), |v| format!("{:.2}", v * 100.0));
                            html.leaf("td", &[("class", &"number")], said);
                        }
                        html.leaf(
                            "td",
                            &[("class", &"number"), ("data-value", span)],
                            format_args!("{:.2}", span * 100.0),
                        );
                    });
                    html.line();
                }
            });
        });
    });
}
