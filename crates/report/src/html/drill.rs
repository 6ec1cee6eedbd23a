//! Down to single batches: of every method, domain and seed the metric of each batch, and the ranked scores of some.

use std::collections::{BTreeMap, BTreeSet};

use zsad_core::{LabelledBatch, MetricInput, Result};
use zsad_metrics::{METRICS, evaluate};
use zsad_store::{CellRecord, Row};

use super::bounds::Bounds;
use super::counted;
use super::markup::Markup;
use super::pictures::Pictures;
use super::place::Place;
use super::run::Run;
use super::strip;
use crate::grid::Grid;
use crate::table::headline;

/// A scored batch with its metric; `None` where it holds one class alone.
pub(super) struct Batch<'a> {
    pub scored: &'a LabelledBatch<f64>,
    pub value: Option<f64>,
}

/// What was left out, to be said.
#[derive(Default)]
pub(super) struct LeftOut {
    domains: usize,
    batches: usize,
    /// Cells whose scores are missing or damaged.
    cells: BTreeSet<String>,
}

/// All batches of a run whose scores were kept.
pub(super) fn section(html: &mut Markup, run: &Run, name: &Option<String>, pictures: &mut Pictures) {
    let grid = Grid::new(&run.rows);
    let bounds = Bounds::of(&run.rows, |key| run.records.contains_key(key));
    let (mut inside, mut left_out) = (Markup::default(), LeftOut::default());
    for (method, label) in &grid.methods {
        let mut cells = Markup::default();
        let mut points = 0;
        for point in &grid.points {
            let Some(cell) = grid.cell(point, method) else { continue };
            let kept = |r: &&&Row| r.result.n_batches > 0 && run.records.contains_key(&r.record.cell_key);
            let rows: Vec<&Row> = cell.ok.iter().filter(kept).copied().collect();
            if rows.is_empty() {
                continue;
            }
            points += 1;
            let (domains, seeds) = counts(&rows);
            cells.element("details", &Place::of_point(name, point).with(&[("class", &"cell")]), |html| {
                html.element("summary", &[], |html| {
                    html.text(format_args!("{}, {point}", point.dataset));
                    html.leaf("small", &[], format_args!(" {domains}, {seeds}"));
                });
                Domains { run, bounds: &bounds }.write(html, rows, pictures, &mut left_out);
            });
            cells.line();
        }
        if points > 0 {
            let place = Place { run: name.clone(), ..Place::default() }.with_method(method.setting, label);
            inside.element("details", &place.with(&[("data-any", &"details.cell")]), |html| {
                html.element("summary", &[], |html| {
                    html.leaf("strong", &[], label);
                    html.leaf("small", &[], format_args!(" {}", counted(points, "protocol point")));
                });
                html.append(cells);
            });
            inside.line();
        }
    }
    note(html, &bounds, &left_out, pictures);
    html.append(inside);
}

/// Domains and seeds, counted.
fn counts(rows: &[&Row]) -> (String, String) {
    let domains: BTreeSet<&str> = rows.iter().map(|r| r.result.domain.as_str()).collect();
    let seeds: BTreeSet<u64> = rows.iter().map(|r| r.seed()).collect();
    (counted(domains.len(), "domain"), counted(seeds.len(), "seed"))
}

/// What is shown, and what is not.
fn note(html: &mut Markup, bounds: &Bounds, left_out: &LeftOut, pictures: &Pictures) {
    html.element("p", &[("class", &"note")], |html| {
        html.text(format_args!(
            "{} of every batch; of single batches the scores from the highest to the lowest, anomalies in colour, \
             reaching below the others. A dot is a batch, between the lines at 0, 50 and 100.",
            headline().label
        ));
        if left_out.batches > 0 {
            html.text(format_args!(" {}: {} others are left out.", bounds.batches_in_words(), left_out.batches));
        }
        if left_out.domains > 0 {
            html.text(format_args!(" {}: {} others are left out.", bounds.domains_in_words(), left_out.domains));
        }
        if !left_out.cells.is_empty() {
            html.text(format_args!(" The scores of {} cells are missing or damaged.", left_out.cells.len()));
        }
        for reason in pictures.problems() {
            html.text(format_args!(" Not all pictures are here: {reason}."));
        }
    });
}

/// The domains and seeds of a method at a point.
struct Domains<'a> {
    run: &'a Run,
    bounds: &'a Bounds,
}

impl Domains<'_> {
    fn write(&self, html: &mut Markup, mut rows: Vec<&Row>, pictures: &mut Pictures, left_out: &mut LeftOut) {
        left_out.domains += self.bounds.keep_domains(&mut rows);
        let mut scores: BTreeMap<&str, Result<Vec<LabelledBatch<f64>>>> = BTreeMap::new();
        for row in rows {
            let key = row.record.cell_key.as_str();
            let read = scores.entry(key).or_insert_with(|| self.run.folder.scores(key));
            let (Ok(batches), Some(record)) = (read, self.run.records.get(key)) else {
                left_out.cells.insert(key.to_owned());
                continue;
            };
            let own = batches.iter().filter(|b| b.domain == row.result.domain);
            let own: Vec<Batch> = own.map(|scored| Batch { scored, value: auroc(scored) }).collect();
            self.domain(html, row, (record, own), pictures, left_out);
        }
    }

    fn domain(
        &self,
        html: &mut Markup,
        row: &Row,
        (record, batches): (&CellRecord, Vec<Batch>),
        pictures: &mut Pictures,
        left_out: &mut LeftOut,
    ) {
        html.element("details", &[("class", &"domain")], |html| {
            html.element("summary", &[], |html| {
                html.leaf("strong", &[], &row.result.domain);
                html.text(format_args!(", seed {}: {}", row.seed(), said(row.metric(headline().name))));
                html.leaf("small", &[], range(&batches));
            });
            strip::values(html, &batches);
            let (kept, others) = self.bounds.keep_batches(batches);
            left_out.batches += others;
            for batch in &kept {
                let n = batch.scored.labels.len();
                let anomalous = batch.scored.labels.iter().filter(|l| **l).count();
                html.element("figure", &[("class", &"batch")], |html| {
                    html.leaf(
                        "figcaption",
                        &[],
                        format_args!(
                            "Batch {}: {}; {} normal, {anomalous} anomalous",
                            batch.scored.number,
                            said(batch.value),
                            n - anomalous
                        ),
                    );
                    strip::ranked(html, batch);
                    pictures.write(html, &self.run.folder, record, batch);
                });
            }
        });
        html.line();
    }
}

/// The headline metric of one batch.
fn auroc(batch: &LabelledBatch<f64>) -> Option<f64> {
    let input = MetricInput::Samples { scores: &batch.items, labels: &batch.labels };
    evaluate(input, &METRICS[..1]).first().and_then(|(_, value)| value.value())
}

/// `AUROC 97.2`.
fn said(value: Option<f64>) -> String {
    let label = headline().label;
    value.map_or_else(|| format!("{label} not defined"), |v| format!("{label} {:.1}", v * 100.0))
}

/// ` 20 batches, from 71.4 to 100.0`.
fn range(batches: &[Batch]) -> String {
    let values = || batches.iter().filter_map(|b| b.value);
    let (low, high) = values().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
    let n = batches.len();
    match values().count() {
        0 => format!(" {n} batches"),
        _ if n == 1 => " 1 batch".into(),
        _ => format!(" {n} batches, from {:.1} to {:.1}", low * 100.0, high * 100.0),
    }
}
