//! `protocol.labels` and `protocol.query`: how many labels of a batch are given, and of which samples.

use serde_json::Value;
use zsad_core::{BatchSize, Budget, Choice, Contamination, Query, suggest};

use super::MethodChoice;
use super::fields::{field, list};
use super::problem::{Pos, Problems};
use super::yaml::{Entry, Node};

/// Every number of labels with every way to ask for them, `None` for none, and where it stands.
pub fn read(entries: &[Entry], start: Pos, problems: &mut Problems) -> Vec<(Option<Budget>, Pos)> {
    let query = field(entries, "query");
    let Some(labels) = field(entries, "labels") else {
        if let Some(node) = query {
            problems.add(node.pos, "`query` without `labels`", "add labels: [0, 5, 10], or leave out `query`");
        }
        return vec![(None, start)];
    };
    let number = |v: &Value| v.as_u64().and_then(|v| usize::try_from(v).ok());
    let numbers = list(labels, "labels", "integers from 0, such as [0, 5, 10]", number, problems);
    let queries = match query {
        None => vec![Query::default()],
        Some(node) => words(node, problems),
    };
    let mut all = Vec::new();
    for n in numbers {
        match n {
            // However they would be asked for: one form for one meaning keeps the keys equal.
            0 => all.push((None, labels.pos)),
            labels_each => {
                all.extend(queries.iter().map(|&query| (Some(Budget { labels: labels_each, query }), labels.pos)));
            }
        }
    }
    all
}

fn words(node: &Node, problems: &mut Problems) -> Vec<Query> {
    let mut queries = Vec::new();
    for item in node.items() {
        let word = item.to_json();
        match word.as_str().and_then(Query::from_word) {
            Some(query) if !queries.contains(&query) => queries.push(query),
            Some(query) => problems.add(item.pos, format!("`{query}` stands here twice"), "keep one of them"),
            None => {
                let hint = suggest::hint(word.as_str().unwrap_or_default(), Query::WORDS);
                problems.add(item.pos, format!("`query` cannot be {}", item.describe()), hint);
            }
        }
    }
    queries
}

/// Notes labels that leave nothing of a batch, or that are asked for around a border which the protocol does not name.
pub fn check_points(
    budgets: &[(Option<Budget>, Pos)],
    sizes: &[BatchSize],
    contaminations: &[Contamination],
    problems: &mut Problems,
) {
    for (budget, pos) in budgets {
        let Some(budget) = budget else { continue };
        let least = sizes.iter().filter_map(|size| match size {
            BatchSize::Total(n) | BatchSize::Normals(n) => Some(*n),
            BatchSize::All => None,
        });
        if let Some(size) = least.min().filter(|size| *size <= budget.labels) {
            let message = format!("{} labels of a batch of {size} leave nothing to find", budget.labels);
            problems.add(*pos, message, "ask for fewer labels than a batch has samples");
        }
        if budget.query == Query::Margin && contaminations.contains(&Contamination::Natural) {
            let message = "`query: margin` asks around the share of anomalies, and `natural` names none";
            problems.add(*pos, message, "give shares such as [0.1], or another `query`");
        }
    }
}

/// Notes methods to which a label says nothing.
pub fn check_methods(budgets: &[(Option<Budget>, Pos)], methods: &[MethodChoice], problems: &mut Problems) {
    let Some((_, pos)) = budgets.iter().find(|(budget, _)| budget.is_some()) else { return };
    let mut named: Vec<&str> = Vec::new();
    for choice in methods.iter().filter(|m| !m.method.takes_labels()) {
        if named.contains(&choice.label.as_str()) {
            continue;
        }
        named.push(&choice.label);
        let message = format!(
            "`labels`: `{}` scores each sample by itself or beside references, so that labels of the batch tell it nothing",
            choice.label
        );
        problems.add(
            *pos,
            message,
            "leave the method out, or `labels`; methods that fit on the batch take them, and ACR",
        );
    }
}
