//! What the runs of a folder come to, on one page: what was asked, what was cut short, what is reproduced within which
//! tolerance of which source, and what cannot be held against anything, and why.

use std::collections::{BTreeMap, BTreeSet};

use zsad_store::findings::Finding;
use zsad_store::{Row, Status};

use crate::export::{Exporter, Markdown};
use crate::lengths::shortened;
use crate::published::{Line, OfRun, verdict};
use crate::sheet::{Block, Sheet, Text};
use crate::table;

/// A run, and what is known beside its numbers.
pub struct IndexedRun {
    /// The name of its folder.
    pub name: String,
    /// Its rows.
    pub rows: Vec<Row>,
    /// What is odd about them.
    pub findings: Vec<Finding>,
    /// Published numbers.
    pub known: OfRun,
}

/// The page, in Markdown.
pub fn page(runs: &[IndexedRun]) -> String {
    let legend = "Written by zsad index from the rows of each run. Trainings are shortened where the full form of the experiment has longer ones. Ours in per cent: mean ± standard \
                  deviation over seeds [95 % interval over seeds and domains]; published as printed in its source; difference \
                  and tolerance in points, only where protocol and domains are the same.";
    let blocks = [asked(runs), beside(runs), without(runs)];
    let blocks = blocks.into_iter().filter(|block| !block.lines.is_empty()).collect();
    Markdown.page(&Sheet { title: "Runs".into(), legend: legend.into(), blocks, ..Sheet::default() })
}

fn block(caption: &str, words: usize, header: &[&str]) -> Block {
    let header = header.iter().map(|head| (*head).to_owned()).collect();
    Block { caption: caption.into(), words, header, ..Block::default() }
}

/// The command that makes the rows of a run again.
fn command(rows: &[Row]) -> String {
    let Some(asked) = rows.first().map(Row::asked) else { return String::new() };
    let profile = if asked.profile.is_empty() { String::new() } else { format!(" --profile {}", asked.profile) };
    format!("zsad run experiments/{}.yaml{profile}", asked.experiment)
}

/// What was asked for, and how much of it there is.
fn asked(runs: &[IndexedRun]) -> Block {
    let header = ["run", "command", "data sets", "methods", "domains", "seeds", "cells", "not ok", "trainings", "odd"];
    let mut block = block("What was run", 4, &header);
    for run in runs {
        let of = |f: fn(&Row) -> &str| run.rows.iter().map(f).collect::<BTreeSet<&str>>();
        let datasets: Vec<&str> = of(|row| &row.asked().dataset).into_iter().collect();
        let domains: BTreeSet<(&str, &str)> =
            run.rows.iter().map(|row| (row.asked().dataset.as_str(), row.result.domain.as_str())).collect();
        let seeds: BTreeSet<u64> = run.rows.iter().map(Row::seed).collect();
        let cells: BTreeMap<&str, Status> =
            run.rows.iter().map(|row| (row.record.cell_key.as_str(), row.record.status)).collect();
        let not_ok = cells.values().filter(|status| **status != Status::Ok).count();
        let lengths: BTreeSet<String> =
            run.rows.iter().filter_map(|row| Some(format!("{} {}", row.method(), shortened(row)?))).collect();
        let mut trainings = Text::from(if lengths.is_empty() { "as its file" } else { "shortened" });
        if !lengths.is_empty() {
            trainings.marks = block.note(&lengths.into_iter().collect::<Vec<_>>().join("; "));
        }
        let mut odd = Text::from(run.findings.len().to_string());
        if !run.findings.is_empty() {
            let said: BTreeSet<String> = run.findings.iter().map(Finding::sentence).collect();
            odd.marks = block.note(&said.into_iter().collect::<Vec<_>>().join("; "));
        }
        let words = [run.name.clone(), command(&run.rows), datasets.join(", ")].map(Text::from);
        let counts = [of(Row::method).len(), domains.len(), seeds.len(), cells.len(), not_ok];
        let counts = counts.map(|n| Text::from(n.to_string()));
        block.lines.push(words.into_iter().chain(counts).chain([trainings, odd]).collect());
    }
    block
}

/// Every number of ours that has one beside it.
fn beside(runs: &[IndexedRun]) -> Block {
    let header = ["run", "what", "source", "ours", "published", "difference", "tolerance", "verdict"];
    let mut block = block("Beside published numbers", 3, &header);
    for run in runs {
        for line in run.known.beside.iter().flat_map(|table| &table.lines) {
            let Some(published) = &line.published else { continue };
            let (ours, verdict) =
                (line.ours.number().map_or_else(String::new, table::number), verdict(&mut block, line));
            let std = published.std.map_or(String::new(), |d| format!(" ± {d}"));
            let source = Text { marks: block.note(&published.source), ..Text::from(published.origin().as_str()) };
            let texts = [ours, format!("{}{std}", published.mean), points(line.difference()), tolerance(line)];
            let words = [Text::from(run.name.clone()), what(line).into(), source];
            block.lines.push(words.into_iter().chain(texts.map(Text::from)).chain([verdict]).collect());
        }
    }
    block
}

fn what(line: &Line) -> String {
    format!("{}: {}, {}, {}", line.name, line.method, line.protocol, line.metric)
}

fn points(difference: Option<f64>) -> String {
    difference.map_or("–".into(), |d| format!("{d:+.1}"))
}

fn tolerance(line: &Line) -> String {
    line.tolerance.map_or("–".into(), |t| t.to_string())
}

/// What has nothing beside it, and why.
fn without(runs: &[IndexedRun]) -> Block {
    let mut block = block("Nothing to hold against", 3, &["run", "table", "why"]);
    for run in runs {
        for (title, why) in &run.known.without {
            block.lines.push([&run.name, title, why].map(|text| Text::from(text.clone())).to_vec());
        }
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Flat, row};

    #[test]
    fn a_page_says_what_was_asked_cut_short_and_odd() {
        let flat = |method: &str, params: &str| Flat {
            experiment: "acr_omniglot".into(),
            profile: "small".into(),
            dataset: "omniglot".into(),
            method: method.into(),
            params: params.into(),
            ..row()
        };
        let rows = vec![flat("acr_dsvdd", "{\"steps\":3000}").into(), flat("knn", "{}").into()];
        let known = OfRun { without: vec![("A table".into(), "nobody printed it".into())], ..OfRun::default() };
        let run = IndexedRun { name: "acr_omniglot-small".into(), rows, findings: Vec::new(), known };
        let page = page(&[run]);
        for wanted in [
            "| acr_omniglot-small | zsad run experiments/acr_omniglot.yaml --profile small |",
            "acr_dsvdd 3,000 of 10,000 steps",
            "| acr_omniglot-small | A table | nobody printed it |",
        ] {
            assert!(page.contains(wanted), "{page}");
        }
        assert!(!page.contains("Beside published numbers"), "{page}");
    }
}
