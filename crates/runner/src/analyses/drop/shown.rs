//! The page and the figure of what a shift costs.

use std::collections::BTreeSet;

use zsad_core::Shift;
use zsad_report::plots::dots::{Figure, Panel, Series};

use super::super::{Entry, Section, Table};
use super::{Cost, Group};

/// A method at a point, and what each shift costs it there.
pub(super) type Shown = (Group, Vec<(Option<Shift>, Cost)>);

/// The shifts of all methods of a table, in order.
fn shifts(shown: &[&Shown]) -> Vec<Option<Shift>> {
    let all: BTreeSet<Option<Shift>> = shown.iter().flat_map(|(_, c)| c.iter().map(|(s, _)| *s)).collect();
    all.into_iter().collect()
}

/// Two tables a data set and point: AUROC and its drop, and false alarms; a column a shift, then mean and worst.
pub(super) fn sections(shown: &[Shown]) -> Vec<Section> {
    let mut sections = Vec::new();
    for of in shown.chunk_by(|(a, _), (b, _)| same_point(a, b)) {
        let of: Vec<&Shown> = of.iter().collect();
        let (shifts, group) = (shifts(&of), &of[0].0);
        let names: Vec<String> = shifts.iter().map(|s| Shift::to_column(*s)).collect();
        let about = group.point.to_string();
        let header = |first: &str, last: &[&str]| Table {
            header: [&["method", first][..], &names.iter().map(String::as_str).collect::<Vec<_>>(), last]
                .concat()
                .into_iter()
                .map(str::to_owned)
                .collect(),
            lines: vec![],
        };
        let mut ranking = header("clean", &["mean drop", "worst drop"]);
        let mut alarms = header("clean", &["mean", "worst"]);
        for (group, costs) in &of {
            let at = |s: &Option<Shift>| costs.iter().find(|(of, _)| of == s).map(|(_, cost)| cost);
            let text = |cost: &Cost| match (cost.auroc, cost.interval) {
                (Some([a, b]), Some((low, high))) => {
                    let point = |v: f64| format!("{:+.1}", -v * 100.0);
                    format!("{:.1} ({} [{}, {}])", b * 100.0, point(a - b), point(high), point(low))
                }
                (Some([_, b]), None) => format!("{:.1}", b * 100.0),
                (None, _) => "–".into(),
            };
            let drops: Vec<f64> = costs.iter().filter_map(|(_, c)| c.auroc.map(|[a, b]| a - b)).collect();
            let clean = costs.first().and_then(|(_, c)| c.auroc.map(|a| a[0]));
            let said = |s: &Option<Shift>| Entry::Text(at(s).map_or("–".into(), text));
            let mut line = vec![group.method.as_str().into(), Entry::Share(clean)];
            line.extend(shifts.iter().map(said));
            line.extend([Entry::Share(mean(&drops)), Entry::Share(drops.iter().copied().reduce(f64::max))]);
            ranking.push(line);
            let rates: Vec<f64> = costs.iter().map(|(_, c)| c.fpr[1]).collect();
            let mut line = vec![group.method.as_str().into(), Entry::Share(costs.first().map(|(_, c)| c.fpr[0]))];
            line.extend(shifts.iter().map(|s| Entry::Share(at(s).map(|c| c.fpr[1]))));
            line.extend([Entry::Share(mean(&rates)), Entry::Share(rates.iter().copied().reduce(f64::max))]);
            alarms.push(line);
        }
        sections.push(Section { caption: format!("{about}: AUROC, and what the shift changed"), table: ranking });
        sections.push(Section { caption: format!("{about}: false alarms at a fixed threshold"), table: alarms });
    }
    sections
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn same_point(a: &Group, b: &Group) -> bool {
    a.point == b.point
}

/// AUROC and false alarms of every method under every shift.
pub(super) fn figure(shown: &[Shown]) -> Figure {
    let mut panels = Vec::new();
    for of in shown.chunk_by(|(a, _), (b, _)| same_point(a, b)) {
        let of: Vec<&Shown> = of.iter().collect();
        let (shifts, group) = (shifts(&of), &of[0].0);
        let words: Vec<String> =
            std::iter::once("clean".to_owned()).chain(shifts.iter().map(|s| Shift::to_column(*s))).collect();
        let panel =
            |heading: &str, axis: &str, low: f64, clean: fn(&Cost) -> Option<f64>, value: fn(&Cost) -> Option<f64>| {
                let dot = |v: Option<f64>| v.map(|v| (v * 100.0, None));
                let series = |(group, costs): &Shown| {
                    let at = |s: &Option<Shift>| costs.iter().find(|(of, _)| of == s).and_then(|(_, cost)| value(cost));
                    let first = dot(costs.first().and_then(|(_, cost)| clean(cost)));
                    let dots = std::iter::once(first).chain(shifts.iter().map(|s| dot(at(s)))).collect();
                    Series { label: group.method.clone(), dots }
                };
                Panel {
                    heading: format!("{}: {heading}", group.point),
                    axis: axis.to_owned(),
                    low,
                    words: words.clone(),
                    series: of.iter().map(|s| series(s)).collect(),
                }
            };
        panels.push(panel("ranking", "AUROC (%)", 100.0, |c| c.auroc.map(|a| a[0]), |c| c.auroc.map(|a| a[1])));
        panels.push(panel("fixed threshold", "false alarms (%)", 0.0, |c| Some(c.fpr[0]), |c| Some(c.fpr[1])));
    }
    Figure {
        title: "What a shift costs".into(),
        note: "means over domains and seeds; false alarms at the threshold that was fixed on clean batches".into(),
        panels,
    }
}
