//! Scores that came from elsewhere: read, checked for coverage, and measured like any other.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;
use zsad_core::job::{Asked, MethodId};
use zsad_core::{Environment, Error, LabelledBatch, Result, Supervision, digest, suggest};
use zsad_data::formats::table::Table;
use zsad_metrics::Metric;
use zsad_store::{CellRecord, RunFolder, SCHEMA, Status, provenance};

use super::{Draw, Drawn, IMPORTED};
use crate::GIT_SHA;
use crate::evaluate::by_domain;
use crate::library::Library;

/// Scores by draw and position, each with the place in the file that it came from.
type Scores = BTreeMap<String, BTreeMap<u64, f64>>;

/// Who made the scores, as results will call it.
pub struct Maker<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it saw of the target.
    pub setting: Supervision,
}

/// Reads `path` (`.csv`, `.tsv`, `.parquet` with the columns `draw`, `position`, `score`, or `.jsonl` with these fields).
///
/// # Errors
/// [`Error::Data`] with the place of what is missing, not finite, or there twice.
pub fn read(path: &Path) -> Result<Scores> {
    let lines = if path.extension().is_some_and(|e| e == "jsonl") { json_lines(path)? } else { table(path)? };
    let mut scores = Scores::new();
    for (i, (draw, position, score)) in lines.into_iter().enumerate() {
        let at = |what: String| Error::data(path, format!("row {} (the first is 1): {what}", i + 1), "");
        if !score.is_finite() {
            return Err(at(format!("the score is {score}")));
        }
        if scores.entry(draw.clone()).or_default().insert(position, score).is_some() {
            return Err(at(format!("position {position} of draw {draw} was there before")));
        }
    }
    Ok(scores)
}

fn table(path: &Path) -> Result<Vec<(String, u64, f64)>> {
    let table = Table::read(path, None)?;
    table.require(&["draw", "position", "score"])?;
    let whole = |(row, value): (usize, f64)| {
        let exact = value >= 0.0 && value.fract() == 0.0 && value < 2f64.powi(53);
        if exact { Ok(value as u64) } else { Err(table.at(Some(row), "position", format!("`{value}` is no position"))) }
    };
    let positions: Vec<u64> = table.numbers("position")?.into_iter().enumerate().map(whole).collect::<Result<_>>()?;
    let (draws, scores) = (table.text("draw")?, table.numbers("score")?);
    Ok(draws.into_iter().zip(positions).zip(scores).map(|((draw, position), score)| (draw, position, score)).collect())
}

#[derive(serde::Deserialize)]
struct Line {
    draw: String,
    position: u64,
    score: f64,
}

fn json_lines(path: &Path) -> Result<Vec<(String, u64, f64)>> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, &e))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let parsed = lines.map(|(i, line)| {
        let Line { draw, position, score } = serde_json::from_str(line).map_err(|e| {
            Error::data(path, format!("line {}: {e}", i + 1), r#"want {"draw": "…", "position": 0, "score": 1.5}"#)
        })?;
        Ok((draw, position, score))
    });
    parsed.collect()
}

/// Makes a record of every draw from the scores of `path`: all or none.
///
/// # Errors
/// Where a draw or a position is not the experiment's, or one has no score; where the folder cannot be written.
pub fn put(
    path: &Path,
    maker: &Maker,
    draws: &BTreeMap<String, Draw>,
    metrics: &[&'static Metric],
    (library, env, folder): (&Library, &Environment, &RunFolder),
) -> Result<usize> {
    let scores = read(path)?;
    if let Some(unknown) = scores.keys().find(|key| !draws.contains_key(*key)) {
        let hint = suggest::hint(unknown, draws.keys());
        return Err(Error::data(path, format!("draw `{unknown}` is not of this experiment"), hint));
    }
    let missing: Vec<&Draw> = draws.iter().filter(|(key, _)| !scores.contains_key(*key)).map(|(_, d)| d).collect();
    if let Some(first) = missing.first() {
        let (n, all) = (missing.len(), draws.len());
        let what = format!("{n} of {all} draws have no score: {}{}", first.label(), if n > 1 { ", …" } else { "" });
        return Err(Error::data(path, what, "`zsad batches` writes them all"));
    }
    let params = json!({ "scores": digest::of_bytes(&std::fs::read(path).map_err(|e| Error::io(path, &e))?) });
    let mut records = Vec::new();
    for (key, draw) in draws {
        let drawn = draw.draw(library, env).map_err(|e| e.at(draw.label()))?;
        let batches = covered(&drawn, &scores[key])
            .map_err(|what| Error::data(path, format!("draw {key} ({}): {what}", draw.label()), ""))?;
        records.push((record(draw, maker, &params, &batches, metrics, env), drawn, batches));
    }
    let count = records.len();
    for (record, drawn, batches) in records {
        folder.put_record(&record, &batches, &drawn.facts)?;
    }
    Ok(count)
}

/// The batches of a draw with their scores; else what is missing or too much.
fn covered(drawn: &Drawn, scores: &BTreeMap<u64, f64>) -> Result<Vec<LabelledBatch<f64>>, String> {
    let n = drawn.batches.iter().map(|b| b.items.len() as u64).sum::<u64>();
    if let Some(hole) = (0..n).find(|position| !scores.contains_key(position)) {
        return Err(format!("position {hole} has no score, of {n}"));
    }
    if let Some((beyond, _)) = scores.last_key_value().filter(|(last, _)| **last >= n) {
        return Err(format!("there is no position {beyond}: it has {n}"));
    }
    let mut values = scores.values().copied();
    Ok(drawn.batches.iter().map(|batch| batch.with(values.by_ref().take(batch.items.len()).collect())).collect())
}

fn record(
    draw: &Draw,
    maker: &Maker,
    params: &serde_json::Value,
    batches: &[LabelledBatch<f64>],
    metrics: &[&'static Metric],
    env: &Environment,
) -> CellRecord {
    let mut id = draw.id.clone();
    id.fit.method = MethodId { name: IMPORTED.into(), version: 1, params: params.clone(), ..MethodId::default() };
    id.fit.device = "elsewhere".into();
    CellRecord {
        schema: SCHEMA,
        cell_key: id.key(),
        fit_key: id.fit.key(),
        cell: id.clone(),
        asked: Asked { method: maker.name.to_owned(), setting: maker.setting, ..draw.asked.clone() },
        status: Status::Ok,
        error: None,
        domains: by_domain(batches, id.point.pooling, metrics),
        metrics: metrics.iter().map(|m| m.spec.id()).collect(),
        fit_seconds: None,
        score_seconds: None,
        notes: Vec::new(),
        provenance: provenance::of_record(GIT_SHA, env.device, env.threads),
    }
}
