//! What went wrong, what did not apply, and what is odd.

use std::collections::{BTreeMap, BTreeSet};

use zsad_store::{Finding, Row, Status};

use super::frame::{caption, head, scrolled};
use super::markup::Markup;
use super::place::Place;
use super::run::Run;

/// The failed and refused cells of a run, those with one error together, and its findings.
pub(super) fn section(html: &mut Markup, run: &Run, name: &Option<String>) {
    let bad: Vec<&Row> = run.rows.iter().filter(|r| r.record.status != Status::Ok).collect();
    if bad.is_empty() {
        html.leaf("p", &[], "No cell failed, and none was refused.");
    } else {
        cells(html, run, name, &bad);
    }
    findings(html, &run.findings);
}

fn cells(html: &mut Markup, run: &Run, name: &Option<String>, bad: &[&Row]) {
    // By status, method, data set and error.
    let mut found: BTreeMap<[&str; 4], Vec<&Row>> = BTreeMap::new();
    for &row in bad {
        let status = if row.record.status == Status::Failed { "failed" } else { "refused" };
        let error = row.record.error.as_deref().unwrap_or("no reason was kept");
        found.entry([status, row.method(), &row.asked().dataset, error]).or_default().push(row);
    }
    scrolled(html, &format!("Cells of {} that failed or were refused", run.name), |html| {
        html.element("table", &[], |html| {
            caption(html, "Cells that failed or were refused, by their reason");
            head(html, &["method", "data set", "how", "cells", "seeds", "where", "reason"]);
            html.element("tbody", &[], |html| {
                for ([status, method, dataset, error], rows) in &found {
                    let cells: BTreeSet<&str> = rows.iter().map(|r| r.record.cell_key.as_str()).collect();
                    let seeds: BTreeSet<u64> = rows.iter().map(|r| r.seed()).collect();
                    let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
                    let points: BTreeSet<_> =
                        rows.iter().map(|r| (r.point().size, r.point().contamination, r.point().shift)).collect();
                    let points: Vec<String> = points
                        .iter()
                        .map(|(size, c, s)| format!("{size}, {c}{}", s.map_or(String::new(), |s| format!(", {s}"))))
                        .collect();
                    html.element("tr", &Place::of_dataset(name, dataset).attributes(), |html| {
                        html.leaf("th", &[("scope", &"row")], method);
                        html.leaf("td", &[], dataset);
                        html.leaf("td", &[], status);
                        html.leaf("td", &[], cells.len());
                        html.leaf("td", &[], seeds.join(", "));
                        html.leaf("td", &[("class", &"long")], points.join("; "));
                        html.leaf("td", &[("class", &"error")], error);
                    });
                    html.line();
                }
            });
        });
    });
}

/// What a run found odd about its own numbers.
fn findings(html: &mut Markup, findings: &[Finding]) {
    if findings.is_empty() {
        return;
    }
    html.leaf("h3", &[], "What is odd about the numbers");
    html.element("ul", &[], |html| {
        for finding in findings {
            html.element("li", &[], |html| {
                html.text(finding.sentence());
                html.leaf("small", &[], format_args!(" ({})", finding.kind));
            });
        }
    });
}
