//! Mean ranks over domains: a critical-difference diagram, and who wins how often.

use std::collections::{BTreeMap, BTreeSet};

use zsad_core::Result;
use zsad_metrics::stats::{Friedman, critical_difference, friedman};

use super::axes::{SMALL, TEXT};
use super::canvas::{Anchor, BLACK, Canvas, Color, GREY, LIGHT, text_width};
use super::palette::Look;
use super::style::Style;
use crate::compare::{Values, collect, complete};
use crate::grid::Grid;
use crate::table::headline;

/// Methods beyond which neither figure is readable.
const MOST: usize = 30;
/// Fewer methods have no ranks worth a figure.
const FEWEST: usize = 3;

const AXIS: f64 = 420.0;
const LINE: f64 = 19.0;
/// From one bar to the next.
const BAR: f64 = 7.0;
const CELL: f64 = 38.0;

/// The methods by mean rank, and their values in every domain that all of them have.
struct Ranked {
    /// Label, look and mean rank, the best first.
    methods: Vec<(String, Look, f64)>,
    /// `[domain][method]`, in the order of `methods`.
    blocks: Vec<Vec<f64>>,
    tested: Friedman,
    /// How many domains there are, and of which data sets where there are several.
    domains: String,
}

impl Ranked {
    fn of(grid: &Grid) -> Option<Self> {
        let all = collect(grid, headline()).ok()?;
        let blocks = complete(&all.iter().collect::<Vec<&Values>>());
        let tested = friedman(&blocks)?;
        let mut order: Vec<usize> = (0..all.len()).collect();
        // Stable: equals keep the order of tables.
        order.sort_by(|a, b| tested.ranks[*a].total_cmp(&tested.ranks[*b]));
        let look = |label: &str| grid.methods.iter().position(|(_, l)| l == label).map(Look::of);
        let methods: Vec<_> =
            order.iter().filter_map(|&i| Some((all[i].label.clone(), look(&all[i].label)?, tested.ranks[i]))).collect();
        let blocks: Vec<Vec<f64>> = blocks.iter().map(|block| order.iter().map(|&i| block[i]).collect()).collect();
        let domains = domains(grid, blocks.len());
        (FEWEST..=MOST).contains(&methods.len()).then_some(Ranked { methods, blocks, tested, domains })
    }

    /// Runs of methods within the critical difference of each other, as first and last; none inside another.
    fn groups(&self, critical: f64) -> Vec<(usize, usize)> {
        let mut groups: Vec<(usize, usize)> = Vec::new();
        for (first, (.., rank)) in self.methods.iter().enumerate() {
            let last = self.methods.iter().rposition(|(.., other)| other - rank <= critical).unwrap_or(first);
            if last > first && groups.last().is_none_or(|(_, known)| last > *known) {
                groups.push((first, last));
            }
        }
        groups
    }
}

/// `427 domains (digits 4, omniglot 423)`.
fn domains(grid: &Grid, n: usize) -> String {
    let mut of: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for point in &grid.points {
        of.entry(&point.dataset).or_default().extend(grid.axes(point).1);
    }
    let listed: Vec<String> = of.iter().map(|(name, domains)| format!("{name} {}", domains.len())).collect();
    if of.len() > 1 { format!("{n} domains ({})", listed.join(", ")) } else { format!("{n} domains") }
}

/// Both figures; none where ranks mean nothing: few methods, or no domain that all were measured on.
pub(super) fn figures(run: &str, grid: &Grid, style: &Style) -> Result<Vec<(&'static str, Canvas)>> {
    let Some(ranked) = Ranked::of(grid) else { return Ok(Vec::new()) };
    Ok(vec![("ranks", diagram(run, &ranked, style)?), ("wins", wins(run, &ranked, style)?)])
}

/// Demšar: Statistical Comparisons of Classifiers over Multiple Data Sets, JMLR 2006, Figure 1.
fn diagram(run: &str, ranked: &Ranked, style: &Style) -> Result<Canvas> {
    let (k, n) = (ranked.methods.len(), ranked.blocks.len());
    let (critical, domains) = (critical_difference(k, n), &ranked.domains);
    let differ = ranked.tested.p < 0.05;
    let groups = if differ { ranked.groups(critical) } else { Vec::new() };
    let note = match differ {
        true => format!(
            "AUROC over {domains}; methods under one bar differ by less than {critical:.2} ranks (Nemenyi, 5 %; Friedman: p {})",
            p(ranked.tested.p)
        ),
        false => format!(
            "AUROC over {domains}; that all rank alike cannot be ruled out (Friedman: p {}): single differences are not to be read",
            p(ranked.tested.p)
        ),
    };
    let title = format!("{run}: mean ranks, 1 is best");
    let widths = ranked.methods.iter().map(|(label, ..)| text_width(label, TEXT)).collect::<Result<Vec<_>>>()?;
    let side = widths.into_iter().fold(0.0, f64::max) + 66.0;
    let width = (2.0 * side + AXIS).max(style.head_width(&title, &note)?);
    let (top, half) = (style.top() + 12.0, k.div_ceil(2));
    let first_line = top + 18.0 + BAR * groups.len() as f64 + 14.0;
    let mut canvas = Canvas::new(width, first_line + LINE * half as f64 + 14.0);
    style.head(&mut canvas, &title, &note);
    let left = (width - AXIS) / 2.0;
    let at = |rank: f64| left + AXIS * (rank - 1.0) / (k as f64 - 1.0);
    canvas.line(&[(left, top), (left + AXIS, top)], BLACK, 1.2);
    for rank in 1..=k {
        let x = at(rank as f64);
        canvas.line(&[(x, top - 5.0), (x, top)], BLACK, 1.2);
        if k <= 15 || rank % 2 == 1 {
            canvas.text((x, top - 14.0), rank.to_string(), SMALL, BLACK, Anchor::Middle);
        }
    }
    for (i, (first, last)) in groups.iter().enumerate() {
        let y = top + 14.0 + BAR * i as f64;
        let ends = [(at(ranked.methods[*first].2) - 3.0, y), (at(ranked.methods[*last].2) + 3.0, y)];
        canvas.line(&ends, BLACK, 3.2);
    }
    for (i, (label, look, rank)) in ranked.methods.iter().enumerate() {
        // The better half stands left, its best on top; the other half right, its worst on top.
        let is_left = i < half;
        let line = if is_left { i } else { k - 1 - i };
        let y = first_line + LINE * line as f64;
        let (x, end, text, anchor) = match is_left {
            true => (at(*rank), left - 6.0, left - 12.0, Anchor::Right),
            false => (at(*rank), left + AXIS + 6.0, left + AXIS + 12.0, Anchor::Left),
        };
        canvas.line(&[(x, top), (x, y), (end, y)], look.faint(0.9), 1.2);
        let named = if is_left { format!("{label}  {rank:.2}") } else { format!("{rank:.2}  {label}") };
        canvas.text((text, y), named, TEXT, BLACK, anchor);
    }
    Ok(canvas)
}

/// In how many domains the method of a line is better than that of a column.
fn wins(run: &str, ranked: &Ranked, style: &Style) -> Result<Canvas> {
    let (n, domains) = (ranked.blocks.len(), &ranked.domains);
    let note = format!(
        "in how many of {domains} the method of a line has the higher AUROC than that of a column; best mean rank first"
    );
    let title = format!("{run}: wins");
    let widths = ranked.methods.iter().map(|(label, ..)| text_width(label, TEXT)).collect::<Result<Vec<_>>>()?;
    let left = widths.into_iter().fold(0.0, f64::max) + 52.0;
    let (top, size) = (style.top() + 8.0, CELL * ranked.methods.len() as f64);
    let width = (left + size + 24.0).max(style.head_width(&title, &note)?);
    let mut canvas = Canvas::new(width, top + size + 20.0);
    style.head(&mut canvas, &title, &note);
    for (i, (label, ..)) in ranked.methods.iter().enumerate() {
        let y = top + CELL * i as f64;
        canvas.text((left - 12.0, y + CELL / 2.0), format!("{label}  {}", i + 1), TEXT, BLACK, Anchor::Right);
        canvas.text((left + CELL * (i as f64 + 0.5), top - 12.0), (i + 1).to_string(), SMALL, GREY, Anchor::Middle);
        for j in (0..ranked.methods.len()).filter(|j| *j != i) {
            let better = |sign: f64| {
                let is_better = |block: &&Vec<f64>| sign * (block[i] - block[j]) > 0.0;
                ranked.blocks.iter().filter(is_better).count()
            };
            let (wins, losses) = (better(1.0), better(-1.0));
            let x = left + CELL * j as f64;
            canvas.rect((x + 1.0, y + 1.0), (x + CELL - 1.0, y + CELL - 1.0), shade(wins, losses, n));
            canvas.text((x + CELL / 2.0, y + CELL / 2.0), wins.to_string(), SMALL, BLACK, Anchor::Middle);
        }
    }
    Ok(canvas)
}

/// Blue where the line wins, orange where it loses, the fuller the clearer.
fn shade(wins: usize, losses: usize, n: usize) -> Color {
    let lead = (wins as f64 - losses as f64) / n as f64;
    match lead {
        l if l > 0.0 => (0x1f, 0x77, 0xb4, 0.75 * l),
        l if l < 0.0 => (0xff, 0x7f, 0x0e, -0.75 * l),
        _ => (LIGHT.0, LIGHT.1, LIGHT.2, 0.4),
    }
}

fn p(p: f64) -> String {
    if p < 0.001 { "< 0.001".into() } else { format!("= {p:.3}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::sweep;

    #[test]
    fn methods_within_the_critical_difference_share_a_bar() {
        let rows = sweep();
        let ranked = Ranked::of(&Grid::new(&rows)).unwrap();
        assert_eq!((ranked.methods.len(), ranked.blocks.len()), (12, 40));
        // The methods of the sweep get worse in the order of their names.
        assert!(ranked.methods.windows(2).all(|w| w[0].2 <= w[1].2));
        let ranks: Vec<f64> = ranked.methods.iter().map(|m| m.2).collect();
        for critical in [0.0, 0.7, 2.0, 20.0] {
            let groups = ranked.groups(critical);
            for (i, j) in (0..12).flat_map(|i| (i + 1..12).map(move |j| (i, j))) {
                let together = groups.iter().any(|(first, last)| *first <= i && j <= *last);
                assert_eq!(together, ranks[j] - ranks[i] <= critical, "{i} {j} at {critical}");
            }
        }
    }
}
