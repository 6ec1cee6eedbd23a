//! `zsad metrics`: the metrics of scores that anything else computed.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Map, Value};
use zsad_core::{Error, Level, MetricInput, MetricSpec, MetricValue};
use zsad_data::formats::npy::Array;
use zsad_data::formats::npz::Npz;
use zsad_data::formats::table::Table;
use zsad_metrics::Metric;
use zsad_metrics::ader::{Ader, SEVEN, ader, iou_of_f1, mad};
use zsad_metrics::clusters::agreement;
use zsad_report::Printed;
use zsad_report::export::Terminal;
use zsad_report::table::{Style, styled};
use zsad_store::{CellRecord, RunFolder, findings};

use crate::exit::Exit;
use crate::registry::Registry;
use crate::results;

const EXAMPLES: &str = "\
Examples:
  zsad metrics --input scores.npz --json
  zsad metrics --input scores.csv            as `zsad score --id label` writes it
  zsad metrics --append precision_at_n results/runs/quickstart      of a finished run; nothing is scored again

A .csv, .tsv or .parquet has the columns `score` and `label` (0, false or 1, true = anomalous); others are not looked at. An
.npz holds `scores` [n] and `labels` [n] (1 = anomalous): auroc, aupr, f1_max, fpr95.
Or `scores` [n, h, w] and `masks` [n, h, w]: also pixel_auroc, pixel_aupr and aupro (limit 0.3). An image's own score
is then the greatest of its map; its label comes from `labels`, or else is 1 where its mask is not empty. With --ader also
ADer's metrics as its code defines them (thresholds on maps that are scaled over all images at once), and mad, the mean of seven.
Or `clusters` [n] and `classes` [n]: nmi, ari and matched_f1, the share of samples in the cluster that is matched to their class.
A metric that is not defined (one class only) is null.";

/// Compute every metric of scores and labels in a file, or add one to a finished run
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Metrics {
    /// A NumPy .npz file, or a table
    #[arg(long, value_name = "FILE", required_unless_present = "append")]
    input: Option<PathBuf>,
    /// Add a metric to a finished run, from its stored scores; `zsad list metrics` names them
    #[arg(long, value_name = "NAME", conflicts_with = "input", requires = "dir", value_parser = super::table::metric)]
    append: Option<&'static MetricSpec>,
    /// The run that it is added to
    #[arg(value_name = "DIR", requires = "append", conflicts_with = "json")]
    dir: Option<PathBuf>,
    /// Of maps, also ADer's metrics as its code defines them, to compare with numbers that were printed so
    #[arg(long)]
    ader: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Metrics {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let path = match (&self.input, self.append, &self.dir) {
            (Some(path), ..) => path,
            (None, Some(metric), Some(dir)) => return append(metric, dir, out),
            (None, ..) => return Err(Error::Config("nothing to measure; hint: --input FILE".into()).into()),
        };
        let values = compute(path, self.ader)?;
        if self.json {
            let number = |v: &MetricValue| v.value().map_or(Value::Null, Value::from);
            let object: Map<_, _> = values.iter().map(|(name, v)| (name.to_string(), number(v))).collect();
            writeln!(out, "{}", serde_json::to_string_pretty(&object)?)?;
            return Ok(Exit::Success);
        }
        for (name, value) in values {
            match value {
                MetricValue::Defined(v) => writeln!(out, "{name:<12} {v}")?,
                MetricValue::Undefined(why) => writeln!(out, "{name:<12} undefined: {why}")?,
            }
        }
        Ok(Exit::Success)
    }
}

/// Computes a metric of the stored scores of a run, and writes its results anew.
fn append(metric: &'static MetricSpec, dir: &Path, out: &mut impl Write) -> Result<Exit> {
    if metric.level == Level::Pixel {
        let why = format!("{} is computed from maps, which are not stored", metric.name);
        return Err(Error::Config(format!("{why}; hint: run the experiment again in another folder")).into());
    }
    if metric.level == Level::Rest {
        let why = format!("{} is measured while a batch is scored of which labels are given", metric.name);
        return Err(Error::Config(format!("{why}; hint: add labels: [0, 5] to the protocol and run it again")).into());
    }
    let folder = RunFolder::new(super::run_folder(dir)?);
    let registry = &Registry::built_in();
    // The rows as they stand.
    let shown = zsad_store::read_results(folder.root())?;
    let shown: BTreeSet<&str> = shown.iter().map(|row| row.record.cell_key.as_str()).collect();
    let records = folder.records()?;
    let records: Vec<&CellRecord> = records.values().filter(|r| shown.contains(r.cell_key.as_str())).collect();
    if records.is_empty() {
        let hint = "published results keep no scores; run the experiment";
        return Err(Error::data(folder.root(), "no records here, and so no stored scores", hint).into());
    }
    let metrics: Vec<&Metric> = registry.metrics.iter().copied().filter(|m| m.spec.name == metric.name).collect();
    let computed = results::compute_later(records.iter().copied(), &metrics, &folder)?;
    let rows = results::rows_of(records.into_iter(), registry, &folder)?;
    zsad_store::write_results(folder.root(), &rows)?;
    zsad_report::table::write_all(folder.root(), &rows, &findings::read(folder.root())?)?;
    write!(out, "{}", styled(&rows, &[metric], &[], &Style::default()).print(&Terminal))?;
    super::note(format_args!("{} computed for {}", metric.name, super::counted(computed, "cell")));
    Ok(Exit::Success)
}

/// Every metric of what `input` holds.
fn compute(input: &Path, with_ader: bool) -> Result<Vec<(&'static str, MetricValue)>, Error> {
    let extension = input.extension().and_then(|e| e.to_str()).map(str::to_lowercase);
    if matches!(extension.as_deref(), Some("csv" | "tsv" | "parquet")) {
        let (scores, labels) = table(input)?;
        return Ok(of(MetricInput::Samples { scores: &scores, labels: &labels }));
    }
    let bad = |message: String| Error::data(input, message, "see `zsad metrics --help`");
    let mut file = Npz::open(input)?;
    if file.names().iter().any(|name| name == "clusters") {
        return clusters(&file.array("clusters")?, &file.array("classes")?).map_err(|why| bad(why.into()));
    }
    let given = file.array("scores")?;
    let shape = given.shape.clone();
    let scores = given.into_f64();
    if let Some(i) = scores.iter().position(|s| !s.is_finite()) {
        return Err(bad(format!("`scores`: value {i} is not finite")));
    }
    let labelled = |array: Array| {
        let n = array.shape.iter().product::<usize>();
        let labels = array.to_i64().filter(|l| l.iter().all(|v| (0..=1).contains(v)));
        labels.map(|l| (l, n)).ok_or_else(|| bad("labels and masks hold 0 and 1 alone".into()))
    };
    let has_labels = file.names().iter().any(|n| n == "labels");
    match shape[..] {
        [n] => {
            let (labels, m) = labelled(file.array("labels")?)?;
            if n != m {
                return Err(bad(format!("{n} scores and {m} labels")));
            }
            let labels: Vec<bool> = labels.iter().map(|&l| l == 1).collect();
            Ok(of(MetricInput::Samples { scores: &scores, labels: &labels }))
        }
        [n, height, width] if height * width > 0 => {
            let masks = file.array("masks")?;
            if masks.shape != shape {
                return Err(bad(format!("`scores` are {shape:?} and `masks` {:?}", masks.shape)));
            }
            let masks: Vec<u8> = labelled(masks)?.0.iter().map(|&m| m as u8).collect();
            let labels: Vec<bool> = match has_labels {
                true => labelled(file.array("labels")?)?.0.iter().map(|&l| l == 1).collect(),
                false => masks.chunks(height * width).map(|m| m.contains(&1)).collect(),
            };
            if labels.len() != n {
                return Err(bad(format!("{n} maps and {} labels", labels.len())));
            }
            let max = |map: &[f64]| map.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let images: Vec<f64> = scores.chunks(height * width).map(max).collect();
            let maps: Vec<f32> = scores.iter().map(|&s| s as f32).collect();
            let mut values = of(MetricInput::Samples { scores: &images, labels: &labels });
            values.extend(of(MetricInput::Maps { maps: &maps, masks: &masks, shape: &[height, width] }));
            if with_ader {
                values.extend(aders(&values, ader(&maps, &masks, height, width)));
            }
            Ok(values)
        }
        _ => Err(bad(format!("`scores` are {shape:?}; want [n] or [n, h, w]"))),
    }
}

/// How well clusters are classes.
fn clusters(clusters: &Array, classes: &Array) -> Result<Vec<(&'static str, MetricValue)>, &'static str> {
    let whole = |array: &Array| array.to_i64().filter(|_| array.shape.len() == 1).map(|v| v.to_vec());
    let (Some(clusters), Some(classes)) = (whole(clusters), whole(classes)) else {
        return Err("`clusters` and `classes` are whole numbers, one of each a sample");
    };
    let found = agreement(&classes, &clusters).ok_or("`clusters` and `classes` differ in number, or there are none")?;
    let values = [("nmi", found.nmi), ("ari", found.ari), ("matched_f1", found.matched_f1)];
    Ok(values.map(|(name, value)| (name, MetricValue::Defined(value))).to_vec())
}

/// ADer's metrics, and of the exact ones the two that it prints and runs do not: IoU at its best threshold, and the mean of
/// its seven.
fn aders(exact: &[(&'static str, MetricValue)], theirs: Option<Ader>) -> Vec<(&'static str, MetricValue)> {
    let value = |name: &str| exact.iter().find(|(n, _)| *n == name).and_then(|(_, v)| v.value());
    let known = |v: Option<f64>| v.map_or(MetricValue::Undefined("not defined for these maps"), MetricValue::Defined);
    let seven: Option<Vec<f64>> = SEVEN.iter().map(|name| value(name)).collect();
    let mean = seven.and_then(|seven| Some(mad(seven.try_into().ok()?)));
    let of = |i: usize| known(theirs.map(|a| a.mean[i]));
    vec![
        ("pixel_iou_max", known(value("pixel_f1_max").map(iou_of_f1))),
        ("mad", known(mean)),
        ("ader_mf1", of(0)),
        ("ader_macc", of(1)),
        ("ader_miou", of(2)),
        ("ader_f1_max", known(theirs.map(|a| a.f1_max))),
        ("ader_iou_max", known(theirs.map(|a| a.iou_max))),
        ("ader_aupro", known(theirs.and_then(|a| a.aupro))),
    ]
}

/// The columns `score` and `label` of a table.
fn table(path: &Path) -> Result<(Vec<f64>, Vec<bool>), Error> {
    let table = Table::read(path, None)?;
    table.require(&["score", "label"])?;
    let mark = |(row, text): (usize, String)| match text.trim().to_lowercase().as_str() {
        "0" | "0.0" | "false" => Ok(false),
        "1" | "1.0" | "true" => Ok(true),
        _ => Err(table.at(Some(row), "label", format!("`{text}` is neither 0 (normal) nor 1 (anomalous)"))),
    };
    let labels = table.text("label")?.into_iter().enumerate().map(mark).collect::<Result<_, Error>>()?;
    Ok((table.numbers("score")?, labels))
}

/// Every metric of the input's kind that a run measures, in the order of the columns.
fn of(input: MetricInput) -> Vec<(&'static str, MetricValue)> {
    zsad_metrics::evaluate(input, &Registry::built_in().measured())
        .into_iter()
        .map(|(spec, value)| (spec.name, value))
        .collect()
}
