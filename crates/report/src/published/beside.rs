//! Our numbers beside the published ones.

use std::collections::BTreeMap;

use polars_core::prelude::{DataFrame, PolarsResult};
use zsad_core::{Choice, Error, Result};
use zsad_store::Row;

use super::reference::{Origin, Published, Reference};
use super::spec::{Division, Entry, Spec};
use crate::export::Printed;
use crate::grid::Grid;
use crate::sheet::{Block, Sheet, Text};
use crate::table::{self, Outcome};
use zsad_store::Field;

/// What can be said of a line.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Ours lies within the tolerance.
    Within,
    /// Ours lies outside the tolerance.
    Outside,
    /// Both numbers are there and no tolerance was stated.
    NoTolerance,
    /// Ours rests on another number of domains.
    Subset {
        /// Our domains.
        ours: usize,
        /// Theirs.
        published: usize,
    },
    /// The protocols differ.
    Differs(String),
    /// There is no published number, and why.
    NoPublished(String),
    /// We have no number: the word in its place.
    NoNumber(&'static str),
}

/// One line: ours, theirs, and what can be said.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What it compares.
    pub name: String,
    /// Our experiment and profile; empty where nothing was run.
    pub run: String,
    /// Our method, with the parameters that tell it from its namesakes.
    pub method: String,
    /// Whose form it has, where the table says it.
    pub division: Option<Division>,
    /// Our data set and protocol point.
    pub protocol: String,
    /// Metric column.
    pub metric: String,
    /// Our number or the word in its place; shares between 0 and 1.
    pub ours: Outcome,
    /// The published number, in per cent.
    pub published: Option<Published>,
    /// Tolerance in per cent points.
    pub tolerance: Option<f64>,
    /// What can be said.
    pub verdict: Verdict,
}

impl Line {
    /// Ours minus published, in per cent points, where the two may be compared.
    pub fn difference(&self) -> Option<f64> {
        let comparable = matches!(self.verdict, Verdict::Within | Verdict::Outside | Verdict::NoTolerance);
        let (ours, published) = (self.ours.number()?, self.published.as_ref()?);
        comparable.then_some(ours.mean * 100.0 - published.mean)
    }
}

/// A table of ours beside published.
#[derive(Debug, Clone, PartialEq)]
pub struct Beside {
    /// Its lines.
    pub lines: Vec<Line>,
    sheet: Sheet,
}

/// Builds the table of `spec` from the rows of any runs; rows of other experiments are left out.
///
/// # Errors
/// [`Error::Config`] where a published number is not found (`Spec::read` has checked that already).
pub fn build(spec: &Spec, reference: &Reference, rows: &[Row]) -> Result<Beside> {
    let mut runs: BTreeMap<(String, String), Vec<Row>> = BTreeMap::new();
    for row in rows.iter().filter(|r| spec.experiments.contains(&r.asked().experiment)) {
        runs.entry((row.asked().experiment.clone(), row.asked().profile.clone())).or_default().push(row.clone());
    }
    let mut lines = Vec::new();
    for entry in &spec.rows {
        let published = match &entry.published {
            Some(selector) => Some(reference.find(selector).map_err(Error::Config)?),
            None => None,
        };
        let mut found: Vec<Line> = runs.values().flat_map(|rows| ours(spec, entry, published, rows)).collect();
        if found.is_empty() {
            let method = entry.ours.method.clone().unwrap_or_default();
            let protocol = entry.ours.dataset.clone().unwrap_or_default();
            let params = serde_json::to_string(&entry.ours.params).unwrap_or_default();
            let division = spec.division(&method, &params);
            found.push(line(entry, published, String::new(), (method, division), protocol, Outcome::NotRun));
        }
        lines.extend(found);
    }
    let sheet = sheet(spec, &lines);
    Ok(Beside { lines, sheet })
}

/// The lines of an entry from the rows of one run: one a protocol point and method that it means.
fn ours(spec: &Spec, entry: &Entry, published: Option<&Published>, rows: &[Row]) -> Vec<Line> {
    let Some(metric) = zsad_metrics::find(entry.ours.metric()).map(|m| &m.spec) else { return Vec::new() };
    let rows: Vec<Row> = rows.iter().filter(|r| entry.ours.fits_row(r)).cloned().collect();
    let grid = Grid::new(&rows);
    let mut lines = Vec::new();
    for point in grid.points.iter().filter(|p| entry.ours.fits_point(p)) {
        for e in table::column(&grid, point, metric) {
            if e.outcome == Outcome::NotRun || !entry.ours.fits_method(&e.method.method, &e.method.params) {
                continue;
            }
            let level = table::level_head(point, e.realised);
            let protocol = format!("{}, {}, contamination {level}", point.dataset, point.size);
            let division = spec.division(&e.method.method, &e.method.params);
            lines.push(line(entry, published, table::title(&rows), (e.label, division), protocol, e.outcome));
        }
    }
    lines
}

fn line(
    entry: &Entry,
    published: Option<&Published>,
    run: String,
    (method, division): (String, Option<Division>),
    protocol: String,
    ours: Outcome,
) -> Line {
    let verdict = match (&ours, published) {
        (Outcome::Number(s), Some(p)) => match (&entry.differs, entry.domains, entry.tolerance) {
            (Some(how), _, _) => Verdict::Differs(how.clone()),
            (_, Some(n), _) if n != s.domains => Verdict::Subset { ours: s.domains, published: n },
            (_, _, None) => Verdict::NoTolerance,
            (_, _, Some(t)) if (s.mean * 100.0 - p.mean).abs() <= t => Verdict::Within,
            _ => Verdict::Outside,
        },
        (Outcome::Number(_), None) => Verdict::NoPublished(entry.none_because.clone().unwrap_or_default()),
        (hole, _) => Verdict::NoNumber(hole.word()),
    };
    let metric = entry.ours.metric().to_owned();
    let (name, tolerance) = (entry.name.clone(), entry.tolerance);
    Line { name, run, method, division, protocol, metric, ours, published: published.cloned(), tolerance, verdict }
}

fn sheet(spec: &Spec, lines: &[Line]) -> Sheet {
    let legend = format!(
        "{} Ours in per cent: mean ± standard deviation over seeds [95 % interval]; published as printed in \
         its source. Difference in per cent points, only where protocol and domains are the same. \
         Division: as_published, the paper's equations and settings; as_released, what the authors' code computes; fixed, a \
         slip of theirs removed; tuned, settings of ours.",
        spec.note.trim()
    );
    let mut sheet = Sheet { title: spec.title.clone(), legend: legend.trim().to_owned(), ..Sheet::default() };
    let header =
        ["what", "run", "ours is", "division", "protocol", "metric", "ours", "published", "difference", "verdict"];
    let header = header.map(String::from).to_vec();
    let mut block = Block { caption: format!("Table {}", spec.table), words: 6, header, ..Block::default() };
    for line in lines {
        let ours = line.ours.number().map_or_else(|| line.ours.word().to_owned(), table::number);
        let published = published(&mut block, line);
        let difference = line.difference().map_or("–".to_owned(), |d| format!("{d:+.1}"));
        let verdict = verdict(&mut block, line);
        let division = line.division.map_or("–", Division::word);
        let run = if line.run.is_empty() { "–" } else { &line.run };
        let texts = [&line.name, run, &line.method, division, &line.protocol, &line.metric, &ours].map(Text::from);
        block.lines.push(texts.into_iter().chain([published, difference.into(), verdict]).collect());
    }
    sheet.blocks.push(block);
    sheet
}

fn published(block: &mut Block, line: &Line) -> Text {
    let Some(p) = &line.published else { return "no published number known".into() };
    let std = p.std.map_or(String::new(), |d| format!(" ± {d}"));
    let (sign, kind) = match p.origin() {
        Origin::Primary => ("", ""),
        Origin::Secondary => (" (secondary)", "Secondary source: "),
        Origin::Independent => (" (independent)", "Not published: "),
    };
    let note = format!("{kind}{}, {}, {}: {}", p.paper, p.table, p.setting, p.source);
    Text { plain: format!("{}{std}{sign}", p.mean), marks: block.note(&note), bold: false }
}

/// The verdict of a line as a table has it; its reasons are notes of `block`.
pub(crate) fn verdict(block: &mut Block, line: &Line) -> Text {
    let noted = |block: &mut Block, word: &str, note: &str| {
        let marks = if note.is_empty() { String::new() } else { block.note(note) };
        Text { plain: word.to_owned(), marks, bold: false }
    };
    let tolerance = line.tolerance.unwrap_or_default();
    match &line.verdict {
        Verdict::Within => format!("within ±{tolerance}").into(),
        Verdict::Outside => Text { plain: format!("outside ±{tolerance}"), bold: true, marks: String::new() },
        Verdict::NoTolerance => "no tolerance stated".into(),
        Verdict::Subset { ours, published } => format!("not compared: {ours} of {published} domains").into(),
        Verdict::Differs(how) => noted(block, "not compared: protocols differ", how),
        Verdict::NoPublished(why) => noted(block, "nothing to compare with", why),
        Verdict::NoNumber(word) => (*word).into(),
    }
}

impl Verdict {
    /// One word for machines.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Within => "within",
            Verdict::Outside => "outside",
            Verdict::NoTolerance => "no_tolerance",
            Verdict::Subset { .. } => "other_domains",
            Verdict::Differs(_) => "protocol_differs",
            Verdict::NoPublished(_) => "no_published_number",
            Verdict::NoNumber(_) => "no_number",
        }
    }
}

impl Beside {
    /// The lines whose number lies outside the stated tolerance: what `--check` lists.
    pub fn outside(&self) -> Vec<&Line> {
        self.lines.iter().filter(|l| l.verdict == Verdict::Outside).collect()
    }
}

impl Printed for Beside {
    fn sheet(&self) -> &Sheet {
        &self.sheet
    }

    /// One line each, everything in per cent.
    fn frame(&self) -> PolarsResult<DataFrame> {
        let mut columns = Vec::new();
        macro_rules! column {
            ($name:literal, $type:ty, $value:expr) => {{
                let values: Vec<$type> = self.lines.iter().map($value).collect();
                columns.push(<$type as Field>::column($name, values.iter()));
            }};
        }
        let number = |l: &Line| l.ours.number().copied();
        column!("name", String, |l| l.name.clone());
        column!("run", String, |l| l.run.clone());
        column!("method", String, |l| l.method.clone());
        column!("division", String, |l| l.division.map_or("", Division::word).to_owned());
        column!("protocol", String, |l| l.protocol.clone());
        column!("metric", String, |l| l.metric.clone());
        column!("outcome", String, |l| l.ours.word().into());
        column!("ours_mean", Option<f64>, |l| number(l).map(|s| s.mean * 100.0));
        column!("ours_std", Option<f64>, |l| number(l).and_then(|s| Some(s.std? * 100.0)));
        column!("ours_ci95_low", Option<f64>, |l| number(l).and_then(|s| Some(s.interval?.0 * 100.0)));
        column!("ours_ci95_high", Option<f64>, |l| number(l).and_then(|s| Some(s.interval?.1 * 100.0)));
        column!("n_seeds", Option<u64>, |l| number(l).map(|s| s.seeds as u64));
        column!("n_domains", Option<u64>, |l| number(l).map(|s| s.domains as u64));
        column!("published_mean", Option<f64>, |l| l.published.as_ref().map(|p| p.mean));
        column!("published_std", Option<f64>, |l| l.published.as_ref().and_then(|p| p.std));
        column!("published_origin", String, |l| l.published.as_ref().map_or("", |p| p.origin().as_str()).into());
        column!("published_source", String, |l| l.published.as_ref().map_or(String::new(), |p| p.source.clone()));
        column!("difference", Option<f64>, |l| l.difference());
        column!("tolerance", Option<f64>, |l| l.tolerance);
        column!("verdict", String, |l| l.verdict.word().into());
        DataFrame::new(self.lines.len(), columns)
    }
}
