//! A comparison as a page.

use zsad_core::MetricSpec;
use zsad_metrics::stats::DRAWS;

use super::values::Unit;
use super::{Comparison, Pair, Ranked, words};
use crate::sheet::{BOLD, Block, Sheet, Text};

/// Methods up to which a matrix of wins is readable.
const MATRIX: usize = 12;

/// The page: mean ranks, pairs, and who wins how often.
pub(super) fn sheet(title: &str, found: &Comparison, metric: &MetricSpec, ranked: &[Ranked], units: &[Unit]) -> Sheet {
    let legend = format!(
        "The unit is a domain: seeds, batch sizes and contaminations are averaged within it, over the test batches that both \
         methods saw. Differences in points, first less second, with 95 % interval over domains and seeds, both random \
         (two-way analysis of variance, Satterthwaite's t). p: Wilcoxon's signed-rank test over domains; Holm: corrected for \
         all pairs here; {BOLD} below {}. better, alike, worse: how likely the first is better on a further domain, within \
         ± {} points of the second, or worse (Bayesian signed-rank test, {DRAWS} draws).",
        words::LEVEL,
        found.rope * 100.0
    );
    let mut sheet = Sheet { title: title.to_owned(), legend, ..Sheet::default() };
    if found.n > 0 {
        sheet.blocks.push(ranks(found, metric, ranked));
    }
    sheet.blocks.push(pairs(found, metric, units));
    if (3..=MATRIX).contains(&ranked.len()) && found.pairs.len() == ranked.len() * (ranked.len() - 1) / 2 {
        sheet.blocks.push(matrix(found, ranked));
    }
    sheet
}

/// Methods by their mean rank.
fn ranks(found: &Comparison, metric: &MetricSpec, ranked: &[Ranked]) -> Block {
    let test = found.friedman.as_ref();
    let friedman =
        test.map_or(String::new(), |f| format!("; Friedman: χ² = {:.1}, p = {}", f.statistic, words::p_value(f.p)));
    let mut block = Block {
        caption: format!("Mean ranks over {} that all have{friedman}", domains(found.n)),
        words: 1,
        header: ["method", "mean rank", metric.label].map(String::from).into(),
        ..Block::default()
    };
    let mark = words::ranks(test, found.n).map(|note| block.note(&note)).unwrap_or_default();
    for Ranked { values, rank, mean } in ranked {
        let rank = Text { plain: format!("{rank:.2}"), marks: mark.clone(), bold: false };
        block.lines.push(vec![values.label.as_str().into(), rank, format!("{:.1}", mean * 100.0).into()]);
    }
    block
}

fn pairs(found: &Comparison, metric: &MetricSpec, units: &[Unit]) -> Block {
    let header = ["first", "second", "n", "difference", "better in", "p", "Holm", "better", "alike", "worse"];
    let mut block = Block {
        caption: format!("Pairs: difference of {}", metric.label),
        words: 2,
        header: header.map(String::from).into(),
        ..Block::default()
    };
    let origin = block.note(&words::origin(units));
    for pair in &found.pairs {
        let marked = |plain: String, marks: String| Text { plain, bold: false, marks };
        let left_out = words::interval(pair).map(|note| block.note(&note)).unwrap_or_default();
        let powerless = words::resolution(pair.n, found.pairs.len()).map(|note| block.note(&note)).unwrap_or_default();
        let p = |p: Option<f64>| p.map_or("–".to_owned(), words::p_value);
        let chance = |c: f64| Text::from(format!("{c:.2}"));
        block.lines.push(vec![
            pair.a.as_str().into(),
            pair.b.as_str().into(),
            marked(pair.n.to_string(), origin.clone()),
            marked(difference(pair), left_out),
            format!("{} of {}", pair.wins, pair.wins + pair.losses).into(),
            marked(p(pair.wilcoxon_p), powerless.clone()),
            Text { bold: pair.holm_p.is_some_and(|p| p < words::LEVEL), ..marked(p(pair.holm_p), powerless) },
            chance(pair.p_a_better),
            chance(pair.p_equivalent),
            chance(pair.p_b_better),
        ]);
    }
    block
}

/// `+4.2 [1.0, 7.5]`.
fn difference(pair: &Pair) -> String {
    let interval = match (pair.lo, pair.hi) {
        (Some(lo), Some(hi)) => format!(" [{:.1}, {:.1}]", lo * 100.0, hi * 100.0),
        _ => String::new(),
    };
    format!("{:+.1}{interval}", pair.mean_difference * 100.0)
}

/// In how many domains the method of a line is better than that of a column.
fn matrix(found: &Comparison, ranked: &[Ranked]) -> Block {
    let mut block =
        Block { caption: "Domains in which the method of a line is better".into(), words: 1, ..Block::default() };
    block.header =
        std::iter::once("method").chain(ranked.iter().map(|r| r.values.label.as_str())).map(String::from).collect();
    let wins = |line: &str, column: &str| {
        let of = |p: &Pair| match (p.a == line && p.b == column, p.a == column && p.b == line) {
            (true, _) => Some(p.wins),
            (_, true) => Some(p.losses),
            _ => None,
        };
        found.pairs.iter().find_map(of).map_or("–".into(), |n| n.to_string())
    };
    let labels = || ranked.iter().map(|r| r.values.label.as_str());
    for line in labels() {
        let cells = labels().map(|column| Text::from(wins(line, column)));
        block.lines.push(std::iter::once(line.into()).chain(cells).collect());
    }
    block
}

fn domains(n: usize) -> String {
    format!("{n} domain{}", if n == 1 { "" } else { "s" })
}
