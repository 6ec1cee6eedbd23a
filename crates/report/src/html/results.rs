//! The table that is sorted and filtered: a row a run, method and protocol point, a column a metric.

use std::collections::{BTreeMap, BTreeSet};

use zsad_core::protocol::percent;
use zsad_core::{BatchSize, MetricSpec, Shift};

use super::frame::{caption, scrolled};
use super::markup::Markup;
use super::place::Place;
use crate::export::is_long;
use crate::grid::{MethodKey, Point};
use crate::table::{self, Entry, Outcome, Table, headline};

/// One row: the entries of a method at a point, one a metric that was measured there.
pub(super) struct Line<'a> {
    pub place: Place,
    point: &'a Point,
    entries: Vec<&'a Entry>,
}

/// The rows of a run's table. A method that was never asked for on a data set has none there.
pub(super) fn lines<'a>(run: &Option<String>, table: &'a Table) -> Vec<Line<'a>> {
    let mut found: BTreeMap<(&Point, &MethodKey), Vec<&Entry>> = BTreeMap::new();
    for entry in &table.entries {
        found.entry((&entry.point, &entry.method)).or_default().push(entry);
    }
    let asked: BTreeSet<(&str, &MethodKey)> = found
        .iter()
        .filter(|(_, entries)| entries.iter().any(|e| e.outcome != Outcome::NotRun))
        .map(|((point, method), _)| (point.dataset.as_str(), *method))
        .collect();
    let wanted = found.into_iter().filter(|((point, method), _)| asked.contains(&(point.dataset.as_str(), method)));
    let line = |((point, method), entries): ((&'a Point, &MethodKey), Vec<&'a Entry>)| {
        let place = Place::of_point(run, point).with_method(method.setting, &entries[0].label);
        Line { place, point, entries }
    };
    wanted.map(line).collect()
}

/// Columns that fit on paper as they are.
const WIDE: usize = 14;

/// What writes the cell of a line.
type Cell = Box<dyn Fn(&mut Markup, &Line)>;

/// A column: its head, and its cell in a line.
struct Column {
    head: &'static str,
    /// Whether it holds numbers: these are sorted from the highest down first.
    number: bool,
    cell: Cell,
}

/// The table of `lines` under these metrics.
pub(super) fn table(html: &mut Markup, lines: &[Line], metrics: &[&'static MetricSpec]) {
    let columns = columns(lines, metrics);
    let is_wide = columns.len() > WIDE;
    if is_wide {
        let said = "On paper this table holds means alone: it is too wide for spreads and intervals.";
        html.leaf("p", &[("class", &"note paper")], said);
    }
    scrolled(html, "All results", |html| {
        let class = if is_wide { "sortable tight" } else { "sortable" };
        html.element("table", &[("data-table", &"results"), ("class", &class)], |html| {
            caption(html, format_args!("One row a method and protocol point; a column's head sorts by it. Rank: by {}, in brackets the ranks that cannot be told apart.", headline().label));
            html.element("thead", &[], |html| {
                html.element("tr", &[], |html| {
                    for column in &columns {
                        let class = if column.number { "number" } else { "word" };
                        html.leaf("th", &[("scope", &"col"), ("class", &class)], column.head);
                    }
                });
            });
            html.line();
            html.element("tbody", &[], |html| {
                for line in lines {
                    html.element("tr", &line.place.attributes(), |html| {
                        columns.iter().for_each(|column| (column.cell)(html, line));
                    });
                    html.line();
                }
            });
        });
    });
}

fn columns(lines: &[Line], metrics: &[&'static MetricSpec]) -> Vec<Column> {
    let word = |head, of: fn(&Line) -> String| Column {
        head,
        number: false,
        cell: Box::new(move |html, line| {
            let text = of(line);
            html.leaf("td", &[("class", &if is_long(&text) { "w long" } else { "w" })], text);
        }),
    };
    let mut columns = vec![Column {
        head: "method",
        number: false,
        cell: Box::new(|html, line| {
            let label = &line.entries[0].label;
            html.leaf("th", &[("scope", &"row"), ("class", &if is_long(label) { "long" } else { "" })], label);
        }),
    }];
    if lines.iter().any(|l| l.place.run.is_some()) {
        columns.push(word("run", |l| l.place.run.clone().unwrap_or_default()));
    }
    columns.push(word("setting", |l| l.entries[0].method.setting.to_string()));
    columns.push(word("data set", |l| l.point.dataset.clone()));
    columns.push(number("batch size", |l| match l.point.size {
        BatchSize::Total(n) => n.to_string(),
        BatchSize::Normals(n) => format!("{n} normals"),
        BatchSize::All => "all".into(),
    }));
    columns.push(number("contamination", |l| l.point.contamination.to_string()));
    columns.push(number("realised", |l| {
        l.entries[0].realised.map_or_else(|| "–".into(), |share| format!("{:.1} %", share * 100.0))
    }));
    if lines.iter().any(|l| l.point.shift.is_some()) {
        columns.push(word("shift", |l| Shift::to_column(l.point.shift)));
    }
    if lines.iter().any(|l| l.point.pooling != lines[0].point.pooling) {
        columns.push(word("pooling", |l| l.point.pooling.to_string()));
    }
    columns.extend(metrics.iter().map(|&metric| Column {
        head: metric.label,
        number: true,
        cell: Box::new(move |html, line| measured(html, line.entries.iter().find(|e| e.metric == metric))),
    }));
    columns.push(number("rank", |l| {
        let found = l.entries.iter().find(|e| e.metric == headline()).and_then(|e| Some((e.rank?, &e.not_parted)));
        let Some((rank, others)) = found else { return "–".into() };
        let others = if others.len() > 1 { format!(" ({})", table::ranks(others)) } else { String::new() };
        format!("{rank}{others}")
    }));
    let count = |of: fn(&Entry) -> Option<usize>| move |l: &Line| l.entries.iter().find_map(|e| of(e));
    let domains = count(|e| e.outcome.number().map(|s| s.domains));
    let seeds = count(|e| e.outcome.number().map(|s| s.seeds));
    let counted = |n: Option<usize>| n.map_or_else(|| "–".to_owned(), |n| n.to_string());
    columns.push(number("domains", move |l| counted(domains(l))));
    columns.push(number("seeds", move |l| counted(seeds(l))));
    columns.push(number("cells that failed or were refused", |l| {
        let e = l.entries[0];
        let bad = e.failed + e.refused;
        if bad == 0 { "0".into() } else { format!("{bad} of {}", e.cells) }
    }));
    // The first entry is that of the headline metric, which has them all.
    let remarks = |l: &Line| {
        let length = l.entries[0].shortened.iter().map(|length| format!("shortened training: {length}"));
        length.chain(l.entries[0].remarks.iter().cloned()).collect::<Vec<_>>().join("; ")
    };
    if lines.iter().any(|l| !remarks(l).is_empty()) {
        columns.push(Column {
            head: "remarks",
            number: false,
            cell: Box::new(move |html, line| html.leaf("td", &[("class", &"w remark")], remarks(line))),
        });
    }
    columns
}

/// A column whose texts begin with the numbers that it is sorted by.
fn number(head: &'static str, of: impl Fn(&Line) -> String + 'static) -> Column {
    Column { head, number: true, cell: Box::new(move |html, line| html.leaf("td", &[], of(line))) }
}

/// Mean, spread and interval in per cent; the value behind it is the share, at full precision.
fn measured(html: &mut Markup, entry: Option<&&Entry>) {
    let Some(entry) = entry else { return html.leaf("td", &[], "–") };
    let Some(s) = entry.outcome.number() else {
        return html.leaf("td", &[], entry.outcome.word());
    };
    let mean = format!("{:.1}", s.mean * 100.0);
    html.element("td", &[("data-value", &s.mean)], |html| {
        if entry.best || entry.tied {
            html.leaf("strong", &[], mean);
        } else {
            html.text(mean);
        }
        if entry.tied {
            html.leaf("sup", &[], "≈");
        }
        let std = s.std.map(|d| format!(" ± {:.1}", d * 100.0));
        let interval = s.interval.filter(|_| entry.metric.headline);
        let interval = interval.map(|(l, h)| format!(" [{:.1}, {:.1}]", l * 100.0, h * 100.0));
        if std.is_some() || interval.is_some() {
            html.leaf("small", &[], std.unwrap_or_default() + &interval.unwrap_or_default());
        }
    });
}

/// A filter: the name of its control, what stands above it, and the values and texts of its options.
pub(super) struct Choice {
    pub name: &'static str,
    pub head: &'static str,
    pub options: Vec<(String, String)>,
}

/// The filters over these rows.
pub(super) fn choices(lines: &[Line]) -> Vec<Choice> {
    let points: BTreeSet<&Point> = lines.iter().map(|l| l.point).collect();
    let choice = |name, head, values: Vec<(String, String)>| {
        let mut seen = BTreeSet::new();
        let options = values.into_iter().filter(|(value, _)| seen.insert(value.clone())).collect();
        Choice { name, head, options }
    };
    let same = |values: Vec<String>| values.into_iter().map(|v| (v.clone(), v)).collect::<Vec<_>>();
    let sizes: BTreeSet<_> = points.iter().map(|p| p.size).collect();
    let shares: BTreeSet<_> = points.iter().map(|p| p.contamination).collect();
    let settings: BTreeSet<_> = lines.iter().filter_map(|l| l.place.setting).collect();
    let shifts: BTreeSet<_> = points.iter().map(|p| p.shift).collect();
    let shifts = if shifts.iter().all(Option::is_none) { BTreeSet::new() } else { shifts };
    let methods: BTreeSet<_> = lines.iter().map(|l| (l.place.setting, l.place.method.clone())).collect();
    vec![
        choice("run", "run", same(lines.iter().filter_map(|l| l.place.run.clone()).collect())),
        choice("dataset", "data set", same(points.iter().map(|p| p.dataset.clone()).collect())),
        choice("batch-size", "batch", sizes.iter().map(|s| (s.to_column(), s.to_string())).collect()),
        choice(
            "contamination",
            "contamination",
            shares.iter().map(|c| (super::place::contamination(*c), c.to_string())).collect(),
        ),
        choice("shift", "shift", same(shifts.iter().map(|s| Shift::to_column(*s)).collect())),
        choice("setting", "setting", same(settings.iter().map(|s| s.to_string()).collect())),
        choice("method", "method", same(methods.into_iter().filter_map(|(_, m)| m).collect())),
    ]
}

/// `5 %, 10 % and 20 %`.
pub(super) fn percents(shares: &[f64]) -> String {
    super::listed(&shares.iter().map(|s| format!("{} %", percent(*s))).collect::<Vec<_>>())
}
