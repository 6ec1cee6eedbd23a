//! From entries to a printed page.

use std::collections::BTreeSet;

use zsad_core::protocol::percent;
use zsad_core::{BatchSize, Level, MetricSpec, Pooling};

use super::entry::{Entry, Outcome};
use crate::grid::{Grid, MethodKey, Point};
use crate::sheet::{Block, Sheet, Text};
use crate::stats::{RESAMPLES, Summary};

/// The page of `entries`: a block a metric, data set and batch size.
pub(super) fn sheet(title: &str, grid: &Grid, entries: &[Entry]) -> Sheet {
    let seeds = match grid.redraws() {
        true => "seeds, each a draw of batches and references from the same trained models",
        false => "seeds",
    };
    let legend = format!(
        "All numbers in per cent: mean ± standard deviation over {seeds} (of the mean over domains) [95 % bootstrap \
         interval over seeds and domains, {RESAMPLES} resamples]. Bold: the best of its column; ≈: not \
         distinguishable from it (the 95 % interval of the paired difference contains 0). zero_shot: sees nothing of \
         the target but the test batch; in_batch: no training at all; few_shot: k normal references; one_class: \
         trained on the target's own normals."
    );
    let mut sheet = Sheet { title: title.to_owned(), legend, ..Sheet::default() };
    let mut groups: Vec<(&MetricSpec, Vec<&Point>)> = Vec::new();
    for entry in entries {
        let fits = |(metric, points): &(&MetricSpec, Vec<&Point>)| {
            *metric == entry.metric && points.last().is_some_and(|p| same_block(grid, p, &entry.point))
        };
        match groups.iter_mut().find(|g| fits(g)) {
            Some((_, points)) if points.last() == Some(&&entry.point) => {}
            Some((_, points)) => points.push(&entry.point),
            None => groups.push((entry.metric, vec![&entry.point])),
        }
    }
    for (metric, points) in groups {
        let block = block(&mut sheet, grid, entries, metric, &points);
        sheet.blocks.push(block);
    }
    sheet
}

/// Batch sizes become columns where a data set has a single contamination, else blocks.
fn same_block(grid: &Grid, a: &Point, b: &Point) -> bool {
    let of_data_set = |p: &&Point| p.dataset == a.dataset && p.pooling == a.pooling;
    let levels: BTreeSet<_> = grid.points.iter().filter(of_data_set).map(|p| p.contamination).collect();
    a.dataset == b.dataset && a.pooling == b.pooling && (a.size == b.size || levels.len() == 1)
}

fn block(sheet: &mut Sheet, grid: &Grid, entries: &[Entry], metric: &MetricSpec, points: &[&Point]) -> Block {
    let by_size = points.windows(2).any(|w| w[0].size != w[1].size);
    let first = points[0];
    let realised = |p: &Point| grid.realised(p);
    let name = metric.label;
    let pooling = if first.pooling == Pooling::Domain { ", scores pooled per domain" } else { "" };
    let caption = if by_size {
        // What is realised depends on the size, and stands in its column.
        let level = first.contamination;
        format!("{}: {name}, contamination {level}{pooling}; columns: batch size", first.dataset)
    } else {
        format!("{}: {name}, {}{pooling}; columns: contamination", first.dataset, first.size)
    };
    let mut header = vec!["method".to_owned(), "setting".into(), "domains".into(), "seeds".into()];
    header.extend(points.iter().map(|p| if by_size { size_head(p, realised(p)) } else { level_head(p, realised(p)) }));
    let here = |method: &MethodKey| -> Vec<&Entry> {
        let at = |p: &&Point| entries.iter().find(|e| e.metric == metric && e.point == **p && e.method == *method);
        points.iter().filter_map(at).collect()
    };
    let mut lines = Vec::new();
    for (method, label) in &grid.methods {
        let line = here(method);
        // A method that was never asked for on this data set has no line.
        if line.iter().all(|e| e.outcome == Outcome::NotRun) {
            continue;
        }
        let range = |count: fn(&Summary) -> usize| {
            let counts: BTreeSet<usize> = line.iter().filter_map(|e| e.outcome.number()).map(count).collect();
            match (counts.first(), counts.last()) {
                (Some(a), Some(b)) if a == b => a.to_string(),
                (Some(a), Some(b)) => format!("{a}–{b}"),
                _ => "–".into(),
            }
        };
        let mut texts: Vec<Text> = vec![
            label.as_str().into(),
            method.setting.to_string().into(),
            range(|s| s.domains).into(),
            range(|s| s.seeds).into(),
        ];
        texts.extend(line.iter().map(|e| text(sheet, e)));
        lines.push(texts);
    }
    Block { caption, words: 2, header, lines }
}

/// `50`, with the realised share of anomalies where it rounds to something else than the nominal one.
fn size_head(point: &Point, realised: Option<f64>) -> String {
    let size = match point.size {
        BatchSize::Total(n) => n.to_string(),
        BatchSize::Normals(n) => format!("{n} normals"),
        BatchSize::All => "all".into(),
    };
    match differing(point, realised) {
        Some(share) => format!("{size} ({share})"),
        None => size,
    }
}

/// `realised 4.8 %`, where that rounds to something else than the nominal share.
fn differing(point: &Point, realised: Option<f64>) -> Option<String> {
    let (nominal, real) = (point.contamination.ratio()?, realised?);
    ((nominal - real).abs() >= 0.0005).then(|| format!("realised {:.1} %", real * 100.0))
}

/// `10 %`, with the realised share where it rounds to something else.
pub(crate) fn level_head(point: &Point, realised: Option<f64>) -> String {
    match (point.contamination.ratio(), realised, differing(point, realised)) {
        (_, _, Some(share)) => format!("{} ({share})", point.contamination),
        (None, Some(real), _) => format!("natural ({} %)", percent((real * 1000.0).round() / 1000.0)),
        _ => point.contamination.to_string(),
    }
}

/// `97.6 ± 0.3 [97.1, 98.0]`.
pub(crate) fn number(s: &Summary) -> String {
    let std = s.std.map_or(String::new(), |d| format!(" ± {:.1}", d * 100.0));
    let interval = s.interval.map_or(String::new(), |(l, h)| format!(" [{:.1}, {:.1}]", l * 100.0, h * 100.0));
    format!("{:.1}{std}{interval}", s.mean * 100.0)
}

fn text(sheet: &mut Sheet, entry: &Entry) -> Text {
    let mut marks = Vec::new();
    if entry.tied {
        marks.push("≈".to_owned());
    }
    if let Some(note) = note(entry) {
        marks.push(sheet.note(&note));
    }
    let plain = entry.outcome.number().map_or_else(|| entry.outcome.word().to_owned(), number);
    Text { plain, bold: entry.best, marks: marks.join(" ") }
}

/// What has to be said of an entry beside its number.
fn note(entry: &Entry) -> Option<String> {
    if entry.outcome == Outcome::Ambiguous {
        return Some("Several variants of the data set have this name, and their cells cannot be told apart.".into());
    }
    let mut parts = Vec::new();
    for (count, word) in [(entry.failed, "failed"), (entry.refused, "refused")] {
        match count {
            0 => {}
            n if n == entry.cells => parts.push(format!("all cells {word}")),
            n => parts.push(format!("{n} of {} cells {word}", entry.cells)),
        }
    }
    if let Some(reason) = entry.reasons.first() {
        let more = if entry.reasons.len() > 1 {
            format!(" (and {} other reasons)", entry.reasons.len() - 1)
        } else {
            "".into()
        };
        let counted = parts.join(", ");
        parts = vec![format!("{counted}: {reason}{more}")];
    }
    if entry.undefined > 0 && entry.metric.level == Level::Sample {
        let share = format!("{} of {} batches hold one class only", entry.undefined, entry.batches);
        parts.push(if entry.outcome == Outcome::Undefined { share } else { format!("{share} and are left out") });
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}
