//! From entries to a printed page.

use std::collections::BTreeSet;

use zsad_core::protocol::percent;
use zsad_core::{BatchSize, Level, MetricSpec, Pooling, Shift, Supervision};

use super::entry::{Entry, Outcome};
use super::ties;
use crate::grid::{Grid, MethodKey, Point};
use crate::sheet::{BOLD, Block, Sheet, Text};
use crate::stats::Summary;

/// How a table is laid out; by default everything is shown, a grid a data set and batch size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Style {
    /// Methods and numbers alone: no columns of settings, domains and seeds.
    pub compact: bool,
    /// Numbers without their intervals.
    pub no_interval: bool,
    /// Data sets are the columns, a grid a batch size and contamination.
    pub by_dataset: bool,
    /// In place of the generated caption.
    pub caption: Option<String>,
    /// LaTeX's label of the first grid; the others get `-2`, `-3`, ….
    pub label: Option<String>,
}

/// The page of `entries`: a block a metric, data set and batch size.
pub(super) fn sheet(title: &str, grid: &Grid, entries: &[Entry], style: &Style) -> Sheet {
    let mut sheet = Sheet {
        title: title.to_owned(),
        legend: legend(grid, style),
        own_caption: style.caption.is_some(),
        ..Sheet::default()
    };
    let mut groups: Vec<(&MetricSpec, Vec<&Point>)> = Vec::new();
    for entry in entries {
        let fits = |(metric, points): &(&MetricSpec, Vec<&Point>)| {
            *metric == entry.metric && points.last().is_some_and(|p| same_block(grid, p, &entry.point, style))
        };
        match groups.iter_mut().find(|g| fits(g)) {
            Some((_, points)) if points.last() == Some(&&entry.point) => {}
            Some((_, points)) => points.push(&entry.point),
            None => groups.push((entry.metric, vec![&entry.point])),
        }
    }
    let several = groups.len() > 1;
    for (i, (metric, points)) in groups.into_iter().enumerate() {
        let mut block = block(grid, entries, metric, &points, style);
        if let Some(caption) = &style.caption {
            block.caption = if several { format!("{caption} {}", block.caption) } else { caption.clone() };
        }
        if let Some(label) = &style.label {
            block.label = if i == 0 { label.clone() } else { format!("{label}-{}", i + 1) };
        }
        sheet.blocks.push(block);
    }
    sheet
}

/// How to read the page.
fn legend(grid: &Grid, style: &Style) -> String {
    let seeds = match grid.redraws() {
        true => "seeds, each a draw of batches and references from the same trained models",
        false => "seeds",
    };
    let interval = match style.no_interval {
        true => String::new(),
        false => " [95 % interval over seeds and domains, both random: Satterthwaite's t]".to_owned(),
    };
    let settings = match style.compact {
        true => "",
        false => {
            " Under each column: the ranks of methods that cannot be told apart, and the least difference that could have been \
             shown, in points (half of such an interval, the median over pairs). zero_shot: sees nothing of the target but the test batch; in_batch: no training at all; few_shot: k normal \
             references; one_class: trained on the target's own normals."
        }
    };
    let with_labels = grid.methods.iter().any(|(m, _)| m.setting == Supervision::FewLabel);
    let few_label = match with_labels && !style.compact {
        true => {
            " few_label: the test batch and the labels of so many of its samples, which are ranked by their labels."
        }
        false => "",
    };
    format!(
        "All numbers in per cent: mean ± standard deviation over {seeds} (of the mean over domains){interval}. {BOLD} the \
         best of its column, and with ≈ those that cannot be told from it: the 95 % interval of the paired difference \
         contains 0 (pair by pair, not corrected for their number).\
         {settings}{few_label}"
    )
}

/// Batch sizes become columns where a data set has a single contamination, and shifts where it has a single size as well;
/// else they are blocks.
fn same_block(grid: &Grid, a: &Point, b: &Point, style: &Style) -> bool {
    if style.by_dataset {
        return (a.pooling, a.size, a.contamination, a.shift) == (b.pooling, b.size, b.contamination, b.shift);
    }
    let of_data_set = |p: &&Point| p.dataset == a.dataset && p.pooling == a.pooling;
    let one = |counts: BTreeSet<String>| counts.len() == 1;
    let here = || grid.points.iter().filter(of_data_set);
    let one_level = one(here().map(|p| p.contamination.to_string()).collect());
    let one_size = one(here().map(|p| p.size.to_string()).collect());
    let same_shift = a.shift == b.shift || (one_level && one_size);
    a.dataset == b.dataset && a.pooling == b.pooling && same_shift && (a.size == b.size || one_level)
}

fn block(grid: &Grid, entries: &[Entry], metric: &MetricSpec, points: &[&Point], style: &Style) -> Block {
    let by_size = points.windows(2).any(|w| w[0].size != w[1].size);
    let by_shift = points.windows(2).any(|w| w[0].shift != w[1].shift);
    let first = points[0];
    let realised = |p: &Point| grid.realised(p);
    let name = metric.label;
    let pooling = if first.pooling == Pooling::Domain { ", scores pooled per domain" } else { "" };
    let caption = if style.by_dataset {
        format!("{name}, {first}{pooling}; columns: data set")
    } else if by_shift {
        let (dataset, size, level) = (&first.dataset, first.size, first.contamination);
        format!("{dataset}: {name}, {size}, contamination {level}{pooling}; columns: shift")
    } else if by_size {
        // What is realised depends on the size, and stands in its column.
        let level = first.contamination;
        format!("{}: {name}, contamination {level}{}{pooling}; columns: batch size", first.dataset, first.shifted())
    } else {
        format!("{}: {name}, {}{}{pooling}; columns: contamination", first.dataset, first.size, first.shifted())
    };
    let head = |p: &&Point| match (style.by_dataset, by_size) {
        (true, _) => p.dataset.clone(),
        _ if by_shift => Shift::to_column(p.shift),
        (_, true) => size_head(p, realised(p)),
        _ => level_head(p, realised(p)),
    };
    let about: &[&str] = if style.compact { &["method"] } else { &["method", "setting", "domains", "seeds"] };
    let of = points.iter().map(|p| (*p).clone()).collect();
    let mut block = Block { caption, words: about.len().min(2), points: of, ..Block::default() };
    block.header = about.iter().map(|h| (*h).to_owned()).chain(points.iter().map(head)).collect();
    let here = |method: &MethodKey| -> Vec<&Entry> {
        let at = |p: &&Point| entries.iter().find(|e| e.metric == metric && e.point == **p && e.method == *method);
        points.iter().filter_map(at).collect()
    };
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
        let mut texts: Vec<Text> = vec![label.as_str().into()];
        if !style.compact {
            texts.push(method.setting.to_string().into());
            texts.extend([range(|s| s.domains).into(), range(|s| s.seeds).into()]);
        }
        texts.extend(line.iter().map(|e| text(&mut block, e, style)));
        block.lines.push(texts);
    }
    if !style.compact {
        let columns = points.iter().map(|p| entries.iter().filter(|e| e.metric == metric && e.point == **p).collect());
        foot(&mut block, about.len(), &columns.collect::<Vec<_>>());
    }
    block
}

/// What the columns could and could not tell apart; nothing where nothing was compared.
fn foot(block: &mut Block, about: usize, columns: &[Vec<&Entry>]) {
    let resolution = |column: &Vec<&Entry>| column.iter().find_map(|e| e.resolution);
    if columns.iter().all(|column| resolution(column).is_none()) {
        return;
    }
    let tied = |column: &Vec<&Entry>| match (resolution(column), ties::groups(column)) {
        (None, _) => "–".to_owned(),
        (_, groups) if groups.is_empty() => "none".to_owned(),
        (_, groups) => groups.iter().map(ties::ranks).collect::<Vec<_>>().join("; "),
    };
    let least = |column: &Vec<&Entry>| resolution(column).map_or("–".to_owned(), |r| format!("{:.1}", r * 100.0));
    for (name, cells) in [
        ("ranks not told apart", columns.iter().map(tied).collect::<Vec<_>>()),
        ("least difference shown", columns.iter().map(least).collect()),
    ] {
        let mut line = vec![Text::from(name)];
        line.resize(about, Text::default());
        line.extend(cells.into_iter().map(Text::from));
        block.foot.push(line);
    }
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
    let interval = s.interval.map_or(String::new(), |(l, h)| format!(" [{:.1}, {:.1}]", l * 100.0, h * 100.0));
    short_number(s) + &interval
}

/// `97.6 ± 0.3`.
fn short_number(s: &Summary) -> String {
    let std = s.std.map_or(String::new(), |d| format!(" ± {:.1}", d * 100.0));
    format!("{:.1}{std}", s.mean * 100.0)
}

fn text(block: &mut Block, entry: &Entry, style: &Style) -> Text {
    let mut marks = Vec::new();
    if entry.tied {
        marks.push("≈".to_owned());
    }
    if let Some(note) = note(entry) {
        marks.push(block.note(&note));
    }
    let number = if style.no_interval { short_number } else { number };
    let plain = entry.outcome.number().map_or_else(|| entry.outcome.word().to_owned(), number);
    Text { plain, bold: entry.best || entry.tied, marks: marks.join(" ") }
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
    if !entry.left_out.is_empty() {
        let names: Vec<&str> = entry.left_out.iter().map(String::as_str).collect();
        parts.push(format!("too small for a batch and left out: {}", names.join(", ")));
    }
    parts.extend(entry.shortened.as_ref().map(|length| format!("shortened training: {length}")));
    parts.extend(entry.remarks.iter().cloned());
    (!parts.is_empty()).then(|| parts.join("; "))
}
