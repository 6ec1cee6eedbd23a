//! What a run was asked: protocol in words, data sets, methods with what they were given.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use zsad_core::{BatchSize, Pooling};
use zsad_store::{CellRecord, Row};

use super::frame::{caption, head, scrolled};
use super::listed;
use super::markup::Markup;
use super::results::percents;
use super::run::Run;
use crate::grid::Grid;

/// Default values of the parameters of methods, by registered name.
pub type Defaults = BTreeMap<String, Value>;

/// Names of domains that are said.
const NAMED: usize = 12;

/// The section's content for one run.
pub(super) fn section(html: &mut Markup, run: &Run, defaults: &Defaults) {
    if let Some(description) = description(run) {
        html.leaf("p", &[], description);
    }
    for sentence in protocols(&run.rows) {
        html.leaf("p", &[], sentence);
    }
    datasets(html, run);
    methods(html, run, defaults);
}

/// What the experiment says of itself.
fn description(run: &Run) -> Option<String> {
    let document: Value = serde_yaml::from_str(run.experiment.as_deref()?).ok()?;
    document["description"].as_str().map(str::to_owned)
}

/// What a row was tested on, save the data set: everything but its point is the same for most.
#[derive(Default)]
struct Protocol {
    sizes: BTreeSet<BatchSize>,
    shares: Vec<f64>,
    natural: bool,
    batches: BTreeSet<usize>,
    seeds: BTreeSet<u64>,
    datasets: BTreeSet<String>,
}

/// A sentence or two for each way of pooling.
fn protocols(rows: &[Row]) -> Vec<String> {
    let mut found: BTreeMap<Pooling, Protocol> = BTreeMap::new();
    for row in rows {
        let protocol = found.entry(row.point().pooling).or_default();
        protocol.sizes.insert(row.point().size);
        match row.point().contamination.ratio() {
            Some(share) => protocol.shares.push(share),
            None => protocol.natural = true,
        }
        if row.result.n_batches > 0 {
            protocol.batches.insert(row.result.n_batches);
        }
        protocol.seeds.insert(row.seed());
        protocol.datasets.insert(row.asked().dataset.clone());
    }
    found.into_iter().map(|(pooling, protocol)| protocol.sentence(pooling)).collect()
}

impl Protocol {
    fn sentence(mut self, pooling: Pooling) -> String {
        // A number alone is that of samples, said once after the last of them.
        let last = self.sizes.iter().rev().find(|s| matches!(s, BatchSize::Total(_))).copied();
        let sizes: Vec<String> = self
            .sizes
            .iter()
            .map(|size| match size {
                BatchSize::Total(n) if last == Some(*size) => format!("{n} samples"),
                BatchSize::Total(n) => n.to_string(),
                BatchSize::Normals(n) => format!("{n} normals with anomalies on top"),
                BatchSize::All => "all samples of a domain".into(),
            })
            .collect();
        self.shares.sort_by(f64::total_cmp);
        self.shares.dedup();
        let mut shares = Vec::new();
        if !self.shares.is_empty() {
            shares.push(format!("{} anomalies", percents(&self.shares)));
        }
        if self.natural {
            shares.push("the share of anomalies that the data have".into());
        }
        let one = self.batches.iter().eq([&1]);
        let batches: Vec<String> = self.batches.iter().map(usize::to_string).collect();
        let seeds: Vec<String> = self.seeds.iter().map(u64::to_string).collect();
        let pooling = match pooling {
            Pooling::Batch => "a metric is taken of each batch and averaged",
            Pooling::Domain => "the scores of a domain's batches are pooled before a metric is taken",
        };
        let datasets: Vec<String> = self.datasets.into_iter().collect();
        let batches = if batches.is_empty() {
            String::new()
        } else {
            format!("{} {} a domain; ", listed(&batches), if one { "batch" } else { "batches" })
        };
        format!(
            "Test batches of {} on {}, with {}; {batches}{pooling}. Seeds: {}.",
            listed(&sizes),
            listed(&datasets),
            listed(&shares),
            seeds.join(", ")
        )
    }
}

fn datasets(html: &mut Markup, run: &Run) {
    let mut domains: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in &run.rows {
        let of = domains.entry(&row.asked().dataset).or_default();
        if !row.result.domain.is_empty() {
            of.insert(&row.result.domain);
        }
    }
    scrolled(html, &format!("Data sets of {}", run.name), |html| {
        html.element("table", &[], |html| {
            caption(html, "Data sets");
            head(html, &["data set", "given", "domains tested", "digests of their files: training, tests"]);
            html.element("tbody", &[], |html| {
                for (dataset, domains) in domains {
                    let records: Vec<&CellRecord> =
                        run.records.values().filter(|r| r.asked.dataset == dataset).collect();
                    html.element("tr", &[], |html| {
                        html.leaf("th", &[("scope", &"row")], dataset);
                        let given = records.first().map(|r| pairs(&r.asked.dataset_params));
                        html.leaf(
                            "td",
                            &[("class", &"given")],
                            given.filter(|g| !g.is_empty()).unwrap_or_else(|| "–".into()),
                        );
                        html.leaf("td", &[], names(&domains));
                        html.leaf("td", &[("class", &"key")], digests(&records));
                    });
                }
            });
        });
    });
}

/// `4: 6, 7, 8, 9`, the first of many.
fn names(domains: &BTreeSet<&str>) -> String {
    let some: Vec<&str> = domains.iter().copied().take(NAMED).collect();
    let more = if domains.len() > NAMED { ", …" } else { "" };
    format!("{}: {}{more}", domains.len(), some.join(", "))
}

fn digests(records: &[&CellRecord]) -> String {
    let of =
        |r: &&CellRecord| Some([r.cell.fit.data.digest.as_deref()?, r.cell.test_digest.as_deref()?].map(str::to_owned));
    let found: BTreeSet<[String; 2]> = records.iter().filter_map(of).collect();
    let said = |[training, tests]: &[String; 2]| match (training.is_empty(), tests.is_empty()) {
        (true, true) => "needs no files".to_owned(),
        _ => format!("{training}, {tests}"),
    };
    let said: Vec<String> = found.iter().map(said).collect();
    if said.is_empty() { "not kept".into() } else { said.join("; ") }
}

fn methods(html: &mut Markup, run: &Run, defaults: &Defaults) {
    let grid = Grid::new(&run.rows);
    let names: BTreeMap<&str, &str> = run.rows.iter().map(|r| (r.method(), r.fit().method.name.as_str())).collect();
    scrolled(html, &format!("Methods of {}", run.name), |html| {
        html.element("table", &[], |html| {
            caption(html, "Methods");
            head(
                html,
                &["method", "registered name", "version", "setting", "other than by default", "weights and programs"],
            );
            html.element("tbody", &[], |html| {
                for (method, label) in &grid.methods {
                    let name = names.get(method.method.as_str()).copied().unwrap_or_default();
                    html.element("tr", &[], |html| {
                        html.leaf("th", &[("scope", &"row")], label);
                        html.leaf("td", &[], name);
                        html.leaf("td", &[], method.version);
                        html.leaf("td", &[], method.setting);
                        html.leaf("td", &[("class", &"given")], given(&method.params, defaults.get(name)));
                        html.leaf("td", &[("class", &"key")], artifacts(run, &method.method));
                    });
                }
            });
        });
    });
}

/// The parameters that are not the default's; all where the defaults are not known.
fn given(params: &str, defaults: Option<&Value>) -> String {
    let mut params: Map<String, Value> = serde_json::from_str(params).unwrap_or_default();
    if let Some(defaults) = defaults {
        params.retain(|name, value| defaults.get(name).unwrap_or(&Value::Null) != value);
    }
    let said = pairs(&Value::Object(params));
    if said.is_empty() { "–".into() } else { said }
}

/// `k 5, fit batch`; what was left to the data is not there.
fn pairs(params: &Value) -> String {
    let pair = |(name, value): (&String, &Value)| match value {
        Value::Null => None,
        Value::String(text) => Some(format!("{name} {text}")),
        other => Some(format!("{name} {other}")),
    };
    params.as_object().into_iter().flatten().filter_map(pair).collect::<Vec<_>>().join(", ")
}

/// Digests of what a method reads beside the data.
fn artifacts(run: &Run, method: &str) -> String {
    let own = run.records.values().filter(|r| r.asked.method_or(&r.cell.fit.method.name) == method);
    let found: BTreeSet<(&String, &String)> = own.flat_map(|r| &r.cell.fit.method.artifacts).collect();
    let said: Vec<String> = found.into_iter().map(|(file, digest)| format!("{file} {digest}")).collect();
    if said.is_empty() { "–".into() } else { said.join(", ") }
}
